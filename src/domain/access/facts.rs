//! What a request tells policies about itself. Taken from the action by patterns that name every field: a new field does
//! not compile until it is said here which key it is, or that it is none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::permission::RequestKeys;
use super::resource::{Resource, insert_tags};
use super::web_identity_context;
use crate::domain::command::{
    AccessKeyAction, AccountAction, Action, AgentAction, GroupAction, GuardrailAction,
    InstallationAction, InstanceAction, PolicyAction, ProfileAction, RoleAction, SessionAction,
    TagAction, UserAction,
};
use crate::domain::event::InstanceFacts;
use crate::domain::metadata::MetadataChange;
use crate::domain::mfa::MfaAction;
use crate::domain::oidc::OidcAction;
use crate::domain::rotation::RotationAction;
use crate::domain::session::{self, ProvenIdentity};
use crate::domain::tags::Tags;
use crate::identity::{Arn, SessionName, SourceIdentity, TagKey};
use crate::policy::{Context, Key};

/// What a request says, as far as policies may ask about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Tags that an entity of IAM is to have.
    tags: Option<&'a Tags>,
    /// Tags that instances are to have.
    instance_tags: Option<&'a BTreeMap<Arc<str>, Arc<str>>>,
    /// Keys of tags that are to be taken away.
    tag_keys: &'a [TagKey],
    /// The boundary that an entity is to have.
    boundary: Option<&'a Arn>,
    /// The managed policy that is attached or detached.
    policy_arn: Option<&'a Arn>,
    /// The operation that tags what it makes.
    create_action: Option<&'static str>,
    /// The options of an instance's metadata that are to change.
    metadata: Option<MetadataChange>,
    /// The service of a service-linked role.
    linked_service: Option<&'a str>,
    /// The service that a role is passed to.
    passed_to: Option<&'a str>,
    /// What the role is passed for.
    associated: Option<&'a str>,
    /// The profile that an instance is to have.
    new_profile: Option<&'a Arn>,
    /// The region of EC2 that is asked.
    region: Option<&'a str>,
    /// The session that is asked for.
    session: Option<SessionFacts<'a>>,
}

/// What a request for a session says, and what the session inherits of the one that asks for it.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "as in `SessionDraft` and `SessionRequest`")]
pub struct SessionFacts<'a> {
    pub name: Option<&'a SessionName>,
    pub external_id: Option<&'a str>,
    pub source_identity: Option<&'a SourceIdentity>,
    pub tags: &'a session::Tags,
    pub transitive_tag_keys: &'a [Arc<str>],
    /// Whether a code of an MFA device came with the request.
    pub mfa: bool,
    pub duration: Duration,
    /// The token of an identity provider that came with the request.
    pub proven: Option<&'a ProvenIdentity>,
}

impl<'a> Facts<'a> {
    /// A request for a session.
    #[must_use]
    pub fn of_session(session: SessionFacts<'a>) -> Self {
        Self { session: Some(session), ..Self::default() }
    }

