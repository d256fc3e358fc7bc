//! What a decision is about: a thing as it was found, with its own ARN and the condition keys that it brings.
//!
//! A [`Resource`] is made from the account and what a request names, never from the request's spelling alone: names are
//! the same in any case, and a policy that names `role/Guard` holds for a request that spells it `GUARD`. Only where
//! nothing is found does the ARN repeat the request.

mod found;
mod new;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::event::InstanceFacts;
use crate::domain::metadata::MetadataOptions;
use crate::domain::tags::Tags;
use crate::identity::{Arn, InstanceId};
use crate::policy::{Context, Key};

pub use found::ListKind;
pub use new::LaunchedBeside;

/// The kinds of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named after what it is")]
pub enum ResourceKind {
    /// `*`: actions that AWS judges on nothing in particular.
    Everything,
    /// An ARN that the request asks about, whatever it is.
    Named,
    User,
    Group,
    Role,
    Policy,
    Profile,
    MfaDevice,
    Provider,
    UserList,
    GroupList,
    RoleList,
    PolicyList,
    ProfileList,
    MfaDeviceList,
    ProviderList,
    FederatedUser,
    Instance,
    Image,
    Subnet,
    SecurityGroup,
    NetworkInterface,
    KeyPair,
    Volume,
    Agent,
    AgentList,
    Session,
    Guardrail,
    /// A service that takes Locum's credentials.
    Service,
    /// A version of the root key.
    Keyring,
    /// An account, as the operator sees it.
    OperatedAccount,
}

impl ResourceKind {
    /// The keys that a resource of this kind may bring. One that ends in a slash is that of a family.
    #[must_use]
    pub const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::User | Self::Role => &["aws:ResourceTag/", "iam:ResourceTag/"],
            Self::Policy | Self::Profile | Self::MfaDevice | Self::Provider => {
                &["aws:ResourceTag/"]
            }
            Self::Instance => &[
                "aws:ResourceTag/",
                "ec2:AvailabilityZone",
                "ec2:InstanceID",
                "ec2:InstanceMarketType",
                "ec2:InstanceMetadataTags",
                "ec2:InstanceProfile",
                "ec2:InstanceType",
                "ec2:MetadataHttpEndpoint",
                "ec2:MetadataHttpPutResponseHopLimit",
                "ec2:MetadataHttpTokens",
                "ec2:ResourceTag/",
                "ec2:Tenancy",
            ],
            Self::Image => &["ec2:ImageID"],
            Self::Subnet => &["ec2:AvailabilityZone", "ec2:SubnetID"],
            Self::SecurityGroup => &["ec2:SecurityGroupID"],
            Self::NetworkInterface => &["ec2:AvailabilityZone", "ec2:Subnet"],
            Self::KeyPair => &["ec2:KeyPairName"],
            Self::Volume => &["ec2:AvailabilityZone"],
            Self::Everything
            | Self::Named
            | Self::Group
            | Self::UserList
            | Self::GroupList
            | Self::RoleList
            | Self::PolicyList
            | Self::ProfileList
            | Self::MfaDeviceList
            | Self::ProviderList
            | Self::FederatedUser
            | Self::Agent
            | Self::AgentList
            | Self::Session
            | Self::Guardrail
            | Self::Service
            | Self::Keyring
            | Self::OperatedAccount => &[],
        }
    }
}

/// What a decision is about.
#[derive(Clone, Debug)]
pub struct Resource<'a> {
    kind: ResourceKind,
    arn: Name<'a>,
    keys: Keys<'a>,
}

/// An ARN of its own, or a text that stands for one.
#[derive(Clone, Debug)]
enum Name<'a> {
    Arn(Arn),
    Text(Cow<'a, str>),
}

impl From<Arn> for Name<'_> {
    fn from(arn: Arn) -> Self {
        Self::Arn(arn)
    }
}

impl From<String> for Name<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

