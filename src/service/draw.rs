//! Random bytes for ids. They are taken from the system by the page, one for each thread: to ask the kernel for
//! the few bytes of one id costs more than all else that the id needs. Keys are not made of them.

use std::cell::RefCell;
use std::sync::Arc;

use ring::rand::SecureRandom;

use crate::signing::NoRandomness;

/// Bytes that are taken from the system at once.
const PAGE_BYTES: usize = 1024;

struct Page {
    bytes: [u8; PAGE_BYTES],
    /// How many of them were given out.
    used: usize,
}

thread_local! {
    static PAGE: RefCell<Page> =
        const { RefCell::new(Page { bytes: [0; PAGE_BYTES], used: PAGE_BYTES }) };
}

/// Bytes that were given to nobody else.
pub(super) fn bytes<const N: usize>(random: &dyn SecureRandom) -> Result<[u8; N], NoRandomness> {
    const { assert!(N <= PAGE_BYTES, "an id is short") };
    PAGE.with_borrow_mut(|page| {
        if PAGE_BYTES - page.used < N {
            random.fill(&mut page.bytes)?;
            page.used = 0;
        }
        let drawn = page.bytes.get(page.used..).and_then(<[u8]>::first_chunk);
        page.used += N;
        drawn.copied().ok_or(NoRandomness)
    })
}

/// The bytes in the form of a UUID.
pub(super) fn uuid(bytes: [u8; 16]) -> Arc<str> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let digits = hex::encode(bytes);
    let mut text = String::with_capacity(36);
    let mut rest = digits.as_str();
    for group in GROUPS {
        if !text.is_empty() {
            text.push('-');
        }
        let (digits, others) = rest.split_at_checked(group).unwrap_or((rest, ""));
        text.push_str(digits);
        rest = others;
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ring::rand::SystemRandom;

    use super::*;

    /// Protects ids: none is given out twice, also where pages and threads meet.
    #[test]
    fn nothing_is_drawn_twice() {
        let draw = || {
            let random = SystemRandom::new();
            (0..500).map(|_| bytes::<10>(&random).unwrap()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let drawn: Vec<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), drawn.len());
        assert!(drawn.iter().all(|bytes| *bytes != [0; 10]));
    }

    #[test]
    fn a_uuid_has_its_five_groups() {
        let bytes = std::array::from_fn(|at| u8::try_from(at).unwrap() * 0x11);
        assert_eq!(&*uuid(bytes), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
