//! What an account holds, counted and looked up from the other side.

use super::event::{KeyOwner, PolicyOwner};
use super::quotas::{self, Quota};
use super::state::{Account, Permissions, Role};
use crate::policy::PolicyKind;

/// Who has a managed policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyHolders {
    /// To whom it is attached: groups, roles, users, each by name.
    pub attached: Vec<PolicyOwner>,
    /// Whom it bounds.
    pub bounded: Vec<PolicyOwner>,
}

impl Account {
    /// Everyone with policies: groups, roles, users, each by name.
    pub fn policy_owners(&self) -> impl Iterator<Item = (PolicyOwner, &Permissions)> {
        let groups = self.groups.values();
        let groups = groups.map(|g| (PolicyOwner::Group(g.name.clone()), &g.permissions));
        let roles = self.roles.values();
        let roles = roles.map(|r| (PolicyOwner::Role(r.name.clone()), &r.permissions));
        let users = self.users.values();
        let users = users.map(|u| (PolicyOwner::User(u.name.clone()), &u.permissions));
        groups.chain(roles).chain(users)
    }

    /// Who has the managed policy that permissions hold under `key`.
    #[must_use]
    pub fn holders_of(&self, key: &str) -> PolicyHolders {
        let mut holders = PolicyHolders::default();
        for (owner, permissions) in self.policy_owners() {
            if permissions.attached.contains(key) {
                holders.attached.push(owner.clone());
            }
            if permissions.boundary.as_deref() == Some(key) {
                holders.bounded.push(owner);
            }
        }
        holders
    }

    /// The instance profiles that hold a role, by name.
    pub fn profiles_of<'a>(
        &'a self,
        role: &'a Role,
    ) -> impl Iterator<Item = &'a std::sync::Arc<super::state::Profile>> {
        let holds = |profile: &&std::sync::Arc<super::state::Profile>| {
            profile.role.as_ref() == Some(&role.name)
        };
        self.profiles.values().filter(holds)
    }

    /// Counts and quotas by the names that IAM's GetAccountSummary gives them.
    #[must_use]
    pub fn summary(&self) -> Vec<(&'static str, usize)> {
        let versions = self.policies.values().map(|policy| policy.versions.len()).sum();
        let root_devices = usize::from(self.mfa_devices_of(&KeyOwner::Root).next().is_some());
        let devices = self.mfa_devices.values();
        let in_use = devices.filter(|device| device.owner.is_some()).count();
        let quota = |quota| self.quota(quota).unwrap_or(usize::MAX);
        let size = |kind: PolicyKind| kind.chars_max().unwrap_or_default();
        let root_keys = usize::from(self.keys_of(&KeyOwner::Root).next().is_some());
        vec![
            ("AccessKeysPerUserQuota", quotas::ACCESS_KEYS_PER_USER_MAX),
            ("AccountAccessKeysPresent", root_keys),
            ("AccountMFAEnabled", root_devices),
            ("AccountPasswordPresent", 0),
            ("AccountSigningCertificatesPresent", 0),
            ("AssumeRolePolicySizeQuota", size(PolicyKind::Trust)),
            ("AttachedPoliciesPerGroupQuota", quotas::ATTACHED_MAX),
            ("AttachedPoliciesPerRoleQuota", quotas::ATTACHED_MAX),
            ("AttachedPoliciesPerUserQuota", quotas::ATTACHED_MAX),
            ("GroupPolicySizeQuota", quotas::INLINE_GROUP_CHARS_MAX),
            ("Groups", self.groups.len()),
            ("GroupsPerUserQuota", quotas::GROUPS_PER_USER_MAX),
            ("GroupsQuota", quota(Quota::Groups)),
            ("InstanceProfiles", self.profiles.len()),
            ("InstanceProfilesQuota", quota(Quota::Profiles)),
            ("MFADevices", self.mfa_devices.len()),
            ("MFADevicesInUse", in_use),
            ("Policies", self.policies.len()),
            ("PoliciesQuota", quota(Quota::Policies)),
            ("PolicySizeQuota", size(PolicyKind::Identity)),
            ("PolicyVersionsInUse", versions),
            ("Providers", self.oidc_providers.len()),
            ("RolePolicySizeQuota", quotas::INLINE_ROLE_CHARS_MAX),
            ("Roles", self.roles.len()),
            ("RolesQuota", quota(Quota::Roles)),
            ("UserPolicySizeQuota", quotas::INLINE_USER_CHARS_MAX),
            ("Users", self.users.len()),
            ("UsersQuota", quota(Quota::Users)),
            ("VersionsPerPolicyQuota", quotas::VERSIONS_MAX),
        ]
    }
}