    /// What an action says. Sessions say more than their action alone (`of_session`).
    #[must_use]
    pub fn of(action: &'a Action) -> Self {
        match action {
            Action::Account(action) => Self::of_account(action),
            Action::Installation(
                InstallationAction::RotateKeyring { version: _ }
                | InstallationAction::RetireKeyringVersion { version: _ }
                | InstallationAction::CreateDocumentKey { key: _ },
            )
            | Action::Guardrail(
                GuardrailAction::Put { guardrail: _, policy: _ }
                | GuardrailAction::Delete { guardrail: _ },
            )
            | Action::Group(
                GroupAction::Create { name: _, path: _, id: _ }
                | GroupAction::Update { name: _, new_name: _, new_path: _ }
                | GroupAction::Delete { name: _ }
                | GroupAction::AddUser { group: _, user: _ }
                | GroupAction::RemoveUser { group: _, user: _ },
            )
            | Action::AccessKey(
                AccessKeyAction::Create { owner: _, key: _ }
                | AccessKeyAction::Update { owner: _, key: _, active: _ }
                | AccessKeyAction::Delete { owner: _, key: _ }
                | AccessKeyAction::RecordUses { uses: _ },
            )
            | Action::Agent(
                AgentAction::Create { name: _, id: _, key: _ } | AgentAction::Delete { name: _ },
            )
            | Action::Rotation(
                RotationAction::Renew { renewals: _, lifetime: _ }
                | RotationAction::Configure { association: _, pace: _ }
                | RotationAction::RenewOne { association: _, minting: _ }
                | RotationAction::RenewAccount
                | RotationAction::RenewAll,
            )
            | Action::Session(
                SessionAction::Revoke { target: _, before: _, chained: _, minting: _ }
                | SessionAction::Issue { operation: _, session: _ },
            ) => Self::default(),
            Action::User(action) => Self::of_user(action),
            Action::Role(action) => Self::of_role(action),
            Action::Policy(action) => Self::of_policy(action),
            Action::Profile(action) => Self::of_profile(action),
            Action::Tag(TagAction::Tag { owner: _, tags }) => Self::tagged(tags),
            Action::Tag(TagAction::Untag { owner: _, keys }) => {
                Self { tag_keys: keys, ..Self::default() }
            }
            Action::Instance(action) => Self::of_instance(action),
            Action::Mfa(action) => Self::of_mfa(action),
            Action::Oidc(action) => Self::of_oidc(action),
        }
    }

    fn tagged(tags: &'a Tags) -> Self {
        Self { tags: Some(tags), ..Self::default() }
    }

    fn of_account(action: &'a AccountAction) -> Self {
        match action {
            AccountAction::Create { name: _, key: _, root_key: _ }
            | AccountAction::Disable
            | AccountAction::Enable
            | AccountAction::Delete
            | AccountAction::SetQuota { quota: _, max: _ }
            | AccountAction::SetAddressRanges { ranges: _ }
            | AccountAction::RewrapKey { from: _, key: _ }
            | AccountAction::CreateAlias { alias: _ }
            | AccountAction::DeleteAlias { alias: _ } => Self::default(),
        }
    }

    fn of_user(action: &'a UserAction) -> Self {
        match action {
            UserAction::Create { name: _, path: _, id: _, tags, boundary } => {
                Self { boundary: boundary.as_ref(), ..Self::tagged(tags) }
            }
            UserAction::Update { name: _, new_name: _, new_path: _ }
            | UserAction::Delete { name: _ } => Self::default(),
        }
    }

    fn of_role(action: &'a RoleAction) -> Self {
        match action {
            RoleAction::Create {
                name: _,
                path: _,
                id: _,
                description: _,
                max_session: _,
                trust: _,
                tags,
                boundary,
            } => Self { boundary: boundary.as_ref(), ..Self::tagged(tags) },
            RoleAction::CreateServiceLinked { service, suffix: _, description: _, id: _ } => {
                Self { linked_service: Some(service), ..Self::default() }
            }
            RoleAction::Update { name: _, description: _, max_session: _ }
            | RoleAction::UpdateDescription { name: _, description: _ }
            | RoleAction::UpdateTrust { role: _, trust: _ }
            | RoleAction::Delete { name: _ }
            | RoleAction::DeleteServiceLinked { name: _, task: _ } => Self::default(),
        }
    }

