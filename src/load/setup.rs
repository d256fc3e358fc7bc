//! Makes what requests are made for, and takes it away.
//!
//! The operator gets accounts of their own for a run, by idempotency tokens: within a day the same set-up is answered
//! with the same accounts, keys and instances, and after that with new ones beside the old, until `cleanup`. Whoever
//! is no operator gets users, roles and instances in their own account: what is there by name is used again, keys are
//! made anew, and instances of an earlier set-up are ended.

mod account;
mod remove;

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

use super::LoadError;
use super::population::{Population, Tenant};
use super::scenario::{Operation, Scenario};
use crate::client::{Credentials, SignedChannel, Trust, connect_trusting};
use crate::identity::AccountId;
use crate::proto::v1;
use crate::proto::v1::account_service_client::AccountServiceClient;
use crate::proto::v1::sts_service_client::StsServiceClient;
use crate::signing::Secret;

pub use remove::cleanup;

/// Accounts that are made at once.
const AT_ONCE: usize = 64;
/// How often all accounts of a prefix may have been deleted within a day.
const GENERATIONS_MAX: usize = 100;
/// The tag of instances in the caller's own account; its value is the prefix.
const TAG: &str = "locum-load";

/// A deployment, and as whom to come.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// gRPC, such as `http://127.0.0.1:7400`.
    pub grpc: String,
    /// The AWS Query protocol, if it is driven.
    pub aws: Option<String>,
    /// Metadata HTTP, if it is driven.
    pub metadata: Option<String>,
    /// The deployment's region.
    pub region: String,
    /// The operator's, or an administrator's of one account.
    pub credentials: Credentials,
    /// Whose certificates are trusted over gRPC.
    pub trust: Trust,
}

impl Endpoints {
    /// Connections to gRPC; requests of all callers share them.
    pub(super) fn connections(&self, count: usize) -> Result<Box<[SignedChannel]>, LoadError> {
        let connect =
            || connect_trusting(&self.grpc, &self.region, self.credentials.clone(), &self.trust);
        Ok((0..count).map(|_| connect()).collect::<Result<_, _>>()?)
    }

    /// Who the caller is; fails if nobody answers.
    pub(super) async fn account(&self, channel: &SignedChannel) -> Result<AccountId, LoadError> {
        let failed = |reason: String| LoadError::Endpoint {
            what: "GetCallerIdentity".to_owned(),
            endpoint: self.grpc.clone(),
            reason,
        };
        let request = v1::GetCallerIdentityRequest {};
        let answer = StsServiceClient::new(channel.clone()).get_caller_identity(request).await;
        let answer = answer.map_err(|status| failed(told(&status)))?.into_inner();
        answer.account_id.parse().map_err(|_| failed("it names no account".to_owned()))
    }
}

/// `AccessDenied: User ...`
pub(super) fn told(status: &Status) -> String {
    let reason = code_of(status).unwrap_or_else(|| format!("{:?}", status.code()));
    format!("{reason}: {}", status.message())
}

fn code_of(status: &Status) -> Option<String> {
    status.get_error_details().error_info().map(|info| info.reason.clone())
}

/// An answer, or why there is none.
pub(super) fn answered<T>(what: &str, answer: Result<Response<T>, Status>) -> Result<T, LoadError> {
    answer
        .map(Response::into_inner)
        .map_err(|status| LoadError::Setup { what: what.to_owned(), reason: told(&status) })
}

/// Done, now or before: errors of these codes say that it was.
fn done<T>(
    what: &str,
    answer: Result<Response<T>, Status>,
    before: &[&str],
) -> Result<(), LoadError> {
    match answer {
        Err(status) if code_of(&status).is_some_and(|code| before.contains(&code.as_str())) => {
            Ok(())
        }
        answer => answered(what, answer).map(|_| ()),
    }
}

/// What accounts get.
#[derive(Clone, Debug)]
struct Wanted {
    prefix: String,
    machines: usize,
    churned: usize,
    /// The address of the first machine, if they get any.
    first_address: Option<u32>,
}

impl Wanted {
    fn of(scenario: &Scenario) -> Self {
        let crowd = &scenario.population;
        let asked = |operation, count| if scenario.asks_for(operation) { count } else { 0 };
        let addressed = crowd.bind_addresses.then(|| u32::from(crowd.first_address));
        Self {
            prefix: crowd.prefix.clone(),
            machines: asked(Operation::MetadataRead, crowd.instances),
            churned: asked(Operation::AssociationChurn, crowd.churn_instances),
            first_address: addressed,
        }
    }
}

/// The accounts of a prefix, by number.
pub(super) fn account_name(prefix: &str, number: usize) -> String {
    format!("{prefix}-{number:06}")
}

