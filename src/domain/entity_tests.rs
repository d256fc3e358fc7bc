//! Tags, new names, versions of policies, policies that AWS manages, service-linked roles, aliases.

use std::sync::Arc;

use super::access::Caller;
use super::command::{
    AccessKeyAction, AccountAction, Action, GroupAction, PolicyAction, RoleAction, TagAction,
    UserAction,
};
use super::entity::TagOwner;
use super::event::{EventKind, KeyOwner, PolicyEvent, PolicyOwner};
use super::rejection::Rejection;
use super::tags::Tags;
use super::testing::*;
use crate::identity::{Arn, Path, base32_id};
use crate::policy::{Policy, PolicyKind};

fn tags(pairs: &[(&str, &str)]) -> Tags {
    Tags::of_request(pairs.iter().copied()).unwrap()
}

fn tag(owner: TagOwner, pairs: &[(&str, &str)]) -> Action {
    Action::Tag(TagAction::Tag { owner, tags: tags(pairs) })
}

fn role(name: &str) -> TagOwner {
    TagOwner::Role(name.parse().unwrap())
}

fn user(name: &str) -> TagOwner {
    TagOwner::User(name.parse().unwrap())
}

fn arn(name: &str) -> Arn {
    format!("arn:aws:iam::{A}:policy/{name}").parse().unwrap()
}

fn create_policy(world: &mut World, name: &str, policy: Policy) {
    let action = Action::Policy(PolicyAction::Create {
        name: name.parse().unwrap(),
        path: Path::default(),
        id: base32_id("ANPA", world.random()).parse().unwrap(),
        description: Arc::from(""),
        policy,
        tags: Tags::default(),
    });
    world.root(A, action);
}

fn create_version(name: &str, policy: Policy, default: bool) -> Action {
    Action::Policy(PolicyAction::CreateVersion { policy_arn: arn(name), policy, default })
}

fn set_default(name: &str, version: u32) -> Action {
    Action::Policy(PolicyAction::SetDefaultVersion { policy_arn: arn(name), version })
}

fn delete_version(name: &str, version: u32) -> Action {
    Action::Policy(PolicyAction::DeleteVersion { policy_arn: arn(name), version })
}

fn rename(name: &str, new_name: &str) -> Action {
    let (name, new_name) = (name.parse().unwrap(), Some(new_name.parse().unwrap()));
    let new_path = Some(Path::parse("/moved/").unwrap());
    Action::User(UserAction::Update { name, new_name, new_path })
}

fn service_linked(world: &mut World, service: &str) -> Action {
    Action::Role(RoleAction::CreateServiceLinked {
        service: Arc::from(service),
        suffix: None,
        description: Arc::from(""),
        id: base32_id("AROA", world.random()).parse().unwrap(),
    })
}

fn alias(text: &str) -> Action {
    Action::Account(AccountAction::CreateAlias { alias: text.parse().unwrap() })
}

/// What this module is about, in a world where the role Other, the user dev in the group Makers, the
/// profile Other and the policy Bound are.
pub(crate) fn happen(world: &mut World) {
    for owner in [role("Other"), user("dev"), TagOwner::Profile("Other".parse().unwrap())] {
        world.root(A, tag(owner, &[("Team", "red"), ("Stage", "")]));
    }
    world.root(A, tag(TagOwner::Policy("Bound".parse().unwrap()), &[("Team", "red")]));
    let keys = vec!["stage".parse().unwrap()];
    world.root(A, Action::Tag(TagAction::Untag { owner: role("Other"), keys }));
    for default in [false, true, false] {
        world.root(A, create_version("Bound", allow(&["s3:*"], "*"), default));
    }
    world.root(A, set_default("Bound", 3));
    world.root(A, delete_version("Bound", 1));
    world.root(A, delete_version("Bound", 5));
    let policy_arn: Arn = "arn:aws:iam::aws:policy/ReadOnlyAccess".parse().unwrap();
    for owner in [of_role("Other"), PolicyOwner::Group("Makers".parse().unwrap())] {
        world.root(
            A,
            Action::Policy(PolicyAction::Attach { owner, policy_arn: policy_arn.clone() }),
        );
    }
    world
        .root(A, Action::Policy(PolicyAction::PutBoundary { owner: of_role("Other"), policy_arn }));
    world.create_user(A, "second");
    let (group, user) = ("Makers".parse().unwrap(), "second".parse().unwrap());
    world.root(A, Action::Group(GroupAction::AddUser { group, user }));
    world.root(A, rename("second", "Zweite"));
    let (name, new_name) = ("makers".parse().unwrap(), Some("Builders".parse().unwrap()));
    world.root(A, Action::Group(GroupAction::Update { name, new_name, new_path: None }));
    let create = service_linked(world, "ecs.amazonaws.com");
    world.root(A, create);
    let create = service_linked(world, "access-analyzer.amazonaws.com");
    world.root(A, create);
    let name = "AWSServiceRoleForECS".parse().unwrap();
    world.root(A, Action::Role(RoleAction::DeleteServiceLinked { name, task: Arc::from("1") }));
    world.root(A, alias("first"));
    let alias_of = |text: &str| text.parse().unwrap();
    world.root(A, Action::Account(AccountAction::DeleteAlias { alias: alias_of("first") }));
    world.root(A, alias("second"));
}

