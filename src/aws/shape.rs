//! The shapes of requests: `request!` is the table from which both the struct of an operation's parameters
//! and their validation come. Everything that is wrong is collected, so that a caller learns it in one go.

use serde::Serialize;

use super::form::Node;
use super::mistakes::{At, Mistakes};
use crate::identity::{
    AccessKeyId, AccountAlias, AgentName, Arn, AssociationId, Description, GroupName, InstanceId,
    MfaDeviceName, Path, PlainText, PolicyName, ProfileName, RoleName, SessionName, SourceIdentity,
    TagKey, TagValue, UserName,
};
use crate::signing::Secret;

/// A rule of the service models for a value, beside those of its type.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// Characters of a text, at least and at most.
    Length(usize, usize),
    /// The characters that a text may hold, as the model writes them.
    Pattern(&'static str, fn(char) -> bool),
    /// A number, at least and at most.
    Value(u64, u64),
    /// Entries of a list, at least and at most. The other rules of a list are for its entries.
    Items(usize, usize),
}

/// The pattern of policies.
pub(super) const DOCUMENT: Rule = Rule::Pattern("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |c| {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}')
});

/// A parameter that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether it is a list; its parts are then those of each entry.
    pub is_list: bool,
    /// What is read of a structure; a value has none.
    pub parts: &'static [Self],
}

/// What can be read from parameters.
pub(super) trait Shape: Sized {
    /// The parameters that it is read from.
    const PARTS: &'static [Parameter] = &[];
    /// Whether it is a list.
    const IS_LIST: bool = false;

    /// Reads the value at `node`. None if something is wrong, which is then among `mistakes`.
    fn read(
        node: Option<&Node>,
        at: At<'_>,
        rules: &[Rule],
        mistakes: &mut Mistakes,
    ) -> Option<Self>;
}

/// The text at `node`, if it keeps to the rules.
fn text<'n>(
    node: Option<&'n Node>,
    at: At<'_>,
    rules: &[Rule],
    mistakes: &mut Mistakes,
) -> Option<&'n str> {
    let Some(text) = node.and_then(Node::text) else {
        mistakes.missing(at);
        return None;
    };
    let mut legal = true;
    for rule in rules {
        let broken = match *rule {
            Rule::Length(min, _) if text.chars().count() < min => {
                format!("have length greater than or equal to {min}")
            }
            Rule::Length(_, max) if text.chars().count() > max => {
                format!("have length less than or equal to {max}")
            }
            Rule::Pattern(pattern, legal) if !text.chars().all(legal) => {
                format!("satisfy regular expression pattern: {pattern}")
            }
            _ => continue,
        };
        mistakes.add(at, Some(text), &broken);
        legal = false;
    }
    legal.then_some(text)
}

impl Shape for String {
    fn read(node: Option<&Node>, at: At<'_>, rules: &[Rule], all: &mut Mistakes) -> Option<Self> {
        text(node, at, rules, all).map(str::to_owned)
    }
}

impl Shape for Secret {
    /// A secret is never repeated, whatever is wrong with it.
    fn read(node: Option<&Node>, at: At<'_>, rules: &[Rule], all: &mut Mistakes) -> Option<Self> {
        let before = all.0.len();
        let read = text(node, at, rules, all).map(Self::new);
        for mistake in all.0.iter_mut().skip(before) {
            mistake.value = mistake.value.as_ref().map(|_| "***".to_owned());
        }
        read
    }
}

/// The whole number at `node`, if it keeps to the rules.
fn number(node: Option<&Node>, at: At<'_>, rules: &[Rule], all: &mut Mistakes) -> Option<i64> {
    let text = text(node, at, &[], all)?;
    let Some(number) = text.parse::<i64>().ok() else {
        all.add(at, Some(text), "be a whole number");
        return None;
    };
    for rule in rules {
        let Rule::Value(min, max) = *rule else { continue };
        let (least, most) = (i64::try_from(min).ok()?, i64::try_from(max).ok()?);
        let broken = if number < least {
            format!("have value greater than or equal to {min}")
        } else if number > most {
            format!("have value less than or equal to {max}")
        } else {
            continue;
        };
        all.add(at, Some(text), &broken);
        return None;
    }
    Some(number)
}

impl Shape for i64 {
    fn read(node: Option<&Node>, at: At<'_>, rules: &[Rule], all: &mut Mistakes) -> Option<Self> {
        number(node, at, rules, all)
    }
}

impl Shape for u32 {
    fn read(node: Option<&Node>, at: At<'_>, rules: &[Rule], all: &mut Mistakes) -> Option<Self> {
        let number = number(node, at, rules, all)?;
        let value = Self::try_from(number).ok();
        if value.is_none() {
            all.add(at, Some(&number.to_string()), "be a whole number of 32 bits");
        }
        value
    }
}

