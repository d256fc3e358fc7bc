//! JSON Web Key Sets: the public keys that tokens are verified with. RFC 7517, 7518 (section 6), 8037.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
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
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// The keys of a set that can verify tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// Uncompressed.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
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
            true => Err("holds no key for RS256 (2048 to 4096 bits), ES256 or EdDSA (Ed25519)"),
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
        let mut fitting = named.filter(|key| key.material.algorithm() == algorithm);
        let key = fitting.next().ok_or("the provider has no such key")?;
        if id.is_none() && fitting.next().is_some() {
            return Err("it names no key, and the provider has several");
        }
        key.material.verify(message, signature).map_err(|_| "the signature is wrong")
    }
}

impl Material {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), ring::error::Unspecified> {
        match self {
            Self::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
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
        ("EC", Some("P-256")) => {
            let (x, y) = (decoded(&written.x)?, decoded(&written.y)?);
            if x.len() != 32 || y.len() != 32 {
                return None;
            }
            Material::P256([[4].as_slice(), &x, &y].concat())
        }
        ("OKP", Some("Ed25519")) => {
            Material::Ed25519(decoded(&written.x).filter(|point| point.len() == 32)?)
        }
        _ => return None,
    };
    let fits = |name: &String| Algorithm::of(name) == Some(material.algorithm());
    if written.alg.as_ref().is_some_and(|name| !fits(name)) {
        return None;
    }
    if written.kid.as_ref().is_some_and(|id| id.chars().count() > KEY_ID_CHARS_MAX) {
        return None;
    }
    Some(Key { id: written.kid, material })
}
