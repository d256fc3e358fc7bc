//! Permissions of operations that differ in what they are about alone.

use super::Permission;
use crate::domain::entity::TagOwner;
use crate::domain::event::PolicyOwner;

impl Permission {
    fn by_policy_owner(owner: &PolicyOwner, [user, role, group]: [Self; 3]) -> Self {
        match owner {
            PolicyOwner::User(_) => user,
            PolicyOwner::Role(_) => role,
            PolicyOwner::Group(_) => group,
        }
    }

    /// PutUserPolicy and its like.
    #[must_use]
    pub fn put_policy(owner: &PolicyOwner) -> Self {
        let each = [Self::PutUserPolicy, Self::PutRolePolicy, Self::PutGroupPolicy];
        Self::by_policy_owner(owner, each)
    }

    /// GetUserPolicy and its like.
    #[must_use]
    pub fn get_policy(owner: &PolicyOwner) -> Self {
        let each = [Self::GetUserPolicy, Self::GetRolePolicy, Self::GetGroupPolicy];
        Self::by_policy_owner(owner, each)
    }

    /// DeleteUserPolicy and its like.
    #[must_use]
    pub fn delete_policy(owner: &PolicyOwner) -> Self {
        let each = [Self::DeleteUserPolicy, Self::DeleteRolePolicy, Self::DeleteGroupPolicy];
        Self::by_policy_owner(owner, each)
    }

    /// ListUserPolicies and its like.
    #[must_use]
    pub fn list_policies(owner: &PolicyOwner) -> Self {
        let each = [Self::ListUserPolicies, Self::ListRolePolicies, Self::ListGroupPolicies];
        Self::by_policy_owner(owner, each)
    }

    /// AttachUserPolicy and its like.
    #[must_use]
    pub fn attach_policy(owner: &PolicyOwner) -> Self {
        let each = [Self::AttachUserPolicy, Self::AttachRolePolicy, Self::AttachGroupPolicy];
        Self::by_policy_owner(owner, each)
    }

    /// DetachUserPolicy and its like.
    #[must_use]
    pub fn detach_policy(owner: &PolicyOwner) -> Self {
        let each = [Self::DetachUserPolicy, Self::DetachRolePolicy, Self::DetachGroupPolicy];
        Self::by_policy_owner(owner, each)
    }

    /// ListAttachedUserPolicies and its like.
    #[must_use]
    pub fn list_attached_policies(owner: &PolicyOwner) -> Self {
        let each = [
            Self::ListAttachedUserPolicies,
            Self::ListAttachedRolePolicies,
            Self::ListAttachedGroupPolicies,
        ];
        Self::by_policy_owner(owner, each)
    }

    /// PutUserPermissionsBoundary and its like; groups have no boundary.
    #[must_use]
    pub fn put_boundary(owner: &PolicyOwner) -> Option<Self> {
        match owner {
            PolicyOwner::User(_) => Some(Self::PutUserPermissionsBoundary),
            PolicyOwner::Role(_) => Some(Self::PutRolePermissionsBoundary),
            PolicyOwner::Group(_) => None,
        }
    }

    /// DeleteUserPermissionsBoundary and its like; groups have no boundary.
    #[must_use]
    pub fn delete_boundary(owner: &PolicyOwner) -> Option<Self> {
        match owner {
            PolicyOwner::User(_) => Some(Self::DeleteUserPermissionsBoundary),
            PolicyOwner::Role(_) => Some(Self::DeleteRolePermissionsBoundary),
            PolicyOwner::Group(_) => None,
        }
    }

    /// TagUser and its like.
    #[must_use]
    pub fn tag(owner: &TagOwner) -> Self {
        match owner {
            TagOwner::User(_) => Self::TagUser,
            TagOwner::Role(_) => Self::TagRole,
            TagOwner::Policy(_) => Self::TagPolicy,
            TagOwner::Profile(_) => Self::TagInstanceProfile,
            TagOwner::MfaDevice(_) => Self::TagMFADevice,
            TagOwner::OidcProvider(_) => Self::TagOpenIDConnectProvider,
        }
    }

    /// UntagUser and its like.
    #[must_use]
    pub fn untag(owner: &TagOwner) -> Self {
        match owner {
            TagOwner::User(_) => Self::UntagUser,
            TagOwner::Role(_) => Self::UntagRole,
            TagOwner::Policy(_) => Self::UntagPolicy,
            TagOwner::Profile(_) => Self::UntagInstanceProfile,
            TagOwner::MfaDevice(_) => Self::UntagMFADevice,
            TagOwner::OidcProvider(_) => Self::UntagOpenIDConnectProvider,
        }
    }

    /// ListUserTags and its like.
    #[must_use]
    pub fn list_tags(owner: &TagOwner) -> Self {
        match owner {
            TagOwner::User(_) => Self::ListUserTags,
            TagOwner::Role(_) => Self::ListRoleTags,
            TagOwner::Policy(_) => Self::ListPolicyTags,
            TagOwner::Profile(_) => Self::ListInstanceProfileTags,
            TagOwner::MfaDevice(_) => Self::ListMFADeviceTags,
            TagOwner::OidcProvider(_) => Self::ListOpenIDConnectProviderTags,
        }
    }
}
