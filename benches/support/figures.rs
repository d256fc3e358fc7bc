//! Figures of benches: the CPU time and memory of processes, what is in the middle and at the end of many, sizes that
//! are set, and numbers that look drawn. CPU time says more than a rate where others use the machine as well.

#![allow(dead_code, reason = "each bench uses what it needs")]

use std::time::Duration;

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

/// Bytes of memory that this process has.
pub(crate) fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|field| field.parse().ok()).expect("pages");
    pages * 4096
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The time that `of` of all times do not exceed, in microseconds.
pub(crate) fn quantile(times: &mut [Duration], of: f64) -> f64 {
    times.sort_unstable();
    let at = ((times.len() as f64 * of) as usize).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default().as_secs_f64() * 1e6
}

/// A size that the environment sets.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A number that looks drawn, so that indexes are filled in no order.
pub(crate) fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The same as the bytes of an id.
pub(crate) fn bytes<const N: usize>(number: u64) -> [u8; N] {
    let mut bytes = [0; N];
    let scattered = scattered(number).to_be_bytes();
    bytes.iter_mut().rev().zip(scattered.iter().rev()).for_each(|(to, from)| *to = *from);
    bytes
}
