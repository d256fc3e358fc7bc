//! Two reports beside each other, with a verdict that knows about noise.
//!
//! Neighbouring seconds of a run are alike, so that they say less than as many independent ones: each run is cut into
//! batches, and what the means of the batches scatter is the noise (batch means; Law, "Simulation Modeling and
//! Analysis", chapter 9). A difference counts when it is more than three standard errors of both runs together and
//! more than `SHARE_MIN`; one run each still says nothing of what differs from run to run, such as what else a shared
//! machine did.

use std::fmt;

use super::report::{Report, Slice, time};

/// Batches of a run.
const BATCHES: usize = 8;
/// Seconds of a run below which nothing can be said.
const SLICES_MIN: usize = 8;
/// Standard errors that a difference must exceed.
const ERRORS_MIN: f64 = 3.0;
/// The share of the first value that it must exceed.
const SHARE_MIN: f64 = 0.03;
/// The difference in the share of failures that counts.
const FAILED_SHARE_MIN: f64 = 0.001;

/// What the product of rates and steps may be off.
const ROUNDING: f64 = 1.000_001;

/// What a difference is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The second is better, beyond noise.
    Better,
    /// It is worse, beyond noise.
    Worse,
    /// No difference beyond noise.
    Same,
    /// The runs are too short to tell.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Better => "better",
            Self::Worse => "WORSE",
            Self::Same => "no difference beyond noise",
            Self::Unknown => "too short to tell",
        })
    }
}

/// Two reports.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// A line for each figure.
    pub lines: Vec<String>,
    /// The worst that was found.
    pub worse: bool,
}

/// A figure by second.
struct Figure {
    name: &'static str,
    more_is_better: bool,
    of: fn(&Slice) -> Option<f64>,
    shown: fn(f64) -> String,
}

const FIGURES: [Figure; 4] = [
    Figure {
        name: "done a second",
        more_is_better: true,
        of: |slice| Some(slice.done as f64 / slice.seconds.max(f64::MIN_POSITIVE)),
        shown: |rate| format!("{rate:.0}/s"),
    },
    Figure {
        name: "p50 of a second",
        more_is_better: false,
        of: |slice| Some(slice.p50_micros).filter(|_| slice.done > 0),
        shown: time,
    },
    Figure {
        name: "p99 of a second",
        more_is_better: false,
        of: |slice| Some(slice.p99_micros).filter(|_| slice.done > 0),
        shown: time,
    },
    Figure {
        name: "server CPU a request",
        more_is_better: false,
        of: |slice| slice.server_cpu_micros,
        shown: |micros| format!("{micros:.1} us"),
    },
];

/// Compares a run with one before it.
#[must_use]
pub fn compare(before: &Report, after: &Report) -> Comparison {
    let mut found = Comparison { lines: Vec::new(), worse: false };
    for (what, a, b) in [
        ("scenario", &before.name, &after.name),
        ("arrivals", &before.arrivals, &after.arrivals),
        ("accounts", &before.accounts.to_string(), &after.accounts.to_string()),
        ("cores", &before.cores.to_string(), &after.cores.to_string()),
    ] {
        if a != b {
            found.lines.push(format!("note: {what} differ: `{a}` and `{b}`"));
        }
    }
    for (report, which) in [(before, "first"), (after, "second")] {
        if !report.generator.kept_up {
            found.lines.push(format!("note: the generator of the {which} run did not keep up"));
        }
    }
    if let Some((a, b)) = before.ramp.as_ref().zip(after.ramp.as_ref()) {
        let rates = [a.last_good_rate, b.last_good_rate].map(|rate| rate.unwrap_or_default());
        let [first, second] = rates;
        // A ramp is no finer than its steps.
        let step = step_of(before).max(step_of(after)) * ROUNDING;
        let verdict = match (first, second) {
            (first, second) if second > first * step => Verdict::Better,
            (first, second) if first > second * step => Verdict::Worse,
            _ => Verdict::Same,
        };
        found.note("last good rate", format!("{first:.0}/s"), format!("{second:.0}/s"), verdict);
        return found;
    }
    for figure in &FIGURES {
        let read = |report: &Report| report.slices.iter().filter_map(figure.of).collect::<Vec<_>>();
        let (a, b) = (read(before), read(after));
        if a.is_empty() && b.is_empty() {
            continue;
        }
        let verdict = judge(&a, &b, figure.more_is_better);
        found.note(figure.name, shown(&a, figure), shown(&b, figure), verdict);
    }
    let [first, second] = [before, after].map(failed_share);
    let verdict = match second - first {
        more if more > FAILED_SHARE_MIN => Verdict::Worse,
        more if more < -FAILED_SHARE_MIN => Verdict::Better,
        _ => Verdict::Same,
    };
    let percent = |share: f64| format!("{:.3}%", share * 100.0);
    found.note("failed or throttled", percent(first), percent(second), verdict);
    found
}

