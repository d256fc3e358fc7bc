//! What came of requests, as it comes in. Kept by part of the mix; once a second the newest second is taken out for
//! the progress line and the plots, and added to the total.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time that is told apart from longer ones.
const TIME_MAX: Duration = Duration::from_secs(3600);
/// Digits that a percentile is exact to.
const DIGITS: u8 = 3;
/// Different codes that are counted by name; the rest are counted together.
const CODES_MAX: usize = 64;
/// Under which.
const OTHER_CODES: &str = "(other)";

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What was asked for.
    Done,
    /// To be tried again later: by its code.
    Throttled(String),
    /// Anything else that was answered, or the break of a connection: by its code.
    Failed(String),
    /// No answer within the scenario's `timeout`. It may still have been done.
    TimedOut,
    /// Not made: everything that it could have been made for was in use by the generator's own requests.
    NotMade,
}

/// A histogram of times, in nanoseconds.
#[expect(clippy::expect_used, reason = "the bounds are constants, and right")]
pub(super) fn histogram() -> Histogram<u64> {
    // Finer than a microsecond: what is measured goes over a network.
    Histogram::new_with_bounds(1_000, nanos(TIME_MAX), DIGITS).expect("bounds")
}

/// Nanoseconds of a time.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What came of the requests of a part of the mix in some time.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) done: u64,
    pub(super) throttled: BTreeMap<String, u64>,
    pub(super) failed: BTreeMap<String, u64>,
    pub(super) timed_out: u64,
    pub(super) not_made: u64,
    /// From when it was due to the answer, corrected for coordinated omission: of what was done, and of time-outs,
    /// as leaving those out would flatter.
    pub(super) response: Histogram<u64>,
    /// From sending to the answer, of the same.
    pub(super) service: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            done: 0,
            throttled: BTreeMap::new(),
            failed: BTreeMap::new(),
            timed_out: 0,
            not_made: 0,
            response: histogram(),
            service: histogram(),
        }
    }
}

impl Tally {
    /// Everything that was answered or given up.
    pub(super) fn finished(&self) -> u64 {
        self.done + self.throttled() + self.failed() + self.timed_out
    }

    pub(super) fn throttled(&self) -> u64 {
        self.throttled.values().sum()
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.timed_out += other.timed_out;
        self.not_made += other.not_made;
        for (mine, theirs) in
            [(&mut self.throttled, &other.throttled), (&mut self.failed, &other.failed)]
        {
            for (code, count) in theirs {
                *entry(mine, code.clone()) += count;
            }
        }
        // Of the same bounds, so that it cannot fail.
        let _ = self.response.add(&other.response);
        let _ = self.service.add(&other.service);
    }

    fn note(&mut self, outcome: Outcome, times: &Times) {
        match outcome {
            Outcome::Done => self.done += 1,
            Outcome::TimedOut => self.timed_out += 1,
            Outcome::Throttled(code) => return *entry(&mut self.throttled, code) += 1,
            Outcome::Failed(code) => return *entry(&mut self.failed, code) += 1,
            Outcome::NotMade => return self.not_made += 1,
        }
        let service = nanos(times.service).min(nanos(TIME_MAX));
        self.service.saturating_record(service);
        match times.response {
            Response::SinceDue(time) => self.response.saturating_record(nanos(time)),
            Response::Expected(interval) => {
                // What is recorded is within the bounds, so that it cannot fail.
                let _ = self.response.record_correct(service, nanos(interval));
            }
        }
    }
}

/// The counter of a code, or of the rest when there are many.
fn entry(counts: &mut BTreeMap<String, u64>, code: String) -> &mut u64 {
    let known = counts.contains_key(&code) || counts.len() < CODES_MAX;
    counts.entry(if known { code } else { OTHER_CODES.to_owned() }).or_default()
}

/// How long a request took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// From sending to the answer.
    pub(super) service: Duration,
    /// As who came at the time when it was due would have found it.
    pub(super) response: Response,
}

/// See `Times`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Response {
    /// Open loop: measured.
    SinceDue(Duration),
    /// Closed loop: for each answer that takes longer than this, those that would have been waiting are added.
    Expected(Duration),
}

