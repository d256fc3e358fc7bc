//! What an evaluation came to, and the sentence that tells it.

use super::PolicyKind;

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Allowed.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// Nothing allows it.
    ImplicitDeny,
}

/// The outcome of an evaluation with what decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    pub(super) verdict: Verdict,
    pub(super) deciding: PolicyKind,
}

impl Decision {
    /// The outcome.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The kind of policy that decided: that denied, or that lacks an allow, or that allowed.
    #[must_use]
    pub fn deciding(&self) -> PolicyKind {
        self.deciding
    }

    /// The sentence of AWS for a refusal (IAM User Guide, troubleshoot_access-denied).
    #[must_use]
    pub fn message(&self, principal: &str, action: &str, resource: &str) -> String {
        let kind = self.deciding.text();
        let refused = format!(
            "User: {principal} is not authorized to perform: {action} on resource: {resource}"
        );
        match self.verdict {
            Verdict::Allow => format!("{principal} may perform {action} on {resource}"),
            Verdict::ExplicitDeny => {
                let article = if self.deciding == PolicyKind::Identity { "an" } else { "a" };
                format!("{refused} with an explicit deny in {article} {kind}")
            }
            Verdict::ImplicitDeny => {
                format!("{refused} because no {kind} allows the {action} action")
            }
        }
    }
}

impl PolicyKind {
    /// The words of AWS's messages.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Trust | Self::Resource => "resource-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::ServiceControl => "service control policy",
            Self::ResourceControl => "resource control policy",
            Self::Endpoint => "VPC endpoint policy",
        }
    }
}
