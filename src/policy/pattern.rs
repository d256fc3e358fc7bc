//! Wildcards, ARNs with wildcards, and policy variables.
//!
//! A glob is a list of literal characters, `?` (any one) and `*` (any run). Matching remembers only the
//! last `*` and so takes at most pattern x text steps, without recursion. A policy variable is resolved
//! to literal characters: a `*` in its value matches only a `*` (IAM User Guide,
//! reference_policies_variables).

use super::context::Context;

/// One element of a glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    One,
    Run,
}

/// A text with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<Token>);

impl Glob {
    pub(super) fn new(text: &str) -> Self {
        Self(text.chars().map(Token::of).collect())
    }

    /// Whether the whole of `text` matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        glob(&self.0, &text)
    }
}

impl Token {
    fn of(c: char) -> Self {
        match c {
            '*' => Self::Run,
            '?' => Self::One,
            literal => Self::Literal(literal),
        }
    }
}

fn glob(pattern: &[Token], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        match pattern.get(p) {
            Some(Token::Run) => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(Token::One) => (p, t) = (p + 1, t + 1),
            Some(Token::Literal(literal)) if *literal == c => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((after, start)) = retry else { return false };
                retry = Some((after, start + 1));
                (p, t) = (after, start + 1);
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|token| *token == Token::Run)
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Glob(Vec<Token>),
    Variable { key: String, default: Option<String> },
}

/// A text with wildcards and policy variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Reads `text`; without `variables` (version 2008-10-17) `${...}` is plain text.
    pub(super) fn new(text: &str, variables: bool) -> Result<Self, &'static str> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${").filter(|_| variables) {
            let (before, from) = rest.split_at(start);
            let Some((inside, after)) = from.trim_start_matches("${").split_once('}') else {
                return Err("a policy variable is not closed by `}`");
            };
            push_glob(&mut pieces, Glob::new(before).0);
            match inside {
                "*" | "?" | "$" => {
                    let literal = inside.chars().map(Token::Literal).collect();
                    push_glob(&mut pieces, literal);
                }
                _ => pieces.push(variable(inside)?),
            }
            rest = after;
        }
        push_glob(&mut pieces, Glob::new(rest).0);
        Ok(Self { pieces })
    }

    /// The pattern as it stands for a request; none if a variable has no value and no default.
    pub(super) fn resolve(&self, context: &Context) -> Option<Glob> {
        let mut tokens = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Glob(glob) => tokens.extend_from_slice(glob),
                Piece::Variable { key, default } => {
                    // A multi-valued key cannot stand for one text.
                    let value = match context.get(key) {
                        Some([value]) => Some(value.as_str()),
                        _ => None,
                    };
                    let value = value.or(default.as_deref())?;
                    tokens.extend(value.chars().map(Token::Literal));
                }
            }
        }
        Some(Glob(tokens))
    }

    /// Whether `text` matches.
    pub(super) fn matches(&self, text: &str, context: &Context) -> bool {
        if let [Piece::Glob(tokens)] = self.pieces.as_slice() {
            let text: Vec<char> = text.chars().collect();
            return glob(tokens, &text);
        }
        self.pieces.is_empty() && text.is_empty()
            || self.resolve(context).is_some_and(|glob| glob.matches(text))
    }

    /// The text for comparison without wildcards; none as for `resolve`.
    pub(super) fn literal(&self, context: &Context) -> Option<String> {
        let glob = self.resolve(context)?;
        let plain = glob.0.iter().map(|token| match token {
            Token::Literal(c) => *c,
            Token::One => '?',
            Token::Run => '*',
        });
        Some(plain.collect())
    }
}

fn push_glob(pieces: &mut Vec<Piece>, tokens: Vec<Token>) {
    if tokens.is_empty() {
        return;
    }
    match pieces.last_mut() {
        Some(Piece::Glob(last)) => last.extend(tokens),
        _ => pieces.push(Piece::Glob(tokens)),
    }
}

/// `key` or `key, 'default'`.
fn variable(inside: &str) -> Result<Piece, &'static str> {
    let (key, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((key, default)) => {
            let default = default.trim().strip_prefix('\'').and_then(|d| d.strip_suffix('\''));
            (key, Some(default.ok_or("a variable's default stands in single quotes")?))
        }
    };
    let key = key.trim();
    if key.is_empty() {
        return Err("a policy variable names no key");
    }
    Ok(Piece::Variable { key: key.to_ascii_lowercase(), default: default.map(str::to_owned) })
}

/// An ARN with wildcards, matched part by part: a wildcard does not reach over a colon before the
/// resource. A pattern with too few parts is completed with `*` (IAM User Guide,
/// reference_policies_elements_resource).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ArnPattern {
    Any,
    Parts(Vec<Template>),
}

/// Parts of an ARN.
const ARN_PARTS: usize = 6;

impl ArnPattern {
    pub(super) fn new(text: &str, variables: bool) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let mut parts = split_arn(text, variables);
        let wild = text.starts_with('*') || text.starts_with('?');
        if parts.first() != Some(&"arn") && !wild && !text.starts_with("${") {
            return Err("must be `*` or an ARN");
        }
        while parts.len() < ARN_PARTS {
            parts.push("*");
        }
        let parts = parts.into_iter().map(|part| Template::new(part, variables));
        Ok(Self::Parts(parts.collect::<Result<_, _>>()?))
    }

    pub(super) fn matches(&self, arn: &str, context: &Context) -> bool {
        let Self::Parts(parts) = self else { return true };
        let mut given = arn.splitn(ARN_PARTS, ':');
        let all = parts.iter().all(|part| given.next().is_some_and(|g| part.matches(g, context)));
        all && given.next().is_none()
    }
}

/// Splits at the first five colons that stand outside of a variable.
fn split_arn(text: &str, variables: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut inside = false;
    let mut before = '\0';
    for (at, c) in text.char_indices() {
        match c {
            '{' if variables && before == '$' => inside = true,
            '}' => inside = false,
            ':' if !inside && parts.len() + 1 < ARN_PARTS => {
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
