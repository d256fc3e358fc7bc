//! Groups and guardrails: whose permissions they change, and for how long.

use super::access::Caller;
use super::command::{
    Action, GroupAction, GuardrailAction, PolicyAction, RoleAction, TagAction, UserAction,
};
use super::entity::TagOwner;
use super::event::{EventKind, GuardrailKind, GuardrailRef, PolicyOwner};
use super::rejection::{Evidence, Rejection};
use super::tags::Tags;
use super::testing::*;
use crate::identity::{AccountId, Path, UniqueId, base32_id};
use crate::policy::{Policy, PolicyKind};

const OPERATOR: &str = "000000000000";

fn group(name: &str) -> PolicyOwner {
    PolicyOwner::Group(name.parse().unwrap())
}

fn create_group(world: &mut World, name: &str) {
    let id = base32_id("AGPA", world.random()).parse().unwrap();
    let action = Action::Group(GroupAction::Create {
        name: name.parse().unwrap(),
        path: Path::default(),
        id,
    });
    world.root(A, action);
}

fn add(group: &str, user: &str) -> Action {
    Action::Group(GroupAction::AddUser {
        group: group.parse().unwrap(),
        user: user.parse().unwrap(),
    })
}

fn remove(group: &str, user: &str) -> Action {
    Action::Group(GroupAction::RemoveUser {
        group: group.parse().unwrap(),
        user: user.parse().unwrap(),
    })
}

/// Account A with a user in the group Makers, which may create users.
pub(crate) fn makers() -> World {
    let mut world = World::default();
    world.create_account(OPERATOR);
    world.create_account(A);
    world.create_account(B);
    world.create_user(A, "ana");
    create_group(&mut world, "Makers");
    world.put_policy(A, group("Makers"), allow(&["iam:*"], "*"));
    world.root(A, add("Makers", "ana"));
    world
}

fn creation(name: &str, id: UniqueId) -> Action {
    let (name, path) = (name.parse().unwrap(), Path::default());
    Action::User(UserAction::Create { name, path, id, tags: Tags::default(), boundary: None })
}

fn create_user(world: &mut World, caller: Caller) -> Result<Vec<EventKind>, Rejection> {
    let id = base32_id("AIDA", world.random()).parse().unwrap();
    let action = creation("new", id);
    world.by(caller, A, action)
}

/// Protects that a group's permissions are its users', as long as they are in it.
#[test]
fn a_group_grants_while_the_user_is_in_it() {
    let mut world = makers();
    let ana = world.user(A, "ana");
    create_user(&mut world, ana.clone()).unwrap();
    world.root(A, remove("Makers", "ana"));
    let refused = create_user(&mut world, ana).unwrap_err();
    assert_eq!(refused.code(), "AccessDenied");
    assert!(refused.to_string().contains("no identity-based policy allows"), "{refused}");
}

/// Protects against entities that disappear while others still point at them, and tells what to do first.
#[test]
fn what_is_in_use_is_not_deleted() {
    let mut world = makers();
    let told = |world: &mut World, action| world.by(root(A), A, action).unwrap_err().to_string();
    let delete_user = Action::User(UserAction::Delete { name: "ana".parse().unwrap() });
    let delete_group = Action::Group(GroupAction::Delete { name: "makers".parse().unwrap() });
    assert!(told(&mut world, delete_user.clone()).contains("remove users from group"));
    assert!(told(&mut world, delete_group.clone()).contains("remove users from group"));
    world.root(A, remove("Makers", "ana"));
    assert!(told(&mut world, delete_group.clone()).contains("delete and detach policies"));
    let name = "main".parse().unwrap();
    world.root(A, Action::Policy(PolicyAction::DeleteInline { owner: group("Makers"), name }));
    world.root(A, delete_group);
    world.root(A, delete_user);
    assert_eq!(
        told(&mut world, add("Makers", "ana")),
        "the group with name Makers cannot be found"
    );
}

