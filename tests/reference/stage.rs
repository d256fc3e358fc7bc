//! The entities of the world: each has tags, a boundary where it can have one, and whatever else policies may ask about.

use std::collections::BTreeMap;
use std::sync::Arc;

use locum::domain::command::{
    Action, GroupAction, InstanceAction, Launch, LaunchNetworking, Minting, PolicyAction,
    ProfileAction, ProfileRef, RoleAction, TagAction, UserAction,
};
use locum::domain::entity::TagOwner;
use locum::domain::event::{InstanceFacts, KeyOwner, PolicyOwner};
use locum::domain::metadata::MetadataOptions;
use locum::domain::mfa::MfaAction;
use locum::domain::oidc::{KeySource, OidcAction, OidcProvider};
use locum::domain::tags::Tags;
use locum::identity::{Arn, InstanceId, Path, hex_id};
use locum::policy::{Policy, PolicyKind};
use locum::signing::ConsecutiveCodes;

use crate::world::{A, HOUR, World, arn, parsed, root, trusting_but};

pub(crate) fn tags() -> Tags {
    Tags::of_request([("env", "prod")]).unwrap()
}

pub(crate) fn path() -> Path {
    Path::parse("/p/").unwrap()
}

pub(crate) fn boundary() -> Option<Arn> {
    Some(arn("iam", "policy/p/bound"))
}

pub(crate) fn document() -> Policy {
    let text =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Identity).unwrap()
}

pub(crate) fn provider(issuer: &str) -> OidcProvider {
    OidcProvider {
        issuer: parsed(&format!("https://{issuer}")),
        client_ids: vec![Arc::from("locum")],
        thumbprints: Vec::new(),
        keys: KeySource::Discovery,
    }
}

pub(crate) fn create_user(world: &mut World, name: &str) -> Action {
    let (name, id) = (parsed(name), world.id("AIDA"));
    Action::User(UserAction::Create { name, path: path(), id, tags: tags(), boundary: boundary() })
}

pub(crate) fn create_role(world: &mut World, name: &str) -> Action {
    Action::Role(RoleAction::Create {
        name: parsed(name),
        path: path(),
        id: world.id("AROA"),
        description: Arc::from(""),
        max_session: HOUR,
        trust: trusting_but("sts:SetContext"),
        tags: tags(),
        boundary: boundary(),
    })
}

pub(crate) fn create_policy(world: &mut World, name: &str) -> Action {
    Action::Policy(PolicyAction::Create {
        name: parsed(name),
        path: path(),
        id: world.id("ANPA"),
        description: Arc::from(""),
        policy: document(),
        tags: tags(),
    })
}

pub(crate) fn create_profile(world: &mut World, name: &str) -> Action {
    let (name, id) = (parsed(name), world.id("AIPA"));
    Action::Profile(ProfileAction::Create { name, path: path(), id, tags: tags() })
}

pub(crate) fn create_device(world: &mut World, name: &str) -> Action {
    let (name, id) = (parsed(name), world.id("AIDA"));
    Action::Mfa(MfaAction::Create { name, path: path(), id, tags: tags() })
}

pub(crate) fn create_group(world: &mut World, name: &str) -> Action {
    Action::Group(GroupAction::Create { name: parsed(name), path: path(), id: world.id("AGPA") })
}

pub(crate) fn create_linked(world: &mut World, service: &str) -> Action {
    Action::Role(RoleAction::CreateServiceLinked {
        service: Arc::from(service),
        suffix: None,
        description: Arc::from(""),
        id: world.id("AROA"),
    })
}

pub(crate) fn enable(device: &str, user: &str) -> Action {
    Action::Mfa(MfaAction::Enable {
        serial_number: arn("iam", &format!("mfa/p/{device}")),
        owner: KeyOwner::User(parsed(user)),
        codes: Some(ConsecutiveCodes { step: 1000, drift: 0 }),
    })
}

pub(crate) fn minting(world: &mut World) -> Minting {
    Minting { key: world.id("ASIA"), lifetime: HOUR }
}

pub(crate) fn hex<T: std::str::FromStr<Err: std::fmt::Debug>>(
    world: &mut World,
    prefix: &str,
) -> T {
    parsed(&hex_id(prefix, world.random()))
}

/// A launch of one instance with everything that a launch may name.
pub(crate) fn launch(world: &mut World) -> Action {
    let tags = BTreeMap::from([(Arc::from("env"), Arc::from("prod"))]);
    let facts = InstanceFacts {
        image_id: Arc::from("ami-1"),
        instance_type: Arc::from("t3.micro"),
        region: Arc::from("us-east-1"),
        zone: Arc::from("us-east-1a"),
        agent: None,
        agent_id: None,
        tags,
        metadata: MetadataOptions::default(),
    };
    let launch = Launch {
        id: hex(world, "i-"),
        identity_key: world.id("AKIA"),
        private_ip: Some([10, 0, 0, 1].into()),
        association: hex(world, "iip-assoc-"),
        minting: minting(world),
    };
    let networking = LaunchNetworking {
        subnet: Some(Arc::from("subnet-1")),
        security_groups: vec![Arc::from("sg-1")],
        key_pair: Some(Arc::from("key")),
    };
    let profile = Some(ProfileRef::Name(parsed("app")));
    let launches = vec![launch];
    Action::Instance(InstanceAction::Launch { launches, facts, networking, profile })
}

impl World {
    /// The world with everything in it.
    pub(crate) fn full(issuers: &[String]) -> Self {
        let mut world = Self::default();
        world.create_account();
        let mut made = vec![create_policy(&mut world, "bound")];
        made.extend(["ana", "bo"].map(|name| create_user(&mut world, name)));
        made.push(create_group(&mut world, "crew"));
        made.push(create_role(&mut world, "app"));
        made.push(create_profile(&mut world, "app"));
        made.extend(["phone", "spare", "key"].map(|name| create_device(&mut world, name)));
        made.push(create_linked(&mut world, "ecs.amazonaws.com"));
        let add = ProfileAction::AddRole { profile: parsed("app"), role: parsed("app") };
        made.push(Action::Profile(add));
        made.extend([enable("phone", "ana"), enable("key", "bo")]);
        let owner = TagOwner::Role(parsed("AWSServiceRoleForECS"));
        made.push(Action::Tag(TagAction::Tag { owner, tags: tags() }));
        let registered = issuers.iter().map(|issuer| OidcAction::Create(provider(issuer), tags()));
        made.extend(registered.map(Action::Oidc));
        made.push(launch(&mut world));
        for action in made {
            world.run(root(), action);
        }
        world
    }

    /// The id of the instance.
    pub(crate) fn instance(&self) -> InstanceId {
        let account = self.state().account(parsed(A)).unwrap();
        account.instances.iter().next().unwrap().id
    }
}

/// The user, role and group whose policies are changed.
pub(crate) fn owners() -> [PolicyOwner; 3] {
    [
        PolicyOwner::User(parsed("bo")),
        PolicyOwner::Role(parsed("app")),
        PolicyOwner::Group(parsed("crew")),
    ]
}