/// Where the keys of a resource come from.
#[derive(Clone, Debug)]
enum Keys<'a> {
    None,
    Tags(&'a Tags),
    /// Of users and roles, whose tags IAM has a key of its own for.
    Principal {
        tags: &'a Tags,
        /// The ARN of the permissions boundary that it has.
        boundary: Option<Arn>,
    },
    Instance(InstanceKeys<'a>),
    /// Keys with one value each.
    Plain(Vec<(Key, Cow<'a, str>)>),
}

/// What an instance tells policies.
#[derive(Clone, Debug)]
struct InstanceKeys<'a> {
    /// None before the launch.
    id: Option<&'a InstanceId>,
    kind: &'a str,
    zone: &'a str,
    tags: &'a BTreeMap<Arc<str>, Arc<str>>,
    options: MetadataOptions,
    profile: Option<Arn>,
}

impl<'a> Resource<'a> {
    fn of(kind: ResourceKind, arn: impl Into<Name<'a>>, keys: Keys<'a>) -> Self {
        Self { kind, arn: arn.into(), keys }
    }
}

impl<'a> InstanceKeys<'a> {
    fn of(id: Option<&'a InstanceId>, facts: &'a InstanceFacts) -> Self {
        Self {
            id,
            kind: &facts.instance_type,
            zone: &facts.zone,
            tags: &facts.tags,
            options: facts.metadata,
            profile: None,
        }
    }

    fn insert_into(&self, context: &mut Context) {
        insert_tags(context, self.tags, &["aws:ResourceTag", "ec2:ResourceTag"]);
        context.set(const { Key::known("ec2:availabilityzone") }, || self.zone.to_owned());
        context.set(const { Key::known("ec2:instancetype") }, || self.kind.to_owned());
        if let Some(id) = self.id {
            context.set(const { Key::known("ec2:instanceid") }, || id.to_string());
        }
        if let Some(profile) = &self.profile {
            context.set(const { Key::known("ec2:instanceprofile") }, || profile.to_string());
        }
        // Launches that ask for another market are refused, and every instance is answered with the default tenancy.
        context.set(const { Key::known("ec2:instancemarkettype") }, || "on-demand".to_owned());
        context.set(const { Key::known("ec2:tenancy") }, || "default".to_owned());
        let MetadataOptions { tokens_required, enabled, hop_limit, tags } = self.options;
        let tokens = if tokens_required { "required" } else { "optional" };
        let switch = |on| if on { "enabled" } else { "disabled" }.to_owned();
        context.set(const { Key::known("ec2:metadatahttptokens") }, || tokens.to_owned());
        context.set(const { Key::known("ec2:metadatahttpendpoint") }, || switch(enabled));
        context.set(const { Key::known("ec2:instancemetadatatags") }, || switch(tags));
        let key = const { Key::known("ec2:metadatahttpputresponsehoplimit") };
        context.set(key, || hop_limit.get().to_string());
    }
}

impl Resource<'_> {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ResourceKind {
        self.kind
    }

    /// Its own ARN, or `*`.
    #[must_use]
    pub fn arn(&self) -> &str {
        match &self.arn {
            Name::Arn(arn) => arn.as_str(),
            Name::Text(text) => text,
        }
    }

    /// The ARN of the permissions boundary that it has.
    pub(super) fn boundary(&self) -> Option<&Arn> {
        match &self.keys {
            Keys::Principal { boundary, .. } => boundary.as_ref(),
            Keys::None | Keys::Tags(_) | Keys::Instance(_) | Keys::Plain(_) => None,
        }
    }

    /// Sets the keys that it brings, as far as they are asked about.
    pub(in crate::domain) fn insert_into(&self, context: &mut Context) {
        match &self.keys {
            Keys::None => {}
            Keys::Tags(tags) => tags.insert_into(context, "aws:ResourceTag"),
            Keys::Principal { tags, .. } => {
                tags.insert_into(context, "aws:ResourceTag");
                tags.insert_into(context, "iam:ResourceTag");
            }
            Keys::Instance(keys) => keys.insert_into(context),
            Keys::Plain(keys) => {
                for (key, value) in keys {
                    context.set(key.clone(), || value.to_string());
                }
            }
        }
    }
}

/// Sets a key for each tag, under each of the families.
pub(super) fn insert_tags(
    context: &mut Context,
    tags: &BTreeMap<Arc<str>, Arc<str>>,
    families: &[&str],
) {
    for family in families.iter().filter(|family| !tags.is_empty() && !family.is_empty()) {
        if context.asks_about(family) {
            for (key, value) in tags {
                context.insert(&format!("{family}/{key}"), value.to_string());
            }
        }
    }
}
