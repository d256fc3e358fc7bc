//! Trust policies: who is named has to be there, is meant whatever comes later, and shows as the account may know it.

use super::access::Caller;
use super::command::{Action, AgentAction, InstanceAction, RoleAction, UserAction};
use super::event::{EventKind, InstanceEvent};
use super::testing::*;
use super::usage::MetadataUsage;
use crate::identity::{Principal, UserName, base32_id};

const GHOST: &str = "arn:aws:iam::111111111111:user/ghost";
const FOREIGN: &str = r#"{"AWS":"arn:aws:iam::222222222222:user/bob"}"#;

/// Account A and account B.
fn two_accounts() -> World {
    let mut world = World::default();
    world.create_account(A);
    world.create_account(B);
    world
}

fn update(world: &mut World, role: &str, principal: &str) -> Result<(), String> {
    let action = RoleAction::UpdateTrust { role: role.parse().unwrap(), trust: trust(principal) };
    let done = world.by(root(A), A, Action::Role(action));
    done.map(drop).map_err(|rejection| format!("{}: {rejection}", rejection.code()))
}

fn shown(world: &World, role: &str) -> String {
    let account = world.state.account(account(A)).unwrap();
    account.role(&role.parse().unwrap()).unwrap().trust.shown(&world.state)
}

fn rename(world: &mut World, account: &str, from: &str, to: &str) {
    let new_name: UserName = to.parse().unwrap();
    let name = from.parse().unwrap();
    let action = UserAction::Update { name, new_name: Some(new_name), new_path: None };
    world.root(account, Action::User(action));
}

/// Protects roles from whoever is given a name later: nobody of the own account is trusted who is not there.
#[test]
fn a_principal_of_the_own_account_has_to_be_there() {
    let mut world = two_accounts();
    world.create_role(A, "treasury", &trust(r#"{"AWS":"111111111111"}"#));
    world.create_user(A, "ana");
    for absent in [
        GHOST,
        "arn:aws:iam::111111111111:role/ghost",
        "arn:aws:iam::111111111111:user/path/ana",
        "arn:aws:sts::111111111111:assumed-role/ghost/session",
        "arn:aws:locum::111111111111:agent/ghost",
        "arn:aws:locum::111111111111:instance/i-0123456789abcdef0",
    ] {
        let refused = update(&mut world, "treasury", &format!(r#"{{"AWS":"{absent}"}}"#));
        let told =
            format!("MalformedPolicyDocument: Invalid principal in policy: \"AWS\":\"{absent}\"");
        assert_eq!(refused, Err(told));
    }
    for there in [
        "arn:aws:iam::111111111111:user/ana",
        "arn:aws:iam::111111111111:role/treasury",
        "arn:aws:sts::111111111111:assumed-role/treasury/session",
        "arn:aws:sts::111111111111:federated-user/anyone",
        "arn:aws:iam::111111111111:root",
    ] {
        assert_eq!(update(&mut world, "treasury", &format!(r#"{{"AWS":"{there}"}}"#)), Ok(()));
    }
}

/// Protects accounts from learning who is in another one, and roles from who comes there later: a foreign principal is
/// kept as it was written, whether it is there or not, and is nobody else than who had the name then.
#[test]
fn a_principal_of_another_account_is_who_had_the_name_then() {
    let mut world = two_accounts();
    world.create_user(B, "ann");
    world.put_policy(B, of_user("ann"), allow(&["sts:AssumeRole"], "*"));
    world.create_role(A, "absent", &trust(FOREIGN));
    world.create_role(A, "there", &trust(r#"{"AWS":"arn:aws:iam::222222222222:user/ann"}"#));
    let before = [shown(&world, "absent"), shown(&world, "there")];
    assert!(before[0].contains("user/bob") && before[1].contains("user/ann"));

    // Who was there is trusted, under a new name too, which does not show.
    rename(&mut world, B, "ann", "anna");
    let ann = world.user(B, "anna");
    let assume = world.assume(A, "there", 3600);
    assert!(world.by(ann, A, assume).is_ok());
    // Who comes later is not, until the policy is put again.
    let bob = world.create_user(B, "bob");
    world.put_policy(B, of_user("bob"), allow(&["sts:AssumeRole"], "*"));
    let assume = world.assume(A, "absent", 3600);
    assert_eq!(world.by(bob.clone(), A, assume).unwrap_err().code(), "AccessDenied");
    assert_eq!([shown(&world, "absent"), shown(&world, "there")], before);
    update(&mut world, "absent", FOREIGN).unwrap();
    let assume = world.assume(A, "absent", 3600);
    assert!(world.by(bob, A, assume).is_ok());
}

fn create_agent(world: &mut World, name: &str) -> Caller {
    let id = base32_id("AGNT", world.random()).parse().unwrap();
    let key = base32_id("AKIA", world.random()).parse().unwrap();
    world.root(A, Action::Agent(AgentAction::Create { name: name.parse().unwrap(), id, key }));
    let own = world.state.account(account(A)).unwrap();
    let agent = own.agents.values().find(|agent| agent.name.as_str() == name).unwrap();
    let principal =
        Principal::Agent { account: account(A), name: agent.name.clone(), id: agent.id.clone() };
    Caller { principal, ..Caller::service() }
}

/// Protects instances and roles from an agent that only has the name of another: a successor serves none of its
/// predecessor's instances, and no role that trusted that one trusts it.
#[test]
fn a_successor_of_an_agent_gets_nothing_of_its_predecessor() {
    let mut world = two_accounts();
    let first = create_agent(&mut world, "host");
    let named = r#"{"AWS":"arn:aws:locum::111111111111:agent/host"}"#;
    world.create_role(A, "hosts", &trust(named));
    let (id, mut launch) = world.launch(None);
    if let Action::Instance(InstanceAction::Launch { facts, .. }) = &mut launch {
        facts.agent = Some("HOST".parse().unwrap());
    }
    world.root(A, launch);
    let report = |world: &mut World, by: &Caller| {
        let usage = vec![(id.clone(), MetadataUsage::default())];
        let action = InstanceAction::RecordMetadataUsage { usage };
        let kinds = world.by(by.clone(), A, Action::Instance(action)).unwrap();
        matches!(kinds[..], [EventKind::Instance(InstanceEvent::MetadataUsed { .. })])
    };
    let assume = |world: &mut World, by: &Caller| {
        let action = world.assume(A, "hosts", 3600);
        world.by(by.clone(), A, action).map(drop).map_err(|refused| refused.code())
    };
    assert!(report(&mut world, &first));
    assert_eq!(assume(&mut world, &first), Ok(()));
    assert!(shown(&world, "hosts").contains("agent/host"));

    let name = "host".parse().unwrap();
    world.root(A, Action::Agent(AgentAction::Delete { name }));
    let second = create_agent(&mut world, "host");
    assert!(!report(&mut world, &second));
    assert_eq!(assume(&mut world, &second), Err("AccessDenied"));
}

/// Protects administrators from reading a name that is no more: in the own account a policy shows who is meant by now.
#[test]
fn a_principal_of_the_own_account_shows_by_its_name_of_now() {
    let mut world = two_accounts();
    world.create_user(A, "ana");
    world.create_role(A, "one", &trust(r#"{"AWS":"arn:aws:iam::111111111111:user/ana"}"#));
    rename(&mut world, A, "ana", "anna");
    assert!(shown(&world, "one").contains("user/anna\""));
    let name = "anna".parse().unwrap();
    world.root(A, Action::User(UserAction::Delete { name }));
    assert!(shown(&world, "one").contains("\"AIDA"));
}
