//! How long policies may be, each kind by its own quota, and how long sessions that temporary credentials
//! ask for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::access::{Caller, CallerSession};
use super::command::{Action, GroupAction, PolicyAction, RoleAction, SessionAction};
use super::event::PolicyOwner;
use super::rejection::Rejection;
use super::tags::Tags;
use super::testing::*;
use crate::identity::{Path, base32_id};
use crate::policy::{Policy, PolicyKind};

/// A policy of exactly so many characters, white space not counted, of which it has some.
fn sized(chars: usize, kind: PolicyKind) -> Policy {
    let rest = match kind {
        PolicyKind::Trust => r#""Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole""#,
        _ => r#""Action":"s3:*","Resource":"*""#,
    };
    let of = |id: usize| {
        let id = "i".repeat(id);
        format!("{{ \"Id\": \"{id}\",\n \"Statement\":{{\"Effect\":\"Deny\",{rest}}}}}")
    };
    let bare = Policy::parse(&of(0), kind).unwrap().size_without_whitespace();
    Policy::parse(&of(chars - bare), kind).unwrap()
}

#[track_caller]
fn assert_limit(result: Result<Vec<super::event::EventKind>, Rejection>, quota: &str) {
    match result {
        Err(Rejection::LimitExceeded { quota: told, .. }) => assert_eq!(told, quota),
        other => panic!("{quota} is not exceeded: {other:?}"),
    }
}

/// Protects the quotas on inline policies: they count together, per user, role and group.
#[test]
fn inline_policies_count_together() {
    let mut world = World::default();
    world.create_account(A);
    world.create_user(A, "ana");
    world.create_role(A, "r", &sized(200, PolicyKind::Trust));
    let id = base32_id("AGPA", world.random()).parse().unwrap();
    let (name, path) = ("g".parse().unwrap(), Path::default());
    world.root(A, Action::Group(GroupAction::Create { name, path, id }));
    let group = PolicyOwner::Group("g".parse().unwrap());
    for (owner, max) in [(of_user("ana"), 2048), (of_role("r"), 10_240), (group, 5120)] {
        let mut put = |name: &str, chars| {
            let policy = sized(chars, PolicyKind::Identity);
            let (owner, name) = (owner.clone(), name.parse().unwrap());
            world.by(root(A), A, Action::Policy(PolicyAction::PutInline { owner, name, policy }))
        };
        assert_limit(put("a", max + 1), "InlinePolicySize");
        put("a", max - 500).unwrap();
        assert_limit(put("b", 501), "InlinePolicySize");
        put("b", 500).unwrap();
        // One that is replaced does not count.
        put("a", max - 500).unwrap();
    }
}

/// Protects the quotas on managed and trust policies.
#[test]
fn managed_and_trust_policies_have_their_limits() {
    let mut world = World::default();
    world.create_account(A);
    let mut create = |chars| {
        let id = base32_id("ANPA", world.random()).parse().unwrap();
        let (name, path) = ("m".parse().unwrap(), Path::default());
        let policy = sized(chars, PolicyKind::Identity);
        let description = Arc::from("");
        world.by(
            root(A),
            A,
            Action::Policy(PolicyAction::Create {
                name,
                path,
                id,
                description,
                policy,
                tags: Tags::default(),
            }),
        )
    };
    assert_limit(create(6145), "PolicySize");
    create(6144).unwrap();
    world.create_role(A, "r", &sized(2048, PolicyKind::Trust));
    let long = sized(2049, PolicyKind::Trust);
    let id = base32_id("AROA", world.random()).parse().unwrap();
    let create = Action::Role(RoleAction::Create {
        name: "long".parse().unwrap(),
        path: Path::default(),
        id,
        description: Arc::from(""),
        max_session: Duration::from_secs(3600),
        trust: long.clone(),
        tags: Tags::default(),
        boundary: None,
    });
    assert_limit(world.by(root(A), A, create), "ACLSizePerRole");
    let role = "r".parse().unwrap();
    let update = Action::Role(RoleAction::UpdateTrust { role, trust: long });
    assert_limit(world.by(root(A), A, update), "ACLSizePerRole");
}

/// Protects the hour of chained sessions: a user's temporary credentials chain too, long-term ones do not.
#[test]
fn temporary_credentials_chain_whatever_they_came_from() {
    let mut world = World::default();
    world.create_account(A);
    let ana = world.create_user(A, "ana");
    world.create_role(A, "r", &trust(r#"{"AWS":"arn:aws:iam::111111111111:user/ana"}"#));
    let facts = CallerSession {
        issued_at: crate::clock::Timestamp::EPOCH,
        expires_at: crate::clock::Timestamp::EPOCH,
        policy: None,
        policy_arns: Vec::new(),
        tags: BTreeMap::new(),
        transitive_tag_keys: Vec::new(),
        source_identity: None,
        chain_depth: 0,
        instance: None,
        delivery: None,
        ancestors: Vec::new(),
        mfa_at: None,
        web_identity: None,
        federator: None,
    };
    let temporary = Caller { session: Some(Arc::new(facts)), ..ana.clone() };
    let long = world.assume(A, "r", 3601);
    world.by(ana, A, long).unwrap();
    let long = world.assume(A, "r", 3601);
    let told = world.by(temporary.clone(), A, long).unwrap_err().to_string();
    assert!(told.contains("1 hour session limit for roles assumed by role chaining"), "{told}");
    let hour = world.assume(A, "r", 3600);
    world.by(temporary, A, hour).unwrap();
}

/// Protects the quota on session policies: the inline one counts with the ARNs of the managed ones.
#[test]
fn session_policies_count_together() {
    let mut world = World::default();
    world.create_account(A);
    let ana = world.create_user(A, "ana");
    world.create_role(A, "r", &trust(r#"{"AWS":"arn:aws:iam::111111111111:user/ana"}"#));
    let id = base32_id("ANPA", world.random()).parse().unwrap();
    let (name, path) = ("m".parse().unwrap(), Path::default());
    let policy = sized(200, PolicyKind::Identity);
    let description = Arc::from("");
    world.root(
        A,
        Action::Policy(PolicyAction::Create {
            name,
            path,
            id,
            description,
            policy,
            tags: Tags::default(),
        }),
    );
    let mut ask = |chars: usize, managed: bool| {
        let Action::Session(SessionAction::Issue { operation, mut session }) =
            world.assume(A, "r", 3600)
        else {
            panic!("is no assumption")
        };
        let blank = sized(200, PolicyKind::Session);
        let padding = " ".repeat(chars - blank.text().chars().count());
        let text = format!("{}{padding}", blank.text());
        session.draft.policy = Some(Policy::parse(&text, PolicyKind::Session).unwrap());
        if managed {
            session.draft.policy_arns.push("arn:aws:iam::111111111111:policy/m".parse().unwrap());
        }
        world.by(ana.clone(), A, Action::Session(SessionAction::Issue { operation, session }))
    };
    let told = ask(2049, false).unwrap_err().to_string();
    assert!(told.contains("2049 characters together; 2048 are allowed"), "{told}");
    ask(2048, false).unwrap();
    let told = ask(2015, true).unwrap_err().to_string();
    assert!(told.contains("2049 characters together; 2048 are allowed"), "{told}");
    ask(2014, true).unwrap();
}