    fn of_policy(action: &'a PolicyAction) -> Self {
        match action {
            PolicyAction::Create { name: _, path: _, id: _, description: _, policy: _, tags } => {
                Self::tagged(tags)
            }
            PolicyAction::Attach { owner: _, policy_arn }
            | PolicyAction::Detach { owner: _, policy_arn } => {
                Self { policy_arn: Some(policy_arn), ..Self::default() }
            }
            PolicyAction::PutBoundary { owner: _, policy_arn } => {
                Self { boundary: Some(policy_arn), ..Self::default() }
            }
            PolicyAction::PutInline { owner: _, name: _, policy: _ }
            | PolicyAction::DeleteInline { owner: _, name: _ }
            | PolicyAction::CreateVersion { policy_arn: _, policy: _, default: _ }
            | PolicyAction::SetDefaultVersion { policy_arn: _, version: _ }
            | PolicyAction::DeleteVersion { policy_arn: _, version: _ }
            | PolicyAction::Delete { policy_arn: _ }
            | PolicyAction::DeleteBoundary { owner: _ } => Self::default(),
        }
    }

    fn of_profile(action: &'a ProfileAction) -> Self {
        match action {
            ProfileAction::Create { name: _, path: _, id: _, tags } => Self::tagged(tags),
            ProfileAction::Delete { name: _ }
            | ProfileAction::AddRole { profile: _, role: _ }
            | ProfileAction::RemoveRole { profile: _, role: _ } => Self::default(),
        }
    }

    fn of_instance(action: &'a InstanceAction) -> Self {
        match action {
            // What an instance is to be is a part of the resource; so is what is launched beside it.
            InstanceAction::Launch { launches: _, facts, networking: _, profile: _ } => {
                let InstanceFacts {
                    image_id: _,
                    instance_type: _,
                    region: _,
                    zone: _,
                    agent: _,
                    agent_id: _,
                    tags,
                    metadata: _,
                } = facts;
                Self {
                    instance_tags: Some(tags),
                    create_action: Some("RunInstances"),
                    ..Self::default()
                }
            }
            InstanceAction::ModifyMetadataOptions { instance: _, change } => {
                Self { metadata: Some(*change), ..Self::default() }
            }
            // The profile is named by its own ARN once it is found (`with_profile`).
            InstanceAction::AssociateProfile {
                instance: _,
                profile: _,
                association: _,
                minting: _,
            }
            | InstanceAction::ReplaceProfile {
                association: _,
                profile: _,
                new_association: _,
                minting: _,
            }
            | InstanceAction::Terminate { ids: _ }
            | InstanceAction::RecordMetadataUsage { usage: _ }
            | InstanceAction::DisassociateProfile { association: _ } => Self::default(),
        }
    }

    fn of_mfa(action: &'a MfaAction) -> Self {
        match action {
            MfaAction::Create { name: _, path: _, id: _, tags } => Self::tagged(tags),
            MfaAction::Enable { serial_number: _, owner: _, codes: _ }
            | MfaAction::Resync { serial_number: _, owner: _, codes: _ }
            | MfaAction::Deactivate { serial_number: _, owner: _ }
            | MfaAction::Delete { serial_number: _ }
            | MfaAction::RefuseCode { serial_number: _ } => Self::default(),
        }
    }

    fn of_oidc(action: &'a OidcAction) -> Self {
        match action {
            OidcAction::Create(_, tags) => Self::tagged(tags),
            OidcAction::Update(_)
            | OidcAction::Delete(_)
            | OidcAction::AddClientId { issuer: _, client_id: _ }
            | OidcAction::RemoveClientId { issuer: _, client_id: _ }
            | OidcAction::SetThumbprints { issuer: _, thumbprints: _ } => Self::default(),
        }
    }

    /// The same of a role that is passed to `service`, for `associated` if that is known.
    #[must_use]
    pub fn passed_to(self, service: &'a str, associated: Option<&'a str>) -> Self {
        Self { passed_to: Some(service), associated, ..self }
    }

    /// The same with the profile that an instance is to have.
    #[must_use]
    pub fn with_profile(self, profile: &'a Arn) -> Self {
        Self { new_profile: Some(profile), ..self }
    }

    /// The same of EC2 in a region.
    #[must_use]
    pub fn in_region(self, region: &'a str) -> Self {
        Self { region: Some(region), ..self }
    }

