//! InstanceService: instances and the profiles they carry.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{Front, PAGE_SIZE_MAX, convert, field, optional, page, status, usage};
use crate::domain::command::{Action, Launch, ProfileRef};
use crate::domain::event::{EventKind, InstanceFacts};
use crate::domain::fleet::Record;
use crate::domain::metadata::{HopLimit, MetadataChange, MetadataOptions};
use crate::domain::state::{Account, Instance};
use crate::identity::{AssociationId, InstanceId, Invalid, PackedAssociationId, PackedInstanceId};
use crate::ledger::Receipt;
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
use crate::sts::RequestInfo;

/// Tags of an instance (EC2 User Guide, Using_Tags).
const TAGS_MAX: usize = 50;
/// Characters of a free field and of a tag.
const TEXT_MAX: usize = 256;

#[tonic::async_trait]
impl InstanceService for Front {
    async fn launch_instance(
        &self,
        request: Request<LaunchInstanceRequest>,
    ) -> Result<Response<LaunchInstanceResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let token = request.idempotency_token.clone();
        let profile = request.instance_profile.clone().map(profile).transpose()?;
        let launch = Launch {
            id: Self::drawn(&info, self.service.draw_hex_id("i-"))?,
            identity_key: Self::drawn(&info, self.service.draw_id("AKIA"))?,
            private_ip: private_ip(&request.private_ip)?,
            association: Self::drawn(&info, self.service.draw_hex_id("iip-assoc-"))?,
            minting: Self::drawn(&info, self.service.draw_minting())?,
        };
        let facts = facts(request, &self.service.settings().region)?;
        let action = Action::LaunchInstances { launches: vec![launch], facts, profile };
        let receipt = self.perform(&info, &token, action).await?;
        let mut kinds = kinds(&receipt);
        let launched = kinds.find_map(|kind| match kind {
            EventKind::AccessKeyCreated {
                key,
                owner: crate::domain::event::KeyOwner::Instance(id),
            } => Some((key, id)),
            _ => None,
        });
        let (key, id) = launched.ok_or_else(|| Status::internal("nothing was launched"))?;
        let (account, instance) = self.known(&info, id)?;
        let secret = Self::drawn(&info, self.service.secret_of(&account, key))?;
        let view = self.service.view();
        let access_key = view.state.key(key);
        Ok(Response::new(LaunchInstanceResponse {
            instance: Some(convert::instance(&account, &instance)),
            identity_key: access_key.map(|held| {
                convert::access_key(key, (held.active, held.created_at), Some(&secret))
            }),
            sequence: receipt.sequence,
        }))
    }

    async fn terminate_instance(
        &self,
        request: Request<TerminateInstanceRequest>,
    ) -> Result<Response<TerminateInstanceResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let action = Action::TerminateInstance { id: field("instance_id", &request.instance_id)? };
        let receipt = self.perform(&info, &request.idempotency_token, action).await?;
        Ok(Response::new(TerminateInstanceResponse { sequence: receipt.sequence }))
    }

    async fn describe_instances(
        &self,
        request: Request<DescribeInstancesRequest>,
    ) -> Result<Response<DescribeInstancesResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let (view, account) =
            self.read(&info, request.min_sequence, "ec2:DescribeInstances", "*").await?;
        let wanted = ids(&account, &request.instance_ids)?;
        let instances = records(&account, wanted, &request.page_token)?;
        let instances = instances.filter_map(Record::instance);
        let (found, next) = page(instances, key, request.page_size, "")?;
        let instances = found.iter().map(|i| convert::instance(&account, i)).collect();
        let (next_page_token, sequence) = (next, view.sequence);
        Ok(Response::new(DescribeInstancesResponse { instances, next_page_token, sequence }))
    }

    async fn modify_instance_metadata_options(
        &self,
        request: Request<ModifyInstanceMetadataOptionsRequest>,
    ) -> Result<Response<ModifyInstanceMetadataOptionsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let id: InstanceId = field("instance_id", &request.instance_id)?;
        let change = MetadataChange {
            tokens_required: request.http_tokens_optional.map(|optional| !optional),
            enabled: request.http_endpoint_disabled.map(|disabled| !disabled),
            hop_limit: hop_limit(request.http_put_response_hop_limit)?,
            tags: request.instance_metadata_tags,
        };
        let action = Action::ModifyMetadataOptions { instance: id.clone(), change };
        let receipt = self.perform(&info, &request.idempotency_token, action).await?;
        let (account, instance) = self.known(&info, &id)?;
        Ok(Response::new(ModifyInstanceMetadataOptionsResponse {
            instance: Some(convert::instance(&account, &instance)),
            sequence: receipt.sequence,
        }))
    }

    async fn diagnose_instance_metadata(
        &self,
        request: Request<DiagnoseInstanceMetadataRequest>,
    ) -> Result<Response<DiagnoseInstanceMetadataResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let (view, account) =
            self.read(&info, request.min_sequence, "ec2:DescribeInstances", "*").await?;
        let id: InstanceId = field("instance_id", &request.instance_id)?;
        let instance = account.instances.get(&id).ok_or_else(|| missing(&id))?;
        Ok(Response::new(usage::diagnosis(&instance, self.service.now(), view.sequence)))
    }

    async fn associate_instance_profile(
        &self,
        request: Request<AssociateInstanceProfileRequest>,
    ) -> Result<Response<AssociateInstanceProfileResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let action = Action::AssociateProfile {
            instance: field("instance_id", &request.instance_id)?,
            profile: required_profile(request.instance_profile)?,
            association: Self::drawn(&info, self.service.draw_hex_id("iip-assoc-"))?,
            minting: Self::drawn(&info, self.service.draw_minting())?,
        };
        let receipt = self.perform(&info, &request.idempotency_token, action).await?;
        Ok(Response::new(AssociateInstanceProfileResponse {
            association: Some(self.associated(&info, &receipt)?),
            sequence: receipt.sequence,
        }))
    }

    async fn replace_instance_profile_association(
        &self,
        request: Request<ReplaceInstanceProfileAssociationRequest>,
    ) -> Result<Response<ReplaceInstanceProfileAssociationResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let action = Action::ReplaceProfile {
            association: field("association_id", &request.association_id)?,
            profile: required_profile(request.instance_profile)?,
            new_association: Self::drawn(&info, self.service.draw_hex_id("iip-assoc-"))?,
            minting: Self::drawn(&info, self.service.draw_minting())?,
        };
        let receipt = self.perform(&info, &request.idempotency_token, action).await?;
        Ok(Response::new(ReplaceInstanceProfileAssociationResponse {
            association: Some(self.associated(&info, &receipt)?),
            sequence: receipt.sequence,
        }))
    }

    async fn disassociate_instance_profile(
        &self,
        request: Request<DisassociateInstanceProfileRequest>,
    ) -> Result<Response<DisassociateInstanceProfileResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let association = field("association_id", &request.association_id)?;
        let action = Action::DisassociateProfile { association };
        let receipt = self.perform(&info, &request.idempotency_token, action).await?;
        let ended = kinds(&receipt).find_map(|kind| match kind {
            EventKind::ProfileDisassociated { association, instance, generation } => {
                Some(InstanceProfileAssociation {
                    association_id: association.to_string(),
                    instance_id: instance.to_string(),
                    state: v1::AssociationState::Disassociated.into(),
                    since: receipt.fact.as_ref().and_then(|fact| convert::time(fact.time)),
                    generation: *generation,
                    ..InstanceProfileAssociation::default()
                })
            }
            _ => None,
        });
        let (association, sequence) = (ended, receipt.sequence);
        Ok(Response::new(DisassociateInstanceProfileResponse { association, sequence }))
    }

    async fn describe_instance_profile_associations(
        &self,
        request: Request<DescribeInstanceProfileAssociationsRequest>,
    ) -> Result<Response<DescribeInstanceProfileAssociationsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let action = "ec2:DescribeIamInstanceProfileAssociations";
        let (view, account) = self.read(&info, request.min_sequence, action, "*").await?;
        let by_instance = ids(&account, &request.instance_ids)?;
        let mut wanted =
            carriers(&account, &request.association_ids)?.or_else(|| by_instance.clone());
        if let (Some(wanted), Some(named)) = (&mut wanted, &by_instance) {
            wanted.retain(|id| named.binary_search(id).is_ok());
        }
        let carrying = records(&account, wanted, &request.page_token)?
            .filter(|record| record.association != PackedAssociationId::NONE)
            .filter_map(Record::instance);
        let (found, next) = page(carrying, key, request.page_size, "")?;
        let associations = found.iter().filter_map(|instance| {
            let association = instance.association.as_ref()?;
            Some(convert::association(&account, instance, association))
        });
        Ok(Response::new(DescribeInstanceProfileAssociationsResponse {
            associations: associations.collect(),
            next_page_token: next,
            sequence: view.sequence,
        }))
    }
}

