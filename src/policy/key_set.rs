//! Which condition keys policies ask about, so that a request's context needs no others: most requests meet policies
//! that ask about few keys or none.

use super::Policy;
use super::arn_pattern::ArnPattern;
use super::condition::Condition;
use super::evaluate::Policies;
use super::parse::Statement;
use super::pattern::Pattern;

/// Keys by a bit of their hashes (a Bloom filter of one hash function): a key that is in it is always found, and another
/// now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeySet(u64);

impl KeySet {
    /// No key.
    pub const NONE: Self = Self(0);
    /// Every key.
    pub const ALL: Self = Self(u64::MAX);

    /// The key with this hash.
    pub(super) const fn of(hash: u64) -> Self {
        // The highest bits of FNV-1a are mixed best.
        Self(1 << (hash >> 58))
    }

    /// The keys of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a key with this hash may be in it.
    pub(super) const fn may_hold(self, hash: u64) -> bool {
        self.0 & Self::of(hash).0 != 0
    }
}

impl FromIterator<Self> for KeySet {
    fn from_iter<I: IntoIterator<Item = Self>>(sets: I) -> Self {
        sets.into_iter().fold(Self::NONE, Self::with)
    }
}

impl Policies<'_> {
    /// The keys that one of the policies asks about.
    #[must_use]
    pub fn keys(&self) -> KeySet {
        let lists = [Some(&self.identity), self.boundary.as_ref(), self.session.as_ref()];
        let lists = lists.into_iter().chain([self.endpoint.as_ref()]).flatten();
        let levels = self.service_control.iter().chain(&self.resource_control);
        let named = lists.chain(levels.map(|level| &level.policies)).flatten();
        named.map(|named| named.policy).chain(self.resource).map(Policy::keys).collect()
    }
}

impl Statement {
    /// The keys of its conditions and of its policy variables.
    pub(super) fn keys(&self) -> KeySet {
        let actions = self.actions.items.iter().map(Pattern::keys);
        let resources = self.resources.iter().flat_map(|resources| &resources.items);
        let conditions = self.conditions.iter().map(Condition::keys);
        actions.chain(resources.map(ArnPattern::keys)).chain(conditions).collect()
    }
}
