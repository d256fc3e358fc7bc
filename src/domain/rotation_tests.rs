//! What is promised of rotation as commands: who may ask for it, what it leads to, and what it leaves alone.

use std::time::Duration;

use super::access::Caller;
use super::command::{Action, InstanceAction, RoleAction};
use super::event::EventKind;
use super::rotation::{RenewedSet, RotationAction, RotationEvent};
use super::state::Association;
use super::testing::*;
use crate::identity::{InstanceId, PackedKeyId};
use crate::pace::Pace;
use crate::policy::{Policy, PolicyKind};

/// Account A with a role in a profile, and so many instances that carry it.
fn fleet(count: usize) -> (World, Vec<InstanceId>) {
    let mut world = World::default();
    world.create_account(A);
    world.create_role(A, "app", &Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap());
    world.create_profile(A, "app");
    let launched = (0..count).map(|_| {
        let (id, launch) = world.launch(Some("app"));
        world.root(A, launch);
        id
    });
    let ids = launched.collect();
    (world, ids)
}

fn carried(world: &World, id: &InstanceId) -> Association {
    let account = world.state.account(account(A)).unwrap();
    account.instances.get(id).unwrap().association.unwrap()
}

fn renewal(ids: &[InstanceId]) -> Action {
    let keys = (1..).map(|n| PackedKeyId::temporary([n; 10]));
    let renewals = ids.iter().map(Into::into).zip(keys).collect();
    Action::Rotation(RotationAction::Renew { renewals, lifetime: Duration::from_secs(7200) })
}

fn renewed(kinds: &[EventKind]) -> Vec<RenewedSet> {
    let mut sets = Vec::new();
    for kind in kinds {
        if let EventKind::Rotation(RotationEvent::Renewed { sets: told, .. }) = kind {
            sets.extend_from_slice(told);
        }
    }
    sets
}

/// Protects rotation from everybody but the service, and settings from whoever has no permission.
#[test]
fn strangers_rotate_nothing() {
    let (mut world, ids) = fleet(1);
    let dev = world.create_user(A, "dev");
    let pace = Some(Pace::chosen(Duration::from_secs(600), Duration::from_secs(3600)).unwrap());
    let actions = [
        RotationAction::Configure { association: None, pace },
        RotationAction::RenewAccount,
        RotationAction::RenewAll,
    ];
    for action in actions.map(Action::Rotation).into_iter().chain([renewal(&ids)]) {
        let refused = world.by(dev.clone(), A, action).unwrap_err();
        assert_eq!(refused.code(), "AccessDenied");
    }
    let refused = world.by(root(A), A, Action::Rotation(RotationAction::RenewAll)).unwrap_err();
    assert_eq!(refused.code(), "AccessDenied", "all accounts are the operator's");
}

/// Protects instances: all that run and carry a role get a set of their own in one event, the next of each; one that
/// ended or lost its profile gets none.
#[test]
fn many_are_renewed_by_one_event() {
    let (mut world, ids) = fleet(5);
    world.root(A, Action::Instance(InstanceAction::Terminate { ids: vec![ids[1].clone()] }));
    let association = carried(&world, &ids[2]).id;
    world.root(A, Action::Instance(InstanceAction::DisassociateProfile { association }));
    let kinds = world.by(Caller::service(), A, renewal(&ids)).unwrap();
    assert_eq!(kinds.len(), 1);
    let sets = renewed(&kinds);
    let instances: Vec<_> = sets.iter().filter_map(|set| set.instance.id()).collect();
    assert_eq!(instances, [&ids[0], &ids[3], &ids[4]].map(Clone::clone));
    assert!(sets.iter().all(|set| set.epoch == 2));
    let set = carried(&world, &ids[3]).credentials.unwrap();
    assert_eq!(Some(set.key), sets[1].key.id());
    assert_eq!(set.expires_at.since(set.issued_at), Duration::from_secs(7200));
}