impl Front {
    /// An instance of the caller's account, as it is now.
    fn known(
        &self,
        info: &RequestInfo,
        id: &InstanceId,
    ) -> Result<(Arc<Account>, Instance), Status> {
        let view = self.service.view();
        let account = view.state.account(Self::account_of(info)?).cloned();
        let account = account.ok_or_else(|| Status::not_found("the account does not exist"))?;
        let instance = account.instances.get(id);
        let instance = instance.ok_or_else(|| Status::not_found("the instance does not exist"))?;
        Ok((account, instance))
    }

    /// The association that a receipt tells of.
    fn associated(
        &self,
        info: &RequestInfo,
        receipt: &Receipt,
    ) -> Result<InstanceProfileAssociation, Status> {
        let made = kinds(receipt).find_map(|kind| match kind {
            EventKind::ProfileAssociated {
                association, instance, profile_id, generation, ..
            } => Some((association, instance, profile_id, *generation)),
            _ => None,
        });
        let (association, id, profile_id, generation) =
            made.ok_or_else(|| Status::internal("no association was made"))?;
        let (account, instance) = self.known(info, id)?;
        match instance.association.as_ref().filter(|now| now.id == *association) {
            Some(now) => Ok(convert::association(&account, &instance, now)),
            // A retry, after a later change.
            None => Ok(InstanceProfileAssociation {
                association_id: association.to_string(),
                instance_id: id.to_string(),
                instance_profile_id: profile_id.to_string(),
                state: v1::AssociationState::Disassociated.into(),
                generation,
                ..InstanceProfileAssociation::default()
            }),
        }
    }
}

