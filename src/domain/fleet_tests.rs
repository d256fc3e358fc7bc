//! Many instances in one request: all of it is done or nothing.

use super::access::Caller;
use super::addresses::AddressRange;
use super::command::{AccountAction, Action, InstanceAction, LaunchNetworking};
use super::event::{EventKind, InstanceEvent, KeyOwner};
use super::rejection::Rejection;
use super::testing::*;
use crate::identity::InstanceId;

fn launches(world: &mut World, count: usize) -> (Vec<InstanceId>, Action) {
    let mut all = Vec::new();
    let mut same = None;
    for _ in 0..count {
        let (_, launch) = world.launch(None);
        let Action::Instance(InstanceAction::Launch { launches, facts, .. }) = launch else {
            unreachable!("a launch")
        };
        all.extend(launches);
        same = Some(facts);
    }
    let ids = all.iter().map(|launch| launch.id.clone()).collect();
    let action = Action::Instance(InstanceAction::Launch {
        launches: all,
        facts: same.unwrap(),
        networking: LaunchNetworking::default(),
        profile: None,
    });
    (ids, action)
}

/// Protects clients of EC2: who may not end one of the instances ends none, an unknown one ends none, and
/// ending twice is no mistake.
#[test]
fn instances_come_and_go_together() {
    let mut world = World::default();
    world.create_account(A);
    let dev = world.create_user(A, "dev");
    let (ids, launch) = launches(&mut world, 3);
    let refused = world.by(dev.clone(), A, launch.clone()).unwrap_err();
    assert!(refused.to_string().contains("ec2:RunInstances"), "{refused}");
    let kinds = world.root(A, launch);
    let launched = kinds
        .iter()
        .filter(|kind| matches!(kind, EventKind::Instance(InstanceEvent::Launched { .. })));
    assert_eq!(launched.count(), 3);

    let terminate =
        |ids: &[InstanceId]| Action::Instance(InstanceAction::Terminate { ids: ids.to_vec() });
    let arn = format!("arn:aws:ec2:us-east-1:{A}:instance/{}", ids[0]);
    world.put_policy(A, of_user("dev"), allow(&["ec2:TerminateInstances"], &arn));
    let refused = world.by(dev.clone(), A, terminate(&ids)).unwrap_err();
    assert_eq!(refused.code(), "AccessDenied");
    let unknown: InstanceId = "i-00000000000000000".parse().unwrap();
    let refused = world.by(root(A), A, terminate(&[ids[0].clone(), unknown])).unwrap_err();
    assert_eq!(refused.code(), "InvalidInstanceID.NotFound");
    let ended = world.by(dev.clone(), A, terminate(&ids[..1])).unwrap();
    assert_eq!(ended, [EventKind::Instance(InstanceEvent::Terminated { id: ids[0].clone() })]);
    assert_eq!(world.by(dev, A, terminate(&ids[..1])).unwrap(), [], "ended already");
    let twice = [ids[1].clone(), ids[0].clone(), ids[1].clone()];
    let ended = world.root(A, terminate(&twice));
    assert_eq!(ended, [EventKind::Instance(InstanceEvent::Terminated { id: ids[1].clone() })]);
}

/// Launches an instance at an address that ends in `last`.
fn launch_at(world: &mut World, account: &str, last: u8) -> InstanceId {
    let (id, mut launch) = world.launch(None);
    if let Action::Instance(InstanceAction::Launch { launches, .. }) = &mut launch {
        launches[0].private_ip = Some([10, 0, 0, last].into());
    }
    world.root(account, launch);
    id
}

/// Protects instances from each other: an address of two is nobody's, it is the other's again when one of them ends,
/// and what followed the facts is what a look at everything finds.
#[test]
fn an_address_of_two_is_nobodys() {
    let mut world = World::default();
    world.create_account(A);
    world.create_account(B);
    let first = launch_at(&mut world, A, 1);
    launch_at(&mut world, A, 2);
    let at_one = |world: &World| world.state.instance_at([10, 0, 0, 1].into());
    assert_eq!(at_one(&world), Some((account(A), (&first).into())));
    let same = launch_at(&mut world, B, 1);
    launch_at(&mut world, B, 3);
    assert_eq!(at_one(&world), None);
    world.root(A, terminate(&first));
    assert_eq!(at_one(&world), Some((account(B), (&same).into())));
    assert_eq!((world.state.home_of(&same), world.state.home_of(&first)), (Some(account(B)), None));
    let mut anew = world.state.clone();
    anew.index_instances();
    assert_eq!(anew, world.state);
    world.by(Caller::service(), B, Action::Account(AccountAction::Disable)).unwrap();
    world.by(Caller::service(), B, Action::Account(AccountAction::Delete)).unwrap();
    assert_eq!((at_one(&world), world.state.home_of(&same)), (None, None));
}

