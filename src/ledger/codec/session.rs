//! Sessions, stored and read.

use std::sync::Arc;

use super::decode::{Decoded, entity, optional, part, read as parsed, tags};
use super::{credentials, encode};
use crate::clock::Timestamp;
use crate::domain::session::Session;
use crate::identity::{Federator, Path, Subject, WebIdentity};
use crate::proto::stored;
use crate::proto::stored::session::Subject as Stored;

pub(super) fn stored(session: &Session) -> stored::Session {
    let (subject, name) = subject(&session.subject);
    let texts = |texts: &mut dyn Iterator<Item = String>| texts.collect();
    stored::Session {
        key: session.key.to_string(),
        subject,
        name,
        issued_at: session.issued_at.as_unix_seconds(),
        expires_at: session.expires_at.as_unix_seconds(),
        policy: session.policy.as_deref().unwrap_or_default().to_owned(),
        policy_arns: texts(&mut session.policy_arns.iter().map(ToString::to_string)),
        tags: encode::tags(&session.tags),
        transitive_tag_keys: texts(&mut session.transitive_tag_keys.iter().map(|k| k.to_string())),
        source_identity: session
            .source_identity
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        chain_depth: u32::from(session.chain_depth),
        parent: session.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
        ancestors: session.ancestors.iter().map(credentials::stored_ancestor).collect(),
        mfa_at: session.mfa_at.map(Timestamp::as_unix_seconds),
        web_identity: session.web_identity.as_ref().map(|web| stored::WebIdentity {
            issuer: web.issuer.to_string(),
            subject: web.subject.to_string(),
            audience: web.audience.to_string(),
        }),
    }
}

/// The subject and the name that goes with it.
fn subject(subject: &Subject) -> (Option<Stored>, String) {
    match subject {
        Subject::Role { role, path, role_id, session } => {
            (Some(Stored::Role(encode::entity(role, path, role_id))), session.to_string())
        }
        Subject::User { name, path, id } => {
            (Some(Stored::User(encode::entity(name, path, id))), String::new())
        }
        Subject::Root => (None, String::new()),
        Subject::Federated { name, by } => {
            let by = match by {
                Federator::Root => None,
                Federator::User { name, id } => Some(encode::entity(name, &Path::default(), id)),
            };
            (Some(Stored::Federated(stored::FederatedUser { by })), name.to_string())
        }
    }
}

pub(super) fn read(session: stored::Session) -> Decoded<Session> {
    let subject = match session.subject {
        None => Subject::Root,
        Some(Stored::Role(role)) => {
            let (role, path, role_id) = entity(&role)?;
            Subject::Role { role, path, role_id, session: parsed(&session.name)? }
        }
        Some(Stored::User(user)) => {
            let (name, path, id) = entity(&user)?;
            Subject::User { name, path, id }
        }
        Some(Stored::Federated(federated)) => {
            let by = match federated.by {
                None => Federator::Root,
                Some(user) => {
                    let (name, _, id) = entity(&user)?;
                    Federator::User { name, id }
                }
            };
            Subject::Federated { name: parsed(&session.name)?, by }
        }
    };
    let arns = session.policy_arns.iter().map(|arn| parsed(arn));
    Ok(Session {
        key: parsed(&session.key)?,
        subject,
        issued_at: Timestamp::from_unix_seconds(session.issued_at),
        expires_at: Timestamp::from_unix_seconds(session.expires_at),
        policy: Some(session.policy).filter(|text| !text.is_empty()).map(Arc::from),
        policy_arns: arns.collect::<Decoded<_>>()?,
        tags: tags(session.tags),
        transitive_tag_keys: session.transitive_tag_keys.into_iter().map(Arc::from).collect(),
        source_identity: optional(&session.source_identity)?,
        chain_depth: u8::try_from(session.chain_depth).map_err(|_| part("`chain_depth`"))?,
        parent: optional(&session.parent)?,
        ancestors: session
            .ancestors
            .into_iter()
            .map(credentials::ancestor)
            .collect::<Decoded<_>>()?,
        mfa_at: session.mfa_at.map(Timestamp::from_unix_seconds),
        web_identity: session.web_identity.map(|web| WebIdentity {
            issuer: Arc::from(web.issuer),
            subject: Arc::from(web.subject),
            audience: Arc::from(web.audience),
        }),
    })
}
