//! InstanceService: instances and the profiles they carry.

use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr;

use super::iam_users::new_key;
use super::{Front, PAGE_SIZE_MAX, convert, field, optional, page, usage};
use crate::domain::command::{LaunchNetworking, ProfileRef};
use crate::domain::fleet::Record;
use crate::domain::metadata::{HopLimit, MetadataChange};
use crate::domain::rejection::Rejection;
use crate::domain::state::{Account, Instance};
use crate::identity::{AssociationId, InstanceId, Invalid, PackedAssociationId, PackedInstanceId};
use crate::proto::v1;
use crate::proto::v1::instance_service_server::InstanceService;
use crate::proto::v1::{
    AssociateInstanceProfileRequest, AssociateInstanceProfileResponse,
    DescribeInstanceProfileAssociationsRequest, DescribeInstanceProfileAssociationsResponse,
    DescribeInstancesRequest, DescribeInstancesResponse, DiagnoseInstanceMetadataRequest,
    DiagnoseInstanceMetadataResponse, DisassociateInstanceProfileRequest,
    DisassociateInstanceProfileResponse, InstanceProfileAssociation, LaunchInstanceRequest,
    LaunchInstanceResponse, ModifyInstanceMetadataOptionsRequest,
    ModifyInstanceMetadataOptionsResponse, ProfileReference,
    ReplaceInstanceProfileAssociationRequest, ReplaceInstanceProfileAssociationResponse,
    TerminateInstanceRequest, TerminateInstanceResponse,
};
use crate::service::{
    IdentityKey, LaunchRequest, MadeAssociation, NewAccessKey, RequestInfo, ServiceError,
};

calls! {
    InstanceService:
    launch_instance: launch(LaunchInstanceRequest) -> LaunchInstanceResponse;
    terminate_instance: terminate(TerminateInstanceRequest) -> TerminateInstanceResponse;
    describe_instances: describe(DescribeInstancesRequest) -> DescribeInstancesResponse;
    modify_instance_metadata_options: modify_metadata(ModifyInstanceMetadataOptionsRequest) -> ModifyInstanceMetadataOptionsResponse;
    diagnose_instance_metadata: diagnose(DiagnoseInstanceMetadataRequest) -> DiagnoseInstanceMetadataResponse;
    associate_instance_profile: associate(AssociateInstanceProfileRequest) -> AssociateInstanceProfileResponse;
    replace_instance_profile_association: replace_association(ReplaceInstanceProfileAssociationRequest) -> ReplaceInstanceProfileAssociationResponse;
    disassociate_instance_profile: disassociate(DisassociateInstanceProfileRequest) -> DisassociateInstanceProfileResponse;
    describe_instance_profile_associations: describe_associations(DescribeInstanceProfileAssociationsRequest) -> DescribeInstanceProfileAssociationsResponse;
}

impl Front {
    async fn launch(
        &self,
        info: &RequestInfo,
        request: LaunchInstanceRequest,
    ) -> Result<LaunchInstanceResponse, ServiceError> {
        let token = request.idempotency_token.clone();
        let asked = launch_request(request)?;
        let launched = self.service.launch_instances(info, &token, asked, false).await?;
        let (account, instance) = (&launched.account, launched.instances.first());
        let key = instance.and_then(|instance| self.service.identity_key(account, instance));
        let sequence = launched.sequence;
        let key = key.map(|IdentityKey { id, key, secret }| {
            new_key(&NewAccessKey { id, key, secret, sequence })
        });
        Ok(LaunchInstanceResponse {
            instance: instance.map(|instance| convert::instance(account, instance)),
            identity_key: key,
            sequence,
        })
    }

    async fn terminate(
        &self,
        info: &RequestInfo,
        request: TerminateInstanceRequest,
    ) -> Result<TerminateInstanceResponse, ServiceError> {
        let ids = vec![field("instance_id", &request.instance_id)?];
        let token = &request.idempotency_token;
        let (_, receipt) = self.service.terminate_instances(info, token, ids, false).await?;
        Ok(TerminateInstanceResponse { sequence: receipt.sequence })
    }

    async fn describe(
        &self,
        info: &RequestInfo,
        request: DescribeInstancesRequest,
    ) -> Result<DescribeInstancesResponse, ServiceError> {
        let read = self.service.describe_instances(info, request.min_sequence, false).await?;
        let account = &read.account;
        let wanted = ids(account, &request.instance_ids)?;
        let instances = records(account, wanted, &request.page_token)?;
        let instances = instances.filter_map(Record::instance);
        let (found, next_page_token) = page(instances, key, request.page_size, "")?;
        let instances = found.iter().map(|i| convert::instance(account, i)).collect();
        let sequence = read.view.sequence;
        Ok(DescribeInstancesResponse { instances, next_page_token, sequence })
    }

