//! Who signed a request. The order is AWS's: the key, the end of the session, then the signature; a key
//! that does not exist and one that is switched off are told alike.

use std::sync::Arc;

use super::Service;
use crate::clock::Timestamp;
use crate::domain::access::{Caller, CallerSession};
use crate::domain::account_key::WrappedAccountKey;
use crate::domain::event::KeyOwner;
use crate::domain::revocation::{self, Facts, Void};
use crate::domain::state::{Account, State};
use crate::identity::{AccessKeyId, AccountId, Arn, Federator, Principal};
use crate::metrics::{self, Denial, Lookup};
use crate::policy::{Policy, PolicyKind};
use crate::signing::sigv4::{
    Credential, Expectations, Signable, SignatureError, SigningKey, check, compare, parse,
};
use crate::signing::{Ancestor, Cache, Claims, Secret, grpc, peek};

/// The region of the global endpoints of IAM and STS, for which clients sign when they mean those, wherever
/// they are.
/// Source: AWS General Reference, IAM and STS endpoints and quotas.
pub(super) const GLOBAL_REGION: &str = "us-east-1";

/// Why a request's signature is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The signature itself is missing, incomplete or wrong.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The key is unknown or off, or the session token is not this key's.
    #[error("The security token included in the request is invalid.")]
    InvalidClientTokenId,
    /// The session has ended.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The account is disabled.
    #[error("The account of the caller is disabled.")]
    AccountDisabled,
}

impl AuthError {
    /// The AWS error code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Signature(error) => error.code(),
            Self::InvalidClientTokenId => "InvalidClientTokenId",
            Self::ExpiredToken => "ExpiredToken",
            Self::AccountDisabled => "AccessDenied",
        }
    }
}

/// Signers that are remembered, by key and scope.
pub(super) const SIGNERS_MAX: usize = 16_384;
/// Characters of the longest session token that is remembered: those of nearly all, so that the memory of
/// all signers stays within some 30 MB.
const TOKEN_KEPT_CHARS_MAX: usize = 1536;

/// Remembered signers: who they are and their signing keys, by `Credential::scoped`.
pub(super) type Signers = Cache<Box<str>, (Arc<Signer>, SigningKey)>;

/// A signer as they were proved.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Who they are.
    pub caller: Caller,
    /// When their credentials end; none for long-term keys.
    pub expires_at: Option<Timestamp>,
}

/// Whom a key stands for, without what may change: that is judged at each use by `admit`.
pub(super) struct Signer {
    account: AccountId,
    /// The account's key as it was wrapped when the secret was derived.
    wrapped: WrappedAccountKey,
    session: Option<OpenedToken>,
    /// The holder of the key; without principal where the state has to say it.
    caller: Caller,
}

/// A session token that was opened before.
struct OpenedToken {
    token: Secret,
    expires_at: Timestamp,
}

/// What a signature is compared with.
enum Proof {
    /// From a signature that was verified before.
    Kept(SigningKey),
    /// Of someone who has not shown yet that they hold it.
    Derived(Secret),
}

impl Service {
    /// Who made a signed gRPC call.
    ///
    /// # Errors
    /// The call is not signed by anyone who may sign now.
    pub fn authenticate_call(&self, call: &grpc::Call<'_>) -> Result<Caller, AuthError> {
        let credential = call.credential()?;
        let expectations = Expectations::new(grpc::SERVICE, &self.settings.regions);
        let (signed, _) = call.with_signable(|request, message| {
            self.authenticate(&credential, request, message, &expectations)
        })?;
        Ok(signed.caller)
    }

    /// Who made a signed HTTP request to `service`.
    ///
    /// # Errors
    /// The request is not signed by anyone who may sign now.
    pub fn authenticate_request(
        &self,
        request: &Signable<'_>,
        service: &str,
    ) -> Result<Signed, AuthError> {
        let credential = parse(request.headers, request.query)?;
        let expectations = Expectations::new(service, self.regions_of(service));
        Ok(self.authenticate(&credential, request, Ok(()), &expectations)?.0)
    }

    /// Whether who authenticated a while ago would still: for calls that stay.
    #[must_use]
    pub fn stands(&self, state: &State, caller: &Caller) -> bool {
        let Some(key) = &caller.key else { return true };
        let Some(session) = &caller.session else {
            return state.key(key).is_some_and(|held| held.account.enabled && held.active);
        };
        let account = caller.principal.account().and_then(|id| state.account(id));
        account.is_some_and(|account| account.enabled)
            && session.expires_at > self.now()
            && void(state, caller).is_none()
    }

    /// The regions for which signatures to `service` are taken.
    #[must_use]
    pub fn regions_of(&self, service: &str) -> &[String] {
        match service {
            "iam" | "sts" => &self.global_regions,
            _ => &self.settings.regions,
        }
    }