impl Shape for bool {
    fn read(node: Option<&Node>, at: At<'_>, _: &[Rule], all: &mut Mistakes) -> Option<Self> {
        let text = text(node, at, &[], all)?;
        match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                all.add(at, Some(text), "be true or false");
                None
            }
        }
    }
}

impl<T: Shape> Shape for Option<T> {
    const PARTS: &'static [Parameter] = T::PARTS;
    const IS_LIST: bool = T::IS_LIST;

    fn read(node: Option<&Node>, at: At<'_>, rules: &[Rule], all: &mut Mistakes) -> Option<Self> {
        match node {
            None => Some(None),
            Some(node) => T::read(Some(node), at, rules, all).map(Some),
        }
    }
}

impl<T: Shape> Shape for Vec<T> {
    const PARTS: &'static [Parameter] = T::PARTS;
    const IS_LIST: bool = true;

    fn read(node: Option<&Node>, at: At<'_>, rules: &[Rule], all: &mut Mistakes) -> Option<Self> {
        let items = match node {
            None => Vec::new(),
            Some(node) => match node.items() {
                Some(items) => items,
                None => {
                    all.add(at, Some(""), "be a list");
                    return None;
                }
            },
        };
        for rule in rules {
            let Rule::Items(min, max) = *rule else { continue };
            if node.is_none() && min > 0 {
                all.missing(at);
                return None;
            }
            let length = if items.len() < min {
                format!("have length greater than or equal to {min}")
            } else if items.len() > max {
                format!("have length less than or equal to {max}")
            } else {
                continue;
            };
            all.add(at, Some(&format!("[{} entries]", items.len())), &length);
            return None;
        }
        let read = items
            .into_iter()
            .map(|(number, node)| T::read(Some(node), at.item(number), rules, all));
        // All of them are read, so that all mistakes are told.
        read.collect::<Vec<_>>().into_iter().collect()
    }
}

macro_rules! parsed {
    ($($type:ident),*) => {$(
        impl Shape for $type {
            fn read(
                node: Option<&Node>,
                at: At<'_>,
                rules: &[Rule],
                mistakes: &mut Mistakes,
            ) -> Option<Self> {
                let text = text(node, at, rules, mistakes)?;
                match Self::parse(text) {
                    Ok(value) => Some(value),
                    Err(invalid) => {
                        mistakes.invalid(at, text, &invalid);
                        None
                    }
                }
            }
        }
    )*};
}

parsed!(
    AccessKeyId,
    AccountAlias,
    AgentName,
    Arn,
    AssociationId,
    Description,
    GroupName,
    InstanceId,
    MfaDeviceName,
    Path,
    PlainText,
    PolicyName,
    ProfileName,
    RoleName,
    SessionName,
    SourceIdentity,
    TagKey,
    TagValue,
    UserName
);

/// Reads a word of a fixed set.
pub(super) fn one_of<T: Copy>(
    words: &[(&'static str, T)],
    node: Option<&Node>,
    at: At<'_>,
    mistakes: &mut Mistakes,
) -> Option<T> {
    let text = text(node, at, &[], mistakes)?;
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let rule = format!("satisfy enum value set: [{}]", words.join(", "));
        mistakes.add(at, Some(text), &rule);
    }
    found.map(|(_, value)| *value)
}

/// Structs of parameters: field, type, name on the wire, and the rules of the service model.
macro_rules! request {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $wire:literal $([$($rule:expr),*])?),* $(,)?
    })*) => {$(
        $(#[$doc])*
        pub(super) struct $name {
            $($(#[$field_doc])* pub(super) $field: $type),*
        }

        impl $crate::aws::shape::Shape for $name {
            const PARTS: &'static [$crate::aws::shape::Parameter] = &[
                $($crate::aws::shape::Parameter {
                    name: $wire,
                    is_list: <$type as $crate::aws::shape::Shape>::IS_LIST,
                    parts: <$type as $crate::aws::shape::Shape>::PARTS,
                }),*
            ];

            #[allow(unused_variables, reason = "there are operations without parameters")]
            fn read(
                node: Option<&$crate::aws::form::Node>,
                at: $crate::aws::mistakes::At<'_>,
                _: &[$crate::aws::shape::Rule],
                mistakes: &mut $crate::aws::mistakes::Mistakes,
            ) -> Option<Self> {
                let Some(node) = node else {
                    mistakes.missing(at);
                    return None;
                };
                $(let $field = <$type as $crate::aws::shape::Shape>::read(
                    node.field($wire),
                    at.field($wire),
                    &[$($($rule),*)?],
                    mistakes,
                );)*
                Some(Self { $($field: $field?),* })
            }
        }
    )*};
}

/// Enums of words: variant and word on the wire.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name {
            $($variant),*
        }

        impl $crate::aws::shape::Shape for $name {
            fn read(
                node: Option<&$crate::aws::form::Node>,
                at: $crate::aws::mistakes::At<'_>,
                _: &[$crate::aws::shape::Rule],
                mistakes: &mut $crate::aws::mistakes::Mistakes,
            ) -> Option<Self> {
                let words = [$(($word, Self::$variant)),*];
                $crate::aws::shape::one_of(&words, node, at, mistakes)
            }
        }
    )*};
}

