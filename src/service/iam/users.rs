//! Users.

use std::sync::Arc;

use super::{Found, KeyHolder, Made};
use crate::domain::access::{ListKind, Permission, Target};
use crate::domain::command::{Action, UserAction};
use crate::domain::event::KeyOwner;
use crate::domain::rejection::Rejection;
use crate::domain::state::{Account, User};
use crate::domain::tags::Tags;
use crate::identity::{Arn, Path, UserName};
use crate::ledger::Receipt;
use crate::service::{Reading, RequestInfo, Service, ServiceError};

/// What CreateUser is asked. Source: IAM API Reference, CreateUser.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct NewUser {
    pub name: UserName,
    pub path: Path,
    pub tags: Tags,
    pub boundary: Option<Arn>,
}

/// What UpdateUser and UpdateGroup are asked. Source: IAM API Reference, UpdateUser.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct Renaming<N> {
    pub name: N,
    pub new_name: Option<N>,
    pub new_path: Option<Path>,
}

/// Whom GetUser shows.
#[derive(Clone, Debug)]
pub enum UserOrRootAccount {
    /// A user.
    User(Found<User>),
    /// The root of this account.
    Root(Arc<Account>),
}

/// Each refuses a caller who may not, names that break a rule of the account, and what cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// CreateUser.
    pub async fn create_user(
        &self,
        info: &RequestInfo,
        token: &str,
        NewUser { name, path, tags, boundary }: NewUser,
    ) -> Result<Made<User>, ServiceError> {
        let id = self.draw_id("AIDA")?;
        let action = UserAction::Create { name: name.clone(), path, id, tags, boundary };
        let receipt = self.perform_own(info, token, Action::User(action)).await?;
        self.made(info, &receipt, |account| account.user(&name))
    }

    /// GetUser.
    pub async fn user(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        name: &UserName,
    ) -> Result<Found<User>, ServiceError> {
        self.read_user(info, min_sequence, Permission::GetUser, name).await
    }

    /// A read of one user: GetUser and ListGroupsForUser, by their permission.
    pub(super) async fn read_user(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        permission: Permission,
        name: &UserName,
    ) -> Result<Found<User>, ServiceError> {
        let reading = self.read(info, min_sequence, permission, &Target::User(name)).await?;
        let entity = reading.account.user(name).cloned();
        reading.found(entity, || Rejection::missing("user", name))
    }

    /// GetUser of who may be left out: the caller then. An account's root is shown to itself without a permission.
    pub async fn user_or_root(
        &self,
        info: &RequestInfo,
        name: Option<UserName>,
    ) -> Result<UserOrRootAccount, ServiceError> {
        let holder = name.map_or(KeyHolder::Caller, KeyHolder::User);
        match self.key_owner(info, &holder)? {
            KeyOwner::User(name) => Ok(UserOrRootAccount::User(self.user(info, 0, &name).await?)),
            KeyOwner::Root | KeyOwner::Instance(_) | KeyOwner::Agent(_) => {
                Ok(UserOrRootAccount::Root(self.own_account(info)?))
            }
        }
    }

    /// ListUsers: the users whose paths begin with `path_prefix`.
    pub async fn list_users(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        path_prefix: &str,
    ) -> Result<Reading, ServiceError> {
        let target = Target::List(ListKind::Users, path_prefix);
        self.read(info, min_sequence, Permission::ListUsers, &target).await
    }

    /// UpdateUser.
    pub async fn update_user(
        &self,
        info: &RequestInfo,
        token: &str,
        Renaming { name, new_name, new_path }: Renaming<UserName>,
    ) -> Result<Receipt, ServiceError> {
        let action = UserAction::Update { name, new_name, new_path };
        self.perform_own(info, token, Action::User(action)).await
    }

    /// DeleteUser.
    pub async fn delete_user(
        &self,
        info: &RequestInfo,
        token: &str,
        name: UserName,
    ) -> Result<Receipt, ServiceError> {
        self.perform_own(info, token, Action::User(UserAction::Delete { name })).await
    }
}
