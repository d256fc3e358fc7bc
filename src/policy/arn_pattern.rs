//! ARNs with wildcards, matched part by part: a wildcard does not reach over a colon before the resource.
//! One exception: in the Resource element a `*` that ends a part may run on over colons. Sources: IAM User
//! Guide, reference_policies_elements_resource and reference_policies_elements_condition_operators.

use memchr::memchr_iter;

use super::KeySet;
use super::context::Context;
use super::pattern::Pattern;
use super::template::{self, Atom};

/// Parts of an ARN.
const PARTS: usize = 6;

/// A pattern of an ARN. One with too few parts is completed with `*`.
#[derive(Clone, Debug)]
pub(super) enum ArnPattern {
    Any,
    /// Without wildcards and variables.
    Exact(Box<str>),
    /// With a single wildcard, at its end and in the resource.
    Prefix(Box<str>),
    Parts(Box<[Pattern; PARTS]>, Option<Box<RunOn>>),
}

/// The whole of a pattern, one of whose parts ends with a `*` that may run on over colons.
#[derive(Clone, Debug)]
pub(super) struct RunOn {
    whole: Pattern,
    colons: usize,
}

/// An ARN to match, split once for many patterns.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArnText<'a> {
    whole: &'a str,
    parts: Option<[&'a str; PARTS]>,
}

impl<'a> ArnText<'a> {
    /// Splits `arn`; a text with fewer parts matches nothing but `*`.
    pub(super) fn new(arn: &'a str) -> Self {
        let mut given = arn.splitn(PARTS, ':');
        let mut parts = [""; PARTS];
        let full = parts.iter_mut().all(|part| given.next().map(|g| *part = g).is_some());
        Self { whole: arn, parts: full.then_some(parts) }
    }

    /// Whether it has all parts of an ARN.
    pub(super) fn is_whole(&self) -> bool {
        self.parts.is_some()
    }
}

impl ArnPattern {
    /// Reads a pattern of the Resource element: as [`new`](Self::new), but a `*` that ends a part may run on.
    ///
    /// # Errors
    /// The rule that is broken.
    pub(super) fn resource(text: &str, variables: bool) -> Result<Self, &'static str> {
        let mut pattern = Self::new(text, variables)?;
        if let Self::Parts(_, run_on) = &mut pattern {
            *run_on = RunOn::new(text, variables)?.map(Box::new);
        }
        Ok(pattern)
    }

    /// Reads a pattern.
    ///
    /// # Errors
    /// The rule that is broken.
    pub(super) fn new(text: &str, variables: bool) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let parts = split(text, variables);
        let wild = text.starts_with(['*', '?']) || variables && text.starts_with("${");
        if parts.first() != Some(&"arn") && !wild {
            return Err("must be `*` or an ARN");
        }
        if parts.len() == PARTS && !(variables && text.contains("${")) {
            let literal = text.strip_suffix('*').unwrap_or(text);
            let wildcard_before = literal.contains(['*', '?']);
            if !wildcard_before && literal.len() == text.len() {
                return Ok(Self::Exact(Box::from(text)));
            }
            if !wildcard_before {
                return Ok(Self::Prefix(Box::from(literal)));
            }
        }
        let mut patterns = [const { Pattern::Any }; PARTS];
        for (pattern, part) in patterns.iter_mut().zip(parts) {
            *pattern = Pattern::new(part, variables)?;
        }
        Ok(Self::Parts(Box::new(patterns), None))
    }

    /// The keys of its variables; one that runs on has those of its parts.
    pub(super) fn keys(&self) -> KeySet {
        match self {
            Self::Any | Self::Exact(_) | Self::Prefix(_) => KeySet::NONE,
            Self::Parts(patterns, _) => patterns.iter().map(Pattern::keys).collect(),
        }
    }

    /// Whether every variable has a value.
    pub(super) fn resolves(&self, context: &Context) -> bool {
        match self {
            Self::Any | Self::Exact(_) | Self::Prefix(_) => true,
            Self::Parts(patterns, _) => patterns.iter().all(|pattern| pattern.resolves(context)),
        }
    }

    /// Whether `arn` matches.
    pub(super) fn matches(&self, arn: &ArnText<'_>, context: &Context) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *arn.whole,
            Self::Prefix(prefix) => arn.whole.starts_with(&**prefix),
            Self::Parts(patterns, run_on) => arn.parts.is_some_and(|parts| {
                patterns.iter().zip(parts).all(|(pattern, part)| pattern.matches(part, context))
                    || run_on.as_ref().is_some_and(|run_on| run_on.matches(arn, context))
            }),
        }
    }
}

/// Whether a policy variable stands before the fifth colon, where IAM takes none (IAM User Guide,
/// reference_policies_variables).
pub(super) fn has_early_variable(text: &str) -> bool {
    let parts = split(text, true);
    parts.iter().take(PARTS - 1).any(|part| part.contains("${"))
}

impl RunOn {
    /// None where no part before the last ends with a `*`, or where one has another wildcard too: that
    /// one would have to stay within its part, and then all do.
    fn new(text: &str, variables: bool) -> Result<Option<Self>, &'static str> {
        let parts = split(text, variables);
        let Some((_, before)) = parts.split_last() else { return Ok(None) };
        let mut ended = false;
        for part in before {
            let literal = part.strip_suffix('*').unwrap_or(part);
            ended |= literal.len() < part.len();
            let atoms = template::atoms(literal, variables)?;
            if atoms.iter().any(|atom| matches!(atom, Atom::One | Atom::Run)) {
                return Ok(None);
            }
        }
        let literal_colons = |atom: &Atom| match atom {
            Atom::Literal(text) => colons(text),
            _ => 0,
        };
        let colons = template::atoms(text, variables)?.iter().map(literal_colons).sum();
        Ok(ended.then_some(Self { whole: Pattern::new(text, variables)?, colons }))
    }

    /// Whether `arn` matches with a `*` that covers a colon; without one its parts would.
    fn matches(&self, arn: &ArnText<'_>, context: &Context) -> bool {
        colons(arn.whole) > self.colons && self.whole.matches(arn.whole, context)
    }
}

fn colons(text: &str) -> usize {
    memchr_iter(b':', text.as_bytes()).count()
}

/// Splits at the first five colons that stand outside of a variable.
pub(super) fn split(text: &str, variables: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut inside = false;
    let mut before = '\0';
    for (at, c) in text.char_indices() {
        match c {
            '{' if variables && before == '$' => inside = true,
            '}' => inside = false,
            ':' if !inside && parts.len() + 1 < PARTS => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
        before = c;
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}
