//! Who signed a request. The order is AWS's: the key, the end of the session, then the signature; a key
//! that does not exist and one that is switched off are told alike.

use std::sync::Arc;

use super::Service;
use crate::domain::access::{Caller, CallerSession};
use crate::domain::event::KeyOwner;
use crate::domain::state::{Account, State};
use crate::identity::{AccessKeyId, AccountId, Principal};
use crate::policy::{Policy, PolicyKind};
use crate::signing::sigv4::{Credential, Expectations, Signable, SignatureError, verify};
use crate::signing::{Claims, Secret, grpc, peek};

/// The region of the global endpoints of IAM and STS.
/// Source: AWS General Reference, IAM and STS endpoints and quotas.
const GLOBAL_REGION: &str = "us-east-1";

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

/// Who a key stands for, before the signature is looked at.
struct Claimant {
    caller: Caller,
    secret: Secret,
    enabled: bool,
}

impl Service {
    /// Who made a signed gRPC call.
    ///
    /// # Errors
    /// The call is not signed by anyone who may sign now.
    pub fn authenticate_call(&self, call: &grpc::Call<'_>) -> Result<Caller, AuthError> {
        let credential = call.credential()?;
        let expectations = self.expectations(grpc::SERVICE);
        let now = self.now();
        self.authenticate(&credential, |secret| {
            call.verify(&secret, &credential, now, &expectations)
        })
    }

    /// Who made a signed HTTP request to `service`.
    ///
    /// # Errors
    /// The request is not signed by anyone who may sign now.
    pub fn authenticate_request(
        &self,
        request: &Signable<'_>,
        service: &str,
    ) -> Result<(Caller, Credential), AuthError> {
        let credential = crate::signing::sigv4::parse(request.headers, request.query)?;
        let expectations = self.expectations(service);
        let now = self.now();
        let caller = self.authenticate(&credential, |secret| {
            verify(&secret, &credential, request, now, &expectations)
        })?;
        Ok((caller, credential))
    }

    fn expectations(&self, service: &str) -> Expectations {
        let mut regions = self.settings.regions.clone();
        // Clients sign for this region when they mean the global endpoint, wherever they are.
        if matches!(service, "iam" | "sts") && !regions.iter().any(|region| region == GLOBAL_REGION)
        {
            regions.push(GLOBAL_REGION.to_owned());
        }
        Expectations { service: service.to_owned(), regions }
    }

    fn authenticate(
        &self,
        credential: &Credential,
        check: impl FnOnce(Secret) -> Result<(), SignatureError>,
    ) -> Result<Caller, AuthError> {
        let invalid = AuthError::InvalidClientTokenId;
        let key = AccessKeyId::parse(&credential.access_key).map_err(|_| invalid)?;
        let view = self.view();
        let claimant = match &credential.session_token {
            Some(token) => self.of_session(&view.state, key, token)?,
            None => self.of_long_term_key(&view.state, key)?,
        };
        check(claimant.secret)?;
        if !claimant.enabled {
            return Err(AuthError::AccountDisabled);
        }
        Ok(claimant.caller)
    }

    fn of_long_term_key(&self, state: &State, key: AccessKeyId) -> Result<Claimant, AuthError> {
        let invalid = AuthError::InvalidClientTokenId;
        let (account, owner, access_key) = state.key_owner(&key).ok_or(invalid.clone())?;
        let principal = owner_principal(account, owner).filter(|_| access_key.active);
        let principal = principal.ok_or(invalid.clone())?;
        let account_key = self.account_key(account.id, &account.key).map_err(|_| invalid)?;
        let secret = account_key.secret(&key);
        let caller = Caller { principal, key: Some(key), session: None, ..nobody() };
        Ok(Claimant { caller, secret, enabled: account.enabled })
    }

    fn of_session(
        &self,
        state: &State,
        key: AccessKeyId,
        token: &str,
    ) -> Result<Claimant, AuthError> {
        let invalid = || AuthError::InvalidClientTokenId;
        let sealed = peek(token).map_err(|_| invalid())?;
        if *sealed.key() != key {
            return Err(invalid());
        }
        let account = state.account(sealed.account()).ok_or_else(invalid)?;
        let account_key = self.account_key(account.id, &account.key).map_err(|_| invalid())?;
        let claims = sealed.open(&account_key).map_err(|_| invalid())?;
        if claims.expired_at(self.now()) {
            return Err(AuthError::ExpiredToken);
        }
        let secret = account_key.secret(&key);
        let caller = session_caller(account.id, key, &claims).ok_or_else(invalid)?;
        Ok(Claimant { caller, secret, enabled: account.enabled })
    }
}

/// A caller whose circumstances the edge fills in.
fn nobody() -> Caller {
    Caller {
        principal: Principal::Anonymous,
        key: None,
        session: None,
        source_ip: None,
        secure_transport: false,
        user_agent: Arc::from(""),
    }
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
        KeyOwner::Agent(name) => Principal::Agent { account: id, name: name.clone() },
    })
}

/// None if the sealed session policy cannot be read, which is then no reason to leave it out.
fn session_caller(account: AccountId, key: AccessKeyId, claims: &Claims) -> Option<Caller> {
    let policy = claims.policy.as_deref().map(|text| Policy::reread(text, PolicyKind::Session));
    let session = CallerSession {
        issued_at: claims.issued_at,
        policy: policy.transpose().ok()?,
        policy_arns: claims.policy_arns.clone(),
        tags: claims.tags.clone(),
        transitive_tag_keys: claims.transitive_tag_keys.clone(),
        source_identity: claims.source_identity.clone(),
        chain_depth: claims.chain_depth,
        instance: claims.instance.clone(),
    };
    Some(Caller {
        principal: claims.subject.principal(account),
        key: Some(key),
        session: Some(Arc::new(session)),
        ..nobody()
    })
}
