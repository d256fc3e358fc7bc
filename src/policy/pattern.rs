//! Wildcard patterns, compiled once, matched in time linear in the text and without recursion or, but for
//! rare shapes, allocation.
//!
//! A pattern is split at its `*` into segments. The first is anchored at the text's begin, the last at its
//! end, and each between is found at its leftmost place: a segment has a fixed length in characters, so the
//! leftmost place leaves the most room for what follows and no other has to be tried. A literal segment is
//! found by the two-way algorithm (Crochemore and Perrin 1991, as in `memchr::memmem`), one with `?` by
//! shift-and over 64 characters a step (Baeza-Yates and Gonnet 1992).
//!
//! A policy variable's value is literal: a `*` in it matches only a `*` (IAM User Guide,
//! reference_policies_variables).

use memchr::memmem;

use super::KeySet;
use super::context::Context;
use super::template::{self, Atom};

/// A text with wildcards and variables.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Any,
    Exact(Box<str>),
    /// A literal and a `*`.
    Prefix(Box<str>),
    /// The segments between the `*`s; at least one.
    Segments(Box<[Segment]>),
}

/// What stands between two `*`: literals, `?` and variables.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    atoms: Box<[Atom]>,
    /// Made beforehand where it is needed and no variable keeps it from being known.
    masks: Option<Masks>,
}

impl Pattern {
    /// Reads `text` with wildcards and without variables.
    pub(super) fn plain(text: &str) -> Self {
        Self::of(template::wildcards(text))
    }

    /// Reads `text` with wildcards and, if the version has them, variables.
    ///
    /// # Errors
    /// The rule that a variable breaks.
    pub(super) fn new(text: &str, variables: bool) -> Result<Self, &'static str> {
        Ok(Self::of(template::atoms(text, variables)?))
    }

    fn of(mut atoms: Vec<Atom>) -> Self {
        atoms.dedup_by(|a, b| *a == Atom::Run && *b == Atom::Run);
        match atoms.as_slice() {
            [] => return Self::Exact(Box::from("")),
            [Atom::Run] => return Self::Any,
            [Atom::Literal(text)] => return Self::Exact(text.clone()),
            [Atom::Literal(text), Atom::Run] => return Self::Prefix(text.clone()),
            _ => {}
        }
        let segments = atoms.split(|atom| *atom == Atom::Run).map(Segment::new);
        Self::Segments(segments.collect())
    }

    /// The keys of its variables.
    pub(super) fn keys(&self) -> KeySet {
        match self {
            Self::Any | Self::Exact(_) | Self::Prefix(_) => KeySet::NONE,
            Self::Segments(segments) => {
                segments.iter().flat_map(|segment| &segment.atoms).map(Atom::keys).collect()
            }
        }
    }

    /// Whether every variable has a value.
    pub(super) fn resolves(&self, context: &Context) -> bool {
        match self {
            Self::Any | Self::Exact(_) | Self::Prefix(_) => true,
            Self::Segments(segments) => segments.iter().all(|segment| segment.resolves(context)),
        }
    }

    /// Whether the whole of `text` matches; never if a variable has no value.
    pub(super) fn matches(&self, text: &str, context: &Context) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *text,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Segments(segments) => segments_match(segments, text, context),
        }
    }
}

fn segments_match(segments: &[Segment], text: &str, context: &Context) -> bool {
    if !segments.iter().all(|segment| segment.resolves(context)) {
        return false;
    }
    let Some((first, rest)) = segments.split_first() else { return false };
    let Some(text) = first.strip_front(text, context) else { return false };
    let Some((last, middle)) = rest.split_last() else { return text.is_empty() };
    let Some(text) = last.strip_back(text, context) else { return false };
    middle.iter().try_fold(text, |text, segment| segment.skip_past(text, context)).is_some()
}

impl Segment {
    fn new(atoms: &[Atom]) -> Self {
        let literal = matches!(atoms, [] | [Atom::Literal(_)]);
        let known = !atoms.iter().any(|atom| matches!(atom, Atom::Variable(_)));
        let masks = (known && !literal).then(|| Masks::new(atoms, &Context::default()));
        Self { atoms: Box::from(atoms), masks }
    }

