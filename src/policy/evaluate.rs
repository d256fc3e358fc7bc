//! Evaluation: every policy that bears on a request, in the order of the IAM User Guide,
//! reference_policies_evaluation-logic. An explicit deny anywhere decides; after that every limit has to
//! allow, and then either the resource's policy, the caller's, or both, depending on whose accounts they
//! are and how closely the resource's policy names the caller.

use super::decision::{Decision, Verdict};
use super::matcher::{ACTION_INLINE, Matcher, Nobody, Witness};
use super::principal::Closeness;
use super::trace::Trace;
use super::{Context, Policy, PolicyKind};
use crate::identity::{AccountId, Principal};

/// A request to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// `service:Action`
    pub action: &'a str,
    /// The resource's ARN, or `*`.
    pub resource: &'a str,
    /// The account that owns the resource; the caller's own where it is not known.
    pub resource_account: Option<AccountId>,
    /// The condition keys.
    pub context: &'a Context,
}

/// A policy with its name.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The name.
    pub name: &'a str,
    /// The policy.
    pub policy: &'a Policy,
}

/// The guardrails at one level: the installation, or the account.
#[derive(Clone, Debug)]
pub struct Level<'a> {
    /// The level's name.
    pub name: &'a str,
    /// One of these has to allow; an empty level denies.
    pub policies: Vec<Named<'a>>,
}

/// Every policy that bears on a request.
#[derive(Clone, Debug, Default)]
pub struct Policies<'a> {
    /// Of the user or role: inline and managed, and those of the user's groups.
    pub identity: Vec<Named<'a>>,
    /// Of the resource.
    pub resource: Option<&'a Policy>,
    /// Whether the resource's policy has to allow whatever else does, as a role's trust policy and a
    /// key's policy have to.
    pub resource_must_allow: bool,
    /// Permissions boundaries, one of which has to allow; none limits nothing.
    pub boundary: Option<Vec<Named<'a>>>,
    /// Session policies, one of which has to allow: an empty list grants nothing, none limits nothing.
    pub session: Option<Vec<Named<'a>>>,
    /// Guardrails of the caller's account, root first; no level limits nothing.
    pub service_control: Vec<Level<'a>>,
    /// Guardrails of the resource's account, root first. They only take away: AWS's RCPFullAWSAccess,
    /// which cannot be detached, is implied (Organizations User Guide, orgs_manage_policies_rcps).
    pub resource_control: Vec<Level<'a>>,
    /// Policies of the network endpoint, one of which has to allow; none limits nothing.
    pub endpoint: Option<Vec<Named<'a>>>,
}

/// The one action that needs no permission and that no policy can deny (STS API Reference,
/// GetCallerIdentity).
const ALWAYS_ALLOWED: &str = "sts:GetCallerIdentity";

/// Decides `request` by `policies`, without allocating for actions of up to 128 bytes and ordinary
/// patterns.
#[must_use]
pub fn decide(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    evaluate(request, policies, &mut Nobody)
}

/// Decides as [`decide`] does, and tells of every statement what matched and on what it failed.
#[must_use]
pub fn explain(request: &Request<'_>, policies: &Policies<'_>) -> Trace {
    let mut seen = Vec::new();
    let decision = evaluate(request, policies, &mut seen);
    Trace { decision, policies: seen }
}

fn evaluate<W: Witness>(
    request: &Request<'_>,
    policies: &Policies<'_>,
    witness: &mut W,
) -> Decision {
    let (mut buffer, mut spill) = ([0; ACTION_INLINE], String::new());
    let bounded = policies.boundary.is_some();
    let mut matcher = Matcher::new(request, bounded, &mut buffer, &mut spill);
    let allows = Allows::gather(policies, &mut matcher, witness);
    let decision = |verdict, deciding| Decision { verdict, deciding };
    if request.action.eq_ignore_ascii_case(ALWAYS_ALLOWED) {
        return decision(Verdict::Allow, PolicyKind::Identity);
    }
    if let Some(kind) = matcher.denied() {
        return decision(Verdict::ExplicitDeny, kind);
    }
    if is_reserved(request) {
        return decision(Verdict::ImplicitDeny, PolicyKind::Resource);
    }
    match allows.first_lack(request, policies.resource_must_allow) {
        Some(kind) => decision(Verdict::ImplicitDeny, kind),
        None if allows.identity => decision(Verdict::Allow, PolicyKind::Identity),
        None => decision(Verdict::Allow, PolicyKind::Resource),
    }
}

/// What allows the request.
struct Allows {
    resource: Closeness,
    identity: bool,
    boundary: bool,
    session: bool,
    service_control: bool,
    endpoint: bool,
}

