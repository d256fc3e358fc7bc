//! One operation beside another that it cannot do without, in turns.
//!
//! What is measured is the CPU time of the measuring thread (`RUSAGE_THREAD`), not the time on the wall: whatever
//! else runs on the machine takes turns with the bench, and would otherwise be counted as its cost. Caches and clock
//! rate are still shared, so that both sides of a ratio are taken in turns and their medians compared.

#[path = "fixed.rs"]
pub(crate) mod fixed;

use fixed::cpu_time;

/// Rounds of a comparison, and how long each takes about.
const ROUNDS: usize = 15;
const ROUND_MICROS: f64 = 80_000.0;
/// Calls where a fixed amount of work is asked for, times its factor.
const FIXED_CALLS: u32 = 1000;

/// Microseconds of CPU of one call, as the mean of a round.
fn round(work: &mut dyn FnMut(), calls: u32) -> f64 {
    let began = cpu_time();
    for _ in 0..calls {
        work();
    }
    (cpu_time() - began).as_secs_f64() * 1e6 / f64::from(calls)
}

/// How many calls take about a round. Doubled until they do: the kernel tells a thread's time in steps of some
/// milliseconds, within which a few calls seem to take none.
fn calls_of(work: &mut dyn FnMut()) -> u32 {
    let mut calls = 1_u32;
    while round(work, calls) * f64::from(calls) < ROUND_MICROS {
        calls = calls.saturating_mul(2);
    }
    calls
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

/// Prints both medians and their ratio; gives the first, in microseconds. A fixed amount of work has nothing bare beside
/// it.
pub(crate) fn compared(what: &str, mut work: impl FnMut(), mut bare: impl FnMut()) -> f64 {
    if fixed::factor().is_some() {
        return fixed::part(what, FIXED_CALLS, work);
    }
    let (calls, bare_calls) = (calls_of(&mut work), calls_of(&mut bare));
    let (mut own, mut least) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own.push(round(&mut work, calls));
        least.push(round(&mut bare, bare_calls));
    }
    let (own, least) = (median(own), median(least));
    println!("{what:<52} {own:>7.3} us   bare {least:>7.3} us   ratio {:.2}", own / least);
    own
}
