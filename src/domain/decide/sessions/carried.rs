//! What a new session holds of the request and of the session that asks for it: tags and the source
//! identity. Source: IAM User Guide, id_session-tags, id_credentials_temp_control-access_monitor.

use std::sync::Arc;

use super::SESSION_TAGS_MAX;
use crate::domain::access::SessionFacts;
use crate::domain::command::Command;
use crate::domain::rejection::Rejection;
use crate::domain::session::{ProvenIdentity, SessionDraft, SessionRequest, Tags};
use crate::identity::SourceIdentity;

/// How the keys of tags begin that only the service itself may set.
const RESERVED_TAGS: &str = "aws:";

/// Tags and source identity of the new session.
pub(super) struct Carried {
    pub(super) tags: Tags,
    /// Keys of `tags`, in their order.
    pub(super) transitive: Vec<Arc<str>>,
    pub(super) source_identity: Option<SourceIdentity>,
    /// Whether the request names another source identity than the caller's session has.
    pub(super) changes_source_identity: bool,
}

impl Carried {
    /// Transitive tags and the source identity of the caller's session are inherited and cannot be
    /// changed; other tags end with it.
    pub(super) fn of(command: &Command, draft: &SessionDraft) -> Result<Self, Rejection> {
        let mut tags = Tags::new();
        let mut transitive = Vec::new();
        let mut source_identity = draft.source_identity.clone();
        let mut changes_source_identity = false;
        if let Some(session) = &command.caller.session {
            for key in &session.transitive_tag_keys {
                if let Some(value) = session.tags.get(key) {
                    tags.insert(key.clone(), value.clone());
                    transitive.push(key.clone());
                }
            }
            if let Some(inherited) = &session.source_identity {
                changes_source_identity =
                    source_identity.as_ref().is_some_and(|asked| asked != inherited);
                source_identity = Some(inherited.clone());
            }
        }
        add_tags(draft, &mut tags, &transitive)?;
        for key in &draft.transitive_tag_keys {
            let named = draft.tags.keys().find(|named| same_key(named, key));
            let named = named.ok_or_else(|| {
                let rule =
                    "The specified transitive tag key must be included in the requested tags.";
                Rejection::Validation(rule.to_owned())
            })?;
            if !transitive.contains(named) {
                transitive.push(named.clone());
            }
        }
        transitive.sort_unstable();
        Ok(Self { tags, transitive, source_identity, changes_source_identity })
    }

    /// What a request with all this tells policies.
    pub(super) fn facts<'a>(
        &'a self,
        request: &'a SessionRequest,
        proven: Option<&'a ProvenIdentity>,
    ) -> SessionFacts<'a> {
        SessionFacts {
            name: request.draft.name.as_ref(),
            external_id: request.external_id.as_deref(),
            source_identity: self.source_identity.as_ref(),
            tags: &self.tags,
            transitive_tag_keys: &self.transitive,
            mfa: request.mfa.is_some(),
            duration: request.duration,
            proven,
        }
    }
}

fn same_key(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn add_tags(
    draft: &SessionDraft,
    tags: &mut Tags,
    inherited: &[Arc<str>],
) -> Result<(), Rejection> {
    for (key, value) in &draft.tags {
        if key.to_lowercase().starts_with(RESERVED_TAGS) {
            let rule = "'aws:' prefixed tag key names are not allowed for external use.";
            return Err(Rejection::InvalidParameter(rule.to_owned()));
        }
        if inherited.iter().any(|other| same_key(other, key)) {
            let rule = "One of the specified transitive tag keys can't be set because it conflicts \
                        with a transitive tag key from the calling session.";
            return Err(Rejection::InvalidParameter(rule.to_owned()));
        }
        if tags.keys().any(|other| same_key(other, key)) {
            let rule = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(Rejection::InvalidParameter(rule.to_owned()));
        }
        tags.insert(key.clone(), value.clone());
    }
    if tags.len() > SESSION_TAGS_MAX {
        let rule =
            format!("A session has at most {SESSION_TAGS_MAX} tags, inherited ones among them.");
        return Err(Rejection::Validation(rule));
    }
    Ok(())
}
