//! Tags, new names, versions of policies, service-linked roles and the account's alias.
//! Source: IAM API Reference, the pages of the actions.

use std::sync::Arc;
use std::time::Duration;

use super::Decider;
use super::policies::check_size;
use crate::domain::entity::{EntityAction, EntityEvent, TagOwner};
use crate::domain::event::{EventKind, PolicyOwner};
use crate::domain::quotas::{Quota, TAGS_MAX};
use crate::domain::rejection::Rejection;
use crate::domain::tags::Tags;
use crate::identity::{
    AccountAlias, Arn, GroupName, Invalid, Path, PolicyName, RoleName, TagKey, UniqueId, UserName,
};
use crate::policy::{Context, Policy, PolicyKind, SERVICE_LINKED_PATH};

/// How the names of service-linked roles begin.
const SERVICE_LINKED_NAME: &str = "AWSServiceRoleFor";
/// Services whose roles are not named after the first label of their principal (IAM User Guide,
/// reference_aws-services-that-work-with-iam, and the services' own guides).
const SERVICE_LINKED_NAMES: [(&str, &str); 12] = [
    ("autoscaling", "AutoScaling"),
    ("ecs", "ECS"),
    ("eks", "AmazonEKS"),
    ("eks-nodegroup", "AmazonEKSNodegroup"),
    ("elasticache", "ElastiCache"),
    ("elasticloadbalancing", "ElasticLoadBalancing"),
    ("es", "AmazonElasticsearchService"),
    ("rds", "RDS"),
    ("spot", "EC2Spot"),
    ("spotfleet", "EC2SpotFleet"),
    ("ssm", "AmazonSSM"),
    ("transitgateway", "VPCTransitGateway"),
];
/// The longest session of a service-linked role.
const SERVICE_LINKED_SESSION_MAX: Duration = Duration::from_secs(3600);

