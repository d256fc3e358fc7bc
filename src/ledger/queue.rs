//! The queue before the writer, fair by account.
//!
//! Each account whose commands wait has a lane of its own, and each batch takes from every lane in turn, by deficit
//! round robin: at most a share from one lane, so that an account with thousands of commands waiting costs another
//! no more than that share a batch. What the service does by itself (rotation, rewrapping, usage) has a lane beside
//! them with a share of its own. A lane may fill as long as there is as much shared room left for the others (dynamic
//! thresholds, Choudhury and Hahne 1998), and the other half of the queue is kept for those who have little waiting:
//! the account that floods is refused, and a newcomer finds room.
//!
//! A command costs a constant number of steps, whatever waits. The lock is held to put one in or to move a batch
//! out, never while something is decided or written.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{COMMANDS_PER_ACCOUNT_MAX, COMMANDS_PER_ACCOUNT_MIN};
use super::{QUEUE_COMMANDS_MAX, SERVICE_COMMANDS_MAX};
use crate::identity::AccountId;

/// Weight of one batch.
pub(super) const BATCH_WEIGHT_MAX: u32 = 1024;
/// How many batches of one account alone it takes until that account has more than a share of them: until then another
/// is expected back at any moment.
const ALONE_BATCHES: u32 = 512;
/// What that account then has of a batch: enough that the durable write is a small part of its time, and not so much
/// that whoever comes back waits long.
const ALONE_WEIGHT_MAX: u32 = 256;
/// The same for the service's commands, which the accounts' absence frees sooner.
const SERVICE_ALONE_BATCHES: u32 = 64;
/// The service's share of a batch, in those of an account.
const SERVICE_SHARES: u32 = 4;
/// Emptied lanes that are kept to be filled again.
const SPARE_LANES_MAX: usize = 64;

/// Whose turn a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// An account's.
    Account(AccountId),
    /// The service's own.
    Service,
}

/// Why a command is not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too many of its class wait.
    Full,
    /// Nothing is taken any more.
    Closed,
}

/// See the module.
pub(super) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    filled: Condvar,
}

struct Inner<T> {
    lanes: HashMap<AccountId, Lane<T>>,
    /// The lanes in the order of their turns.
    turns: VecDeque<AccountId>,
    service: Lane<T>,
    /// Commands in the accounts' lanes.
    waiting: usize,
    /// The account of the newest batches, and how many in a row were its alone.
    alone: (Option<AccountId>, u32),
    /// Batches since one held a command of an account.
    without_accounts: u32,
    /// Whether the writer sleeps.
    idle: bool,
    closed: bool,
    spare: Vec<VecDeque<(u32, T)>>,
}

struct Lane<T> {
    waiting: VecDeque<(u32, T)>,
    /// What may be taken before the next turn; below zero after a command that weighs more than a share, and
    /// then to be paid back first.
    credit: i64,
}

impl<T> Lane<T> {
    fn new(waiting: VecDeque<(u32, T)>) -> Self {
        Self { waiting, credit: 0 }
    }

