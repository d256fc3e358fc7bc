//! Reads who signed a request: from its Authorization header, or from the query of a presigned
//! URL. Nothing is believed here and nothing secret is needed; sizes are bounded before anything
//! is kept.

use std::borrow::Cow;

use super::canonical::{SIGNATURE_PARAMETER, pairs};
use super::error::shorten;
use super::time::{basic, parse_basic, parse_http};
use super::{
    ALGORITHM, Credential, Incomplete, Mismatch, SIGNATURE_BYTES, SignatureError, TERMINATION,
    names,
};
use crate::clock::Timestamp;

/// The longest Authorization header, in bytes.
const AUTHORIZATION_BYTES_MAX: usize = 4096;
/// The longest query of a presigned URL, in bytes: a session token and as much again.
const PRESIGNED_BYTES_MAX: usize = 16 * 1024;
/// The most headers that a signature covers.
const SIGNED_HEADERS_MAX: usize = 64;
/// The longest lifetime of a presigned URL, in seconds: a week.
const EXPIRES_SECONDS_MAX: u32 = 604_800;

/// Reads the signature of a request with these headers and this query.
pub fn parse<'a>(
    headers: &[(&'a str, &'a str)],
    query: &str,
) -> Result<Credential<'a>, SignatureError> {
    let authorization = only(headers, "authorization")?;
    let presigned = !query.is_empty()
        && query.len() <= PRESIGNED_BYTES_MAX
        && pairs(query).any(|(name, _)| {
            [b"X-Amz-Algorithm".as_slice(), b"X-Amz-Credential", SIGNATURE_PARAMETER.as_bytes()]
                .contains(&name.as_ref())
        });
    match (authorization, presigned) {
        (Some(_), true) => Err(Incomplete::Twice("Authorization".to_owned()).into()),
        (Some(value), false) => from_header(value, headers),
        (None, true) => from_query(query, headers),
        (None, false) if query.len() > PRESIGNED_BYTES_MAX => {
            Err(Incomplete::TooLong("query string").into())
        }
        (None, false) => Err(SignatureError::MissingAuthenticationToken),
    }
}

/// The value of a header that may stand only once.
fn only<'a>(headers: &[(&'a str, &'a str)], name: &str) -> Result<Option<&'a str>, Incomplete> {
    let mut values = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
    let first = values.next().map(|(_, value)| *value);
    if values.next().is_some() { Err(Incomplete::Twice(name.to_owned())) } else { Ok(first) }
}

/// The parameters that both forms have.
struct Parts<'a, 's> {
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    signature: &'s str,
    signed_at: Timestamp,
    session_token: Option<Cow<'a, str>>,
    presigned_seconds: Option<u32>,
}

fn from_header<'a>(
    value: &'a str,
    headers: &[(&'a str, &'a str)],
) -> Result<Credential<'a>, SignatureError> {
    if value.len() > AUTHORIZATION_BYTES_MAX {
        return Err(Incomplete::TooLong("Authorization").into());
    }
    let value = value.trim();
    let (algorithm, parameters) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    if algorithm != ALGORITHM {
        return Err(Incomplete::Algorithm(shorten(algorithm)).into());
    }
    let [mut credential, mut signature, mut signed_headers] = [None; 3];
    for part in parameters.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) =
            part.split_once('=').ok_or_else(|| Incomplete::NotAPair(shorten(part)))?;
        let place = match name {
            "Credential" => &mut credential,
            "Signature" => &mut signature,
            "SignedHeaders" => &mut signed_headers,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(Incomplete::Twice(name.to_owned()).into());
        }
    }
    let signed_at = date(headers)?;
    let (Some(credential), Some(signature), Some(signed_headers), Some(signed_at)) =
        (credential, signature, signed_headers, signed_at)
    else {
        return Err(Incomplete::Header(missing([
            ("Credential", credential.is_none()),
            ("Signature", signature.is_none()),
            ("SignedHeaders", signed_headers.is_none()),
            ("Date", signed_at.is_none()),
        ]))
        .into());
    };
    let parts = Parts {
        credential: Cow::Borrowed(credential),
        signed_headers: Cow::Borrowed(signed_headers),
        signature,
        signed_at,
        session_token: only(headers, "x-amz-security-token")?.map(Cow::Borrowed),
        presigned_seconds: None,
    };
    parts.read()
}

