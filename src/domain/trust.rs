//! A role's trust policy as it is kept: bound to whom it names, so that a successor of the same name is not trusted.
//! Source: IAM User Guide, reference_policies_elements_principal, "IAM user principals" and "IAM role principals".
//!
//! Who is named has to be there: in the role's own account the request is refused otherwise, as IAM refuses it. Whether
//! an entity of another account is there, the role's account is not told: its ARN is kept as it was written, whatever
//! becomes of the entity, and bound to what has that name now. If nobody has, nobody is trusted, and who gets the name
//! later is not either, until the policy is put again.

use std::sync::Arc;

use ring::digest::SHA256;

use super::rejection::Rejection;
use super::state::{Account, State};
use crate::identity::{AccountId, Arn, InstanceId, RoleName, UniqueId, base32_id};
use crate::policy::Policy;

/// A trust policy with those it names bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Trust {
    /// Names users, roles and agents by their unique ids.
    pub policy: Policy,
    /// Whom of other accounts it names.
    pub foreign: Arc<[ForeignPrincipal]>,
}

/// A user or role of another account that a trust policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignPrincipal {
    /// What the policy is bound to: its unique id; where nobody had the name, one that nobody has.
    pub id: UniqueId,
    /// As it was written.
    pub arn: Arn,
}

impl Trust {
    /// Binds a policy for a role of account `own`.
    ///
    /// # Errors
    /// It names a user, role, agent or instance of that account that is not there.
    pub fn bind(state: &State, own: AccountId, policy: &Policy) -> Result<Self, Rejection> {
        let mut foreign = Vec::new();
        for arn in policy.principal_arns() {
            // What is no ARN by now was one when it was stored.
            let Ok(arn) = Arn::parse(arn) else { continue };
            if arn.account_id() == Some(own) {
                let account = state.account(own);
                if account.is_some_and(|account| !is_there(account, &arn)) {
                    return Err(Rejection::InvalidPrincipal { arn });
                }
            } else if let Some(id) = foreign_id(state, &arn) {
                foreign.push(ForeignPrincipal { id, arn });
            }
        }
        let bound = policy.bind_principals(&|text| {
            let known = foreign.iter().find(|known| known.arn.as_str() == text);
            known.map(|known| known.id.to_string()).or_else(|| {
                let arn = Arn::parse(text).ok()?;
                entity_id(state.account(own)?, &arn).map(|id| id.to_string())
            })
        });
        Ok(Self { policy: bound, foreign: foreign.into() })
    }

    /// A policy that is bound already.
    #[must_use]
    pub fn bound(policy: Policy, foreign: Vec<ForeignPrincipal>) -> Self {
        Self { policy, foreign: foreign.into() }
    }

    /// The policy for the account of the role: its own users and roles by the names they have now, or by their ids once
    /// they are gone, others' as they were written.
    #[must_use]
    pub fn shown(&self, state: &State) -> String {
        self.policy.principals_display(&|id| {
            let foreign = self.foreign.iter().find(|foreign| foreign.id.as_str() == id);
            foreign.map(|foreign| foreign.arn.to_string()).or_else(|| state.arn_of_id(id))
        })
    }
}

/// Whether a principal of the account is there. Sessions of federated users come and go.
fn is_there(account: &Account, arn: &Arn) -> bool {
    let (kind, name) = arn.resource().split_once('/').unwrap_or((arn.resource(), ""));
    match (arn.service(), kind) {
        ("iam", "user" | "role") | ("locum", "agent") => entity_id(account, arn).is_some(),
        ("sts", "assumed-role") => {
            let role = name.split('/').next().unwrap_or_default();
            role.parse::<RoleName>().is_ok_and(|role| account.role(&role).is_some())
        }
        ("locum", "instance") => {
            name.parse::<InstanceId>().is_ok_and(|id| account.instances.get(&id).is_some())
        }
        _ => true,
    }
}

/// The unique id of a user, role or host agent of the account, by its ARN.
fn entity_id<'a>(account: &'a Account, arn: &Arn) -> Option<&'a UniqueId> {
    if arn.resource().starts_with("role/") {
        return account.role_by_arn(arn.as_str()).map(|role| &role.id);
    }
    if arn.service() == "locum" {
        let agent = account.agent(&arn.resource_name().parse().ok()?)?;
        return (Arn::agent(account.id, &agent.name) == *arn).then_some(&agent.id);
    }
    let user = account.user(&arn.resource_name().parse().ok()?)?;
    (Arn::user(account.id, &user.path, &user.name) == *arn).then_some(&user.id)
}

/// What a user or role of another account is bound to; none for sessions, which have no ids.
fn foreign_id(state: &State, arn: &Arn) -> Option<UniqueId> {
    let prefix = match (arn.service(), arn.resource().split_once('/')?.0) {
        ("iam", "role") => "AROA",
        ("iam", "user") => "AIDA",
        ("locum", "agent") => "AGNT",
        _ => return None,
    };
    let there = state.account(arn.account_id()?).and_then(|account| entity_id(account, arn));
    there.cloned().or_else(|| {
        // Random ids are as long: nobody is given this one.
        let digest = ring::digest::digest(&SHA256, arn.as_str().as_bytes());
        base32_id(prefix, *digest.as_ref().first_chunk()?).parse().ok()
    })
}
