//! Grants to resource services, and the stream that says which of them are void.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Answers, Front, identity, question};
use crate::domain::access::{Permission, Resource};
use crate::domain::event::{
    AccessKeyEvent, AccountEvent, AgentEvent, EventKind, GroupEvent, GuardrailEvent,
    InstallationEvent, InstanceEvent, PolicyEvent, ProfileEvent, RoleEvent, SessionEvent, TagEvent,
    UserEvent,
};
use crate::domain::mfa::MfaEvent;
use crate::domain::oidc::OidcEvent;
use crate::domain::rotation::RotationEvent;
use crate::grpc::{convert, status};
use crate::identity::{AccountId, Principal};
use crate::ledger::Recorded;
use crate::metrics::{self, StreamKind};
use crate::policy::{Context, Level, Named, Policies};
use crate::proto::v1;
use crate::proto::v1::granted_principal::Kind;
use crate::proto::v1::{
    FollowInvalidationsResponse as Told, GrantVerificationRequest, GrantVerificationResponse,
    GrantedLevel, GrantedPolicies, GrantedPolicy, GrantedPrincipal, GrantedRole, GrantedUser,
};
use crate::service::{GrantError, RequestInfo, ServiceError};

/// Messages that wait for a slow follower.
const FOLLOWER_QUEUE: usize = 64;
/// How often a follower hears that all is as it was.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// How long a follower stays before it is authenticated anew.
const FOLLOW_LIFE_MAX: Duration = Duration::from_secs(600);

/// Whether the caller may have grants for requests to a service of this name, or with none of whatever name.
pub(super) fn may_ask_for(
    front: &Front,
    info: &RequestInfo,
    service: &str,
) -> Result<(), ServiceError> {
    let resource = match service {
        "" => Resource::everything(),
        name => Resource::resource_service(Front::account_of(info)?, name),
    };
    front.may_ask_on(info, Permission::GrantVerification, &resource)
}

pub(super) fn grant(
    front: &Front,
    info: &RequestInfo,
    request: &GrantVerificationRequest,
) -> Result<GrantVerificationResponse, Status> {
    let asking = Front::account_of(info)?;
    let service = request.request.as_ref().map(|request| request.service.as_str());
    may_ask_for(front, info, service.unwrap_or_default())?;
    let granted = question::with_shown(&front.service, request.request.as_ref(), |shown| {
        let granted = front.service.grant(asking, shown, |context, policies| {
            (granted_context(context), granted_policies(policies))
        });
        granted.map_err(|error| match error {
            GrantError::Signer(error) => error.into(),
            GrantError::OwnService(_) => Status::invalid_argument(error.to_string()),
        })
    });
    let (grant, described) = granted?;
    // What policies do not know as a principal of an account is asked about one by one.
    let principal = granted_principal(&grant.signed.caller.principal);
    let (key, (context, policies)) = match (&principal, grant.key, described) {
        (Some(_), Some(key), Some((context, policies))) => {
            (key.expose().to_vec(), (context, Some(policies)))
        }
        _ => (Vec::new(), Default::default()),
    };
    Ok(GrantVerificationResponse {
        identity: Some(identity(&grant.signed)),
        signing_key: key,
        expires_at: convert::time(grant.expires_at),
        sequence: grant.sequence,
        principal,
        context,
        policies,
    })
}

fn granted_principal(principal: &Principal) -> Option<GrantedPrincipal> {
    let kind = match principal {
        Principal::Root { .. } => Kind::Root(true),
        Principal::User { path, name, id, .. } => Kind::User(GrantedUser {
            path: path.to_string(),
            name: name.to_string(),
            id: id.to_string(),
        }),
        Principal::AssumedRole { path, role, role_id, session, .. } => Kind::Role(GrantedRole {
            path: path.to_string(),
            name: role.to_string(),
            id: role_id.to_string(),
            session: session.to_string(),
        }),
        Principal::FederatedUser { name, .. } => Kind::FederatedUser(name.to_string()),
        _ => return None,
    };
    Some(GrantedPrincipal { account_id: principal.account()?.to_string(), kind: Some(kind) })
}