impl Comparison {
    fn note(&mut self, name: &str, before: String, after: String, verdict: Verdict) {
        self.worse |= verdict == Verdict::Worse;
        self.lines.push(format!("{name:<22} {before:>24} -> {after:<24} {verdict}"));
    }
}

/// By how much a step of a ramp is more than the one before.
fn step_of(report: &Report) -> f64 {
    let steps = report.ramp.iter().flat_map(|ramp| ramp.steps.windows(2));
    let factors = steps.filter_map(|pair| match pair {
        [first, second] if second.rate > first.rate => Some(second.rate / first.rate),
        _ => None,
    });
    factors.fold(1.0, f64::max)
}

fn failed_share(report: &Report) -> f64 {
    let total = &report.total;
    let lost = total.failed.values().sum::<u64>()
        + total.throttled.values().sum::<u64>()
        + total.timed_out
        + report.generator.dropped;
    let all = lost + total.done;
    if all == 0 { 0.0 } else { lost as f64 / all as f64 }
}

fn shown(values: &[f64], figure: &Figure) -> String {
    if values.is_empty() {
        return "-".to_owned();
    }
    let (mean, error) = mean_and_error(values);
    format!("{} +- {}", (figure.shown)(mean), (figure.shown)(error))
}

fn judge(before: &[f64], after: &[f64], more_is_better: bool) -> Verdict {
    if before.len().min(after.len()) < SLICES_MIN {
        return Verdict::Unknown;
    }
    let (first, first_error) = mean_and_error(before);
    let (second, second_error) = mean_and_error(after);
    let difference = second - first;
    let noise = ERRORS_MIN * first_error.hypot(second_error);
    if difference.abs() <= noise.max(SHARE_MIN * first.abs()) {
        Verdict::Same
    } else if (difference > 0.0) == more_is_better {
        Verdict::Better
    } else {
        Verdict::Worse
    }
}