fn terminate(id: &InstanceId) -> Action {
    Action::Instance(InstanceAction::Terminate { ids: vec![id.clone()] })
}

/// Protects the keys of instances: each is found by its key while the instance runs, and by nothing after that.
#[test]
fn an_instances_own_key_ends_with_it() {
    let mut world = World::default();
    world.create_account(A);
    let (id, launch) = world.launch(None);
    let Action::Instance(InstanceAction::Launch { launches, .. }) = &launch else {
        unreachable!("a launch")
    };
    let key = launches[0].identity_key.clone();
    world.root(A, launch);
    let held = world.state.key(&key).unwrap();
    assert_eq!((held.owner, held.active), (KeyOwner::Instance(id.clone()), true));
    world.root(A, terminate(&id));
    assert!(world.state.key(&key).is_none());
}

fn give(world: &mut World, account: &str, ranges: &[&str]) -> Result<Vec<EventKind>, Rejection> {
    let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
    world.by(
        root("000000000000"),
        account,
        Action::Account(AccountAction::SetAddressRanges { ranges }),
    )
}

/// Protects an account's instances from what others claim: in its ranges its own are found whoever else has the address,
/// nobody else gets an address there, and its own get no other.
#[test]
fn an_address_in_an_accounts_range_is_its_own() {
    let mut world = World::default();
    for account in ["000000000000", A, B] {
        world.create_account(account);
    }
    let at_one = |world: &World| world.state.instance_at([10, 0, 0, 1].into());
    let own = launch_at(&mut world, A, 1);
    launch_at(&mut world, B, 1);
    assert_eq!(at_one(&world), None);
    give(&mut world, A, &["10.0.0.0/30", "fd00:1::/48"]).unwrap();
    assert_eq!(at_one(&world), Some((account(A), (&own).into())));
    let mut launch = |account: &str, address: [u8; 4]| {
        let (_, mut launch) = world.launch(None);
        if let Action::Instance(InstanceAction::Launch { launches, .. }) = &mut launch {
            launches[0].private_ip = Some(address.into());
        }
        world.by(root(account), account, launch).map(|_| ()).map_err(|refused| refused.code())
    };
    assert_eq!(launch(A, [10, 0, 0, 3]), Ok(()));
    assert_eq!(launch(A, [10, 0, 0, 4]), Err("ValidationError"), "in none of its ranges");
    assert_eq!(launch(B, [10, 0, 0, 3]), Err("ValidationError"), "in another's");
    assert_eq!(launch(B, [10, 0, 0, 4]), Ok(()), "in nobody's, and it has none");
    let mut anew = world.state.clone();
    anew.index_instances();
    assert_eq!(anew, world.state);
    give(&mut world, A, &[]).unwrap();
    assert_eq!(at_one(&world), None, "of two again");
}

/// Protects operators from ranges that would be two accounts', or one's twice, and accounts from giving themselves any.
#[test]
fn ranges_do_not_overlap() {
    let mut world = World::default();
    for account in ["000000000000", A, B] {
        world.create_account(account);
    }
    give(&mut world, A, &["10.1.0.0/16", "10.3.0.0/16"]).unwrap();
    for overlapping in ["10.1.0.0/16", "10.1.255.0/24", "10.0.0.0/8", "10.3.255.255/32", "::/0"] {
        let refused = give(&mut world, B, &[overlapping, "192.168.0.0/16"]).unwrap_err();
        assert_eq!(refused.code(), "IncorrectState", "{overlapping}");
    }
    assert_eq!(give(&mut world, B, &["10.0.0.0/16", "10.2.0.0/16"]).unwrap().len(), 1);
    assert_eq!(give(&mut world, B, &["10.0.0.0/16", "10.2.0.0/16"]).unwrap(), []);
    let twice = give(&mut world, A, &["10.1.0.0/16", "10.1.2.0/24"]).unwrap_err();
    assert_eq!(twice.code(), "ValidationError");
    assert_eq!(give(&mut world, A, &["10.1.2.0/24", "10.3.0.0/17"]).unwrap().len(), 1);
    for wrong in ["10.1.0.0", "10.1.2.0/16", "10.1.0.0/33", "all", ""] {
        assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
    }
    let own = Action::Account(AccountAction::SetAddressRanges { ranges: Vec::new() });
    assert_eq!(world.by(root(A), A, own).unwrap_err().code(), "AccessDenied");
    world.by(Caller::service(), A, Action::Account(AccountAction::Disable)).unwrap();
    world.by(Caller::service(), A, Action::Account(AccountAction::Delete)).unwrap();
    give(&mut world, B, &["10.1.0.0/16"]).unwrap();
}