fn small_world() -> World {
    let mut world = World::default();
    world.create_account(A);
    world.create_account(B);
    world.create_user(A, "ana");
    world.create_role(A, "Worker", &trust(r#"{"AWS":"111111111111"}"#));
    world
}

fn code(result: Result<Vec<EventKind>, Rejection>) -> &'static str {
    result.unwrap_err().code()
}

fn statement(text: &str) -> Policy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{text}}}"#);
    Policy::parse(&text, PolicyKind::Identity).unwrap()
}

/// Protects those who may tag with some tags alone from doing it with others, also while they create.
#[test]
fn tags_are_set_only_as_policies_allow() {
    let mut world = small_world();
    let ana = world.user(A, "ana");
    let policy = statement(
        r#"[{"Effect":"Allow","Action":["iam:CreateUser","iam:TagUser"],"Resource":"*",
            "Condition":{"StringEquals":{"aws:RequestTag/team":"red"},
                "ForAllValues:StringEquals":{"aws:TagKeys":["Team"]}}}]"#,
    );
    world.put_policy(A, of_user("ana"), policy);
    let create = |world: &mut World, tags: Tags| {
        let id = base32_id("AIDA", world.random()).parse().unwrap();
        let (name, path) = ("new".parse().unwrap(), Path::default());
        Action::User(UserAction::Create { name, path, id, tags, boundary: None })
    };
    for refused in [&[][..], &[("Team", "blue")], &[("Team", "red"), ("Stage", "x")]] {
        let action = create(&mut world, tags(refused));
        assert_eq!(code(world.by(ana.clone(), A, action)), "AccessDenied", "{refused:?}");
    }
    let action = create(&mut world, tags(&[("Team", "red")]));
    let kinds = world.by(ana.clone(), A, action).unwrap();
    assert_eq!(kinds.iter().map(EventKind::name).collect::<Vec<_>>(), ["UserCreated", "Tagged"]);
    assert_eq!(code(world.by(ana, A, tag(role("Worker"), &[("Team", "red")]))), "AccessDenied");
}

/// Protects the rules of tags: no key twice in any case, none of the service's own, 50 at most.
#[test]
fn tags_keep_to_their_rules() {
    let mut world = small_world();
    assert_eq!(Tags::of_request([("a", "1"), ("A", "2")]).unwrap_err().code(), "InvalidInput");
    assert_eq!(Tags::of_request([("aws:x", "1")]).unwrap_err().code(), "InvalidInput");
    assert_eq!(Tags::of_request([("", "1")]).unwrap_err().code(), "ValidationError");
    assert_eq!(code(world.by(root(A), A, tag(role("Nobody"), &[("a", "1")]))), "NoSuchEntity");
    let keys: Vec<_> = (0..50).map(|n| format!("k{n}")).collect();
    let pairs: Vec<_> = keys.iter().map(|key| (key.as_str(), "v")).collect();
    world.root(A, tag(role("Worker"), &pairs));
    assert_eq!(code(world.by(root(A), A, tag(role("Worker"), &[("more", "")]))), "LimitExceeded");
    // Another spelling is the same key.
    world.root(A, tag(role("worker"), &[("K0", "w")]));
    let account = world.state.account(account(A)).unwrap();
    let worker = account.role(&"Worker".parse().unwrap()).unwrap();
    let (key, value) = worker.tags.get(&"k0".parse().unwrap()).unwrap();
    assert_eq!((key.as_str(), value.as_str(), worker.tags.len()), ("K0", "w", 50));
}

