//! Deciding: a command against the state, into events or a rejection. Pure: the same command and state
//! lead to the same events. Authorization is judged here, in the step that commits, so that no change
//! can slip between the check and the deed.

mod accounts;
mod addresses;
mod groups;
mod guardrails;
mod instances;
mod linked;
mod mfa;
mod oidc;
mod policies;
mod quotas;
mod revocations;
mod roles;
mod rotation;
mod sessions;
mod tags;

pub(super) use accounts::require_operator;
pub use mfa::{CODE_REFUSED, CODES_REFUSED_WINDOW, DEVICE_REFUSED, mfa_owner, refused};
pub use sessions::{
    CHAIN_SESSIONS_MAX, ROOT_SESSION_MAX, SESSION_MIN, SESSION_POLICY_ARNS_MAX, SESSION_TAGS_MAX,
    USER_SESSION_MAX, explain_assume_role, longest_session,
};

use std::sync::Arc;

use super::access::{Facts, Permission, Required, Resource, authorize};
use super::command::{AccountAction, Action, Command, InstallationAction, SessionAction};
use super::event::{DocumentKey, Event, EventKind, Fact, InstallationEvent};
use super::rejection::Rejection;
use super::session::{Operation, SessionRequest};
use super::state::{Account, State, key_of};
use crate::identity::{AccountId, Principal};

/// Decides `command`. `Ok(None)` means that there is nothing to do.
///
/// # Errors
/// Why the command is refused; nothing has changed then.
pub fn decide(state: &State, command: &Command) -> Result<Option<Fact>, Rejection> {
    let events = match &command.action {
        Action::Account(AccountAction::Create { name, key, root_key }) => {
            accounts::create(state, command, name, key, root_key)?
        }
        Action::Session(SessionAction::Issue {
            operation: Operation::AssumeRole(role),
            session,
        }) => sessions::issue(state, command, role, None, session)?,
        Action::Session(SessionAction::Issue {
            operation: Operation::AssumeRoleWithWebIdentity(role, proven),
            session,
        }) => sessions::issue(state, command, role, Some(proven), session)?,
        Action::Account(_)
        | Action::Installation(_)
        | Action::Guardrail(_)
        | Action::User(_)
        | Action::Group(_)
        | Action::AccessKey(_)
        | Action::Role(_)
        | Action::Policy(_)
        | Action::Tag(_)
        | Action::Profile(_)
        | Action::Agent(_)
        | Action::Instance(_)
        | Action::Rotation(_)
        | Action::Session(_)
        | Action::Mfa(_)
        | Action::Oidc(_) => decide_in_account(state, command)?,
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
        if let Action::Account(action) = &command.action
            && let Some(permission) = accounts::operators_permission(action)
        {
            accounts::require_operator(state, command, permission)?;
        }
        return Err(Rejection::missing("account", command.account));
    };
    // Most decisions lead to one event, and the list is kept with the fact.
    let mut decider = Decider { state, account, command, events: Vec::with_capacity(1) };
    decider.run()?;
    Ok(decider.events)
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

    /// The caller has `permission` on `resource` of this account.
    pub(super) fn require(
        &self,
        permission: Permission,
        resource: &Resource<'_>,
    ) -> Result<(), Rejection> {
        self.require_with(permission, resource, &Facts::of(&self.command.action))
    }

    /// As `require`, with more than the action alone says.
    pub(super) fn require_with(
        &self,
        permission: Permission,
        resource: &Resource<'_>,
        facts: &Facts<'_>,
    ) -> Result<(), Rejection> {
        let required = Required { permission, resource, facts };
        require(self.state, self.command, self.command.account, &required)
    }

    fn run(&mut self) -> Result<(), Rejection> {
        if !self.account.enabled && !self.needs_no_enabled_account() {
            return Err(Rejection::AccountDisabled(self.command.account));
        }
        match &self.command.action {
            Action::Account(action) => self.account(action),
            Action::Installation(action) => self.installation(action),
            Action::Guardrail(action) => self.guardrails(action),
            Action::User(action) => self.users(action),
            Action::Group(action) => self.groups(action),
            Action::AccessKey(action) => self.access_keys(action),
            Action::Role(action) => self.roles(action),
            Action::Policy(action) => self.policies(action),
            Action::Tag(action) => self.tags(action),
            Action::Profile(action) => self.profiles(action),
            Action::Agent(action) => self.agents(action),
            Action::Instance(action) => self.instances(action),
            Action::Rotation(action) => self.rotation(action),
            Action::Session(action) => self.sessions(action),
            Action::Mfa(action) => self.mfa(action),
            Action::Oidc(action) => self.oidc(action),
        }
    }

    fn installation(&mut self, action: &InstallationAction) -> Result<(), Rejection> {
        match action {
            InstallationAction::RotateKeyring { version } => self.rotate_keyring(*version),
            InstallationAction::RetireKeyringVersion { version } => {
                self.retire_keyring_version(*version)
            }
            InstallationAction::CreateDocumentKey { key } => self.create_document_key(key),
        }
    }

    fn sessions(&mut self, action: &SessionAction) -> Result<(), Rejection> {
        match action {
            SessionAction::Revoke { target, before, chained, minting } => {
                self.revoke(target, *before, *chained, minting)
            }
            SessionAction::Issue { operation, session } => self.issue_session(operation, session),
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
            Action::Account(
                AccountAction::Enable
                    | AccountAction::Disable
                    | AccountAction::Delete
                    | AccountAction::SetQuota { .. }
                    | AccountAction::SetAddressRanges { .. }
                    | AccountAction::RewrapKey { .. }
            )
        )
    }

    /// Two nodes that start at once may both draw one; the first stays.
    fn create_document_key(&mut self, key: &DocumentKey) -> Result<(), Rejection> {
        self.require(Permission::CreateDocumentKey, &Resource::everything())?;
        if self.command.account == AccountId::OPERATOR && self.state.document_key.is_none() {
            self.emit(EventKind::Installation(InstallationEvent::DocumentKeyCreated {
                key: key.clone(),
            }));
        }
        Ok(())
    }
}

/// The caller has a permission in `account`; the service's own tasks always have.
pub(super) fn require(
    state: &State,
    command: &Command,
    account: AccountId,
    required: &Required<'_>,
) -> Result<(), Rejection> {
    if matches!(&command.caller.principal, Principal::Service(name) if &**name == "locum.internal")
    {
        return Ok(());
    }
    let question = required.question(&command.caller, account, command.time);
    authorize(state, &question, required).map_err(Rejection::AccessDenied)
}
