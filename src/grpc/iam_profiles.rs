//! Instance profiles.

use std::sync::Arc;

use super::iam_entities::tags;
use super::{Front, convert, field, optional, page};
use crate::domain::state::Profile;
use crate::proto::v1::{
    AddRoleToInstanceProfileRequest, AddRoleToInstanceProfileResponse,
    CreateInstanceProfileRequest, CreateInstanceProfileResponse, DeleteInstanceProfileRequest,
    DeleteInstanceProfileResponse, GetInstanceProfileRequest, GetInstanceProfileResponse,
    ListInstanceProfilesRequest, ListInstanceProfilesResponse,
    RemoveRoleFromInstanceProfileRequest, RemoveRoleFromInstanceProfileResponse,
};
use crate::service::{NewProfile, RequestInfo, ServiceError};

impl Front {
    pub(super) async fn iam_create_instance_profile(
        &self,
        info: &RequestInfo,
        request: CreateInstanceProfileRequest,
    ) -> Result<CreateInstanceProfileResponse, ServiceError> {
        let asked = NewProfile {
            name: field("instance_profile_name", &request.instance_profile_name)?,
            path: optional("path", &request.path)?.unwrap_or_default(),
            tags: tags(&request.tags)?,
        };
        let made = self.service.create_profile(info, &request.idempotency_token, asked).await?;
        let profile = made.entity.as_ref().map(|profile| convert::profile(&made.account, profile));
        Ok(CreateInstanceProfileResponse { instance_profile: profile, sequence: made.sequence })
    }

    pub(super) async fn iam_get_instance_profile(
        &self,
        info: &RequestInfo,
        request: GetInstanceProfileRequest,
    ) -> Result<GetInstanceProfileResponse, ServiceError> {
        let name = field("instance_profile_name", &request.instance_profile_name)?;
        let found = self.service.profile(info, request.min_sequence, &name).await?;
        let instance_profile = Some(convert::profile(&found.account, &found.entity));
        Ok(GetInstanceProfileResponse { instance_profile, sequence: found.view.sequence })
    }

    pub(super) async fn iam_list_instance_profiles(
        &self,
        info: &RequestInfo,
        request: ListInstanceProfilesRequest,
    ) -> Result<ListInstanceProfilesResponse, ServiceError> {
        let prefix = request.path_prefix.as_str();
        let read = self.service.list_profiles(info, request.min_sequence, prefix).await?;
        let key = |profile: &&Arc<Profile>| profile.name.as_str().to_ascii_lowercase();
        let wanted = |profile: &&Arc<Profile>| profile.path.as_str().starts_with(prefix);
        let all = read.account.profiles.values().filter(wanted);
        let (found, next_page_token) = page(all, key, request.page_size, &request.page_token)?;
        let shown = found.into_iter().map(|profile| convert::profile(&read.account, profile));
        let (instance_profiles, sequence) = (shown.collect(), read.view.sequence);
        Ok(ListInstanceProfilesResponse { instance_profiles, next_page_token, sequence })
    }

    pub(super) async fn iam_delete_instance_profile(
        &self,
        info: &RequestInfo,
        request: DeleteInstanceProfileRequest,
    ) -> Result<DeleteInstanceProfileResponse, ServiceError> {
        let name = field("instance_profile_name", &request.instance_profile_name)?;
        let receipt = self.service.delete_profile(info, &request.idempotency_token, name).await?;
        Ok(DeleteInstanceProfileResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_add_role_to_instance_profile(
        &self,
        info: &RequestInfo,
        request: AddRoleToInstanceProfileRequest,
    ) -> Result<AddRoleToInstanceProfileResponse, ServiceError> {
        let profile = field("instance_profile_name", &request.instance_profile_name)?;
        let (role, token) = (field("role_name", &request.role_name)?, &request.idempotency_token);
        let receipt = self.service.add_role_to_profile(info, token, profile, role).await?;
        Ok(AddRoleToInstanceProfileResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_remove_role_from_instance_profile(
        &self,
        info: &RequestInfo,
        request: RemoveRoleFromInstanceProfileRequest,
    ) -> Result<RemoveRoleFromInstanceProfileResponse, ServiceError> {
        let profile = field("instance_profile_name", &request.instance_profile_name)?;
        let (role, token) = (field("role_name", &request.role_name)?, &request.idempotency_token);
        let receipt = self.service.remove_role_from_profile(info, token, profile, role).await?;
        Ok(RemoveRoleFromInstanceProfileResponse { sequence: receipt.sequence })
    }
}
