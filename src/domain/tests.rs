//! The stories of "IAM roles for Amazon EC2" and its rules, as commands and the events they lead to.

use std::convert::Infallible;

use super::command::{
    AccessKeyAction, AccountAction, Action, AgentAction, GroupAction, GuardrailAction,
    InstallationAction, InstanceAction, PolicyAction, ProfileAction, ProfileRef, RevocationTarget,
    RoleAction, SessionAction,
};
use super::event::{
    EventKind, Fact, GuardrailKind, GuardrailRef, InstanceEvent, PolicyOwner, SessionEvent,
};
use super::last_use::{CredentialUse, LastUse};
use super::mfa::MfaAction;
use super::oidc::{KeySource, OidcAction, OidcProvider};
use super::quotas::Quota;
use super::rejection::Rejection;
use super::state::State;
use super::tags::Tags;
use super::testing::*;
use crate::identity::Arn;
use crate::policy::{Policy, PolicyKind};
use crate::signing::ConsecutiveCodes;

fn ec2_trust() -> Policy {
    Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap()
}

/// Account A with a role Get-pics in a profile, and a developer who may launch.
fn get_pics() -> World {
    let mut world = World::default();
    world.create_account(A);
    world.create_role(A, "Get-pics", &ec2_trust());
    world.create_role(A, "Other", &ec2_trust());
    world.put_policy(A, of_role("Get-pics"), allow(&["s3:GetObject"], "arn:aws:s3:::photos/*"));
    world.create_profile(A, "Get-pics");
    world.create_profile(A, "Other");
    world.create_user(A, "dev");
    let may = allow(&["ec2:RunInstances", "ec2:AssociateIamInstanceProfile"], "*");
    world.put_policy(A, of_user("dev"), may);
    world
}

fn may_pass_get_pics(world: &mut World) {
    let policy = allow(&["iam:PassRole"], "arn:aws:iam::111111111111:role/Get-pics");
    let (owner, name) = (of_user("dev"), "pass".parse().unwrap());
    world.root(A, Action::Policy(PolicyAction::PutInline { owner, name, policy }));
}

fn message(rejection: Result<Vec<EventKind>, Rejection>) -> String {
    rejection.unwrap_err().to_string()
}

/// Protects roles from being passed by those who may not: the refusal names iam:PassRole and the role.
#[test]
fn a_developer_launches_only_with_a_role_that_may_be_passed() {
    let mut world = get_pics();
    let dev = world.user(A, "dev");
    let (_, launch) = world.launch(Some("Get-pics"));
    let told = message(world.by(dev.clone(), A, launch));
    assert!(
        told.contains("iam:PassRole") && told.contains("arn:aws:iam::111111111111:role/Get-pics")
    );
    may_pass_get_pics(&mut world);
    let (id, launch) = world.launch(Some("Get-pics"));
    let kinds = world.by(dev.clone(), A, launch).unwrap();
    let names: Vec<_> = kinds.iter().map(EventKind::name).collect();
    assert_eq!(
        names,
        ["InstanceLaunched", "AccessKeyCreated", "ProfileAssociated", "CredentialsRotated"]
    );
    assert!(world.state.account(account(A)).unwrap().instances.contains(&id));
    let (_, launch) = world.launch(Some("Other"));
    let told = message(world.by(dev, A, launch));
    assert!(told.contains("arn:aws:iam::111111111111:role/Other"), "{told}");
}

/// Protects the rule of one role: in a profile, and on an instance.
#[test]
fn one_role_at_a_time() {
    let mut world = get_pics();
    let second = Action::Profile(ProfileAction::AddRole {
        profile: "Get-pics".parse().unwrap(),
        role: "Other".parse().unwrap(),
    });
    let told = world.by(root(A), A, second).unwrap_err();
    assert_eq!(told.code(), "LimitExceeded");
    let (id, launch) = world.launch(Some("Get-pics"));
    world.root(A, launch);
    let action = Action::Instance(InstanceAction::AssociateProfile {
        instance: id,
        profile: ProfileRef::Name("Other".parse().unwrap()),
        association: "iip-assoc-0123456789abcdef0".parse().unwrap(),
        minting: world.minting(),
    });
    let told = world.by(root(A), A, action).unwrap_err();
    assert_eq!(told.code(), "IncorrectState");
}

