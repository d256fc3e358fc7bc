//! The IAM policy language: documents, request contexts and their evaluation. Pure.
//! Source: IAM User Guide, reference_policies and reference_policies_evaluation-logic.

mod arn_pattern;
mod condition;
mod context;
mod decimal;
mod decision;
mod error;
mod evaluate;
mod format;
mod index;
mod json;
mod key_set;
mod keys;
pub mod lint;
mod matcher;
mod parse;
mod pattern;
mod places;
mod principal;
pub mod simulate;
mod template;
#[cfg(test)]
mod tests;
mod trace;
#[cfg(test)]
mod validation_tests;
mod value;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

pub use context::{Context, Key};
pub use decision::{Decision, Verdict};
pub use error::ParseError;
pub use evaluate::{Level, Named, Policies, Request, SERVICE_LINKED_PATH, decide, explain};
pub use format::format;
pub use key_set::KeySet;
pub use parse::DOCUMENT_BYTES_MAX;
pub use places::{Extent, Place};
pub use trace::{Miss, PolicyTrace, StatementTrace, Trace};

use index::ServiceIndex;
use parse::{Statement, Strictness};

/// What a policy is attached to; each kind has elements of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// In or attached to a user or role.
    Identity,
    /// A role's: who may assume it.
    Trust,
    /// A resource's.
    Resource,
    /// The most that a user or role may do.
    Boundary,
    /// Passed when a session is asked for.
    Session,
    /// The most that an account's principals may do.
    ServiceControl,
    /// The most that anyone may do to an account's resources.
    ResourceControl,
    /// A network endpoint's: the most that may be done through it.
    Endpoint,
}

impl PolicyKind {
    /// Characters of the longest document of the kind, where IAM sets one; white space is not counted. For
    /// an identity policy that of a managed one: inline policies count together. Sources: IAM User Guide,
    /// reference_iam-quotas; AWS Organizations User Guide, orgs_reference_limits.
    #[must_use]
    pub fn chars_max(self) -> Option<usize> {
        match self {
            Self::Identity | Self::Boundary => Some(6144),
            Self::Trust | Self::Session => Some(2048),
            Self::ServiceControl | Self::ResourceControl => Some(5120),
            Self::Resource | Self::Endpoint => None,
        }
    }
}

/// What a trust policy can be about; a pattern has to match one of them. Source: IAM's recorded refusal of others, of
/// `sts:TagSessions` too; Service Authorization Reference, AWS Security Token Service, the actions on roles.
const TRUST_ACTIONS: [&str; 6] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetContext",
    "sts:SetSourceIdentity",
    "sts:TagSession",
];

/// A policy document, read once and cheap to clone. Equal if the texts and kinds are.
#[derive(Clone)]
pub struct Policy(Arc<Document>);

struct Document {
    text: String,
    kind: PolicyKind,
    statements: Vec<Statement>,
    index: ServiceIndex,
    keys: KeySet,
}