impl Decider<'_> {
    pub(super) fn entities(&mut self, action: &EntityAction) -> Result<(), Rejection> {
        match action {
            EntityAction::Tag { owner, tags } => self.tag(owner, tags),
            EntityAction::Untag { owner, keys } => self.untag(owner, keys),
            EntityAction::UpdateUser { name, new_name, new_path } => {
                self.update_user(name, new_name.as_ref(), new_path.as_ref())
            }
            EntityAction::UpdateGroup { name, new_name, new_path } => {
                self.update_group(name, new_name.as_ref(), new_path.as_ref())
            }
            EntityAction::SetDefaultPolicyVersion { policy_arn, version } => {
                let policy = self.policy_version("SetDefault", policy_arn, *version)?;
                let version = *version;
                self.emit_entity(EntityEvent::DefaultPolicyVersionSet { policy, version });
                Ok(())
            }
            EntityAction::DeletePolicyVersion { policy_arn, version } => {
                let policy = self.policy_version("Delete", policy_arn, *version)?;
                if self.existing(policy_arn)?.version == *version {
                    let rule = "make another version the default one";
                    return Err(Rejection::DeleteConflict { rule });
                }
                let version = *version;
                self.emit_entity(EntityEvent::PolicyVersionDeleted { policy, version });
                Ok(())
            }
            EntityAction::CreateServiceLinkedRole { service, suffix, description, id } => {
                self.create_service_linked(service, suffix.as_deref(), description, id)
            }
            EntityAction::DeleteServiceLinkedRole { name, task } => {
                self.delete_service_linked(name, task)
            }
            EntityAction::CreateAccountAlias { alias } => self.create_alias(alias),
            EntityAction::DeleteAccountAlias { alias } => {
                self.require("iam:DeleteAccountAlias", "*")?;
                if self.account.alias.as_ref() != Some(alias) {
                    return Err(Rejection::missing("account alias", alias));
                }
                self.emit_entity(EntityEvent::AccountAliasDeleted { alias: alias.clone() });
                Ok(())
            }
        }
    }

    fn emit_entity(&mut self, event: EntityEvent) {
        self.emit(EventKind::Entity(event));
    }

    /// The caller may do `action` on an entity, about whose tags policies may ask.
    pub(super) fn require_on(&self, action: &str, owner: &TagOwner) -> Result<(), Rejection> {
        let context = Tags::of_resource(owner.tags(self.account));
        self.require_with(action, owner.arn(self.account).as_str(), &context)
    }

    /// The caller may make an entity and, where it is to have tags, tag it.
    pub(super) fn require_creation(
        &self,
        kind: &str,
        arn: &Arn,
        tags: &Tags,
        boundary: Option<&Arn>,
    ) -> Result<(), Rejection> {
        let mut context = Context::default();
        if let Some(boundary) = boundary {
            context.insert("iam:PermissionsBoundary", boundary.to_string());
        }
        let actions = [format!("iam:Create{kind}"), format!("iam:Tag{kind}")];
        self.require_tagged(actions.each_ref().map(String::as_str), arn, tags, context)
    }

    /// As `require_creation`, for an action that is not named after what is made.
    pub(super) fn require_tagged(
        &self,
        [create, tag]: [&str; 2],
        arn: &Arn,
        tags: &Tags,
        mut context: Context,
    ) -> Result<(), Rejection> {
        tags.insert_as_requested(&mut context);
        self.require_with(create, arn.as_str(), &context)?;
        if !tags.is_empty() {
            self.require_with(tag, arn.as_str(), &context)?;
        }
        Ok(())
    }

    /// Gives an entity that is being made its tags.
    pub(super) fn tag_created(&mut self, owner: TagOwner, tags: &Tags) -> Result<(), Rejection> {
        check_size("TagsPerEntity", TAGS_MAX, tags.len())?;
        if !tags.is_empty() {
            self.emit_entity(EntityEvent::Tagged { owner, tags: tags.clone() });
        }
        Ok(())
    }

    /// Gives a user or role that is being made its boundary.
    pub(super) fn bound_created(
        &mut self,
        owner: PolicyOwner,
        boundary: Option<&Arn>,
    ) -> Result<(), Rejection> {
        if let Some(boundary) = boundary {
            let policy = self.existing(boundary)?.reference();
            self.emit(EventKind::BoundaryPut { owner, policy });
        }
        Ok(())
    }

    /// Roles that services made for themselves are theirs to change (IAM User Guide,
    /// using-service-linked-roles).
    pub(super) fn refuse_service_linked(&self, name: &RoleName) -> Result<(), Rejection> {
        match self.account.role(name) {
            Some(role) if role.path.as_str().starts_with(SERVICE_LINKED_PATH) => {
                Err(Rejection::Unmodifiable(role.name.clone()))
            }
            _ => Ok(()),
        }
    }

    fn tag(&mut self, owner: &TagOwner, tags: &Tags) -> Result<(), Rejection> {
        let mut context = Tags::of_resource(owner.tags(self.account));
        tags.insert_as_requested(&mut context);
        let action = format!("iam:Tag{}", owner.kind());
        self.require_with(&action, owner.arn(self.account).as_str(), &context)?;
        let mut after = self.tags_of(owner)?.clone();
        let before = after.clone();
        after.extend(tags);
        check_size("TagsPerEntity", TAGS_MAX, after.len())?;
        if after != before {
            let (owner, tags) = (owner.clone(), tags.clone());
            self.emit_entity(EntityEvent::Tagged { owner, tags });
        }
        Ok(())
    }

    /// Keys that are not there are passed over.
    fn untag(&mut self, owner: &TagOwner, keys: &[TagKey]) -> Result<(), Rejection> {
        let mut context = Tags::of_resource(owner.tags(self.account));
        context.insert_multi("aws:TagKeys", keys.iter().map(ToString::to_string).collect());
        let action = format!("iam:Untag{}", owner.kind());
        self.require_with(&action, owner.arn(self.account).as_str(), &context)?;
        let tags = self.tags_of(owner)?;
        let keys: Vec<_> = keys.iter().filter(|key| tags.get(key).is_some()).cloned().collect();
        if !keys.is_empty() {
            self.emit_entity(EntityEvent::Untagged { owner: owner.clone(), keys });
        }
        Ok(())
    }

    fn tags_of(&self, owner: &TagOwner) -> Result<&Tags, Rejection> {
        owner.tags(self.account).ok_or_else(|| owner.missing(self.account))
    }

    /// Who renames needs the permission for the old ARN and for the new one.
    fn update_user(
        &mut self,
        name: &UserName,
        new_name: Option<&UserName>,
        new_path: Option<&Path>,
    ) -> Result<(), Rejection> {
        self.require_on("iam:UpdateUser", &TagOwner::User(name.clone()))?;
        let user = self.account.user(name).ok_or_else(|| Rejection::missing("user", name))?;
        let new_name = new_name.unwrap_or(&user.name).clone();
        let path = new_path.unwrap_or(&user.path).clone();
        self.require("iam:UpdateUser", Arn::user(self.account.id, &path, &new_name).as_str())?;
        let taken = self.account.user(&new_name);
        if taken.is_some_and(|taken| taken.id != user.id) {
            return Err(Rejection::exists("user", new_name));
        }
        if (&new_name, &path) != (&user.name, &user.path) {
            let name = user.name.clone();
            self.emit_entity(EntityEvent::UserUpdated { name, new_name, path });
        }
        Ok(())
    }

    fn update_group(
        &mut self,
        name: &GroupName,
        new_name: Option<&GroupName>,
        new_path: Option<&Path>,
    ) -> Result<(), Rejection> {
        let group = self.group("iam:UpdateGroup", name)?;
        let new_name = new_name.unwrap_or(&group.name).clone();
        let path = new_path.unwrap_or(&group.path).clone();
        self.require("iam:UpdateGroup", Arn::group(self.account.id, &path, &new_name).as_str())?;
        let taken = self.account.group(&new_name);
        if taken.is_some_and(|taken| taken.id != group.id) {
            return Err(Rejection::exists("group", new_name));
        }
        if (&new_name, &path) != (&group.name, &group.path) {
            let name = group.name.clone();
            self.emit_entity(EntityEvent::GroupUpdated { name, new_name, path });
        }
        Ok(())
    }

    /// The name of a policy that has this version, if the caller may do the action on it.
    fn policy_version(
        &self,
        verb: &str,
        policy_arn: &Arn,
        version: u32,
    ) -> Result<PolicyName, Rejection> {
        let managed = self.managed(&format!("iam:{verb}PolicyVersion"), policy_arn)?;
        if !managed.versions.contains_key(&version) {
            return Err(Rejection::missing("policy version", format!("v{version}")));
        }
        Ok(managed.name.clone())
    }

    fn create_service_linked(
        &mut self,
        service: &str,
        suffix: Option<&str>,
        description: &Arc<str>,
        id: &UniqueId,
    ) -> Result<(), Rejection> {
        let name = service_linked_name(service, suffix)?;
        let path = Path::parse(&format!("{SERVICE_LINKED_PATH}{service}/"))?;
        let arn = Arn::role(self.account.id, &path, &name);
        let mut context = Context::default();
        context.insert("iam:AWSServiceName", service.to_owned());
        self.require_with("iam:CreateServiceLinkedRole", arn.as_str(), &context)?;
        if self.account.role(&name).is_some() {
            let message = format!(
                "Service role name {name} has been taken in this account, please try a different suffix."
            );
            return Err(Rejection::InvalidInput(message));
        }
        self.check_quota(Quota::Roles, 1)?;
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
        );
        let trust = Policy::parse(&trust, PolicyKind::Trust)
            .map_err(|_| Rejection::InvalidInput(format!("`{service}` is no service")))?;
        self.emit(EventKind::RoleCreated {
            name,
            path,
            id: id.clone(),
            description: description.clone(),
            max_session: SERVICE_LINKED_SESSION_MAX,
            trust,
        });
        Ok(())
    }

    /// No service here keeps its role in use, so that the deletion is done when it is asked for.
    fn delete_service_linked(&mut self, name: &RoleName, task: &str) -> Result<(), Rejection> {
        let found = self.account.role(name);
        let service = found.and_then(|role| role.path.as_str().strip_prefix(SERVICE_LINKED_PATH));
        let service = service.map(|rest| rest.trim_end_matches('/'));
        let mut context = Context::default();
        if let Some(service) = service {
            context.insert("iam:AWSServiceName", service.to_owned());
        }
        let arn = TagOwner::Role(name.clone()).arn(self.account);
        self.require_with("iam:DeleteServiceLinkedRole", arn.as_str(), &context)?;
        let (Some(role), Some(service)) = (found, service) else {
            return Err(Rejection::missing("service-linked role", name));
        };
        let task = format!("task{SERVICE_LINKED_PATH}{service}/{}/{task}", role.name);
        self.emit(EventKind::RoleDeleted { name: role.name.clone() });
        self.emit_entity(EntityEvent::RoleDeletionCompleted { task: Arc::from(task) });
        Ok(())
    }

    /// An account has one alias at most, and a new one takes the place of the old.
    fn create_alias(&mut self, alias: &AccountAlias) -> Result<(), Rejection> {
        self.require("iam:CreateAccountAlias", "*")?;
        let taken = self.state.accounts().find(|account| account.alias.as_ref() == Some(alias));
        match taken {
            Some(account) if account.id == self.account.id => Ok(()),
            Some(_) => Err(Rejection::exists("account alias", alias)),
            None => {
                self.emit_entity(EntityEvent::AccountAliasCreated { alias: alias.clone() });
                Ok(())
            }
        }
    }
}

/// `AWSServiceRoleFor`, the service's name, and `_SUFFIX` where there is one.
fn service_linked_name(service: &str, suffix: Option<&str>) -> Result<RoleName, Rejection> {
    let label = service.strip_suffix(".amazonaws.com").filter(|label| !label.is_empty());
    let Some(label) = label else {
        let rule = "must be the principal of a service, such as ecs.amazonaws.com";
        return Err(Invalid::new("awsServiceName", rule).into());
    };
    let known = SERVICE_LINKED_NAMES.iter().find(|(known, _)| *known == label);
    let named = known.map_or_else(|| capitalized(label), |(_, name)| (*name).to_owned());
    let suffix = suffix.map(|suffix| format!("_{suffix}")).unwrap_or_default();
    Ok(format!("{SERVICE_LINKED_NAME}{named}{suffix}").parse()?)
}

/// `access-analyzer` as `AccessAnalyzer`.
fn capitalized(label: &str) -> String {
    let words = label.split(['-', '.']);
    let words = words.map(|word| {
        let mut chars = word.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>()
    });
    words.collect()
}
