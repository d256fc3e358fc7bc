//! Signatures of instance-identity documents: ECDSA on P-256 with SHA-256, under a key of the installation
//! whose certificate anyone may have.
//!
//! ```text
//! signature   base64(DER of the ECDSA signature over the document's bytes)   openssl dgst -sha256 -verify
//! pkcs7       base64(CMS SignedData with the document inside, RFC 5652)      openssl smime -verify
//! ```
//!
//! The private key is drawn once and stored sealed under the key of the operator's account:
//! `salt 24 | AES-256-GCM(PKCS #8), tag 16`. Each sealing has a key of its own, derived from 192 random bits,
//! so that the nonce can be zero.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use zeroize::Zeroizing;

use super::NoRandomness;
use super::crypto::{self, NONCE_BYTES, Purpose};
use super::der::{
    BIT_STRING, BOOLEAN, CONTEXT_0, CONTEXT_3, GENERALIZED_TIME, INTEGER, OBJECT_ID, OCTET_STRING,
    SEQUENCE, SET, UTC_TIME, UTF8_STRING, value,
};
use super::derive::AccountKey;

const SALT_BYTES: usize = 24;
const SERIAL_BYTES: usize = 16;
const NONCE: [u8; NONCE_BYTES] = [0; NONCE_BYTES];
/// Characters of a line of base64, as metadata and PEM have it.
const LINE_CHARS: usize = 64;
/// Whom the certificate names; the serial number tells installations apart.
const COMMON_NAME_TEXT: &str = "Locum instance identity";

// Object identifiers, without tag and length.
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const CMS_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const CMS_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

/// Why there is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentKeyError {
    /// The key was not sealed under this account's key, or was changed.
    #[error("the key of identity documents does not open with this keyring")]
    Sealed,
    /// The bytes are no P-256 key.
    #[error("the key of identity documents is no P-256 key")]
    Key,
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// A new key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedDocumentKey {
    /// The private key, sealed.
    pub sealed: Vec<u8>,
    /// Random; the certificate's serial number.
    pub serial: Vec<u8>,
    /// The certificate, self-signed, in DER.
    pub certificate: Vec<u8>,
}

/// A signed document: both forms in base64, in lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentSignature {
    /// ECDSA over the document.
    pub signature: String,
    /// A CMS message with the document inside.
    pub pkcs7: String,
}

/// Signs documents.
pub struct DocumentSigner {
    key: EcdsaKeyPair,
    random: SystemRandom,
    serial: Vec<u8>,
}

impl SealedDocumentKey {
    /// Draws a key and seals it.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate(
        account_key: &AccountKey,
        random: &SystemRandom,
    ) -> Result<Self, DocumentKeyError> {
        let unspecified = |_| NoRandomness;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, random)
            .map_err(unspecified)?;
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt).map_err(unspecified)?;
        let mut serial = [0; SERIAL_BYTES];
        random.fill(&mut serial).map_err(unspecified)?;
        if let Some(first) = serial.first_mut() {
            // Positive and of full length.
            *first = *first & 0x3f | 0x40;
        }
        let plain = pkcs8.as_ref();
        // Room for the tag from the start: growing would leave a copy of the key behind.
        let mut data = Vec::with_capacity(plain.len() + crypto::TAG_BYTES);
        data.extend_from_slice(plain);
        let key = crypto::derive(account_key.bytes(), Purpose::DocumentKey, &salt);
        crypto::seal(&key, NONCE, &salt, &mut data);
        let sealed = [salt.as_slice(), &data].concat();
        let signer = DocumentSigner::open(account_key, &sealed, &serial)?;
        let certificate = signer.certificate()?;
        Ok(Self { sealed, serial: serial.to_vec(), certificate })
    }
}