fn kinds(receipt: &Receipt) -> impl Iterator<Item = &EventKind> {
    receipt.fact.iter().flat_map(|fact| &fact.events).map(|event| &event.kind)
}

/// What pages of instances are sorted by; a token is the key of the last instance before the page.
fn key(instance: &Instance) -> String {
    instance.id.to_string()
}

/// The ids in a field of a request, as many as fit in a page.
fn listed<T: FromStr<Err = Invalid>>(
    name: &'static str,
    texts: &[String],
) -> Result<Vec<T>, Status> {
    if texts.len() > PAGE_SIZE_MAX {
        let rule = format!("must have at most {PAGE_SIZE_MAX} entries");
        return Err(status::of_invalid(&Invalid::new(name, rule), ""));
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
fn ids(account: &Account, texts: &[String]) -> Result<Option<Vec<PackedInstanceId>>, Status> {
    let named: Vec<InstanceId> = listed("instance_ids", texts)?;
    if let Some(id) = named.iter().find(|id| !account.instances.contains(id)) {
        return Err(missing(id));
    }
    let ids: Vec<_> = named.iter().map(PackedInstanceId::from).collect();
    Ok((!ids.is_empty()).then(|| sorted(ids)))
}

/// The instances that carry the associations that a request names, in the order of their ids; none if it names none.
fn carriers(account: &Account, texts: &[String]) -> Result<Option<Vec<PackedInstanceId>>, Status> {
    let named: Vec<AssociationId> = listed("association_ids", texts)?;
    let carriers = named.iter().filter_map(|id| account.instances.carrier(id));
    let carriers: Vec<_> = carriers.map(|instance| (&instance.id).into()).collect();
    Ok((!named.is_empty()).then(|| sorted(carriers)))
}

/// That an instance which is named is not there.
fn missing(id: &InstanceId) -> Status {
    let rejection = crate::domain::rejection::Rejection::NoSuchInstance(id.to_string());
    status::of_rejection(&rejection, "")
}

/// The instances after a page's token as they are kept, by id: those that are named, each looked up, or all. An
/// instance is made of a record only when a page comes to it.
fn records<'a>(
    account: &'a Account,
    named: Option<Vec<PackedInstanceId>>,
    token: &str,
) -> Result<Box<dyn Iterator<Item = &'a Record> + 'a>, Status> {
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

fn profile(reference: ProfileReference) -> Result<ProfileRef, Status> {
    use v1::profile_reference::Reference;
    match reference.reference {
        Some(Reference::Name(name)) => field("instance_profile.name", &name).map(ProfileRef::Name),
        Some(Reference::Arn(arn)) => field("instance_profile.arn", &arn).map(ProfileRef::Arn),
        None => {
            let invalid = Invalid::new("instance_profile", "must have a name or an ARN");
            Err(status::of_invalid(&invalid, ""))
        }
    }
}

fn required_profile(reference: Option<ProfileReference>) -> Result<ProfileRef, Status> {
    profile(reference.unwrap_or_default())
}

fn facts(request: LaunchInstanceRequest, region: &str) -> Result<InstanceFacts, Status> {
    let invalid = |invalid: Invalid| status::of_invalid(&invalid, "");
    let region = if request.region.is_empty() { region.to_owned() } else { request.region };
    let zone = match request.availability_zone {
        zone if zone.is_empty() => format!("{region}a"),
        zone => zone,
    };
    Ok(InstanceFacts {
        image_id: text("image_id", &request.image_id).map_err(invalid)?,
        instance_type: text("instance_type", &request.instance_type).map_err(invalid)?,
        region: text("region", &region).map_err(invalid)?,
        zone: text("availability_zone", &zone).map_err(invalid)?,
        agent: optional("agent_name", &request.agent_name)?,
        tags: tags(&request.tags).map_err(invalid)?,
        metadata: MetadataOptions {
            tokens_required: !request.http_tokens_optional,
            enabled: !request.http_endpoint_disabled,
            hop_limit: hop_limit(request.http_put_response_hop_limit)?.unwrap_or_default(),
            tags: request.instance_metadata_tags,
        },
    })
}

fn private_ip(text: &str) -> Result<Option<IpAddr>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let invalid = Invalid::new("private_ip", "must be an IPv4 or IPv6 address");
        status::of_invalid(&invalid, "")
    })
}