/// Protects metadata: each change counts up the generation, and the old role's set goes with it.
#[test]
fn a_replaced_profile_brings_its_own_credentials_only() {
    let mut world = get_pics();
    let (id, launch) = world.launch(Some("Get-pics"));
    world.root(A, launch);
    let instance =
        |world: &World| world.state.account(account(A)).unwrap().instances.get(&id).unwrap();
    let before = instance(&world);
    let first = before.association.clone().unwrap();
    let minting = world.minting();
    let replace = Action::Instance(InstanceAction::ReplaceProfile {
        association: first.id,
        profile: ProfileRef::Name("Other".parse().unwrap()),
        new_association: "iip-assoc-0123456789abcdef0".parse().unwrap(),
        minting,
    });
    world.root(A, replace.clone());
    let after = instance(&world);
    assert!(after.generation > before.generation);
    let credentials = after.association.clone().unwrap().credentials.unwrap();
    assert_eq!(credentials.role.as_str(), "Other");
    assert_eq!(credentials.epoch, 1);
    assert_eq!(world.by(root(A), A, replace).unwrap_err().code(), "InvalidAssociationID.NotFound");
    let association = after.association.unwrap().id;
    world.root(A, Action::Instance(InstanceAction::DisassociateProfile { association }));
    assert_eq!(instance(&world).association, None);
}

