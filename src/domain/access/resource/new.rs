//! Resources that a request is to make: what it says of them is what they bring.

use std::borrow::Cow;

use super::{InstanceKeys, Keys, Resource, ResourceKind};
use crate::domain::event::InstanceFacts;
use crate::domain::tags::Tags;
use crate::identity::{
    AccountId, AgentName, Arn, GroupName, IssuerUrl, MfaDeviceName, Path, PolicyName, ProfileName,
    RoleName, UserName,
};
use crate::policy::Key;

/// What a launch touches beside the instances and their image.
#[derive(Clone, Copy, Debug)]
pub enum LaunchedBeside<'a> {
    /// The subnet, if the request names one.
    Subnet(Option<&'a str>),
    /// A security group, if the request names some.
    SecurityGroup(Option<&'a str>),
    /// The network interface that an instance gets.
    NetworkInterface {
        /// The subnet that it is in, if the request names one.
        subnet: Option<&'a str>,
    },
    /// A key pair that the request names.
    KeyPair(&'a str),
    /// The root volume.
    Volume,
}

impl<'a> LaunchedBeside<'a> {
    /// Its kind, the word for it in ARNs, and its id.
    fn parts(self) -> (ResourceKind, &'static str, Option<&'a str>) {
        match self {
            Self::Subnet(id) => (ResourceKind::Subnet, "subnet", id),
            Self::SecurityGroup(id) => (ResourceKind::SecurityGroup, "security-group", id),
            Self::NetworkInterface { .. } => {
                (ResourceKind::NetworkInterface, "network-interface", None)
            }
            Self::KeyPair(name) => (ResourceKind::KeyPair, "key-pair", Some(name)),
            Self::Volume => (ResourceKind::Volume, "volume", None),
        }
    }
}

impl<'a> Resource<'a> {
    /// A user that is to be made, or what one is to be called.
    #[must_use]
    pub fn new_user(account: AccountId, path: &Path, name: &UserName, tags: &'a Tags) -> Self {
        let keys = Keys::Principal { tags, boundary: None };
        Self::of(ResourceKind::User, Arn::user(account, path, name), keys)
    }

    /// A group that is to be made, or what one is to be called.
    #[must_use]
    pub fn new_group(account: AccountId, path: &Path, name: &GroupName) -> Self {
        Self::of(ResourceKind::Group, Arn::group(account, path, name), Keys::None)
    }

    /// A role that is to be made.
    #[must_use]
    pub fn new_role(account: AccountId, path: &Path, name: &RoleName, tags: &'a Tags) -> Self {
        let keys = Keys::Principal { tags, boundary: None };
        Self::of(ResourceKind::Role, Arn::role(account, path, name), keys)
    }

    /// A managed policy that is to be made.
    #[must_use]
    pub fn new_policy(account: AccountId, path: &Path, name: &PolicyName, tags: &'a Tags) -> Self {
        Self::of(ResourceKind::Policy, Arn::policy(account, path, name), Keys::Tags(tags))
    }

    /// An instance profile that is to be made.
    #[must_use]
    pub fn new_profile(
        account: AccountId,
        path: &Path,
        name: &ProfileName,
        tags: &'a Tags,
    ) -> Self {
        Self::of(ResourceKind::Profile, Arn::profile(account, path, name), Keys::Tags(tags))
    }

    /// An MFA device that is to be made.
    #[must_use]
    pub fn new_mfa_device(
        account: AccountId,
        path: &Path,
        name: &MfaDeviceName,
        tags: &'a Tags,
    ) -> Self {
        Self::of(ResourceKind::MfaDevice, Arn::mfa_device(account, path, name), Keys::Tags(tags))
    }

    /// An identity provider that is to be registered.
    #[must_use]
    pub fn new_provider(account: AccountId, issuer: &IssuerUrl, tags: &'a Tags) -> Self {
        Self::of(ResourceKind::Provider, Arn::oidc_provider(account, issuer), Keys::Tags(tags))
    }

    /// A host agent that is to be made.
    #[must_use]
    pub fn new_agent(account: AccountId, name: &AgentName) -> Self {
        Self::of(ResourceKind::Agent, Arn::agent(account, name), Keys::None)
    }

    /// Instances that are to be launched; `profile` is the one that they are to have.
    #[must_use]
    pub fn new_instances(
        account: AccountId,
        facts: &'a InstanceFacts,
        profile: Option<Arn>,
    ) -> Self {
        let arn = format!("arn:aws:ec2:{}:{account}:instance/*", facts.region);
        let keys = InstanceKeys { profile, ..InstanceKeys::of(None, facts) };
        Self::of(ResourceKind::Instance, arn, Keys::Instance(keys))
    }

    /// The image that instances are launched from. Images are of no account here
    /// (Service Authorization Reference, Amazon EC2: `arn:aws:ec2:REGION::image/ID`).
    #[must_use]
    pub fn image(facts: &'a InstanceFacts) -> Self {
        let named = if facts.image_id.is_empty() { "*" } else { &*facts.image_id };
        let arn = format!("arn:aws:ec2:{}::image/{named}", facts.region);
        let keys = vec![(const { Key::known("ec2:imageid") }, Cow::Borrowed(&*facts.image_id))];
        Self::of(ResourceKind::Image, arn, Keys::Plain(keys))
    }

    /// What a launch touches beside instances and image: `kind` by its id or name, or any of the kind where the
    /// request names none.
    #[must_use]
    pub fn launched_beside(
        account: AccountId,
        facts: &'a InstanceFacts,
        kind: LaunchedBeside<'a>,
    ) -> Self {
        let (resource, noun, id) = kind.parts();
        let named = id.unwrap_or("*");
        let arn = format!("arn:aws:ec2:{}:{account}:{noun}/{named}", facts.region);
        let zone = || (const { Key::known("ec2:availabilityzone") }, Cow::Borrowed(&*facts.zone));
        let own = |key: Key| id.map(|id| (key, Cow::Borrowed(id)));
        let keys = match kind {
            LaunchedBeside::Subnet(_) => {
                own(const { Key::known("ec2:subnetid") }).into_iter().chain([zone()]).collect()
            }
            LaunchedBeside::SecurityGroup(_) => {
                own(const { Key::known("ec2:securitygroupid") }).into_iter().collect()
            }
            LaunchedBeside::KeyPair(_) => {
                own(const { Key::known("ec2:keypairname") }).into_iter().collect()
            }
            LaunchedBeside::NetworkInterface { subnet } => {
                let subnet = subnet.map(|id| {
                    let arn = format!("arn:aws:ec2:{}:{account}:subnet/{id}", facts.region);
                    (const { Key::known("ec2:subnet") }, Cow::Owned(arn))
                });
                subnet.into_iter().chain([zone()]).collect()
            }
            LaunchedBeside::Volume => vec![zone()],
        };
        Self::of(resource, arn, Keys::Plain(keys))
    }
}