/// Protects roles that no longer trust the EC2 service: no set is issued, the refusal is told once, and trust that is
/// given back ends it.
#[test]
fn a_role_without_trust_gives_no_new_sets() {
    let (mut world, ids) = fleet(2);
    let role: crate::identity::RoleName = "app".parse().unwrap();
    let change = |trust| Action::Role(RoleAction::UpdateTrust { role: role.clone(), trust });
    world.root(A, change(trust(r#"{"AWS":"111111111111"}"#)));
    let kinds = world.by(Caller::service(), A, renewal(&ids)).unwrap();
    let names: Vec<_> = kinds.iter().map(EventKind::name).collect();
    assert_eq!(names, ["CredentialsRefused", "CredentialsRefused"]);
    assert_eq!(world.by(Caller::service(), A, renewal(&ids)).unwrap(), [], "it is known");
    assert_eq!(carried(&world, &ids[0]).credentials.unwrap().epoch, 1, "the old set stays");
    world.root(A, change(Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap()));
    let kinds = world.by(Caller::service(), A, renewal(&ids)).unwrap();
    assert_eq!(renewed(&kinds).len(), 2);
    assert_eq!(carried(&world, &ids[0]).refused, None);
}

/// Protects roles that are fenced to a region, for EC2's own assumption too: an instance of that region is given sets at
/// its launch and later, one of another is given none.
#[test]
fn ec2_assumes_a_role_in_the_region_of_the_instance() {
    let text = TRUST_EC2.replace(
        "\"sts:AssumeRole\"",
        r#""sts:AssumeRole","Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}"#,
    );
    let mut world = World::default();
    world.create_account(A);
    world.create_role(A, "app", &Policy::parse(&text, PolicyKind::Trust).unwrap());
    world.create_profile(A, "app");
    let launched = |world: &mut World, region: &str| {
        let (id, mut launch) = world.launch(Some("app"));
        if let Action::Instance(InstanceAction::Launch { facts, launches, .. }) = &mut launch {
            facts.region = region.into();
            launches[0].private_ip = None;
        }
        world.root(A, launch);
        id
    };
    let ids = ["us-east-1", "eu-west-1"].map(|region| launched(&mut world, region));
    let has_set = ids.each_ref().map(|id| carried(&world, id).credentials.is_some());
    assert_eq!(has_set, [true, false]);
    let kinds = world.by(Caller::service(), A, renewal(&ids)).unwrap();
    assert_eq!(renewed(&kinds).len(), 1);
}

/// Protects the promise of 20 minutes from being broken in silence.
#[test]
fn a_late_renewal_is_told() {
    let (mut world, ids) = fleet(2);
    let set = carried(&world, &ids[0]).credentials.unwrap();
    for (before_end, told) in [(1500, false), (300, true)] {
        let mut command = world.command(A, Caller::service(), renewal(&ids[..1]));
        command.time = set.expires_at.minus(Duration::from_secs(before_end));
        let fact = super::decide::decide(&world.state, &command).unwrap().unwrap();
        let late = fact.events.iter().find_map(|event| {
            let EventKind::Rotation(RotationEvent::Late { instances, least_left }) = &event.kind
            else {
                return None;
            };
            Some((instances.len(), least_left.as_secs()))
        });
        assert_eq!(late, told.then_some((1, 300)));
    }
}

/// Protects choices of pace: an association's goes before its account's, that before the installation's, and it
/// ends with the association.
#[test]
fn the_nearest_pace_counts() {
    let (mut world, ids) = fleet(2);
    let pace =
        |hours: u64| Pace::chosen(Duration::from_secs(1800), Duration::from_secs(hours * 3600));
    let configure =
        |association, pace| Action::Rotation(RotationAction::Configure { association, pace });
    let own = carried(&world, &ids[0]).id;
    world.root(A, configure(None, Some(pace(3).unwrap())));
    world.root(A, configure(Some(own.clone()), Some(pace(4).unwrap())));
    assert_eq!(world.root(A, configure(Some(own.clone()), Some(pace(4).unwrap()))), []);
    let life = |world: &World, id: &InstanceId| {
        let set = carried(world, id).credentials.unwrap();
        set.expires_at.since(set.issued_at).as_secs() / 3600
    };
    world.by(Caller::service(), A, renewal(&ids)).unwrap();
    assert_eq!((life(&world, &ids[0]), life(&world, &ids[1])), (4, 3));
    world.root(A, configure(None, None));
    world.by(Caller::service(), A, renewal(&ids)).unwrap();
    assert_eq!((life(&world, &ids[0]), life(&world, &ids[1])), (4, 2));
    world.root(
        A,
        Action::Instance(InstanceAction::DisassociateProfile { association: own.clone() }),
    );
    let gone = world.by(root(A), A, configure(Some(own), None)).unwrap_err();
    assert_eq!(gone.code(), "InvalidAssociationID.NotFound");
}

/// Protects operators whose keys leaked: a demand reaches every set that was issued until then, and is met by a set of
/// the same second.
#[test]
fn a_demand_reaches_what_was_issued_until_then() {
    let (mut world, ids) = fleet(1);
    let old = carried(&world, &ids[0]).credentials.unwrap();
    let mut demand = world.command(A, root(A), Action::Rotation(RotationAction::RenewAccount));
    demand.time = old.issued_at.plus(Duration::from_millis(400));
    world.run(&demand).unwrap();
    let before = |world: &World| {
        let own = world.state.account(account(A)).unwrap();
        world.state.renew_before(own)
    };
    assert!(old.issued_at < before(&world));
    let mut renew = world.command(A, Caller::service(), renewal(&ids));
    renew.time = demand.time.plus(Duration::from_millis(100));
    world.run(&renew).unwrap();
    assert!(carried(&world, &ids[0]).credentials.unwrap().issued_at >= before(&world));
}