impl Allows {
    fn gather<W: Witness>(
        policies: &Policies<'_>,
        matcher: &mut Matcher<'_>,
        witness: &mut W,
    ) -> Self {
        let principal = matcher.request.principal;
        let resource = policies.resource.map_or(Closeness::None, |policy| {
            let name = if policy.kind() == PolicyKind::Trust { "trust" } else { "resource" };
            matcher.policy("", name, policy, PolicyKind::Resource, witness)
        });
        let root = matches!(principal, Principal::Root { .. });
        let identity = matcher.any("", &policies.identity, PolicyKind::Identity, witness) || root;
        let mut optional = |policies: &Option<Vec<Named<'_>>>, kind| {
            policies.as_ref().is_none_or(|policies| matcher.any("", policies, kind, witness))
        };
        let boundary = optional(&policies.boundary, PolicyKind::Boundary);
        let session = optional(&policies.session, PolicyKind::Session);
        let endpoint = optional(&policies.endpoint, PolicyKind::Endpoint);
        let mut service_control = true;
        let service_linked = is_service_linked(principal);
        if !service_linked && principal.account().is_some() {
            let kind = PolicyKind::ServiceControl;
            for level in &policies.service_control {
                service_control &= matcher.any(level.name, &level.policies, kind, witness);
            }
        }
        if !service_linked {
            for level in &policies.resource_control {
                let kind = PolicyKind::ResourceControl;
                matcher.any(level.name, &level.policies, kind, witness);
            }
        }
        Self { resource, identity, boundary, session, service_control, endpoint }
    }

    /// The first kind of policy that would have to allow and does not.
    fn first_lack(&self, request: &Request<'_>, resource_must_allow: bool) -> Option<PolicyKind> {
        let lack = |allowed: bool, kind| (!allowed).then_some(kind);
        let limits = lack(self.service_control, PolicyKind::ServiceControl)
            .or_else(|| lack(self.endpoint, PolicyKind::Endpoint));
        if limits.is_some() {
            return limits;
        }
        let bounds = || {
            lack(self.boundary, PolicyKind::Boundary)
                .or_else(|| lack(self.session, PolicyKind::Session))
        };
        let own = || lack(self.identity, PolicyKind::Identity).or_else(bounds);
        let admitted = lack(self.resource > Closeness::None, PolicyKind::Resource);
        let Some(account) = request.principal.account() else {
            // Services, providers' users and strangers have no policies of their own.
            return admitted;
        };
        let same_account = request.resource_account.is_none_or(|owner| owner == account);
        if !same_account {
            return admitted.or_else(own);
        }
        if resource_must_allow && admitted.is_some() {
            return admitted;
        }
        match self.resource {
            Closeness::Itself => None,
            Closeness::Role => bounds(),
            Closeness::Account | Closeness::None => own(),
        }
    }
}

/// The beginning of the paths of service-linked roles, which guardrails do not bind.
pub const SERVICE_LINKED_PATH: &str = "/aws-service-role/";

/// Guardrails do not bind the roles that services make for themselves (Organizations User Guide,
/// orgs_manage_policies_scps, orgs_manage_policies_rcps).
fn is_service_linked(principal: &Principal) -> bool {
    match principal {
        Principal::AssumedRole { path, .. } => path.as_str().starts_with(SERVICE_LINKED_PATH),
        _ => false,
    }
}

/// Whether the request would change what AWS keeps for itself and lets nobody change: its managed policies
/// (IAM User Guide, access_policies_managed-vs-inline), the roles that services keep under `/aws-reserved/`
/// (id_roles, "service roles"), and aliases of AWS's keys (KMS API Reference, CreateAlias).
fn is_reserved(request: &Request<'_>) -> bool {
    let Some((service, action)) = request.action.split_once(':') else { return false };
    let begins = |text: &str, with: &str| {
        text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with))
    };
    let resource = || {
        let mut parts = request.resource.splitn(6, ':').skip(4);
        Some((parts.next()?, parts.next()?))
    };
    if service.eq_ignore_ascii_case("iam") {
        let reads = ["get", "list", "generate", "simulate"].iter().any(|verb| begins(action, verb));
        !reads
            && resource().is_some_and(|(account, resource)| {
                account == "aws" && resource.starts_with("policy/")
                    || resource.starts_with("role/aws-reserved/")
            })
    } else if service.eq_ignore_ascii_case("kms") {
        let changes = ["CreateAlias", "UpdateAlias", "DeleteAlias"];
        changes.iter().any(|change| action.eq_ignore_ascii_case(change))
            && resource().is_some_and(|(_, resource)| resource.starts_with("alias/aws/"))
    } else {
        false
    }
}
