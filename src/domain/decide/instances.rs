//! Instances and their profiles. Whether the caller may pass the role, whether the role trusts the EC2
//! service, that an instance has one profile at most, and that the profile is still the one that was
//! named: all are judged against the state that the events then change.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Decider;
use crate::clock::Timestamp;
use crate::domain::command::{Launch, Minting, ProfileRef};
use crate::domain::event::{EventKind, InstanceFacts, KeyOwner};
use crate::domain::metadata::MetadataChange;
use crate::domain::quotas::Quota;
use crate::domain::rejection::Rejection;
use crate::domain::state::{Association, Instance, Profile, Role};
use crate::domain::tags::Tags;
use crate::domain::usage::{MetadataUsage, REPORT_INSTANCES_MAX};
use crate::identity::{Arn, AssociationId, InstanceId, Invalid, Principal};

/// The service that assumes roles for instances.
pub(super) const EC2_SERVICE: &str = "ec2.amazonaws.com";

impl Decider<'_> {
    fn launch(
        &mut self,
        launch: &Launch,
        facts: &InstanceFacts,
        profile: Option<&ProfileRef>,
    ) -> Result<(), Rejection> {
        let Launch { id, identity_key, private_ip, association, minting } = launch;
        let arn = Arn::instance(&facts.region, self.command.account, id);
        self.require_with("ec2:RunInstances", arn.as_str(), &facts.metadata.context())?;
        facts.metadata.check_tags(&facts.tags)?;
        if self.account.instances.contains(id) {
            return Err(Rejection::exists("instance", id));
        }
        if let Some(agent) = &facts.agent
            && !self.account.agents.contains_key(&*super::key_of(agent.as_str()))
        {
            return Err(Rejection::missing("agent", agent));
        }
        let passed = profile.map(|profile| self.passable(profile, &arn)).transpose()?;
        self.check_quota(Quota::Instances, 1)?;
        private_ip.map_or(Ok(()), |address| self.check_address(address))?;
        let (facts, private_ip) = (facts.clone(), *private_ip);
        self.emit(EventKind::InstanceLaunched { id: id.clone(), facts, private_ip });
        let owner = KeyOwner::Instance(id.clone());
        self.emit(EventKind::AccessKeyCreated { key: identity_key.clone(), owner });
        if let Some((profile, role)) = passed {
            self.associate_with(id, association, &profile, &role, 1, minting);
        }
        Ok(())
    }

    pub(super) fn launch_all(
        &mut self,
        launches: &[Launch],
        facts: &InstanceFacts,
        profile: Option<&ProfileRef>,
    ) -> Result<(), Rejection> {
        launches.iter().try_for_each(|launch| self.launch(launch, facts, profile))?;
        self.check_quota(Quota::Instances, launches.len())
    }

    /// Source: EC2 API Reference, TerminateInstances: idempotent, and nothing ends if one of them is unknown.
    pub(super) fn terminate_all(&mut self, ids: &[InstanceId]) -> Result<(), Rejection> {
        let ids: BTreeSet<&InstanceId> = ids.iter().collect();
        for id in ids {
            let instance = self.instance(id)?;
            if instance.running {
                self.terminate(id)?;
            } else {
                let arn = Arn::instance(&instance.facts.region, self.command.account, id);
                self.require("ec2:TerminateInstances", arn.as_str())?;
            }
        }
        Ok(())
    }

    pub(super) fn terminate(&mut self, id: &InstanceId) -> Result<(), Rejection> {
        let instance = self.instance(id)?;
        let arn = Arn::instance(&instance.facts.region, self.command.account, id);
        self.require("ec2:TerminateInstances", arn.as_str())?;
        if !instance.running {
            return Err(Rejection::IncorrectState(format!("instance {id} is terminated")));
        }
        if let Some(association) = &instance.association {
            self.emit(disassociated(&instance, association));
        }
        self.emit(EventKind::InstanceTerminated { id: id.clone() });
        Ok(())
    }

    /// The options that are asked for are the ones that policies are asked about.
    pub(super) fn modify_metadata_options(
        &mut self,
        id: &InstanceId,
        change: MetadataChange,
    ) -> Result<(), Rejection> {
        let instance = self.instance(id)?;
        let options = instance.facts.metadata.with(change);
        let arn = Arn::instance(&instance.facts.region, self.command.account, id);
        let action = "ec2:ModifyInstanceMetadataOptions";
        self.require_with(action, arn.as_str(), &options.context())?;
        if !instance.running {
            return Err(Rejection::IncorrectState(format!("instance {id} is terminated")));
        }
        options.check_tags(&instance.facts.tags)?;
        if options != instance.facts.metadata {
            self.emit(EventKind::MetadataOptionsChanged { instance: id.clone(), options });
        }
        Ok(())
    }

    /// Agents and instances report on what they serve; what is not theirs is left out.
    pub(super) fn record_usage(
        &mut self,
        usage: &[(InstanceId, MetadataUsage)],
    ) -> Result<(), Rejection> {
        let caller = &self.command.caller.principal;
        if !matches!(caller, Principal::Agent { .. } | Principal::Instance { .. }) {
            self.require("locum:RecordMetadataUsage", "*")?;
        }
        if usage.len() > REPORT_INSTANCES_MAX {
            let rule = format!("must have at most {REPORT_INSTANCES_MAX} entries");
            return Err(Invalid::new("usage", rule).into());
        }
        for (id, usage) in usage {
            let Some(instance) = self.account.instances.get(id) else { continue };
            let theirs = match caller {
                Principal::Agent { name, .. } => instance.facts.agent.as_ref() == Some(name),
                Principal::Instance { id, .. } => instance.id == *id,
                _ => true,
            };
            if theirs {
                let mut usage = usage.clone();
                usage.not_after(self.command.time);
                self.emit(EventKind::MetadataUsed { instance: id.clone(), usage });
            }
        }
        Ok(())
    }

    pub(super) fn associate(
        &mut self,
        id: &InstanceId,
        profile: &ProfileRef,
        association: &AssociationId,
        minting: &Minting,
    ) -> Result<(), Rejection> {
        let instance = self.instance(id)?;
        let arn = Arn::instance(&instance.facts.region, self.command.account, id);
        self.require("ec2:AssociateIamInstanceProfile", arn.as_str())?;
        let (profile, role) = self.passable(profile, &arn)?;
        if !instance.running {
            return Err(Rejection::IncorrectState(format!("instance {id} is terminated")));
        }
        if instance.association.is_some() {
            return Err(Rejection::IncorrectState(format!(
                "there is an existing association for instance {id}"
            )));
        }
        let generation = instance.generation.saturating_add(1);
        self.associate_with(id, association, &profile, &role, generation, minting);
        Ok(())
    }

    pub(super) fn replace(
        &mut self,
        association: &AssociationId,
        profile: &ProfileRef,
        new_association: &AssociationId,
        minting: &Minting,
    ) -> Result<(), Rejection> {
        let instance = self.associated_instance(association)?;
        let arn = Arn::instance(&instance.facts.region, self.command.account, &instance.id);
        self.require("ec2:ReplaceIamInstanceProfileAssociation", arn.as_str())?;
        let (profile, role) = self.passable(profile, &arn)?;
        if let Some(old) = &instance.association {
            self.emit(disassociated(&instance, old));
        }
        let generation = instance.generation.saturating_add(2);
        self.associate_with(&instance.id, new_association, &profile, &role, generation, minting);
        Ok(())
    }

    pub(super) fn disassociate(&mut self, association: &AssociationId) -> Result<(), Rejection> {
        let instance = self.associated_instance(association)?;
        let arn = Arn::instance(&instance.facts.region, self.command.account, &instance.id);
        self.require("ec2:DisassociateIamInstanceProfile", arn.as_str())?;
        if let Some(old) = &instance.association {
            self.emit(disassociated(&instance, old));
        }
        Ok(())
    }

    fn instance(&self, id: &InstanceId) -> Result<Instance, Rejection> {
        let instance = self.account.instances.get(id);
        instance.ok_or_else(|| Rejection::NoSuchInstance(id.to_string()))
    }

    pub(super) fn associated_instance(&self, id: &AssociationId) -> Result<Instance, Rejection> {
        let found = self.account.instances.carrier(id);
        found.ok_or_else(|| Rejection::NoSuchAssociation(id.to_string()))
    }

    /// The profile and its role, if the caller may pass that role to the instance.
    /// Source: IAM User Guide, id_roles_use_passrole.
    fn passable(
        &self,
        profile: &ProfileRef,
        instance: &Arn,
    ) -> Result<(Arc<Profile>, Arc<Role>), Rejection> {
        let profile = self.profile_by_ref(profile)?;
        let Some(role) = profile.role.as_ref().and_then(|role| self.account.role(role)) else {
            return Err(Rejection::IncorrectState(format!(
                "instance profile {} does not contain a role",
                profile.name
            )));
        };
        let mut context = Tags::of_resource(Some(&role.tags));
        context.insert("iam:PassedToService", EC2_SERVICE.to_owned());
        context.insert("iam:AssociatedResourceArn", instance.to_string());
        let role_arn = Arn::role(self.command.account, &role.path, &role.name);
        self.require_with("iam:PassRole", role_arn.as_str(), &context)?;
        Ok((profile, role.clone()))
    }

    fn profile_by_ref(&self, reference: &ProfileRef) -> Result<Arc<Profile>, Rejection> {
        let (name, found) = match reference {
            ProfileRef::Name(name) => (name.to_string(), self.account.profile(name)),
            ProfileRef::Arn(arn) => {
                let by_name = self.account.profiles.get(&*super::key_of(arn.resource_name()));
                let exact = |p: &&Arc<Profile>| {
                    Arn::profile(self.command.account, &p.path, &p.name) == *arn
                };
                (arn.to_string(), by_name.filter(exact))
            }
        };
        found.cloned().ok_or(Rejection::InvalidProfile(name))
    }

    fn associate_with(
        &mut self,
        instance: &InstanceId,
        association: &AssociationId,
        profile: &Profile,
        role: &Role,
        generation: u64,
        minting: &Minting,
    ) {
        self.emit(EventKind::ProfileAssociated {
            association: association.clone(),
            instance: instance.clone(),
            profile: profile.name.clone(),
            profile_id: profile.id.clone(),
            generation,
        });
        self.mint(instance, association, role, 1, minting, Timestamp::EPOCH);
    }
}

fn disassociated(instance: &Instance, association: &Association) -> EventKind {
    EventKind::ProfileDisassociated {
        association: association.id.clone(),
        instance: instance.id.clone(),
        generation: instance.generation.saturating_add(1),
    }
}
