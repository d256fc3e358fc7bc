//! The checksums that follow a chunked body. A body in unsigned chunks has nothing else that tells a damaged
//! upload from a whole one, so what was announced is there and right, or the request goes no further; what
//! was not announced, under the request's signature, is not taken. Source: Amazon S3 User Guide,
//! checking-object-integrity; S3 API Reference, sigv4-streaming-trailers, and its error responses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, checksum};
use http::StatusCode;
use ring::digest::{self, digest};

use super::Refusal;

/// The header that announces trailers, by names with commas between them.
const ANNOUNCING: &str = "x-amz-trailer";
/// What stands before an algorithm's name in a trailer's.
const PREFIX: &str = "x-amz-checksum-";

/// An algorithm that uploads are checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    fn of(trailer: &str) -> Option<Self> {
        Some(match trailer.strip_prefix(PREFIX)? {
            "crc32" => Self::Crc32,
            "crc32c" => Self::Crc32c,
            "crc64nvme" => Self::Crc64Nvme,
            "sha1" => Self::Sha1,
            "sha256" => Self::Sha256,
            _ => return None,
        })
    }

    /// As AWS spells it.
    fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The checksum in base64, the bytes of numbers in network order.
    fn of_data(self, data: &[u8]) -> String {
        let crc32 = |algorithm| {
            let [.., a, b, c, d] = checksum(algorithm, data).to_be_bytes();
            STANDARD.encode([a, b, c, d])
        };
        match self {
            Self::Crc32 => crc32(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => crc32(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => {
                STANDARD.encode(checksum(CrcAlgorithm::Crc64Nvme, data).to_be_bytes())
            }
            Self::Sha1 => STANDARD.encode(digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data)),
            Self::Sha256 => STANDARD.encode(digest(&digest::SHA256, data)),
        }
    }
}

/// The trailers that came are those that the headers announce, and say the truth of the body.
///
/// # Errors
/// They are others, of an algorithm that is not known, or wrong.
pub(super) fn check(
    headers: &[(String, String)],
    trailers: &[(String, String)],
    body: &[u8],
) -> Result<(), Refusal> {
    let announced = headers.iter().filter(|(name, _)| name == ANNOUNCING);
    let announced = announced.flat_map(|(_, names)| names.split(','));
    let announced: Vec<_> = announced.map(|name| name.trim().to_ascii_lowercase()).collect();
    let algorithms = announced.iter().map(|name| Algorithm::of(name));
    let algorithms: Option<Vec<_>> = algorithms.collect();
    let Some(algorithms) = algorithms else {
        let message = "The value specified in the x-amz-trailer header is not supported";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequest", message));
    };
    if trailers.len() != announced.len() {
        return Err(malformed());
    }
    for (name, algorithm) in announced.iter().zip(algorithms) {
        let found = trailers.iter().find(|(trailer, _)| trailer == name);
        let (_, value) = found.ok_or_else(malformed)?;
        if value.trim() != algorithm.of_data(body) {
            let algorithm = algorithm.name();
            let message =
                format!("The {algorithm} you specified did not match the calculated checksum.");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "BadDigest", &message));
        }
    }
    Ok(())
}

fn malformed() -> Refusal {
    let message = "The request contained trailing data that was not well-formed or did not conform to our \
                   published schema.";
    Refusal::new(StatusCode::BAD_REQUEST, "MalformedTrailerError", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(announced: &[&str], trailers: &[(&str, &str)], body: &str) -> Result<(), String> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let headers: Vec<_> = announced.iter().map(|names| owned((ANNOUNCING, names))).collect();
        let trailers: Vec<_> = trailers.iter().copied().map(owned).collect();
        check(&headers, &trailers, body.as_bytes()).map_err(|refusal| refusal.code)
    }

    /// Of `123456789`: the check values of the catalogue of CRC algorithms, and of FIPS 180, in base64.
    const GOOD: [(&str, &str); 5] = [
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
        ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ];

    /// Protects uploads: a body that was damaged on the way is refused, whatever the algorithm.
    #[test]
    fn a_body_is_what_its_checksum_says() {
        for (name, value) in GOOD {
            assert_eq!(checked(&[name], &[(name, value)], "123456789"), Ok(()), "{name}");
            let damaged = checked(&[name], &[(name, value)], "123456780");
            assert_eq!(damaged, Err("BadDigest".to_owned()), "{name}");
            let other = checked(&[name], &[(name, "AAAA")], "123456789");
            assert_eq!(other, Err("BadDigest".to_owned()), "{name}");
        }
        let [crc32, _, _, sha1, _] = GOOD;
        let both = ["X-Amz-Checksum-SHA1, x-amz-checksum-crc32"];
        assert_eq!(checked(&both, &[crc32, sha1], "123456789"), Ok(()));
        assert_eq!(checked(&[], &[], "123456789"), Ok(()));
    }

    /// Protects uploads from who takes a trailer away, adds one, or names an algorithm of their own.
    #[test]
    fn trailers_are_those_that_were_announced() {
        let [crc32, crc32c, ..] = GOOD;
        let malformed = Err("MalformedTrailerError".to_owned());
        assert_eq!(checked(&[crc32.0], &[], "123456789"), malformed);
        assert_eq!(checked(&[], &[crc32], "123456789"), malformed);
        assert_eq!(checked(&[crc32.0], &[crc32c], "123456789"), malformed);
        assert_eq!(checked(&[crc32.0], &[crc32, crc32], "123456789"), malformed);
        let unknown = Err("InvalidRequest".to_owned());
        for name in ["x-amz-checksum-md5", "x-amz-meta-a", ""] {
            assert_eq!(checked(&[name], &[(name, "AA==")], "123456789"), unknown, "{name}");
        }
    }
}
