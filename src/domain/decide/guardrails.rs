//! Guardrails: the most that an account's principals may do, and the most that may be done to its
//! resources. The operator puts them on an account or on the whole installation.
//! Quotas: AWS Organizations User Guide, orgs_reference_limits.

use super::Decider;
use super::policies::{check_document, check_size};
use crate::domain::access::{Permission, Resource};
use crate::domain::command::GuardrailAction;
use crate::domain::event::{EventKind, GuardrailEvent, GuardrailKind, GuardrailRef};
use crate::domain::rejection::Rejection;
use crate::identity::{AccountId, Invalid};
use crate::policy::Policy;

/// Guardrails of a kind on a target.
const GUARDRAILS_MAX: usize = 5;

impl GuardrailRef {
    /// `arn:aws:locum::000000000000:guardrail/KIND/TARGET/NAME`, the target being an account's number or
    /// `installation`.
    #[must_use]
    pub fn arn(&self) -> String {
        let kind = match self.kind {
            GuardrailKind::ServiceControl => "service-control",
            GuardrailKind::ResourceControl => "resource-control",
        };
        let target = self.target.map_or("installation".to_owned(), |account| account.to_string());
        format!("arn:aws:locum::{}:guardrail/{kind}/{target}/{}", AccountId::OPERATOR, self.name)
    }
}

impl Decider<'_> {
    pub(super) fn guardrails(&mut self, action: &GuardrailAction) -> Result<(), Rejection> {
        match action {
            GuardrailAction::Put { guardrail, policy } => self.put_guardrail(guardrail, policy),
            GuardrailAction::Delete { guardrail } => self.delete_guardrail(guardrail),
        }
    }

    fn put_guardrail(
        &mut self,
        guardrail: &GuardrailRef,
        policy: &Policy,
    ) -> Result<(), Rejection> {
        self.require(Permission::PutGuardrail, &Resource::guardrail(guardrail))?;
        match guardrail.target {
            Some(AccountId::OPERATOR) => {
                let rule = "must not be the operator account, which guardrails do not bind";
                return Err(Invalid::new("target", rule).into());
            }
            Some(account) if self.state.account(account).is_none() => {
                return Err(Rejection::missing("account", account));
            }
            _ => {}
        }
        check_document("GuardrailSize", policy)?;
        let others = self.state.guardrails(guardrail.kind, guardrail.target);
        let others = others.into_iter().flatten().filter(|(name, _)| **name != guardrail.name);
        check_size("GuardrailsPerTarget", GUARDRAILS_MAX, others.count() + 1)?;
        let (guardrail, policy) = (guardrail.clone(), policy.clone());
        self.emit(EventKind::Guardrail(GuardrailEvent::Put { guardrail, policy }));
        Ok(())
    }

    fn delete_guardrail(&mut self, guardrail: &GuardrailRef) -> Result<(), Rejection> {
        self.require(Permission::DeleteGuardrail, &Resource::guardrail(guardrail))?;
        let named = self.state.guardrails(guardrail.kind, guardrail.target);
        if !named.is_some_and(|named| named.contains_key(&guardrail.name)) {
            return Err(Rejection::missing("guardrail", &guardrail.name));
        }
        self.emit(EventKind::Guardrail(GuardrailEvent::Deleted { guardrail: guardrail.clone() }));
        Ok(())
    }
}