/// Protects an instance whose role does not trust the EC2 service: no credentials, and the reason is kept.
#[test]
fn a_role_that_does_not_trust_ec2_gives_no_credentials() {
    let mut world = get_pics();
    world.create_role(A, "People", &trust(r#"{"AWS":"111111111111"}"#));
    world.create_profile(A, "People");
    let (_, launch) = world.launch(Some("People"));
    let kinds = world.root(A, launch);
    assert!(
        matches!(&kinds[3], EventKind::Instance(InstanceEvent::CredentialsRefused { code, .. })
        if &**code == "AssumeRoleUnauthorizedAccess")
    );
}

/// Protects both sides of a cross-account call, and the hour of a chained session.
#[test]
fn switching_to_a_role_of_another_account_needs_both_sides() {
    let mut world = get_pics();
    world.create_account(B);
    world.create_role(A, "abcd", &ec2_trust());
    let caller = world.session(A, "abcd", "i-0123456789abcdef0");
    let assume = world.assume(B, "efgh", 3600);
    let nobody = message(world.by(caller.clone(), B, assume));
    world.create_role(B, "efgh", &trust(r#"{"Service":"ec2.amazonaws.com"}"#));
    let assume = world.assume(B, "efgh", 3600);
    let untrusted = message(world.by(caller.clone(), B, assume));
    assert!(untrusted.contains("no resource-based policy allows the sts:AssumeRole action"));
    // A role that is not there is told as one that trusts nobody.
    assert_eq!(nobody, untrusted);
    let role = "efgh".parse().unwrap();
    let open = trust(r#"{"AWS":"arn:aws:iam::111111111111:role/abcd"}"#);
    world.root(B, Action::Role(RoleAction::UpdateTrust { role, trust: open }));
    let assume = world.assume(B, "efgh", 3600);
    let unable = message(world.by(caller.clone(), B, assume));
    assert!(unable.contains("no identity-based policy allows the sts:AssumeRole action"));
    let may = allow(&["sts:AssumeRole"], "arn:aws:iam::222222222222:role/efgh");
    world.put_policy(A, of_role("abcd"), may);
    let assume = world.assume(B, "efgh", 3601);
    let long = message(world.by(caller.clone(), B, assume));
    assert!(long.contains("1 hour session limit for roles assumed by role chaining"));
    let assume = world.assume(B, "efgh", 3600);
    let kinds = world.by(caller, B, assume).unwrap();
    assert!(
        matches!(&kinds[..], [EventKind::Session(SessionEvent::Issued { session })] if session.chain_depth == 1)
    );
}

/// Protects a deleted role's trust from its successor of the same name.
#[test]
fn a_successor_of_the_same_name_is_not_trusted() {
    let mut world = get_pics();
    world.create_role(A, "worker", &ec2_trust());
    let named = trust(r#"{"AWS":"arn:aws:iam::111111111111:role/worker"}"#);
    world.create_role(A, "target", &named);
    let caller = world.session(A, "worker", "one");
    let assume = world.assume(A, "target", 3600);
    assert!(world.by(caller, A, assume).is_ok());
    world.root(A, Action::Role(RoleAction::Delete { name: "worker".parse().unwrap() }));
    world.create_role(A, "worker", &ec2_trust());
    let caller = world.session(A, "worker", "one");
    let assume = world.assume(A, "target", 3600);
    assert_eq!(world.by(caller, A, assume).unwrap_err().code(), "AccessDenied");
}

/// Protects tenants from each other: an account's root can do nothing in another account.
#[test]
fn nobody_acts_in_another_account() {
    let mut world = get_pics();
    world.create_account(B);
    let actions = [
        Action::Role(RoleAction::Delete { name: "Get-pics".parse().unwrap() }),
        Action::AccessKey(AccessKeyAction::Create {
            owner: super::event::KeyOwner::Root,
            key: "AKIAAAAAAAAAAAAAAAAA".parse().unwrap(),
        }),
        Action::Account(AccountAction::Disable),
    ];
    for action in actions {
        assert_eq!(world.by(root(B), A, action).unwrap_err().code(), "AccessDenied");
    }
}

/// Protects a disabled account: nothing is issued or changed, and enabling brings everything back.
#[test]
fn a_disabled_account_does_nothing() {
    let mut world = get_pics();
    let service = super::access::Caller::service;
    world.by(service(), A, Action::Account(AccountAction::Disable)).unwrap();
    let (_, launch) = world.launch(None);
    assert_eq!(world.by(root(A), A, launch.clone()).unwrap_err().code(), "AccessDenied");
    world.by(service(), A, Action::Account(AccountAction::Enable)).unwrap();
    assert!(world.by(root(A), A, launch).is_ok());
}

/// Protects restarts: the shortest history leads to the same state, with every kind of thing in it.
#[test]
fn the_shortest_history_leads_to_the_same_state() {
    let mut world = busy_world();
    let (id, launch) = world.launch(Some("Get-pics"));
    world.root(A, launch);
    world.root(A, Action::Instance(InstanceAction::Terminate { ids: vec![id] }));
    world.by(super::access::Caller::service(), B, Action::Account(AccountAction::Disable)).unwrap();
    assert_eq!(retold(&world.state), world.state);
}

/// Protects replay: the same facts lead to the same state.
#[test]
fn replay_leads_to_the_same_state() {
    let world = busy_world();
    let mut state = State::default();
    for (index, fact) in world.facts.iter().enumerate() {
        state.apply(index as u64 + 1, fact).unwrap();
    }
    assert_eq!(state, world.state);
}

fn retold(state: &State) -> State {
    let mut again = State::default();
    let mut take = |(sequence, fact): (u64, Fact)| -> Result<(), Infallible> {
        again.apply(sequence, &fact).unwrap();
        Ok(())
    };
    let Ok(()) = state.retell(&mut take);
    again.index_instances();
    again
}

/// Records uses, and revokes a session, an instance's and a role's.
fn use_and_revoke(world: &mut World, id: crate::identity::InstanceId) {
    let targets = [
        RevocationTarget::Session("ASIAAAAAAAAAAAAAAAAA".parse().unwrap()),
        RevocationTarget::Instance(id),
        RevocationTarget::Role("Get-pics".parse().unwrap()),
        RevocationTarget::User("bob".parse().unwrap()),
    ];
    let found = world.state.account(account(A)).unwrap();
    let (name, id) = (found.roles["other"].name.clone(), found.roles["other"].id.clone());
    let last = std::sync::Arc::new(LastUse {
        time: crate::clock::Timestamp::from_millis(1_764_000_000_123),
        service: std::sync::Arc::from("sts"),
        region: std::sync::Arc::from("us-east-1"),
    });
    let key = |text: &str| Some(text.parse().unwrap());
    let uses = vec![
        CredentialUse { key: key("AKIAAAAAAAAAAAAAAAAB"), role: None, last: last.clone() },
        CredentialUse { key: key("ASIAAAAAAAAAAAAAAAAA"), role: Some((name, id)), last },
    ];
    world
        .by(
            super::access::Caller::service(),
            A,
            Action::AccessKey(AccessKeyAction::RecordUses { uses }),
        )
        .unwrap();
    for (target, chained) in targets.into_iter().zip([true, false, true]) {
        let minting = world.minting();
        world.root(
            A,
            Action::Session(SessionAction::Revoke { target, before: None, chained, minting }),
        );
    }
}

/// A managed policy with a second version, attached to a role and bounding a user.
fn use_policies(world: &mut World) {
    let name: crate::identity::PolicyName = "Bound".parse().unwrap();
    let policy = allow(&["*"], "*");
    let (path, id) = (crate::identity::Path::default(), "ANPAAAAAAAAAAAAAAAAAA".parse().unwrap());
    let description = std::sync::Arc::from("all");
    let tags = super::tags::Tags::default();
    let create = Action::Policy(PolicyAction::Create {
        name,
        path,
        id,
        description,
        policy: policy.clone(),
        tags,
    });
    world.root(A, create);
    let policy_arn: crate::identity::Arn =
        "arn:aws:iam::111111111111:policy/Bound".parse().unwrap();
    world.root(
        A,
        Action::Policy(PolicyAction::CreateVersion {
            policy_arn: policy_arn.clone(),
            policy,
            default: true,
        }),
    );
    world.root(
        A,
        Action::Policy(PolicyAction::Attach {
            owner: of_role("Other"),
            policy_arn: policy_arn.clone(),
        }),
    );
    world.root(A, Action::Policy(PolicyAction::PutBoundary { owner: of_user("dev"), policy_arn }));
}

fn tagged() -> Tags {
    Tags::of_request([("Team", "red")]).unwrap()
}

/// What STS is shown: an MFA device of `dev`, and providers of every kind.
fn with_devices_and_providers(world: &mut World) {
    let id = "AMFAAAAAAAAAAAAAAAAAA".parse().unwrap();
    let (name, path) = ("phone".parse().unwrap(), crate::identity::Path::default());
    world.root(A, Action::Mfa(MfaAction::Create { name, path, id, tags: tagged() }));
    let serial_number: Arn = "arn:aws:iam::111111111111:mfa/phone".parse().unwrap();
    let owner = super::event::KeyOwner::User("dev".parse().unwrap());
    for step in [100, 200] {
        let codes = Some(ConsecutiveCodes { step, drift: -7 });
        let (serial_number, owner) = (serial_number.clone(), owner.clone());
        world.root(
            A,
            Action::Mfa(match step {
                100 => MfaAction::Enable { serial_number, owner, codes },
                _ => MfaAction::Resync { serial_number, owner, codes },
            }),
        );
    }
    let dev = world.user(A, "dev");
    world.by(dev, A, Action::Mfa(MfaAction::RefuseCode { serial_number })).unwrap();
    for keys in
        [KeySource::Discovery, KeySource::Url("https://a/k".into()), KeySource::Inline("{}".into())]
    {
        let issuer = format!("https://id-{}.example.com", world.facts.len()).parse().unwrap();
        let client_ids = vec!["app".into()];
        let provider = OidcProvider { issuer, client_ids, thumbprints: Vec::new(), keys };
        world.root(A, Action::Oidc(OidcAction::Create(provider, tagged())));
    }
}

/// Switches the metadata of an instance off, tells of its use, and renews its credentials.
fn use_metadata(world: &mut World, id: &crate::identity::InstanceId) {
    let options = super::metadata::MetadataChange { enabled: Some(false), ..Default::default() };
    world.root(
        A,
        Action::Instance(InstanceAction::ModifyMetadataOptions {
            instance: id.clone(),
            change: options,
        }),
    );
    let seen = super::usage::Seen { count: 2, last: crate::clock::Timestamp::EPOCH };
    let usage = super::usage::MetadataUsage {
        seen: [(super::usage::MetadataUse::Version1, seen)].into(),
        version_1_clients: [("curl".into(), seen)].into(),
    };
    let action =
        Action::Instance(InstanceAction::RecordMetadataUsage { usage: vec![(id.clone(), usage)] });
    world.by(super::access::Caller::service(), A, action).unwrap();
    let service = super::access::Caller::service();
    let rotate = world.renewal(id);
    world.by(service, A, rotate).unwrap();
}

/// A world in which most things have happened.
pub(crate) fn busy_world() -> World {
    let mut world = get_pics();
    world.create_account(B);
    world.create_account("000000000000");
    may_pass_get_pics(&mut world);
    let user_key = "AKIAAAAAAAAAAAAAAAAB".parse().unwrap();
    let owner = super::event::KeyOwner::User("dev".parse().unwrap());
    world.root(
        A,
        Action::AccessKey(AccessKeyAction::Create { owner: owner.clone(), key: user_key }),
    );
    let key = "AKIAAAAAAAAAAAAAAAAB".parse().unwrap();
    world.root(A, Action::AccessKey(AccessKeyAction::Update { owner, key, active: false }));
    use_policies(&mut world);
    let create = Action::Agent(AgentAction::Create {
        name: "host-1".parse().unwrap(),
        id: "AGNTAAAAAAAAAAAAAAAAA".parse().unwrap(),
        key: "AKIAAAAAAAAAAAAAAAAC".parse().unwrap(),
    });
    world.root(A, create);
    let dev = world.user(A, "dev");
    let (_, launch) = world.launch(Some("Get-pics"));
    world.by(dev, A, launch).unwrap();
    let (id, launch) = world.launch(Some("Other"));
    world.root(A, launch);
    use_metadata(&mut world, &id);
    use_and_revoke(&mut world, id);
    let assume = world.assume(A, "Open", 3600);
    world.create_role(A, "Open", &trust(r#"{"AWS":"*"}"#));
    let caller = world.session(A, "Other", "one");
    let kinds = world.by(caller, A, assume).unwrap();
    if let [EventKind::Session(SessionEvent::Issued { session })] = &kinds[..] {
        let key = Some(session.key.clone());
        let holder = super::access::Caller::of_session(account(A), session).unwrap();
        let assume = world.assume(A, "Open", 3600);
        world.by(super::access::Caller { key, ..holder }, A, assume).unwrap();
    }
    with_devices_and_providers(&mut world);
    let id = "AGPAAAAAAAAAAAAAAAAAA".parse().unwrap();
    let (name, path) = ("Makers".parse().unwrap(), crate::identity::Path::default());
    world.root(A, Action::Group(GroupAction::Create { name, path, id }));
    let owner = PolicyOwner::Group("Makers".parse().unwrap());
    world.put_policy(A, owner, allow(&["iam:List*"], "*"));
    let (group, user) = ("Makers".parse().unwrap(), "dev".parse().unwrap());
    world.root(A, Action::Group(GroupAction::AddUser { group, user }));
    super::entity_tests::happen(&mut world);
    operate(&mut world);
    world
}

/// What the operator does.
fn operate(world: &mut World) {
    let key = super::event::DocumentKey {
        sealed: [1; 8].into(),
        serial: [2; 8].into(),
        certificate: [3; 8].into(),
    };
    let draw = Action::Installation(InstallationAction::CreateDocumentKey { key });
    world.by(super::access::Caller::service(), "000000000000", draw).unwrap();
    for target in [None, Some(account(B))] {
        let (kind, name) = (GuardrailKind::ResourceControl, "limit".parse().unwrap());
        let guardrail = GuardrailRef { kind, target, name };
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"x:*","Resource":"*"}}"#;
        let policy = Policy::parse(text, PolicyKind::ResourceControl).unwrap();
        let action = Action::Guardrail(GuardrailAction::Put { guardrail, policy });
        world.by(super::access::Caller::service(), "000000000000", action).unwrap();
    }
    let ranges = vec!["10.7.0.0/16".parse().unwrap(), "fd00:7::/48".parse().unwrap()];
    let limits = [
        Action::Account(AccountAction::SetAddressRanges { ranges }),
        Action::Account(AccountAction::SetQuota { quota: Quota::EventsRetained, max: Some(1000) }),
    ];
    for action in limits {
        world.by(super::access::Caller::service(), B, action).unwrap();
    }
}
