//! The few primitives that the module is built on, each in one place: HKDF-SHA256 with a label for
//! every purpose, AES-256-GCM, SHA-256 in hex.
//!
//! Invariant: a key is derived for exactly one `Purpose`. Labels end in a NUL and are distinct, so
//! that no label together with its context can read as another.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{digest, hkdf};
use zeroize::Zeroizing;

/// The bytes of every symmetric key here.
pub(super) const KEY_BYTES: usize = 32;
/// The bytes of an AES-GCM nonce.
pub(super) const NONCE_BYTES: usize = 12;
/// The bytes of an AES-GCM tag.
pub(super) const TAG_BYTES: usize = 16;

/// A 256-bit key that is wiped when dropped.
pub(super) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// What a derived value is for; adding one means adding a label.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// From the first root key: the public name of the keyring.
    KeyringId,
    /// From a root key: its public fingerprint.
    RootFingerprint,
    /// From a root key: the key that wraps account keys.
    WrapAccountKey,
    /// From an account key: the secret of one access key id.
    SecretAccessKey,
    /// From an account key: the key that seals the token of one access key id.
    TokenSeal,
    /// From an account key: the key that makes the nonce of that token.
    TokenNonce,
    /// From an account key: the key that seals one message.
    Message,
    /// From the operator's account key: the key that seals the key of identity documents.
    DocumentKey,
    /// From an account key: the seed of one virtual MFA device.
    TotpSeed,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::KeyringId => b"locum/1/keyring-id\0",
            Self::RootFingerprint => b"locum/1/root-fingerprint\0",
            Self::WrapAccountKey => b"locum/1/wrap-account-key\0",
            Self::SecretAccessKey => b"locum/1/secret-access-key\0",
            Self::TokenSeal => b"locum/1/token-seal\0",
            Self::TokenNonce => b"locum/1/token-nonce\0",
            Self::Message => b"locum/1/message\0",
            Self::DocumentKey => b"locum/1/document-key\0",
            Self::TotpSeed => b"locum/1/totp-seed\0",
        }
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand of `N` bytes from a uniformly random key: without the extract step, which is for
/// keys that are not uniform (RFC 5869, section 3.3).
pub(super) fn derive<const N: usize>(
    key: &[u8; KEY_BYTES],
    purpose: Purpose,
    context: &[u8],
) -> Zeroizing<[u8; N]> {
    Expander::new(key).expand(purpose, context)
}

/// A key that several values are derived from in a row. Not to be kept: ring does not wipe it.
pub(super) struct Expander(hkdf::Prk);

impl Expander {
    pub(super) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key))
    }

    /// See `derive`.
    #[expect(
        clippy::expect_used,
        reason = "fails only over 255 * 32 bytes, and N is a small constant"
    )]
    pub(super) fn expand<const N: usize>(
        &self,
        purpose: Purpose,
        context: &[u8],
    ) -> Zeroizing<[u8; N]> {
        let mut out = Zeroizing::new([0; N]);
        self.0
            .expand(&[purpose.label(), context], Length(N))
            .and_then(|okm| okm.fill(out.as_mut_slice()))
            .expect("HKDF of a constant length");
        out
    }
}

#[expect(
    clippy::expect_used,
    reason = "fails only when the key is not 32 bytes, which its type says"
)]
fn aes(key: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of 32 bytes"))
}

/// Seals `data` in place and appends the tag.
#[expect(clippy::expect_used, reason = "fails only over 2^36 bytes; callers seal a few kilobytes")]
pub(super) fn seal(
    key: &[u8; KEY_BYTES],
    nonce: [u8; NONCE_BYTES],
    header: &[u8],
    data: &mut Vec<u8>,
) {
    aes(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(header), data)
        .expect("a short plaintext");
}

/// Opens `data` in place; none when key, nonce, header or any bit of the data is not what was
/// sealed.
pub(super) fn open<'a>(
    key: &[u8; KEY_BYTES],
    nonce: [u8; NONCE_BYTES],
    header: &[u8],
    data: &'a mut [u8],
) -> Option<&'a [u8]> {
    aes(key)
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(header), data)
        .ok()
        .map(|plain| &*plain)
}

/// Appends the SHA-256 of `data` in lower-case hexadecimal.
pub(super) fn push_sha256_hex(out: &mut String, data: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 0xf)).copied().unwrap_or_default();
    let digest = digest::digest(&digest::SHA256, data);
    let mut text = [0; 2 * digest::SHA256_OUTPUT_LEN];
    for ([high, low], byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(digest.as_ref()) {
        (*high, *low) = (digit(byte >> 4), digit(*byte));
    }
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256_hex(data: &[u8]) -> String {
    let mut text = String::with_capacity(2 * digest::SHA256_OUTPUT_LEN);
    push_sha256_hex(&mut text, data);
    text
}