    /// As `prove`, measured and traced.
    pub(super) fn authenticate(
        &self,
        credential: &Credential<'_>,
        request: &Signable<'_>,
        message: Result<(), SignatureError>,
        expectations: &Expectations<'_>,
    ) -> Result<(Signed, SigningKey), AuthError> {
        let span = tracing::debug_span!("authenticate", access_key_id = credential.access_key());
        let _entered = span.enter();
        let proved = self.prove(credential, request, message, expectations);
        if let Err(error) = &proved {
            count(error);
        }
        proved
    }

    /// A signer who was verified before is not derived and opened anew, but whatever can change since
    /// (the account and its key, the key's and the session's end) is judged each time. Only who has proved
    /// to hold a key is remembered, so that strangers cannot crowd out others.
    fn prove(
        &self,
        credential: &Credential<'_>,
        request: &Signable<'_>,
        message: Result<(), SignatureError>,
        expectations: &Expectations<'_>,
    ) -> Result<(Signed, SigningKey), AuthError> {
        let (view, now) = (self.view(), self.now());
        let kept = self.signers.get(credential.scoped());
        let kept = kept.filter(|(signer, _)| signer.is(credential.session_token(), &view.state));
        let found = if kept.is_some() { Lookup::Hit } else { Lookup::Miss };
        metrics::authentication().looked_up(found);
        let (signer, proof) = match kept {
            Some((signer, key)) => (signer, Proof::Kept(key)),
            None => {
                let (signer, secret) = self.claimant(&view.state, credential)?;
                (Arc::new(signer), Proof::Derived(secret))
            }
        };
        let (account, mut signed) = signer.admit(&view.state, now)?;
        message?;
        check(credential, request, self.clock_time(), expectations)?;
        let (key, is_new) = match proof {
            Proof::Kept(key) => (key, false),
            Proof::Derived(secret) => (SigningKey::of(&secret, credential), true),
        };
        compare(&key, credential, request)?;
        if is_new && signer.is_small() {
            self.signers.insert(Box::from(credential.scoped()), (signer.clone(), key.clone()));
            self.forget_if_gone(signer.account);
        }
        if !account.enabled {
            return Err(AuthError::AccountDisabled);
        }
        signed.caller.region = Some(self.region(credential.region()));
        self.uses.touch(&signed.caller, credential.service(), credential.region(), now);
        Ok((signed, key))
    }

    /// Whom the key of a request stands for, and its secret; nothing is proved yet.
    fn claimant(
        &self,
        state: &State,
        credential: &Credential<'_>,
    ) -> Result<(Signer, Secret), AuthError> {
        let invalid = || AuthError::InvalidClientTokenId;
        let key = AccessKeyId::parse(credential.access_key()).map_err(|_| invalid())?;
        let sealed = credential.session_token().map(peek).transpose().map_err(|_| invalid())?;
        if sealed.as_ref().is_some_and(|sealed| sealed.key() != key.as_str()) {
            return Err(invalid());
        }
        let account = match &sealed {
            Some(sealed) => state.account(sealed.account()),
            None => state.key(&key).map(|held| held.account),
        };
        let account = account.ok_or_else(invalid)?;
        let account_key = self.account_key(account.id, &account.key).map_err(|_| invalid())?;
        let secret = account_key.secret(&key);
        let mut caller = Caller { key: Some(key), ..Caller::anonymous() };
        let mut session = None;
        if let (Some(sealed), Some(token)) = (sealed, credential.session_token()) {
            let claims = sealed.open(&account_key).map_err(|_| invalid())?;
            caller = session_caller(account.id, caller, &claims).ok_or_else(invalid)?;
            session =
                Some(OpenedToken { token: Secret::new(token), expires_at: claims.expires_at });
        }
        let wrapped = account.key.clone();
        Ok((Signer { account: account.id, wrapped, session, caller }, secret))
    }
}

impl Signer {
    pub(super) fn account(&self) -> AccountId {
        self.account
    }

    /// Whether the entry is of the holder of this token, or of none, and its secrets come from the key
    /// that the account has.
    fn is(&self, token: Option<&str>, state: &State) -> bool {
        let same_token = match (&self.session, token) {
            (None, None) => true,
            (Some(session), Some(token)) => session.token.is(token),
            _ => false,
        };
        same_token && state.account(self.account).is_some_and(|found| found.key == self.wrapped)
    }

    fn is_small(&self) -> bool {
        let chars = self.session.as_ref().map_or(0, |session| session.token.expose().len());
        chars <= TOKEN_KEPT_CHARS_MAX
    }

