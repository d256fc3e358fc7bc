//! What is due in which second: a ring of one list a second. Putting in and taking out cost the same however much is
//! planned; nothing is ever moved. What no longer holds is not searched for: whoever takes an entry out checks it.
//!
//! Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 4: one wheel is enough here, since no
//! time is further away than the longest interval of rotation.

/// Seconds of the ring: more than the longest interval, which is half of the 12 hours that a session may live.
pub const SECONDS: usize = 1 << 15;

/// Seconds that are tried at random before all are looked at.
const TRIES: usize = 8;

/// Entries by the second in which they are due.
pub struct Calendar<T> {
    /// The first second that was not yet taken.
    next: i64,
    ring: Vec<Vec<T>>,
    /// How many entries each second has, beside each other for a quick look at many.
    loads: Vec<u32>,
    len: usize,
    /// The state of a generator of numbers that spread well and need no secrecy.
    dice: u64,
}

/// Seconds, from the first to the last, of which the later part is liked better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "says it all")]
pub struct Window {
    pub first: i64,
    pub liked: i64,
    pub last: i64,
}

impl<T> Calendar<T> {
    /// An empty one whose first second is `now`.
    pub fn new(now: i64) -> Self {
        let ring = std::iter::repeat_with(Vec::new).take(SECONDS).collect();
        Self { next: now, ring, loads: vec![0; SECONDS], len: 0, dice: 0x9e37_79b9_7f4a_7c15 }
    }

    /// How much is planned.
    pub fn planned(&self) -> usize {
        self.len
    }

    /// The first second that was not yet taken.
    pub fn next(&self) -> i64 {
        self.next
    }

    fn place(second: i64) -> usize {
        let seconds = i64::try_from(SECONDS).unwrap_or(i64::MAX);
        usize::try_from(second.rem_euclid(seconds)).unwrap_or(0)
    }

    /// The last second that there is room for.
    fn end(&self) -> i64 {
        self.next.saturating_add(i64::try_from(SECONDS).unwrap_or(i64::MAX) - 1)
    }

    fn load(&self, second: i64) -> u32 {
        self.loads.get(Self::place(second)).copied().unwrap_or(u32::MAX)
    }

    /// Plans an entry. What is past is due next, what is beyond the ring in its last second.
    pub fn insert(&mut self, second: i64, entry: T) {
        let at = Self::place(second.clamp(self.next, self.end()));
        if let (Some(list), Some(load)) = (self.ring.get_mut(at), self.loads.get_mut(at)) {
            list.push(entry);
            *load = load.saturating_add(1);
            self.len = self.len.saturating_add(1);
        }
    }

    /// Takes out what is due up to the second `now`, each entry with its second, the earliest first.
    pub fn take(&mut self, now: i64, mut take: impl FnMut(i64, T)) {
        let last = now.min(self.end());
        while self.next <= last && self.len > 0 {
            let (second, at) = (self.next, Self::place(self.next));
            if let (Some(list), Some(load)) = (self.ring.get_mut(at), self.loads.get_mut(at)) {
                *load = 0;
                let list = std::mem::take(list);
                self.len = self.len.saturating_sub(list.len());
                list.into_iter().for_each(|entry| take(second, entry));
            }
            self.next = second.saturating_add(1);
        }
        self.next = self.next.max(now.saturating_add(1));
    }

    /// A second of the window with fewer than `full` entries: one that is liked, else any, else the emptiest.
    pub fn room(&mut self, window: Window, full: u32) -> i64 {
        let last = window.last.clamp(self.next, self.end());
        let first = window.first.clamp(self.next, last);
        let liked = window.liked.clamp(first, last);
        for from in [liked, first] {
            for _ in 0..TRIES {
                let second = self.draw(from, last);
                if self.load(second) < full {
                    return second;
                }
            }
        }
        let start = self.draw(first, last);
        let mut emptiest = start;
        for second in (start..=last).chain(first..start) {
            let load = self.load(second);
            if load < full {
                return second;
            }
            if load < self.load(emptiest) {
                emptiest = second;
            }
        }
        emptiest
    }

    /// A second from `first` to `last`, each as likely. Source: Marsaglia, "Xorshift RNGs" (2003).
    fn draw(&mut self, first: i64, last: i64) -> i64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let width = u64::try_from(last.saturating_sub(first)).unwrap_or(0).saturating_add(1);
        // The upper half of the product is a number below `width`.
        let drawn = (u128::from(self.dice) * u128::from(width)) >> 64;
        first.saturating_add(i64::try_from(drawn).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(calendar: &mut Calendar<u32>, now: i64) -> Vec<(i64, u32)> {
        let mut taken = Vec::new();
        calendar.take(now, |second, entry| taken.push((second, entry)));
        taken
    }

    /// Protects rotation from being early, late or forgotten, also at both ends of the ring.
    #[test]
    fn entries_come_out_in_their_second() {
        let mut calendar = Calendar::new(1000);
        let far = 1000 + i64::try_from(SECONDS).unwrap();
        for (second, entry) in [(1005, 1), (1003, 2), (990, 3), (1005, 4), (far + 50, 5)] {
            calendar.insert(second, entry);
        }
        assert_eq!(taken(&mut calendar, 1002), [(1000, 3)]);
        assert_eq!(taken(&mut calendar, 1004), [(1003, 2)]);
        calendar.insert(1001, 6);
        assert_eq!(taken(&mut calendar, 1005), [(1005, 1), (1005, 4), (1005, 6)]);
        assert_eq!(taken(&mut calendar, far - 2), []);
        assert_eq!(taken(&mut calendar, far - 1), [(far - 1, 5)]);
        assert_eq!(calendar.planned(), 0);
    }

    /// Protects from a jump of the clock: what was planned for the skipped time is due, in its order.
    #[test]
    fn a_jump_ahead_makes_everything_before_it_due() {
        let mut calendar = Calendar::new(0);
        (0..100).rev().for_each(|entry| calendar.insert(i64::from(entry) * 300, entry));
        let taken = taken(&mut calendar, 10 * 86_400);
        assert_eq!(taken.len(), 100);
        assert!(taken.is_sorted());
        assert_eq!(calendar.next(), 10 * 86_400 + 1);
    }

    /// Protects the service from waves: with room in the window no second takes more than the bound, also when
    /// the part that is liked is full.
    #[test]
    fn load_is_level() {
        let mut calendar = Calendar::new(0);
        let window = Window { first: 360, liked: 3240, last: 3600 };
        let (count, full) = (100_000_u32, 36);
        for entry in 0..count {
            let second = calendar.room(window, full);
            assert!((360..=3600).contains(&second));
            calendar.insert(second, entry);
        }
        let worst = calendar.loads.iter().max().copied().unwrap();
        assert_eq!(worst, full);
        assert_eq!(calendar.planned(), 100_000);
        // Without room the emptiest seconds take what is too much.
        for entry in 0..count {
            let second = calendar.room(window, full);
            calendar.insert(second, entry);
        }
        let loads = &calendar.loads[360..=3600];
        assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
    }
}
