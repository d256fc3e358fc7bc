//! What resource services ask: who signed this request, and may they. A resource service is whoever may
//! call these; it may ask about signers of other accounts, as S3 does, and learns of those the verdict
//! alone. It speaks for its own resources: only the operator's services may speak for those of others, an ARN
//! names no account but the owner, and what Locum's own services judge is not asked about here, so that nobody
//! can try out what another account's policies would say elsewhere.

use std::net::IpAddr;

use super::Service;
use super::authenticate::{AuthError, Signed};
use super::denial::deciding;
use crate::domain::access::{Caller, Question, authorize, explain, judge};
use crate::domain::state::State;
use crate::identity::AccountId;
use crate::metrics;
use crate::policy::{Context, Decision, Policy, PolicyKind, Trace, Verdict};
use crate::signing::sigv4::payload::ChunkVerifier;
use crate::signing::sigv4::{
    Credential, Expectations, OWN_SERVICES, Signable, SignatureError, SigningKey, parse,
};

/// A signed request as a resource service hands it on.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// What was signed.
    pub request: Signable<'a>,
    /// What it has to be signed for.
    pub expectations: Expectations<'a>,
    /// The chunks of a body that was sent in signed chunks, and its trailers.
    pub chunks: &'a [Chunk],
    /// The trailers behind them.
    pub trailers: Option<&'a Chunk>,
    /// Where it came from.
    pub source_ip: Option<IpAddr>,
    /// Whether it came over TLS.
    pub secure_transport: bool,
}

/// A chunk of a body: the SHA-256 of its data in hexadecimal, and its signature.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The hash.
    pub sha256: String,
    /// The signature.
    pub signature: [u8; 32],
}

/// What the signer wants to do.
#[derive(Clone, Debug)]
pub struct Wish {
    /// `service:Action`
    pub action: String,
    /// Further actions, all of which have to be allowed too.
    pub further_actions: Vec<String>,
    /// The resource's ARN.
    pub resource: String,
    /// The account that owns it; the asking service's own if not given.
    pub resource_account: Option<AccountId>,
    /// The resource's own policy.
    pub resource_policy: Option<Policy>,
    /// Further condition keys.
    pub context: Context,
}

/// Who signed a request, and whether they may.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who.
    pub signed: Signed,
    /// The action that the decision is about: the first that is not allowed.
    pub action: String,
    /// The decision.
    pub decision: Decision,
    /// The sentence that tells it.
    pub message: String,
    /// What matched: the name of a policy, the place and id of its statement, and whether it denies.
    pub matched: Vec<(String, usize, Option<String>, bool)>,
    /// The reasons of a refusal, sealed for the signer's account.
    pub encoded: Option<String>,
}

/// Why a resource service gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// The request is not signed as it has to be.
    #[error(transparent)]
    Signer(#[from] AuthError),
    /// The service speaks for resources that are not its own.
    #[error("the resource of another account can only be named by the operator's services")]
    NotYours,
    /// The resource's ARN names an account that does not own it.
    #[error(
        "`resource` names account {named}, but `resource_account`, the asking service's own where it is empty, \
         is {owner}: an ARN that names an account names the resource's owner"
    )]
    OtherOwner {
        /// What the ARN has for an account.
        named: String,
        /// The owner.
        owner: AccountId,
    },
    /// The action is judged by Locum alone.
    #[error("`action`: `{0}` is of a service of Locum's own, whose requests Locum alone judges")]
    OwnAction(String),
}

/// What a service asks about whose resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceQuestion<'a> {
    /// The account that owns the resource; the asking service's own if not given.
    pub owner: Option<AccountId>,
    /// The resource's ARN, or `*`.
    pub resource: &'a str,
    /// `service:Action`
    pub action: &'a str,
}

