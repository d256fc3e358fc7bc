//! What use is made of an instance's metadata, and what follows for requiring version 2 of the protocol.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::metadata::MetadataOptions;
use crate::clock::Timestamp;

/// Clients without tokens that are remembered of an instance; the one seen longest ago goes first.
pub const CLIENTS_MAX: usize = 16;
/// Instances of one report.
pub const REPORT_INSTANCES_MAX: usize = 500;
/// How long version 1 has to be out of use until it counts as given up: two weekly jobs.
pub const QUIET: Duration = Duration::from_secs(15 * 24 * 3600);

/// A kind of request, by what became of it. The numbers are stored and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetadataUse {
    /// Data was read without a token.
    Version1 = 1,
    /// Data was read with a token.
    Version2 = 2,
    /// A token was issued.
    TokenIssued = 3,
    /// Refused: no token, where tokens are required.
    NoToken = 4,
    /// Refused: a token that is not the instance's, or has ended.
    BadToken = 5,
    /// A token was asked for through a proxy, and refused.
    Forwarded = 6,
    /// Credentials of a role were asked for that is not the instance's.
    WrongRole = 7,
    /// A request as a browser or a deceived server makes it: a host name or a whole URL in the place of the
    /// address, a browser's or a proxy's headers.
    Suspicious = 8,
    /// Without a token, soon after one was issued: its client may never have got it, as a hop limit that is
    /// too low has it.
    FellBack = 9,
    /// Refused: too many requests at once.
    Throttled = 10,
}

impl MetadataUse {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Version1,
        Self::Version2,
        Self::TokenIssued,
        Self::NoToken,
        Self::BadToken,
        Self::Forwarded,
        Self::WrongRole,
        Self::Suspicious,
        Self::FellBack,
        Self::Throttled,
    ];

    /// The kind of a number.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i32 == number)
    }
}

/// How often, and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "says it all")]
pub struct Seen {
    pub count: u64,
    pub last: Timestamp,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.last = self.last.max(other.last);
    }
}

/// The use of one instance's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataUsage {
    /// By kind.
    pub seen: BTreeMap<MetadataUse, Seen>,
    /// Who asked without a token, by user agent.
    pub version_1_clients: BTreeMap<Arc<str>, Seen>,
}

/// Whether version 2 can be required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is.
    Required,
    /// Nobody asks without a token any more.
    Ready,
    /// Somebody does, and would get nothing.
    Breaks,
    /// Nobody has asked for anything yet.
    Unused,
}

impl MetadataUsage {
    /// Counts what another report counted.
    pub fn add(&mut self, other: &Self) {
        for (kind, seen) in &other.seen {
            self.seen.entry(*kind).or_default().add(*seen);
        }
        for (client, seen) in &other.version_1_clients {
            self.version_1_clients.entry(client.clone()).or_default().add(*seen);
        }
        while self.version_1_clients.len() > CLIENTS_MAX {
            let oldest = self.version_1_clients.iter().min_by_key(|(_, seen)| seen.last);
            let Some(oldest) = oldest.map(|(client, _)| client.clone()) else { break };
            self.version_1_clients.remove(&oldest);
        }
    }

    /// How often and when a kind was seen.
    #[must_use]
    pub fn of(&self, kind: MetadataUse) -> Seen {
        self.seen.get(&kind).copied().unwrap_or_default()
    }

    /// Nothing is later than `now`, whatever a reporter's clock says.
    pub(super) fn not_after(&mut self, now: Timestamp) {
        let all = self.seen.values_mut().chain(self.version_1_clients.values_mut());
        for seen in all {
            seen.last = seen.last.min(now);
        }
    }

    /// Whether version 2 can be required of an instance with these options.
    #[must_use]
    pub fn readiness(&self, options: MetadataOptions, now: Timestamp) -> Readiness {
        let version_1 = self.of(MetadataUse::Version1);
        if options.tokens_required {
            Readiness::Required
        } else if version_1.count > 0 && now.since(version_1.last) < QUIET {
            Readiness::Breaks
        } else if self.of(MetadataUse::Version2).count > 0 {
            Readiness::Ready
        } else if version_1.count > 0 {
            Readiness::Breaks
        } else {
            Readiness::Unused
        }
    }

