//! What use is made of metadata: reports of agents, and what the doctor says of an instance.

use std::sync::Arc;

use super::convert;
use crate::clock::Timestamp;
use crate::domain::state::Instance;
use crate::domain::usage::{CLIENTS_MAX, MetadataUsage, MetadataUse, Readiness, Seen};
use crate::identity::{InstanceId, Invalid};
use crate::proto::v1;

/// Characters of a client's name for itself.
const USER_AGENT_CHARS_MAX: usize = 128;

/// What an agent tells of one instance.
///
/// # Errors
/// A part of it is not legal.
pub fn read_usage(told: &v1::MetadataUsage) -> Result<(InstanceId, MetadataUsage), Invalid> {
    let seen = |count, last: Option<prost_types::Timestamp>| Seen {
        count,
        last: Timestamp::from_unix_seconds(last.map_or(0, |last| last.seconds)),
    };
    let mut usage = MetadataUsage::default();
    for told in &told.seen {
        let kind = MetadataUse::from_number(told.r#use);
        let kind = kind.ok_or_else(|| Invalid::new("usage.seen.use", "must be a known kind"))?;
        usage.seen.insert(kind, seen(told.count, told.last_seen));
    }
    for client in told.version_1_clients.iter().take(CLIENTS_MAX) {
        let name = client.user_agent.chars().filter(|c| !c.is_control());
        let name: String = name.take(USER_AGENT_CHARS_MAX).collect();
        usage.version_1_clients.insert(Arc::from(name), seen(client.count, client.last_seen));
    }
    Ok((told.instance_id.parse()?, usage))
}

/// What the doctor says of an instance, at `now`.
pub(super) fn diagnosis(
    instance: &Instance,
    now: Timestamp,
    sequence: u64,
) -> v1::DiagnoseInstanceMetadataResponse {
    let usage = instance.usage.as_deref().cloned().unwrap_or_default();
    let options = instance.facts.metadata;
    let readiness = match usage.readiness(options, now) {
        Readiness::Required => v1::Version2Readiness::Required,
        Readiness::Ready => v1::Version2Readiness::Ready,
        Readiness::Breaks => v1::Version2Readiness::Breaks,
        Readiness::Unused => v1::Version2Readiness::Unused,
    };
    let seen = usage.seen.iter().map(|(kind, seen)| v1::MetadataSeen {
        r#use: *kind as i32,
        count: seen.count,
        last_seen: convert::time(seen.last),
    });
    let clients = usage.version_1_clients.iter().map(|(client, seen)| v1::MetadataClient {
        user_agent: client.to_string(),
        count: seen.count,
        last_seen: convert::time(seen.last),
    });
    v1::DiagnoseInstanceMetadataResponse {
        readiness: readiness.into(),
        advice: usage.advice(options, now),
        usage: Some(v1::MetadataUsage {
            instance_id: instance.id.to_string(),
            seen: seen.collect(),
            version_1_clients: clients.collect(),
        }),
        options: Some(convert::metadata_options(options)),
        sequence,
    }
}
