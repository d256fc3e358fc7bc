//! Use cases: what an edge asks for, with the caller known. Time and randomness are drawn here, so that
//! decisions below stay pure.

mod administration;
mod asked;
mod authenticate;
mod authorize;
mod denial;
mod document;
mod draw;
mod dry_run;
mod explain;
mod forget;
mod grant;
mod iam;
mod instances;
mod issue;
mod issued;
mod last_use;
mod mfa;
mod rates;
mod read;
mod request;
mod resource;
mod root_keys;
mod sessions;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod tests;
mod web_identity;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use crate::clock::{Clock, Timestamp};
use crate::domain::access::Caller;
use crate::domain::account_key::WrappedAccountKey;
use crate::domain::command::{AccountAction, Action, Command, Minting};
use crate::domain::event::Idempotency;
use crate::domain::rejection::Rejection;
use crate::domain::state::IDEMPOTENCY_WINDOW;
use crate::identity::{AccessKeyId, AccountId, Invalid, PackedKeyId, Principal, base32_id, hex_id};
use crate::ledger::{Behind, Ledger, Receipt, SubmitError, View};
use crate::log::EraseError;
use crate::oidc::{IdentityError, KeyCache, Reach};
use crate::pace::Pace;
use crate::signing::{
    AccountKey, Cache, DocumentKeyError, DocumentSigner, Keyring, KeyringError, KeyringSource,
    NoRandomness, TokenError,
};
use authenticate::{GLOBAL_REGION, SIGNERS_MAX, Signers};
use root_keys::RootKeys;

pub use administration::{NewAccount, RotationTarget};
pub use asked::Asked;
pub use authenticate::{AuthError, Signed};
pub use authorize::{Ask, Judged, Simulated};
pub use document::identity_document;
pub use explain::{Holder, Step, WhoCan};
pub use grant::{GRANT_LIFETIME, Grant, GrantError};
pub use iam::{
    Found, KeyHolder, KeysOf, LastUsed, Made, NewAccessKey, NewAgent, NewMfaDevice, NewPolicy,
    NewPolicyVersion, NewProfile, NewProvider, NewRole, NewServiceLinkedRole, NewUser,
    ProviderSettings, Renaming, RoleChange, SeededMfaDevice, TaggedEntity, UserOrRootAccount,
};
pub use instances::{EndedAssociation, IdentityKey, LaunchRequest, Launched, MadeAssociation};
pub use issue::IssuedCredentials;
pub use issued::{IssuedError, IssuedSession, Wanted};
pub use last_use::RECORD_EVERY;
pub use rates::Throttled;
pub use read::Reading;
pub use request::{AssumeRole, AssumeRoleWithWebIdentity, GetFederationToken, GetSessionToken};
pub use resource::{Answer, Chunk, ResourceError, ResourceQuestion, Shown, Wish};
pub use root_keys::{Rewrapped, VersionUse};
pub use sessions::Issued;

/// What an installation sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region of instances that name none.
    pub region: String,
    /// The regions for which signatures are taken.
    pub regions: Vec<String>,
    /// When credentials of instances are renewed and when they end, where an account has not chosen.
    pub pace: Pace,
    /// How long a read waits for the record it asks for.
    pub read_patience: Duration,
    /// Where the keyring comes from.
    pub keyring: KeyringSource,
    /// Where the keys of identity providers may be fetched from.
    pub oidc_reach: Reach,
}

/// A request's circumstances, as an edge learned them.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// Who asks.
    pub caller: Caller,
    /// The request's id, told to the caller.
    pub request_id: Arc<str>,
    /// The W3C trace id, empty where there is none.
    pub trace_id: Arc<str>,
    /// What they ask for.
    pub asked: Asked,
}

