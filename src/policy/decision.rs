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

/// A statement that matched the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The policy's name.
    pub policy: String,
    /// The policy's kind.
    pub kind: PolicyKind,
    /// The statement's place in its policy, from 0.
    pub statement: usize,
    /// The statement's id.
    pub sid: Option<String>,
    /// Whether it denies.
    pub denies: bool,
}

/// The outcome of an evaluation with what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub(super) verdict: Verdict,
    pub(super) deciding: PolicyKind,
    pub(super) matched: Vec<Matched>,
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

    /// Every statement that matched, allows and denies.
    #[must_use]
    pub fn matched(&self) -> &[Matched] {
        &self.matched
    }

    /// The sentence of AWS for a refusal (IAM User Guide, troubleshoot_access-denied).
    #[must_use]
    pub fn message(&self, principal: &str, action: &str, resource: &str) -> String {
        let kind = kind_text(self.deciding);
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

fn kind_text(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::Identity => "identity-based policy",
        PolicyKind::Trust | PolicyKind::Resource => "resource-based policy",
        PolicyKind::Boundary => "permissions boundary",
        PolicyKind::Session => "session policy",
        PolicyKind::ServiceControl => "service control policy",
        PolicyKind::ResourceControl => "resource control policy",
    }
}