impl ResourceQuestion<'_> {
    /// The account whose resource a service of account `asking` asks about. What guards the resources of an account is
    /// for its own services and the operator's.
    ///
    /// # Errors
    /// The question is not the service's to ask.
    pub fn owner_for(&self, asking: AccountId) -> Result<AccountId, ResourceError> {
        let owner = self.owner.unwrap_or(asking);
        if owner != asking && asking != AccountId::OPERATOR {
            return Err(ResourceError::NotYours);
        }
        let named = self.resource.split(':').nth(4).unwrap_or_default();
        if !named.is_empty() && named != owner.to_string() {
            return Err(ResourceError::OtherOwner { named: named.to_owned(), owner });
        }
        let service = self.action.split_once(':').map_or("", |(service, _)| service);
        match OWN_SERVICES.iter().any(|own| own.eq_ignore_ascii_case(service)) {
            true => Err(ResourceError::OwnAction(self.action.to_owned())),
            false => Ok(owner),
        }
    }
}

impl Wish {
    /// All actions.
    fn actions(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.action).chain(&self.further_actions).map(String::as_str)
    }

    /// The account whose resource a service of account `asking` asks about.
    fn owner_for(&self, asking: AccountId) -> Result<AccountId, ResourceError> {
        let (owner, resource) = (self.resource_account, self.resource.as_str());
        let about = |action| ResourceQuestion { owner, resource, action };
        self.further_actions
            .iter()
            .try_for_each(|action| about(action).owner_for(asking).map(drop))?;
        about(&self.action).owner_for(asking)
    }
}

impl Service {
    /// Who made a request that a resource service shows, and the signing key that proved it.
    ///
    /// # Errors
    /// The request is not signed by anyone who may sign now.
    pub(super) fn signer_of(&self, shown: &Shown<'_>) -> Result<(Signed, SigningKey), AuthError> {
        let credential = parse(shown.request.headers, shown.request.query)?;
        let (mut signed, key) =
            self.authenticate(&credential, &shown.request, Ok(()), &shown.expectations)?;
        verify_chunks(shown, &credential, &key)?;
        signed.caller.source_ip = shown.source_ip;
        signed.caller.secure_transport = shown.secure_transport;
        Ok((signed, key))
    }

    /// Who made a request that a resource service shows.
    ///
    /// # Errors
    /// The request is not signed by anyone who may sign now.
    pub fn authenticate_shown(&self, shown: &Shown<'_>) -> Result<Signed, AuthError> {
        Ok(self.signer_of(shown)?.0)
    }

    /// Whether the signer of `shown` may do what they wish, for a service of account `asking`.
    ///
    /// # Errors
    /// The request is not signed as it has to be, or the question is not the service's to ask.
    pub fn authorize_shown(
        &self,
        state: &State,
        asking: AccountId,
        shown: &Shown<'_>,
        wish: &Wish,
    ) -> Result<Answer, ResourceError> {
        let signed = self.authenticate_shown(shown)?;
        let own = signed.caller.principal.account() == Some(asking);
        let trusted = asking == AccountId::OPERATOR || own;
        let owner = wish.owner_for(asking)?;
        let question = |action| self.question(&signed.caller, wish, action, owner);
        let refused = wish.actions().find_map(|action| {
            let denied = authorize(state, &question(action), &wish.context).err()?;
            metrics::authentication().denied(deciding(&denied));
            Some((action, self.encoded(state, &denied)))
        });
        let (action, encoded) = refused.unwrap_or((&wish.action, None));
        let trace = explain(state, &question(action), &wish.context);
        Ok(answer(signed, encoded, action, wish, &trace, trusted))
    }

    /// As `authorize_shown` for a signer who is known, without reasons: only whether they may.
    #[must_use]
    pub fn may(&self, state: &State, caller: &Caller, wish: &Wish, owner: AccountId) -> bool {
        let allowed = |action| {
            let question = self.question(caller, wish, action, owner);
            judge(state, &question, &wish.context).verdict() == Verdict::Allow
        };
        wish.actions().all(allowed)
    }

    fn question<'a>(
        &self,
        caller: &'a Caller,
        wish: &'a Wish,
        action: &'a str,
        owner: AccountId,
    ) -> Question<'a> {
        Question {
            caller,
            action,
            resource: &wish.resource,
            resource_account: Some(owner),
            resource_policy: wish.resource_policy.as_ref(),
            role_trust: false,
            time: self.now(),
        }
    }
}

