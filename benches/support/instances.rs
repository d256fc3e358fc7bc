//! Instances that carry a role, made through a service in the process of a bench.

use std::net::IpAddr;

use locum::domain::command::{
    Action, InstanceAction, Launch, LaunchNetworking, ProfileAction, ProfileRef,
};
use locum::domain::event::InstanceFacts;
use locum::domain::metadata::MetadataOptions;
use locum::domain::tags::Tags;
use locum::identity::{AccountId, Path, ProfileName};
use locum::service::Service;

use super::setup;

/// What every instance is launched with.
pub(crate) fn facts() -> InstanceFacts {
    InstanceFacts {
        image_id: "".into(),
        instance_type: "".into(),
        region: "us-east-1".into(),
        zone: "us-east-1a".into(),
        agent: None,
        agent_id: None,
        tags: Default::default(),
        metadata: MetadataOptions::default(),
    }
}

/// One instance at this address, with ids that are drawn.
pub(crate) fn at(service: &Service, address: impl Into<IpAddr>) -> Launch {
    Launch {
        id: service.draw_hex_id("i-").expect("an id"),
        identity_key: service.draw_id("AKIA").expect("an id"),
        private_ip: Some(address.into()),
        association: service.draw_hex_id("iip-assoc-").expect("an id"),
        minting: service.draw_minting().expect("a key"),
    }
}

/// Makes the role `app` in the profile `app`, and instances that carry it.
pub(crate) async fn launch(
    service: &Service,
    account: AccountId,
    trust: &str,
    launches: Vec<Launch>,
) {
    let profile: ProfileName = "app".parse().expect("a name");
    let actions = [
        setup::create_role(service, "app", trust),
        Action::Profile(ProfileAction::Create {
            name: profile.clone(),
            path: Path::default(),
            id: service.draw_id("AIPA").expect("an id"),
            tags: Tags::default(),
        }),
        Action::Profile(ProfileAction::AddRole {
            profile: profile.clone(),
            role: "app".parse().expect("a name"),
        }),
        Action::Instance(InstanceAction::Launch {
            launches,
            facts: facts(),
            networking: LaunchNetworking::default(),
            profile: Some(ProfileRef::Name(profile)),
        }),
    ];
    let info = service.own_request("bench");
    for action in actions {
        service.perform(&info, "", account, action).await.expect("a change");
    }
}
