//! A fixed amount of work instead of a fixed time, so that two builds do the same and their CPU time and instructions
//! can be compared: `benches/compare.py` asks for it and reads what is printed.

#![allow(dead_code, reason = "each bench uses what it needs")]

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// Asks for it: by how much the calls of each part are multiplied.
const FIXED: &str = "LOCUM_BENCH_FIXED";

/// The factor, if a fixed amount of work is asked for.
pub(crate) fn factor() -> Option<u32> {
    let text = std::env::var(FIXED).ok()?;
    Some(text.parse().expect("LOCUM_BENCH_FIXED is a number"))
}

/// The CPU time that this thread has used.
pub(crate) fn cpu_time() -> Duration {
    let used = getrusage(UsageWho::RUSAGE_THREAD).expect("the thread's use of the CPU");
    let part = |time: TimeVal| {
        let micros = u64::try_from(time.num_microseconds()).expect("a time since the start");
        Duration::from_micros(micros)
    };
    part(used.user_time()) + part(used.system_time())
}

/// The same to the nanosecond, from where the kernel's scheduler tells it: the other one goes by ticks of some kernels.
fn exact_cpu_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(cpu_time, Duration::from_nanos)
}

/// Calls `work` so often, times the factor; prints the CPU time of a call and gives it, in microseconds.
pub(crate) fn part(what: &str, calls: u32, mut work: impl FnMut()) -> f64 {
    let calls = calls * factor().unwrap_or(1);
    let micros = measured(&mut work, calls);
    println!("part {what}: {micros:.4} us");
    micros
}

/// Microseconds of CPU of one call. Callgrind writes down at the end of this function, by its name, what was counted.
#[inline(never)]
fn measured(work: &mut dyn FnMut(), calls: u32) -> f64 {
    let began = exact_cpu_time();
    counted(work, calls);
    (exact_cpu_time() - began).as_secs_f64() * 1e6 / f64::from(calls)
}

/// Callgrind counts the instructions of this function, by its name, and of all that it calls.
#[inline(never)]
fn counted(work: &mut dyn FnMut(), calls: u32) {
    for _ in 0..calls {
        work();
    }
}