/// What a service is told: of a signer of another account, nothing of that account's policies.
fn answer(
    signed: Signed,
    encoded: Option<String>,
    action: &str,
    wish: &Wish,
    trace: &Trace,
    trusted: bool,
) -> Answer {
    let (principal, decision) = (signed.caller.principal.arn(), trace.decision);
    let message = match decision.verdict() {
        Verdict::Allow => decision.message(&principal, action, &wish.resource),
        _ if trusted || decision.deciding().is_of_resource() => {
            decision.message(&principal, action, &wish.resource)
        }
        _ => format!(
            "User: {principal} is not authorized to perform: {action} on resource: {}",
            wish.resource
        ),
    };
    let told = trace.matched().filter(|(policy, _)| trusted || policy.kind == PolicyKind::Resource);
    let matched = told.map(|(policy, statement)| {
        (policy.name.clone(), statement.index, statement.sid.clone(), statement.denies)
    });
    let (action, matched) = (action.to_owned(), matched.collect());
    Answer { signed, action, decision, message, matched, encoded }
}

/// The chunks that the service saw are those that the signer sent, to the last.
fn verify_chunks(
    shown: &Shown<'_>,
    credential: &Credential<'_>,
    key: &SigningKey,
) -> Result<(), SignatureError> {
    if shown.chunks.is_empty() {
        return Ok(());
    }
    let mut verifier = ChunkVerifier::new(key.clone(), credential);
    for chunk in shown.chunks {
        verifier.chunk_hash(&chunk.sha256, &chunk.signature)?;
    }
    let Some(trailers) = shown.trailers else { return Ok(()) };
    verifier.trailers_hash(&trailers.sha256, &trailers.signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: &str) -> AccountId {
        number.parse().unwrap()
    }

    /// Protects other accounts' policies from being tried out: a service asks about its own resources, by ARNs that name
    /// no other account, and about no action that Locum itself judges; the operator's services keep to the same beside
    /// the owner that they name.
    #[test]
    fn questions_are_about_the_owners_resources_alone() {
        let (a, b) = (account("111111111111"), account("222222222222"));
        let ask = |asking, owner, resource, action| {
            ResourceQuestion { owner, resource, action }.owner_for(asking)
        };
        let queue = "arn:aws:sqs:us-east-1:222222222222:q";
        for (asking, owner, resource) in [
            (a, None, "*"),
            (a, None, "arn:aws:s3:::photos/a:b:222222222222"),
            (a, Some(a), "arn:aws:sqs:us-east-1:111111111111:q"),
            (b, None, queue),
            (AccountId::OPERATOR, Some(b), queue),
        ] {
            assert_eq!(
                ask(asking, owner, resource, "sqs:SendMessage"),
                Ok(owner.unwrap_or(asking))
            );
        }
        assert_eq!(ask(a, Some(b), queue, "sqs:SendMessage"), Err(ResourceError::NotYours));
        for (asking, owner, resource, named) in [
            (a, None, queue, "222222222222"),
            (AccountId::OPERATOR, None, queue, "222222222222"),
            (AccountId::OPERATOR, Some(a), queue, "222222222222"),
            (a, None, "arn:aws:sqs:us-east-1:*:q", "*"),
            (a, None, "arn:aws:sqs:us-east-1:aws:q", "aws"),
        ] {
            let told = ask(asking, owner, resource, "sqs:SendMessage");
            let (named, owner) = (named.to_owned(), owner.unwrap_or(asking));
            assert_eq!(told, Err(ResourceError::OtherOwner { named, owner }));
        }
        for action in ["iam:GetUser", "STS:AssumeRole", "ec2:RunInstances", "locum:Authorize"] {
            for asking in [a, AccountId::OPERATOR] {
                let told = ask(asking, None, "*", action);
                assert_eq!(told, Err(ResourceError::OwnAction(action.to_owned())));
            }
        }
    }
}
