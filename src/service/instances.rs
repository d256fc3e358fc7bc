//! The use cases of instances: launched, ended, described, and the profiles that they carry.
//! Source: Amazon EC2 API Reference, the pages of the actions.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Reading, RequestInfo, Service, ServiceError};
use crate::clock::Timestamp;
use crate::domain::access::{Permission, Target};
use crate::domain::command::{Action, InstanceAction, Launch, LaunchNetworking, ProfileRef};
use crate::domain::event::{EventKind, InstanceEvent, InstanceFacts, KeyOwner};
use crate::domain::instance_tags;
use crate::domain::metadata::{MetadataChange, MetadataOptions};
use crate::domain::rejection::Rejection;
use crate::domain::state::{AccessKey, Account, Instance};
use crate::domain::usage::MetadataUsage;
use crate::identity::{
    AccessKeyId, AgentName, AssociationId, InstanceId, PlainText, ProfileName, UniqueId,
};
use crate::ledger::Receipt;
use crate::signing::Secret;

/// Instances that one request launches.
const LAUNCHES_MAX: u32 = 100;
/// What an instance is if its launch says nothing (Amazon EC2 API Reference, RunInstances).
const TYPE_DEFAULT: &str = "m1.small";

/// What RunInstances is asked.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct LaunchRequest {
    /// How many there are to be at least and at most.
    pub min_count: u32,
    pub max_count: u32,
    pub image_id: Option<PlainText>,
    pub instance_type: Option<PlainText>,
    /// The installation's if none.
    pub region: Option<PlainText>,
    /// The region's first if none.
    pub zone: Option<PlainText>,
    pub agent: Option<AgentName>,
    pub private_ip: Option<IpAddr>,
    pub tags: Vec<(String, String)>,
    pub metadata: MetadataChange,
    pub networking: LaunchNetworking,
    pub profile: Option<ProfileRef>,
}

/// Instances that were launched.
#[derive(Clone, Debug)]
pub struct Launched {
    /// Their account.
    pub account: Arc<Account>,
    /// The instances, in the order in which they were made.
    pub instances: Vec<Instance>,
    /// The record that holds the launch.
    pub sequence: u64,
}

/// The key by which an instance itself calls, with its secret. Shown to whoever launched it.
#[derive(Debug)]
pub struct IdentityKey {
    /// Its id.
    pub id: AccessKeyId,
    /// The key.
    pub key: AccessKey,
    /// Its secret.
    pub secret: Secret,
}

/// An association that a change made.
#[derive(Clone, Debug)]
pub struct MadeAssociation {
    /// The account.
    pub account: Arc<Account>,
    /// The instance as it is now.
    pub instance: Instance,
    /// The association.
    pub id: AssociationId,
    /// The profile that was given.
    pub profile: ProfileName,
    /// The profile's id.
    pub profile_id: UniqueId,
    /// The number of the change among those of its instance.
    pub generation: u64,
    /// When it was made.
    pub since: Timestamp,
    /// The record that holds it.
    pub sequence: u64,
}

/// An association that a change ended.
#[derive(Clone, Debug)]
pub struct EndedAssociation {
    /// The account as it was before.
    pub before: Arc<Account>,
    /// The association.
    pub id: AssociationId,
    /// The instance that carried it.
    pub instance: InstanceId,
    /// The number of the change among those of its instance.
    pub generation: u64,
    /// When it ended.
    pub since: Timestamp,
    /// The record that holds the end.
    pub sequence: u64,
}

