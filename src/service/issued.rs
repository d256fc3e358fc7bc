//! What was issued: the sessions of an account, as its log tells of them. The state holds none.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Service;
use crate::clock::Timestamp;
use crate::domain::event::{AccessKeyEvent, Event, EventKind, Fact, InstanceEvent, SessionEvent};
use crate::domain::last_use::LastUse;
use crate::domain::revocation::{Ancestor, Facts, SESSION_LIFE_MAX};
use crate::domain::rotation::{IssuingRole, RotationEvent};
use crate::domain::session::Session;
use crate::domain::state::{Account, State};
use crate::identity::{AccessKeyId, InstanceId, Subject, UniqueId};
use crate::ledger::codec::{self, CodecError};
use crate::log::{ReadError, Record, Sequence};

/// Records that one call looks at.
const RECORDS_MAX: usize = 10_000;
/// Sessions of one answer, after which a record is the last.
const SESSIONS_MAX: usize = 1000;

/// The log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IssuedError {
    /// A record is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record holds no fact.
    #[error("record {0}: {1}")]
    Codec(Sequence, CodecError),
}

/// Which sessions are asked for; all of them unless something is said.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Those of this role.
    pub role: Option<UniqueId>,
    /// Those that this user asked for itself.
    pub user: Option<UniqueId>,
    /// Those of this instance.
    pub instance: Option<InstanceId>,
    /// This one.
    pub key: Option<AccessKeyId>,
    /// Those issued before this.
    pub issued_before: Option<Timestamp>,
    /// And what came from them.
    pub chained: bool,
    /// And what has ended.
    pub ended: bool,
}

/// A session that was issued.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuedSession {
    /// `ASIA...`
    pub key: AccessKeyId,
    /// `role/NAME/SESSION`, `user/NAME`, `federated-user/NAME` or `root`.
    pub subject: String,
    /// The unique id of its role or user, or of the user who asked for a federated user's; none for an
    /// account's root.
    pub principal_id: Option<UniqueId>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The ARN of who asked for it.
    pub issued_to: Arc<str>,
    /// The record that tells of it.
    pub sequence: u64,
    /// Who stands behind it; empty for nobody named.
    pub source_identity: String,
    /// The sessions before it in its chain.
    pub ancestors: Vec<Ancestor>,
    /// The instance that it was made for.
    pub instance: Option<InstanceId>,
    /// Whether it is void.
    pub revoked: bool,
    /// Its last use, as far as it is known.
    pub last_use: Option<LastUse>,
}

impl Service {
    /// The sessions of `account` that are asked for, from record `from` on, or from the first that a living
    /// session can be in; and where to go on if there may be more. Reads up to `RECORDS_MAX` records, which keeps a
    /// thread busy for too long to be a worker of the runtime.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn issued_sessions(
        &self,
        state: &State,
        account: &Account,
        wanted: &Wanted,
        from: Option<Sequence>,
    ) -> Result<(Vec<IssuedSession>, Option<Sequence>), IssuedError> {
        let log = self.ledger().log();
        let now = self.now();
        let from = match from {
            Some(from) => from,
            None => log.first_since(now.minus(SESSION_LIFE_MAX))?,
        };
        let mut found = Vec::new();
        let mut uses = HashMap::new();
        // Keys of those found, so that with `chained` those that came from them are.
        let mut keys = HashSet::new();
        let numbers = log.of_account(account.id, from, RECORDS_MAX)?;
        let more = numbers.last().filter(|_| numbers.len() == RECORDS_MAX);
        let mut next = more.map(|last| last.next());
        for sequence in &numbers {
            let record = log.read_one(*sequence)?;
            let Some(payload) = record.as_ref().and_then(Record::payload) else { continue };
            let fact = codec::decode(payload);
            let fact = fact.map_err(|error| IssuedError::Codec(*sequence, error))?;
            for event in fact.events.iter().filter(|event| event.account == account.id) {
                if let EventKind::AccessKey(AccessKeyEvent::Used { uses: used }) = &event.kind {
                    uses.extend(used.iter().filter_map(|u| Some((u.key.clone()?, u.last.clone()))));
                }
                for session in sessions_of(sequence.0, &fact, event) {
                    let alive = wanted.ended || session.expires_at > now;
                    if alive && wanted.holds(&session, &keys) {
                        keys.insert(session.key.clone());
                        let void = state.void(account.id, &session.facts(), &session.ancestors);
                        found.push(IssuedSession { revoked: void.is_some(), ..session });
                    }
                }
            }
            if found.len() >= SESSIONS_MAX {
                next = Some(sequence.next());
                break;
            }
        }
        for session in &mut found {
            let recorded = uses.get(&session.key).map(|last| LastUse::clone(last));
            session.last_use = self.last_use(account.id, &session.key).or(recorded);
        }
        Ok((found, next))
    }
}