/// The mean, and its standard error by batch means.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let size = values.len().div_ceil(BATCHES).max(1);
    let batches: Vec<f64> = values.chunks(size).map(mean).collect();
    let centre = mean(values);
    let count = batches.len() as f64;
    if count < 2.0 {
        return (centre, 0.0);
    }
    let scatter = batches.iter().map(|batch| (batch - centre).powi(2)).sum::<f64>();
    (centre, (scatter / (count - 1.0) / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::random::Random;

    /// Around 100, scattering by 20, for so many seconds.
    fn noisy(seed: u64, mean: f64, seconds: usize) -> Vec<f64> {
        let mut random = Random::new(seed, 0);
        (0..seconds).map(|_| mean + (random.unit() - 0.5) * 40.0).collect()
    }

    /// Protects from chasing noise: two runs of the same are no difference, and a real one is seen through it.
    #[test]
    fn noise_is_no_difference_and_differences_are_seen_through_noise() {
        for seed in 0..50 {
            let (a, b) = (noisy(seed, 100.0, 60), noisy(seed + 1000, 100.0, 60));
            assert_eq!(judge(&a, &b, true), Verdict::Same, "{seed}");
        }
        let (a, b) = (noisy(1, 100.0, 60), noisy(2, 130.0, 60));
        assert_eq!(judge(&a, &b, true), Verdict::Better);
        assert_eq!(judge(&a, &b, false), Verdict::Worse);
        assert_eq!(judge(&b, &a, true), Verdict::Worse);
    }

    /// Protects from verdicts on nothing: few seconds tell nothing, and what hardly differs is no news though
    /// nothing scatters.
    #[test]
    fn short_runs_and_small_differences_are_no_verdict() {
        assert_eq!(judge(&[1.0; 5], &[9.0; 60], true), Verdict::Unknown);
        assert_eq!(judge(&[100.0; 60], &[102.0; 60], true), Verdict::Same);
        assert_eq!(judge(&[100.0; 60], &[104.0; 60], true), Verdict::Better);
    }

    fn report(value: serde_json::Value) -> Report {
        serde_json::from_value(value).unwrap()
    }

    fn sample(rate: u64, failed: u64) -> serde_json::Value {
        let latency = serde_json::json!({"count": 1, "mean": 1.0, "p50": 1.0, "p90": 1.0, "p99": 1.0,
            "p999": 1.0, "max": 1.0, "curve": []});
        let slice = serde_json::json!({"at": 1.0, "seconds": 1.0, "done": rate, "throttled": 0,
            "failed": failed, "dropped": 0, "p50_micros": 1000.0, "p99_micros": 2000.0, "in_flight": 1,
            "backlog": 0, "server_cpu_micros": null});
        serde_json::json!({"format": 1, "name": "a", "description": "", "arrivals": "closed", "accounts": 1,
            "zipf_exponent": 0.0, "seed": 1, "started_at": "", "version": "", "cores": 2, "seconds": 20.0,
            "operations": [], "total": {"done": rate * 20, "done_a_second": rate, "throttled": {},
                "failed": {"AccessDenied": failed * 20}, "timed_out": 0, "not_made": 0,
                "response": latency, "service": latency},
            "generator": {"kept_up": true, "trouble": [], "due": 0, "dropped": 0, "backlog_peak": 0,
                "lag": latency, "cpu_seconds": 1.0},
            "server": null, "aside": {"warm_up_done": 0, "warm_up_other": 0, "sessions": 0},
            "slices": vec![slice; 20], "ramp": null})
    }

    /// Protects who gates a change on a comparison: a fall of the rate and new errors are worse, and other
    /// conditions are told.
    #[test]
    fn a_worse_run_is_told_as_worse() {
        let base = report(sample(1000, 0));
        assert!(!compare(&base, &report(sample(1000, 0))).worse);
        let slower = compare(&base, &report(sample(800, 0)));
        assert!(slower.worse, "{:?}", slower.lines);
        assert!(compare(&base, &report(sample(1000, 50))).worse);
        let mut other = sample(1000, 0);
        other["accounts"] = serde_json::json!(7);
        let told = compare(&base, &report(other)).lines.join("\n");
        assert!(told.contains("accounts differ: `1` and `7`"), "{told}");
    }

    /// Protects the knee from its own steps: the next step is no finding, two steps are.
    #[test]
    fn knees_differ_by_more_than_a_step() {
        let ramp = |good: f64| {
            let step = |rate: f64| {
                serde_json::json!({"rate": rate, "done_a_second": rate, "p50_micros": 1.0,
                    "p99_micros": 1.0, "failed_share": 0.0, "server_cpu_micros": null, "trouble": []})
            };
            let mut sample = sample(1000, 0);
            sample["ramp"] = serde_json::json!({"steps": [step(1000.0), step(1250.0), step(1562.5)],
                "last_good_rate": good, "end": ""});
            report(sample)
        };
        let verdict = |a, b| {
            let found = compare(&ramp(a), &ramp(b));
            (found.worse, found.lines.last().unwrap().contains("better"))
        };
        assert_eq!(verdict(1250.0, 1000.0), (false, false));
        assert_eq!(verdict(1000.0, 1250.0), (false, false));
        assert_eq!(verdict(1562.5, 1000.0), (true, false));
        assert_eq!(verdict(1000.0, 1562.5), (false, true));
    }
}
