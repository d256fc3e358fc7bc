//! A grant as it is kept: its signing key, its policies read once, and the decision by them.

use http::StatusCode;

use super::body::Shown;
use super::remote::authorized;
use super::{Asked, Authorized, Refusal, Settings};
use crate::clock::Timestamp;
use crate::domain::access::{Connection, insert_request_keys};
use crate::identity::{AccountId, Invalid, Principal};
use crate::policy::{self, Context, Level, Named, Policies, Policy, PolicyKind, Request, Verdict};
use crate::proto::v1::granted_principal::Kind;
use crate::proto::v1::{
    GrantVerificationResponse, GrantedLevel, GrantedPolicies, GrantedPolicy, GrantedPrincipal,
};
use crate::signing::Secret;
use crate::signing::sigv4::payload::ChunkVerifier;
use crate::signing::sigv4::{Credential, SignatureError, SigningKey, compare};

pub(super) struct Grant {
    pub(super) account: AccountId,
    pub(super) sequence: u64,
    pub(super) expires_at: Timestamp,
    /// The session token of the request that the grant was given for: no other is taken for it.
    token: Option<Secret>,
    /// None if requests of this signer are asked about one by one.
    own: Option<Own>,
}

/// What is needed to judge.
struct Own {
    key: SigningKey,
    authorized: Authorized,
    principal: Principal,
    context: Context,
    identity: Vec<Kept>,
    boundary: Option<Vec<Kept>>,
    session: Option<Vec<Kept>>,
    service_control: Vec<(String, Vec<Kept>)>,
    resource_control: Vec<(String, Vec<Kept>)>,
}

/// A policy and its name.
struct Kept {
    name: String,
    policy: Policy,
}

impl Grant {
    /// None if Locum's answer cannot be read: it is then no reason to leave anything out.
    pub(super) fn read(answer: GrantVerificationResponse, token: Option<&str>) -> Option<Self> {
        let identity = answer.identity?;
        let account = identity.account_id.parse().ok()?;
        let expires_at = Timestamp::from_unix_seconds(answer.expires_at?.seconds);
        let own = match answer.signing_key.as_slice() {
            [] => None,
            key => {
                let mut context = Context::default();
                for (name, values) in answer.context {
                    context.insert_given(&name, values.values, values.is_list);
                }
                let policies = answer.policies?;
                Some(Own {
                    key: SigningKey::from_bytes(key.try_into().ok()?),
                    authorized: authorized(identity),
                    principal: principal(answer.principal?).ok()?,
                    context,
                    ..Own::of(&policies)?
                })
            }
        };
        let token = token.map(Secret::new);
        Some(Self { account, sequence: answer.sequence, expires_at, token, own })
    }

    /// Whether it is for the holder of this token, or of none, at this time.
    pub(super) fn is_for(&self, token: Option<&str>, now: Timestamp) -> bool {
        let same = match (&self.token, token) {
            (None, None) => true,
            (Some(own), Some(token)) => own.is(token),
            _ => false,
        };
        same && now < self.expires_at
    }

    /// Verifies and judges a request; none if it has to be asked about.
    pub(super) fn judge(
        &self,
        account: AccountId,
        settings: &Settings,
        shown: &Shown,
        credential: &Credential<'_>,
        asked: &Asked,
        now: Timestamp,
    ) -> Option<Result<Authorized, Refusal>> {
        let own = self.own.as_ref()?;
        let verified = own.verify(shown, credential);
        let verified = verified.map_err(|error| Refusal::of_signature(&error));
        Some(verified.and_then(|()| {
            let region = credential.region();
            own.decide(account, settings, shown, region, asked, now)
        }))
    }
}