    async fn modify_metadata(
        &self,
        info: &RequestInfo,
        request: ModifyInstanceMetadataOptionsRequest,
    ) -> Result<ModifyInstanceMetadataOptionsResponse, ServiceError> {
        let id = field("instance_id", &request.instance_id)?;
        let change = MetadataChange {
            tokens_required: request.http_tokens_optional.map(|optional| !optional),
            enabled: request.http_endpoint_disabled.map(|disabled| !disabled),
            hop_limit: hop_limit(request.http_put_response_hop_limit)?,
            tags: request.instance_metadata_tags,
        };
        let token = &request.idempotency_token;
        let changed = self.service.modify_metadata_options(info, token, id, change, false).await?;
        let (account, instance, receipt) = changed;
        Ok(ModifyInstanceMetadataOptionsResponse {
            instance: Some(convert::instance(&account, &instance)),
            sequence: receipt.sequence,
        })
    }

    async fn diagnose(
        &self,
        info: &RequestInfo,
        request: DiagnoseInstanceMetadataRequest,
    ) -> Result<DiagnoseInstanceMetadataResponse, ServiceError> {
        let read = self.service.describe_instances(info, request.min_sequence, false).await?;
        let id: InstanceId = field("instance_id", &request.instance_id)?;
        let instance = read.account.instances.get(&id);
        let instance = instance.ok_or_else(|| Rejection::NoSuchInstance(id.to_string()))?;
        Ok(usage::diagnosis(&instance, self.service.now(), read.view.sequence))
    }

    async fn associate(
        &self,
        info: &RequestInfo,
        request: AssociateInstanceProfileRequest,
    ) -> Result<AssociateInstanceProfileResponse, ServiceError> {
        let instance = field("instance_id", &request.instance_id)?;
        let profile = profile(request.instance_profile.unwrap_or_default())?;
        let token = &request.idempotency_token;
        let made = self.service.associate_profile(info, token, instance, profile).await?;
        let association = Some(associated(&made));
        Ok(AssociateInstanceProfileResponse { association, sequence: made.sequence })
    }

    async fn replace_association(
        &self,
        info: &RequestInfo,
        request: ReplaceInstanceProfileAssociationRequest,
    ) -> Result<ReplaceInstanceProfileAssociationResponse, ServiceError> {
        let association = field("association_id", &request.association_id)?;
        let profile = profile(request.instance_profile.unwrap_or_default())?;
        let token = &request.idempotency_token;
        let made = self.service.replace_association(info, token, association, profile).await?;
        let association = Some(associated(&made));
        Ok(ReplaceInstanceProfileAssociationResponse { association, sequence: made.sequence })
    }

    async fn disassociate(
        &self,
        info: &RequestInfo,
        request: DisassociateInstanceProfileRequest,
    ) -> Result<DisassociateInstanceProfileResponse, ServiceError> {
        let association = field("association_id", &request.association_id)?;
        let token = &request.idempotency_token;
        let ended = self.service.disassociate_profile(info, token, association).await?;
        let held = ended.before.association(&ended.id);
        let held = held.map(|(instance, association)| {
            convert::association(&ended.before, &instance, &association)
        });
        let association = Some(InstanceProfileAssociation {
            association_id: ended.id.to_string(),
            instance_id: ended.instance.to_string(),
            state: v1::AssociationState::Disassociated.into(),
            since: convert::time(ended.since),
            generation: ended.generation,
            ..held.unwrap_or_default()
        });
        Ok(DisassociateInstanceProfileResponse { association, sequence: ended.sequence })
    }

    async fn describe_associations(
        &self,
        info: &RequestInfo,
        request: DescribeInstanceProfileAssociationsRequest,
    ) -> Result<DescribeInstanceProfileAssociationsResponse, ServiceError> {
        let read = self.service.describe_associations(info, request.min_sequence, false).await?;
        let account = &read.account;
        let by_instance = ids(account, &request.instance_ids)?;
        let mut wanted =
            carriers(account, &request.association_ids)?.or_else(|| by_instance.clone());
        if let (Some(wanted), Some(named)) = (&mut wanted, &by_instance) {
            wanted.retain(|id| named.binary_search(id).is_ok());
        }
        let carrying = records(account, wanted, &request.page_token)?
            .filter(|record| record.association != PackedAssociationId::NONE)
            .filter_map(Record::instance);
        let (found, next_page_token) = page(carrying, key, request.page_size, "")?;
        let associations = found.iter().filter_map(|instance| {
            let association = instance.association.as_ref()?;
            Some(convert::association(account, instance, association))
        });
        let (associations, sequence) = (associations.collect(), read.view.sequence);
        Ok(DescribeInstanceProfileAssociationsResponse { associations, next_page_token, sequence })
    }
}

/// An association that was made; a retry may find that it has ended since.
fn associated(made: &MadeAssociation) -> InstanceProfileAssociation {
    let held = made.instance.association.as_ref().filter(|now| now.id == made.id);
    match held {
        Some(now) => convert::association(&made.account, &made.instance, now),
        None => InstanceProfileAssociation {
            association_id: made.id.to_string(),
            instance_id: made.instance.id.to_string(),
            instance_profile_id: made.profile_id.to_string(),
            state: v1::AssociationState::Disassociated.into(),
            generation: made.generation,
            ..InstanceProfileAssociation::default()
        },
    }
}

