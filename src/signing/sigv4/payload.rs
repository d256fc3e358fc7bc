//! What `x-amz-content-sha256` says of a body, and bodies that are sent in chunks (`aws-chunked`), each
//! under a signature of its own that builds on the one before. Source: Amazon S3 API Reference,
//! sigv4-streaming and sigv4-streaming-trailers.
//!
//! ```text
//! 400;chunk-signature=HEX \r\n  data \r\n ... 0;chunk-signature=HEX \r\n  [name:value \r\n ...
//! x-amz-trailer-signature:HEX \r\n]  \r\n
//! ```
//!
//! A service takes a chunk's data only once `ChunkVerifier` has verified it. A body without chunk
//! signatures is one that the request's signature does not cover, and needs TLS.

use subtle::ConstantTimeEq;

use super::error::shorten;
use super::time::BasicTime;
use super::{Credential, EMPTY_SHA256, Incomplete, Mismatch, SIGNATURE_BYTES, SignatureError};
use super::{SigningKey, body_sha256};

/// The data of one chunk, in bytes. SDKs send 64 KiB to 1 MiB.
pub const CHUNK_BYTES_MAX: usize = 16 << 20;
/// The line before a chunk's data, in bytes: a length and a signature.
const CHUNK_HEAD_BYTES_MAX: usize = 128;
/// All trailers, in bytes.
const TRAILERS_BYTES_MAX: usize = 4096;
/// The header that names the kind of payload.
const HEADER: &str = "x-amz-content-sha256";
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// How a signature covers a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// By this SHA-256 in hexadecimal, to be compared with that of the body that came.
    Hash(&'a str),
    /// Not at all: `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// In chunks.
    Chunked(Chunking),
}

impl Payload<'_> {
    /// What stands for the body in the canonical request.
    #[must_use]
    pub fn marker(&self) -> &str {
        match self {
            Self::Hash(hash) => hash,
            Self::Unsigned => "UNSIGNED-PAYLOAD",
            Self::Chunked(Chunking { signed: true, trailers: false }) => {
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
            }
            Self::Chunked(Chunking { signed: true, trailers: true }) => {
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
            }
            Self::Chunked(Chunking { signed: false, .. }) => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }
}

/// How a body is chunked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunking {
    /// Whether each chunk has a signature.
    pub signed: bool,
    /// Whether headers follow the last chunk.
    pub trailers: bool,
}

impl<'a> Payload<'a> {
    /// What a request's headers say; none if they say nothing.
    ///
    /// # Errors
    /// They say it twice, or in words that are not known.
    pub fn of(headers: &[(&str, &'a str)]) -> Result<Option<Self>, SignatureError> {
        let mut values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(HEADER));
        let Some((_, value)) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Incomplete::Twice(HEADER.to_owned()).into());
        }
        let chunked = |signed, trailers| Self::Chunked(Chunking { signed, trailers });
        Ok(Some(match *value {
            "UNSIGNED-PAYLOAD" => Self::Unsigned,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => chunked(true, false),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => chunked(true, true),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => chunked(false, true),
            hash if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Self::Hash(hash)
            }
            other => return Err(Incomplete::Payload(shorten(other)).into()),
        }))
    }
}

/// A part of a chunked body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Data.
    Chunk {
        /// Never empty.
        data: &'a [u8],
        /// Its signature, where chunks are signed.
        signature: Option<[u8; SIGNATURE_BYTES]>,
    },
    /// The end.
    End {
        /// The signature of the empty chunk, where chunks are signed.
        signature: Option<[u8; SIGNATURE_BYTES]>,
        /// Names in lower case and values, as they came.
        trailers: Vec<(&'a str, &'a str)>,
        /// The signature of the trailers, where chunks are signed.
        trailer_signature: Option<[u8; SIGNATURE_BYTES]>,
    },
}