    fn resolves(&self, context: &Context) -> bool {
        self.atoms.iter().all(|atom| atom.resolves(context))
    }

    fn strip_front<'t>(&self, text: &'t str, context: &Context) -> Option<&'t str> {
        self.atoms.iter().try_fold(text, |text, atom| match atom {
            Atom::One => {
                let mut rest = text.chars();
                rest.next().map(|_| rest.as_str())
            }
            other => text.strip_prefix(other.text(context)?),
        })
    }

    fn strip_back<'t>(&self, text: &'t str, context: &Context) -> Option<&'t str> {
        self.atoms.iter().rev().try_fold(text, |text, atom| match atom {
            Atom::One => {
                let mut rest = text.chars();
                rest.next_back().map(|_| rest.as_str())
            }
            other => text.strip_suffix(other.text(context)?),
        })
    }

    /// What follows the leftmost place of the segment in `text`.
    fn skip_past<'t>(&self, text: &'t str, context: &Context) -> Option<&'t str> {
        let end = match &*self.atoms {
            [] => 0,
            [one] if *one != Atom::One => {
                let literal = one.text(context)?;
                memmem::find(text.as_bytes(), literal.as_bytes())? + literal.len()
            }
            atoms => match &self.masks {
                Some(masks) => masks.end_of_first(text)?,
                None => Masks::new(atoms, context).end_of_first(text)?,
            },
        };
        text.get(end..)
    }
}

/// Bits of a word.
const WORD: usize = u64::BITS as usize;
/// Words that need no allocation: segments of up to 256 characters.
const WORDS_INLINE: usize = 4;

/// For each character of a segment, the places it may stand at: one bit a place.
#[derive(Clone, Debug)]
struct Masks {
    /// In characters.
    length: usize,
    /// Sorted by character.
    known: Box<[(char, Box<[u64]>)]>,
    /// The places of `?`.
    other: Box<[u64]>,
}

impl Masks {
    fn new(atoms: &[Atom], context: &Context) -> Self {
        let mut places: Vec<Option<char>> = Vec::new();
        for atom in atoms {
            match atom.text(context) {
                Some(text) => places.extend(text.chars().map(Some)),
                None => places.push(None),
            }
        }
        let bits = |of: &dyn Fn(&Option<char>) -> bool| -> Box<[u64]> {
            let word = |places: &[Option<char>]| {
                let bits = places.iter().enumerate().filter(|(_, place)| of(place));
                bits.fold(0, |word, (bit, _)| word | 1_u64 << bit)
            };
            places.chunks(WORD).map(word).collect()
        };
        let mut chars: Vec<char> = places.iter().flatten().copied().collect();
        chars.sort_unstable();
        chars.dedup();
        let of_char = |c| (c, bits(&move |place| place.is_none_or(|other| other == c)));
        Self {
            length: places.len(),
            known: chars.into_iter().map(of_char).collect(),
            other: bits(&|place| place.is_none()),
        }
    }

    /// Where the leftmost match ends, in bytes.
    fn end_of_first(&self, text: &str) -> Option<usize> {
        let Some(last) = self.length.checked_sub(1) else { return Some(0) };
        let mut inline = [0_u64; WORDS_INLINE];
        let mut spilled = Vec::new();
        let state = match inline.get_mut(..self.other.len()) {
            Some(state) => state,
            None => {
                spilled.resize(self.other.len(), 0);
                spilled.as_mut_slice()
            }
        };
        for (at, c) in text.char_indices() {
            let found = self.known.binary_search_by_key(&c, |(known, _)| *known);
            let mask = found.ok().and_then(|index| self.known.get(index));
            let mask = mask.map_or(&self.other, |(_, mask)| mask);
            let mut carry = 1;
            for (word, mask) in state.iter_mut().zip(mask) {
                let shifted = (*word << 1) | carry;
                carry = *word >> (WORD - 1);
                *word = shifted & mask;
            }
            if state.get(last / WORD).is_some_and(|word| word >> (last % WORD) & 1 == 1) {
                return Some(at + c.len_utf8());
            }
        }
        None
    }
}
