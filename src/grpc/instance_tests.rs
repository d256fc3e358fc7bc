//! Which instances and associations are described: lists are bounded, looked up, and paged.

use tonic::{Code, Status};

use super::*;
use crate::domain::testing::{A, TRUST_EC2, World};
use crate::policy::{Policy, PolicyKind};

/// A world with five instances, of which every other one carries an association, in the order of their launches.
fn launched() -> (World, Vec<InstanceId>) {
    let mut world = World::default();
    world.create_account(A);
    world.create_role(A, "app", &Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap());
    world.create_profile(A, "app");
    let ids = [Some("app"), None, Some("app"), None, Some("app")].map(|profile| {
        let (id, launch) = world.launch(profile);
        world.root(A, launch);
        id
    });
    (world, ids.to_vec())
}

fn told(account: &Account, named: Option<Vec<PackedInstanceId>>, token: &str) -> Vec<String> {
    let records = records(account, named, token).unwrap();
    records.filter_map(|record| Some(record.id.id()?.to_string())).collect()
}

/// Protects the server from lists without end: the field and the rule are named.
#[test]
fn lists_of_ids_are_bounded() {
    let world = launched().0;
    let account = world.state.account(A.parse().unwrap()).unwrap();
    let refused = ids(account, &vec!["i-1".to_owned(); PAGE_SIZE_MAX + 1]).unwrap_err();
    let refused = Status::from(refused);
    assert_eq!(refused.code(), Code::InvalidArgument);
    let rule = "must have at most 1000 entries";
    assert!(refused.message().contains(&format!("`instance_ids` {rule}")), "{refused}");
    let many = vec!["iip-assoc-1".to_owned(); PAGE_SIZE_MAX + 1];
    let refused = Status::from(carriers(account, &many).unwrap_err());
    assert!(refused.message().contains(&format!("`association_ids` {rule}")), "{refused}");
}

/// Protects whoever pages: a page goes on after its token, among all and among those that were named, in
/// whatever order and however often.
#[test]
fn pages_go_on_after_their_token() {
    let (world, launched) = launched();
    let account = world.state.account(A.parse().unwrap()).unwrap();
    let mut texts: Vec<String> = launched.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    assert_eq!(told(account, None, ""), texts);
    let [first, second, third, fourth, _] = texts.as_slice() else { panic!("{texts:?}") };
    assert_eq!(told(account, None, second), texts.split_at(2).1);
    let named = [fourth, first, third, first].map(String::clone);
    let named = ids(account, &named).unwrap();
    assert_eq!(told(account, named.clone(), ""), [first, third, fourth].map(String::clone));
    assert_eq!(told(account, named, first), [third, fourth].map(String::clone));
    let Err(refused) = records(account, None, "next") else { panic!("no id") };
    let refused = Status::from(refused);
    assert_eq!(refused.code(), Code::InvalidArgument);
}

/// Protects whoever looks up associations: those that are named are found with their instances, and one that is
/// not there is told, as AWS does.
#[test]
fn associations_are_looked_up() {
    let (world, launched) = launched();
    let account = world.state.account(A.parse().unwrap()).unwrap();
    let carried = launched.iter().rev().filter_map(|id| account.instances.get(id)?.association);
    let carried: Vec<_> = carried.map(|association| association.id.to_string()).collect();
    let mut carrying: Vec<_> = launched.iter().step_by(2).map(PackedInstanceId::from).collect();
    carrying.sort_unstable();
    assert_eq!(carriers(account, &carried).unwrap(), Some(carrying));
    let unknown = ["iip-assoc-ffffffffffffffff0".to_owned()];
    let refused = Status::from(carriers(account, &unknown).unwrap_err());
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(carriers(account, &[]).unwrap(), None);
}