    /// The same of a role that is linked to a service.
    #[must_use]
    pub fn linked_to(self, service: Option<&'a str>) -> Self {
        Self { linked_service: service, ..self }
    }

    /// Whether the request sets tags.
    #[must_use]
    pub fn sets_tags(&self) -> bool {
        self.tags.is_some_and(|tags| !tags.is_empty())
            || self.instance_tags.is_some_and(|tags| !tags.is_empty())
    }

    /// Sets the keys of a group, as far as they are asked about.
    pub(super) fn insert_into(
        &self,
        context: &mut Context,
        keys: RequestKeys,
        resource: &Resource<'_>,
    ) {
        let mut set = |key: Key, value: Option<&str>| {
            if let Some(value) = value {
                context.set(key, || value.to_owned());
            }
        };
        match keys {
            RequestKeys::RequestTags => self.insert_tags(context),
            RequestKeys::TagKeys => {
                let keys: Vec<_> = self.tag_keys.iter().map(ToString::to_string).collect();
                if !keys.is_empty() {
                    context.insert_multi("aws:TagKeys", keys);
                }
            }
            RequestKeys::NewBoundary => set(BOUNDARY, self.boundary.map(Arn::as_str)),
            RequestKeys::Boundary => set(BOUNDARY, resource.boundary().map(Arn::as_str)),
            RequestKeys::PolicyArn => {
                set(const { Key::known("iam:policyarn") }, self.policy_arn.map(Arn::as_str));
            }
            RequestKeys::LinkedService => {
                set(const { Key::known("iam:awsservicename") }, self.linked_service);
            }
            RequestKeys::PassedTo => {
                set(const { Key::known("iam:passedtoservice") }, self.passed_to);
                set(const { Key::known("iam:associatedresourcearn") }, self.associated);
            }
            RequestKeys::CreateAction => {
                set(const { Key::known("ec2:createaction") }, self.create_action);
            }
            RequestKeys::NewInstanceProfile => {
                let key = const { Key::known("ec2:newinstanceprofile") };
                set(key, self.new_profile.map(Arn::as_str));
            }
            RequestKeys::Region => set(const { Key::known("ec2:region") }, self.region),
            RequestKeys::Attributes => self.insert_attributes(context),
            RequestKeys::SessionName
            | RequestKeys::ExternalId
            | RequestKeys::Mfa
            | RequestKeys::SourceIdentity
            | RequestKeys::TransitiveTagKeys
            | RequestKeys::WebIdentity => {
                if let Some(session) = &self.session {
                    session.insert_into(context, keys);
                }
            }
        }
    }

    /// What a request that sets tags tells policies: `aws:RequestTag/key` and `aws:TagKeys`. A launch tells it of everything
    /// that it touches, as AWS's examples need it (Amazon EC2 User Guide, supported-iam-actions-tagging).
    fn insert_tags(&self, context: &mut Context) {
        if let Some(tags) = self.tags {
            tags.insert_as_requested(context);
        }
        let plain = [self.instance_tags, self.session.as_ref().map(|session| session.tags)];
        for tags in plain.into_iter().flatten().filter(|tags| !tags.is_empty()) {
            insert_tags(context, tags, &["aws:RequestTag"]);
            if context.asks_about("aws:TagKeys") {
                let keys = tags.keys().map(ToString::to_string).collect();
                context.insert_multi("aws:TagKeys", keys);
            }
        }
    }