    /// Moves what one turn allows into `batch`; gives its weight.
    fn turn(&mut self, share: u32, room: u32, batch: &mut Vec<T>) -> u32 {
        let share = i64::from(share);
        self.credit = self.credit.saturating_add(share).min(share);
        let mut taken = 0_u32;
        while self.credit > 0
            && taken < room
            && let Some((weight, item)) = self.waiting.pop_front()
        {
            self.credit = self.credit.saturating_sub(i64::from(weight));
            taken = taken.saturating_add(weight);
            batch.push(item);
        }
        taken
    }
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let inner = Inner {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            service: Lane::new(VecDeque::new()),
            waiting: 0,
            alone: (None, 0),
            without_accounts: 0,
            idle: false,
            closed: false,
            spare: Vec::new(),
        };
        Self { inner: Mutex::new(inner), filled: Condvar::new() }
    }

    /// Puts a command in; `weight` is its cost in those of an ordinary command.
    pub(super) fn push(&self, class: Class, weight: u32, item: T) -> Result<(), Refused> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        inner.push(class, weight.max(1), item)?;
        if std::mem::take(&mut inner.idle) {
            drop(inner);
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Whether a command of the account would be taken in now.
    pub(super) fn expect_room(&self, account: AccountId) -> Result<(), Refused> {
        let inner = self.lock();
        if inner.closed { Err(Refused::Closed) } else { inner.expect_room(account) }
    }

    /// Moves the next batch into `batch`, and waits for it; false once the queue is closed and empty. `share` is the
    /// most that one account may have of it while another is about.
    pub(super) fn take(&self, batch: &mut Vec<T>, share: u32) -> bool {
        let mut inner = self.lock();
        while inner.is_empty() {
            if inner.closed {
                return false;
            }
            inner.idle = true;
            inner = self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.idle = false;
        // An emptied lane in debt may be all there is: its turns pay the debt.
        while batch.is_empty() && !inner.is_empty() {
            inner.take(batch, share.max(1));
        }
        true
    }

    /// Takes nothing in any more; what waits is still handed out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Closes, and drops what waits: its callers learn of it by that.
    pub(super) fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.waiting = 0;
        let dropped =
            (std::mem::take(&mut inner.lanes), std::mem::take(&mut inner.service.waiting));
        drop(inner);
        drop(dropped);
    }

    /// How many commands wait.
    pub(super) fn len(&self) -> usize {
        let inner = self.lock();
        inner.waiting.saturating_add(inner.service.waiting.len())
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    fn is_empty(&self) -> bool {
        self.waiting == 0 && self.service.waiting.is_empty()
    }

    fn expect_room(&self, account: AccountId) -> Result<(), Refused> {
        let held = self.lanes.get(&account).map_or(0, |lane| lane.waiting.len());
        let shared = (QUEUE_COMMANDS_MAX / 2).saturating_sub(self.waiting);
        let finds_room = held < shared.min(COMMANDS_PER_ACCOUNT_MAX);
        let has_kept_room = held < COMMANDS_PER_ACCOUNT_MIN && self.waiting < QUEUE_COMMANDS_MAX;
        if finds_room || has_kept_room { Ok(()) } else { Err(Refused::Full) }
    }

    fn push(&mut self, class: Class, weight: u32, item: T) -> Result<(), Refused> {
        let Class::Account(account) = class else {
            if self.service.waiting.len() >= SERVICE_COMMANDS_MAX {
                return Err(Refused::Full);
            }
            self.service.waiting.push_back((weight, item));
            return Ok(());
        };
        self.expect_room(account)?;
        let lane = self.lanes.entry(account).or_insert_with(|| {
            self.turns.push_back(account);
            Lane::new(self.spare.pop().unwrap_or_default())
        });
        lane.waiting.push_back((weight, item));
        self.waiting = self.waiting.saturating_add(1);
        Ok(())
    }

    /// One turn of every lane, as long as the batch has room.
    fn take(&mut self, batch: &mut Vec<T>, share: u32) {
        let service = match self.without_accounts >= SERVICE_ALONE_BATCHES && self.waiting == 0 {
            true => BATCH_WEIGHT_MAX,
            false => share.saturating_mul(SERVICE_SHARES).min(BATCH_WEIGHT_MAX),
        };
        let mut weight = self.service.turn(service, BATCH_WEIGHT_MAX, batch);
        if self.waiting == 0 && weight == 0 && self.service.credit <= 0 {
            // Nobody is hurt by what the service still owes.
            self.service.credit = 0;
            weight = self.service.turn(service, BATCH_WEIGHT_MAX, batch);
        }
        let mut room = BATCH_WEIGHT_MAX.saturating_sub(weight).max(1);
        let share = self.share(share);
        let mut served = (None, 0_u32);
        for _ in 0..self.turns.len() {
            let Some(account) = self.turns.pop_front() else { break };
            let Some(lane) = self.lanes.get_mut(&account) else { continue };
            let before = lane.waiting.len();
            let taken = lane.turn(share, room, batch);
            room = room.saturating_sub(taken);
            self.waiting = self.waiting.saturating_sub(before.saturating_sub(lane.waiting.len()));
            if taken > 0 {
                served = (Some(account), served.1.saturating_add(1));
            }
            if !lane.waiting.is_empty() || lane.credit < 0 {
                self.turns.push_back(account);
            } else if let Some(lane) = self.lanes.remove(&account)
                && self.spare.len() < SPARE_LANES_MAX
            {
                self.spare.push(lane.waiting);
            }
            if room == 0 {
                break;
            }
        }
        self.note(served);
    }

    /// What one account may have of the next batch: much if no other is about, and otherwise no more than leaves a
    /// place for each that waits.
    fn share(&self, share: u32) -> u32 {
        let only = match self.turns.len() {
            1 => self.alone.0 == self.turns.front().copied() && self.alone.1 >= ALONE_BATCHES,
            _ => false,
        };
        if only {
            return share.max(ALONE_WEIGHT_MAX);
        }
        let lanes = u32::try_from(self.turns.len()).unwrap_or(u32::MAX).max(1);
        share.min(BATCH_WEIGHT_MAX / lanes).max(1)
    }

    /// Remembers whose the batch was: one account and how many there were.
    fn note(&mut self, (account, count): (Option<AccountId>, u32)) {
        if account.is_none() {
            self.without_accounts = self.without_accounts.saturating_add(1);
            return;
        }
        self.without_accounts = 0;
        self.alone = match count {
            1 if self.alone.0 == account => (account, self.alone.1.saturating_add(1)),
            1 => (account, 1),
            _ => (None, 0),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: u32 = 16;

    fn account(number: u64) -> Class {
        Class::Account(AccountId::new(100_000_000_000 + number).unwrap())
    }

    /// Puts commands in until one is refused; gives how many went in.
    fn flood(queue: &Queue<(u64, u32)>, number: u64) -> usize {
        let mut count = 0;
        while queue.push(account(number), 1, (number, count)).is_ok() {
            count += 1;
        }
        count as usize
    }

    fn batch<T>(queue: &Queue<T>) -> Vec<T> {
        let mut batch = Vec::new();
        assert!(queue.take(&mut batch, SHARE));
        batch
    }

    /// Protects tenants: whoever floods leaves as much of the shared room as it takes, and an account with little
    /// waiting is taken in whatever the others do; the service has room of its own.
    #[test]
    fn floods_are_refused_and_newcomers_taken_in() {
        let queue = Queue::new();
        assert_eq!(flood(&queue, 1), COMMANDS_PER_ACCOUNT_MAX);
        assert_eq!(flood(&queue, 2), COMMANDS_PER_ACCOUNT_MAX / 2);
        for number in 3..=500 {
            let taken = flood(&queue, number);
            assert!(taken >= COMMANDS_PER_ACCOUNT_MIN, "account {number}: {taken}");
        }
        assert!(queue.len() <= QUEUE_COMMANDS_MAX);
        assert_eq!(queue.push(account(1), 1, (1, 0)), Err(Refused::Full));
        assert_eq!(queue.expect_room(AccountId::new(100_000_000_001).unwrap()), Err(Refused::Full));
        assert_eq!(queue.expect_room(AccountId::new(100_000_000_501).unwrap()), Ok(()));
        assert_eq!(queue.push(account(501), 1, (501, 0)), Ok(()));
        for number in 0..SERVICE_COMMANDS_MAX {
            assert_eq!(queue.push(Class::Service, 1, (0, number as u32)), Ok(()));
        }
        assert_eq!(queue.push(Class::Service, 1, (0, 0)), Err(Refused::Full));
    }

    /// Protects an account beside one that floods: its command is in the very next batch, and that batch holds no
    /// more than a share of the flood; the order within an account stays.
    #[test]
    fn a_flood_has_a_share_of_each_batch() {
        let queue = Queue::new();
        flood(&queue, 1);
        queue.push(account(2), 1, (2, 0)).unwrap();
        let first = batch(&queue);
        assert_eq!(first.iter().filter(|(number, _)| *number == 1).count(), SHARE as usize);
        assert!(first.contains(&(2, 0)));
        let order: Vec<u32> = batch(&queue).into_iter().map(|(_, count)| count).collect();
        assert_eq!(order, (SHARE..2 * SHARE).collect::<Vec<_>>());
    }

    /// Protects throughput: an account that is alone for long has large batches, until another comes.
    #[test]
    fn an_account_alone_has_large_batches() {
        let queue = Queue::new();
        for _ in 0..ALONE_BATCHES {
            queue.push(account(1), 1, (1, 0)).unwrap();
            batch(&queue);
        }
        flood(&queue, 1);
        assert_eq!(batch(&queue).len(), ALONE_WEIGHT_MAX as usize);
        queue.push(account(2), 1, (2, 0)).unwrap();
        assert_eq!(batch(&queue).len(), SHARE as usize + 1);
        assert_eq!(batch(&queue).len(), SHARE as usize);
    }

    /// Protects light accounts when thousands of others are heavy: each has a place in every batch.
    #[test]
    fn every_account_that_waits_has_a_place() {
        let queue = Queue::new();
        for round in 0..4 {
            for number in 0..500 {
                queue.push(account(number), 1, (number, round)).unwrap();
            }
        }
        let mut seen: Vec<u64> = batch(&queue).into_iter().map(|(number, _)| number).collect();
        seen.dedup();
        assert_eq!(seen.len(), 500);
    }

    /// Protects others from heavy commands: what one weighs over the share is paid back by turns left out, also when
    /// nothing of its account waits meanwhile.
    #[test]
    fn a_heavy_command_is_paid_back() {
        let queue = Queue::new();
        queue.push(account(1), 4 * SHARE, (1, 0)).unwrap();
        queue.push(account(2), 1, (2, 0)).unwrap();
        assert_eq!(batch(&queue), [(1, 0), (2, 0)]);
        queue.push(account(1), 1, (1, 1)).unwrap();
        for round in 1..4 {
            queue.push(account(2), 1, (2, round)).unwrap();
            assert_eq!(batch(&queue), [(2, round)]);
        }
        assert_eq!(batch(&queue), [(1, 1)]);
    }

    /// Protects rotation from the accounts and the accounts from rotation: it has its share of each batch, and more
    /// once no account has asked for a while.
    #[test]
    fn the_service_has_a_share_of_its_own() {
        let queue = Queue::new();
        for number in 0..SERVICE_COMMANDS_MAX {
            queue.push(Class::Service, 1, (0, number as u32)).unwrap();
        }
        flood(&queue, 1);
        let own = |batch: &[(u64, u32)]| batch.iter().filter(|(number, _)| *number == 0).count();
        let first = batch(&queue);
        let share = (SHARE * SERVICE_SHARES) as usize;
        assert_eq!((own(&first), first.len()), (share, share + SHARE as usize));
        let queue = Queue::new();
        for _ in 0..SERVICE_ALONE_BATCHES {
            queue.push(Class::Service, 1, (0, 0)).unwrap();
            batch(&queue);
        }
        for number in 0..SERVICE_COMMANDS_MAX {
            queue.push(Class::Service, 1, (0, number as u32)).unwrap();
        }
        assert_eq!(batch(&queue).len(), BATCH_WEIGHT_MAX as usize);
    }

    /// Protects an orderly stop: what was taken in is handed out, and nothing more is taken in.
    #[test]
    fn a_closed_queue_is_emptied() {
        let queue = Queue::new();
        queue.push(account(1), 1, ()).unwrap();
        queue.close();
        assert_eq!(queue.push(account(1), 1, ()), Err(Refused::Closed));
        assert_eq!(batch(&queue).len(), 1);
        assert!(!queue.take(&mut Vec::new(), SHARE));
    }
}
