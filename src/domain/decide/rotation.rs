//! New sets of credentials for instances: one with a change, and many at once on their way to their end. Whether the
//! EC2 service may assume the role is judged each time, once a role and command.

use std::sync::Arc;
use std::time::Duration;

use super::Decider;
use super::revocations::SECOND;
use crate::clock::Timestamp;
use crate::domain::access::{
    Caller, Facts, Permission, Question, Required, Resource, SessionFacts, asks_about, judge,
};
use crate::domain::command::Minting;
use crate::domain::event::{EventKind, InstanceEvent, RoleCredentials};
use crate::domain::fleet::Record;
use crate::domain::rejection::Rejection;
use crate::domain::rotation::{
    IssuingRole, RENEWALS_MAX, RenewedSet, RotationAction, RotationEvent,
};
use crate::domain::session;
use crate::domain::state::Role;
use crate::identity::{
    AccountId, AssociationId, InstanceId, Invalid, PackedAssociationId, PackedInstanceId,
    PackedKeyId, Principal, SessionName,
};
use crate::pace::{Pace, SERVED_LIFE_MIN};
use crate::policy::Verdict;

/// What metadata answers when the role does not trust the EC2 service.
const UNAUTHORIZED_CODE: &str = "AssumeRoleUnauthorizedAccess";

/// An instance, and the region that it is in.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) instance: &'a InstanceId,
    pub(super) region: &'a Arc<str>,
}

/// Whether the EC2 service may assume a role.
#[derive(Clone, Copy)]
enum Trust {
    /// For every instance alike.
    Same(bool),
    /// A policy asks for which instance.
    ByInstance,
}

/// Sets of one role with one time, as they are gathered.
struct Batch {
    role: Arc<Role>,
    trust: Trust,
    issued_at: Timestamp,
    lifetime: Duration,
    sets: Vec<RenewedSet>,
}