/// Protects access by attributes: the tags of user and role count, a session's own come before them, and
/// the tags of what is acted on are those that it has.
#[test]
fn tags_of_principal_and_resource_are_condition_keys() {
    let mut world = small_world();
    let policy = statement(
        r#"{"Effect":"Allow","Action":"iam:DeleteRole","Resource":"*","Condition":{
            "StringEquals":{"iam:ResourceTag/Team":"${aws:PrincipalTag/team}"}}}"#,
    );
    world.put_policy(A, of_user("ana"), policy.clone());
    world.put_policy(A, of_role("Worker"), policy);
    world.create_role(A, "Target", &trust(r#"{"AWS":"111111111111"}"#));
    world.root(A, tag(role("Target"), &[("Team", "red")]));
    let ana = world.user(A, "ana");
    let delete = || Action::Role(RoleAction::Delete { name: "Target".parse().unwrap() });
    assert_eq!(code(world.by(ana.clone(), A, delete())), "AccessDenied");
    world.root(A, tag(user("ana"), &[("team", "blue")]));
    assert_eq!(code(world.by(ana, A, delete())), "AccessDenied");
    world.root(A, tag(role("Worker"), &[("TEAM", "red")]));
    let mut session = world.session(A, "Worker", "one");
    let facts = super::access::CallerSession {
        tags: [(Arc::from("Team"), Arc::from("blue"))].into(),
        ..session_facts()
    };
    session.session = Some(Arc::new(facts));
    assert_eq!(code(world.by(session.clone(), A, delete())), "AccessDenied");
    session.session = Some(Arc::new(session_facts()));
    assert!(world.by(session, A, delete()).is_ok());
}

fn session_facts() -> super::access::CallerSession {
    super::access::CallerSession {
        issued_at: crate::clock::Timestamp::from_unix_seconds(1_764_000_000),
        expires_at: crate::clock::Timestamp::from_unix_seconds(1_764_003_600),
        policy: None,
        policy_arns: Vec::new(),
        tags: std::collections::BTreeMap::new(),
        transitive_tag_keys: Vec::new(),
        source_identity: None,
        chain_depth: 0,
        instance: None,
        delivery: None,
        ancestors: Vec::new(),
        mfa_at: None,
        web_identity: None,
        federator: None,
    }
}

/// Protects versions: five at most, the default one cannot go, numbers are not given twice, and what
/// counts is the default version.
#[test]
fn the_default_version_of_a_policy_counts() {
    let mut world = small_world();
    create_policy(&mut world, "P", allow(&["iam:GetUser"], "*"));
    world.root(
        A,
        Action::Policy(PolicyAction::Attach { owner: of_user("ana"), policy_arn: arn("P") }),
    );
    let ana = world.user(A, "ana");
    world.root(A, create_version("P", allow(&["iam:DeleteRole"], "*"), false));
    let delete = Action::Role(RoleAction::Delete { name: "Worker".parse().unwrap() });
    assert_eq!(code(world.by(ana.clone(), A, delete.clone())), "AccessDenied");
    assert_eq!(code(world.by(root(A), A, delete_version("P", 1))), "DeleteConflict");
    assert_eq!(code(world.by(root(A), A, set_default("P", 9))), "NoSuchEntity");
    for _ in 3..=5 {
        world.root(A, create_version("P", allow(&["iam:GetUser"], "*"), false));
    }
    let sixth = || create_version("P", allow(&["iam:*"], "*"), false);
    assert_eq!(code(world.by(root(A), A, sixth())), "LimitExceeded");
    world.root(A, delete_version("P", 5));
    let made = world.root(A, sixth());
    assert!(
        matches!(made[..], [EventKind::Policy(PolicyEvent::VersionCreated { version: 6, .. })]),
        "{made:?}"
    );
    world.root(A, set_default("P", 2));
    world.by(ana, A, delete).unwrap();
    world.root(
        A,
        Action::Policy(PolicyAction::Detach { owner: of_user("ana"), policy_arn: arn("P") }),
    );
    let told = world
        .by(root(A), A, Action::Policy(PolicyAction::Delete { policy_arn: arn("P") }))
        .unwrap_err();
    assert!(told.to_string().contains("delete the versions"), "{told}");
    for version in [1, 3, 4, 6] {
        world.root(A, delete_version("P", version));
    }
    world.root(A, Action::Policy(PolicyAction::Delete { policy_arn: arn("P") }));
}

/// Protects policies that AWS manages from the account's, and the account's of the same name from AWS's.
#[test]
fn policies_of_aws_are_attached_and_never_changed() {
    let mut world = small_world();
    create_policy(&mut world, "AdministratorAccess", allow(&["s3:GetObject"], "*"));
    let aws: Arn = "arn:aws:iam::aws:policy/AdministratorAccess".parse().unwrap();
    let ana = world.user(A, "ana");
    let own = arn("AdministratorAccess");
    world.root(
        A,
        Action::Policy(PolicyAction::Attach { owner: of_user("ana"), policy_arn: own.clone() }),
    );
    let delete = || Action::Role(RoleAction::Delete { name: "Worker".parse().unwrap() });
    assert_eq!(code(world.by(ana.clone(), A, delete())), "AccessDenied");
    let change = Action::Policy(PolicyAction::Delete { policy_arn: aws.clone() });
    assert_eq!(code(world.by(root(A), A, change)), "AccessDenied");
    world.root(
        A,
        Action::Policy(PolicyAction::Attach { owner: of_user("ana"), policy_arn: aws.clone() }),
    );
    world.root(
        A,
        Action::Policy(PolicyAction::Detach { owner: of_user("ana"), policy_arn: own.clone() }),
    );
    world.root(A, Action::Policy(PolicyAction::Delete { policy_arn: own }));
    world.by(ana, A, delete()).unwrap();
    let held = world.state.account(account(A)).unwrap();
    let policy = held.policy_by_arn(&aws).unwrap();
    assert_eq!(held.uses_of(policy).attachments, 1);
    assert_eq!(held.holders_of(&policy.reference().key()).attached, [of_user("ana")]);
}

/// Protects policies from being kept in use by entities that are gone.
#[test]
fn a_boundary_goes_with_whom_it_bounds() {
    let mut world = small_world();
    create_policy(&mut world, "Bound", allow(&["*"], "*"));
    for owner in [of_user("ana"), of_role("Worker")] {
        world
            .root(A, Action::Policy(PolicyAction::PutBoundary { owner, policy_arn: arn("Bound") }));
    }
    let delete = Action::Policy(PolicyAction::Delete { policy_arn: arn("Bound") });
    assert_eq!(code(world.by(root(A), A, delete.clone())), "DeleteConflict");
    world.root(A, Action::User(UserAction::Delete { name: "ana".parse().unwrap() }));
    world.root(A, Action::Role(RoleAction::Delete { name: "Worker".parse().unwrap() }));
    world.root(A, delete);
}

/// Protects delegated administration: who may create users with one boundary alone cannot leave it out.
#[test]
fn a_boundary_can_be_demanded_at_creation() {
    let mut world = small_world();
    create_policy(&mut world, "Bound", allow(&["s3:*"], "*"));
    let policy = statement(
        r#"{"Effect":"Allow","Action":"iam:CreateUser","Resource":"*","Condition":{"StringEquals":{
            "iam:PermissionsBoundary":"arn:aws:iam::111111111111:policy/Bound"}}}"#,
    );
    world.put_policy(A, of_user("ana"), policy);
    let ana = world.user(A, "ana");
    let create = |boundary: Option<Arn>| {
        Action::User(UserAction::Create {
            name: "new".parse().unwrap(),
            path: Path::default(),
            id: "AIDAAAAAAAAAAAAAAAAZZ".parse().unwrap(),
            tags: Tags::default(),
            boundary,
        })
    };
    for refused in [None, Some(arn("Other"))] {
        assert_eq!(code(world.by(ana.clone(), A, create(refused))), "AccessDenied");
    }
    let kinds = world.by(ana, A, create(Some(arn("Bound")))).unwrap();
    let names: Vec<_> = kinds.iter().map(EventKind::name).collect();
    assert_eq!(names, ["UserCreated", "BoundaryPut"]);
    assert_eq!(code(world.by(root(A), A, create(Some(arn("Nothing"))))), "EntityAlreadyExists");
}

