//! A request's body, and what of it the signature covers: `x-amz-content-sha256` is compared with the body
//! that came, and a chunked body is taken apart.

use std::net::{IpAddr, SocketAddr};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::request::Parts;

use super::{Refusal, Settings, checksum};
use crate::proto::v1::{SignedChunk, SignedHeader, SignedRequest};
use crate::signing::sigv4::payload::{Chunking, Frame, Payload, next_frame, trailers_sha256};
use crate::signing::sigv4::{
    Incomplete, Mismatch, PathStyle, Signable, SignatureError, body_sha256,
};

/// A request as it is verified, here or by Locum.
pub(super) struct Shown {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body_sha256: String,
    path_style: PathStyle,
    pub(super) chunks: Vec<Piece>,
    pub(super) trailers: Option<Piece>,
    pub(super) source_ip: Option<IpAddr>,
    pub(super) user_agent: String,
}

/// Names in lower case and values of what follows a body.
type Trailers = Vec<(String, String)>;

/// A chunk or the trailers: SHA-256 and signature.
pub(super) struct Piece {
    pub(super) sha256: String,
    pub(super) signature: [u8; 32],
}

impl Shown {
    /// A request with this body, and the body without the frames of chunks.
    pub(super) fn new(
        parts: &Parts,
        body: Bytes,
        settings: &Settings,
    ) -> Result<(Self, Bytes), Refusal> {
        let mut headers = Vec::with_capacity(parts.headers.len() + 1);
        for (name, value) in &parts.headers {
            // Header values are bytes; those that are no text were not signed by any SDK.
            if let Ok(value) = value.to_str() {
                headers.push((name.as_str().to_owned(), value.to_owned()));
            }
        }
        // HTTP/2 names the host in `:authority`.
        if let (Some(authority), false) =
            (parts.uri.authority(), parts.headers.contains_key(http::header::HOST))
        {
            headers.push(("host".to_owned(), authority.to_string()));
        }
        let agent = parts.headers.get(http::header::USER_AGENT);
        let mut shown = Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers,
            body_sha256: String::new(),
            path_style: match settings.service.as_str() {
                "s3" => PathStyle::S3,
                _ => PathStyle::Normalized,
            },
            chunks: Vec::new(),
            trailers: None,
            source_ip: parts.extensions.get::<SocketAddr>().map(SocketAddr::ip),
            user_agent: agent.and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned(),
        };
        let (body, trailers) = shown.cover(body, settings).map_err(|error| told(&error))?;
        checksum::check(&shown.headers, &trailers, &body)?;
        Ok((shown, body))
    }

    /// Finds what stands for the body in the signature; gives the body itself, and its trailers.
    fn cover(
        &mut self,
        body: Bytes,
        settings: &Settings,
    ) -> Result<(Bytes, Trailers), SignatureError> {
        let headers: Vec<_> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let payload = Payload::of(&headers)?;
        let presigned = self.query.contains("X-Amz-Signature=");
        self.body_sha256 = match payload {
            // A presigned URL of S3 covers no body (Amazon S3 API Reference, sigv4-query-string-auth).
            None if presigned && settings.service == "s3" => Payload::Unsigned.marker().to_owned(),
            None => body_sha256(&body),
            Some(Payload::Hash(hash)) => {
                let own = body_sha256(&body);
                if !own.eq_ignore_ascii_case(hash) {
                    return Err(Mismatch::Body.into());
                }
                hash.to_owned()
            }
            Some(payload) => payload.marker().to_owned(),
        };
        match payload {
            Some(Payload::Unsigned | Payload::Chunked(Chunking { signed: false, .. }))
                if !settings.unsigned_bodies =>
            {
                Err(Incomplete::Payload(self.body_sha256.clone()).into())
            }
            None if presigned && !settings.unsigned_bodies && !body.is_empty() => {
                Err(Incomplete::Payload(self.body_sha256.clone()).into())
            }
            Some(Payload::Chunked(chunking)) => self.unchunk(&body, chunking),
            _ => Ok((body, Trailers::new())),
        }
    }

    fn unchunk(
        &mut self,
        body: &Bytes,
        chunking: Chunking,
    ) -> Result<(Bytes, Trailers), SignatureError> {
        let mut data = BytesMut::with_capacity(body.len());
        let seen;
        let mut rest: &[u8] = body;
        loop {
            let (frame, used) = next_frame(rest, chunking)?.ok_or(Incomplete::Chunk)?;
            rest = rest.get(used..).unwrap_or_default();
            match frame {
                Frame::Chunk { data: chunk, signature } => {
                    self.push(body_sha256(chunk), signature);
                    data.extend_from_slice(chunk);
                }
                Frame::End { signature, trailers, trailer_signature } => {
                    self.push(body_sha256(b""), signature);
                    self.trailers = trailer_signature
                        .map(|signature| Piece { sha256: trailers_sha256(&trailers), signature });
                    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                    seen = trailers.into_iter().map(owned).collect();
                    break;
                }
            }
        }
        let announced = self.headers.iter().find(|(n, _)| n == "x-amz-decoded-content-length");
        let whole = announced.is_none_or(|(_, length)| length.parse() == Ok(data.len()));
        if !rest.is_empty() || !whole {
            return Err(Incomplete::Chunk.into());
        }
        Ok((data.freeze(), seen))
    }

    fn push(&mut self, sha256: String, signature: Option<[u8; 32]>) {
        self.chunks.extend(signature.map(|signature| Piece { sha256, signature }));
    }

    /// Hands over what was signed.
    pub(super) fn with<T>(&self, verify: impl FnOnce(&Signable<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        verify(&Signable {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body_sha256: &self.body_sha256,
            path_style: self.path_style,
        })
    }

    /// The request as Locum is shown it.
    pub(super) fn message(&self, settings: &Settings) -> SignedRequest {
        let header = |(name, value): &(String, String)| SignedHeader {
            name: name.clone(),
            value: value.clone(),
        };
        let chunk = |piece: &Piece| SignedChunk {
            sha256: piece.sha256.clone(),
            signature: piece.signature.to_vec(),
        };
        SignedRequest {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.iter().map(header).collect(),
            body_sha256: self.body_sha256.clone(),
            service: settings.service.clone(),
            source_ip: self.source_ip.map(|ip| ip.to_string()).unwrap_or_default(),
            chunks: self.chunks.iter().map(chunk).collect(),
            trailers: self.trailers.as_ref().map(chunk),
            secure_transport: settings.secure_transport,
            hosts: settings.hosts.clone(),
        }
    }
}

/// In S3's words where it has its own.
fn told(error: &SignatureError) -> Refusal {
    match error {
        SignatureError::Mismatch(Mismatch::Body) => {
            let message = error.to_string();
            Refusal::new(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch", &message)
        }
        SignatureError::Incomplete(Incomplete::Payload(_) | Incomplete::Chunk) => {
            Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string())
        }
        error => Refusal::of_signature(error),
    }
}
