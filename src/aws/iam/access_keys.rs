//! Access keys of users.

use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::shape::{request, words};
use crate::domain::command::Action;
use crate::domain::event::KeyOwner;
use crate::identity::{AccessKeyId, Principal, UserName};

words! {
    /// Whether a key can be used.
    Status {
        Active = "Active",
        Inactive = "Inactive",
    }
}

request! {
    /// Source: IAM API Reference, UpdateAccessKey.
    UpdateAccessKey {
        user_name: Option<UserName> = "UserName",
        access_key_id: AccessKeyId = "AccessKeyId",
        status: Status = "Status",
    }
}

/// The user who is named, or else whoever signed the request.
fn owner(call: &Call<'_>, user_name: Option<UserName>) -> Result<KeyOwner, Fault> {
    match (user_name, &call.info.caller.principal) {
        (Some(name), _) => Ok(KeyOwner::User(name)),
        (None, Principal::User { name, .. }) => Ok(KeyOwner::User(name.clone())),
        (None, Principal::Root { .. }) => Ok(KeyOwner::Root),
        (None, _) => {
            Err(Fault::validation("Must specify userName when calling with non-User credentials"))
        }
    }
}

pub(super) async fn update_access_key(
    call: &Call<'_>,
    request: UpdateAccessKey,
) -> Result<(), Fault> {
    let action = Action::UpdateAccessKey {
        owner: owner(call, request.user_name)?,
        key: request.access_key_id,
        active: request.status == Status::Active,
    };
    call.perform("", action).await?;
    Ok(())
}
