//! Instances: launched, ended, listed.

use std::net::IpAddr;

use serde::Serialize;

use super::associations::Specification;
use super::filter::{FILTERS_MAX, Filter, filtered};
use super::metadata::Asked;
use super::shown::{self, Instance, InstanceState};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::request;
use crate::domain::command::LaunchNetworking;
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::identity::{AgentName, InstanceId, PlainText};
use crate::service::LaunchRequest;

/// Instances that one request launches or ends.
const INSTANCES_MAX: u64 = 100;
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
        zone: Option<PlainText> = "AvailabilityZone" [Length(1, 64)],
        host: Option<AgentName> = "HostId",
    }
    /// Source: Amazon EC2 API Reference, RunInstances.
    Run {
        image: PlainText = "ImageId" [Length(1, 255)],
        instance_type: Option<PlainText> = "InstanceType" [Length(1, 64)],
        min: u32 = "MinCount" [Value(1, INSTANCES_MAX)],
        max: u32 = "MaxCount" [Value(1, INSTANCES_MAX)],
        profile: Option<Specification> = "IamInstanceProfile",
        tags: Vec<TagSpecification> = "TagSpecification" [Items(0, 10)],
        metadata: Option<Asked> = "MetadataOptions",
        placement: Option<Placement> = "Placement",
        address: Option<String> = "PrivateIpAddress" [Length(1, 64)],
        subnet: Option<PlainText> = "SubnetId" [Length(1, 64)],
        security_groups: Vec<PlainText> = "SecurityGroupId" [Items(0, 16), Length(1, 64)],
        key_pair: Option<PlainText> = "KeyName" [Length(1, 255)],
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
    let (dry_run, token) = (request.dry_run == Some(true), request.token.clone());
    let (asked, token) = (launch(request)?, token.unwrap_or_default());
    let launched = call.service.launch_instances(call.info, &token, asked, dry_run).await?;
    let account = &launched.account;
    let shown = launched.instances.iter().enumerate();
    let shown = shown.map(|(index, instance)| Instance::of(account, instance, index));
    let instances: Vec<Instance> = shown.collect();
    let first = instances.first().ok_or_else(|| Fault::internal(&"nothing was launched"))?;
    Ok(Reservation {
        reservation_id: first.reservation_id(),
        owner_id: account.id.to_string(),
        instances_set: instances,
    })
}

/// What a launch is asked for.
fn launch(request: Run) -> Result<LaunchRequest, Fault> {
    let Placement { zone, host } =
        request.placement.unwrap_or(Placement { zone: None, host: None });
    let of_instances = request.tags.into_iter().filter(|tags| tags.resource_type == "instance");
    let tags = of_instances.flat_map(|specification| specification.tags);
    Ok(LaunchRequest {
        min_count: request.min,
        max_count: request.max,
        image_id: Some(request.image),
        instance_type: request.instance_type,
        region: None,
        zone,
        agent: host,
        private_ip: request.address.map(|text| address(&text)).transpose()?,
        tags: tags.map(|Tag { key, value }| (key, value.unwrap_or_default())).collect(),
        metadata: request.metadata.as_ref().map(Asked::change).transpose()?.unwrap_or_default(),
        networking: LaunchNetworking {
            subnet: request.subnet.map(Into::into),
            security_groups: request.security_groups.into_iter().map(Into::into).collect(),
            key_pair: request.key_pair.map(Into::into),
        },
        profile: request.profile.as_ref().map(Specification::reference).transpose()?,
    })
}

fn address(text: &str) -> Result<IpAddr, Rejection> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        Rejection::Validation(format!(
            "Value ({shown}) for parameter privateIpAddress is invalid. It must be an address."
        ))
    })
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
    let (ids, dry_run) = (request.instances.clone(), request.dry_run == Some(true));
    let (before, _) = call.service.terminate_instances(call.info, "", ids, dry_run).await?;
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
    let dry_run = request.dry_run == Some(true);
    let account = call.service.describe_instances(call.info, 0, dry_run).await?.account;
    if request.max_results.is_some() && !request.instances.is_empty() {
        let rule = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Rejection::InvalidCombination(rule).into());
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