/// Why a use case failed for a reason that is not the caller's.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The command was refused or could not be written.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The caller asks too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The keyring does not fit.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// What was deleted may still be on disk.
    #[error(transparent)]
    Erase(#[from] EraseError),
    /// A token cannot be sealed.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Identity documents cannot be signed.
    #[error(transparent)]
    Document(#[from] DocumentKeyError),
    /// What the caller sent breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The token of an identity provider is not taken.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What is to be read is not here yet.
    #[error(transparent)]
    Behind(#[from] Behind),
    /// The request would succeed, and was not made as it asked for a dry run.
    #[error("Request would have succeeded, but DryRun flag is set.")]
    DryRun,
    /// The log cannot be read; what went wrong is in the server's own log.
    #[error("{0}")]
    Reading(&'static str),
    /// The caller has no account.
    #[error("the caller has no account")]
    NoAccount,
    /// The caller's account is not there any more.
    #[error("the account does not exist")]
    AccountGone,
    /// The log gave another fact than the command leads to.
    #[error("the answer is not in the log: {0}")]
    Answer(&'static str),
}

impl From<Rejection> for ServiceError {
    fn from(rejection: Rejection) -> Self {
        Self::Submit(SubmitError::Rejected(rejection))
    }
}

/// The service behind all edges.
pub struct Service {
    ledger: Ledger,
    root_keys: RootKeys,
    clock: Clock,
    random: SystemRandom,
    settings: Settings,
    /// The settings' regions and that of the global endpoints.
    global_regions: Vec<String>,
    /// The same, as callers carry them.
    region_names: Vec<Arc<str>>,
    /// Account keys as they were unwrapped, with the wrapped form that they came from.
    account_keys: Cache<AccountId, (WrappedAccountKey, AccountKey)>,
    signers: Signers,
    /// Credentials of instances' roles that were asked for, by their key.
    deliveries: Cache<AccessKeyId, (AccountId, Arc<IssuedCredentials>)>,
    document_signer: OnceLock<DocumentSigner>,
    uses: last_use::Uses,
    rates: rates::Rates,
    oidc_keys: KeyCache,
}

/// How far the clock may be behind the newest record before a start tells of it.
const CLOCK_BEHIND_TOLD: Duration = Duration::from_secs(300);
/// Accounts whose keys are kept unwrapped: some 30 MB.
const ACCOUNT_KEYS_MAX: usize = 131_072;
/// Credentials of instances' roles that are kept: some 20 MB.
const DELIVERIES_MAX: usize = 16_384;

impl Service {
    /// Puts the service together and checks that the keyring is the log's.
    ///
    /// # Errors
    /// The keyring did not wrap the keys that the log holds.
    pub fn new(
        ledger: Ledger,
        keyring: Arc<Keyring>,
        clock: Clock,
        settings: Settings,
    ) -> Result<Self, KeyringError> {
        let random = SystemRandom::new();
        let (account_keys, signers) = (Cache::new(ACCOUNT_KEYS_MAX), Cache::new(SIGNERS_MAX));
        let oidc_keys = KeyCache::new(settings.oidc_reach, clock.clone());
        let mut global_regions = settings.regions.clone();
        if !global_regions.iter().any(|region| region == GLOBAL_REGION) {
            global_regions.push(GLOBAL_REGION.to_owned());
        }
        let region_names = global_regions.iter().map(|region| Arc::from(region.as_str())).collect();
        let service = Self {
            ledger,
            root_keys: RootKeys::new(keyring),
            uses: last_use::Uses::new(),
            rates: rates::Rates::new(),
            clock,
            random,
            settings,
            global_regions,
            region_names,
            account_keys,
            signers,
            deliveries: Cache::new(DELIVERIES_MAX),
            document_signer: OnceLock::new(),
            oidc_keys,
        };
        let ahead = service.ledger.time().since(service.clock_time());
        if ahead > CLOCK_BEHIND_TOLD {
            let seconds = ahead.as_secs();
            tracing::warn!(
                seconds,
                "the clock is behind the newest record, whose time holds until then"
            );
        }
        // Any account shows it; the first is the operator's.
        if let Some(account) = service.ledger.view().state.accounts().next() {
            service.account_key(account.id, &account.key)?;
        }
        Ok(service)
    }

    /// A region by name, as callers carry it.
    fn region(&self, name: &str) -> Arc<str> {
        let known = self.region_names.iter().find(|known| &***known == name);
        known.cloned().unwrap_or_else(|| Arc::from(name))
    }

    /// The region of the installation.
    fn own_region(&self) -> Arc<str> {
        self.region(&self.settings.region)
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The time: the clock's, but never before that of the newest record, so that a clock that goes back makes nothing
    /// count again that has ended.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock_time().max(self.ledger.time())
    }

    /// What the clock says, for comparing it with others' clocks.
    fn clock_time(&self) -> Timestamp {
        self.clock.now()
    }

    /// The newest state.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.ledger.view()
    }

    /// Decides and writes `action` in `account` for the caller of `info`. `token` is the caller's
    /// idempotency token, empty for none.
    ///
    /// # Errors
    /// The action is refused or cannot be written.
    pub async fn perform(
        &self,
        info: &RequestInfo,
        token: &str,
        account: AccountId,
        action: Action,
    ) -> Result<Receipt, ServiceError> {
        let command = Command {
            account,
            caller: info.caller.clone(),
            time: self.now(),
            request_id: info.request_id.clone(),
            trace_id: info.trace_id.clone(),
            idempotency: self.idempotency(info, token, account)?,
            action,
        };
        let done = self.ledger.submit(command).await;
        Ok(done.map_err(|error| match error {
            SubmitError::Rejected(rejection) => {
                SubmitError::Rejected(self.sealed(&self.view().state, rejection))
            }
            other => other,
        })?)
    }

    /// Whether a request is one that the log has the answer to.
    fn answered_before(&self, info: &RequestInfo, token: &str) -> bool {
        let own = info.caller.principal.account().unwrap_or(AccountId::OPERATOR);
        let Ok(Some(asked)) = self.idempotency(info, token, own) else { return false };
        let view = self.view();
        let account = view.state.account(asked.account);
        let remembered = account.and_then(|account| account.idempotency.get(&asked.token));
        remembered.is_some_and(|remembered| {
            remembered.fingerprint == asked.fingerprint
                && remembered.time.plus(IDEMPOTENCY_WINDOW) > self.now()
        })
    }

    /// The name space of tokens is the caller's account; that of the role for the holder of a provider's
    /// token.
    fn idempotency(
        &self,
        info: &RequestInfo,
        token: &str,
        target: AccountId,
    ) -> Result<Option<Idempotency>, Invalid> {
        /// Characters of a token.
        const TOKEN_MAX: usize = 64;
        if token.is_empty() {
            return Ok(None);
        }
        if token.len() > TOKEN_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let rule = format!("must be at most {TOKEN_MAX} printable ASCII characters");
            return Err(Invalid::new("idempotency_token", rule));
        }
        let account = match &info.caller.principal {
            Principal::Federated(_) => target,
            principal => principal.account().unwrap_or(AccountId::OPERATOR),
        };
        let fingerprint = info.asked.fingerprint(&info.caller.principal);
        Ok(Some(Idempotency { account, token: Arc::from(token), fingerprint }))
    }

    /// The circumstances of what the service does by itself.
    #[must_use]
    pub fn own_request(&self, id: &str) -> RequestInfo {
        RequestInfo {
            caller: Caller::service(),
            request_id: Arc::from(id),
            trace_id: Arc::from(""),
            asked: Asked::nothing(),
        }
    }

    fn draw<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        draw::bytes(&self.random)
    }

    /// A new id of a user, role, profile, policy or key: `prefix` and 16 characters.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn draw_id<T: std::str::FromStr<Err = Invalid>>(
        &self,
        prefix: &str,
    ) -> Result<T, ServiceError> {
        Ok(base32_id(prefix, self.draw()?).parse()?)
    }

    /// A new id of an instance or association: `prefix` and 17 hexadecimal digits.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn draw_hex_id<T: std::str::FromStr<Err = Invalid>>(
        &self,
        prefix: &str,
    ) -> Result<T, ServiceError> {
        Ok(hex_id(prefix, self.draw()?).parse()?)
    }

    /// A request id in the form of a random UUID.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn draw_request_id(&self) -> Result<Arc<str>, NoRandomness> {
        Ok(draw::uuid(self.draw()?))
    }

    /// What a set of an instance's credentials is made with.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn draw_minting(&self) -> Result<Minting, ServiceError> {
        let lifetime = self.settings.pace.lifetime;
        Ok(Minting { key: self.draw_id("ASIA")?, lifetime })
    }

    /// New ids of temporary keys.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn draw_temporary_keys(&self, count: usize) -> Result<Vec<PackedKeyId>, ServiceError> {
        let mut bytes = vec![[0; 10]; count];
        self.random.fill(bytes.as_flattened_mut()).map_err(|_| NoRandomness)?;
        Ok(bytes.into_iter().map(PackedKeyId::temporary).collect())
    }

    /// A free account number.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn draw_account_id(&self) -> Result<AccountId, ServiceError> {
        /// Account numbers have 12 digits and, when drawn, no leading zero.
        const FIRST: u64 = 100_000_000_000;
        const COUNT: u64 = 900_000_000_000;
        loop {
            let drawn = FIRST + u64::from_be_bytes(self.draw()?) % COUNT;
            let view = self.view();
            let used = |id| view.state.account(id).is_some() || view.state.was_deleted(id);
            let free = |id: &AccountId| !used(*id);
            if let Some(id) = AccountId::new(drawn).filter(free) {
                return Ok(id);
            }
        }
    }

    /// What makes an account: a new wrapped key and the id of its root's access key.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn draw_account(&self, id: AccountId, name: &str) -> Result<Action, ServiceError> {
        let key = AccountKey::generate(&self.random)?;
        let keyring = self.root_keys.current();
        let (version, bytes) = keyring.wrap_account_key(id, &key, &self.random)?;
        let key = WrappedAccountKey::new(version, &bytes);
        Ok(Action::Account(AccountAction::Create {
            name: Arc::from(name),
            key,
            root_key: self.draw_id::<AccessKeyId>("AKIA")?,
        }))
    }

    /// Makes the operator's account if there is none; gives the id of its root's key then.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn ensure_operator(&self) -> Result<Option<AccessKeyId>, ServiceError> {
        if self.view().state.account(AccountId::OPERATOR).is_some() {
            return Ok(None);
        }
        let action = self.draw_account(AccountId::OPERATOR, "operator")?;
        let Action::Account(AccountAction::Create { root_key, .. }) = &action else {
            return Err(ServiceError::Answer("no account was drawn"));
        };
        let root_key = root_key.clone();
        let info = self.own_request("init");
        self.perform(&info, "", AccountId::OPERATOR, action).await?;
        Ok(Some(root_key))
    }
}
