//! What quotas promise: the operator alone sets them, they refuse what is new, and never what there is.

use std::sync::Arc;
use std::time::Duration;

use super::command::{
    AccountAction, Action, AgentAction, GroupAction, InstanceAction, PolicyAction, ProfileAction,
    RoleAction, UserAction,
};
use super::oidc::{KeySource, OidcAction, OidcProvider};
use super::quotas::{Bounds, Quota};
use super::rejection::Rejection;
use super::tags::Tags;
use super::testing::{A, B, World, allow, root, trust};
use crate::identity::{AccountId, Path, base32_id};

const OPERATOR: &str = "000000000000";

fn world() -> World {
    let mut world = World::default();
    world.create_account(OPERATOR);
    world.create_account(A);
    world.create_account(B);
    world
}

fn set(world: &mut World, quota: Quota, max: Option<u32>) {
    world.by(root(OPERATOR), A, Action::Account(AccountAction::SetQuota { quota, max })).unwrap();
}

fn group(world: &mut World, account: &str, name: &str) -> Result<(), Rejection> {
    let id = base32_id("AGPA", world.random()).parse().unwrap();
    let action = Action::Group(GroupAction::Create {
        name: name.parse().unwrap(),
        path: Path::default(),
        id,
    });
    world.by(root(account), account, action).map(drop)
}

/// What takes one more of a quota.
fn creation(world: &mut World, quota: Quota) -> Action {
    let (path, tags) = (Path::default(), Tags::default());
    let drawn = world.random();
    let id = |prefix: &str| base32_id(prefix, drawn).parse().unwrap();
    match quota {
        Quota::Users => Action::User(UserAction::Create {
            name: "new".parse().unwrap(),
            path,
            id: id("AIDA"),
            tags,
            boundary: None,
        }),
        Quota::Groups => Action::Group(GroupAction::Create {
            name: "new".parse().unwrap(),
            path,
            id: id("AGPA"),
        }),
        Quota::Roles => Action::Role(RoleAction::Create {
            name: "new".parse().unwrap(),
            path,
            id: id("AROA"),
            description: Arc::from(""),
            max_session: Duration::from_secs(3600),
            trust: trust(r#"{"AWS":"*"}"#),
            tags,
            boundary: None,
        }),
        Quota::Policies => Action::Policy(PolicyAction::Create {
            name: "new".parse().unwrap(),
            path,
            id: id("ANPA"),
            description: Arc::from(""),
            policy: allow(&["s3:GetObject"], "*"),
            tags,
        }),
        Quota::Profiles => Action::Profile(ProfileAction::Create {
            name: "new".parse().unwrap(),
            path,
            id: id("AIPA"),
            tags,
        }),
        Quota::Providers => Action::Oidc(OidcAction::Create(
            OidcProvider {
                issuer: "https://id.example.com".parse().unwrap(),
                client_ids: Vec::new(),
                thumbprints: Vec::new(),
                keys: KeySource::Discovery,
            },
            tags,
        )),
        Quota::Agents => Action::Agent(AgentAction::Create {
            name: "new".parse().unwrap(),
            id: id("AGNT"),
            key: base32_id("AKIA", drawn).parse().unwrap(),
        }),
        Quota::Instances => world.launch(None).1,
        Quota::RequestsPerSecond | Quota::SessionsPerSecond | Quota::EventsRetained => {
            panic!("nothing is created of it")
        }
    }
}

/// Protects operators and tenants: no account sets quotas, its own or another's, and does not learn by trying which
/// accounts there are.
#[test]
fn tenants_set_no_quotas() {
    let mut world = world();
    let codes: Vec<_> = [A, B, "333333333333"]
        .map(|account| {
            let action =
                Action::Account(AccountAction::SetQuota { quota: Quota::Users, max: Some(1) });
            world.by(root(A), account, action).unwrap_err().code()
        })
        .into();
    assert_eq!(codes, ["AccessDenied"; 3]);
    let action =
        Action::Account(AccountAction::SetQuota { quota: Quota::RequestsPerSecond, max: Some(0) });
    assert_eq!(world.by(root(OPERATOR), A, action).unwrap_err().code(), "ValidationError");
}

/// Protects tenants: a quota below what is in use takes nothing away and lets nothing new come, another account has
/// its own, and without it the default holds again.
#[test]
fn a_lowered_quota_refuses_new_ones_only() {
    let mut world = world();
    group(&mut world, A, "one").unwrap();
    group(&mut world, A, "two").unwrap();
    set(&mut world, Quota::Groups, Some(1));
    let refused = group(&mut world, A, "three").unwrap_err();
    assert_eq!(refused.code(), "LimitExceeded");
    assert_eq!(refused.to_string(), "cannot exceed quota for GroupsPerAccount: 1");
    let account: AccountId = A.parse().unwrap();
    assert_eq!(world.state.account(account).unwrap().groups.len(), 2);
    group(&mut world, B, "three").unwrap();
    set(&mut world, Quota::Groups, None);
    group(&mut world, A, "three").unwrap();
}

/// Protects tenants and operators: every countable quota set to zero refuses what it is about, each by its name.
#[test]
fn every_countable_quota_is_enforced() {
    let mut world = world();
    let mut told = Vec::new();
    for quota in Quota::ALL.into_iter().filter(|quota| quota.bounds() == Bounds::Resources) {
        set(&mut world, quota, Some(0));
        let action = creation(&mut world, quota);
        match world.by(root(A), A, action) {
            Err(Rejection::LimitExceeded { quota, max: 0 }) => told.push(quota),
            other => panic!("{quota:?}: {other:?}"),
        }
    }
    let names: Vec<_> = Quota::ALL
        .into_iter()
        .filter(|quota| quota.bounds() == Bounds::Resources)
        .map(Quota::name)
        .collect();
    assert_eq!(told, names);
}

/// Protects tenants whose instances end: those that run are counted, also after a restart from a snapshot.
#[test]
fn running_instances_are_counted() {
    let mut world = world();
    set(&mut world, Quota::Instances, Some(1));
    let (first, launch) = world.launch(None);
    world.root(A, launch);
    let (_, launch) = world.launch(None);
    assert_eq!(world.by(root(A), A, launch).unwrap_err().code(), "LimitExceeded");
    world.root(A, Action::Instance(InstanceAction::Terminate { ids: vec![first] }));
    let (_, launch) = world.launch(None);
    world.root(A, launch);
    let mut again = super::state::State::default();
    let retold: Result<(), super::Nonsense> =
        world.state.retell(&mut |(sequence, fact)| again.apply(sequence, &fact));
    retold.unwrap();
    assert_eq!(again.account(A.parse().unwrap()), world.state.account(A.parse().unwrap()));
}
