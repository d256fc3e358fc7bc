//! The request context: condition keys and their values. Names of keys ignore case.

use std::borrow::Cow;
use std::net::IpAddr;

use super::KeySet;
use super::value::Reading;
use crate::identity::Principal;

/// A condition key's name, in lower case, with its hash for quick lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    hash: u64,
    text: Cow<'static, str>,
}

impl Key {
    pub(super) fn new(name: &str) -> Self {
        Self { hash: hash(name.as_bytes()), text: Cow::Owned(name.to_ascii_lowercase()) }
    }

    /// A key that every request has, hashed when compiling.
    ///
    /// # Panics
    /// The name is not in lower case.
    #[must_use]
    pub const fn known(name: &'static str) -> Self {
        assert!(is_lower(name.as_bytes()), "names of keys are kept in lower case");
        Self { hash: hash(name.as_bytes()), text: Cow::Borrowed(name) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The set of this key, and of the family that it is of: `aws:principaltag` is that of `aws:principaltag/team`.
    pub(super) fn set(&self) -> KeySet {
        let family = self.text.split_once('/').map(|(family, _)| hash(family.as_bytes()));
        KeySet::of(self.hash).with(family.map(KeySet::of).unwrap_or_default())
    }
}

/// FNV-1a over the name in lower case. Whoever makes names collide gains nothing: equal hashes are told
/// apart by their texts.
const fn hash(mut name: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    while let [byte, rest @ ..] = name {
        // A byte is never too much for 64 bits.
        hash = (hash ^ byte.to_ascii_lowercase() as u64).wrapping_mul(0x100_0000_01b3);
        name = rest;
    }
    hash
}

const fn is_lower(mut name: &[u8]) -> bool {
    while let [byte, rest @ ..] = name {
        if byte.is_ascii_uppercase() {
            return false;
        }
        name = rest;
    }
    true
}

/// Condition keys with their values.
#[derive(Clone, Debug)]
pub struct Context {
    /// What is asked about; no other key is taken in.
    asked: KeySet,
    /// In the order in which they were set first.
    entries: Vec<Entry>,
    /// The hashes of the keys, ascending, with the places of the entries: small to move about, since a
    /// context is built for every request.
    places: Vec<(u64, usize)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    key: Key,
    values: Values,
}

/// Values and what they read as. Whether a key is multi-valued follows from how it was set, not from its name or
/// from how many values it has: a list of one is a list (IAM User Guide,
/// reference_policies_condition-single-vs-multi-valued-context-keys).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Single(String, Reading),
    List(Vec<String>, Box<[Reading]>),
}

/// The values of a key, with what they read as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    pub(super) texts: &'a [String],
    pub(super) readings: &'a [Reading],
    /// Whether the key is multi-valued.
    pub(super) is_list: bool,
}

impl Values {
    fn single(value: String) -> Self {
        let reading = Reading::of(&value);
        Self::Single(value, reading)
    }

    fn list(values: Vec<String>) -> Self {
        let readings = values.iter().map(|value| Reading::of(value)).collect();
        Self::List(values, readings)
    }

    pub(super) fn given(&self) -> Given<'_> {
        match self {
            Self::Single(value, reading) => Given {
                texts: std::slice::from_ref(value),
                readings: std::slice::from_ref(reading),
                is_list: false,
            },
            Self::List(texts, readings) => Given { texts, readings, is_list: true },
        }
    }
}

impl Context {
    /// For the keys of `asked` alone: what is set for another is left out.
    #[must_use]
    pub fn of(asked: KeySet) -> Self {
        Self { asked, entries: Vec::new(), places: Vec::new() }
    }

    /// Every key that follows from the principal alone.
    #[must_use]
    pub fn for_principal(principal: &Principal) -> Self {
        let mut context = Self::default();
        context.insert_principal(principal);
        context
    }

    /// Sets the keys that follow from the principal alone (IAM User Guide, reference_policies_condition-keys,
    /// "Properties of the principal").
    pub fn insert_principal(&mut self, principal: &Principal) {
        self.set(const { Key::known("aws:principaltype") }, || {
            principal_type(principal).to_owned()
        });
        const BY_SERVICE: Key = Key::known("aws:principalisawsservice");
        if let Principal::Service(name) = principal {
            self.set(BY_SERVICE, || "true".to_owned());
            self.set(const { Key::known("aws:principalservicename") }, || name.to_string());
            self.insert_multi("aws:PrincipalServiceNamesList", vec![name.to_string()]);
            return;
        }
        self.set(BY_SERVICE, || "false".to_owned());
        if let Principal::Federated(provider) = principal {
            self.set(const { Key::known("aws:federatedprovider") }, || provider.to_string());
        }
        let Some(account) = principal.account() else { return };
        self.set(const { Key::known("aws:principalaccount") }, || account.to_string());
        self.set(const { Key::known("aws:principalarn") }, || {
            principal.principal_arn().to_string()
        });
        self.set(const { Key::known("aws:userid") }, || principal.user_id());
        if let Principal::User { name, .. } = principal {
            self.set(const { Key::known("aws:username") }, || name.to_string());
        }
    }