/// Protects a user's keys, groups and policies through a new name, and the names of others.
#[test]
fn a_renamed_user_keeps_what_it_has() {
    let mut world = small_world();
    let key: crate::identity::AccessKeyId = "AKIAAAAAAAAAAAAAAAAB".parse().unwrap();
    let owner = KeyOwner::User("ana".parse().unwrap());
    world.root(A, Action::AccessKey(AccessKeyAction::Create { owner, key: key.clone() }));
    world.put_policy(A, of_user("ana"), allow(&["iam:DeleteRole"], "*"));
    world.create_user(A, "taken");
    assert_eq!(code(world.by(root(A), A, rename("ana", "TAKEN"))), "EntityAlreadyExists");
    let ana = world.user(A, "ana");
    assert_eq!(code(world.by(ana, A, rename("ana", "root"))), "AccessDenied");
    world.root(A, rename("ana", "Anna"));
    let owner = world.state.key(&key).unwrap().owner;
    assert_eq!(owner, KeyOwner::User("Anna".parse().unwrap()));
    let anna = world.user(A, "anna");
    assert_eq!(anna.principal.arn().as_ref(), "arn:aws:iam::111111111111:user/moved/Anna");
    let delete = Action::Role(RoleAction::Delete { name: "Worker".parse().unwrap() });
    world.by(anna, A, delete).unwrap();
    assert_eq!(code(world.by(root(A), A, rename("ana", "x"))), "NoSuchEntity");
}