/// When the headers say that the request was signed.
fn date(headers: &[(&str, &str)]) -> Result<Option<Timestamp>, Incomplete> {
    let unreadable = |text: &str| Incomplete::Date(shorten(text));
    if let Some(text) = only(headers, "x-amz-date")? {
        return parse_basic(text.trim()).map(Some).ok_or_else(|| unreadable(text));
    }
    let Some(text) = only(headers, "date")? else { return Ok(None) };
    let trimmed = text.trim();
    parse_basic(trimmed).or_else(|| parse_http(trimmed)).map(Some).ok_or_else(|| unreadable(text))
}

fn from_query<'a>(
    query: &str,
    headers: &[(&'a str, &'a str)],
) -> Result<Credential<'a>, SignatureError> {
    // Our own parameters are ASCII; a name that is not must only not pass for one of them.
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut pairs: Vec<(String, String)> =
        pairs(query).map(|(name, value)| (text(&name), text(&value))).collect();
    pairs.sort_unstable();
    if let Some((name, _)) =
        pairs.array_windows().find_map(|[(a, value), (b, _)]| (a == b).then_some((a, value)))
    {
        return Err(Incomplete::Twice(shorten(name)).into());
    }
    let get = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let (Some(algorithm), Some(credential), Some(signature), Some(signed_headers), Some(date)) = (
        get("X-Amz-Algorithm"),
        get("X-Amz-Credential"),
        get(SIGNATURE_PARAMETER),
        get("X-Amz-SignedHeaders"),
        get("X-Amz-Date"),
    ) else {
        let names = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            SIGNATURE_PARAMETER,
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
        ];
        return Err(
            Incomplete::Query(missing(names.map(|name| (name, get(name).is_none())))).into()
        );
    };
    if algorithm != ALGORITHM {
        return Err(Incomplete::Algorithm(shorten(algorithm)).into());
    }
    let signed_at = parse_basic(date).ok_or_else(|| Incomplete::Date(shorten(date)))?;
    let token_header = only(headers, "x-amz-security-token")?;
    let session_token = match (get("X-Amz-Security-Token"), token_header) {
        (Some(_), Some(_)) => {
            return Err(Incomplete::Twice("X-Amz-Security-Token".to_owned()).into());
        }
        (Some(token), None) => Some(Cow::Owned(token.to_owned())),
        (None, header) => header.map(Cow::Borrowed),
    };
    let expires = get("X-Amz-Expires").unwrap_or("0");
    let seconds = expires.parse().ok().filter(|seconds| *seconds <= EXPIRES_SECONDS_MAX);
    let parts = Parts {
        credential: Cow::Owned(credential.to_owned()),
        signed_headers: Cow::Owned(signed_headers.to_owned()),
        signature,
        signed_at,
        session_token,
        presigned_seconds: Some(seconds.ok_or_else(|| Incomplete::Expires(shorten(expires)))?),
    };
    parts.read()
}

fn missing<const N: usize>(parts: [(&'static str, bool); N]) -> Vec<&'static str> {
    parts.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect()
}

impl<'a> Parts<'a, '_> {
    fn read(self) -> Result<Credential<'a>, SignatureError> {
        let malformed = || Incomplete::Credential(shorten(&self.credential));
        let mut slashes = self.credential.match_indices('/').map(|(at, _)| at);
        let ends = [(); 4].map(|()| slashes.next());
        let [Some(key), Some(day), Some(region), Some(service)] = ends else {
            return Err(malformed().into());
        };
        if slashes.next().is_some() || key == 0 {
            return Err(malformed().into());
        }
        let termination = self.credential.get(service.saturating_add(1)..).unwrap_or_default();
        if termination != TERMINATION {
            return Err(Mismatch::Termination(shorten(termination)).into());
        }
        let mut signature = [0; SIGNATURE_BYTES];
        hex::decode_to_slice(self.signature, &mut signature).map_err(|_| Mismatch::Signature)?;
        check_signed_headers(&self.signed_headers)?;
        Ok(Credential {
            scoped: self.credential,
            ends: [key, day, region, service],
            signed_headers: self.signed_headers,
            signed_at: self.signed_at,
            date: basic(self.signed_at),
            session_token: self.session_token,
            presigned_seconds: self.presigned_seconds,
            signature,
        })
    }
}

/// The list has one spelling: lower-case names, ascending.
fn check_signed_headers(list: &str) -> Result<(), SignatureError> {
    let mut before = "";
    for (count, name) in names(list).enumerate() {
        if count == SIGNED_HEADERS_MAX {
            return Err(Incomplete::TooLong("SignedHeaders").into());
        }
        let lower = name.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase());
        if !lower || name <= before {
            return Err(Mismatch::HeaderOrder.into());
        }
        before = name;
    }
    Ok(())
}
