//! Metadata options: who may change them, and what they may be.

use super::command::{Action, InstanceAction};
use super::event::{EventKind, InstanceEvent};
use super::metadata::{HopLimit, MetadataChange, MetadataOptions};
use super::testing::*;
use crate::policy::{Policy, PolicyKind};

fn change(instance: &crate::identity::InstanceId, change: MetadataChange) -> Action {
    Action::Instance(InstanceAction::ModifyMetadataOptions { instance: instance.clone(), change })
}

fn version_1() -> MetadataChange {
    MetadataChange { tokens_required: Some(false), ..MetadataChange::default() }
}

/// Account A with a user dev and an instance.
fn launched() -> (World, crate::identity::InstanceId) {
    let mut world = World::default();
    world.create_account(A);
    world.create_user(A, "dev");
    let (id, launch) = world.launch(None);
    world.root(A, launch);
    (world, id)
}

/// Protects instances: the options are changed by those who may, one by one, and only while it runs.
#[test]
fn options_are_changed_by_those_who_may() {
    let (mut world, id) = launched();
    let dev = world.user(A, "dev");
    let refused = world.by(dev.clone(), A, change(&id, version_1())).unwrap_err();
    assert!(refused.to_string().contains("ec2:ModifyInstanceMetadataOptions"), "{refused}");
    let arn = format!("arn:aws:ec2:us-east-1:{A}:instance/{id}");
    world.put_policy(A, of_user("dev"), allow(&["ec2:ModifyInstanceMetadataOptions"], &arn));
    let hops = MetadataChange { hop_limit: Some(HopLimit::new(2).unwrap()), ..version_1() };
    let kinds = world.by(dev, A, change(&id, hops)).unwrap();
    let options = MetadataOptions {
        tokens_required: false,
        hop_limit: HopLimit::new(2).unwrap(),
        ..MetadataOptions::default()
    };
    assert_eq!(
        kinds,
        [EventKind::Instance(InstanceEvent::MetadataOptionsChanged {
            instance: id.clone(),
            options
        })]
    );
    let instance = world.state.account(account(A)).unwrap().instances.get(&id).unwrap();
    assert_eq!(instance.facts.metadata, options);
    assert_eq!(world.root(A, change(&id, version_1())), [], "nothing to change");
    world.root(A, Action::Instance(InstanceAction::Terminate { ids: vec![id.clone()] }));
    let refused = world.by(root(A), A, change(&id, MetadataChange::default())).unwrap_err();
    assert_eq!(refused.code(), "IncorrectState");
    let unknown = "i-00000000000000000".parse().unwrap();
    let refused = world.by(root(A), A, change(&unknown, version_1())).unwrap_err();
    assert_eq!(refused.code(), "InvalidInstanceID.NotFound");
}

/// Protects installations that demand version 2: policies see the options that would be.
#[test]
fn a_policy_can_demand_tokens() {
    let (mut world, id) = launched();
    let text = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"ec2:*","Resource":"*"},
        {"Effect":"Deny","Action":"ec2:*","Resource":"*",
         "Condition":{"StringEquals":{"ec2:Attribute/HttpTokens":"optional"}}},
        {"Effect":"Deny","Action":"ec2:RunInstances","Resource":"*",
         "Condition":{"StringEquals":{"ec2:MetadataHttpTokens":"optional"}}}]}"#;
    let policy = Policy::parse(text, PolicyKind::Identity).unwrap();
    world.put_policy(A, of_user("dev"), policy);
    let dev = world.user(A, "dev");
    let refused = world.by(dev.clone(), A, change(&id, version_1())).unwrap_err();
    assert_eq!(refused.code(), "AccessDenied");
    let hops = MetadataChange { hop_limit: Some(HopLimit::new(2).unwrap()), ..Default::default() };
    assert_eq!(world.by(dev.clone(), A, change(&id, hops)).unwrap().len(), 1);
    let (_, mut launch) = world.launch(None);
    if let Action::Instance(InstanceAction::Launch { facts, .. }) = &mut launch {
        facts.metadata.tokens_required = false;
    }
    assert_eq!(world.by(dev, A, launch).unwrap_err().code(), "AccessDenied");
}

/// Protects readers of metadata: a tag that is shown has a key that can be asked for.
#[test]
fn tags_are_shown_only_under_keys_that_are_paths() {
    let (mut world, _) = launched();
    let (id, mut launch) = world.launch(None);
    if let Action::Instance(InstanceAction::Launch { facts, .. }) = &mut launch {
        facts.tags.insert("cost center/a".into(), "7".into());
    }
    world.root(A, launch);
    let show = MetadataChange { tags: Some(true), ..MetadataChange::default() };
    let refused = world.by(root(A), A, change(&id, show)).unwrap_err();
    assert_eq!(refused.code(), "ValidationError");
}

/// Protects the network: a hop limit is one to sixty-four.
#[test]
fn hop_limits_have_bounds() {
    for bad in [0, 65, 256, u32::MAX] {
        assert!(HopLimit::new(bad).is_err(), "{bad}");
    }
    assert_eq!(HopLimit::new(64).unwrap().get(), 64);
}