/// The books of all parts of the mix.
#[derive(Debug)]
pub(super) struct Book {
    newest: Vec<Mutex<Tally>>,
    /// How late the generator was with sending, beyond what waited for room.
    lag: Mutex<Histogram<u64>>,
    dropped: Mutex<u64>,
}

impl Book {
    /// For so many parts.
    pub(super) fn new(parts: usize) -> Self {
        Self {
            newest: (0..parts).map(|_| Mutex::default()).collect(),
            lag: Mutex::new(histogram()),
            dropped: Mutex::default(),
        }
    }

    pub(super) fn note(&self, part: usize, outcome: Outcome, times: &Times) {
        if let Some(tally) = self.newest.get(part) {
            lock(tally).note(outcome, times);
        }
    }

    pub(super) fn note_lag(&self, lag: Duration) {
        lock(&self.lag).saturating_record(nanos(lag));
    }

    /// A request that found no room to wait.
    pub(super) fn note_dropped(&self) {
        *lock(&self.dropped) += 1;
    }

    pub(super) fn dropped(&self) -> u64 {
        *lock(&self.dropped)
    }

    pub(super) fn lag(&self) -> Histogram<u64> {
        lock(&self.lag).clone()
    }

    /// What came in since this was asked last, by part.
    pub(super) fn take(&self) -> Vec<Tally> {
        self.newest.iter().map(|tally| std::mem::take(&mut *lock(tally))).collect()
    }
}

/// A panic elsewhere leaves counts as they were.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since_due(millis: u64) -> Times {
        let time = Duration::from_millis(millis);
        Times { service: time, response: Response::SinceDue(time) }
    }

    /// Protects the word success: what was throttled, failed or not answered is none, and is counted by its code.
    #[test]
    fn outcomes_are_counted_each_for_itself() {
        let book = Book::new(1);
        for outcome in [
            Outcome::Done,
            Outcome::Throttled("Throttling".to_owned()),
            Outcome::Failed("AccessDenied".to_owned()),
            Outcome::Failed("AccessDenied".to_owned()),
            Outcome::TimedOut,
            Outcome::NotMade,
        ] {
            book.note(0, outcome, &since_due(5));
        }
        let tally = book.take().remove(0);
        assert_eq!((tally.done, tally.timed_out, tally.not_made), (1, 1, 1));
        assert_eq!(tally.throttled, BTreeMap::from([("Throttling".to_owned(), 1)]));
        assert_eq!(tally.failed, BTreeMap::from([("AccessDenied".to_owned(), 2)]));
        assert_eq!((tally.response.len(), tally.finished()), (2, 5));
        assert_eq!(book.take().remove(0).finished(), 0);
    }

    /// Protects closed loops from coordinated omission: an answer that took a second where 10 ms is normal stands
    /// for the hundred that would have been asked meanwhile.
    #[test]
    fn a_long_answer_of_a_closed_loop_stands_for_those_that_were_not_asked() {
        let book = Book::new(1);
        let times = |millis| Times {
            service: Duration::from_millis(millis),
            response: Response::Expected(Duration::from_millis(10)),
        };
        for _ in 0..100 {
            book.note(0, Outcome::Done, &times(10));
        }
        book.note(0, Outcome::Done, &times(1000));
        let tally = book.take().remove(0);
        assert_eq!((tally.service.len(), tally.response.len()), (101, 200));
        let median = |histogram: &Histogram<u64>| histogram.value_at_quantile(0.75) / 1_000_000;
        assert!(median(&tally.service) <= 10, "{}", median(&tally.service));
        assert!(median(&tally.response) >= 450, "{}", median(&tally.response));
    }

    /// Protects the generator's memory from a server that makes up codes.
    #[test]
    fn codes_without_end_are_counted_together() {
        let book = Book::new(1);
        for code in 0..1000 {
            book.note(0, Outcome::Failed(code.to_string()), &since_due(1));
        }
        let tally = book.take().remove(0);
        assert_eq!((tally.failed.len(), tally.failed()), (CODES_MAX + 1, 1000));
        assert_eq!(tally.failed[OTHER_CODES], 1000 - CODES_MAX as u64);
    }
}
