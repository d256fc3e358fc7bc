//! Takes away what set-ups of a prefix made.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::account::{Names, tagged};
use super::{AT_ONCE, Endpoints, answered, done, is_account_name};
use crate::client::SignedChannel;
use crate::identity::AccountId;
use crate::load::{LoadError, Scenario};
use crate::proto::v1;
use crate::proto::v1::account_service_client::AccountServiceClient;
use crate::proto::v1::iam_service_client::IamServiceClient;
use crate::proto::v1::instance_service_client::InstanceServiceClient;

/// Accounts that are listed at once.
const PAGE: u32 = 1000;
/// What says that something is not there.
const GONE: [&str; 1] = ["NoSuchEntity"];

/// Takes away what set-ups of the scenario's prefix made, and says what.
///
/// # Errors
/// The deployment refuses, or does not answer.
pub async fn cleanup(scenario: &Scenario, endpoints: &Endpoints) -> Result<String, LoadError> {
    let channels = endpoints.connections(scenario.connections)?;
    let first = channels.first().ok_or_else(|| LoadError::field("connections", "is none"))?;
    let own = endpoints.account(first).await?;
    let prefix = &scenario.population.prefix;
    if own != AccountId::OPERATOR {
        let instances = end_instances(prefix, &channels).await?;
        remove_entities(prefix, first).await?;
        return Ok(format!("{instances} instances of `{prefix}` in account {own}, and its roles"));
    }
    let accounts = listed(prefix, first).await?;
    let count = accounts.len();
    let removals = accounts.into_iter().enumerate().map(|(number, account)| {
        let channel = channels.get(number % channels.len().max(1)).cloned();
        async move {
            let Some(channel) = channel else { return Ok(()) };
            remove_account(&channel, account).await
        }
    });
    stream::iter(removals).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(format!("{count} accounts of `{prefix}`"))
}

/// The accounts whose names are of a prefix, and whether each is enabled.
async fn listed(prefix: &str, operator: &SignedChannel) -> Result<Vec<(String, bool)>, LoadError> {
    let mut accounts = AccountServiceClient::new(operator.clone());
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListAccountsRequest { page_size: PAGE, page_token, ..Default::default() };
        let page = answered("ListAccounts", accounts.list_accounts(request).await)?;
        let ours = page.accounts.into_iter().filter(|a| is_account_name(prefix, &a.name));
        found.extend(ours.map(|account| (account.account_id, account.enabled)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

async fn remove_account(
    operator: &SignedChannel,
    (account_id, enabled): (String, bool),
) -> Result<(), LoadError> {
    let mut accounts = AccountServiceClient::new(operator.clone());
    if enabled {
        let request =
            v1::DisableAccountRequest { account_id: account_id.clone(), ..Default::default() };
        answered("DisableAccount", accounts.disable_account(request).await)?;
    }
    let request = v1::DeleteAccountRequest { account_id, ..Default::default() };
    answered("DeleteAccount", accounts.delete_account(request).await).map(|_| ())
}

/// Ends the instances of a prefix in the caller's own account.
pub(super) async fn end_instances(
    prefix: &str,
    channels: &[SignedChannel],
) -> Result<usize, LoadError> {
    let first = channels.first().ok_or_else(|| LoadError::field("connections", "is none"))?;
    let found = tagged(prefix, first).await?;
    let count = found.len();
    let ends = found.into_iter().map(|instance_id| async move {
        let request = v1::TerminateInstanceRequest { instance_id, ..Default::default() };
        let mut instances = InstanceServiceClient::new(first.clone());
        answered("TerminateInstance", instances.terminate_instance(request).await).map(|_| ())
    });
    stream::iter(ends).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(count)
}

/// Deletes the keys of a user.
pub(super) async fn delete_keys(
    iam: &mut IamServiceClient<SignedChannel>,
    user: &str,
) -> Result<(), LoadError> {
    let request = v1::ListAccessKeysRequest { user_name: user.to_owned(), ..Default::default() };
    let keys = answered("ListAccessKeys", iam.list_access_keys(request).await)?.access_keys;
    for key in keys {
        let request = v1::DeleteAccessKeyRequest {
            user_name: user.to_owned(),
            access_key_id: key.access_key_id,
            ..Default::default()
        };
        done("DeleteAccessKey", iam.delete_access_key(request).await, &GONE)?;
    }
    Ok(())
}

/// Deletes the profiles, roles and the user of a prefix in the caller's own account.
async fn remove_entities(prefix: &str, channel: &SignedChannel) -> Result<(), LoadError> {
    let names = Names::of(prefix);
    let mut iam = IamServiceClient::new(channel.clone());
    let [.., of_instances] = &names.roles;
    for profile in &names.profiles {
        let request = v1::RemoveRoleFromInstanceProfileRequest {
            instance_profile_name: profile.clone(),
            role_name: of_instances.clone(),
            ..Default::default()
        };
        let answer = iam.remove_role_from_instance_profile(request).await;
        done("RemoveRoleFromInstanceProfile", answer, &GONE)?;
        let request = v1::DeleteInstanceProfileRequest {
            instance_profile_name: profile.clone(),
            ..Default::default()
        };
        done("DeleteInstanceProfile", iam.delete_instance_profile(request).await, &GONE)?;
    }
    for role in &names.roles {
        let request = v1::DeleteRoleRequest { role_name: role.clone(), ..Default::default() };
        done("DeleteRole", iam.delete_role(request).await, &GONE)?;
    }
    let request = v1::ListAccessKeysRequest { user_name: names.user.clone(), ..Default::default() };
    if iam.list_access_keys(request).await.is_ok() {
        delete_keys(&mut iam, &names.user).await?;
    }
    let owner = v1::policy_owner::Owner::UserName(names.user.clone());
    let request = v1::DeleteInlinePolicyRequest {
        owner: Some(v1::PolicyOwner { owner: Some(owner) }),
        policy_name: "load".to_owned(),
        ..Default::default()
    };
    done("DeleteInlinePolicy", iam.delete_inline_policy(request).await, &GONE)?;
    let request = v1::DeleteUserRequest { user_name: names.user, ..Default::default() };
    done("DeleteUser", iam.delete_user(request).await, &GONE)
}