/// Reads the frame at the beginning of `input` and how many bytes it takes; none if more input is
/// needed.
///
/// # Errors
/// The input is no such frame, or one over the limits.
pub fn next_frame(
    input: &[u8],
    chunking: Chunking,
) -> Result<Option<(Frame<'_>, usize)>, SignatureError> {
    let malformed = || SignatureError::from(Incomplete::Chunk);
    let Some((head, rest)) = line(input, CHUNK_HEAD_BYTES_MAX)? else { return Ok(None) };
    let (length, signature) = match head.split_once(';') {
        Some((length, extension)) if chunking.signed => {
            let hex = extension.strip_prefix("chunk-signature=").ok_or_else(malformed)?;
            (length, Some(signature_of(hex)?))
        }
        None if !chunking.signed => (head, None),
        _ => return Err(malformed()),
    };
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_hexdigit());
    let length = usize::from_str_radix(length, 16).ok().filter(|_| digits);
    let length = length.filter(|length| *length <= CHUNK_BYTES_MAX).ok_or_else(malformed)?;
    if length == 0 {
        let Some((frame, rest)) = end(rest, chunking, signature)? else { return Ok(None) };
        return Ok(Some((frame, input.len().saturating_sub(rest.len()))));
    }
    let Some((data, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    match rest {
        [b'\r', b'\n', rest @ ..] => {
            let used = input.len().saturating_sub(rest.len());
            Ok(Some((Frame::Chunk { data, signature }, used)))
        }
        [] | [b'\r'] => Ok(None),
        _ => Err(malformed()),
    }
}

/// What follows the head of the empty chunk, and the rest of the input.
fn end(
    input: &[u8],
    chunking: Chunking,
    signature: Option<[u8; SIGNATURE_BYTES]>,
) -> Result<Option<(Frame<'_>, &[u8])>, SignatureError> {
    let (mut trailers, mut trailer_signature) = (Vec::new(), None);
    let mut rest = input;
    loop {
        let room = TRAILERS_BYTES_MAX.saturating_sub(input.len().saturating_sub(rest.len()));
        let Some((line, after)) = line(rest, room)? else { return Ok(None) };
        rest = after;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(Incomplete::Chunk)?;
        let lower = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase());
        if !chunking.trailers || !lower || trailer_signature.is_some() {
            return Err(Incomplete::Chunk.into());
        }
        match name {
            TRAILER_SIGNATURE if chunking.signed => {
                trailer_signature = Some(signature_of(value)?);
            }
            _ => trailers.push((name, value)),
        }
    }
    if trailer_signature.is_some() != (chunking.signed && chunking.trailers) {
        return Err(Incomplete::Chunk.into());
    }
    Ok(Some((Frame::End { signature, trailers, trailer_signature }, rest)))
}

/// The line at the beginning of `input` without its end, and what is behind it; none if its end has not
/// come yet.
fn line(input: &[u8], bytes_max: usize) -> Result<Option<(&str, &[u8])>, SignatureError> {
    let seen = input.get(..bytes_max).unwrap_or(input);
    let Some(at) = memchr::memchr(b'\n', seen) else {
        return if seen.len() == bytes_max { Err(Incomplete::Chunk.into()) } else { Ok(None) };
    };
    let (line, rest) = input.split_at_checked(at).unwrap_or((input, &[]));
    let line = line.strip_suffix(b"\r").ok_or(Incomplete::Chunk)?;
    let line = std::str::from_utf8(line).map_err(|_| Incomplete::Chunk)?;
    Ok(Some((line, rest.get(1..).unwrap_or_default())))
}

fn signature_of(hex: &str) -> Result<[u8; SIGNATURE_BYTES], SignatureError> {
    let mut signature = [0; SIGNATURE_BYTES];
    hex::decode_to_slice(hex, &mut signature).map_err(|_| Mismatch::Signature)?;
    Ok(signature)
}

/// Verifies chunks one after the other: each signature covers the one before, from that of the request
/// on, so that no chunk can be left out, moved or put into another body.
pub struct ChunkVerifier {
    key: SigningKey,
    date: BasicTime,
    scope: String,
    previous: [u8; SIGNATURE_BYTES],
}

impl ChunkVerifier {
    /// For the body of a request whose own signature was verified with this key.
    #[must_use]
    pub fn new(key: SigningKey, credential: &Credential<'_>) -> Self {
        let (date, previous) = (credential.date, credential.signature);
        Self { key, date, scope: credential.scope().to_owned(), previous }
    }

    /// Verifies the next chunk; the last one has no data.
    ///
    /// # Errors
    /// It is not what was signed at this place.
    pub fn chunk(
        &mut self,
        data: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), SignatureError> {
        self.chunk_hash(&body_sha256(data), signature)
    }

    /// As `chunk`, over the SHA-256 of its data in lower-case hexadecimal.
    ///
    /// # Errors
    /// It is not what was signed at this place.
    pub fn chunk_hash(
        &mut self,
        sha256: &str,
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), SignatureError> {
        self.link("AWS4-HMAC-SHA256-PAYLOAD", &[EMPTY_SHA256, sha256], signature)
    }

    /// Verifies the trailers, after the last chunk.
    ///
    /// # Errors
    /// They are not what was signed.
    pub fn trailers(
        &mut self,
        trailers: &[(&str, &str)],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), SignatureError> {
        self.trailers_hash(&trailers_sha256(trailers), signature)
    }

    /// As `trailers`, over their hash.
    ///
    /// # Errors
    /// They are not what was signed.
    pub fn trailers_hash(
        &mut self,
        sha256: &str,
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), SignatureError> {
        self.link("AWS4-HMAC-SHA256-TRAILER", &[sha256], signature)
    }

    fn link(
        &mut self,
        algorithm: &str,
        hashes: &[&str],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), SignatureError> {
        let previous = hex::encode(self.previous);
        let mut text = [algorithm, self.date.as_str(), &self.scope, &previous].join("\n");
        for hash in hashes {
            text.push('\n');
            text.push_str(hash);
        }
        if !bool::from(self.key.sign(text.as_bytes()).ct_eq(signature)) {
            return Err(Mismatch::Chunk.into());
        }
        self.previous = *signature;
        Ok(())
    }
}

impl std::fmt::Debug for ChunkVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkVerifier(..)")
    }
}

/// SHA-256 of trailers as they are signed, in hexadecimal.
#[must_use]
pub fn trailers_sha256(trailers: &[(&str, &str)]) -> String {
    let lines = trailers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim()));
    body_sha256(lines.collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests;