/// Protects service-linked roles: tenants change nothing in them and delete them by their own call.
#[test]
fn a_service_linked_role_is_the_services() {
    let mut world = small_world();
    for bad in ["ecs", "", "x y.amazonaws.com"] {
        let create = service_linked(&mut world, bad);
        assert_eq!(code(world.by(root(A), A, create)), "ValidationError", "{bad}");
    }
    let create = service_linked(&mut world, "ecs.amazonaws.com");
    world.root(A, create);
    let again = service_linked(&mut world, "ecs.amazonaws.com");
    assert_eq!(code(world.by(root(A), A, again)), "InvalidInput");
    let name: crate::identity::RoleName = "AWSServiceRoleForECS".parse().unwrap();
    let owner = PolicyOwner::Role(name.clone());
    let (inline, policy) = ("p".parse().unwrap(), allow(&["*"], "*"));
    let changes = [
        Action::Policy(PolicyAction::PutInline { owner, name: inline, policy }),
        Action::Role(RoleAction::UpdateTrust {
            role: name.clone(),
            trust: trust(r#"{"AWS":"*"}"#),
        }),
        Action::Role(RoleAction::Delete { name: name.clone() }),
    ];
    for change in changes {
        assert_eq!(code(world.by(root(A), A, change)), "UnmodifiableEntity");
    }
    let delete = |name: &str| {
        let name = name.parse().unwrap();
        Action::Role(RoleAction::DeleteServiceLinked { name, task: Arc::from("t") })
    };
    assert_eq!(code(world.by(root(A), A, delete("Worker"))), "NoSuchEntity");
    world.root(A, delete(name.as_str()));
    let held = world.state.account(account(A)).unwrap();
    let task = "task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/t";
    assert_eq!(held.deletion_tasks.iter().map(|t| &**t).collect::<Vec<_>>(), [task]);
    assert!(held.role(&name).is_none());
}

/// Protects the one name space that accounts share.
#[test]
fn an_alias_is_one_accounts() {
    let mut world = small_world();
    assert!("-no".parse::<crate::identity::AccountAlias>().is_err());
    let ana = world.user(A, "ana");
    assert_eq!(code(world.by(ana, A, alias("mine"))), "AccessDenied");
    world.root(A, alias("mine"));
    assert_eq!(code(world.by(root(B), B, alias("mine"))), "EntityAlreadyExists");
    world.root(A, alias("other"));
    world.root(B, alias("mine"));
    let none = Action::Account(AccountAction::DeleteAlias { alias: "mine".parse().unwrap() });
    assert_eq!(code(world.by(root(A), A, none)), "NoSuchEntity");
}

/// Protects an account from growing without end.
#[test]
fn an_account_holds_so_many_roles() {
    let mut state = small_world().state;
    let command = |n: usize| {
        let action = Action::Role(RoleAction::Create {
            name: format!("r{n}").parse().unwrap(),
            path: Path::default(),
            id: "AROAAAAAAAAAAAAAAAAZZ".parse().unwrap(),
            description: Arc::from(""),
            max_session: std::time::Duration::from_secs(3600),
            trust: trust(r#"{"AWS":"*"}"#),
            tags: Tags::default(),
            boundary: None,
        });
        let mut world = World::default();
        world.command(A, Caller::service(), action)
    };
    for n in 0..999 {
        let fact = super::decide::decide(&state, &command(n)).unwrap().unwrap();
        state.apply(n as u64 + 100, &fact).unwrap();
    }
    let refused = super::decide::decide(&state, &command(999)).unwrap_err();
    assert_eq!(refused.to_string(), "cannot exceed quota for RolesPerAccount: 1000");
}