impl Policy {
    /// Reads a document and checks it by the rules of its kind.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Self, ParseError> {
        Ok(Self::of(text, kind, parse::statements(text, kind, &Strictness::Strict)?))
    }

    /// Reads a document as [`parse`](Self::parse) does, but goes on where a mistake leaves no doubt about
    /// what is meant: a `Principal` that is missing or out of place, an empty list, an action that matches
    /// nothing. Gives those mistakes beside the policy. What IAM refuses because it cannot be told what is meant, such
    /// as a wildcard for a service, is refused.
    ///
    /// # Errors
    /// The first mistake that cannot be passed over.
    pub fn parse_tolerantly(
        text: &str,
        kind: PolicyKind,
    ) -> Result<(Self, Vec<ParseError>), ParseError> {
        let noted = Strictness::Tolerant(RefCell::default());
        let statements = parse::statements(text, kind, &noted)?;
        let noted = match noted {
            Strictness::Tolerant(noted) => noted.into_inner(),
            Strictness::Strict | Strictness::Stored => Vec::new(),
        };
        Ok((Self::of(text, kind, statements), noted))
    }

    /// Reads a managed policy, which has the newest version of the language (IAM's recorded refusal: "Policy document
    /// must be version 2012-10-17 or greater.").
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse_managed(text: &str) -> Result<Self, ParseError> {
        let policy = Self::parse(text, PolicyKind::Identity)?;
        parse::newest_version(text)?;
        Ok(policy)
    }

    /// Reads a document again that was accepted before. Rules for what is stored get stricter with time; what was
    /// accepted under older ones stays readable and means what it meant, but that an action or a resource that is
    /// refused by now grants nothing in an Allow.
    ///
    /// # Errors
    /// The text is no policy.
    pub fn reread(text: &str, kind: PolicyKind) -> Result<Self, ParseError> {
        Ok(Self::of(text, kind, parse::statements(text, kind, &Strictness::Stored)?))
    }

    fn of(text: &str, kind: PolicyKind, statements: Vec<Statement>) -> Self {
        let index = ServiceIndex::new(&statements);
        let keys = statements.iter().map(Statement::keys).collect();
        Self(Arc::new(Document { text: text.to_owned(), kind, statements, index, keys }))
    }

    /// The condition keys that it asks about.
    #[must_use]
    pub fn keys(&self) -> KeySet {
        self.0.keys
    }

    /// The document as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What it is attached to.
    #[must_use]
    pub fn kind(&self) -> PolicyKind {
        self.0.kind
    }

    /// Characters without white space, which is what quotas count.
    #[must_use]
    pub fn size_without_whitespace(&self) -> usize {
        self.0.text.chars().filter(|c| !c.is_whitespace()).count()
    }

    /// Each principal that is named by its ARN, as written, but for whole accounts.
    pub fn principal_arns(&self) -> impl Iterator<Item = &str> {
        let named = self.0.statements.iter().filter_map(|statement| statement.principals.as_ref());
        named.flat_map(|principals| &principals.items).filter_map(|item| item.named.arn())
    }

    /// This policy with each user, role or host agent that `id_of` knows by its ARN named by its unique id instead,
    /// so that a later entity of the same name is not meant.
    #[must_use]
    pub fn bind_principals(&self, id_of: &dyn Fn(&str) -> Option<String>) -> Self {
        self.with_principals(&|named| named.lasting_arn().and_then(id_of))
    }

    /// The text with each unique id that `arn_of` knows written as that ARN again.
    #[must_use]
    pub fn principals_display(&self, arn_of: &dyn Fn(&str) -> Option<String>) -> String {
        let shown = self.with_principals(&|named| match named {
            principal::Named::UniqueId(id) => arn_of(id),
            _ => None,
        });
        shown.0.text.clone()
    }

    /// Whom the allowing statements name, as written, with their kinds: `AWS`, `Service`, `Federated`.
    #[must_use]
    pub fn admitted(&self) -> Vec<(&'static str, String)> {
        let allows = self.0.statements.iter().filter(|s| s.effect == parse::Effect::Allow);
        let principals = allows.filter_map(|statement| statement.principals.as_ref());
        let items = principals.filter(|principals| !principals.not).flat_map(|p| &p.items);
        let mut named: Vec<_> = items.filter_map(|item| item.named.written()).collect();
        named.sort_unstable();
        named.dedup();
        named
    }

    fn with_principals(&self, replacement: &dyn Fn(&principal::Named) -> Option<String>) -> Self {
        let mut text = self.0.text.clone();
        let placed = self.0.statements.iter().filter_map(|statement| statement.principals.as_ref());
        let mut replaced: Vec<_> = placed
            .flat_map(|principals| &principals.items)
            .filter_map(|item| Some((item.span.clone(), replacement(&item.named)?)))
            .collect();
        // From the end, so that the places before stay where they are.
        replaced.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        for (span, name) in replaced {
            text.replace_range(span, &format!("\"{name}\""));
        }
        Self::reread(&text, self.0.kind).unwrap_or_else(|_| self.clone())
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind == other.0.kind && self.0.text == other.0.text
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Policy").field(&self.0.kind).field(&self.0.text).finish()
    }
}
