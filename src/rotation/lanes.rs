//! What is due, in the order in which it is handed over: what ends soonest first, and of no account more at once than
//! its share, however much of it is due.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::schedule::Due;
use crate::clock::Timestamp;
use crate::domain::rotation::RENEWALS_MAX;
use crate::identity::AccountId;

/// Instances whose renewal is under way at once: enough to fill a batch of the ledger, few enough that whoever else
/// writes waits for some milliseconds.
const INSTANCES_UNDER_WAY: usize = 8 * RENEWALS_MAX;
/// How many of them may be one account's.
const OF_ONE_ACCOUNT: usize = INSTANCES_UNDER_WAY / 2;
/// Commands under way at once, where accounts have few instances.
const COMMANDS_UNDER_WAY: usize = 1024;

/// An instance whose set is to be renewed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) account: AccountId,
    pub(super) due: Due,
    /// When its set ends.
    pub(super) ends: Timestamp,
    /// The second since which it is due.
    pub(super) since: i64,
}

/// Renewals of one account that are handed over together.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) account: AccountId,
    /// At most `RENEWALS_MAX`, the first to end in front.
    pub(super) waiting: Vec<Waiting>,
    /// The second since which the first of them is due.
    since: i64,
}

#[derive(Debug, Default)]
struct Lane {
    /// By the end of the first set of each, and their numbers.
    chunks: BTreeMap<(Timestamp, u64), Chunk>,
    under_way: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<AccountId, Lane>,
    /// The lanes that may go on, by the end of what they hand over next.
    turns: BTreeSet<(Timestamp, AccountId)>,
    /// How many chunks wait or are under way since each second.
    since: BTreeMap<i64, usize>,
    commands: usize,
    instances: usize,
    numbered: u64,
}

impl Lane {
    /// The end of what it may hand over next; none while its share is under way.
    fn next(&self) -> Option<Timestamp> {
        let has_room = self.under_way < OF_ONE_ACCOUNT;
        self.chunks.keys().next().filter(|_| has_room).map(|(ends, _)| *ends)
    }
}

impl Lanes {
    /// Takes over what is due.
    pub(super) fn add(&mut self, mut waiting: Vec<Waiting>) {
        waiting.sort_unstable_by_key(|entry| (entry.account, entry.ends, entry.due.instance));
        waiting.dedup_by_key(|entry| (entry.account, entry.due.instance));
        for own in waiting.chunk_by(|one, other| one.account == other.account) {
            own.chunks(RENEWALS_MAX).for_each(|part| self.put(part));
        }
    }

    fn put(&mut self, part: &[Waiting]) {
        let Some(first) = part.first() else { return };
        let (account, place) = (first.account, (first.ends, self.numbered));
        let since = part.iter().map(|entry| entry.since).min().unwrap_or(first.since);
        let chunk = Chunk { account, waiting: part.to_vec(), since };
        self.numbered = self.numbered.wrapping_add(1);
        let chunks = self.since.entry(since).or_default();
        *chunks = chunks.saturating_add(1);
        self.change(account, |lane| drop(lane.chunks.insert(place, chunk)));
    }

    /// What is to be handed over next, if so much may be under way. What does not hold any more is left out.
    pub(super) fn next(&mut self, holds: impl Fn(&Waiting) -> bool) -> Option<Chunk> {
        while self.commands < COMMANDS_UNDER_WAY && self.instances < INSTANCES_UNDER_WAY {
            let (_, account) = self.turns.first().copied()?;
            let mut next = None;
            self.change(account, |lane| next = lane.chunks.pop_first());
            let (_, mut chunk) = next?;
            chunk.waiting.retain(&holds);
            let count = chunk.waiting.len();
            if count > 0 {
                self.commands = self.commands.saturating_add(1);
                self.instances = self.instances.saturating_add(count);
                self.change(account, |lane| lane.under_way = lane.under_way.saturating_add(count));
                return Some(chunk);
            }
            self.forget(chunk.since);
        }
        None
    }

    /// A chunk that was handed over is done, whatever came of it.
    pub(super) fn settle(&mut self, chunk: &Chunk) {
        let count = chunk.waiting.len();
        self.commands = self.commands.saturating_sub(1);
        self.instances = self.instances.saturating_sub(count);
        self.forget(chunk.since);
        self.change(chunk.account, |lane| lane.under_way = lane.under_way.saturating_sub(count));
    }

    /// The second since which what waits or is under way longest is due.
    pub(super) fn since(&self) -> Option<i64> {
        self.since.keys().next().copied()
    }

