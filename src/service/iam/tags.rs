//! Tags of entities.

use super::Found;
use crate::domain::access::{Permission, Target};
use crate::domain::command::{Action, TagAction};
use crate::domain::entity::TagOwner;
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::domain::tags::Tags;
use crate::identity::{Arn, ProfileName, RoleName, TagKey, UserName};
use crate::ledger::Receipt;
use crate::service::{RequestInfo, Service, ServiceError};

/// An entity that carries tags, as a request names it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is named after what it is")]
pub enum TaggedEntity {
    User(UserName),
    Role(RoleName),
    Profile(ProfileName),
    Policy(Arn),
    MfaDevice(Arn),
    Provider(Arn),
}

impl TaggedEntity {
    /// The entity in `account`. AWS's policies carry no tags of an account.
    fn owner(&self, account: &Account) -> Result<TagOwner, ServiceError> {
        Ok(match self {
            Self::User(name) => TagOwner::User(name.clone()),
            Self::Role(name) => TagOwner::Role(name.clone()),
            Self::Profile(name) => TagOwner::Profile(name.clone()),
            Self::Policy(arn) => {
                let policy = account.policy_by_arn(arn);
                let policy = policy.ok_or_else(|| Rejection::missing("policy", arn))?;
                TagOwner::Policy(policy.name.clone())
            }
            Self::MfaDevice(serial_number) => {
                let device = account.mfa_device(serial_number);
                let missing = || Rejection::missing("MFA device", serial_number);
                TagOwner::MfaDevice(device.ok_or_else(missing)?.name.clone())
            }
            Self::Provider(arn) => TagOwner::OidcProvider(account.issuer_of(arn)?),
        })
    }

    /// As `owner`, for a change, which AWS's policies do not take.
    fn changed_owner(&self, account: &Account) -> Result<TagOwner, ServiceError> {
        if let Self::Policy(arn) = self
            && account.policy_by_arn(arn).is_some_and(|policy| policy.aws)
        {
            let message = "Policies that AWS manages carry no tags of an account.".to_owned();
            return Err(Rejection::InvalidInput(message).into());
        }
        self.owner(account)
    }
}

/// Each refuses a caller who may not, names that break a rule of the account, and what cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// TagUser and its like.
    pub async fn tag(
        &self,
        info: &RequestInfo,
        token: &str,
        entity: &TaggedEntity,
        tags: Tags,
    ) -> Result<Receipt, ServiceError> {
        let owner = entity.changed_owner(&*self.own_account(info)?)?;
        self.perform_own(info, token, Action::Tag(TagAction::Tag { owner, tags })).await
    }

    /// UntagUser and its like.
    pub async fn untag(
        &self,
        info: &RequestInfo,
        token: &str,
        entity: &TaggedEntity,
        keys: Vec<TagKey>,
    ) -> Result<Receipt, ServiceError> {
        let owner = entity.changed_owner(&*self.own_account(info)?)?;
        self.perform_own(info, token, Action::Tag(TagAction::Untag { owner, keys })).await
    }

    /// ListUserTags and its like.
    pub async fn list_tags(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        entity: &TaggedEntity,
    ) -> Result<Found<Tags>, ServiceError> {
        let view = self.view_at(min_sequence).await?;
        let account = view.state.account(Self::account_of(info)?);
        let owner = entity.owner(account.ok_or(ServiceError::AccountGone)?)?;
        let permission = Permission::list_tags(&owner);
        let reading = self.read_in(&view, info, permission, &Target::Tagged(&owner))?;
        let tags = owner.tags(&reading.account).cloned().map(std::sync::Arc::new);
        let missing = owner.missing(&reading.account);
        reading.found(tags, || missing)
    }
}
