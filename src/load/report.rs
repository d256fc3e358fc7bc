//! What is kept of a run. The JSON form is what `compare` reads.

use std::collections::BTreeMap;
use std::path::Path;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::LoadError;
use super::book::Tally;
use super::scenario::{Operation, Protocol};

/// The form of reports; a reader takes no other.
pub(super) const FORMAT: u32 = 1;
/// What the curve of percentiles is drawn through.
const CURVE: [f64; 20] = [
    0.0, 0.1, 0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.999,
    0.9995, 0.9999, 0.99999, 1.0,
];

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub(super) format: u32,
    /// The scenario's name and description, and its arrivals in words.
    pub(super) name: String,
    pub(super) description: String,
    pub(super) arrivals: String,
    pub(super) accounts: usize,
    pub(super) zipf_exponent: f64,
    pub(super) seed: u64,
    /// When it began, in ISO 8601.
    pub(super) started_at: String,
    /// The version of the program.
    pub(super) version: String,
    /// Cores of the machine of the generator.
    pub(super) cores: usize,
    /// From the first request to the last answer, in seconds.
    pub(super) seconds: f64,
    /// By part of the mix.
    pub(super) operations: Vec<OperationReport>,
    pub(super) total: Counts,
    pub(super) generator: Generator,
    pub(super) server: Option<ServerCpu>,
    pub(super) aside: Aside,
    pub(super) slices: Vec<Slice>,
    pub(super) ramp: Option<Ramp>,
}

/// A part of the mix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OperationReport {
    pub(super) operation: Operation,
    pub(super) protocol: Protocol,
    pub(super) counts: Counts,
}

/// What came of requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Successes.
    pub(super) done: u64,
    pub(super) done_a_second: f64,
    /// Hints to try again later, by code.
    pub(super) throttled: BTreeMap<String, u64>,
    /// Errors by code.
    pub(super) failed: BTreeMap<String, u64>,
    /// Not answered in time.
    pub(super) timed_out: u64,
    /// Not made, as everything they could have been made for was in use by requests before.
    pub(super) not_made: u64,
    /// Of successes and time-outs, from when a request was due; corrected for coordinated omission.
    pub(super) response: Latency,
    /// Of the same, from when it was sent.
    pub(super) service: Latency,
}

/// How long things took, in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) count: u64,
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
    /// Pairs of quantile and time.
    pub(super) curve: Vec<(f64, f64)>,
}

/// How the generator itself was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Generator {
    /// Whether the figures are the server's; otherwise `trouble` says why not.
    pub(super) kept_up: bool,
    pub(super) trouble: Vec<String>,
    /// Requests that were due; 0 in a closed loop.
    pub(super) due: u64,
    /// Of them those that were never sent.
    pub(super) dropped: u64,
    /// The most that waited for room.
    pub(super) backlog_peak: usize,
    /// From when a request was due, or had room, to when it was sent.
    pub(super) lag: Latency,
    pub(super) cpu_seconds: f64,
}

/// CPU of the server.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct ServerCpu {
    pub(super) pid: u32,
    pub(super) cpu_seconds: f64,
    /// User and kernel time for each request that was answered, in microseconds.
    pub(super) micros_per_request: f64,
}

/// What was asked for besides.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Aside {
    /// Successes of the warm-up.
    pub(super) warm_up_done: u64,
    /// Everything else of the warm-up.
    pub(super) warm_up_other: u64,
    /// Sessions that requests of chains were made with.
    pub(super) sessions: u64,
}

/// One second, more or less.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Slice {
    /// Its end, in seconds from the start.
    pub(super) at: f64,
    pub(super) seconds: f64,
    pub(super) done: u64,
    pub(super) throttled: u64,
    /// Errors and time-outs.
    pub(super) failed: u64,
    pub(super) dropped: u64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
    pub(super) in_flight: usize,
    pub(super) backlog: usize,
    pub(super) server_cpu_micros: Option<f64>,
}

/// The way to the knee.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ramp {
    pub(super) steps: Vec<Step>,
    /// The highest rate at which all was well; none if not even the first.
    pub(super) last_good_rate: Option<f64>,
    /// Why it ended.
    pub(super) end: String,
}

/// A step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) rate: f64,
    pub(super) done_a_second: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
    /// The share that failed, was throttled or was not sent.
    pub(super) failed_share: f64,
    pub(super) server_cpu_micros: Option<f64>,
    /// What was wrong; empty if nothing.
    pub(super) trouble: Vec<String>,
}