    /// A chunk that is due since this second is gone.
    fn forget(&mut self, since: i64) {
        if let Some(chunks) = self.since.get_mut(&since) {
            *chunks = chunks.saturating_sub(1);
            if *chunks == 0 {
                self.since.remove(&since);
            }
        }
    }

    /// Changes a lane, and keeps its turn with it.
    fn change(&mut self, account: AccountId, change: impl FnOnce(&mut Lane)) {
        let lane = self.lanes.entry(account).or_default();
        if let Some(turn) = lane.next() {
            self.turns.remove(&(turn, account));
        }
        change(lane);
        if let Some(turn) = lane.next() {
            self.turns.insert((turn, account));
        } else if lane.chunks.is_empty() && lane.under_way == 0 {
            self.lanes.remove(&account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{InstanceId, hex_id};

    fn account(number: u64) -> AccountId {
        AccountId::new(100_000_000_000 + number).unwrap()
    }

    /// So many sets of an account, all of which end at `ends`.
    fn sets(owner: u64, count: u64, ends: i64) -> Vec<Waiting> {
        let set = |number: u64| {
            let mut bytes = [0; 9];
            bytes[1..].copy_from_slice(&number.to_be_bytes());
            let id: InstanceId = hex_id("i-", bytes).parse().unwrap();
            let due = Due::of(account(owner), (&id).into());
            Waiting {
                account: account(owner),
                due,
                ends: Timestamp::from_unix_seconds(ends),
                since: ends,
            }
        };
        (0..count).map(set).collect()
    }

    fn next(lanes: &mut Lanes) -> Option<Chunk> {
        lanes.next(|_| true)
    }

    fn owners(chunks: &[Chunk]) -> Vec<u64> {
        chunks.iter().map(|chunk| chunk.account.get() - 100_000_000_000).collect()
    }

    /// Protects clients: what ends soonest goes first, also before what has waited for longer.
    #[test]
    fn what_ends_soonest_goes_first() {
        let mut lanes = Lanes::default();
        lanes.add(sets(1, 2, 300));
        lanes.add(sets(2, 2, 200));
        lanes.add(sets(3, 2, 400));
        let first = next(&mut lanes).unwrap();
        lanes.add(sets(4, 2, 100));
        let rest: Vec<_> = std::iter::from_fn(|| next(&mut lanes)).collect();
        assert_eq!((owners(&[first]), owners(&rest)), (vec![2], vec![4, 1, 3]));
    }

    /// Protects tenants: an account that has everything renewed leaves room for another whose sets end later, and has
    /// its next turn once some of its own is done.
    #[test]
    fn no_account_has_more_than_its_share_under_way() {
        let mut lanes = Lanes::default();
        let many = 2 * INSTANCES_UNDER_WAY as u64;
        lanes.add(sets(1, many, 100));
        lanes.add(sets(2, 10, 900));
        let begun: Vec<_> = std::iter::from_fn(|| next(&mut lanes)).collect();
        let own = begun.iter().filter(|chunk| chunk.account == account(1));
        assert_eq!(own.map(|chunk| chunk.waiting.len()).sum::<usize>(), OF_ONE_ACCOUNT);
        assert_eq!(owners(&begun).last(), Some(&2));
        lanes.settle(&begun[0]);
        assert_eq!(next(&mut lanes).unwrap().account, account(1));
        assert!(next(&mut lanes).is_none());
    }

    /// Protects the ledger: no more is under way than its bounds, and all of it comes out in the end, once; what does
    /// not hold any more does not.
    #[test]
    fn what_is_under_way_is_bounded() {
        let mut lanes = Lanes::default();
        let owners = 2 * COMMANDS_UNDER_WAY as u64;
        (0..owners).for_each(|owner| lanes.add(sets(owner, 1, 50)));
        lanes.add(sets(owners, 3 * RENEWALS_MAX as u64, 60));
        lanes.add(sets(owners + 1, 5, 10));
        let (mut begun, mut done) = (Vec::new(), 0);
        assert_eq!(lanes.since(), Some(10));
        let gone = account(owners + 1);
        loop {
            begun.extend(std::iter::from_fn(|| lanes.next(|entry| entry.account != gone)));
            assert!(begun.len() <= COMMANDS_UNDER_WAY);
            let Some(chunk) = begun.pop() else { break };
            assert!(lanes.since() >= Some(50), "what was left out is forgotten");
            lanes.settle(&chunk);
            done += chunk.waiting.len();
        }
        assert_eq!(done, 2 * COMMANDS_UNDER_WAY + 3 * RENEWALS_MAX);
        assert_eq!((lanes.since(), lanes.lanes.len(), lanes.turns.len()), (None, 0, 0));
    }
}