impl Decider<'_> {
    pub(super) fn rotation(&mut self, action: &RotationAction) -> Result<(), Rejection> {
        match action {
            RotationAction::Renew { renewals, lifetime } => self.renew(renewals, *lifetime),
            RotationAction::Configure { association, pace } => {
                self.configure(association.as_ref(), *pace)
            }
            RotationAction::RenewOne { association, minting } => {
                self.renew_one(association, minting)
            }
            RotationAction::RenewAccount => {
                self.require(Permission::RotateCredentials, &Resource::everything())?;
                self.demand(false);
                Ok(())
            }
            RotationAction::RenewAll => {
                let permission = Permission::RotateAllCredentials;
                super::accounts::require_operator(self.state, self.command, permission)?;
                if self.command.account == AccountId::OPERATOR {
                    self.demand(true);
                }
                Ok(())
            }
        }
    }

    fn demand(&mut self, everywhere: bool) {
        let before = self.command.time.floor_to_second().plus(SECOND);
        self.emit(EventKind::Rotation(RotationEvent::Demanded { everywhere, before }));
    }

    fn configure(
        &mut self,
        association: Option<&AssociationId>,
        pace: Option<Pace>,
    ) -> Result<(), Rejection> {
        let before = match association {
            None => {
                self.require(Permission::PutRotationSettings, &Resource::everything())?;
                self.account.pace
            }
            Some(id) => {
                let instance = self.associated_instance(id)?;
                let resource = Resource::instance(self.account, &instance);
                self.require(Permission::PutRotationSettings, &resource)?;
                instance.association.and_then(|association| association.pace)
            }
        };
        if before != pace {
            let association = association.cloned();
            self.emit(EventKind::Rotation(RotationEvent::Configured { association, pace }));
        }
        Ok(())
    }

    fn renew_one(&mut self, id: &AssociationId, minting: &Minting) -> Result<(), Rejection> {
        let instance = self.associated_instance(id)?;
        let resource = Resource::instance(self.account, &instance);
        self.require(Permission::RotateCredentials, &resource)?;
        let association = instance.association.as_ref().filter(|_| instance.running);
        let Some(association) = association else { return Ok(()) };
        let Some(role) = self.account.associated_role(association).cloned() else {
            return Err(Rejection::IncorrectState(format!(
                "instance profile {} does not contain a role",
                association.profile
            )));
        };
        let epoch = association.credentials.as_ref().map_or(1, |set| set.epoch.saturating_add(1));
        let placed = Placed { instance: &instance.id, region: &instance.facts.region };
        self.mint(placed, id, &role, epoch, minting, Timestamp::EPOCH);
        Ok(())
    }

    /// The scheduler's rotation. Nothing is renewed for an instance that ended or lost its profile.
    fn renew(
        &mut self,
        renewals: &[(PackedInstanceId, PackedKeyId)],
        lifetime: Duration,
    ) -> Result<(), Rejection> {
        self.require(Permission::RotateCredentials, &Resource::everything())?;
        if renewals.len() > RENEWALS_MAX {
            let rule = format!("must have at most {RENEWALS_MAX} entries");
            return Err(Invalid::new("renewals", rule).into());
        }
        let mut batches: Vec<Batch> = Vec::new();
        let mut late = Vec::new();
        let mut least_left = SERVED_LIFE_MIN;
        let account = self.account.clone();
        for (id, key) in renewals {
            let Some(record) = account.instances.record(*id).filter(|r| r.running) else {
                continue;
            };
            let Some(at) = self.batch_of(record, lifetime, &mut batches) else { continue };
            let Some(batch) = batches.get_mut(at) else { continue };
            let trusted = match batch.trust {
                Trust::Same(trusted) => trusted,
                Trust::ByInstance => {
                    let region = &record.facts.region;
                    let may = |id| {
                        let placed = Placed { instance: &id, region };
                        self.ec2_may_assume(&batch.role, placed)
                    };
                    record.id.id().is_some_and(may)
                }
            };
            if !trusted {
                self.refuse(record, &batch.role.clone());
                continue;
            }
            if let Some(left) = late_by(record, self.command.time) {
                least_left = least_left.min(left);
                late.push(*id);
            }
            batch.sets.push(RenewedSet {
                instance: *id,
                association: record.association,
                epoch: record.epoch.saturating_add(1),
                key: *key,
            });
        }
        for batch in batches.into_iter().filter(|batch| !batch.sets.is_empty()) {
            self.emit(EventKind::Rotation(RotationEvent::Renewed {
                role: Arc::new(IssuingRole::from(&*batch.role)),
                issued_at: batch.issued_at,
                expires_at: batch.issued_at.plus(batch.lifetime),
                sets: batch.sets.into(),
            }));
        }
        if !late.is_empty() {
            let instances = late;
            self.emit(EventKind::Rotation(RotationEvent::Late { instances, least_left }));
        }
        Ok(())
    }

    /// The place of the batch that a record's new set belongs to; none without a role.
    fn batch_of(
        &self,
        record: &Record,
        lifetime: Duration,
        batches: &mut Vec<Batch>,
    ) -> Option<usize> {
        let profile = record.profile.as_ref()?;
        let role = self.account.role_of_profile(&profile.name, &profile.id)?;
        let own = record.pace().or(self.account.pace);
        let lifetime = own.map_or(lifetime, |pace| pace.lifetime);
        let id = record.id.id().filter(|_| !self.account.revocations.is_empty());
        let issued_at = self.issued_at(role, id.as_ref(), Timestamp::EPOCH);
        let same = |batch: &Batch| {
            Arc::ptr_eq(&batch.role, role)
                && batch.issued_at == issued_at
                && batch.lifetime == lifetime
        };
        if let Some(at) = batches.iter().position(same) {
            return Some(at);
        }
        let known = batches.iter().find(|batch| Arc::ptr_eq(&batch.role, role));
        let trust = known.map_or_else(|| self.trust_of(role), |batch| batch.trust);
        let role = role.clone();
        batches.push(Batch { role, trust, issued_at, lifetime, sets: Vec::new() });
        Some(batches.len().saturating_sub(1))
    }

    /// When a set that is issued now is said to be issued: not before what revocations and demands void.
    fn issued_at(
        &self,
        role: &Role,
        instance: Option<&InstanceId>,
        earliest: Timestamp,
    ) -> Timestamp {
        let revoked_before = self.account.revocations.issue_from(&role.id, instance);
        let now = self.command.time.floor_to_second();
        let demanded = self.state.renew_before(self.account);
        // A demand reaches into the second that it was made in, and no further.
        let demanded = demanded.min(now.plus(SECOND));
        now.max(revoked_before).max(earliest).max(demanded)
    }

    /// Records why there is no new set, unless that is known.
    fn refuse(&mut self, record: &Record, role: &Role) {
        let ids = record.association.id().zip(record.id.id());
        let Some((association, instance)) = ids else { return };
        if record.refused().is_none_or(|known| &*known.code != UNAUTHORIZED_CODE) {
            self.emit(refusal(association, instance, role));
        }
    }

    /// Issues a set, not before `earliest`, or records why the EC2 service may not assume the role.
    pub(super) fn mint(
        &mut self,
        placed: Placed<'_>,
        association: &AssociationId,
        role: &Role,
        epoch: u64,
        minting: &Minting,
        earliest: Timestamp,
    ) {
        let instance = placed.instance;
        if !self.ec2_may_assume(role, placed) {
            self.emit(refusal(association.clone(), instance.clone(), role));
            return;
        }
        let issued_at = self.issued_at(role, Some(instance), earliest);
        let record = self.account.instances.record(instance.into());
        // The pace of another association that is about to end is not this one's.
        let own = record.filter(|r| r.association == PackedAssociationId::from(association));
        let own = own.and_then(Record::pace).or(self.account.pace);
        let lifetime = own.map_or(minting.lifetime, |pace| pace.lifetime);
        let credentials = RoleCredentials {
            epoch,
            key: minting.key.clone(),
            role: role.name.clone(),
            path: role.path.clone(),
            role_id: role.id.clone(),
            issued_at,
            expires_at: issued_at.plus(lifetime),
        };
        let (association, instance) = (association.clone(), instance.clone());
        self.emit(EventKind::Instance(InstanceEvent::CredentialsRotated {
            association,
            instance,
            credentials,
        }));
    }

    fn ec2_may_assume(&self, role: &Role, placed: Placed<'_>) -> bool {
        self.ask_for_ec2(role, Some(placed), |question, required| {
            judge(self.state, question, required).verdict() == Verdict::Allow
        })
    }

    /// Whether the EC2 service may assume a role for every instance alike.
    fn trust_of(&self, role: &Role) -> Trust {
        self.ask_for_ec2(role, None, |question, required| {
            let asks = |key| asks_about(self.state, question, key);
            if asks("sts:RoleSessionName") || asks("aws:RequestedRegion") {
                return Trust::ByInstance;
            }
            Trust::Same(judge(self.state, question, required).verdict() == Verdict::Allow)
        })
    }

    /// Puts the question whether the EC2 service may assume a role, for a session that is named after its instance, in
    /// the instance's region.
    fn ask_for_ec2<T>(
        &self,
        role: &Role,
        placed: Option<Placed<'_>>,
        answer: impl FnOnce(&Question<'_>, &Required<'_>) -> T,
    ) -> T {
        let region = placed.map(|placed| placed.region.clone());
        let caller = Caller { principal: Principal::ec2(), region, ..Caller::service() };
        let name = placed.and_then(|placed| SessionName::parse(placed.instance.as_str()).ok());
        let facts = Facts::of_session(SessionFacts::named(name.as_ref(), &NO_TAGS));
        let resource = Resource::role(self.account, &role.name);
        let permission = Permission::AssumeRole;
        let required = Required { permission, resource: &resource, facts: &facts };
        let question = Question {
            resource_policy: Some(&role.trust.policy),
            role_trust: true,
            ..required.question(&caller, self.command.account, self.command.time)
        };
        answer(&question, &required)
    }
}

/// A service's session carries no tags.
static NO_TAGS: session::Tags = session::Tags::new();

/// What was left of a set that metadata went on handing out past the promise; none for sets that are too short for
/// the promise anyway.
fn late_by(record: &Record, now: Timestamp) -> Option<Duration> {
    let (issued_at, expires_at) = record.newest_set()?;
    let left = expires_at.since(now);
    (left < SERVED_LIFE_MIN && expires_at.since(issued_at) >= 2 * SERVED_LIFE_MIN).then_some(left)
}

fn refusal(association: AssociationId, instance: InstanceId, role: &Role) -> EventKind {
    EventKind::Instance(InstanceEvent::CredentialsRefused {
        association,
        instance,
        code: Arc::from(UNAUTHORIZED_CODE),
        message: Arc::from(format!("EC2 cannot assume the role {}", role.name)),
    })
}