/// Protects against a boundary that would bind nobody: groups have none.
#[test]
fn a_group_takes_no_boundary() {
    let mut world = makers();
    let policy_arn = "arn:aws:iam::111111111111:policy/None".parse().unwrap();
    let action = Action::Policy(PolicyAction::PutBoundary { owner: group("Makers"), policy_arn });
    let refused = world.by(root(A), A, action).unwrap_err();
    assert!(refused.to_string().contains("a group has no permissions boundary"), "{refused}");
}

fn guardrail(kind: GuardrailKind, target: Option<&str>) -> GuardrailRef {
    GuardrailRef { kind, target: target.map(account), name: "limit".parse().unwrap() }
}

fn put(world: &mut World, kind: GuardrailKind, target: Option<&str>, statement: &str) {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    let policy = Policy::parse(&text, kind.policy_kind()).unwrap();
    let action =
        Action::Guardrail(GuardrailAction::Put { guardrail: guardrail(kind, target), policy });
    world.root(OPERATOR, action);
}

const ALLOW_S3: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
const ALLOW_ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
const DENY_USERS: &str = r#"{"Effect":"Deny","Action":"iam:CreateUser","Resource":"*"}"#;

/// Protects the operator's last word: a guardrail binds administrators and the root of an account.
#[test]
fn every_level_of_guardrails_has_to_allow() {
    use GuardrailKind::ServiceControl;
    let mut world = makers();
    let ana = world.user(A, "ana");
    put(&mut world, ServiceControl, None, ALLOW_ALL);
    create_user(&mut world, ana.clone()).unwrap();
    put(&mut world, ServiceControl, Some(A), ALLOW_S3);
    for caller in [ana.clone(), root(A)] {
        let refused = create_user(&mut world, caller).unwrap_err().to_string();
        assert!(refused.contains("because no service control policy allows"), "{refused}");
    }
    put(&mut world, ServiceControl, Some(A), &format!("{ALLOW_ALL},{DENY_USERS}"));
    let refused = create_user(&mut world, ana.clone()).unwrap_err().to_string();
    assert!(refused.ends_with("with an explicit deny in a service control policy"), "{refused}");
    let guardrail = guardrail(ServiceControl, Some(A));
    world.root(OPERATOR, Action::Guardrail(GuardrailAction::Delete { guardrail }));
    world.root(A, Action::User(UserAction::Delete { name: "new".parse().unwrap() }));
    create_user(&mut world, ana).unwrap();
}

