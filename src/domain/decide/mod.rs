//! Deciding: a command against the state, into events or a rejection. Pure: the same command and state
//! lead to the same events. Authorization is judged here, in the step that commits, so that no change
//! can slip between the check and the deed.

mod accounts;
mod addresses;
mod entities;
mod groups;
mod guardrails;
mod instances;
mod mfa;
mod oidc;
mod policies;
mod quotas;
mod revocations;
mod roles;
mod rotation;
mod sessions;

pub use mfa::{CODE_REFUSED, CODES_REFUSED_WINDOW, DEVICE_REFUSED, mfa_owner, refused};
pub use sessions::{
    CHAIN_SESSIONS_MAX, ROOT_SESSION_MAX, SESSION_MIN, SESSION_POLICY_ARNS_MAX, SESSION_TAGS_MAX,
    USER_SESSION_MAX, explain_assume_role, longest_session,
};

use std::sync::Arc;

use super::access::{Question, authorize};
use super::command::{Action, Command};
use super::event::{DocumentKey, Event, EventKind, Fact};
use super::rejection::Rejection;
use super::session::{Operation, SessionRequest};
use super::state::{Account, State, key_of};
use crate::identity::{AccountId, Principal};
use crate::policy::Context;

/// Decides `command`. `Ok(None)` means that there is nothing to do.
///
/// # Errors
/// Why the command is refused; nothing has changed then.
pub fn decide(state: &State, command: &Command) -> Result<Option<Fact>, Rejection> {
    let events = match &command.action {
        Action::CreateAccount { .. } => accounts::create(state, command)?,
        Action::IssueSession { operation: Operation::AssumeRole(role), session } => {
            sessions::issue(state, command, role, None, session)?
        }
        Action::IssueSession {
            operation: Operation::AssumeRoleWithWebIdentity(role, proven),
            session,
        } => sessions::issue(state, command, role, Some(proven), session)?,
        _ => decide_in_account(state, command)?,
    };
    if events.is_empty() {
        return Ok(None);
    }
    Ok(Some(Fact {
        time: command.time,
        actor: command.caller.principal.arn(),
        request_id: command.request_id.clone(),
        trace_id: command.trace_id.clone(),
        idempotency: command.idempotency.clone(),
        events,
    }))
}

fn decide_in_account(state: &State, command: &Command) -> Result<Vec<Event>, Rejection> {
    let Some(account) = state.account(command.account) else {
        // Which accounts there are is the operator's to know.
        if let Some(action) = operators_action(&command.action) {
            accounts::require_operator(state, command, action)?;
        }
        return Err(Rejection::missing("account", command.account));
    };
    // Most decisions lead to one event, and the list is kept with the fact.
    let mut decider = Decider { state, account, command, events: Vec::with_capacity(1) };
    decider.run()?;
    Ok(decider.events)
}

/// What the operator alone may do to an account that need not be their own.
fn operators_action(action: &Action) -> Option<&'static str> {
    Some(match action {
        Action::DisableAccount => "locum:DisableAccount",
        Action::EnableAccount => "locum:EnableAccount",
        Action::DeleteAccount => "locum:DeleteAccount",
        Action::SetQuota { max: Some(_), .. } => "locum:PutQuota",
        Action::SetQuota { max: None, .. } => "locum:DeleteQuota",
        Action::SetAddressRanges { .. } => "locum:PutAddressRanges",
        _ => return None,
    })
}

/// One decision under way.
pub(super) struct Decider<'a> {
    pub(super) state: &'a State,
    pub(super) account: &'a Arc<Account>,
    pub(super) command: &'a Command,
    events: Vec<Event>,
}

