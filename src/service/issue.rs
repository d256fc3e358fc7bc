//! Credentials from facts: the secret is derived and the token sealed anew whenever they are shown.

use std::sync::Arc;

use super::{Service, ServiceError};
use crate::clock::Timestamp;
use crate::domain::account_key::WrappedAccountKey;
use crate::domain::event::RoleCredentials;
use crate::domain::fleet::Record;
use crate::domain::revocation;
use crate::domain::session::Session;
use crate::domain::state::{Account, Instance};
use crate::identity::{AccessKeyId, AccountId, Arn, Invalid, RoleDelivery, SessionName, Subject};
use crate::signing::{
    AccountKey, Ancestor, CHAIN_SESSIONS_MAX, Claims, KeyringError, Secret, seal,
};

/// Temporary credentials, ready to hand out.
#[derive(Debug)]
pub struct IssuedCredentials {
    /// `ASIA...`
    pub key: AccessKeyId,
    /// The secret.
    pub secret: Secret,
    /// The sealed session token; a secret as well, so never shown by `Debug`.
    pub token: Secret,
    /// When they were issued.
    pub issued_at: Timestamp,
    /// When they end.
    pub expires_at: Timestamp,
    /// How much of the room for policies and tags is used.
    pub packed_percent: u32,
}

impl Service {
    /// An account's key, unwrapped once for each wrapped form of it: a key that is wrapped anew or gone
    /// from the state is not found by its old form.
    pub(super) fn account_key(
        &self,
        account: AccountId,
        key: &WrappedAccountKey,
    ) -> Result<AccountKey, KeyringError> {
        if let Some((_, unwrapped)) = self.account_keys.get(&account).filter(|(of, _)| of == key) {
            return Ok(unwrapped);
        }
        let version = key.keyring_version;
        let bytes = key.bytes.as_deref().ok_or(KeyringError::WrongKeyring { account, version })?;
        let unwrapped = self.root_keys.current().unwrap_account_key(account, version, bytes)?;
        self.account_keys.insert(account, (key.clone(), unwrapped.clone()));
        self.forget_if_gone(account);
        Ok(unwrapped)
    }

    /// The secret of a long-term key.
    ///
    /// # Errors
    /// The keyring does not hold the account's key.
    pub fn secret_of(&self, account: &Account, key: &AccessKeyId) -> Result<Secret, ServiceError> {
        Ok(self.account_key(account.id, &account.key)?.secret(key))
    }

    /// The credentials of an issued session.
    ///
    /// # Errors
    /// The keyring does not hold the account's key, or the session is too large for a token.
    pub fn session_credentials(
        &self,
        account: &Account,
        session: &Session,
    ) -> Result<IssuedCredentials, ServiceError> {
        let claims = Claims {
            policy: session.policy.clone(),
            policy_arns: session.policy_arns.clone(),
            tags: session.tags.clone(),
            transitive_tag_keys: session.transitive_tag_keys.clone(),
            source_identity: session.source_identity.clone(),
            chain_depth: session.chain_depth,
            ancestors: session.ancestors.iter().map(sealed_ancestor).collect(),
            mfa_at: session.mfa_at,
            web_identity: session.web_identity.clone(),
            ..Claims::new(session.subject.clone(), session.issued_at, session.expires_at)
        };
        self.issued(account, &session.key, &claims)
    }

    /// The credentials of an instance's role. Both versions of the metadata protocol give the same key, with
    /// a token that tells them apart.
    ///
    /// # Errors
    /// The keyring does not hold the account's key.
    pub fn role_credentials(
        &self,
        account: &Account,
        instance: &Instance,
        credentials: &RoleCredentials,
        delivery: RoleDelivery,
    ) -> Result<IssuedCredentials, ServiceError> {
        let subject = Subject::Role {
            path: credentials.path.clone(),
            role: credentials.role.clone(),
            role_id: credentials.role_id.clone(),
            session: SessionName::parse(instance.id.as_str())?,
        };
        let claims = Claims {
            instance: Some(Arn::instance(&instance.facts.region, account.id, &instance.id)),
            delivery: Some(delivery),
            ..Claims::new(subject, credentials.issued_at, credentials.expires_at)
        };
        self.issued(account, &credentials.key, &claims)
    }

    /// As `role_credentials` for version 2, kept from one request to the next: the same facts give the same
    /// credentials, and sealing them is dearer than everything else that a read of them needs.
    ///
    /// # Errors
    /// The keyring does not hold the account's key.
    pub fn kept_role_credentials(
        &self,
        account: &Account,
        instance: &Record,
        credentials: &RoleCredentials,
    ) -> Result<Arc<IssuedCredentials>, ServiceError> {
        let kept = self.deliveries.get(&credentials.key);
        if let Some((_, issued)) = kept.filter(|(owner, _)| *owner == account.id) {
            return Ok(issued);
        }
        let delivery = RoleDelivery::Version2;
        let instance = instance.instance().ok_or_else(|| Invalid::new("instance_id", "is none"))?;
        let issued = Arc::new(self.role_credentials(account, &instance, credentials, delivery)?);
        self.deliveries.insert(credentials.key.clone(), (account.id, issued.clone()));
        self.forget_if_gone(account.id);
        Ok(issued)
    }

    fn issued(
        &self,
        account: &Account,
        key: &AccessKeyId,
        claims: &Claims,
    ) -> Result<IssuedCredentials, ServiceError> {
        let account_key = self.account_key(account.id, &account.key)?;
        let token = seal(&account_key, key, account.id, claims)?;
        Ok(IssuedCredentials {
            key: key.clone(),
            secret: account_key.secret(key),
            token: Secret::new(token),
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
            packed_percent: claims.packed().percent(account.id),
        })
    }
}

fn sealed_ancestor(ancestor: &revocation::Ancestor) -> Ancestor {
    Ancestor {
        account: ancestor.account,
        key: ancestor.key.clone(),
        principal_id: ancestor.principal_id.clone(),
        issued_at: ancestor.issued_at,
        instance: ancestor.instance.clone(),
    }
}

// INVARIANT: every chain that a decision makes can be sealed.
const _: () = assert!(crate::domain::decide::CHAIN_SESSIONS_MAX <= CHAIN_SESSIONS_MAX);
