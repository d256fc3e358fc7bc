//! What a scenario must be like beyond its form.

use std::time::Duration;

use super::{Arrivals, Crowd, Operation, Protocol, Room, Scenario, Share};
use crate::load::LoadError;

/// The longest run or step: the seconds of a run are kept.
const DURATION_MAX: Duration = Duration::from_secs(24 * 3600);
/// The highest rate, in requests a second.
const RATE_MAX: f64 = 1e6;
/// The most callers, and requests under way.
const IN_FLIGHT_MAX: usize = 100_000;
/// The most requests that wait.
const BACKLOG_MAX: usize = 1_000_000;
/// The most connections.
const CONNECTIONS_MAX: usize = 1024;
/// The most accounts, and instances of one.
const ACCOUNTS_MAX: usize = 100_000;
const INSTANCES_MAX: usize = 10_000;
/// Characters of a prefix, so that names and tokens made of it stay within theirs.
const PREFIX_CHARS_MAX: usize = 24;
/// The steepest popularity.
const EXPONENT_MAX: f64 = 5.0;

pub(super) fn check(scenario: &Scenario) -> Result<(), LoadError> {
    within("duration", scenario.duration.0, Duration::from_millis(1), DURATION_MAX)?;
    within("warm_up", scenario.warm_up.0, Duration::ZERO, DURATION_MAX)?;
    let (least, most) = (Duration::from_millis(1), Duration::from_secs(600));
    within("timeout", scenario.timeout.0, least, most)?;
    count("connections", scenario.connections, CONNECTIONS_MAX)?;
    arrivals(scenario)?;
    crowd(scenario, &scenario.population)?;
    mix(&scenario.mix)
}

fn arrivals(scenario: &Scenario) -> Result<(), LoadError> {
    match scenario.arrivals {
        Arrivals::Open { rate: asked, room: space } => {
            rate("arrivals.rate", asked)?;
            room(space)
        }
        Arrivals::Closed { callers, expected_interval, think_time } => {
            count("arrivals.callers", callers, IN_FLIGHT_MAX)?;
            within("arrivals.think_time", think_time.0, Duration::ZERO, DURATION_MAX)?;
            match expected_interval {
                Some(interval) => {
                    let least = Duration::from_micros(1);
                    within("arrivals.expected_interval", interval.0, least, DURATION_MAX)
                }
                None if scenario.warm_up.0.is_zero() => Err(LoadError::field(
                    "arrivals.expected_interval",
                    "must be given where there is no `warm_up` to learn it from",
                )),
                None => Ok(()),
            }
        }
        Arrivals::Ramp {
            start,
            factor,
            rate_max,
            step_duration,
            p99_max,
            failed_share_max,
            room: space,
        } => {
            rate("arrivals.start", start)?;
            rate("arrivals.rate_max", rate_max)?;
            if !(factor > 1.0 && factor <= 10.0) {
                return Err(LoadError::field(
                    "arrivals.factor",
                    "must be more than 1 and at most 10",
                ));
            }
            if !(0.0..1.0).contains(&failed_share_max) {
                let rule = "must be from 0 to less than 1";
                return Err(LoadError::field("arrivals.failed_share_max", rule));
            }
            let least = Duration::from_millis(500);
            within("arrivals.step_duration", step_duration.0, least, DURATION_MAX)?;
            within("arrivals.p99_max", p99_max.0, Duration::from_micros(1), DURATION_MAX)?;
            room(space)
        }
    }
}

fn room(room: Room) -> Result<(), LoadError> {
    count("arrivals.in_flight_max", room.in_flight_max, IN_FLIGHT_MAX)?;
    count("arrivals.backlog_max", room.backlog_max, BACKLOG_MAX)
}

fn crowd(scenario: &Scenario, crowd: &Crowd) -> Result<(), LoadError> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let length = crowd.prefix.len();
    if !(1..=PREFIX_CHARS_MAX).contains(&length) || !crowd.prefix.chars().all(is_part) {
        let rule = format!("must be 1 to {PREFIX_CHARS_MAX} of `a-z`, `0-9` and `-`");
        return Err(LoadError::field("population.prefix", rule));
    }
    count("population.accounts", crowd.accounts, ACCOUNTS_MAX)?;
    if !(0.0..=EXPONENT_MAX).contains(&crowd.zipf_exponent) {
        let rule = format!("must be from 0 to {EXPONENT_MAX}");
        return Err(LoadError::field("population.zipf_exponent", rule));
    }
    if scenario.asks_for(Operation::MetadataRead) {
        count("population.instances", crowd.instances, INSTANCES_MAX)?;
    }
    if scenario.asks_for(Operation::AssociationChurn) {
        count("population.churn_instances", crowd.churn_instances, INSTANCES_MAX)?;
    }
    if scenario.uses(Protocol::Http) && crowd.bind_addresses {
        let needed = crowd.accounts.saturating_mul(crowd.instances);
        let left = u32::MAX - u32::from(crowd.first_address);
        if usize::try_from(left).unwrap_or(usize::MAX) < needed {
            let rule = format!("leaves less than {needed} addresses for the instances");
            return Err(LoadError::field("population.first_address", rule));
        }
    }
    Ok(())
}

