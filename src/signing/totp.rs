//! One-time codes of virtual MFA devices: RFC 6238 with SHA-1, steps of 30 seconds and 6 digits, which is
//! what authenticator apps and AWS use.
//!
//! seed = HKDF-SHA256(account key, "totp-seed" || device id), 20 bytes: it is told once, when the device is
//! made, and never stored. HMAC-SHA-1 is sound for this (RFC 4226, appendix B): its known collisions are of
//! the hash alone.

use std::fmt;

use ring::hmac;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::crypto::{self, Purpose};
use super::derive::{AccountKey, Secret};
use crate::clock::Timestamp;
use crate::identity::UniqueId;

/// Bytes of a seed: the length of the hash (RFC 4226, section 4, R6).
const SEED_BYTES: usize = 20;
/// Seconds of a step.
const STEP_SECONDS: i64 = 30;
/// Steps before and after the present one whose codes are taken (RFC 6238, section 5.2).
const STEPS_AROUND: i64 = 1;
/// Steps before and after the present one in which two codes in a row are looked for when a device is
/// enabled or its clock is learned anew: ten minutes.
const STEPS_SEARCHED: i64 = 20;
/// Codes have 6 digits.
const MODULUS: u32 = 1_000_000;

/// The seed of a device.
pub struct TotpSeed(Zeroizing<[u8; SEED_BYTES]>);

/// A code as it was shown: 6 digits. It is good for a while, so it prints nothing of itself.
#[derive(Clone)]
pub struct Code(Zeroizing<[u8; 6]>);

/// Two codes of a device in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsecutiveCodes {
    /// The step of the second.
    pub step: u64,
    /// How many steps the device's clock is ahead of ours.
    pub drift: i64,
}

impl Code {
    /// Reads a code; none if it is not 6 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = <[u8; 6]>::try_from(text.as_bytes()).ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(Zeroizing::new(digits)))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

impl fmt::Debug for TotpSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSeed(..)")
    }
}

impl AccountKey {
    /// The seed of the device with this id.
    #[must_use]
    pub fn totp_seed(&self, device: &UniqueId) -> TotpSeed {
        TotpSeed(crypto::derive(self.bytes(), Purpose::TotpSeed, device.as_str().as_bytes()))
    }
}

