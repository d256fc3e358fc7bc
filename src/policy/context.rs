//! The request context: condition keys and their values. Names of keys ignore case.

use super::value::Reading;
use crate::identity::Principal;

/// A condition key's name, in lower case, with its hash for quick lookup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    // First, so that keys are ordered by it.
    hash: u64,
    text: Box<str>,
}

impl Key {
    pub(super) fn new(name: &str) -> Self {
        Self { hash: hash(name), text: name.to_ascii_lowercase().into_boxed_str() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// FNV-1a over the name in lower case. Whoever makes names collide gains nothing: equal hashes are told
/// apart by their texts.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3)
    })
}

/// Condition keys with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Sorted by key, which is by hash.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    key: Key,
    values: Vec<String>,
    /// One for each value.
    readings: Box<[Reading]>,
}

impl Context {
    /// The keys that follow from the principal alone (IAM User Guide,
    /// reference_policies_condition-keys, "Properties of the principal").
    #[must_use]
    pub fn for_principal(principal: &Principal) -> Self {
        /// As many keys as most requests have.
        const USUAL: usize = 16;
        let mut context = Self { entries: Vec::with_capacity(USUAL) };
        context.insert("aws:PrincipalType", principal_type(principal).to_owned());
        if let Principal::Service(name) = principal {
            context.insert("aws:PrincipalIsAWSService", "true".to_owned());
            context.insert("aws:PrincipalServiceName", name.to_string());
            return context;
        }
        context.insert("aws:PrincipalIsAWSService", "false".to_owned());
        if let Principal::Federated(provider) = principal {
            context.insert("aws:FederatedProvider", provider.to_string());
        }
        let Some(account) = principal.account() else { return context };
        context.insert("aws:PrincipalAccount", account.to_string());
        context.insert("aws:PrincipalArn", principal.principal_arn());
        context.insert("aws:userid", principal.user_id());
        if let Principal::User { name, .. } = principal {
            context.insert("aws:username", name.to_string());
        }
        context
    }

    /// Sets a key to one value.
    pub fn insert(&mut self, key: &str, value: String) {
        self.insert_multi(key, vec![value]);
    }

    /// Sets a key to several values.
    pub fn insert_multi(&mut self, key: &str, values: Vec<String>) {
        self.set(Key::new(key), values);
    }

    fn set(&mut self, key: Key, values: Vec<String>) {
        let readings = values.iter().map(|value| Reading::of(value)).collect();
        self.put(Entry { key, values, readings });
    }

    fn put(&mut self, entry: Entry) {
        match self.entries.binary_search_by(|other| other.key.cmp(&entry.key)) {
            Ok(index) => {
                if let Some(old) = self.entries.get_mut(index) {
                    *old = entry;
                }
            }
            Err(index) => self.entries.insert(index, entry),
        }
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|entry| !entry.key.as_str().eq_ignore_ascii_case(key));
    }

    /// The values of a key, if it is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.values_of(&Key::new(key))
    }

    pub(super) fn values_of(&self, key: &Key) -> Option<&[String]> {
        self.readings_of(key).map(|(values, _)| values)
    }

    /// The values of a key with what they read as.
    pub(super) fn readings_of(&self, key: &Key) -> Option<(&[String], &[Reading])> {
        let index = self.entries.binary_search_by(|other| other.key.cmp(key)).ok()?;
        self.entries.get(index).map(|entry| (entry.values.as_slice(), &*entry.readings))
    }

    /// Takes over every key of `other`; its values win.
    pub fn extend(&mut self, other: &Self) {
        for entry in &other.entries {
            self.put(entry.clone());
        }
    }

    /// Every key, in lower case and alphabetical order, with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        let mut sorted: Vec<_> =
            self.entries.iter().map(|e| (e.key.as_str(), e.values.as_slice())).collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        sorted.into_iter()
    }
}

fn principal_type(principal: &Principal) -> &'static str {
    match principal {
        Principal::Anonymous => "Anonymous",
        Principal::Root { .. } => "Account",
        Principal::User { .. } => "User",
        Principal::AssumedRole { .. } => "AssumedRole",
        Principal::FederatedUser { .. } => "FederatedUser",
        Principal::Federated(_) => "Federated",
        Principal::Service(_) => "Service",
        Principal::Instance { .. } => "Instance",
        Principal::Agent { .. } => "Agent",
    }
}
