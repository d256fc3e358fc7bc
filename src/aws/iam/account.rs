//! The account itself: what it holds, and its alias.

use std::collections::BTreeMap;

use serde::Serialize;

use super::MARKER_CHARS_MAX;
use super::shown::listed;
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Length, Value};
use crate::aws::shape::request;
use crate::domain::access::Permission;
use crate::identity::AccountAlias;

request! {
    /// Source: IAM API Reference, GetAccountSummary.
    GetSummary {}
    /// Source: IAM API Reference, CreateAccountAlias and DeleteAccountAlias.
    Alias {
        account_alias: AccountAlias = "AccountAlias",
    }
    /// Source: IAM API Reference, ListAccountAliases.
    ListAliases {
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
}

listed! {
    ListAliasesResult { account_aliases: String }
}

/// The result of GetAccountSummary.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Summary {
    summary_map: BTreeMap<&'static str, usize>,
}

pub(super) async fn summary(call: &Call<'_>, _: GetSummary) -> Result<Summary, Fault> {
    let permission = Permission::GetAccountSummary;
    let account = call.service.read_account(call.info, 0, permission).await?.account;
    Ok(Summary { summary_map: account.summary().into_iter().collect() })
}

pub(super) async fn create_alias(call: &Call<'_>, request: Alias) -> Result<(), Fault> {
    call.service.create_account_alias(call.info, "", request.account_alias).await?;
    Ok(())
}

pub(super) async fn delete_alias(call: &Call<'_>, request: Alias) -> Result<(), Fault> {
    call.service.delete_account_alias(call.info, "", request.account_alias).await?;
    Ok(())
}

pub(super) async fn list_aliases(
    call: &Call<'_>,
    request: ListAliases,
) -> Result<ListAliasesResult, Fault> {
    let permission = Permission::ListAccountAliases;
    let account = call.service.read_account(call.info, 0, permission).await?.account;
    let aliases = account.alias.iter().map(AccountAlias::as_str);
    let marker = request.marker.as_deref();
    let listed = page(call.action, aliases, |alias| alias, request.max_items, marker)?;
    Ok(ListAliasesResult::of(listed, str::to_owned))
}