impl DocumentSigner {
    /// Opens a stored key.
    ///
    /// # Errors
    /// The key does not open, or is none.
    pub fn open(
        account_key: &AccountKey,
        sealed: &[u8],
        serial: &[u8],
    ) -> Result<Self, DocumentKeyError> {
        let (salt, data) =
            sealed.split_first_chunk::<SALT_BYTES>().ok_or(DocumentKeyError::Sealed)?;
        let opening = crypto::derive(account_key.bytes(), Purpose::DocumentKey, salt);
        let mut data = Zeroizing::new(data.to_vec());
        let pkcs8 =
            crypto::open(&opening, NONCE, salt, &mut data).ok_or(DocumentKeyError::Sealed)?;
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &random)
            .map_err(|_| DocumentKeyError::Key)?;
        Ok(Self { key, random, serial: serial.to_vec() })
    }

    /// Signs a document.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn sign(&self, document: &str) -> Result<DocumentSignature, DocumentKeyError> {
        let signature = self.ecdsa(document.as_bytes())?;
        let pkcs7 = self.cms(document.as_bytes(), &signature);
        Ok(DocumentSignature { signature: lines(&signature), pkcs7: lines(&pkcs7) })
    }

    fn ecdsa(&self, message: &[u8]) -> Result<Vec<u8>, DocumentKeyError> {
        let signature = self.key.sign(&self.random, message).map_err(NoRandomness::from)?;
        Ok(signature.as_ref().to_vec())
    }

    /// RFC 5652, section 5, without signed attributes: the content is plain data.
    fn cms(&self, document: &[u8], signature: &[u8]) -> Vec<u8> {
        let digest = value(SEQUENCE, &[&value(OBJECT_ID, &[SHA256])]);
        let content = value(OCTET_STRING, &[document]);
        let content = value(CONTEXT_0, &[&content]);
        let content = value(SEQUENCE, &[&value(OBJECT_ID, &[CMS_DATA]), &content]);
        let signer = value(SEQUENCE, &[&name(), &value(INTEGER, &[&self.serial])]);
        let algorithm = value(SEQUENCE, &[&value(OBJECT_ID, &[ECDSA_WITH_SHA256])]);
        let version = value(INTEGER, &[&[1]]);
        let signature = value(OCTET_STRING, &[signature]);
        let info = value(SEQUENCE, &[&version, &signer, &digest, &algorithm, &signature]);
        let digests = value(SET, &[&digest]);
        let infos = value(SET, &[&info]);
        let signed = value(SEQUENCE, &[&version, &digests, &content, &infos]);
        let signed = value(CONTEXT_0, &[&signed]);
        value(SEQUENCE, &[&value(OBJECT_ID, &[CMS_SIGNED_DATA]), &signed])
    }

    /// RFC 5280, section 4.1; without a well-defined end, as section 4.1.2.5 has it.
    fn certificate(&self) -> Result<Vec<u8>, DocumentKeyError> {
        let algorithm = value(SEQUENCE, &[&value(OBJECT_ID, &[ECDSA_WITH_SHA256])]);
        let name = name();
        let validity = value(
            SEQUENCE,
            &[
                &value(UTC_TIME, &[b"200101000000Z"]),
                &value(GENERALIZED_TIME, &[b"99991231235959Z"]),
            ],
        );
        let curve = [value(OBJECT_ID, &[EC_PUBLIC_KEY]), value(OBJECT_ID, &[PRIME256V1])].concat();
        let point = value(BIT_STRING, &[&[0], self.key.public_key().as_ref()]);
        let public_key = value(SEQUENCE, &[&value(SEQUENCE, &[&curve]), &point]);
        // Digital signatures, critical.
        let usage = value(OCTET_STRING, &[&value(BIT_STRING, &[&[7, 0x80]])]);
        let critical = value(BOOLEAN, &[&[0xff]]);
        let usage = value(SEQUENCE, &[&value(OBJECT_ID, &[KEY_USAGE]), &critical, &usage]);
        let extensions = value(CONTEXT_3, &[&value(SEQUENCE, &[&usage])]);
        let signed = value(
            SEQUENCE,
            &[
                &value(CONTEXT_0, &[&value(INTEGER, &[&[2]])]),
                &value(INTEGER, &[&self.serial]),
                &algorithm,
                &name,
                &validity,
                &name,
                &public_key,
                &extensions,
            ],
        );
        let signature = self.ecdsa(&signed)?;
        Ok(value(SEQUENCE, &[&signed, &algorithm, &value(BIT_STRING, &[&[0], &signature])]))
    }
}

