//! Many instances in one request: all of it is done or nothing.

use super::command::{Action, Launch};
use super::event::EventKind;
use super::testing::*;
use crate::identity::InstanceId;

fn launches(world: &mut World, count: usize) -> (Vec<InstanceId>, Action) {
    let mut all = Vec::new();
    let mut same = None;
    for _ in 0..count {
        let (_, launch) = world.launch(None);
        let Action::LaunchInstance { id, facts, identity_key, association, minting, .. } = launch
        else {
            unreachable!("a launch")
        };
        all.push(Launch { id, identity_key, association, minting });
        same = Some(facts);
    }
    let ids = all.iter().map(|launch| launch.id.clone()).collect();
    let action = Action::LaunchInstances { launches: all, facts: same.unwrap(), profile: None };
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
    let launched = kinds.iter().filter(|kind| matches!(kind, EventKind::InstanceLaunched { .. }));
    assert_eq!(launched.count(), 3);

    let terminate = |ids: &[InstanceId]| Action::TerminateInstances { ids: ids.to_vec() };
    let arn = format!("arn:aws:ec2:us-east-1:{A}:instance/{}", ids[0]);
    world.put_policy(A, of_user("dev"), allow(&["ec2:TerminateInstances"], &arn));
    let refused = world.by(dev.clone(), A, terminate(&ids)).unwrap_err();
    assert_eq!(refused.code(), "AccessDenied");
    let unknown: InstanceId = "i-00000000000000000".parse().unwrap();
    let refused = world.by(root(A), A, terminate(&[ids[0].clone(), unknown])).unwrap_err();
    assert_eq!(refused.code(), "InvalidInstanceID.NotFound");
    let ended = world.by(dev.clone(), A, terminate(&ids[..1])).unwrap();
    assert_eq!(ended, [EventKind::InstanceTerminated { id: ids[0].clone() }]);
    assert_eq!(world.by(dev, A, terminate(&ids[..1])).unwrap(), [], "ended already");
    let twice = [ids[1].clone(), ids[0].clone(), ids[1].clone()];
    let ended = world.root(A, terminate(&twice));
    assert_eq!(ended, [EventKind::InstanceTerminated { id: ids[1].clone() }]);
}
