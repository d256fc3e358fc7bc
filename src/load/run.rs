//! A whole run: set-up, warm-up, the measured part, the report.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::LoadError;
use super::driver::Deployment;
use super::engine::{Loop, Measured, Terms, measure};
use super::process::cpu_seconds;
use super::report::{
    Aside, Counts, FORMAT, Generator, Latency, OperationReport, Ramp, Report, ServerCpu, Slice,
    Step, micros, time,
};
use super::scenario::{Arrivals, Room, Scenario};
use super::setup::{Endpoints, set_up};
use crate::clock::Clock;

/// The lag from which on latencies are the generator's as much as the server's, at the 99th percentile.
const LAG_MAX: Duration = Duration::from_millis(5);
/// How often set-up is told of, in accounts.
const SET_UP_TOLD: usize = 500;
/// Steps of a ramp.
const STEPS_MAX: usize = 200;
/// The share of a step's requests that may wait at its end, beyond which the backlog grows.
const BACKLOG_SHARE_MAX: f64 = 0.02;

/// How a run is made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The server's process, if it is on this machine: its CPU time is told by request.
    pub server_pid: Option<u32>,
    /// Ends the run early, with a report of what there is.
    pub stop: CancellationToken,
}

/// Runs a scenario. `tell` gets the live progress, a line each.
///
/// # Errors
/// The deployment cannot be reached or refuses the set-up, or the process to watch is not there.
pub async fn run(
    scenario: &Scenario,
    endpoints: &Endpoints,
    options: &Options,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Report, LoadError> {
    if let Some(pid) = options.server_pid {
        cpu_seconds(Some(pid)).ok_or(LoadError::NoProcess(pid))?;
    }
    let population = set_up(scenario, endpoints, |made| {
        if made % SET_UP_TOLD == 0 {
            tell(&format!("set-up: {made} accounts"));
        }
    })
    .await?;
    tell(&format!("set-up: {} accounts are ready", population.tenants.len()));
    let server = Arc::new(Deployment::new(scenario, endpoints, population).await?);
    let started_at = Clock::System.now().iso8601();
    let mut run = Run {
        scenario,
        server,
        terms: Terms {
            seed: scenario.seed,
            parts: scenario.mix.len(),
            server_pid: options.server_pid,
            stop: options.stop.clone(),
        },
        aside: Aside::default(),
        tell,
    };
    let (measured, ramp) = run.measure().await?;
    run.aside.sessions = run.server.population.sessions();
    Ok(run.report(&measured, ramp, started_at))
}

struct Run<'a> {
    scenario: &'a Scenario,
    server: Arc<Deployment>,
    terms: Terms,
    aside: Aside,
    tell: &'a mut (dyn FnMut(&str) + Send),
}

