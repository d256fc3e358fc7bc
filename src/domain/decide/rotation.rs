//! New sets of credentials for instances: one with a change, and many at once on their way to their end. Whether the
//! EC2 service may assume the role is judged each time, once a role and command.

use std::sync::Arc;
use std::time::Duration;

use super::Decider;
use super::revocations::SECOND;
use crate::clock::Timestamp;
use crate::domain::access::{Caller, Question, judge};
use crate::domain::command::Minting;
use crate::domain::event::{EventKind, RoleCredentials};
use crate::domain::fleet::Record;
use crate::domain::rejection::Rejection;
use crate::domain::rotation::{
    IssuingRole, RENEWALS_MAX, RenewedSet, RotationAction, RotationEvent,
};
use crate::domain::state::Role;
use crate::identity::{
    AccountId, Arn, AssociationId, InstanceId, Invalid, PackedAssociationId, PackedInstanceId,
    PackedKeyId, Principal,
};
use crate::pace::{Pace, SERVED_LIFE_MIN};
use crate::policy::{Context, Verdict};

/// What metadata answers when the role does not trust the EC2 service.
const UNAUTHORIZED_CODE: &str = "AssumeRoleUnauthorizedAccess";

/// Sets of one role with one time, as they are gathered.
struct Batch {
    role: Arc<Role>,
    /// Whether the EC2 service may assume the role.
    trusted: bool,
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
                self.require("locum:RotateCredentials", "*")?;
                self.demand(false);
                Ok(())
            }
            RotationAction::RenewAll => {
                super::accounts::require_operator(
                    self.state,
                    self.command,
                    "locum:RotateAllCredentials",
                )?;
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
                self.require("locum:PutRotationSettings", "*")?;
                self.account.pace
            }
            Some(id) => {
                let instance = self.associated_instance(id)?;
                let arn = Arn::instance(&instance.facts.region, self.command.account, &instance.id);
                self.require("locum:PutRotationSettings", arn.as_str())?;
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
        let arn = Arn::instance(&instance.facts.region, self.command.account, &instance.id);
        self.require("locum:RotateCredentials", arn.as_str())?;
        let association = instance.association.as_ref().filter(|_| instance.running);
        let Some(association) = association else { return Ok(()) };
        let Some(role) = self.account.associated_role(association).cloned() else {
            return Err(Rejection::IncorrectState(format!(
                "instance profile {} does not contain a role",
                association.profile
            )));
        };
        let epoch = association.credentials.as_ref().map_or(1, |set| set.epoch.saturating_add(1));
        self.mint(&instance.id, id, &role, epoch, minting, Timestamp::EPOCH);
        Ok(())
    }

    /// The scheduler's rotation. Nothing is renewed for an instance that ended or lost its profile.
    fn renew(
        &mut self,
        renewals: &[(PackedInstanceId, PackedKeyId)],
        lifetime: Duration,
    ) -> Result<(), Rejection> {
        self.require("locum:RotateCredentials", "*")?;
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
            if !batch.trusted {
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
        let trusted = known.map_or_else(|| self.ec2_may_assume(role), |batch| batch.trusted);
        let role = role.clone();
        batches.push(Batch { role, trusted, issued_at, lifetime, sets: Vec::new() });
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
        instance: &InstanceId,
        association: &AssociationId,
        role: &Role,
        epoch: u64,
        minting: &Minting,
        earliest: Timestamp,
    ) {
        if !self.ec2_may_assume(role) {
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
        self.emit(EventKind::CredentialsRotated { association, instance, credentials });
    }

    fn ec2_may_assume(&self, role: &Role) -> bool {
        let caller = Caller { principal: Principal::ec2(), ..Caller::service() };
        let arn = Arn::role(self.command.account, &role.path, &role.name);
        let question = Question {
            caller: &caller,
            action: "sts:AssumeRole",
            resource: arn.as_str(),
            resource_account: Some(self.command.account),
            resource_policy: Some(&role.trust),
            role_trust: true,
            time: self.command.time,
        };
        judge(self.state, &question, &Context::default()).verdict() == Verdict::Allow
    }
}

/// What was left of a set that metadata went on handing out past the promise; none for sets that are too short for
/// the promise anyway.
fn late_by(record: &Record, now: Timestamp) -> Option<Duration> {
    let (issued_at, expires_at) = record.newest_set()?;
    let left = expires_at.since(now);
    (left < SERVED_LIFE_MIN && expires_at.since(issued_at) >= 2 * SERVED_LIFE_MIN).then_some(left)
}

fn refusal(association: AssociationId, instance: InstanceId, role: &Role) -> EventKind {
    EventKind::CredentialsRefused {
        association,
        instance,
        code: Arc::from(UNAUTHORIZED_CODE),
        message: Arc::from(format!("EC2 cannot assume the role {}", role.name)),
    }
}