fn granted_context(context: &Context) -> std::collections::HashMap<String, v1::ContextValues> {
    let values = |(key, values): (&str, &[String])| {
        let is_list = context.is_list(key);
        (key.to_owned(), v1::ContextValues { values: values.to_vec(), is_list })
    };
    context.iter().map(values).collect()
}

fn granted_policies(policies: &Policies<'_>) -> GrantedPolicies {
    let level = |level: &Level<'_>| granted_level(level.name, &level.policies);
    GrantedPolicies {
        identity: granted_level("", &policies.identity).policies,
        boundary: policies.boundary.as_deref().map(|policies| granted_level("", policies)),
        session: policies.session.as_deref().map(|policies| granted_level("", policies)),
        service_control: policies.service_control.iter().map(level).collect(),
        resource_control: policies.resource_control.iter().map(level).collect(),
    }
}

fn granted_level(name: &str, policies: &[Named<'_>]) -> GrantedLevel {
    let policy = |named: &Named<'_>| GrantedPolicy {
        name: named.name.to_owned(),
        document: named.policy.text().to_owned(),
    };
    GrantedLevel { name: name.to_owned(), policies: policies.iter().map(policy).collect() }
}

/// Tells a service of what voids its grants: those of its own account, or all for the operator's.
pub(super) fn invalidations(
    front: Front,
    info: RequestInfo,
    service: String,
) -> Result<Answers<Told>, Status> {
    let asking = Front::account_of(&info)?;
    // Subscribed before the first message is made, so that nothing falls between.
    let mut facts = front.service.ledger().follow();
    let (sender, receiver) = mpsc::channel(FOLLOWER_QUEUE);
    let open = metrics::streams().opened(StreamKind::Invalidations);
    tokio::spawn(async move {
        let _open = open;
        let end = tokio::time::sleep(FOLLOW_LIFE_MAX);
        tokio::pin!(end);
        // The first tick is at once: the first message.
        let mut life = tokio::time::interval(SIGN_OF_LIFE);
        loop {
            let newest = || front.service.view().sequence;
            let told = tokio::select! {
                _ = life.tick() => Told { sequence: newest(), ..Told::default() },
                heard = facts.recv() => match heard {
                    Ok(batch) => match voided(asking, &batch.facts) {
                        Some(told) => told,
                        None => continue,
                    },
                    // A follower that fell behind is told to begin anew.
                    Err(RecvError::Lagged(_)) => {
                        Told { sequence: newest(), all: true, ..Told::default() }
                    }
                    Err(RecvError::Closed) => return,
                },
                () = &mut end => return,
                () = sender.closed() => return,
            };
            // What the service may do, and whether its credentials count, can change while it follows.
            let stands = front.service.stands(&front.service.view().state, &info.caller);
            let told = if stands {
                may_ask_for(&front, &info, &service).map(|()| told).map_err(Status::from)
            } else {
                Err(Status::unauthenticated("the caller's credentials have ended"))
            };
            let told = told.map_err(|error| status::with_request_id(&error, &info.request_id));
            let over = told.is_err();
            if sender.send(told).await.is_err() || over {
                return;
            }
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

/// What an event may void.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// No grant.
    Nothing,
    /// Grants of its account: whatever decides about a signer, and how it is called, is of its own account.
    Account,
    /// Any: of sessions that came from this account's over a chain, of which only the token tells, or under the
    /// installation's guardrails.
    All,
}

/// What grants an event voids. Conservative where it costs a tenant's own grants alone.
fn reach(kind: &EventKind) -> Reach {
    match kind {
        EventKind::Account(event) => reach_of_account(event),
        EventKind::Installation(event) => match event {
            InstallationEvent::KeyringRotated { .. }
            | InstallationEvent::KeyringVersionRetired { .. }
            | InstallationEvent::DocumentKeyCreated { .. } => Reach::Nothing,
        },
        EventKind::Guardrail(event) => match event {
            GuardrailEvent::Put { .. } | GuardrailEvent::Deleted { .. } => Reach::All,
        },
        EventKind::User(event) => match event {
            UserEvent::Created { .. } => Reach::Nothing,
            UserEvent::Updated { .. } | UserEvent::Deleted { .. } => Reach::Account,
        },
        EventKind::Group(event) => match event {
            GroupEvent::Created { .. } => Reach::Nothing,
            GroupEvent::Deleted { .. }
            | GroupEvent::UserAdded { .. }
            | GroupEvent::UserRemoved { .. }
            | GroupEvent::Updated { .. } => Reach::Account,
        },
        EventKind::AccessKey(event) => match event {
            AccessKeyEvent::Created { .. } | AccessKeyEvent::Used { .. } => Reach::Nothing,
            AccessKeyEvent::StatusChanged { .. } | AccessKeyEvent::Deleted { .. } => Reach::Account,
        },
        EventKind::Role(event) => match event {
            RoleEvent::Created { .. } | RoleEvent::TrustChanged { .. } => Reach::Nothing,
            RoleEvent::Updated { .. }
            | RoleEvent::Deleted { .. }
            | RoleEvent::DeletionCompleted { .. } => Reach::Account,
        },
        EventKind::Policy(event) => reach_of_policy(event),
        EventKind::Tag(event) => match event {
            TagEvent::Tagged { .. } | TagEvent::Untagged { .. } => Reach::Account,
        },
        EventKind::Profile(event) => match event {
            ProfileEvent::Created { .. }
            | ProfileEvent::Deleted { .. }
            | ProfileEvent::RoleAdded { .. }
            | ProfileEvent::RoleRemoved { .. } => Reach::Nothing,
        },
        EventKind::Agent(event) => match event {
            AgentEvent::Created { .. } => Reach::Nothing,
            AgentEvent::Deleted { .. } => Reach::Account,
        },
        EventKind::Instance(event) => reach_of_instance(event),
        EventKind::Rotation(event) => match event {
            RotationEvent::Renewed { .. }
            | RotationEvent::Late { .. }
            | RotationEvent::Configured { .. }
            | RotationEvent::Demanded { .. } => Reach::Nothing,
        },
        EventKind::Session(event) => match event {
            SessionEvent::Issued { .. } => Reach::Nothing,
            SessionEvent::Revoked { chained: true, .. } => Reach::All,
            SessionEvent::Revoked { chained: false, .. } => Reach::Account,
        },
        EventKind::Mfa(event) => reach_of_mfa(event),
        EventKind::Oidc(event) => match event {
            OidcEvent::Created(_) | OidcEvent::Updated(_) | OidcEvent::Deleted(_) => Reach::Account,
        },
    }
}

fn reach_of_account(event: &AccountEvent) -> Reach {
    match event {
        AccountEvent::Created { .. }
        | AccountEvent::KeyRewrapped { .. }
        | AccountEvent::QuotaSet { .. }
        | AccountEvent::AddressRangesSet { .. } => Reach::Nothing,
        AccountEvent::Enabled
        | AccountEvent::AliasCreated { .. }
        | AccountEvent::AliasDeleted { .. } => Reach::Account,
        AccountEvent::Disabled | AccountEvent::Deleted => Reach::All,
    }
}

fn reach_of_policy(event: &PolicyEvent) -> Reach {
    match event {
        PolicyEvent::Created { .. } => Reach::Nothing,
        PolicyEvent::InlinePut { .. }
        | PolicyEvent::InlineDeleted { .. }
        | PolicyEvent::VersionCreated { .. }
        | PolicyEvent::Deleted { .. }
        | PolicyEvent::Attached { .. }
        | PolicyEvent::Detached { .. }
        | PolicyEvent::BoundaryPut { .. }
        | PolicyEvent::BoundaryDeleted { .. }
        | PolicyEvent::DefaultVersionSet { .. }
        | PolicyEvent::VersionDeleted { .. } => Reach::Account,
    }
}

fn reach_of_instance(event: &InstanceEvent) -> Reach {
    match event {
        InstanceEvent::Launched { .. }
        | InstanceEvent::MetadataUsed { .. }
        | InstanceEvent::ProfileAssociated { .. }
        | InstanceEvent::ProfileDisassociated { .. }
        | InstanceEvent::CredentialsRotated { .. }
        | InstanceEvent::CredentialsRefused { .. }
        | InstanceEvent::Restored { .. } => Reach::Nothing,
        InstanceEvent::Terminated { .. } | InstanceEvent::MetadataOptionsChanged { .. } => {
            Reach::Account
        }
    }
}

fn reach_of_mfa(event: &MfaEvent) -> Reach {
    match event {
        MfaEvent::Created { .. }
        | MfaEvent::Enabled { .. }
        | MfaEvent::Resynced { .. }
        | MfaEvent::Deactivated { .. }
        | MfaEvent::Deleted { .. }
        | MfaEvent::CodeAccepted { .. }
        | MfaEvent::CodeRefused { .. } => Reach::Account,
    }
}

/// What a batch voids for a service of this account, if anything: it is not told of other accounts.
fn voided(asking: AccountId, batch: &[Recorded]) -> Option<Told> {
    let mut accounts = BTreeSet::new();
    let mut all = false;
    for event in batch.iter().flat_map(|recorded| &recorded.fact.events) {
        match reach(&event.kind) {
            Reach::Nothing => {}
            Reach::Account => {
                accounts.insert(event.account);
            }
            Reach::All => all = true,
        }
    }
    accounts.retain(|account| asking == AccountId::OPERATOR || *account == asking);
    let sequence = batch.last().map_or(0, |recorded| recorded.sequence);
    let account_ids: Vec<_> = accounts.iter().map(ToString::to_string).collect();
    (all || !account_ids.is_empty()).then_some(Told { sequence, account_ids, all })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::entity::TagOwner;
    use crate::domain::event::{Event, Fact};
    use crate::domain::revocation::RevocationScope;
    use crate::domain::tags::Tags;
    use crate::domain::testing::{A, B, account};

    /// What an event of account B voids for services of A, of B and of the operator.
    fn told(kind: EventKind) -> [Option<(Vec<String>, bool)>; 3] {
        let event = Event { account: account(B), kind };
        let none = || Arc::from("");
        let fact = Arc::new(Fact {
            time: Timestamp::EPOCH,
            actor: none(),
            request_id: none(),
            trace_id: none(),
            idempotency: None,
            events: vec![event],
        });
        let batch = [Recorded { sequence: 7, fact }];
        let of = |asking| voided(asking, &batch).map(|told| (told.account_ids, told.all));
        [account(A), account(B), AccountId::OPERATOR].map(of)
    }

    /// Protects tenants from each other's changes: what one of them tags, renames or deletes voids its own grants alone,
    /// and is told to nobody else; what reaches along a chain of sessions voids all.
    #[test]
    fn a_tenants_changes_void_its_own_grants() {
        let ana = "ana".parse().unwrap();
        let tagged = TagEvent::Tagged { owner: TagOwner::User(ana), tags: Tags::default() };
        let role = || "ops".parse().unwrap();
        let revoked = |chained| {
            let scope = RevocationScope::Role("AROAAAAAAAAAAAAAAAAA".parse().unwrap());
            let (before, until) = (Timestamp::EPOCH, Timestamp::EPOCH);
            EventKind::Session(SessionEvent::Revoked { scope, before, chained, until })
        };
        let own = Some((vec![B.to_owned()], false));
        for kind in [
            EventKind::Tag(tagged),
            EventKind::Role(RoleEvent::Deleted { name: role() }),
            EventKind::User(UserEvent::Deleted { name: "ana".parse().unwrap() }),
            revoked(false),
        ] {
            assert_eq!(told(kind), [None, own.clone(), own.clone()]);
        }
        let all = Some((Vec::new(), true));
        for kind in [revoked(true), EventKind::Account(AccountEvent::Disabled)] {
            assert_eq!(told(kind), [all.clone(), all.clone(), all.clone()]);
        }
        assert_eq!(
            told(EventKind::Role(RoleEvent::Updated {
                name: role(),
                description: Arc::from(""),
                max_session: Duration::from_secs(3600),
            }))[0],
            None
        );
    }
}