impl Own {
    fn of(policies: &GrantedPolicies) -> Option<Self> {
        let levels = |levels: &[GrantedLevel], kind| {
            let level =
                |level: &GrantedLevel| Some((level.name.clone(), read_all(&level.policies, kind)?));
            levels.iter().map(level).collect::<Option<Vec<_>>>()
        };
        let optional = |level: &Option<GrantedLevel>, kind| match level {
            None => Some(None),
            Some(level) => read_all(&level.policies, kind).map(Some),
        };
        Some(Self {
            key: SigningKey::from_bytes([0; 32]),
            authorized: authorized(Default::default()),
            principal: Principal::Anonymous,
            context: Context::default(),
            identity: read_all(&policies.identity, PolicyKind::Identity)?,
            boundary: optional(&policies.boundary, PolicyKind::Boundary)?,
            session: optional(&policies.session, PolicyKind::Session)?,
            service_control: levels(&policies.service_control, PolicyKind::ServiceControl)?,
            resource_control: levels(&policies.resource_control, PolicyKind::ResourceControl)?,
        })
    }

    fn verify(&self, shown: &Shown, credential: &Credential<'_>) -> Result<(), SignatureError> {
        shown.with(|request| compare(&self.key, credential, request))?;
        if shown.chunks.is_empty() {
            return Ok(());
        }
        let mut verifier = ChunkVerifier::new(self.key.clone(), credential);
        for chunk in &shown.chunks {
            verifier.chunk_hash(&chunk.sha256, &chunk.signature)?;
        }
        match &shown.trailers {
            Some(trailers) => verifier.trailers_hash(&trailers.sha256, &trailers.signature),
            None => Ok(()),
        }
    }

    fn decide(
        &self,
        account: AccountId,
        settings: &Settings,
        shown: &Shown,
        region: &str,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<Authorized, Refusal> {
        let mut context = self.context.clone();
        let connection = Connection {
            secure_transport: settings.secure_transport,
            source_ip: shown.source_ip,
            user_agent: &shown.user_agent,
            region: Some(region),
        };
        insert_request_keys(&mut context, now, &connection);
        context.insert("aws:ResourceAccount", account.to_string());
        for (key, values) in &asked.context {
            context.insert_given(key, values.clone(), false);
        }
        for (key, values) in &asked.lists {
            context.insert_multi(key, values.clone());
        }
        let policies = Policies {
            identity: named(&self.identity),
            resource: asked.resource_policy.as_ref(),
            boundary: self.boundary.as_deref().map(named),
            session: self.session.as_deref().map(named),
            service_control: levels(&self.service_control),
            resource_control: levels(&self.resource_control),
            ..Policies::default()
        };
        for action in std::iter::once(&asked.action).chain(&asked.further_actions) {
            let request = Request {
                principal: &self.principal,
                action,
                resource: &asked.resource,
                resource_account: Some(account),
                context: &context,
            };
            let decision = policy::decide(&request, &policies);
            if decision.verdict() != Verdict::Allow {
                let message = decision.message(&self.authorized.arn, action, &asked.resource);
                return Err(Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", &message));
            }
        }
        Ok(self.authorized.clone())
    }
}

fn read_all(policies: &[GrantedPolicy], kind: PolicyKind) -> Option<Vec<Kept>> {
    let read = |granted: &GrantedPolicy| {
        let policy = Policy::reread(&granted.document, kind).ok()?;
        Some(Kept { name: granted.name.clone(), policy })
    };
    policies.iter().map(read).collect()
}

fn named(policies: &[Kept]) -> Vec<Named<'_>> {
    policies.iter().map(|kept| Named { name: &kept.name, policy: &kept.policy }).collect()
}

fn levels(levels: &[(String, Vec<Kept>)]) -> Vec<Level<'_>> {
    levels.iter().map(|(name, policies)| Level { name, policies: named(policies) }).collect()
}

fn principal(granted: GrantedPrincipal) -> Result<Principal, Invalid> {
    let account = granted.account_id.parse()?;
    let absent = || Invalid::new("principal", "is of no kind");
    Ok(match granted.kind.ok_or_else(absent)? {
        Kind::Root(_) => Principal::Root { account },
        Kind::User(user) => Principal::User {
            account,
            path: user.path.parse()?,
            name: user.name.parse()?,
            id: user.id.parse()?,
        },
        Kind::Role(role) => Principal::AssumedRole {
            account,
            path: role.path.parse()?,
            role: role.name.parse()?,
            role_id: role.id.parse()?,
            session: role.session.parse()?,
        },
        Kind::FederatedUser(name) => Principal::FederatedUser { account, name: name.parse()? },
    })
}