/// The distinguished name of the certificate.
fn name() -> Vec<u8> {
    let text = value(UTF8_STRING, &[COMMON_NAME_TEXT.as_bytes()]);
    let attribute = value(SEQUENCE, &[&value(OBJECT_ID, &[COMMON_NAME]), &text]);
    value(SEQUENCE, &[&value(SET, &[&attribute])])
}

/// Base64 in lines, without a line feed at the end.
fn lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut out = String::with_capacity(text.len() + text.len() / LINE_CHARS);
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % LINE_CHARS == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out
}

/// DER as PEM (RFC 7468).
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines(der))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn generate(byte: u8) -> (SealedDocumentKey, DocumentSigner) {
        let account_key = AccountKey::from_bytes([byte; 32]);
        let key = SealedDocumentKey::generate(&account_key, &SystemRandom::new()).unwrap();
        let signer = DocumentSigner::open(&account_key, &key.sealed, &key.serial).unwrap();
        (key, signer)
    }

    fn openssl(folder: &std::path::Path, args: &[&str]) -> (bool, Vec<u8>) {
        let output = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
        (output.status.success(), output.stdout)
    }

    /// Protects whoever trusts an instance's word: openssl verifies both forms, and refuses a changed document.
    #[test]
    fn openssl_verifies_a_document() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        };
        let run = |args: &[&str]| openssl(folder.path(), args);
        let document = "{\n  \"accountId\": \"111111111111\"\n}";
        let (key, signer) = generate(1);
        let signed = signer.sign(document).unwrap();
        write("certificate", pem("CERTIFICATE", &key.certificate).as_bytes());
        write("document", document.as_bytes());
        write("other", b"{}");
        write("signature", &STANDARD.decode(signed.signature.replace('\n', "")).unwrap());
        write(
            "pkcs7",
            pem("PKCS7", &STANDARD.decode(signed.pkcs7.replace('\n', "")).unwrap()).as_bytes(),
        );
        let (read, key) = run(&["x509", "-in", "certificate", "-pubkey", "-noout"]);
        assert!(read);
        write("key", &key);
        let verify = |document| {
            run(&["dgst", "-sha256", "-verify", "key", "-signature", "signature", document]).0
        };
        assert!(verify("document"));
        assert!(!verify("other"));
        assert!(run(&["verify", "-CAfile", "certificate", "-check_ss_sig", "certificate"]).0);
        let smime = ["smime", "-verify", "-in", "pkcs7", "-inform", "PEM", "-certfile"];
        let (verified, content) = run(&[&smime[..], &["certificate", "-noverify"]].concat());
        assert!(verified);
        assert_eq!(content, document.as_bytes());
        write("stranger", pem("CERTIFICATE", &generate(2).0.certificate).as_bytes());
        assert!(!run(&[&smime[..], &["stranger", "-noverify"]].concat()).0);
    }

    /// Protects the key: it opens under its account's key alone, unchanged.
    #[test]
    fn a_key_opens_under_its_own_account_only() {
        let (key, _) = generate(1);
        let open = |by: u8, sealed: &[u8]| {
            let opened =
                DocumentSigner::open(&AccountKey::from_bytes([by; 32]), sealed, &key.serial);
            opened.err()
        };
        assert_eq!(open(1, &key.sealed), None);
        assert_eq!(open(2, &key.sealed), Some(DocumentKeyError::Sealed));
        assert_eq!(open(1, &key.sealed[..20]), Some(DocumentKeyError::Sealed));
        let mut changed = key.sealed.clone();
        changed[30] ^= 1;
        assert_eq!(open(1, &changed), Some(DocumentKeyError::Sealed));
    }
}
