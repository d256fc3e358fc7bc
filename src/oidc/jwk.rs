//! JSON Web Key Sets: the public keys that tokens are verified with. RFC 7517, 7518 (section 6), 8037.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// Keys of a set that are looked at.
const KEYS_MAX: usize = 100;
/// Characters of a key's id.
const KEY_ID_CHARS_MAX: usize = 512;
/// Bytes of an RSA modulus, 4096 bits: verifying costs its square.
const MODULUS_BYTES_MAX: usize = 512;
/// Bytes of an RSA exponent; 65537 has three.
const EXPONENT_BYTES_MAX: usize = 4;

/// A signature algorithm that tokens may have. `none` and the symmetric ones are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "RS384" => Some(Self::Rs384),
            "RS512" => Some(Self::Rs512),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }

    fn verification(self) -> Verification {
        match self {
            Self::Rs256 => Verification::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Verification::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Verification::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Self::Es256 => Verification::Curve(Curve::P256, &ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Verification::Curve(Curve::P384, &ECDSA_P384_SHA384_FIXED),
            Self::EdDsa => Verification::Curve(Curve::Ed25519, &ED25519),
        }
    }
}

/// What verifies the signatures of an algorithm, and with what keys.
enum Verification {
    Rsa(&'static RsaParameters),
    Curve(Curve, &'static dyn VerificationAlgorithm),
}

/// The keys of a set that can verify tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, where the set says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// On the NIST curves uncompressed.
    Point(Curve, Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    Ed25519,
}

#[derive(Deserialize)]
struct WrittenSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys of other kinds and uses are passed over, as providers add new ones beside the old.
    ///
    /// # Errors
    /// It is no set, holds more than 100 keys, or none that can verify tokens; the text says which.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let set: WrittenSet = serde_json::from_slice(text)
            .map_err(|_| "is no JSON Web Key Set with a list `keys`")?;
        if set.keys.len() > KEYS_MAX {
            return Err("holds more than 100 keys");
        }
        let keys: Vec<_> = set.keys.into_iter().filter_map(key).collect();
        match keys.is_empty() {
            true => Err(
                "holds no key for RS256, RS384 or RS512 (2048 to 4096 bits), ES256 (P-256), ES384 (P-384) or \
                 EdDSA (Ed25519)",
            ),
            false => Ok(Self(keys)),
        }
    }

    /// Whether a token that names this key, or none, could be verified.
    pub(super) fn knows(&self, id: Option<&str>) -> bool {
        id.is_none() || self.0.iter().any(|key| key.id.as_deref() == id)
    }

    /// Verifies a signature with the key that the token names; a token that names none is verified only where
    /// one key alone is of its algorithm.
    pub(super) fn verify(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), &'static str> {
        let named = self.0.iter().filter(|key| id.is_none() || key.id.as_deref() == id);
        let mut fitting = named.filter(|key| key.takes(algorithm));
        let key = fitting.next().ok_or("the provider has no such key")?;
        if id.is_none() && fitting.next().is_some() {
            return Err("it names no key, and the provider has several");
        }
        key.material.verify(algorithm, message, signature).map_err(|_| "the signature is wrong")
    }
}

impl Key {
    /// Whether signatures of the algorithm may be made with it.
    fn takes(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|only| only == algorithm) && self.material.takes(algorithm)
    }
}

impl Material {
    fn takes(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm.verification()) {
            (Self::Rsa { .. }, Verification::Rsa(_)) => true,
            (Self::Point(own, _), Verification::Curve(curve, _)) => *own == curve,
            (Self::Rsa { .. }, Verification::Curve(..))
            | (Self::Point(..), Verification::Rsa(_)) => false,
        }
    }

    fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), ring::error::Unspecified> {
        match (self, algorithm.verification()) {
            (Self::Rsa { modulus, exponent }, Verification::Rsa(parameters)) => {
                RsaPublicKeyComponents { n: modulus, e: exponent }
                    .verify(parameters, message, signature)
            }
            (Self::Point(own, point), Verification::Curve(curve, how)) if *own == curve => {
                UnparsedPublicKey::new(how, point).verify(message, signature)
            }
            (Self::Rsa { .. }, Verification::Curve(..)) | (Self::Point(..), _) => {
                Err(ring::error::Unspecified)
            }
        }
    }
}

fn decoded(text: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()
}

fn key(value: serde_json::Value) -> Option<Key> {
    let written: Written = serde_json::from_value(value).ok()?;
    if written.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let material = match (written.kty.as_str(), written.crv.as_deref()) {
        ("RSA", _) => {
            let (modulus, exponent) = (decoded(&written.n)?, decoded(&written.e)?);
            let fits = (256..=MODULUS_BYTES_MAX).contains(&modulus.len());
            if !fits || exponent.len() > EXPONENT_BYTES_MAX {
                return None;
            }
            Material::Rsa { modulus, exponent }
        }
        ("EC", Some("P-256")) => Material::Point(Curve::P256, uncompressed(&written, 32)?),
        ("EC", Some("P-384")) => Material::Point(Curve::P384, uncompressed(&written, 48)?),
        ("OKP", Some("Ed25519")) => {
            let point = decoded(&written.x).filter(|point| point.len() == 32)?;
            Material::Point(Curve::Ed25519, point)
        }
        _ => return None,
    };
    let algorithm = match written.alg.as_deref() {
        Some(name) => Some(Algorithm::of(name).filter(|only| material.takes(*only))?),
        None => None,
    };
    if written.kid.as_ref().is_some_and(|id| id.chars().count() > KEY_ID_CHARS_MAX) {
        return None;
    }
    Some(Key { id: written.kid, algorithm, material })
}

/// The point of an elliptic curve whose coordinates have this many bytes.
fn uncompressed(written: &Written, bytes: usize) -> Option<Vec<u8>> {
    let (x, y) = (decoded(&written.x)?, decoded(&written.y)?);
    (x.len() == bytes && y.len() == bytes).then(|| [[4].as_slice(), &x, &y].concat())
}
