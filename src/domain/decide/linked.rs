//! Service-linked roles. Source: IAM User Guide, using-service-linked-roles.

use std::sync::Arc;
use std::time::Duration;

use super::Decider;
use crate::domain::access::{Facts, Permission, Resource};
use crate::domain::event::{EventKind, RoleEvent};
use crate::domain::quotas::Quota;
use crate::domain::rejection::Rejection;
use crate::domain::tags::Tags;
use crate::domain::trust::Trust;
use crate::identity::{Invalid, Path, RoleName, UniqueId};
use crate::policy::{Policy, PolicyKind, SERVICE_LINKED_PATH};

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

    pub(super) fn create_service_linked(
        &mut self,
        service: &str,
        suffix: Option<&str>,
        description: &Arc<str>,
        id: &UniqueId,
    ) -> Result<(), Rejection> {
        let name = service_linked_name(service, suffix)?;
        let path = Path::parse(&format!("{SERVICE_LINKED_PATH}{service}/"))?;
        let tags = Tags::default();
        let resource = Resource::new_role(self.account.id, &path, &name, &tags);
        self.require(Permission::CreateServiceLinkedRole, &resource)?;
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
        self.emit(EventKind::Role(RoleEvent::Created {
            name,
            path,
            id: id.clone(),
            description: description.clone(),
            max_session: SERVICE_LINKED_SESSION_MAX,
            trust: Trust::bound(trust, Vec::new()),
        }));
        Ok(())
    }

    /// No service here keeps its role in use, so that the deletion is done when it is asked for.
    pub(super) fn delete_service_linked(
        &mut self,
        name: &RoleName,
        task: &str,
    ) -> Result<(), Rejection> {
        let found = self.account.role(name);
        let service = found.and_then(|role| role.path.as_str().strip_prefix(SERVICE_LINKED_PATH));
        let service = service.map(|rest| rest.trim_end_matches('/'));
        let facts = Facts::of(&self.command.action).linked_to(service);
        let resource = Resource::role(self.account, name);
        self.require_with(Permission::DeleteServiceLinkedRole, &resource, &facts)?;
        let (Some(role), Some(service)) = (found, service) else {
            return Err(Rejection::missing("service-linked role", name));
        };
        let task = format!("task{SERVICE_LINKED_PATH}{service}/{}/{task}", role.name);
        self.emit(EventKind::Role(RoleEvent::Deleted { name: role.name.clone() }));
        self.emit(EventKind::Role(RoleEvent::DeletionCompleted { task: Arc::from(task) }));
        Ok(())
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