    /// What to know before or after requiring version 2, a sentence each.
    #[must_use]
    pub fn advice(&self, options: MetadataOptions, now: Timestamp) -> Vec<String> {
        let readiness = self.readiness(options, now);
        let days = QUIET.as_secs() / (24 * 3600);
        let mut advice = vec![match readiness {
            Readiness::Required => "version 2 is required".to_owned(),
            Readiness::Ready => {
                format!("version 2 can be required: nobody asked without a token for {days} days")
            }
            Readiness::Breaks => format!(
                "version 2 cannot be required yet: clients ask without a token, the last one at {}",
                self.of(MetadataUse::Version1).last
            ),
            Readiness::Unused => "nobody has asked for metadata yet".to_owned(),
        }];
        let mut tell = |kind, sentence: &str| {
            let seen = self.of(kind);
            if seen.count > 0 {
                advice.push(format!("{} times, last at {}: {sentence}", seen.count, seen.last));
            }
        };
        let hops = options.hop_limit.get();
        tell(
            MetadataUse::FellBack,
            &format!(
                "a client asked without a token soon after one was issued: if it runs in a container, the hop \
                 limit of {hops} may keep its token from it; allow one hop more for each bridge"
            ),
        );
        tell(MetadataUse::NoToken, "a request without a token was refused");
        tell(
            MetadataUse::BadToken,
            "a token of another instance, or one that has ended, was refused",
        );
        tell(MetadataUse::Forwarded, "a token was asked for through a proxy and refused");
        tell(
            MetadataUse::WrongRole,
            "credentials of a role that is not the instance's were asked for",
        );
        tell(
            MetadataUse::Suspicious,
            "a request looked like one of a browser or of a server that was made to send it",
        );
        tell(MetadataUse::Throttled, "a request was refused because its client sent too many");
        advice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_764_000_000);

    fn usage(seen: &[(MetadataUse, u64, Timestamp)]) -> MetadataUsage {
        let seen =
            seen.iter().map(|(kind, count, last)| (*kind, Seen { count: *count, last: *last }));
        MetadataUsage { seen: seen.collect(), ..MetadataUsage::default() }
    }

    /// Protects clients of version 1 from being cut off on this advice.
    #[test]
    fn version_2_is_advised_once_version_1_is_out_of_use() {
        let optional = MetadataOptions { tokens_required: false, ..MetadataOptions::default() };
        let long_ago = NOW.minus(QUIET);
        let recently = NOW.minus(QUIET - Duration::from_secs(1));
        let (one, two) = (MetadataUse::Version1, MetadataUse::Version2);
        for (seen, expected) in [
            (vec![], Readiness::Unused),
            (vec![(two, 5, NOW)], Readiness::Ready),
            (vec![(one, 1, recently), (two, 5, NOW)], Readiness::Breaks),
            (vec![(one, 1, long_ago), (two, 5, NOW)], Readiness::Ready),
            (vec![(one, 1, long_ago)], Readiness::Breaks),
        ] {
            assert_eq!(usage(&seen).readiness(optional, NOW), expected, "{seen:?}");
        }
        let required = usage(&[]).readiness(MetadataOptions::default(), NOW);
        assert_eq!(required, Readiness::Required);
    }

    /// Protects memory: an instance remembers so many clients, the newest.
    #[test]
    fn clients_are_bounded() {
        let mut all = MetadataUsage::default();
        for at in 0..100 {
            let seen = Seen { count: 1, last: NOW.plus(Duration::from_secs(at)) };
            let client = Arc::from(format!("client-{at}"));
            let one = MetadataUsage {
                version_1_clients: [(client, seen)].into(),
                ..MetadataUsage::default()
            };
            all.add(&one);
        }
        assert_eq!(all.version_1_clients.len(), CLIENTS_MAX);
        assert!(all.version_1_clients.contains_key("client-99"));
    }

    /// Protects what is stored: each kind is read back as itself.
    #[test]
    fn numbers_name_their_kinds() {
        for kind in MetadataUse::ALL {
            assert_eq!(MetadataUse::from_number(kind as i32), Some(kind));
        }
        assert_eq!(MetadataUse::from_number(0), None);
    }
}