/// Microseconds of a time in nanoseconds.
pub(super) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

impl Latency {
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            mean: histogram.mean() / 1000.0,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: if histogram.is_empty() { 0.0 } else { micros(histogram.max()) },
            curve: CURVE.iter().map(|quantile| (*quantile, at(*quantile))).collect(),
        }
    }
}

impl Counts {
    pub(super) fn of(tally: &Tally, seconds: f64) -> Self {
        Self {
            done: tally.done,
            done_a_second: if seconds > 0.0 { tally.done as f64 / seconds } else { 0.0 },
            throttled: tally.throttled.clone(),
            failed: tally.failed.clone(),
            timed_out: tally.timed_out,
            not_made: tally.not_made,
            response: Latency::of(&tally.response),
            service: Latency::of(&tally.service),
        }
    }
}

impl Report {
    /// Reads one from a file.
    ///
    /// # Errors
    /// The file cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let none =
            |reason: String| LoadError::NoReport { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| none(error.to_string()))?;
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| none(error.to_string()))?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        if format != Some(u64::from(FORMAT)) {
            return Err(none(format!("its `format` is not {FORMAT}")));
        }
        serde_json::from_value(value).map_err(|error| none(error.to_string()))
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        // Numbers, texts and lists of them: always JSON.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// For people, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{}: {}, {} accounts, {:.1} s",
            self.name, self.arrivals, self.accounts, self.seconds
        )];
        for part in &self.operations {
            let name = format!("{} over {}", part.operation, part.protocol);
            lines.push(counts_line(&name, &part.counts));
            lines.extend(codes(&part.counts));
        }
        if self.operations.len() > 1 {
            lines.push(counts_line("all", &self.total));
        }
        if let Some(server) = &self.server {
            lines.push(format!(
                "server: {:.1} us CPU a request ({:.2} s in process {})",
                server.micros_per_request, server.cpu_seconds, server.pid
            ));
        }
        if let Some(ramp) = &self.ramp {
            lines.extend(ramp.lines());
        }
        let generator = &self.generator;
        lines.push(format!(
            "generator: {:.2} s CPU, lag p50 {} p99 {} max {}, {} dropped",
            generator.cpu_seconds,
            time(generator.lag.p50),
            time(generator.lag.p99),
            time(generator.lag.max),
            generator.dropped
        ));
        lines.extend(generator.trouble.iter().map(|trouble| format!("NOT KEPT UP: {trouble}")));
        lines
    }
}

impl Ramp {
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self
            .steps
            .iter()
            .map(|step| {
                let trouble = step.trouble.join("; ");
                format!(
                    "  {:>9.0}/s asked  {:>9.0}/s done  p50 {}  p99 {}  {trouble}",
                    step.rate,
                    step.done_a_second,
                    time(step.p50_micros),
                    time(step.p99_micros)
                )
            })
            .collect();
        lines.push(match self.last_good_rate {
            Some(rate) => format!("knee: {rate:.0}/s was the last good rate; {}", self.end),
            None => format!("knee: not even the first step was good; {}", self.end),
        });
        lines
    }
}

fn counts_line(name: &str, counts: &Counts) -> String {
    let (response, service) = (&counts.response, &counts.service);
    format!(
        "{name:<28} {:>8.0}/s  {} done  p50 {} p90 {} p99 {} p99.9 {} max {}  (from sending: p99 {})",
        counts.done_a_second,
        counts.done,
        time(response.p50),
        time(response.p90),
        time(response.p99),
        time(response.p999),
        time(response.max),
        time(service.p99)
    )
}

fn codes(counts: &Counts) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, code: &str, count: u64| {
        if count > 0 {
            lines.push(format!("    {count} {what}{code}"));
        }
    };
    for (code, count) in &counts.throttled {
        say("throttled: ", code, *count);
    }
    for (code, count) in &counts.failed {
        say("failed: ", code, *count);
    }
    say("not answered in time", "", counts.timed_out);
    say("not made: all instances were being changed", "", counts.not_made);
    lines
}

/// A time in microseconds, for people.
pub(super) fn time(micros: f64) -> String {
    match micros {
        micros if micros < 1_000.0 => format!("{micros:.0} us"),
        micros if micros < 1_000_000.0 => format!("{:.2} ms", micros / 1_000.0),
        micros => format!("{:.2} s", micros / 1_000_000.0),
    }
}