    /// Whether a key may be asked about, or one of a family of keys, which is what stands before the slash.
    #[must_use]
    pub fn asks_about(&self, key: &str) -> bool {
        self.asked.may_hold(hash(key.as_bytes()))
    }

    /// Sets a key to one value.
    pub fn insert(&mut self, key: &str, value: String) {
        if self.asks_about(key) {
            self.set(Key::new(key), || value);
        }
    }

    /// Sets a multi-valued key. It is one with one value too, and so never satisfies an operator without
    /// `ForAnyValue` or `ForAllValues` (IAM User Guide, reference_policies_condition-single-vs-multi-valued-context-keys:
    /// "Multivalued context keys require a condition set operator").
    pub fn insert_multi(&mut self, key: &str, values: Vec<String>) {
        if self.asks_about(key) {
            self.put(Entry { key: Key::new(key), values: Values::list(values) });
        }
    }

    /// Sets a key as whoever asks gives it: to one value, unless it is said to be multi-valued or has not one value.
    pub fn insert_given(&mut self, key: &str, mut values: Vec<String>, is_list: bool) {
        match values.pop() {
            Some(value) if values.is_empty() && !is_list => self.insert(key, value),
            last => {
                values.extend(last);
                self.insert_multi(key, values);
            }
        }
    }

    /// Sets a key to one value, which is made if it is asked about.
    pub fn set(&mut self, key: Key, value: impl FnOnce() -> String) {
        if self.asked.may_hold(key.hash) {
            self.put(Entry { key, values: Values::single(value()) });
        }
    }

    /// Sets a key to an address. One of IPv4 is shown as such where a port for both versions tells it mapped into
    /// IPv6 (RFC 4291, section 2.5.5.2), so that operators on texts meet it as people write it.
    pub fn set_address(&mut self, key: Key, address: IpAddr) {
        self.set(key, || address.to_canonical().to_string());
    }

    fn put(&mut self, entry: Entry) {
        match self.place(&entry.key) {
            Ok(at) => {
                if let Some(old) = self.entries.get_mut(at) {
                    *old = entry;
                }
            }
            Err(index) => {
                self.places.insert(index, (entry.key.hash, self.entries.len()));
                self.entries.push(entry);
            }
        }
    }

    /// The place of a key's entry, or that of its hash among the places.
    fn place(&self, key: &Key) -> Result<usize, usize> {
        let start = self.places.partition_point(|(hash, _)| *hash < key.hash);
        let same_hash = self.places.iter().skip(start).take_while(|(hash, _)| *hash == key.hash);
        let mut same = same_hash.filter(|(_, at)| {
            self.entries.get(*at).is_some_and(|entry| entry.key.text == key.text)
        });
        same.next().map(|(_, at)| *at).ok_or(start)
    }

    fn entry(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(self.place(key).ok()?)
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) {
        let others = std::mem::replace(self, Self::of(self.asked)).entries.into_iter();
        others.filter(|entry| !entry.key.as_str().eq_ignore_ascii_case(key)).for_each(|entry| {
            self.put(entry);
        });
    }

    /// The values of a key, if it is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.given(&Key::new(key)).map(|given| given.texts)
    }

    /// Whether a key is there and multi-valued.
    #[must_use]
    pub fn is_list(&self, key: &str) -> bool {
        self.given(&Key::new(key)).is_some_and(|given| given.is_list)
    }

    /// The values of a key, if it is there.
    pub(super) fn given(&self, key: &Key) -> Option<Given<'_>> {
        self.values(key).map(Values::given)
    }

    pub(super) fn values(&self, key: &Key) -> Option<&Values> {
        self.entry(key).map(|entry| &entry.values)
    }

    /// Takes over every key of `other`; its values win.
    pub fn extend(&mut self, other: &Self) {
        let asked = self.asked;
        for entry in other.entries.iter().filter(|entry| asked.may_hold(entry.key.hash)) {
            self.put(entry.clone());
        }
    }

    /// Every key, in lower case and alphabetical order, with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.sorted().into_iter().map(|entry| (entry.key.as_str(), entry.values.given().texts))
    }

    fn sorted(&self) -> Vec<&Entry> {
        let mut sorted: Vec<&Entry> = self.entries.iter().collect();
        sorted.sort_unstable_by_key(|entry| entry.key.as_str());
        sorted
    }
}

/// For every key.
impl Default for Context {
    fn default() -> Self {
        Self::of(KeySet::ALL)
    }
}

/// Whatever the order in which keys were set.
impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len() && self.sorted() == other.sorted()
    }
}

impl Eq for Context {}

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