pub(super) use {request, words};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Rule::{Items, Length, Value};
    use super::*;
    use crate::aws::form::decode;
    use crate::aws::mistakes::Mistake;

    const LETTERS: Rule = Rule::Pattern("[a-z]+", |c| c.is_ascii_lowercase());

    request! {
        /// An entry.
        Entry {
            key: String = "Key" [Length(1, 3), LETTERS],
        }
        /// One of everything.
        Everything {
            role_name: RoleName = "RoleName",
            count: Option<u32> = "Count" [Value(900, 43_200)],
            on: Option<bool> = "On",
            entries: Vec<Entry> = "Entries" [Items(0, 2)],
            texts: Vec<String> = "Texts" [Items(0, 5), Length(2, 4)],
            secret: Option<Secret> = "Secret" [Length(4, 8)],
            colour: Option<Colour> = "Colour",
        }
    }

    words! {
        /// A colour.
        Colour {
            Red = "red",
            Green = "green",
        }
    }

    fn read(text: &str) -> Result<Everything, Vec<String>> {
        let mut parameters = BTreeMap::new();
        decode(text, &mut parameters).unwrap();
        let (root, mut mistakes) = (Node::tree(parameters).unwrap(), Mistakes::default());
        let read = Everything::read(Some(&root), At::ROOT, &[], &mut mistakes);
        let told = |m: Mistake| format!("{} {} {}", m.at, m.value.unwrap_or_default(), m.rule);
        read.ok_or_else(|| mistakes.0.into_iter().map(told).collect())
    }

    /// Protects callers: everything wrong is told at once, in AWS's words, and secrets are not repeated.
    #[test]
    fn all_mistakes_are_told_at_once() {
        let wrong = "RoleName=a%20b&Count=899&On=maybe&Entries.member.1.Key=&Entries.member.2.Key=a%2F\
            &Texts.member.3=x&Secret=abc&Colour=blue";
        let told = read(wrong).err().unwrap();
        let expected = [
            "roleName a b Member must satisfy regular expression pattern: [\\w+=,.@-]+",
            "count 899 Member must have value greater than or equal to 900",
            "on maybe Member must be true or false",
            "entries.1.member.key  Member must have length greater than or equal to 1",
            "entries.2.member.key a/ Member must satisfy regular expression pattern: [a-z]+",
            "texts.3.member x Member must have length greater than or equal to 2",
            "secret *** Member must have length greater than or equal to 4",
            "colour blue Member must satisfy enum value set: [red, green]",
        ];
        assert_eq!(told, expected);
        let told = read("Entries.member.1.Key=a&Entries.member.2.Key=b&Entries.member.3.Key=c");
        let expected = [
            "roleName  Member must not be null",
            "entries [3 entries] Member must have length less than or equal to 2",
        ];
        assert_eq!(told.err().unwrap(), expected);
        assert_eq!(read("").err().unwrap(), ["roleName  Member must not be null"]);
    }

    /// Protects clients: what is legal arrives as it was sent.
    #[test]
    fn legal_values_arrive() {
        let all = read("RoleName=r&Count=900&On=TRUE&Entries.member.1.Key=k&Texts=&Colour=green");
        let all = all.unwrap_or_else(|told| panic!("{told:?}"));
        assert_eq!((all.role_name.as_str(), all.count, all.on), ("r", Some(900), Some(true)));
        assert_eq!(all.entries.len(), 1);
        assert_eq!(all.entries[0].key, "k");
        assert!(all.texts.is_empty() && all.secret.is_none());
        assert_eq!(all.colour, Some(Colour::Green));
        let parts = Everything::PARTS.iter().map(|part| (part.name, part.is_list, part.parts));
        let with_parts: Vec<_> = parts.filter(|(.., parts)| !parts.is_empty()).collect();
        assert_eq!(Everything::PARTS.len(), 7);
        assert_eq!(with_parts, [("Entries", true, Entry::PARTS)]);
    }
}