impl Run<'_> {
    async fn measure(&mut self) -> Result<(Measured, Option<Ramp>), LoadError> {
        let (warm_up, duration) = (self.scenario.warm_up.0, self.scenario.duration.0);
        match self.scenario.arrivals {
            Arrivals::Open { rate, room } => {
                self.warm_up(Loop::Open { rate, duration: warm_up, room }).await?;
                Ok((self.phase("", Loop::Open { rate, duration, room }).await?, None))
            }
            Arrivals::Closed { callers, think_time, expected_interval } => {
                let think_time = think_time.0;
                let given = expected_interval.map(|length| length.0);
                let closed =
                    |duration, expected| Loop::Closed { callers, think_time, expected, duration };
                // While nothing is expected nothing is corrected: the interval is longer than the run.
                let at_first = given.unwrap_or(duration + warm_up);
                let normal = self.warm_up(closed(warm_up, at_first)).await?;
                let expected = given.or(normal).unwrap_or(duration);
                Ok((self.phase("", closed(duration, expected)).await?, None))
            }
            Arrivals::Ramp { start, room, .. } => {
                self.warm_up(Loop::Open { rate: start, duration: warm_up, room }).await?;
                let (measured, ramp) = self.ramp().await?;
                Ok((measured, Some(ramp)))
            }
        }
    }

    /// Gives the median of a request.
    async fn warm_up(&mut self, how: Loop) -> Result<Option<Duration>, LoadError> {
        if self.scenario.warm_up.0.is_zero() {
            return Ok(None);
        }
        let measured = self.phase("warm-up: ", how).await?;
        let total = measured.total();
        self.aside.warm_up_done += total.done;
        self.aside.warm_up_other += total.finished() - total.done;
        let median = Duration::from_nanos(total.service.value_at_quantile(0.5));
        Ok((total.done > 0).then_some(median))
    }

    async fn phase(&mut self, name: &str, how: Loop) -> Result<Measured, LoadError> {
        let tell = &mut *self.tell;
        let mut seen = |slice: &Slice| tell(&format!("{name}{}", progress(slice)));
        Ok(measure(&self.server, how, &self.terms, &mut seen).await?)
    }

    /// Raises the rate until a step is bad twice, as one that was disturbed is not the knee yet.
    async fn ramp(&mut self) -> Result<(Measured, Ramp), LoadError> {
        let Arrivals::Ramp { start, factor, rate_max, step_duration, room, .. } =
            self.scenario.arrivals
        else {
            return Err(LoadError::field("arrivals", "is no ramp"));
        };
        let (mut rate, mut again) = (start, false);
        let mut ramp = Ramp { steps: Vec::new(), last_good_rate: None, end: String::new() };
        let mut all: Option<Measured> = None;
        loop {
            let how = Loop::Open { rate, duration: step_duration.0, room };
            let measured = self.phase(&format!("{rate:.0}/s: "), how).await?;
            let step = judge(self.scenario, rate, room, &measured);
            let is_good = step.trouble.is_empty();
            ramp.steps.push(step);
            all = Some(joined(all, measured));
            if is_good {
                ramp.last_good_rate = Some(rate);
                again = false;
                rate *= factor;
            } else if again {
                ramp.end = "the next step was bad twice".to_owned();
            } else {
                again = true;
            }
            if self.terms.stop.is_cancelled() {
                ramp.end = "it was stopped".to_owned();
            } else if rate > rate_max {
                ramp.end = format!("`rate_max` of {rate_max:.0}/s was reached, so this is no knee");
            } else if ramp.steps.len() >= STEPS_MAX {
                ramp.end = format!("{STEPS_MAX} steps were made");
            }
            if !ramp.end.is_empty() {
                break;
            }
        }
        let all = all.ok_or_else(|| LoadError::field("arrivals", "has no step"))?;
        Ok((all, ramp))
    }

    fn report(&self, measured: &Measured, ramp: Option<Ramp>, started_at: String) -> Report {
        let seconds = measured.elapsed.as_secs_f64();
        let total = measured.total();
        let finished = total.finished().max(1) as f64;
        let server = self.terms.server_pid.zip(measured.server_cpu);
        let operations = self.scenario.mix.iter().zip(&measured.parts);
        let crowd = &self.scenario.population;
        Report {
            format: FORMAT,
            name: self.scenario.name.clone(),
            description: self.scenario.description.clone(),
            arrivals: in_words(&self.scenario.arrivals),
            accounts: crowd.accounts,
            zipf_exponent: crowd.zipf_exponent,
            seed: self.scenario.seed,
            started_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            seconds,
            operations: operations
                .map(|(share, tally)| OperationReport {
                    operation: share.operation,
                    protocol: share.protocol,
                    counts: Counts::of(tally, seconds),
                })
                .collect(),
            total: Counts::of(&total, seconds),
            generator: generator(measured, ramp.is_some()),
            server: server.map(|(pid, cpu_seconds)| ServerCpu {
                pid,
                cpu_seconds,
                micros_per_request: cpu_seconds * 1e6 / finished,
            }),
            aside: self.aside,
            slices: measured.slices.clone(),
            ramp,
        }
    }
}

/// The share of what was due that did not get what it asked for.
fn failed_share(measured: &Measured) -> f64 {
    let total = measured.total();
    let lost = total.finished() - total.done + measured.dropped;
    let asked = total.finished() + measured.dropped;
    if asked == 0 { 0.0 } else { lost as f64 / asked as f64 }
}

