//! What a run does: who comes how often, and what for. TOML in which no field goes unread; `benches/load/` holds
//! examples.

mod rules;

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::LoadError;

/// A length of time as scenarios write it: `250us`, `5ms`, `30s`, `2m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Length(pub(super) Duration);

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let invalid =
            || format!("`{text}` is no length of time such as `5ms`, `30s`, `2m` or `1h`");
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let (count, unit) = text.split_at(unit_at);
        let micros = match unit {
            "us" => 1,
            "ms" => 1000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return Err(invalid()),
        };
        let count: u64 = count.parse().map_err(|_| invalid())?;
        let total = count.checked_mul(micros).ok_or_else(invalid)?;
        Ok(Self(Duration::from_micros(total)))
    }
}

/// See the module.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What reports are headed with.
    pub(super) name: String,
    /// What it shows, for people.
    #[serde(default)]
    pub(super) description: String,
    /// Where the choice of operations and accounts begins.
    #[serde(default = "defaults::seed")]
    pub(super) seed: u64,
    /// For how long is measured; a ramp measures as long as its steps last.
    #[serde(default = "defaults::duration")]
    pub(super) duration: Length,
    /// How long requests come before that.
    #[serde(default = "defaults::warm_up")]
    pub(super) warm_up: Length,
    /// How long an answer is waited for.
    #[serde(default = "defaults::timeout")]
    pub(super) timeout: Length,
    /// gRPC connections, which share the requests.
    #[serde(default = "defaults::connections")]
    pub(super) connections: usize,
    /// When requests come.
    pub(super) arrivals: Arrivals,
    /// Whom they are made for.
    #[serde(default)]
    pub(super) population: Crowd,
    /// What they ask for.
    pub(super) mix: Vec<Share>,
}

/// When requests come.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Arrivals {
    /// At a constant rate, whatever becomes of those before.
    Open {
        /// Requests a second.
        rate: f64,
        #[serde(flatten)]
        room: Room,
    },
    /// From callers who each wait for their answer.
    Closed {
        /// How many.
        callers: usize,
        /// How long each waits before the next request.
        #[serde(default)]
        think_time: Length,
        /// How long a request takes when all is well, for the correction of long ones; the median of the
        /// warm-up if not given.
        expected_interval: Option<Length>,
    },
    /// At a rate that rises step by step until something gives.
    Ramp {
        /// Requests a second of the first step.
        start: f64,
        /// By how much each step is more than the one before, such as 1.25.
        factor: f64,
        /// Where it ends anyhow.
        rate_max: f64,
        /// How long a step lasts.
        step_duration: Length,
        /// The 99th percentile of latency from which on a rate is too high.
        p99_max: Length,
        /// The share of requests that may fail, be throttled or not be sent.
        #[serde(default = "defaults::failed_share_max")]
        failed_share_max: f64,
        #[serde(flatten)]
        room: Room,
    },
}

/// What an open loop has room for.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Room {
    /// Requests under way at once; further ones wait, and their wait is part of their latency.
    #[serde(default = "defaults::in_flight_max")]
    pub(super) in_flight_max: usize,
    /// Requests that wait; further ones are dropped, and counted.
    #[serde(default = "defaults::backlog_max")]
    pub(super) backlog_max: usize,
}

/// Whom requests are made for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Crowd {
    /// What all that is made is named with.
    #[serde(default = "defaults::prefix")]
    pub(super) prefix: String,
    /// How many accounts; one is the caller's own unless the caller is the operator.
    #[serde(default = "defaults::one")]
    pub(super) accounts: usize,
    /// How unevenly accounts are asked for: 0 is evenly.
    #[serde(default)]
    pub(super) zipf_exponent: f64,
    /// Instances of each account whose metadata is read.
    #[serde(default = "defaults::one")]
    pub(super) instances: usize,
    /// Instances of each account whose profile is changed; a request that finds all of them being changed is
    /// counted as not made.
    #[serde(default = "defaults::churn_instances")]
    pub(super) churn_instances: usize,
    /// The first address of instances, which metadata over HTTP tells them apart by: requests come from there.
    #[serde(default = "defaults::first_address")]
    pub(super) first_address: Ipv4Addr,
    /// Whether requests for metadata come from the addresses of instances; otherwise from the machine's own, and
    /// whatever instance the service or agent finds behind it is asked for.
    #[serde(default = "defaults::yes")]
    pub(super) bind_addresses: bool,
}

impl Default for Crowd {
    fn default() -> Self {
        Self {
            prefix: defaults::prefix(),
            accounts: 1,
            zipf_exponent: 0.0,
            instances: 1,
            churn_instances: defaults::churn_instances(),
            first_address: defaults::first_address(),
            bind_addresses: true,
        }
    }
}

/// A part of the mix.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    pub(super) operation: Operation,
    pub(super) protocol: Protocol,
    /// How often, beside the weights of the others.
    pub(super) weight: f64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Operation {
    /// The credentials of an instance's role.
    MetadataRead,
    /// A session of a role for a user.
    AssumeRole,
    /// A session of a role for a session of another role.
    AssumeRoleChained,
    /// Another profile for a running instance.
    AssociationChurn,
    /// Who signed a request, and whether they may.
    Authorize,
}

/// How it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Protocol {
    /// Signed gRPC.
    Grpc,
    /// The AWS Query protocol.
    Query,
    /// Metadata HTTP.
    Http,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MetadataRead => "metadata-read",
            Self::AssumeRole => "assume-role",
            Self::AssumeRoleChained => "assume-role-chained",
            Self::AssociationChurn => "association-churn",
            Self::Authorize => "authorize",
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => "grpc",
            Self::Query => "query",
            Self::Http => "http",
        })
    }
}

impl Scenario {
    /// Reads one.
    ///
    /// # Errors
    /// The text is no TOML, a field is missing or not known, or a value breaks a rule; the message names it.
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        let scenario: Self = toml::from_str(text)?;
        rules::check(&scenario)?;
        Ok(scenario)
    }

    pub(super) fn uses(&self, protocol: Protocol) -> bool {
        self.mix.iter().any(|share| share.protocol == protocol && share.weight > 0.0)
    }

    pub(super) fn asks_for(&self, operation: Operation) -> bool {
        self.mix.iter().any(|share| share.operation == operation && share.weight > 0.0)
    }
}

mod defaults {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::Length;

    pub(super) fn seed() -> u64 {
        1
    }
    pub(super) fn duration() -> Length {
        Length(Duration::from_secs(30))
    }
    pub(super) fn warm_up() -> Length {
        Length(Duration::from_secs(5))
    }
    pub(super) fn timeout() -> Length {
        Length(Duration::from_secs(10))
    }
    pub(super) fn connections() -> usize {
        4
    }
    pub(super) fn failed_share_max() -> f64 {
        0.001
    }
    pub(super) fn in_flight_max() -> usize {
        1024
    }
    pub(super) fn backlog_max() -> usize {
        10_000
    }
    pub(super) fn prefix() -> String {
        "load".to_owned()
    }
    pub(super) fn one() -> usize {
        1
    }
    pub(super) fn churn_instances() -> usize {
        4
    }
    /// Within 127.0.0.0/8, from all of which Linux lets a program come.
    pub(super) fn first_address() -> Ipv4Addr {
        Ipv4Addr::new(127, 64, 0, 1)
    }
    pub(super) fn yes() -> bool {
        true
    }
}
