//! An OpenID Connect issuer on a loopback address: discovery, a key set, and tokens signed with keys that can
//! be changed while it runs. It counts what it is asked, and can be slow, dead or wrong.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How an issuer answers.
#[derive(Clone, Debug)]
pub(crate) enum Answers {
    /// As it should.
    Well,
    /// After a while.
    Late(Duration),
    /// Not at all: it closes the connection.
    Never,
    /// With this status and body, whatever it is asked.
    #[allow(dead_code, reason = "not every test that includes this file asks for it")]
    With(u16, String),
}

/// A running issuer; it ends with the process.
pub(crate) struct Issuer {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    keys: Vec<Value>,
    answers: Answers,
    requests: usize,
}

impl Issuer {
    /// Starts one that publishes the keys, without TLS.
    pub(crate) fn start(keys: &[&Signer]) -> Self {
        Self::start_with(keys, None)
    }

    /// Starts one at `https://localhost:PORT` with this certificate.
    #[allow(dead_code, reason = "not every test that includes this file asks for it")]
    pub(crate) fn start_tls(keys: &[&Signer], tls: Arc<ServerConfig>) -> Self {
        Self::start_with(keys, Some(tls))
    }

    fn start_with(keys: &[&Signer], tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = match &tls {
            Some(_) => format!("https://localhost:{}", address.port()),
            None => format!("http://{address}"),
        };
        let shared = Shared { keys: Vec::new(), answers: Answers::Well, requests: 0 };
        let shared = Arc::new(Mutex::new(shared));
        let (issuer, serving) = (url.clone(), shared.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (issuer, serving, tls) = (issuer.clone(), serving.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).unwrap();
                        serve(StreamOwned::new(connection, stream.unwrap()), &issuer, &serving);
                    }
                    None => serve(stream.unwrap(), &issuer, &serving),
                });
            }
        });
        let issuer = Self { url, shared };
        issuer.publish(keys);
        issuer
    }

    /// Publishes these keys in place of those before.
    pub(crate) fn publish(&self, keys: &[&Signer]) {
        self.shared.lock().unwrap().keys = keys.iter().map(|key| key.jwk()).collect();
    }

    /// Answers like this from now on.
    pub(crate) fn answer(&self, answers: Answers) {
        self.shared.lock().unwrap().answers = answers;
    }

    /// How often it was asked for its key set.
    pub(crate) fn requests(&self) -> usize {
        self.shared.lock().unwrap().requests
    }

    /// A good token for `sub` and `aud` with further claims, issued at `now`.
    pub(crate) fn token(&self, key: &Signer, now: i64, further: &Value) -> String {
        let mut claims = json!({
            "iss": self.url, "sub": "user-1", "aud": "app", "iat": now, "exp": now + 600,
        });
        for (name, value) in further.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        key.sign(&claims)
    }
}

fn serve(mut stream: impl Read + Write, issuer: &str, shared: &Mutex<Shared>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap();
    let (keys, answers) = {
        let mut shared = shared.lock().unwrap();
        shared.requests += usize::from(path == "/keys");
        (shared.keys.clone(), shared.answers.clone())
    };
    let document = match path {
        "/.well-known/openid-configuration" => {
            json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")})
        }
        "/keys" => json!({"keys": keys}),
        _ => Value::Null,
    };
    let (status, body) = match answers {
        Answers::Well => (if document.is_null() { 404 } else { 200 }, document.to_string()),
        Answers::Late(wait) => {
            std::thread::sleep(wait);
            (200, document.to_string())
        }
        Answers::Never => return,
        Answers::With(status, body) => (status, body),
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// A key of an issuer.
pub(crate) struct Signer {
    pub(crate) id: String,
    algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair, &'static str),
    Ed25519(Ed25519KeyPair),
}

/// RSA keys for tests, which ring does not make: PKCS #8.
const RSA: [&str; 2] = [include_str!("rsa-1.base64"), include_str!("rsa-2.base64")];

impl Signer {
    /// The `number`th RSA key, 0 or 1.
    pub(crate) fn rsa(id: &str, number: usize) -> Self {
        Self::rsa_for(id, number, "RS256")
    }

    /// The same for RS256, RS384 or RS512.
    pub(crate) fn rsa_for(id: &str, number: usize, algorithm: &'static str) -> Self {
        let document = STANDARD.decode(RSA[number].replace('\n', "")).unwrap();
        let pair = RsaKeyPair::from_pkcs8(&document).unwrap();
        let encoding: &'static dyn RsaEncoding = match algorithm {
            "RS384" => &RSA_PKCS1_SHA384,
            "RS512" => &RSA_PKCS1_SHA512,
            _ => &RSA_PKCS1_SHA256,
        };
        Self { id: id.to_owned(), algorithm, pair: Pair::Rsa(pair, encoding) }
    }

    /// A new key on P-256.
    pub(crate) fn p256(id: &str) -> Self {
        Self::ecdsa(id, "ES256", "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    /// A new key on P-384.
    #[allow(dead_code, reason = "not every test that includes this file asks for it")]
    pub(crate) fn p384(id: &str) -> Self {
        Self::ecdsa(id, "ES384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    fn ecdsa(
        id: &str,
        algorithm: &'static str,
        curve: &'static str,
        signing: &'static EcdsaSigningAlgorithm,
    ) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(signing, document.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), algorithm, pair: Pair::Ecdsa(pair, curve) }
    }

    /// A new Ed25519 key.
    pub(crate) fn ed25519(id: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self { id: id.to_owned(), algorithm: "EdDSA", pair: Pair::Ed25519(pair) }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// The public key.
    pub(crate) fn jwk(&self) -> Value {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Rsa(pair, _) => {
                let public: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "n": base64(&public.n), "e": base64(&public.e)})
            }
            Pair::Ecdsa(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": base64(x), "y": base64(y)})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm());
        jwk
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": self.algorithm(), "kid": self.id});
        self.sign_as(&header, claims)
    }

    /// A token with this header.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let base64 = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", base64(header), base64(claims));
        let (message, random) = (signed.as_bytes(), SystemRandom::new());
        let signature = match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ecdsa(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