fn mix(mix: &[Share]) -> Result<(), LoadError> {
    if mix.is_empty() {
        return Err(LoadError::field("mix", "must have at least one entry"));
    }
    for (at, share) in mix.iter().enumerate() {
        if !(share.weight >= 0.0 && share.weight.is_finite()) {
            return Err(LoadError::field(format!("mix[{at}].weight"), "must be 0 or more"));
        }
        let over = protocols(share.operation);
        if !over.contains(&share.protocol) {
            let names: Vec<_> = over.iter().map(ToString::to_string).collect();
            let rule = format!("must be {} for {}", names.join(" or "), share.operation);
            return Err(LoadError::field(format!("mix[{at}].protocol"), rule));
        }
    }
    if mix.iter().all(|share| share.weight == 0.0) {
        return Err(LoadError::field("mix", "must have a weight that is not 0"));
    }
    Ok(())
}

/// What an operation can be asked for over.
fn protocols(operation: Operation) -> &'static [Protocol] {
    match operation {
        Operation::MetadataRead => &[Protocol::Grpc, Protocol::Http],
        Operation::AssumeRole | Operation::AssumeRoleChained => &[Protocol::Grpc, Protocol::Query],
        Operation::AssociationChurn | Operation::Authorize => &[Protocol::Grpc],
    }
}

fn rate(field: &str, rate: f64) -> Result<(), LoadError> {
    if rate > 0.0 && rate <= RATE_MAX {
        return Ok(());
    }
    Err(LoadError::field(field, format!("must be more than 0 and at most {RATE_MAX} a second")))
}

fn count(field: &str, count: usize, most: usize) -> Result<(), LoadError> {
    if (1..=most).contains(&count) {
        return Ok(());
    }
    Err(LoadError::field(field, format!("must be from 1 to {most}")))
}

fn within(field: &str, length: Duration, least: Duration, most: Duration) -> Result<(), LoadError> {
    if (least..=most).contains(&length) {
        return Ok(());
    }
    Err(LoadError::field(field, format!("must be from {least:?} to {most:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "a"
        [arrivals]
        kind = "open"
        rate = 100.0
        [[mix]]
        operation = "assume-role"
        protocol = "grpc"
        weight = 1
    "#;

    fn refusal(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        Scenario::parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string()
    }

    /// Protects who writes scenarios: each mistake is told with the field and the rule that it breaks.
    #[test]
    fn mistakes_are_told_with_field_and_rule() {
        Scenario::parse(GOOD).unwrap();
        for (from, to, told) in [
            ("rate = 100.0", "rate = 0.0", "`arrivals.rate` must be more than 0"),
            ("rate = 100.0", "rate = nan", "`arrivals.rate` must be more than 0"),
            ("rate = 100.0", "rate = -1.0", "`arrivals.rate` must be more than 0"),
            ("rate = 100.0", "rate = 1.0\nin_flight_max = 0", "`arrivals.in_flight_max` must be"),
            ("weight = 1", "weight = 0", "`mix` must have a weight that is not 0"),
            ("weight = 1", "weight = -1", "`mix[0].weight` must be 0 or more"),
            ("\"grpc\"", "\"http\"", "`mix[0].protocol` must be grpc or query for assume-role"),
            ("name = \"a\"", "name = \"a\"\nseeds = 1", "unknown field `seeds`"),
            ("name = \"a\"", "name = \"a\"\ntimeout = \"5\"", "`5` is no length of time"),
            ("name = \"a\"", "name = \"a\"\nduration = \"0s\"", "`duration` must be from"),
            ("\"assume-role\"", "\"assume\"", "unknown variant `assume`"),
            ("[[mix]]", "[population]\naccounts = 0\n[[mix]]", "`population.accounts` must be"),
            ("[[mix]]", "[population]\nprefix = \"A\"\n[[mix]]", "`population.prefix` must be"),
            ("[[mix]]", "[population]\nzipf = 1\n[[mix]]", "unknown field `zipf`"),
            ("rate = 100.0", "", "missing field `rate`"),
            ("rate = 100.0", "rate = 1.0\nrats = 2", "unknown field `rats`"),
        ] {
            let refusal = refusal(from, to);
            assert!(refusal.contains(told), "{to}: {refusal}");
        }
    }

    /// Protects the closed loop's percentiles: without a warm-up nobody knows what is normal, so it must be said.
    #[test]
    fn a_closed_loop_needs_to_know_what_is_normal() {
        let closed = |more: &str| {
            let arrivals = format!("kind = \"closed\"\ncallers = 2\n{more}");
            Scenario::parse(&GOOD.replacen("kind = \"open\"\n        rate = 100.0", &arrivals, 1))
        };
        closed("").unwrap();
        closed("expected_interval = \"2ms\"").unwrap();
        let without = GOOD.replacen(
            "kind = \"open\"\n        rate = 100.0",
            "kind = \"closed\"\ncallers = 2",
            1,
        );
        let without = without.replacen("name = \"a\"", "name = \"a\"\nwarm_up = \"0s\"", 1);
        let refusal = Scenario::parse(&without).unwrap_err().to_string();
        assert!(refusal.contains("`arrivals.expected_interval` must be given"), "{refusal}");
    }

    /// Protects the examples: every scenario that is handed out can be read.
    #[test]
    fn the_scenarios_that_are_handed_out_are_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/load");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let parsed = Scenario::parse(&text);
                parsed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                read += 1;
            }
        }
        assert!(read >= 5, "{read}");
    }
}