impl Wanted {
    fn holds(&self, session: &IssuedSession, found: &HashSet<AccessKeyId>) -> bool {
        if self.issued_before.is_some_and(|before| session.issued_at >= before) {
            return self.chained && session.came_from(found);
        }
        let role = self.role.is_none() || self.role == session.principal_id;
        let user = self.user.is_none() || self.user == session.principal_id;
        let instance = self.instance.is_none() || self.instance == session.instance;
        let key = self.key.as_ref().is_none_or(|key| *key == session.key);
        (role && user && instance && key) || (self.chained && session.came_from(found))
    }
}

impl IssuedSession {
    fn came_from(&self, keys: &HashSet<AccessKeyId>) -> bool {
        self.ancestors.iter().any(|ancestor| keys.contains(&ancestor.key))
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            key: &self.key,
            principal_id: self.principal_id.as_ref(),
            issued_at: self.issued_at,
            instance: self.instance.as_ref().map(InstanceId::as_str),
        }
    }
}

/// The sessions that an event says were issued.
fn sessions_of(sequence: u64, fact: &Fact, event: &Event) -> Vec<IssuedSession> {
    match &event.kind {
        EventKind::Session(event) => match event {
            SessionEvent::Issued { session } => vec![issued(sequence, fact, session)],
            SessionEvent::Revoked { .. } => Vec::new(),
        },
        EventKind::Instance(event) => of_instance(sequence, fact, event),
        EventKind::Rotation(event) => match event {
            RotationEvent::Renewed { role, issued_at, expires_at, sets } => {
                let sets = sets.iter().filter_map(|set| set.instance.id().zip(set.key.id()));
                let times = (*issued_at, *expires_at);
                sets.map(|set| session_of_instance(sequence, fact, role, times, set)).collect()
            }
            RotationEvent::Late { .. }
            | RotationEvent::Configured { .. }
            | RotationEvent::Demanded { .. } => Vec::new(),
        },
        EventKind::Account(_)
        | EventKind::Installation(_)
        | EventKind::Guardrail(_)
        | EventKind::User(_)
        | EventKind::Group(_)
        | EventKind::AccessKey(_)
        | EventKind::Role(_)
        | EventKind::Policy(_)
        | EventKind::Tag(_)
        | EventKind::Profile(_)
        | EventKind::Agent(_)
        | EventKind::Mfa(_)
        | EventKind::Oidc(_) => Vec::new(),
    }
}

fn of_instance(sequence: u64, fact: &Fact, event: &InstanceEvent) -> Vec<IssuedSession> {
    match event {
        InstanceEvent::CredentialsRotated { instance, credentials, .. } => {
            let times = (credentials.issued_at, credentials.expires_at);
            let set = (instance.clone(), credentials.key.clone());
            vec![session_of_instance(sequence, fact, &credentials.into(), times, set)]
        }
        InstanceEvent::Launched { .. }
        | InstanceEvent::Terminated { .. }
        | InstanceEvent::MetadataOptionsChanged { .. }
        | InstanceEvent::MetadataUsed { .. }
        | InstanceEvent::ProfileAssociated { .. }
        | InstanceEvent::ProfileDisassociated { .. }
        | InstanceEvent::CredentialsRefused { .. }
        | InstanceEvent::Restored { .. } => Vec::new(),
    }
}

fn issued(sequence: u64, fact: &Fact, session: &Session) -> IssuedSession {
    let (subject, principal_id) = match &session.subject {
        Subject::Role { role, role_id, session, .. } => {
            (format!("role/{role}/{session}"), Some(role_id.clone()))
        }
        Subject::User { name, id, .. } => (format!("user/{name}"), Some(id.clone())),
        Subject::Root => ("root".to_owned(), None),
        Subject::Federated { name, by } => {
            (format!("federated-user/{name}"), by.user_id().cloned())
        }
    };
    let source = session.source_identity.as_ref();
    IssuedSession {
        key: session.key.clone(),
        subject,
        principal_id,
        issued_at: session.issued_at,
        expires_at: session.expires_at,
        issued_to: fact.actor.clone(),
        sequence,
        source_identity: source.map(ToString::to_string).unwrap_or_default(),
        ancestors: session.ancestors.clone(),
        instance: None,
        revoked: false,
        last_use: None,
    }
}

fn session_of_instance(
    sequence: u64,
    fact: &Fact,
    role: &IssuingRole,
    (issued_at, expires_at): (Timestamp, Timestamp),
    (instance, key): (InstanceId, AccessKeyId),
) -> IssuedSession {
    IssuedSession {
        key,
        subject: format!("role/{}/{instance}", role.name),
        principal_id: Some(role.id.clone()),
        issued_at,
        expires_at,
        issued_to: fact.actor.clone(),
        sequence,
        source_identity: String::new(),
        ancestors: Vec::new(),
        instance: Some(instance),
        revoked: false,
        last_use: None,
    }
}
