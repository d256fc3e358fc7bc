//! CPU time of processes, which says more than a rate where others use the machine as well.

#![allow(dead_code, reason = "each bench uses what it needs")]

/// The kernel's clock ticks a second, in which it counts CPU time.
const TICKS: f64 = 100.0;

/// CPU seconds of this process so far, in user and kernel mode.
pub(crate) fn cpu_seconds() -> f64 {
    cpu_seconds_of(std::process::id())
}

/// CPU seconds of a process so far, in user and kernel mode.
pub(crate) fn cpu_seconds_of(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux");
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