/// Protects the operator from locking itself out.
#[test]
fn guardrails_do_not_bind_the_operator() {
    let mut world = makers();
    put(&mut world, GuardrailKind::ServiceControl, None, DENY_USERS);
    let id = base32_id("AIDA", world.random()).parse().unwrap();
    let action = creation("ops", id);
    assert!(world.by(root(OPERATOR), OPERATOR, action).is_ok());
    let policy = Policy::parse(
        &format!(r#"{{"Version":"2012-10-17","Statement":{DENY_USERS}}}"#),
        PolicyKind::ServiceControl,
    );
    let guardrail = guardrail(GuardrailKind::ServiceControl, Some(OPERATOR));
    let action = Action::Guardrail(GuardrailAction::Put { guardrail, policy: policy.unwrap() });
    let refused = world.by(root(OPERATOR), OPERATOR, action).unwrap_err();
    assert_eq!(refused.code(), "ValidationError");
}

/// Protects an account's roles from callers of other accounts, whatever the roles' own policies say.
#[test]
fn a_resource_guardrail_binds_callers_of_other_accounts() {
    let mut world = makers();
    world.create_role(A, "Open", &trust(r#"{"AWS":"*"}"#));
    world.create_user(B, "bob");
    world.put_policy(B, of_user("bob"), allow(&["sts:*"], "*"));
    let bob = world.user(B, "bob");
    let assume = world.assume(A, "Open", 900);
    world.by(bob.clone(), A, assume.clone()).unwrap();
    let statement = r#"{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*",
        "Condition":{"StringNotEquals":{"aws:PrincipalAccount":"111111111111"}}}"#;
    put(&mut world, GuardrailKind::ResourceControl, Some(A), statement);
    let refused = world.by(bob, A, assume).unwrap_err().to_string();
    assert!(refused.ends_with("with an explicit deny in a resource control policy"), "{refused}");
}

/// Protects accounts from being found out: whom a role admits nowhere is told the same, with the same evidence,
/// whether its account is there, has guardrails, has the role, or shuts the caller out explicitly; what the
/// caller's own policies say of its tags shows nothing either.
#[test]
fn a_role_that_does_not_admit_is_as_one_that_is_not_there() {
    const ELSEWHERE: &str = "333333333333";
    let probe = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*",
        "Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}}]}"#;
    let probe = Policy::parse(probe, PolicyKind::Identity).unwrap();
    for policy in [allow(&["sts:*"], "*"), probe] {
        let (mut world, mut told) = (makers(), Vec::new());
        world.create_user(B, "bob");
        let bob = world.user(B, "bob");
        world.put_policy(B, of_user("bob"), policy);
        let mut refusal = |world: &mut World| {
            let assume = world.assume(ELSEWHERE, "Shut", 900);
            let refused = world.by(bob.clone(), ELSEWHERE, assume).unwrap_err();
            let Rejection::AccessDenied(denied) = refused else { panic!("{refused}") };
            let Evidence { trace, context, .. } = *denied.evidence.unwrap();
            let keys: Vec<_> = context.iter().map(|(key, _)| key.to_owned()).collect();
            told.push((denied.message, trace, keys));
        };
        refusal(&mut world);
        world.create_account(ELSEWHERE);
        refusal(&mut world);
        let others = r#"{"Effect":"Deny","Principal":"*","Action":"sts:*","Resource":"*"}"#;
        put(&mut world, GuardrailKind::ResourceControl, Some(ELSEWHERE), others);
        refusal(&mut world);
        let shut = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"333333333333"}},
            {"Effect":"Deny","Action":"sts:AssumeRole","Principal":"*"}]}"#;
        let shut = Policy::parse(shut, PolicyKind::Trust).unwrap();
        world.create_role(ELSEWHERE, "Shut", &shut);
        let owner = TagOwner::Role("Shut".parse().unwrap());
        let tags = Tags::of_request([("team", "red")]).unwrap();
        world.root(ELSEWHERE, Action::Tag(TagAction::Tag { owner, tags }));
        refusal(&mut world);
        for refused in &told[1..] {
            assert_eq!(*refused, told[0]);
        }
    }
}

/// Protects guardrails from those they bind.
#[test]
fn only_the_operator_puts_guardrails() {
    let mut world = makers();
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{ALLOW_ALL}}}"#);
    let policy = Policy::parse(&text, PolicyKind::ServiceControl).unwrap();
    let guardrail = guardrail(GuardrailKind::ServiceControl, Some(A));
    let action = Action::Guardrail(GuardrailAction::Put { guardrail, policy });
    let refused = world.by(root(A), OPERATOR, action).unwrap_err();
    assert_eq!(refused.code(), "AccessDenied");
    assert!(world.state.guardrails(GuardrailKind::ServiceControl, Some(account(A))).is_none());
    assert_eq!(AccountId::OPERATOR, account(OPERATOR));
}

/// Protects service-linked roles' exemption from being claimed by tenants.
#[test]
fn tenants_make_no_service_linked_roles() {
    let mut world = makers();
    let action = Action::Role(RoleAction::Create {
        name: "mine".parse().unwrap(),
        path: Path::parse("/aws-service-role/mine/").unwrap(),
        id: base32_id("AROA", world.random()).parse().unwrap(),
        description: std::sync::Arc::from(""),
        max_session: std::time::Duration::from_secs(3600),
        trust: trust(r#"{"AWS":"*"}"#),
        tags: Tags::default(),
        boundary: None,
    });
    let refused = world.by(root(A), A, action).unwrap_err();
    assert!(refused.to_string().contains("/aws-service-role/"), "{refused}");
}
