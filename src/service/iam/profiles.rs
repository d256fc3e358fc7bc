//! Instance profiles.

use super::{Found, Made};
use crate::domain::access::{ListKind, Permission, Target};
use crate::domain::command::{Action, ProfileAction};
use crate::domain::rejection::Rejection;
use crate::domain::state::{Profile, Role};
use crate::domain::tags::Tags;
use crate::identity::{Path, ProfileName, RoleName};
use crate::ledger::Receipt;
use crate::service::{Reading, RequestInfo, Service, ServiceError};

/// What CreateInstanceProfile is asked. Source: IAM API Reference, CreateInstanceProfile.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct NewProfile {
    pub name: ProfileName,
    pub path: Path,
    pub tags: Tags,
}

/// Each refuses a caller who may not, names that break a rule of the account, and what cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// CreateInstanceProfile.
    pub async fn create_profile(
        &self,
        info: &RequestInfo,
        token: &str,
        NewProfile { name, path, tags }: NewProfile,
    ) -> Result<Made<Profile>, ServiceError> {
        let id = self.draw_id("AIPA")?;
        let action = Action::Profile(ProfileAction::Create { name: name.clone(), path, id, tags });
        let receipt = self.perform_own(info, token, action).await?;
        self.made(info, &receipt, |account| account.profile(&name))
    }

    /// GetInstanceProfile.
    pub async fn profile(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        name: &ProfileName,
    ) -> Result<Found<Profile>, ServiceError> {
        let (permission, target) = (Permission::GetInstanceProfile, Target::Profile(name));
        let reading = self.read(info, min_sequence, permission, &target).await?;
        let entity = reading.account.profile(name).cloned();
        reading.found(entity, || Rejection::missing("instance profile", name))
    }

    /// ListInstanceProfiles: the profiles whose paths begin with `path_prefix`.
    pub async fn list_profiles(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        path_prefix: &str,
    ) -> Result<Reading, ServiceError> {
        let target = Target::List(ListKind::Profiles, path_prefix);
        self.read(info, min_sequence, Permission::ListInstanceProfiles, &target).await
    }

    /// ListInstanceProfilesForRole: the role, whose profiles they are.
    pub async fn list_profiles_for_role(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        name: &RoleName,
    ) -> Result<Found<Role>, ServiceError> {
        self.read_role(info, min_sequence, Permission::ListInstanceProfilesForRole, name).await
    }

    /// DeleteInstanceProfile.
    pub async fn delete_profile(
        &self,
        info: &RequestInfo,
        token: &str,
        name: ProfileName,
    ) -> Result<Receipt, ServiceError> {
        self.perform_own(info, token, Action::Profile(ProfileAction::Delete { name })).await
    }

    /// AddRoleToInstanceProfile.
    pub async fn add_role_to_profile(
        &self,
        info: &RequestInfo,
        token: &str,
        profile: ProfileName,
        role: RoleName,
    ) -> Result<Receipt, ServiceError> {
        let action = ProfileAction::AddRole { profile, role };
        self.perform_own(info, token, Action::Profile(action)).await
    }

    /// RemoveRoleFromInstanceProfile.
    pub async fn remove_role_from_profile(
        &self,
        info: &RequestInfo,
        token: &str,
        profile: ProfileName,
        role: RoleName,
    ) -> Result<Receipt, ServiceError> {
        let action = ProfileAction::RemoveRole { profile, role };
        self.perform_own(info, token, Action::Profile(action)).await
    }
}
