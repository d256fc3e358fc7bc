//! Instances: launched, ended, listed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::associations::Specification;
use super::filter::{FILTERS_MAX, Filter, filtered};
use super::metadata::Asked;
use super::shown::{self, Instance, InstanceState};
use super::{end_dry_run, perform};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::request;
use crate::domain::command::{Action, Launch};
use crate::domain::event::{EventKind, InstanceFacts};
use crate::domain::metadata::MetadataOptions;
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::identity::{AgentName, InstanceId};
use crate::ledger::Receipt;

/// Instances that one request launches or ends.
const INSTANCES_MAX: u64 = 100;
/// Tags of an instance.
const TAGS_MAX: usize = 50;
/// What an instance is if its launch says nothing (Amazon EC2 API Reference, RunInstances).
const TYPE_DEFAULT: &str = "m1.small";

request! {
    /// A tag.
    Tag {
        key: String = "Key" [Length(1, 127)],
        value: Option<String> = "Value" [Length(0, 255)],
    }
    /// Tags for what a launch makes. Those for anything but instances mean nothing here.
    TagSpecification {
        resource_type: String = "ResourceType",
        tags: Vec<Tag> = "Tag",
    }
    /// Where an instance runs: a host is a host agent.
    Placement {
        zone: Option<String> = "AvailabilityZone" [Length(1, 64)],
        host: Option<AgentName> = "HostId",
    }
    /// Source: Amazon EC2 API Reference, RunInstances.
    Run {
        image: String = "ImageId" [Length(1, 255)],
        instance_type: Option<String> = "InstanceType" [Length(1, 64)],
        min: u32 = "MinCount" [Value(1, INSTANCES_MAX)],
        max: u32 = "MaxCount" [Value(1, INSTANCES_MAX)],
        profile: Option<Specification> = "IamInstanceProfile",
        tags: Vec<TagSpecification> = "TagSpecification" [Items(0, 10)],
        metadata: Option<Asked> = "MetadataOptions",
        placement: Option<Placement> = "Placement",
        address: Option<String> = "PrivateIpAddress" [Length(1, 64)],
        token: Option<String> = "ClientToken" [Length(0, 64)],
        dry_run: Option<bool> = "DryRun",
    }
    /// Source: Amazon EC2 API Reference, TerminateInstances.
    Terminate {
        instances: Vec<InstanceId> = "InstanceId" [Items(1, 100)],
        dry_run: Option<bool> = "DryRun",
    }
    /// Source: Amazon EC2 API Reference, DescribeInstances.
    Describe {
        instances: Vec<InstanceId> = "InstanceId" [Items(0, 1000)],
        filters: Vec<Filter> = "Filter" [Items(0, FILTERS_MAX)],
        max_results: Option<u32> = "MaxResults" [Value(5, PAGE_MAX)],
        next_token: Option<String> = "NextToken" [Length(1, 1024)],
        dry_run: Option<bool> = "DryRun",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reservation {
    reservation_id: String,
    owner_id: String,
    instances_set: Vec<Instance>,
}

pub(super) async fn run(call: &Call<'_>, request: Run) -> Result<Reservation, Fault> {
    if request.min > request.max {
        let message = format!(
            "Value ({}) for parameter minCount is invalid. It must not be more than maxCount.",
            request.min
        );
        return Err(Fault::validation(message));
    }
    let private_ip = address(&request)?;
    let launch = || -> Result<Launch, Fault> {
        Ok(Launch {
            id: call.service.draw_hex_id("i-")?,
            identity_key: call.service.draw_id("AKIA")?,
            private_ip,
            association: call.service.draw_hex_id("iip-assoc-")?,
            minting: call.service.draw_minting()?,
        })
    };
    let action = Action::LaunchInstances {
        launches: (0..request.max).map(|_| launch()).collect::<Result<_, _>>()?,
        profile: request.profile.as_ref().map(Specification::reference).transpose()?,
        facts: facts(call, &request)?,
    };
    let token = request.token.as_deref().unwrap_or_default();
    let receipt = perform(call, request.dry_run, token, action).await?;
    let (_, account) = call.state()?;
    let launched = launched(&receipt).filter_map(|id| account.instances.get(id));
    let instances = launched.enumerate().map(|(index, i)| Instance::of(&account, &i, index));
    let instances: Vec<Instance> = instances.collect();
    let first = instances.first().ok_or_else(|| Fault::internal(&"nothing was launched"))?;
    Ok(Reservation {
        reservation_id: first.reservation_id(),
        owner_id: account.id.to_string(),
        instances_set: instances,
    })
}

fn launched(receipt: &Receipt) -> impl Iterator<Item = &InstanceId> {
    let events = receipt.fact.iter().flat_map(|fact| &fact.events);
    events.filter_map(|event| match &event.kind {
        EventKind::InstanceLaunched { id, .. } => Some(id),
        _ => None,
    })
}

/// The address that the one instance is to have.
fn address(request: &Run) -> Result<Option<IpAddr>, Fault> {
    let Some(text) = &request.address else { return Ok(None) };
    if request.max > 1 {
        let message = "PrivateIpAddress can be given for one instance alone";
        let status = http::StatusCode::BAD_REQUEST;
        return Err(Fault::own("InvalidParameterCombination", status, message));
    }
    text.parse().map(Some).map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        Fault::validation(format!(
            "Value ({shown}) for parameter privateIpAddress is invalid. It must be an address."
        ))
    })
}