    /// The signer as of now, and their account, if the key may sign at all.
    fn admit<'s>(
        &self,
        state: &'s State,
        now: Timestamp,
    ) -> Result<(&'s Arc<Account>, Signed), AuthError> {
        let invalid = || AuthError::InvalidClientTokenId;
        let caller = self.caller.clone();
        let Some(session) = &self.session else {
            let held = self.caller.key.as_ref().and_then(|key| state.key(key));
            let held = held.filter(|held| held.active).ok_or_else(invalid)?;
            let principal = owner_principal(held.account, &held.owner).ok_or_else(invalid)?;
            let caller = Caller { principal, ..caller };
            return Ok((held.account, Signed { caller, expires_at: None }));
        };
        let account = state.account(self.account).ok_or_else(invalid)?;
        let caller = Caller { principal: called_now(account, caller.principal), ..caller };
        if now >= session.expires_at {
            metrics::authentication().denied(Denial::Expired);
            return Err(AuthError::ExpiredToken);
        }
        if let Some(error) = void(state, &caller) {
            metrics::authentication().denied(Denial::Revoked);
            return Err(error);
        }
        Ok((account, Signed { caller, expires_at: Some(session.expires_at) }))
    }
}

/// A user by the name and path of now: a session outlives its user's change of name.
fn called_now(account: &Account, principal: Principal) -> Principal {
    match principal {
        Principal::User { account: id, path, name, id: user_id } => {
            let user = account.user_by_id(&user_id);
            let (path, name) =
                user.map_or((path, name), |user| (user.path.clone(), user.name.clone()));
            Principal::User { account: id, path, name, id: user_id }
        }
        other => other,
    }
}

/// Counts a refusal; ends and revocations are told apart where they are found.
fn count(error: &AuthError) {
    let reason = match error {
        AuthError::Signature(_) => Denial::Signature,
        AuthError::InvalidClientTokenId => Denial::UnknownKey,
        AuthError::AccountDisabled => Denial::AccountDisabled,
        AuthError::ExpiredToken => return,
    };
    metrics::authentication().denied(reason);
}

fn owner_principal(account: &Account, owner: &KeyOwner) -> Option<Principal> {
    let id = account.id;
    Some(match owner {
        KeyOwner::Root => Principal::Root { account: id },
        KeyOwner::User(name) => {
            let user = account.user(name)?;
            Principal::User {
                account: id,
                path: user.path.clone(),
                name: user.name.clone(),
                id: user.id.clone(),
            }
        }
        KeyOwner::Instance(instance) => Principal::Instance { account: id, id: instance.clone() },
        KeyOwner::Agent(name) => {
            let agent = account.agent(name)?;
            Principal::Agent { account: id, name: agent.name.clone(), id: agent.id.clone() }
        }
    })
}

/// Why the caller's session no longer counts though its token is whole, if so. A revoked session is told
/// as one that has ended, upon which SDKs fetch new credentials.
fn void(state: &State, caller: &Caller) -> Option<AuthError> {
    let (session, key) = (caller.session.as_ref()?, caller.key.as_ref()?);
    let principal_id = match &caller.principal {
        Principal::AssumedRole { role_id, .. } => Some(role_id),
        Principal::User { id, .. } => Some(id),
        _ => session.federator.as_ref().and_then(Federator::user_id),
    };
    let facts = Facts {
        key,
        principal_id,
        issued_at: session.issued_at,
        instance: session.instance.as_ref().map(Arn::resource_name),
    };
    match state.void(caller.principal.account()?, &facts, &session.ancestors)? {
        Void::Revoked => Some(AuthError::ExpiredToken),
        Void::AncestorOff => Some(AuthError::InvalidClientTokenId),
    }
}

/// None if the sealed session policy cannot be read, which is then no reason to leave it out.
fn session_caller(account: AccountId, holder: Caller, claims: &Claims) -> Option<Caller> {
    let policy = claims.policy.as_deref().map(|text| Policy::reread(text, PolicyKind::Session));
    let session = CallerSession {
        issued_at: claims.issued_at,
        expires_at: claims.expires_at,
        policy: policy.transpose().ok()?,
        policy_arns: claims.policy_arns.clone(),
        tags: claims.tags.clone(),
        transitive_tag_keys: claims.transitive_tag_keys.clone(),
        source_identity: claims.source_identity.clone(),
        chain_depth: claims.chain_depth,
        instance: claims.instance.clone(),
        delivery: claims.delivery,
        ancestors: claims.ancestors.iter().map(ancestor).collect(),
        mfa_at: claims.mfa_at,
        web_identity: claims.web_identity.clone(),
        federator: claims.subject.federator().cloned(),
    };
    Some(Caller {
        principal: claims.subject.principal(account),
        session: Some(Arc::new(session)),
        ..holder
    })
}

fn ancestor(sealed: &Ancestor) -> revocation::Ancestor {
    revocation::Ancestor {
        account: sealed.account,
        key: sealed.key.clone(),
        principal_id: sealed.principal_id.clone(),
        issued_at: sealed.issued_at,
        instance: sealed.instance.clone(),
    }
}
