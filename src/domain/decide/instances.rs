//! Instances and their profiles. Whether the caller may pass the role, whether the role trusts the EC2
//! service, that an instance has one profile at most, and that the profile is still the one that was
//! named: all are judged against the state that the events then change.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::Decider;
use super::rotation::Placed;
use crate::clock::Timestamp;
use crate::domain::access::{Facts, LaunchedBeside, Permission, Resource};
use crate::domain::command::{InstanceAction, Launch, LaunchNetworking, Minting, ProfileRef};
use crate::domain::event::{AccessKeyEvent, EventKind, InstanceEvent, InstanceFacts, KeyOwner};
use crate::domain::metadata::MetadataChange;
use crate::domain::quotas::Quota;
use crate::domain::rejection::Rejection;
use crate::domain::state::{Association, Instance, Profile, Role};
use crate::domain::usage::{MetadataUsage, REPORT_INSTANCES_MAX};
use crate::identity::{Arn, AssociationId, InstanceId, Invalid, Principal};

/// The service that assumes roles for instances.
pub(super) const EC2_SERVICE: &str = "ec2.amazonaws.com";

/// A profile and the role that it gives, once it may be passed.
type PassedRole = (Arc<Profile>, Arc<Role>);

impl Decider<'_> {
    pub(super) fn instances(&mut self, action: &InstanceAction) -> Result<(), Rejection> {
        match action {
            InstanceAction::Launch { launches, facts, networking, profile } => {
                self.launch_all(launches, facts, networking, profile.as_ref())
            }
            InstanceAction::Terminate { ids } => self.terminate_all(ids),
            InstanceAction::RecordMetadataUsage { usage } => self.record_usage(usage),
            InstanceAction::ModifyMetadataOptions { instance, change } => {
                self.modify_metadata_options(instance, *change)
            }
            InstanceAction::AssociateProfile { instance, profile, association, minting } => {
                self.associate(instance, profile, association, minting)
            }
            InstanceAction::ReplaceProfile { association, profile, new_association, minting } => {
                self.replace(association, profile, new_association, minting)
            }
            InstanceAction::DisassociateProfile { association } => self.disassociate(association),
        }
    }

    fn launch_all(
        &mut self,
        launches: &[Launch],
        facts: &InstanceFacts,
        networking: &LaunchNetworking,
        profile: Option<&ProfileRef>,
    ) -> Result<(), Rejection> {
        let passed = self.require_launch(facts, networking, profile)?;
        facts.metadata.check_tags(&facts.tags)?;
        let facts = &*self.hosted(facts)?;
        self.check_quota(Quota::Instances, launches.len())?;
        for launch in launches {
            self.launch(launch, facts, passed.as_ref())?;
        }
        Ok(())
    }

    /// The facts with the host agent that they name.
    fn hosted<'f>(&self, facts: &'f InstanceFacts) -> Result<Cow<'f, InstanceFacts>, Rejection> {
        let Some(name) = &facts.agent else { return Ok(Cow::Borrowed(facts)) };
        let agent = self.account.agent(name).ok_or_else(|| Rejection::missing("agent", name))?;
        let (agent, agent_id) = (Some(agent.name.clone()), Some(agent.id.clone()));
        Ok(Cow::Owned(InstanceFacts { agent, agent_id, ..facts.clone() }))
    }

    /// Every permission that a launch needs, on each thing that it touches, and the profile that it gives.
    /// Sources: Service Authorization Reference, Amazon EC2, RunInstances; Amazon EC2 User Guide,
    /// supported-iam-actions-tagging.
    fn require_launch(
        &self,
        facts: &InstanceFacts,
        networking: &LaunchNetworking,
        profile: Option<&ProfileRef>,
    ) -> Result<Option<PassedRole>, Rejection> {
        let id = self.account.id;
        let given = profile.map(|profile| self.profile_by_ref(profile));
        let found = given.as_ref().and_then(|given| given.as_ref().ok());
        let profile_arn = found.map(|p| Arn::profile(id, &p.path, &p.name));
        let instances = Resource::new_instances(id, facts, profile_arn);
        let said = Facts::of(&self.command.action).in_region(&facts.region);
        let run =
            |resource: &Resource<'_>| self.require_with(Permission::RunInstances, resource, &said);
        run(&instances)?;
        run(&Resource::image(facts))?;
        let LaunchNetworking { subnet, security_groups, key_pair } = networking;
        let subnet = subnet.as_deref();
        let beside = |kind| run(&Resource::launched_beside(id, facts, kind));
        beside(LaunchedBeside::Subnet(subnet))?;
        beside(LaunchedBeside::NetworkInterface { subnet })?;
        beside(LaunchedBeside::Volume)?;
        if security_groups.is_empty() {
            beside(LaunchedBeside::SecurityGroup(None))?;
        }
        for group in security_groups {
            beside(LaunchedBeside::SecurityGroup(Some(group)))?;
        }
        if let Some(name) = key_pair {
            beside(LaunchedBeside::KeyPair(name))?;
        }
        if said.sets_tags() {
            self.require_with(Permission::CreateTags, &instances, &said)?;
        }
        let Some(profile) = given.transpose()? else { return Ok(None) };
        self.passable(profile, instances.arn()).map(Some)
    }

    fn launch(
        &mut self,
        launch: &Launch,
        facts: &InstanceFacts,
        passed: Option<&PassedRole>,
    ) -> Result<(), Rejection> {
        let Launch { id, identity_key, private_ip, association, minting } = launch;
        if self.account.instances.contains(id) {
            return Err(Rejection::exists("instance", id));
        }
        private_ip.map_or(Ok(()), |address| self.check_address(address))?;
        self.emit(EventKind::Instance(InstanceEvent::Launched {
            id: id.clone(),
            facts: facts.clone(),
            private_ip: *private_ip,
        }));
        let owner = KeyOwner::Instance(id.clone());
        self.emit(EventKind::AccessKey(AccessKeyEvent::Created {
            key: identity_key.clone(),
            owner,
        }));
        if let Some((profile, role)) = passed {
            let placed = Placed { instance: id, region: &facts.region };
            self.associate_with(placed, association, profile, role, 1, minting);
        }
        Ok(())
    }

    /// Source: EC2 API Reference, TerminateInstances: idempotent, and nothing ends if one of them is unknown.
    fn terminate_all(&mut self, ids: &[InstanceId]) -> Result<(), Rejection> {
        let ids: BTreeSet<&InstanceId> = ids.iter().collect();
        for id in ids {
            let instance = self.instance(id)?;
            self.require_on(Permission::TerminateInstances, &instance)?;
            if !instance.running {
                continue;
            }
            if let Some(association) = &instance.association {
                self.emit(disassociated(&instance, association));
            }
            self.emit(EventKind::Instance(InstanceEvent::Terminated { id: id.clone() }));
        }
        Ok(())
    }

    /// Policies are asked about the options that the instance has and, as attributes, about those that it is to have.
    fn modify_metadata_options(
        &mut self,
        id: &InstanceId,
        change: MetadataChange,
    ) -> Result<(), Rejection> {
        let instance = self.instance(id)?;
        self.require_on(Permission::ModifyInstanceMetadataOptions, &instance)?;
        let options = instance.facts.metadata.with(change);
        if !instance.running {
            return Err(Rejection::IncorrectState(format!("instance {id} is terminated")));
        }
        options.check_tags(&instance.facts.tags)?;
        if options != instance.facts.metadata {
            self.emit(EventKind::Instance(InstanceEvent::MetadataOptionsChanged {
                instance: id.clone(),
                options,
            }));
        }
        Ok(())
    }

    /// The caller has a permission of EC2 on an instance.
    fn require_on(&self, permission: Permission, instance: &Instance) -> Result<(), Rejection> {
        let facts = Facts::of(&self.command.action).in_region(&instance.facts.region);
        self.require_with(permission, &Resource::instance(self.account, instance), &facts)
    }

    /// The profile that an instance is to have, and its role, if the caller may give it to the instance.
    fn given_profile(
        &self,
        permission: Permission,
        instance: &Instance,
        profile: &ProfileRef,
    ) -> Result<PassedRole, Rejection> {
        let given = self.profile_by_ref(profile);
        let arn = given.as_ref().ok().map(|p| Arn::profile(self.account.id, &p.path, &p.name));
        let facts = Facts::of(&self.command.action).in_region(&instance.facts.region);
        let facts = arn.as_ref().map_or(facts, |arn| facts.with_profile(arn));
        let resource = Resource::instance(self.account, instance);
        self.require_with(permission, &resource, &facts)?;
        self.passable(given?, resource.arn())
    }

    /// Agents and instances report on what they serve; what is not theirs is left out.
    fn record_usage(&mut self, usage: &[(InstanceId, MetadataUsage)]) -> Result<(), Rejection> {
        let caller = &self.command.caller.principal;
        if !matches!(caller, Principal::Agent { .. } | Principal::Instance { .. }) {
            self.require(Permission::RecordMetadataUsage, &Resource::everything())?;
        }
        if usage.len() > REPORT_INSTANCES_MAX {
            let rule = format!("must have at most {REPORT_INSTANCES_MAX} entries");
            return Err(Invalid::new("usage", rule).into());
        }
        for (id, usage) in usage {
            let Some(instance) = self.account.instances.get(id) else { continue };
            let theirs = match caller {
                Principal::Agent { id, .. } => instance.facts.agent_id.as_ref() == Some(id),
                Principal::Instance { id, .. } => instance.id == *id,
                _ => true,
            };
            if theirs {
                let mut usage = usage.clone();
                usage.not_after(self.command.time);
                self.emit(EventKind::Instance(InstanceEvent::MetadataUsed {
                    instance: id.clone(),
                    usage,
                }));
            }
        }
        Ok(())
    }

    fn associate(
        &mut self,
        id: &InstanceId,
        profile: &ProfileRef,
        association: &AssociationId,
        minting: &Minting,
    ) -> Result<(), Rejection> {
        let instance = self.instance(id)?;
        let permission = Permission::AssociateIamInstanceProfile;
        let (profile, role) = self.given_profile(permission, &instance, profile)?;
        if !instance.running {
            return Err(Rejection::IncorrectState(format!("instance {id} is terminated")));
        }
        if instance.association.is_some() {
            return Err(Rejection::IncorrectState(format!(
                "there is an existing association for instance {id}"
            )));
        }
        let generation = instance.generation.saturating_add(1);
        let placed = Placed { instance: id, region: &instance.facts.region };
        self.associate_with(placed, association, &profile, &role, generation, minting);
        Ok(())
    }

    fn replace(
        &mut self,
        association: &AssociationId,
        profile: &ProfileRef,
        new_association: &AssociationId,
        minting: &Minting,
    ) -> Result<(), Rejection> {
        let instance = self.associated_instance(association)?;
        let permission = Permission::ReplaceIamInstanceProfileAssociation;
        let (profile, role) = self.given_profile(permission, &instance, profile)?;
        if let Some(old) = &instance.association {
            self.emit(disassociated(&instance, old));
        }
        let generation = instance.generation.saturating_add(2);
        let placed = Placed { instance: &instance.id, region: &instance.facts.region };
        self.associate_with(placed, new_association, &profile, &role, generation, minting);
        Ok(())
    }

    fn disassociate(&mut self, association: &AssociationId) -> Result<(), Rejection> {
        let instance = self.associated_instance(association)?;
        self.require_on(Permission::DisassociateIamInstanceProfile, &instance)?;
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
    fn passable(&self, profile: Arc<Profile>, instance: &str) -> Result<PassedRole, Rejection> {
        let Some(role) = profile.role.as_ref().and_then(|role| self.account.role(role)) else {
            return Err(Rejection::IncorrectState(format!(
                "instance profile {} does not contain a role",
                profile.name
            )));
        };
        let facts = Facts::of(&self.command.action).passed_to(EC2_SERVICE, Some(instance));
        let resource = Resource::role(self.account, &role.name);
        self.require_with(Permission::PassRole, &resource, &facts)?;
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
        placed: Placed<'_>,
        association: &AssociationId,
        profile: &Profile,
        role: &Role,
        generation: u64,
        minting: &Minting,
    ) {
        self.emit(EventKind::Instance(InstanceEvent::ProfileAssociated {
            association: association.clone(),
            instance: placed.instance.clone(),
            profile: profile.name.clone(),
            profile_id: profile.id.clone(),
            generation,
        }));
        self.mint(placed, association, role, 1, minting, Timestamp::EPOCH);
    }
}

fn disassociated(instance: &Instance, association: &Association) -> EventKind {
    EventKind::Instance(InstanceEvent::ProfileDisassociated {
        association: association.id.clone(),
        instance: instance.id.clone(),
        generation: instance.generation.saturating_add(1),
    })
}
