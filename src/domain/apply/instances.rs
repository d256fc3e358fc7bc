//! Instances, what they carry and how it is renewed.

use crate::clock::Timestamp;
use crate::domain::event::EventKind;
use crate::domain::last_use::CredentialUse;
use crate::domain::rotation::RotationEvent;
use crate::domain::state::{Account, Refusal, State};
use crate::identity::AccountId;

impl State {
    /// Instances' own keys are in no account's map.
    pub(super) fn apply_instance_uses(&mut self, account: AccountId, uses: &[CredentialUse]) {
        for used in uses {
            let key = used.key.as_ref().filter(|key| !key.is_temporary());
            let Some((home, id)) = key.and_then(|key| self.directory.key(key)) else { continue };
            if let Some(found) = self.accounts.get_mut(&account).filter(|_| home == account) {
                std::sync::Arc::make_mut(found).instances.use_key(id, &used.last);
            }
        }
    }
}

impl Account {
    pub(super) fn apply_instance(&mut self, time: Timestamp, kind: &EventKind) -> Option<()> {
        match kind {
            EventKind::InstanceLaunched { id, facts, private_ip } => {
                self.instances.launch(id, facts, *private_ip, time);
                Some(())
            }
            EventKind::InstanceTerminated { id } => self.instances.terminate(id),
            EventKind::MetadataOptionsChanged { instance, options } => {
                self.instances.set_options(instance, *options)
            }
            EventKind::MetadataUsed { instance, usage } => {
                self.instances.add_usage(instance, usage)
            }
            EventKind::ProfileAssociated {
                association,
                instance,
                profile,
                profile_id,
                generation,
            } => {
                let carried = (profile, profile_id);
                self.instances.associate(instance, association, carried, *generation, time)
            }
            EventKind::ProfileDisassociated { association, instance, generation } => {
                self.instances.disassociate(instance, association, *generation)
            }
            EventKind::CredentialsRotated { instance, credentials, .. } => {
                self.instances.rotate(instance, credentials)
            }
            EventKind::CredentialsRefused { instance, code, message, .. } => {
                let (code, message) = (code.clone(), message.clone());
                self.instances.refuse(instance, Refusal { code, message, since: time })
            }
            EventKind::InstancesRetold { instances } => {
                instances.iter().for_each(|record| self.instances.put_back(record));
                Some(())
            }
            _ => Some(()),
        }
    }

    pub(super) fn apply_rotation(&mut self, event: &RotationEvent) -> Option<()> {
        match event {
            RotationEvent::Renewed { role, issued_at, expires_at, sets } => {
                self.instances.renew(role, (*issued_at, *expires_at), sets)
            }
            RotationEvent::Configured { association: None, pace } => {
                self.pace = *pace;
                Some(())
            }
            RotationEvent::Configured { association: Some(id), pace } => {
                self.instances.set_pace(id, *pace)
            }
            RotationEvent::Demanded { before, .. } => {
                self.renew_before = self.renew_before.max(*before);
                Some(())
            }
            RotationEvent::Late { .. } => Some(()),
        }
    }
}