    /// The attributes that ModifyInstanceMetadataOptions is to change and their new values
    /// (Amazon EC2 User Guide, supported-iam-actions-attributes).
    fn insert_attributes(&self, context: &mut Context) {
        let Some(MetadataChange { tokens_required, enabled, hop_limit, tags }) = self.metadata
        else {
            return;
        };
        let switch = |on: bool| if on { "enabled" } else { "disabled" }.to_owned();
        let tokens = |required: bool| if required { "required" } else { "optional" }.to_owned();
        let attributes = [
            ("HttpTokens", tokens_required.map(tokens)),
            ("HttpEndpoint", enabled.map(switch)),
            ("HttpPutResponseHopLimit", hop_limit.map(|hops| hops.get().to_string())),
            ("InstanceMetadataTags", tags.map(switch)),
        ];
        let changed = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let mut names = Vec::new();
        for (name, value) in changed {
            context.insert(&format!("ec2:Attribute/{name}"), value);
            names.push(name.to_owned());
        }
        if !names.is_empty() {
            context.insert_multi("ec2:Attribute", names);
        }
    }
}

const BOUNDARY: Key = Key::known("iam:permissionsboundary");

impl<'a> SessionFacts<'a> {
    /// A session that carries nothing but a name.
    #[must_use]
    pub fn named(name: Option<&'a SessionName>, tags: &'a session::Tags) -> Self {
        Self {
            name,
            external_id: None,
            source_identity: None,
            tags,
            transitive_tag_keys: &[],
            mfa: false,
            duration: Duration::ZERO,
            proven: None,
        }
    }

    fn insert_into(&self, context: &mut Context, keys: RequestKeys) {
        match keys {
            RequestKeys::SessionName => {
                if let Some(name) = self.name {
                    context.set(const { Key::known("sts:rolesessionname") }, || name.to_string());
                }
            }
            RequestKeys::ExternalId => {
                if let Some(id) = self.external_id {
                    context.set(const { Key::known("sts:externalid") }, || id.to_owned());
                }
            }
            RequestKeys::SourceIdentity => {
                if let Some(source) = self.source_identity {
                    context.set(const { Key::known("sts:sourceidentity") }, || source.to_string());
                }
            }
            // IAM User Guide, id_credentials_mfa_configure-api-require.
            RequestKeys::Mfa if self.mfa => {
                let present = const { Key::known("aws:multifactorauthpresent") };
                context.set(present, || "true".to_owned());
                context.set(const { Key::known("aws:multifactorauthage") }, || "0".to_owned());
            }
            RequestKeys::TransitiveTagKeys if !self.transitive_tag_keys.is_empty() => {
                if context.asks_about("sts:TransitiveTagKeys") {
                    let keys = self.transitive_tag_keys.iter().map(ToString::to_string).collect();
                    context.insert_multi("sts:TransitiveTagKeys", keys);
                }
            }
            RequestKeys::WebIdentity => self.insert_web_identity(context),
            RequestKeys::Mfa
            | RequestKeys::TransitiveTagKeys
            | RequestKeys::RequestTags
            | RequestKeys::TagKeys
            | RequestKeys::NewBoundary
            | RequestKeys::Boundary
            | RequestKeys::PolicyArn
            | RequestKeys::LinkedService
            | RequestKeys::PassedTo
            | RequestKeys::CreateAction
            | RequestKeys::Attributes
            | RequestKeys::NewInstanceProfile
            | RequestKeys::Region => {}
        }
    }

    fn insert_web_identity(&self, context: &mut Context) {
        let Some(proven) = self.proven else { return };
        let ProvenIdentity { identity, audiences, methods, claims, role_authorized } = proven;
        let seconds = self.duration.as_secs();
        context.set(const { Key::known("sts:durationseconds") }, || seconds.to_string());
        let authorized = const { Key::known("sts:roleauthorizedbyidp") };
        context.set(authorized, || role_authorized.to_string());
        web_identity_context(context, identity);
        let issuer = &identity.issuer;
        context.insert_multi(&format!("{issuer}:oaud"), audiences.clone());
        if !methods.is_empty() {
            context.insert_multi(&format!("{issuer}:amr"), methods.clone());
        }
        for (claim, value) in claims {
            context.insert(&format!("{issuer}:{claim}"), value.clone());
        }
    }
}