/// What a launch says of its instances.
fn facts(call: &Call<'_>, request: &Run) -> Result<InstanceFacts, Fault> {
    let region = call.service.settings().region.clone();
    let placement = request.placement.as_ref();
    let zone = placement.and_then(|placement| placement.zone.clone());
    let change = request.metadata.as_ref().map(Asked::change).transpose()?.unwrap_or_default();
    Ok(InstanceFacts {
        image_id: plain("imageId", &request.image)?,
        instance_type: plain(
            "instanceType",
            request.instance_type.as_deref().unwrap_or(TYPE_DEFAULT),
        )?,
        zone: plain("availabilityZone", &zone.unwrap_or_else(|| format!("{region}a")))?,
        region: Arc::from(region),
        agent: placement.and_then(|placement| placement.host.clone()),
        tags: tags(&request.tags)?,
        metadata: MetadataOptions::default().with(change),
    })
}

/// A text that metadata shows as it is.
fn plain(parameter: &str, text: &str) -> Result<Arc<str>, Fault> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Arc::from(text));
    }
    let message =
        format!("Value for parameter {parameter} is invalid. It must be printable ASCII.");
    Err(Fault::validation(message))
}

fn tags(specifications: &[TagSpecification]) -> Result<BTreeMap<Arc<str>, Arc<str>>, Fault> {
    let of_instances = specifications.iter().filter(|tags| tags.resource_type == "instance");
    let mut tags = BTreeMap::new();
    for Tag { key, value } in of_instances.flat_map(|specification| &specification.tags) {
        let value = value.as_deref().unwrap_or_default();
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            let message = "Tag keys starting with 'aws:' are reserved for internal use";
            return Err(Fault::validation(message));
        }
        if key.contains(char::is_control) || value.contains(char::is_control) {
            return Err(Fault::validation("Tags are texts of one line."));
        }
        if tags.insert(Arc::from(key.as_str()), Arc::from(value)).is_some() {
            return Err(Fault::validation(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    if tags.len() > TAGS_MAX {
        let message = format!("The maximum number of tags on a resource is {TAGS_MAX}.");
        return Err(Fault::own("TagLimitExceeded", http::StatusCode::BAD_REQUEST, message));
    }
    Ok(tags)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StateChange {
    instance_id: String,
    current_state: InstanceState,
    previous_state: InstanceState,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TerminateResult {
    instances_set: Vec<StateChange>,
}

pub(super) async fn terminate(
    call: &Call<'_>,
    request: Terminate,
) -> Result<TerminateResult, Fault> {
    let (_, before) = call.state()?;
    let action = Action::TerminateInstances { ids: request.instances.clone() };
    perform(call, request.dry_run, "", action).await?;
    let changes = request.instances.iter().map(|id| StateChange {
        instance_id: id.to_string(),
        current_state: InstanceState::of(false),
        previous_state: InstanceState::of(before.instances.get(id).is_some_and(|i| i.running)),
    });
    Ok(TerminateResult { instances_set: changes.collect() })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeResult {
    reservation_set: Vec<Reservation>,
    next_token: Option<String>,
}

pub(super) async fn describe(call: &Call<'_>, request: Describe) -> Result<DescribeResult, Fault> {
    let (_, account) = call.state_for("ec2:DescribeInstances")?;
    end_dry_run(request.dry_run)?;
    if request.max_results.is_some() && !request.instances.is_empty() {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        let status = http::StatusCode::BAD_REQUEST;
        return Err(Fault::own("InvalidParameterCombination", status, message));
    }
    let instances = wanted(&account, &request.instances)?.into_iter();
    let shown = instances.map(|instance| Instance::of(&account, &instance, 0));
    let found = filtered(shown, &request.filters, |instance, name| instance.values(name))?;
    let (size, token) = (request.max_results.or(shown::ALL), request.next_token.as_deref());
    let listed = page(call.action, found, |instance| instance.instance_id(), size, token)?;
    let reservations = listed.entries.into_iter().map(|instance| Reservation {
        reservation_id: instance.reservation_id(),
        owner_id: account.id.to_string(),
        instances_set: vec![instance],
    });
    Ok(DescribeResult { reservation_set: reservations.collect(), next_token: listed.next })
}

/// The instances that a request names, all of which have to be there, or all there are; by id.
fn wanted(
    account: &Account,
    ids: &[InstanceId],
) -> Result<Vec<crate::domain::state::Instance>, Fault> {
    if ids.is_empty() {
        return Ok(account.instances.iter().collect());
    }
    let mut sorted: Vec<&InstanceId> = ids.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let found = sorted.into_iter().map(|id| {
        let instance = account.instances.get(id);
        instance.ok_or_else(|| Rejection::NoSuchInstance(id.to_string()).into())
    });
    found.collect()
}
