//! Instance profiles.

use std::sync::Arc;

use tonic::Status;

use super::iam_entities::tags;
use super::iam_users::missing;
use super::{Front, convert, field, optional, page};
use crate::domain::command::Action;
use crate::domain::entity::TagOwner;
use crate::domain::state::Profile;
use crate::identity::ProfileName;
use crate::proto::v1::{
    AddRoleToInstanceProfileRequest, AddRoleToInstanceProfileResponse,
    CreateInstanceProfileRequest, CreateInstanceProfileResponse, DeleteInstanceProfileRequest,
    DeleteInstanceProfileResponse, GetInstanceProfileRequest, GetInstanceProfileResponse,
    ListInstanceProfilesRequest, ListInstanceProfilesResponse,
    RemoveRoleFromInstanceProfileRequest, RemoveRoleFromInstanceProfileResponse,
};
use crate::sts::RequestInfo;

impl Front {
    pub(super) async fn iam_create_instance_profile(
        &self,
        info: &RequestInfo,
        request: CreateInstanceProfileRequest,
    ) -> Result<CreateInstanceProfileResponse, Status> {
        let name: ProfileName = field("instance_profile_name", &request.instance_profile_name)?;
        let path = optional("path", &request.path)?.unwrap_or_default();
        let id = Self::drawn(info, self.service.draw_id("AIPA"))?;
        let tags = tags(&request.tags)?;
        let action = Action::CreateProfile { name: name.clone(), path, id, tags };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let account = self.own_account(info)?;
        let profile = account.profile(&name).map(|profile| convert::profile(&account, profile));
        Ok(CreateInstanceProfileResponse { instance_profile: profile, sequence: receipt.sequence })
    }

    pub(super) async fn iam_get_instance_profile(
        &self,
        info: &RequestInfo,
        request: GetInstanceProfileRequest,
    ) -> Result<GetInstanceProfileResponse, Status> {
        let name: ProfileName = field("instance_profile_name", &request.instance_profile_name)?;
        let owner = TagOwner::Profile(name.clone());
        let action = "iam:GetInstanceProfile";
        let (view, account) = self.read_entity(info, request.min_sequence, action, &owner).await?;
        let profile = account.profile(&name);
        let profile = profile.ok_or_else(|| missing("instance profile", name.as_str()))?;
        let instance_profile = Some(convert::profile(&account, profile));
        Ok(GetInstanceProfileResponse { instance_profile, sequence: view.sequence })
    }

    pub(super) async fn iam_list_instance_profiles(
        &self,
        info: &RequestInfo,
        request: ListInstanceProfilesRequest,
    ) -> Result<ListInstanceProfilesResponse, Status> {
        let action = "iam:ListInstanceProfiles";
        let (view, account) = self.read(info, request.min_sequence, action, "*").await?;
        let key = |profile: &&Arc<Profile>| profile.name.as_str().to_ascii_lowercase();
        let wanted = |p: &&Arc<Profile>| p.path.as_str().starts_with(&request.path_prefix);
        let all = account.profiles.values().filter(wanted);
        let (found, next_page_token) = page(all, key, request.page_size, &request.page_token)?;
        let shown = found.into_iter().map(|profile| convert::profile(&account, profile));
        let (instance_profiles, sequence) = (shown.collect(), view.sequence);
        Ok(ListInstanceProfilesResponse { instance_profiles, next_page_token, sequence })
    }

    pub(super) async fn iam_delete_instance_profile(
        &self,
        info: &RequestInfo,
        request: DeleteInstanceProfileRequest,
    ) -> Result<DeleteInstanceProfileResponse, Status> {
        let name = field("instance_profile_name", &request.instance_profile_name)?;
        let action = Action::DeleteProfile { name };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeleteInstanceProfileResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_add_role_to_instance_profile(
        &self,
        info: &RequestInfo,
        request: AddRoleToInstanceProfileRequest,
    ) -> Result<AddRoleToInstanceProfileResponse, Status> {
        let profile = field("instance_profile_name", &request.instance_profile_name)?;
        let role = field("role_name", &request.role_name)?;
        let action = Action::AddRoleToProfile { profile, role };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(AddRoleToInstanceProfileResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_remove_role_from_instance_profile(
        &self,
        info: &RequestInfo,
        request: RemoveRoleFromInstanceProfileRequest,
    ) -> Result<RemoveRoleFromInstanceProfileResponse, Status> {
        let profile = field("instance_profile_name", &request.instance_profile_name)?;
        let role = field("role_name", &request.role_name)?;
        let action = Action::RemoveRoleFromProfile { profile, role };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(RemoveRoleFromInstanceProfileResponse { sequence: receipt.sequence })
    }
}