fn is_account_name(prefix: &str, name: &str) -> bool {
    let number = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|n| n.len() == 6 && n.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Makes the population of a scenario.
pub(super) async fn set_up(
    scenario: &Scenario,
    endpoints: &Endpoints,
    mut progress: impl FnMut(usize),
) -> Result<Population, LoadError> {
    let channels = endpoints.connections(scenario.connections)?;
    let first = channels.first().ok_or_else(|| LoadError::field("connections", "is none"))?;
    let own = endpoints.account(first).await?;
    let crowd = &scenario.population;
    let wanted = Arc::new(Wanted::of(scenario));
    let exponent = crowd.zipf_exponent;
    if own != AccountId::OPERATOR {
        if crowd.accounts != 1 {
            let rule =
                format!("must be 1 for a caller who is not the operator but of account {own}");
            return Err(LoadError::field("population.accounts", rule));
        }
        let tenant = account::prepare_own(&wanted, &channels, own).await?;
        return Ok(Population::new(vec![tenant], exponent));
    }
    let generation = generation(&wanted.prefix, first).await?;
    let mut made = stream::iter(0..crowd.accounts)
        .map(|number| {
            let (wanted, channels) = (wanted.clone(), channels.clone());
            async move { tenant(&wanted, &channels, generation, number).await }
        })
        .buffered(AT_ONCE);
    let mut tenants = Vec::with_capacity(crowd.accounts);
    while let Some(tenant) = made.try_next().await? {
        tenants.push(tenant);
        progress(tenants.len());
    }
    Ok(Population::new(tenants, exponent))
}

fn token(prefix: &str, generation: usize, number: usize, what: &str) -> String {
    format!("{prefix}-{generation}-{number}-{what}")
}

async fn create_account(
    prefix: &str,
    operator: &SignedChannel,
    generation: usize,
    number: usize,
) -> Result<(AccountId, Credentials), LoadError> {
    let request = v1::CreateAccountRequest {
        name: account_name(prefix, number),
        idempotency_token: token(prefix, generation, number, "account"),
        ..Default::default()
    };
    let what = "CreateAccount";
    let answer = AccountServiceClient::new(operator.clone()).create_account(request).await;
    let answer = answered(what, answer)?;
    let lacks = || LoadError::Setup { what: what.to_owned(), reason: "no account".to_owned() };
    let account = answer.account.ok_or_else(lacks)?.account_id.parse().map_err(|_| lacks())?;
    Ok((account, key(answer.root_key.ok_or_else(lacks)?)))
}

fn key(key: v1::AccessKey) -> Credentials {
    Credentials {
        access_key_id: key.access_key_id,
        secret_access_key: Secret::new(key.secret_access_key),
        session_token: None,
    }
}

/// Tokens answer for a day, also with accounts that were deleted since: the first generation of tokens whose
/// accounts are there.
async fn generation(prefix: &str, operator: &SignedChannel) -> Result<usize, LoadError> {
    for generation in 0..GENERATIONS_MAX {
        let (account, _) = create_account(prefix, operator, generation, 0).await?;
        let request =
            v1::GetAccountRequest { account_id: account.to_string(), ..Default::default() };
        match AccountServiceClient::new(operator.clone()).get_account(request).await {
            Err(status) if status.code() == Code::NotFound => {}
            answer => {
                let found = answered("GetAccount", answer)?;
                if found.account.is_some_and(|account| account.enabled) {
                    return Ok(generation);
                }
            }
        }
    }
    Err(LoadError::Setup {
        what: format!("another set-up of `{prefix}`"),
        reason: format!("its accounts were deleted {GENERATIONS_MAX} times within a day"),
    })
}

async fn tenant(
    wanted: &Wanted,
    channels: &[SignedChannel],
    generation: usize,
    number: usize,
) -> Result<Tenant, LoadError> {
    let operator = super::population::one_of(channels, number as u64)
        .ok_or_else(|| LoadError::field("connections", "is none"))?;
    let (account, root) = create_account(&wanted.prefix, operator, generation, number).await?;
    let root: Box<[_]> = channels.iter().map(|channel| channel.signed_by(root.clone())).collect();
    account::prepare_made(wanted, &root, account, generation, number).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects other accounts from cleaning up: a name that only looks alike is none of a prefix's.
    #[test]
    fn accounts_of_a_prefix_are_known_by_their_whole_name() {
        assert!(is_account_name("load", &account_name("load", 17)));
        for other in ["load", "load-", "load-prod", "load-00001", "load-0000017", "workload-000017"]
        {
            assert!(!is_account_name("load", other), "{other}");
        }
        assert!(!is_account_name("load", &account_name("load-b", 1)));
    }
}
