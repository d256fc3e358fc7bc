//! Tags of an entity: at most one value a key, and keys that differ in case alone are the same key.
//! Source: IAM User Guide, id_tags.

use imbl::OrdMap;

use super::rejection::Rejection;
use crate::identity::{Invalid, TagKey, TagValue};
use crate::policy::Context;

/// Tags in the order of their keys, without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(OrdMap<Box<str>, (TagKey, TagValue)>);

fn folded(key: &TagKey) -> Box<str> {
    key.as_str().to_lowercase().into_boxed_str()
}

impl Tags {
    /// The tags of a request.
    ///
    /// # Errors
    /// A key or value is not legal, is given twice, or is the service's own.
    pub fn of_request<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Rejection> {
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| Ok((TagKey::parse(key)?, TagValue::parse(value)?)))
            .collect::<Result<Vec<_>, Invalid>>()?;
        Self::of_pairs(pairs)
    }

    /// As [`of_request`](Self::of_request), with keys and values that are legal.
    ///
    /// # Errors
    /// A key is given twice or is the service's own.
    pub fn of_pairs(
        pairs: impl IntoIterator<Item = (TagKey, TagValue)>,
    ) -> Result<Self, Rejection> {
        let mut tags = Self::default();
        for (key, value) in pairs {
            if key.is_reserved() {
                let message = "tag keys must not begin with `aws:`".to_owned();
                return Err(Rejection::InvalidInput(message));
            }
            if tags.get(&key).is_some() {
                // As AWS words it.
                let message =
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
                return Err(Rejection::InvalidInput(message.to_owned()));
            }
            tags.insert(key, value);
        }
        Ok(tags)
    }

    /// Sets a key to a value, in place of the value and the spelling that it had.
    pub fn insert(&mut self, key: TagKey, value: TagValue) {
        self.0.insert(folded(&key), (key, value));
    }

    /// Takes a key away, if it is there.
    pub fn remove(&mut self, key: &TagKey) {
        self.0.remove(&folded(key));
    }

    /// The tag of this key, in any case.
    #[must_use]
    pub fn get(&self, key: &TagKey) -> Option<&(TagKey, TagValue)> {
        self.0.get(&folded(key))
    }

    /// Every tag, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&TagKey, &TagValue)> {
        self.0.values().map(|(key, value)| (key, value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over every tag of `other`; its values and spellings win.
    pub fn extend(&mut self, other: &Self) {
        for (key, value) in other.iter() {
            self.insert(key.clone(), value.clone());
        }
    }

    /// The tags as condition keys: `PREFIX/key`.
    pub fn insert_into(&self, context: &mut Context, prefix: &str) {
        if !context.asks_about(prefix) {
            return;
        }
        for (key, value) in self.iter() {
            context.insert(&format!("{prefix}/{key}"), value.to_string());
        }
    }

    /// What a request that sets these tags tells policies: `aws:RequestTag/key` and `aws:TagKeys`.
    pub fn insert_as_requested(&self, context: &mut Context) {
        if self.is_empty() {
            return;
        }
        self.insert_into(context, "aws:RequestTag");
        if !context.asks_about("aws:TagKeys") {
            return;
        }
        let keys = self.iter().map(|(key, _)| key.to_string()).collect();
        context.insert_multi("aws:TagKeys", keys);
    }
}