/// 0 is none.
fn hop_limit(hops: u32) -> Result<Option<HopLimit>, Status> {
    let read = (hops > 0).then(|| HopLimit::new(hops)).transpose();
    read.map_err(|mut invalid| {
        invalid.field = "http_put_response_hop_limit";
        status::of_invalid(&invalid, "")
    })
}

/// A field that metadata shows as it is: short, printable, in one line.
fn text(field: &'static str, text: &str) -> Result<Arc<str>, Invalid> {
    if text.len() > TEXT_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let rule = format!("must be at most {TEXT_MAX} printable ASCII characters");
        return Err(Invalid::new(field, rule));
    }
    Ok(Arc::from(text))
}

fn tags(tags: &HashMap<String, String>) -> Result<BTreeMap<Arc<str>, Arc<str>>, Invalid> {
    if tags.len() > TAGS_MAX {
        return Err(Invalid::new("tags", format!("must have at most {TAGS_MAX} entries")));
    }
    let mut checked = BTreeMap::new();
    for (key, value) in tags {
        let one_line = |text: &str| text.len() <= TEXT_MAX && !text.contains(char::is_control);
        if key.is_empty() || !one_line(key) || !one_line(value) {
            let rule = format!("keys and values have at most {TEXT_MAX} bytes in one line");
            return Err(Invalid::new("tags", rule));
        }
        checked.insert(Arc::from(key.as_str()), Arc::from(value.as_str()));
    }
    Ok(checked)
}

#[cfg(test)]
#[path = "instance_tests.rs"]
mod tests;
