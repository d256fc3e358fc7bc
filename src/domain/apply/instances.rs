//! Instances, what they carry and how it is renewed.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::event::{InstanceEvent, InstanceFacts};
use crate::domain::fleet::Record;
use crate::domain::rotation::RotationEvent;
use crate::domain::state::{Account, Refusal, State};
use crate::identity::AccountId;

impl State {
    pub(super) fn apply_instance(
        &mut self,
        time: Timestamp,
        account: AccountId,
        event: &InstanceEvent,
    ) -> Option<()> {
        match event {
            InstanceEvent::Launched { id, private_ip, .. } => {
                self.directory.launch(account, id, *private_ip);
            }
            InstanceEvent::Terminated { id } => {
                self.directory.terminate(self.accounts.get(&account)?, id.into())?;
            }
            // `index_instances` finds those that are restored.
            InstanceEvent::Restored { .. }
            | InstanceEvent::MetadataOptionsChanged { .. }
            | InstanceEvent::MetadataUsed { .. }
            | InstanceEvent::ProfileAssociated { .. }
            | InstanceEvent::ProfileDisassociated { .. }
            | InstanceEvent::CredentialsRotated { .. }
            | InstanceEvent::CredentialsRefused { .. } => {}
        }
        self.changed(time, account)?.apply_instance(time, event)
    }

    pub(super) fn apply_rotation(
        &mut self,
        time: Timestamp,
        account: AccountId,
        event: &RotationEvent,
    ) -> Option<()> {
        match event {
            RotationEvent::Demanded { everywhere: true, before } => {
                self.renew_before = self.renew_before.max(*before);
                Some(())
            }
            RotationEvent::Demanded { everywhere: false, .. }
            | RotationEvent::Renewed { .. }
            | RotationEvent::Configured { .. }
            | RotationEvent::Late { .. } => self.changed(time, account)?.apply_rotation(event),
        }
    }
}

impl Account {
    fn apply_instance(&mut self, time: Timestamp, event: &InstanceEvent) -> Option<()> {
        match event {
            InstanceEvent::Launched { id, facts, private_ip } => {
                let hosted = self.host_of(facts, time);
                let facts = hosted.as_ref().unwrap_or(facts);
                self.instances.launch(id, facts, *private_ip, time);
                Some(())
            }
            InstanceEvent::Terminated { id } => self.instances.terminate(id),
            InstanceEvent::MetadataOptionsChanged { instance, options } => {
                self.instances.set_options(instance, *options)
            }
            InstanceEvent::MetadataUsed { instance, usage } => {
                self.instances.add_usage(instance, usage)
            }
            InstanceEvent::ProfileAssociated {
                association,
                instance,
                profile,
                profile_id,
                generation,
            } => {
                let carried = (profile, profile_id);
                self.instances.associate(instance, association, carried, *generation, time)
            }
            InstanceEvent::ProfileDisassociated { association, instance, generation } => {
                self.instances.disassociate(instance, association, *generation)
            }
            InstanceEvent::CredentialsRotated { instance, credentials, .. } => {
                self.instances.rotate(instance, credentials)
            }
            InstanceEvent::CredentialsRefused { instance, code, message, .. } => {
                let (code, message) = (code.clone(), message.clone());
                self.instances.refuse(instance, Refusal { code, message, since: time })
            }
            InstanceEvent::Restored { instances } => {
                for record in instances {
                    match self.host_of(&record.facts, record.launched_at) {
                        None => self.instances.put_back(record),
                        Some(facts) => {
                            let facts = Arc::new(facts);
                            self.instances.put_back(&Record { facts, ..record.clone() });
                        }
                    }
                }
                Some(())
            }
        }
    }

    /// What an older version recorded of an instance on a host, without the agent's unique id, with the id of who was the
    /// agent then; if there is none any more, nobody serves it. None for what is whole as it is.
    fn host_of(&self, facts: &InstanceFacts, launched_at: Timestamp) -> Option<InstanceFacts> {
        let name = facts.agent.as_ref().filter(|_| facts.agent_id.is_none())?;
        let agent = self.agent(name).filter(|agent| agent.created_at <= launched_at);
        let (agent, agent_id) = agent.map(|agent| (agent.name.clone(), agent.id.clone())).unzip();
        Some(InstanceFacts { agent, agent_id, ..facts.clone() })
    }

    fn apply_rotation(&mut self, event: &RotationEvent) -> Option<()> {
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