/// Each refuses a caller who may not, what breaks a rule, and what cannot be written. With `dry_run` a change that would
/// be made is refused with `ServiceError::DryRun`.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// RunInstances: as many as are asked for at most, or none.
    pub async fn launch_instances(
        &self,
        info: &RequestInfo,
        token: &str,
        asked: LaunchRequest,
        dry_run: bool,
    ) -> Result<Launched, ServiceError> {
        let action = self.launch(asked)?;
        let receipt = self.perform_unless_dry(info, token, action, dry_run).await?;
        let account = self.own_account(info)?;
        let events = receipt.events();
        let ids = events.filter_map(|event| {
            let EventKind::Instance(InstanceEvent::Launched { id, .. }) = &event.kind else {
                return None;
            };
            Some(id)
        });
        let instances: Vec<_> = ids.filter_map(|id| account.instances.get(id)).collect();
        if instances.is_empty() {
            return Err(ServiceError::Answer("nothing was launched"));
        }
        Ok(Launched { account, instances, sequence: receipt.sequence })
    }

    fn launch(&self, asked: LaunchRequest) -> Result<Action, ServiceError> {
        let LaunchRequest { min_count, max_count, .. } = asked;
        let refuse = |rule: String| Err(Rejection::Validation(rule).into());
        if min_count < 1 || min_count > max_count {
            return refuse(format!(
                "Value ({min_count}) for parameter minCount is invalid. It must be at least 1 and not more than \
                 maxCount."
            ));
        }
        if max_count > LAUNCHES_MAX {
            return refuse(format!(
                "Value ({max_count}) for parameter maxCount is invalid. It must be at most {LAUNCHES_MAX}."
            ));
        }
        if asked.private_ip.is_some() && max_count > 1 {
            let rule = "PrivateIpAddress can be given for one instance alone";
            return Err(Rejection::InvalidCombination(rule).into());
        }
        let region =
            asked.region.map_or_else(|| Arc::from(&*self.settings.region), Arc::<str>::from);
        let zone = asked.zone.map_or_else(|| Arc::from(format!("{region}a")), Arc::<str>::from);
        let facts = InstanceFacts {
            image_id: asked.image_id.map_or_else(|| Arc::from(""), Into::into),
            instance_type: asked.instance_type.map_or_else(|| Arc::from(TYPE_DEFAULT), Into::into),
            region,
            zone,
            agent: asked.agent,
            agent_id: None,
            tags: instance_tags::parse(&asked.tags)?,
            metadata: MetadataOptions::default().with(asked.metadata),
        };
        let launches = (0..max_count).map(|_| {
            Ok(Launch {
                id: self.draw_hex_id("i-")?,
                identity_key: self.draw_id("AKIA")?,
                private_ip: asked.private_ip,
                association: self.draw_hex_id("iip-assoc-")?,
                minting: self.draw_minting()?,
            })
        });
        Ok(Action::Instance(InstanceAction::Launch {
            launches: launches.collect::<Result<_, ServiceError>>()?,
            facts,
            networking: asked.networking,
            profile: asked.profile,
        }))
    }

    /// The key of an instance that the caller launched just now.
    pub fn identity_key(&self, account: &Account, instance: &Instance) -> Option<IdentityKey> {
        let id = instance.identity_key.clone()?;
        let secret = self.secret_of(account, &id).ok()?;
        let view = self.view();
        let held = view.state.key(&id)?;
        let key = AccessKey {
            owner: KeyOwner::Instance(instance.id.clone()),
            active: held.active,
            created_at: held.created_at,
            last_use: held.last_use,
        };
        Some(IdentityKey { id, key, secret })
    }

    /// TerminateInstances: all of them or none; the account as it was before. Those that have ended stay as they are.
    pub async fn terminate_instances(
        &self,
        info: &RequestInfo,
        token: &str,
        ids: Vec<InstanceId>,
        dry_run: bool,
    ) -> Result<(Arc<Account>, Receipt), ServiceError> {
        let before = self.own_account(info)?;
        let action = Action::Instance(InstanceAction::Terminate { ids });
        Ok((before, self.perform_unless_dry(info, token, action, dry_run).await?))
    }

    /// DescribeInstances; what DiagnoseInstanceMetadata tells of an instance is a part of it.
    pub async fn describe_instances(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        dry_run: bool,
    ) -> Result<Reading, ServiceError> {
        let permission = Permission::DescribeInstances;
        let reading = self.read(info, min_sequence, permission, &Target::Everything).await?;
        if dry_run { Err(ServiceError::DryRun) } else { Ok(reading) }
    }

    /// DescribeIamInstanceProfileAssociations.
    pub async fn describe_associations(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        dry_run: bool,
    ) -> Result<Reading, ServiceError> {
        let permission = Permission::DescribeIamInstanceProfileAssociations;
        let reading = self.read(info, min_sequence, permission, &Target::Everything).await?;
        if dry_run { Err(ServiceError::DryRun) } else { Ok(reading) }
    }

    /// ModifyInstanceMetadataOptions: the account and the instance with its new options.
    pub async fn modify_metadata_options(
        &self,
        info: &RequestInfo,
        token: &str,
        instance: InstanceId,
        change: MetadataChange,
        dry_run: bool,
    ) -> Result<(Arc<Account>, Instance, Receipt), ServiceError> {
        let action = InstanceAction::ModifyMetadataOptions { instance: instance.clone(), change };
        let action = Action::Instance(action);
        let receipt = self.perform_unless_dry(info, token, action, dry_run).await?;
        let (account, found) = self.own_instance(info, &instance)?;
        Ok((account, found, receipt))
    }

    /// AssociateIamInstanceProfile.
    pub async fn associate_profile(
        &self,
        info: &RequestInfo,
        token: &str,
        instance: InstanceId,
        profile: ProfileRef,
    ) -> Result<MadeAssociation, ServiceError> {
        let (association, minting) = (self.draw_hex_id("iip-assoc-")?, self.draw_minting()?);
        let action = InstanceAction::AssociateProfile { instance, profile, association, minting };
        let receipt = self.perform_own(info, token, Action::Instance(action)).await?;
        self.made_association(info, &receipt)
    }

    /// ReplaceIamInstanceProfileAssociation.
    pub async fn replace_association(
        &self,
        info: &RequestInfo,
        token: &str,
        association: AssociationId,
        profile: ProfileRef,
    ) -> Result<MadeAssociation, ServiceError> {
        let (new_association, minting) = (self.draw_hex_id("iip-assoc-")?, self.draw_minting()?);
        let action =
            InstanceAction::ReplaceProfile { association, profile, new_association, minting };
        let receipt = self.perform_own(info, token, Action::Instance(action)).await?;
        self.made_association(info, &receipt)
    }

    /// DisassociateIamInstanceProfile.
    pub async fn disassociate_profile(
        &self,
        info: &RequestInfo,
        token: &str,
        association: AssociationId,
    ) -> Result<EndedAssociation, ServiceError> {
        let before = self.own_account(info)?;
        let action = InstanceAction::DisassociateProfile { association };
        let receipt = self.perform_own(info, token, Action::Instance(action)).await?;
        let fact = receipt.fact.as_ref().ok_or(ServiceError::Answer("nothing ended"))?;
        let mut events = fact.events.iter();
        let ended = events.find_map(|event| {
            let EventKind::Instance(InstanceEvent::ProfileDisassociated {
                association,
                instance,
                generation,
            }) = &event.kind
            else {
                return None;
            };
            Some((association.clone(), instance.clone(), *generation))
        });
        let (id, instance, generation) = ended.ok_or(ServiceError::Answer("nothing ended"))?;
        let (since, sequence) = (fact.time, receipt.sequence);
        Ok(EndedAssociation { before, id, instance, generation, since, sequence })
    }

    /// ReportMetadataUsage: what agents and instances say of what they serve.
    pub async fn record_metadata_usage(
        &self,
        info: &RequestInfo,
        token: &str,
        usage: Vec<(InstanceId, MetadataUsage)>,
    ) -> Result<Receipt, ServiceError> {
        let action = InstanceAction::RecordMetadataUsage { usage };
        self.perform_own(info, token, Action::Instance(action)).await
    }

    /// An instance of the caller's account as it is now.
    fn own_instance(
        &self,
        info: &RequestInfo,
        id: &InstanceId,
    ) -> Result<(Arc<Account>, Instance), ServiceError> {
        let account = self.own_account(info)?;
        let instance = account.instances.get(id);
        let instance = instance.ok_or_else(|| Rejection::NoSuchInstance(id.to_string()))?;
        Ok((account, instance))
    }

    fn made_association(
        &self,
        info: &RequestInfo,
        receipt: &Receipt,
    ) -> Result<MadeAssociation, ServiceError> {
        const NONE: ServiceError = ServiceError::Answer("no association was made");
        let fact = receipt.fact.as_ref().ok_or(NONE)?;
        let made = fact.events.iter().find_map(|event| {
            let EventKind::Instance(InstanceEvent::ProfileAssociated {
                association,
                instance,
                profile,
                profile_id,
                generation,
            }) = &event.kind
            else {
                return None;
            };
            Some((association, instance, profile, profile_id, *generation))
        });
        let (id, instance, profile, profile_id, generation) = made.ok_or(NONE)?;
        let (account, instance) = self.own_instance(info, instance)?;
        Ok(MadeAssociation {
            account,
            instance,
            id: id.clone(),
            profile: profile.clone(),
            profile_id: profile_id.clone(),
            generation,
            since: fact.time,
            sequence: receipt.sequence,
        })
    }

    /// Does `action`, or with `dry_run` says whether it would be done.
    async fn perform_unless_dry(
        &self,
        info: &RequestInfo,
        token: &str,
        action: Action,
        dry_run: bool,
    ) -> Result<Receipt, ServiceError> {
        if dry_run {
            self.dry_run(info, Self::account_of(info)?, action)?;
            return Err(ServiceError::DryRun);
        }
        self.perform_own(info, token, action).await
    }
}
