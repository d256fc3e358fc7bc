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
    /// Whether it speaks for the resource, and not for the caller.
    #[must_use]
    pub fn is_of_resource(self) -> bool {
        matches!(self, Self::Trust | Self::Resource | Self::ResourceControl)
    }

    /// What a document most likely is: one that names principals is a resource's, or a trust policy if it
    /// names no resources and all its actions are of STS; any other an identity policy.
    #[must_use]
    pub fn guess(text: &str) -> Self {
        let Ok(document) = serde_json::from_str::<serde_json::Value>(text) else {
            return Self::Identity;
        };
        let list = |value: &serde_json::Value| match value {
            serde_json::Value::Array(items) => items.clone(),
            serde_json::Value::Null => Vec::new(),
            other => vec![other.clone()],
        };
        let statements = document.get("Statement").map(list).unwrap_or_default();
        let has = |key: &str| statements.iter().any(|statement| statement.get(key).is_some());
        let of_sts = |statement: &serde_json::Value| {
            let actions = statement.get("Action").map(list).unwrap_or_default();
            actions.iter().all(|action| {
                action.as_str().is_some_and(|a| a.to_ascii_lowercase().starts_with("sts:"))
            })
        };
        match has("Principal") || has("NotPrincipal") {
            false => Self::Identity,
            true if !has("Resource") && !has("NotResource") && statements.iter().all(of_sts) => {
                Self::Trust
            }
            true => Self::Resource,
        }
    }

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
