//! IamService: every call by name; what each does stands in `iam_users`, `iam_groups`,
//! `iam_roles`, `iam_policies` and `iam_profiles`.

use crate::proto::v1::iam_service_server::IamService;
use crate::proto::v1::*;

calls! {
    IamService:
    create_user: iam_create_user(CreateUserRequest) -> CreateUserResponse;
    get_user: iam_get_user(GetUserRequest) -> GetUserResponse;
    list_users: iam_list_users(ListUsersRequest) -> ListUsersResponse;
    delete_user: iam_delete_user(DeleteUserRequest) -> DeleteUserResponse;
    create_group: iam_create_group(CreateGroupRequest) -> CreateGroupResponse;
    get_group: iam_get_group(GetGroupRequest) -> GetGroupResponse;
    list_groups: iam_list_groups(ListGroupsRequest) -> ListGroupsResponse;
    delete_group: iam_delete_group(DeleteGroupRequest) -> DeleteGroupResponse;
    add_user_to_group: iam_add_user_to_group(AddUserToGroupRequest) -> AddUserToGroupResponse;
    remove_user_from_group: iam_remove_user_from_group(RemoveUserFromGroupRequest) -> RemoveUserFromGroupResponse;
    create_access_key: iam_create_access_key(CreateAccessKeyRequest) -> CreateAccessKeyResponse;
    list_access_keys: iam_list_access_keys(ListAccessKeysRequest) -> ListAccessKeysResponse;
    update_access_key: iam_update_access_key(UpdateAccessKeyRequest) -> UpdateAccessKeyResponse;
    delete_access_key: iam_delete_access_key(DeleteAccessKeyRequest) -> DeleteAccessKeyResponse;
    get_access_key_last_used: iam_get_access_key_last_used(GetAccessKeyLastUsedRequest) -> GetAccessKeyLastUsedResponse;
    create_role: iam_create_role(CreateRoleRequest) -> CreateRoleResponse;
    get_role: iam_get_role(GetRoleRequest) -> GetRoleResponse;
    list_roles: iam_list_roles(ListRolesRequest) -> ListRolesResponse;
    update_role: iam_update_role(UpdateRoleRequest) -> UpdateRoleResponse;
    update_trust_policy: iam_update_trust_policy(UpdateTrustPolicyRequest) -> UpdateTrustPolicyResponse;
    delete_role: iam_delete_role(DeleteRoleRequest) -> DeleteRoleResponse;
    put_inline_policy: iam_put_inline_policy(PutInlinePolicyRequest) -> PutInlinePolicyResponse;
    delete_inline_policy: iam_delete_inline_policy(DeleteInlinePolicyRequest) -> DeleteInlinePolicyResponse;
    create_policy: iam_create_policy(CreatePolicyRequest) -> CreatePolicyResponse;
    get_policy: iam_get_policy(GetPolicyRequest) -> GetPolicyResponse;
    list_policies: iam_list_policies(ListPoliciesRequest) -> ListPoliciesResponse;
    create_policy_version: iam_create_policy_version(CreatePolicyVersionRequest) -> CreatePolicyVersionResponse;
    delete_policy: iam_delete_policy(DeletePolicyRequest) -> DeletePolicyResponse;
    attach_policy: iam_attach_policy(AttachPolicyRequest) -> AttachPolicyResponse;
    detach_policy: iam_detach_policy(DetachPolicyRequest) -> DetachPolicyResponse;
    put_permissions_boundary: iam_put_permissions_boundary(PutPermissionsBoundaryRequest) -> PutPermissionsBoundaryResponse;
    delete_permissions_boundary: iam_delete_permissions_boundary(DeletePermissionsBoundaryRequest) -> DeletePermissionsBoundaryResponse;
    create_instance_profile: iam_create_instance_profile(CreateInstanceProfileRequest) -> CreateInstanceProfileResponse;
    get_instance_profile: iam_get_instance_profile(GetInstanceProfileRequest) -> GetInstanceProfileResponse;
    list_instance_profiles: iam_list_instance_profiles(ListInstanceProfilesRequest) -> ListInstanceProfilesResponse;
    delete_instance_profile: iam_delete_instance_profile(DeleteInstanceProfileRequest) -> DeleteInstanceProfileResponse;
    add_role_to_instance_profile: iam_add_role_to_instance_profile(AddRoleToInstanceProfileRequest) -> AddRoleToInstanceProfileResponse;
    remove_role_from_instance_profile: iam_remove_role_from_instance_profile(RemoveRoleFromInstanceProfileRequest) -> RemoveRoleFromInstanceProfileResponse;
    get_policy_version: iam_get_policy_version(GetPolicyVersionRequest) -> GetPolicyVersionResponse;
    list_policy_versions: iam_list_policy_versions(ListPolicyVersionsRequest) -> ListPolicyVersionsResponse;
    set_default_policy_version: iam_set_default_policy_version(SetDefaultPolicyVersionRequest) -> SetDefaultPolicyVersionResponse;
    delete_policy_version: iam_delete_policy_version(DeletePolicyVersionRequest) -> DeletePolicyVersionResponse;
    list_entities_for_policy: iam_list_entities_for_policy(ListEntitiesForPolicyRequest) -> ListEntitiesForPolicyResponse;
    tag_entity: iam_tag_entity(TagEntityRequest) -> TagEntityResponse;
    untag_entity: iam_untag_entity(UntagEntityRequest) -> UntagEntityResponse;
    update_user: iam_update_user(UpdateUserRequest) -> UpdateUserResponse;
    update_group: iam_update_group(UpdateGroupRequest) -> UpdateGroupResponse;
    create_service_linked_role: iam_create_service_linked_role(CreateServiceLinkedRoleRequest) -> CreateServiceLinkedRoleResponse;
    delete_service_linked_role: iam_delete_service_linked_role(DeleteServiceLinkedRoleRequest) -> DeleteServiceLinkedRoleResponse;
    get_service_linked_role_deletion_status: iam_deletion_status(GetServiceLinkedRoleDeletionStatusRequest) -> GetServiceLinkedRoleDeletionStatusResponse;
    create_account_alias: iam_create_account_alias(CreateAccountAliasRequest) -> CreateAccountAliasResponse;
    delete_account_alias: iam_delete_account_alias(DeleteAccountAliasRequest) -> DeleteAccountAliasResponse;
    get_account_summary: iam_get_account_summary(GetAccountSummaryRequest) -> GetAccountSummaryResponse;
    create_agent: iam_create_agent(CreateAgentRequest) -> CreateAgentResponse;
    list_agents: iam_list_agents(ListAgentsRequest) -> ListAgentsResponse;
    delete_agent: iam_delete_agent(DeleteAgentRequest) -> DeleteAgentResponse;
    create_virtual_mfa_device: iam_create_virtual_mfa_device(CreateVirtualMfaDeviceRequest) -> CreateVirtualMfaDeviceResponse;
    enable_mfa_device: iam_enable_mfa_device(EnableMfaDeviceRequest) -> EnableMfaDeviceResponse;
    resync_mfa_device: iam_resync_mfa_device(ResyncMfaDeviceRequest) -> ResyncMfaDeviceResponse;
    deactivate_mfa_device: iam_deactivate_mfa_device(DeactivateMfaDeviceRequest) -> DeactivateMfaDeviceResponse;
    delete_virtual_mfa_device: iam_delete_virtual_mfa_device(DeleteVirtualMfaDeviceRequest) -> DeleteVirtualMfaDeviceResponse;
    list_mfa_devices: iam_list_mfa_devices(ListMfaDevicesRequest) -> ListMfaDevicesResponse;
    list_virtual_mfa_devices: iam_list_virtual_mfa_devices(ListVirtualMfaDevicesRequest) -> ListVirtualMfaDevicesResponse;
    create_open_id_connect_provider: iam_create_oidc_provider(CreateOpenIdConnectProviderRequest) -> CreateOpenIdConnectProviderResponse;
    get_open_id_connect_provider: iam_get_oidc_provider(GetOpenIdConnectProviderRequest) -> GetOpenIdConnectProviderResponse;
    list_open_id_connect_providers: iam_list_oidc_providers(ListOpenIdConnectProvidersRequest) -> ListOpenIdConnectProvidersResponse;
    update_open_id_connect_provider: iam_update_oidc_provider(UpdateOpenIdConnectProviderRequest) -> UpdateOpenIdConnectProviderResponse;
    delete_open_id_connect_provider: iam_delete_oidc_provider(DeleteOpenIdConnectProviderRequest) -> DeleteOpenIdConnectProviderResponse;
}
