//! The operations of IAM. Source: IAM API Reference.

mod account;
mod details;
mod groups;
mod keys;
mod linked;
mod mfa;
mod oidc;
mod owner_policies;
mod policies;
mod profiles;
mod qr;
mod roles;
mod scene;
mod shown;
mod simulate;
mod tags;
mod users;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::call::operations;
use super::shape::Rule;

operations! {
    AddClientIDToOpenIDConnectProvider => oidc::add_client_id;
    AddRoleToInstanceProfile => profiles::add_role;
    AddUserToGroup => groups::add_user;
    AttachGroupPolicy => groups::attach_policy;
    AttachRolePolicy => roles::attach_policy;
    AttachUserPolicy => users::attach_policy;
    CreateAccessKey => keys::create;
    CreateAccountAlias => account::create_alias;
    CreateGroup => groups::create;
    CreateInstanceProfile => profiles::create;
    CreateOpenIDConnectProvider => oidc::create;
    CreatePolicy => policies::create;
    CreatePolicyVersion => policies::create_version;
    CreateRole => roles::create;
    CreateServiceLinkedRole => linked::create;
    CreateUser => users::create;
    CreateVirtualMFADevice => mfa::create;
    DeactivateMFADevice => mfa::deactivate;
    DeleteAccessKey => keys::delete;
    DeleteAccountAlias => account::delete_alias;
    DeleteGroup => groups::delete;
    DeleteGroupPolicy => groups::delete_policy;
    DeleteInstanceProfile => profiles::delete;
    DeleteOpenIDConnectProvider => oidc::delete;
    DeletePolicy => policies::delete;
    DeletePolicyVersion => policies::delete_version;
    DeleteRole => roles::delete;
    DeleteRolePermissionsBoundary => roles::delete_boundary;
    DeleteRolePolicy => roles::delete_policy;
    DeleteServiceLinkedRole => linked::delete;
    DeleteUser => users::delete;
    DeleteUserPermissionsBoundary => users::delete_boundary;
    DeleteUserPolicy => users::delete_policy;
    DeleteVirtualMFADevice => mfa::delete;
    DetachGroupPolicy => groups::detach_policy;
    DetachRolePolicy => roles::detach_policy;
    DetachUserPolicy => users::detach_policy;
    EnableMFADevice => mfa::enable;
    GetAccessKeyLastUsed => keys::last_used;
    GetAccountAuthorizationDetails => details::get;
    GetAccountSummary => account::summary;
    GetContextKeysForCustomPolicy => simulate::keys_for_custom;
    GetContextKeysForPrincipalPolicy => simulate::keys_for_principal;
    GetGroup => groups::get;
    GetGroupPolicy => groups::get_policy;
    GetInstanceProfile => profiles::get;
    GetMFADevice => mfa::get;
    GetOpenIDConnectProvider => oidc::get;
    GetPolicy => policies::get;
    GetPolicyVersion => policies::get_version;
    GetRole => roles::get;
    GetRolePolicy => roles::get_policy;
    GetServiceLinkedRoleDeletionStatus => linked::deletion_status;
    GetUser => users::get;
    GetUserPolicy => users::get_policy;
    ListAccessKeys => keys::list;
    ListAccountAliases => account::list_aliases;
    ListAttachedGroupPolicies => groups::list_attached;
    ListAttachedRolePolicies => roles::list_attached;
    ListAttachedUserPolicies => users::list_attached;
    ListEntitiesForPolicy => policies::list_entities;
    ListGroupPolicies => groups::list_policies;
    ListGroups => groups::list;
    ListGroupsForUser => groups::list_for_user;
    ListInstanceProfileTags => profiles::list_tags;
    ListInstanceProfiles => profiles::list;
    ListInstanceProfilesForRole => profiles::list_for_role;
    ListMFADeviceTags => mfa::list_tags;
    ListMFADevices => mfa::list;
    ListOpenIDConnectProviderTags => oidc::list_tags;
    ListOpenIDConnectProviders => oidc::list;
    ListPolicies => policies::list;
    ListPolicyTags => policies::list_tags;
    ListPolicyVersions => policies::list_versions;
    ListRolePolicies => roles::list_policies;
    ListRoleTags => roles::list_tags;
    ListRoles => roles::list;
    ListUserPolicies => users::list_policies;
    ListUserTags => users::list_tags;
    ListUsers => users::list;
    ListVirtualMFADevices => mfa::list_virtual;
    PutGroupPolicy => groups::put_policy;
    PutRolePermissionsBoundary => roles::put_boundary;
    PutRolePolicy => roles::put_policy;
    PutUserPermissionsBoundary => users::put_boundary;
    PutUserPolicy => users::put_policy;
    RemoveClientIDFromOpenIDConnectProvider => oidc::remove_client_id;
    RemoveRoleFromInstanceProfile => profiles::remove_role;
    RemoveUserFromGroup => groups::remove_user;
    ResyncMFADevice => mfa::resync;
    SetDefaultPolicyVersion => policies::set_default_version;
    SimulateCustomPolicy => simulate::custom;
    SimulatePrincipalPolicy => simulate::principal;
    TagInstanceProfile => profiles::tag;
    TagMFADevice => mfa::tag;
    TagOpenIDConnectProvider => oidc::tag;
    TagPolicy => policies::tag;
    TagRole => roles::tag;
    TagUser => users::tag;
    UntagInstanceProfile => profiles::untag;
    UntagMFADevice => mfa::untag;
    UntagOpenIDConnectProvider => oidc::untag;
    UntagPolicy => policies::untag;
    UntagRole => roles::untag;
    UntagUser => users::untag;
    UpdateAccessKey => keys::update;
    UpdateAssumeRolePolicy => roles::update_trust;
    UpdateGroup => groups::update;
    UpdateOpenIDConnectProviderThumbprint => oidc::set_thumbprints;
    UpdateRole => roles::update;
    UpdateRoleDescription => roles::update_description;
    UpdateUser => users::update;
}

/// The pattern of names.
const NAME: Rule =
    Rule::Pattern("[\\w+=,.@-]+", |c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c));
/// Characters of a marker.
const MARKER_CHARS_MAX: usize = 320;
/// Characters of a path.
const PATH_CHARS_MAX: usize = 512;

/// A policy as answers hold it: percent-encoded as RFC 3986 says.
fn document(text: &str) -> String {
    const ESCAPED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ESCAPED).to_string()
}