impl Decider<'_> {
    pub(super) fn emit(&mut self, kind: EventKind) {
        self.events.push(Event { account: self.command.account, kind });
    }

    /// The caller may do `action` on `resource` of this account.
    pub(super) fn require(&self, action: &str, resource: &str) -> Result<(), Rejection> {
        self.require_with(action, resource, &Context::default())
    }

    fn require_with(
        &self,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Result<(), Rejection> {
        require(self.state, self.command, self.command.account, action, resource, context)
    }

    fn run(&mut self) -> Result<(), Rejection> {
        if !self.account.enabled && !self.needs_no_enabled_account() {
            return Err(Rejection::AccountDisabled(self.command.account));
        }
        match &self.command.action {
            Action::CreateAccount { .. } => Ok(()),
            Action::DisableAccount | Action::EnableAccount => self.set_enabled(),
            Action::SetQuota { quota, max } => self.set_quota(*quota, *max),
            Action::SetAddressRanges { ranges } => self.set_address_ranges(ranges),
            Action::CreateDocumentKey { key } => self.create_document_key(key),
            Action::DeleteAccount
            | Action::RewrapAccountKey { .. }
            | Action::RotateKeyring { .. }
            | Action::RetireKeyringVersion { .. }
            | Action::RevokeSessions { .. }
            | Action::RecordUses { .. } => self.keys_and_sessions(),
            Action::CreateUser { .. }
            | Action::DeleteUser { .. }
            | Action::CreateAccessKey { .. }
            | Action::UpdateAccessKey { .. }
            | Action::DeleteAccessKey { .. }
            | Action::CreateAgent { .. }
            | Action::DeleteAgent { .. } => self.key_holders(),
            Action::CreateGroup { .. }
            | Action::DeleteGroup { .. }
            | Action::AddUserToGroup { .. }
            | Action::RemoveUserFromGroup { .. } => self.groups(),
            Action::Entity(action) => self.entities(action),
            Action::PutGuardrail { guardrail, policy } => self.put_guardrail(guardrail, policy),
            Action::DeleteGuardrail { guardrail } => self.delete_guardrail(guardrail),
            Action::CreateRole { .. }
            | Action::UpdateRole { .. }
            | Action::UpdateTrustPolicy { .. }
            | Action::DeleteRole { .. }
            | Action::CreateProfile { .. }
            | Action::DeleteProfile { .. }
            | Action::AddRoleToProfile { .. }
            | Action::RemoveRoleFromProfile { .. } => self.roles_and_profiles(),
            Action::PutInlinePolicy { .. }
            | Action::DeleteInlinePolicy { .. }
            | Action::CreatePolicy { .. }
            | Action::CreatePolicyVersion { .. }
            | Action::DeletePolicy { .. }
            | Action::AttachPolicy { .. }
            | Action::DetachPolicy { .. }
            | Action::PutBoundary { .. }
            | Action::DeleteBoundary { .. } => self.policies(),
            Action::Mfa(action) => self.mfa(action),
            Action::Oidc(action) => self.oidc(action),
            Action::Rotation(action) => self.rotation(action),
            Action::IssueSession { operation, session } => self.issue_session(operation, session),
            _ => self.instances(),
        }
    }

    fn instances(&mut self) -> Result<(), Rejection> {
        match &self.command.action {
            Action::LaunchInstances { launches, facts, profile } => {
                self.launch_all(launches, facts, profile.as_ref())
            }
            Action::TerminateInstance { id } => self.terminate(id),
            Action::TerminateInstances { ids } => self.terminate_all(ids),
            Action::RecordMetadataUsage { usage } => self.record_usage(usage),
            Action::ModifyMetadataOptions { instance, change } => {
                self.modify_metadata_options(instance, *change)
            }
            Action::AssociateProfile { instance, profile, association, minting } => {
                self.associate(instance, profile, association, minting)
            }
            Action::ReplaceProfile { association, profile, new_association, minting } => {
                self.replace(association, profile, new_association, minting)
            }
            Action::DisassociateProfile { association } => self.disassociate(association),
            _ => Ok(()),
        }
    }

    fn issue_session(
        &mut self,
        operation: &Operation,
        session: &SessionRequest,
    ) -> Result<(), Rejection> {
        match operation {
            Operation::GetSessionToken => self.get_session_token(session),
            Operation::GetFederationToken(name) => self.get_federation_token(name, session),
            // `decide` hands these over before it looks for an account.
            Operation::AssumeRole(_) | Operation::AssumeRoleWithWebIdentity(..) => Ok(()),
        }
    }

    /// Whether an account that is disabled may still be acted on.
    fn needs_no_enabled_account(&self) -> bool {
        matches!(
            self.command.action,
            Action::EnableAccount
                | Action::DisableAccount
                | Action::DeleteAccount
                | Action::SetQuota { .. }
                | Action::SetAddressRanges { .. }
                | Action::RewrapAccountKey { .. }
        )
    }

    /// Two nodes that start at once may both draw one; the first stays.
    fn create_document_key(&mut self, key: &DocumentKey) -> Result<(), Rejection> {
        self.require("locum:CreateDocumentKey", "*")?;
        if self.command.account == AccountId::OPERATOR && self.state.document_key.is_none() {
            self.emit(EventKind::DocumentKeyCreated { key: key.clone() });
        }
        Ok(())
    }

    fn set_enabled(&mut self) -> Result<(), Rejection> {
        let (action, kind) = match self.command.action {
            Action::DisableAccount => ("locum:DisableAccount", EventKind::AccountDisabled),
            _ => ("locum:EnableAccount", EventKind::AccountEnabled),
        };
        accounts::require_operator(self.state, self.command, action)?;
        if self.command.account == AccountId::OPERATOR {
            let message = "the operator account cannot be disabled".to_owned();
            return Err(Rejection::IncorrectState(message));
        }
        if self.account.enabled != matches!(kind, EventKind::AccountEnabled) {
            self.emit(kind);
        }
        Ok(())
    }
}

/// The caller may do `action` on `resource` of `account`; the service's own tasks always may.
pub(super) fn require(
    state: &State,
    command: &Command,
    account: AccountId,
    action: &str,
    resource: &str,
    context: &Context,
) -> Result<(), Rejection> {
    if matches!(&command.caller.principal, Principal::Service(name) if &**name == "locum.internal")
    {
        return Ok(());
    }
    let question = Question {
        caller: &command.caller,
        action,
        resource,
        resource_account: Some(account),
        resource_policy: None,
        role_trust: false,
        time: command.time,
    };
    authorize(state, &question, context).map_err(Rejection::AccessDenied)
}
