//! Texts with wildcards and policy variables, read into their elements.
//! Source: IAM User Guide, reference_policies_variables.

use std::borrow::Cow;

use super::KeySet;
use super::context::{Context, Key};

/// One element of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Atom {
    Literal(Box<str>),
    /// `?`: any one character.
    One,
    /// `*`: any run of characters.
    Run,
    Variable(Variable),
}

/// `${key}` or `${key, 'default'}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    key: Key,
    default: Option<Box<str>>,
}

impl Variable {
    /// The value in a request: the default if the key is not there, and none if it is multi-valued, which cannot be
    /// used as a policy variable (IAM User Guide,
    /// reference_policies_condition-single-vs-multi-valued-context-keys, "Key points").
    pub(super) fn value<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match context.given(&self.key).filter(|given| !given.texts.is_empty()) {
            Some(given) if given.is_list => None,
            Some(given) => given.texts.first().map(String::as_str),
            None => self.default.as_deref(),
        }
    }
}

impl Atom {
    /// The key of a variable.
    pub(super) fn keys(&self) -> KeySet {
        match self {
            Self::Variable(variable) => variable.key.set(),
            Self::Literal(_) | Self::One | Self::Run => KeySet::NONE,
        }
    }

    /// Whether it is no variable or one with a value.
    pub(super) fn resolves(&self, context: &Context) -> bool {
        match self {
            Self::Variable(variable) => variable.value(context).is_some(),
            Self::Literal(_) | Self::One | Self::Run => true,
        }
    }

    /// The literal text that the element stands for in a request; none for wildcards and for a variable
    /// without value.
    pub(super) fn text<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Variable(variable) => variable.value(context),
            Self::One | Self::Run => None,
        }
    }
}

/// Reads `text`; without `variables` (version 2008-10-17) `${...}` is plain text. Neighbouring literals
/// are joined.
///
/// # Errors
/// The rule that a variable breaks.
pub(super) fn atoms(text: &str, variables: bool) -> Result<Vec<Atom>, &'static str> {
    let mut reader = Reader::default();
    let mut rest = text;
    while let Some(start) = rest.find("${").filter(|_| variables) {
        let (before, from) = rest.split_at(start);
        reader.plain(before);
        let Some((inside, after)) = from.get(2..).and_then(|from| from.split_once('}')) else {
            return Err("a policy variable is not closed by `}`");
        };
        match inside {
            "*" | "?" | "$" => reader.literal.push_str(inside),
            _ => reader.atom(Atom::Variable(variable(inside)?)),
        }
        rest = after;
    }
    reader.plain(rest);
    Ok(reader.finish())
}

/// Reads `text` with wildcards and without variables.
pub(super) fn wildcards(text: &str) -> Vec<Atom> {
    let mut reader = Reader::default();
    reader.plain(text);
    reader.finish()
}

#[derive(Default)]
struct Reader {
    atoms: Vec<Atom>,
    literal: String,
}

impl Reader {
    fn plain(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '*' => self.atom(Atom::Run),
                '?' => self.atom(Atom::One),
                _ => self.literal.push(c),
            }
        }
    }

    fn atom(&mut self, atom: Atom) {
        self.flush();
        self.atoms.push(atom);
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            self.atoms.push(Atom::Literal(std::mem::take(&mut self.literal).into_boxed_str()));
        }
    }

    fn finish(mut self) -> Vec<Atom> {
        self.flush();
        self.atoms
    }
}

/// `key` or `key, 'default'`.
fn variable(inside: &str) -> Result<Variable, &'static str> {
    let (key, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((key, default)) => {
            let default = default.trim().strip_prefix('\'').and_then(|d| d.strip_suffix('\''));
            (key, Some(default.ok_or("a variable's default stands in single quotes")?))
        }
    };
    if key.trim().is_empty() {
        return Err("a policy variable names no key");
    }
    let legal = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    if key.trim() != key || !key.chars().all(legal) {
        return Err("a policy variable is `${key}` or `${key, 'default'}`, without other signs");
    }
    Ok(Variable { key: Key::new(key), default: default.map(Box::from) })
}

/// A text compared as a whole, wildcards being ordinary characters.
#[derive(Clone, Debug)]
pub(super) enum Text {
    Plain(Box<str>),
    /// Literals and variables only.
    Pieces(Box<[Atom]>),
}

impl Text {
    /// Reads `text`; see [`atoms`].
    ///
    /// # Errors
    /// The rule that a variable breaks.
    pub(super) fn new(text: &str, variables: bool) -> Result<Self, &'static str> {
        let atoms = atoms(text, variables)?;
        if !atoms.iter().any(|atom| matches!(atom, Atom::Variable(_))) {
            let plain = if variables { unescaped(&atoms) } else { text.to_owned() };
            return Ok(Self::Plain(plain.into_boxed_str()));
        }
        let literal = |atom| match atom {
            Atom::One => Atom::Literal(Box::from("?")),
            Atom::Run => Atom::Literal(Box::from("*")),
            other => other,
        };
        Ok(Self::Pieces(atoms.into_iter().map(literal).collect()))
    }

    /// The keys of its variables.
    pub(super) fn keys(&self) -> KeySet {
        match self {
            Self::Plain(_) => KeySet::NONE,
            Self::Pieces(pieces) => pieces.iter().map(Atom::keys).collect(),
        }
    }

    /// Whether every variable has a value.
    pub(super) fn resolves(&self, context: &Context) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Pieces(pieces) => pieces.iter().all(|piece| piece.resolves(context)),
        }
    }

    /// The text in a request; none if a variable has no value.
    pub(super) fn resolve<'a>(&'a self, context: &'a Context) -> Option<Cow<'a, str>> {
        match self {
            Self::Plain(text) => Some(Cow::Borrowed(text)),
            Self::Pieces(pieces) => {
                let texts: Option<String> =
                    pieces.iter().map(|piece| piece.text(context)).collect();
                texts.map(Cow::Owned)
            }
        }
    }

    /// Whether it is `given`; a variable without value equals nothing.
    pub(super) fn equals(&self, given: &str, context: &Context) -> bool {
        match self {
            Self::Plain(text) => **text == *given,
            Self::Pieces(pieces) => {
                let rest = pieces
                    .iter()
                    .try_fold(given, |rest, piece| rest.strip_prefix(piece.text(context)?));
                rest.is_some_and(str::is_empty)
            }
        }
    }

    /// As `equals`, without regard to case.
    pub(super) fn equals_ignoring_case(&self, given: &str, context: &Context) -> bool {
        let Some(text) = self.resolve(context) else { return false };
        if text.is_ascii() && given.is_ascii() {
            return text.eq_ignore_ascii_case(given);
        }
        let lower = |text| str::chars(text).flat_map(char::to_lowercase);
        lower(&text).eq(lower(given))
    }
}

fn unescaped(atoms: &[Atom]) -> String {
    let plain = atoms.iter().map(|atom| match atom {
        Atom::Literal(text) => &**text,
        Atom::One => "?",
        Atom::Run => "*",
        Atom::Variable(_) => "",
    });
    plain.collect()
}