impl TotpSeed {
    /// The seed in Base32 without padding (RFC 4648), as people type it into their app.
    #[must_use]
    pub fn base32(&self) -> Secret {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut text = String::with_capacity(SEED_BYTES * 8 / 5);
        let (groups, _) = self.0.as_chunks::<5>();
        for group in groups {
            let bits = group.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
            for digit in (0..8_u32).rev() {
                let index = usize::try_from((bits >> (digit * 5)) & 31).unwrap_or_default();
                text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'A')));
            }
        }
        Secret::new(text)
    }

    /// The code of a step (RFC 4226, section 5.3).
    fn code(&self, step: u64) -> [u8; 6] {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.as_slice());
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag.last().copied().unwrap_or_default() & 0xf);
        let word = tag.get(offset..).and_then(|rest| rest.first_chunk::<4>()).copied();
        let number = (u32::from_be_bytes(word.unwrap_or_default()) & 0x7fff_ffff) % MODULUS;
        let mut digits = [0; 6];
        for (digit, byte) in digits.iter_mut().zip(format!("{number:06}").bytes()) {
            *digit = byte;
        }
        digits
    }

    fn is(&self, step: i64, code: &Code) -> bool {
        let Ok(step) = u64::try_from(step) else { return false };
        self.code(step).ct_eq(&*code.0).into()
    }

    /// The newest step around `now` that the code is of, for a device whose clock is `drift` steps ahead.
    #[must_use]
    pub fn step_of(&self, code: &Code, now: Timestamp, drift: i64) -> Option<u64> {
        let present = now.as_unix_seconds().div_euclid(STEP_SECONDS).saturating_add(drift);
        let around = present.saturating_sub(STEPS_AROUND)..=present.saturating_add(STEPS_AROUND);
        // Every step is looked at, so that the time tells nothing.
        let found = around.fold(None, |found, step| match self.is(step, code) {
            true => Some(step),
            false => found,
        });
        found.and_then(|step| u64::try_from(step).ok())
    }

    /// Where two codes in a row are found, nearest to `now` first.
    #[must_use]
    pub fn consecutive(
        &self,
        first: &Code,
        second: &Code,
        now: Timestamp,
    ) -> Option<ConsecutiveCodes> {
        let present = now.as_unix_seconds().div_euclid(STEP_SECONDS);
        let mut drifts: Vec<i64> = (-STEPS_SEARCHED..=STEPS_SEARCHED).collect();
        drifts.sort_by_key(|drift| drift.abs());
        let found = drifts.into_iter().find(|drift| {
            let step = present.saturating_add(*drift);
            self.is(step.saturating_sub(1), first) && self.is(step, second)
        });
        let drift = found?;
        let step = u64::try_from(present.saturating_add(drift)).ok()?;
        // Shown late by a step or two is not a clock that is off.
        Some(ConsecutiveCodes { step, drift: if drift.abs() <= STEPS_AROUND { 0 } else { drift } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(bytes: &[u8; 20]) -> TotpSeed {
        TotpSeed(Zeroizing::new(*bytes))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn shown(seed: &TotpSeed, step: u64) -> Code {
        Code(Zeroizing::new(seed.code(step)))
    }

    /// Protects users of authenticator apps: the codes are those of RFC 6238, appendix B (its last 6 digits),
    /// and of RFC 4226, appendix D.
    #[test]
    fn codes_are_those_of_the_rfcs() {
        let seed = seed(b"12345678901234567890");
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, code) in vectors {
            let code = Code::parse(code).unwrap();
            let step = u64::try_from(seconds / STEP_SECONDS).unwrap();
            assert_eq!(seed.step_of(&code, at(seconds), 0), Some(step), "{seconds}");
        }
        let counted =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583"];
        for (step, code) in counted.iter().enumerate() {
            assert_eq!(&seed.code(step as u64), code.as_bytes());
        }
        assert_eq!(seed.base32().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    /// Protects accounts: a code is good for its own step and one on either side, no longer.
    #[test]
    fn a_code_is_good_for_a_step_on_either_side() {
        let seed = seed(b"12345678901234567890");
        let code = shown(&seed, 1000);
        for (step, expected) in [(998, None), (999, Some(1000)), (1001, Some(1000)), (1002, None)] {
            assert_eq!(seed.step_of(&code, at(step * 30), 0), expected, "{step}");
        }
        assert_eq!(seed.step_of(&code, at(990 * 30), 10), Some(1000));
        for bad in ["", "12345", "1234567", "12345a", "１２"] {
            assert!(Code::parse(bad).is_none(), "{bad}");
        }
    }

    /// Protects devices whose clock is off: two codes in a row tell by how much; two that are not in a row, or
    /// the same one twice, tell nothing.
    #[test]
    fn two_codes_in_a_row_tell_the_drift() {
        let seed = seed(b"12345678901234567890");
        let (first, second) = (shown(&seed, 1007), shown(&seed, 1008));
        let found = seed.consecutive(&first, &second, at(1000 * 30)).unwrap();
        assert_eq!(found, ConsecutiveCodes { step: 1008, drift: 8 });
        let found = seed.consecutive(&first, &second, at(1008 * 30)).unwrap();
        assert_eq!(found, ConsecutiveCodes { step: 1008, drift: 0 });
        assert_eq!(seed.consecutive(&second, &first, at(1000 * 30)), None);
        assert_eq!(seed.consecutive(&first, &first, at(1000 * 30)), None);
        assert_eq!(seed.consecutive(&first, &second, at(900 * 30)), None);
    }

    /// Protects seeds: each device has its own, the same on every node, and none is printed.
    #[test]
    fn seeds_are_derived_and_never_printed() {
        let (key, id) = (AccountKey::from_bytes([7; 32]), |text| UniqueId::parse(text).unwrap());
        let one = key.totp_seed(&id("AMFAAAAAAAAAAAAAAAAA"));
        // Written down once, and computed apart from this code.
        assert_eq!(one.base32().expose(), "P4EXFP52RA5SUOWCMTHVHMP7TYCF4V6Z");
        assert_ne!(*one.0, *key.totp_seed(&id("AMFAAAAAAAAAAAAAAAAB")).0);
        assert_eq!(format!("{one:?} {:?}", shown(&one, 1)), "TotpSeed(..) Code(..)");
    }
}
