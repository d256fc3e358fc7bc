//! Whose policies are simulated.

use crate::domain::access::{Permission, Target};
use crate::domain::event::PolicyOwner;
use crate::domain::rejection::Rejection;
use crate::identity::Arn;
use crate::service::{Reading, RequestInfo, Service, ServiceError};

impl Service {
    /// The user, role or group of an ARN, for SimulatePrincipalPolicy and GetContextKeysForPrincipalPolicy, by their
    /// permission.
    ///
    /// # Errors
    /// The caller may not, or there is none of exactly this ARN.
    pub async fn simulated_principal(
        &self,
        info: &RequestInfo,
        permission: Permission,
        arn: &Arn,
    ) -> Result<(Reading, PolicyOwner), ServiceError> {
        let name = arn.resource_name();
        let owner = match arn.resource().split_once('/') {
            Some(("user", _)) => PolicyOwner::User(name.parse()?),
            Some(("role", _)) => PolicyOwner::Role(name.parse()?),
            Some(("group", _)) => PolicyOwner::Group(name.parse()?),
            _ => {
                let message =
                    format!("Invalid Entity Arn: {arn} does not clearly define entity type");
                return Err(Rejection::InvalidInput(message).into());
            }
        };
        let target = Target::Permissions(&owner);
        let reading = self.read(info, 0, permission, &target).await?;
        let is_same = target.find(&reading.account).arn() == arn.as_str();
        if !is_same || owner.permissions(&reading.account).is_none() {
            return Err(owner.missing().into());
        }
        Ok((reading, owner))
    }
}
