//! Policies that were stored under older rules.

use super::{Finding, Requests};
use crate::policy::Policy;

impl Policy {
    /// What is to be said of a policy that is stored: that it would be refused by now, or its warnings. `managed`:
    /// whether it is a managed policy. A stored policy means what it meant, but for an action or a resource that is
    /// refused, which allows nothing any more (`Policy::reread`).
    #[must_use]
    pub fn findings_stored(&self, managed: bool, requests: &dyn Requests) -> Vec<Finding> {
        let (text, kind) = (self.text(), self.kind());
        let read = if managed { Self::parse_managed(text) } else { Self::parse(text, kind) };
        let mut found = match read {
            Ok(_) => self.warnings(requests),
            Err(error) => {
                let mistake = Finding::from(error);
                let message = format!("would be refused by now: {}", mistake.message);
                vec![Finding { rule: "refused-by-now", message, ..mistake }]
            }
        };
        found.extend(self.unbound_principals());
        found
    }
}