/// Whether a step of a ramp was good.
fn judge(scenario: &Scenario, rate: f64, room: Room, measured: &Measured) -> Step {
    let total = measured.total();
    let (p50, p99) =
        (total.response.value_at_quantile(0.5), total.response.value_at_quantile(0.99));
    let seconds = measured.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let mut trouble = Vec::new();
    if let Arrivals::Ramp { p99_max, failed_share_max, .. } = scenario.arrivals {
        if Duration::from_nanos(p99) > p99_max.0 {
            trouble.push(format!("p99 is more than {}", time(p99_max.0.as_micros() as f64)));
        }
        let share = failed_share(measured);
        if share > failed_share_max {
            trouble.push(format!("{:.2}% did not get what they asked for", share * 100.0));
        }
    }
    if measured.backlog_at_end as f64 > BACKLOG_SHARE_MAX * measured.due as f64 {
        let (waiting, room) = (measured.backlog_at_end, room.in_flight_max);
        trouble.push(format!("the backlog grows: {waiting} wait behind {room} under way"));
    }
    let finished = total.finished().max(1) as f64;
    Step {
        rate,
        done_a_second: total.done as f64 / seconds,
        p50_micros: micros(p50),
        p99_micros: micros(p99),
        failed_share: failed_share(measured),
        server_cpu_micros: measured.server_cpu.map(|seconds| seconds * 1e6 / finished),
        trouble,
    }
}

/// Two phases, one after the other, as one.
fn joined(before: Option<Measured>, after: Measured) -> Measured {
    let Some(before) = before else { return after };
    let mut lag = before.lag;
    // Of the same bounds, so that it cannot fail.
    let _ = lag.add(&after.lag);
    let mut parts = before.parts;
    for (part, more) in parts.iter_mut().zip(&after.parts) {
        part.add(more);
    }
    let start = before.elapsed.as_secs_f64();
    let later = after.slices.into_iter().map(|slice| Slice { at: slice.at + start, ..slice });
    Measured {
        parts,
        slices: before.slices.into_iter().chain(later).collect(),
        lag,
        due: before.due + after.due,
        dropped: before.dropped + after.dropped,
        backlog_peak: before.backlog_peak.max(after.backlog_peak),
        backlog_at_end: after.backlog_at_end,
        elapsed: before.elapsed + after.elapsed,
        server_cpu: before.server_cpu.zip(after.server_cpu).map(|(before, after)| before + after),
        own_cpu: before.own_cpu + after.own_cpu,
    }
}

/// What is to be said of the generator. A ramp is driven until something gives: dropping is its end, and no fault.
fn generator(measured: &Measured, is_ramp: bool) -> Generator {
    let lag = Latency::of(&measured.lag);
    let mut trouble = Vec::new();
    if lag.p99 > LAG_MAX.as_micros() as f64 {
        trouble.push(format!(
            "the generator sent 1% of the requests {} late or more: latencies are its own as well as the \
             server's",
            time(lag.p99)
        ));
    }
    if measured.dropped > 0 && !is_ramp {
        trouble.push(format!(
            "{} of {} requests were never sent: more were due than there was room for \
             (`in_flight_max`, `backlog_max`), so that latencies are too good",
            measured.dropped, measured.due
        ));
    }
    Generator {
        kept_up: trouble.is_empty(),
        trouble,
        due: measured.due,
        dropped: measured.dropped,
        backlog_peak: measured.backlog_peak,
        lag,
        cpu_seconds: measured.own_cpu,
    }
}

fn progress(slice: &Slice) -> String {
    let rate = slice.done as f64 / slice.seconds.max(f64::MIN_POSITIVE);
    format!(
        "{:>4.0} s  {rate:>7.0}/s done  {} failed  {} throttled  {} dropped  p50 {}  p99 {}  {} under way  {} wait",
        slice.at,
        slice.failed,
        slice.throttled,
        slice.dropped,
        time(slice.p50_micros),
        time(slice.p99_micros),
        slice.in_flight,
        slice.backlog
    )
}

fn in_words(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Open { rate, .. } => format!("open loop of {rate}/s"),
        Arrivals::Closed { callers, .. } => format!("closed loop of {callers} callers"),
        Arrivals::Ramp { start, factor, rate_max, .. } => {
            format!("ramp from {start}/s by {factor} to {rate_max}/s")
        }
    }
}