/// What pages of instances are sorted by; a token is the key of the last instance before the page.
fn key(instance: &Instance) -> String {
    instance.id.to_string()
}

/// The ids in a field of a request, as many as fit in a page.
fn listed<T: FromStr<Err = Invalid>>(
    name: &'static str,
    texts: &[String],
) -> Result<Vec<T>, Invalid> {
    if texts.len() > PAGE_SIZE_MAX {
        let rule = format!("must have at most {PAGE_SIZE_MAX} entries");
        return Err(Invalid::new(name, rule));
    }
    texts.iter().map(|text| field(name, text)).collect()
}

/// In the order of pages, each once.
fn sorted(mut ids: Vec<PackedInstanceId>) -> Vec<PackedInstanceId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The instances that a request names, in the order of their ids, all of which have to be there; none if it names none.
fn ids(account: &Account, texts: &[String]) -> Result<Option<Vec<PackedInstanceId>>, ServiceError> {
    let named: Vec<InstanceId> = listed("instance_ids", texts)?;
    if let Some(id) = named.iter().find(|id| !account.instances.contains(id)) {
        return Err(Rejection::NoSuchInstance(id.to_string()).into());
    }
    let ids: Vec<_> = named.iter().map(PackedInstanceId::from).collect();
    Ok((!ids.is_empty()).then(|| sorted(ids)))
}

/// The instances that carry the associations that a request names, in the order of their ids, all of which have to be
/// there; none if it names none.
fn carriers(
    account: &Account,
    texts: &[String],
) -> Result<Option<Vec<PackedInstanceId>>, ServiceError> {
    let named: Vec<AssociationId> = listed("association_ids", texts)?;
    let carriers = named.iter().map(|id| {
        let carrier = account.instances.carrier(id).map(|instance| (&instance.id).into());
        carrier.ok_or_else(|| Rejection::NoSuchAssociation(id.to_string()).into())
    });
    let carriers = carriers.collect::<Result<Vec<_>, ServiceError>>()?;
    Ok((!named.is_empty()).then(|| sorted(carriers)))
}

/// The instances after a page's token as they are kept, by id: those that are named, each looked up, or all. An
/// instance is made of a record only when a page comes to it.
fn records<'a>(
    account: &'a Account,
    named: Option<Vec<PackedInstanceId>>,
    token: &str,
) -> Result<Box<dyn Iterator<Item = &'a Record> + 'a>, Invalid> {
    let after: Option<InstanceId> = optional("page_token", token)?;
    let after = after.as_ref().map(PackedInstanceId::from);
    let fleet = &account.instances;
    Ok(match named {
        Some(ids) => {
            let rest = ids.into_iter().filter(move |id| after.is_none_or(|after| *id > after));
            Box::new(rest.filter_map(move |id| fleet.record(id)))
        }
        None => {
            let passed = move |record: &&Record| after.is_some_and(|after| record.id <= after);
            Box::new(fleet.records().skip_while(passed))
        }
    })
}

fn profile(reference: ProfileReference) -> Result<ProfileRef, Invalid> {
    use v1::profile_reference::Reference;
    match reference.reference {
        Some(Reference::Name(name)) => field("instance_profile.name", &name).map(ProfileRef::Name),
        Some(Reference::Arn(arn)) => field("instance_profile.arn", &arn).map(ProfileRef::Arn),
        None => Err(Invalid::new("instance_profile", "must have a name or an ARN")),
    }
}

fn launch_request(request: LaunchInstanceRequest) -> Result<LaunchRequest, Invalid> {
    Ok(LaunchRequest {
        min_count: 1,
        max_count: 1,
        image_id: optional("image_id", &request.image_id)?,
        instance_type: optional("instance_type", &request.instance_type)?,
        region: optional("region", &request.region)?,
        zone: optional("availability_zone", &request.availability_zone)?,
        agent: optional("agent_name", &request.agent_name)?,
        private_ip: private_ip(&request.private_ip)?,
        tags: pairs(request.tags),
        metadata: MetadataChange {
            tokens_required: Some(!request.http_tokens_optional),
            enabled: Some(!request.http_endpoint_disabled),
            hop_limit: hop_limit(request.http_put_response_hop_limit)?,
            tags: Some(request.instance_metadata_tags),
        },
        networking: LaunchNetworking::default(),
        profile: request.instance_profile.map(profile).transpose()?,
    })
}

/// By key, as maps come in any order.
fn pairs(tags: HashMap<String, String>) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = tags.into_iter().collect();
    pairs.sort_unstable();
    pairs
}

fn private_ip(text: &str) -> Result<Option<IpAddr>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let rule = "must be an IPv4 or IPv6 address";
    text.parse().map(Some).map_err(|_| Invalid::new("private_ip", rule))
}

/// 0 is none.
fn hop_limit(hops: u32) -> Result<Option<HopLimit>, Invalid> {
    let read = (hops > 0).then(|| HopLimit::new(hops)).transpose();
    read.map_err(|invalid| Invalid { field: "http_put_response_hop_limit", ..invalid })
}

#[cfg(test)]
#[path = "instance_tests.rs"]
mod tests;
