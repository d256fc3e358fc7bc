//! Tests of chunked bodies: the examples of the S3 API Reference, and every way to tamper with them.

use proptest::prelude::*;

use super::*;
use crate::signing::Secret;
use crate::signing::sigv4::parse;

const SIGNED: Chunking = Chunking { signed: true, trailers: false };
const TRAILED: Chunking = Chunking { signed: true, trailers: true };
const UNSIGNED: Chunking = Chunking { signed: false, trailers: true };
/// The seed signature, those of 64 KiB and of 1 KiB of `a`, and that of the end.
const EXAMPLE: [&str; 4] = [
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
];
/// The same with a trailer, whose signature is the last.
const TRAILED_EXAMPLE: [&str; 5] = [
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
];

/// The verifier of the reference's request, which ends in this signature.
fn verifier(seed: &str) -> ChunkVerifier {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature={seed}"
    );
    let headers = [("authorization", authorization.as_str()), ("x-amz-date", "20130524T000000Z")];
    let credential = parse(&headers, "").unwrap();
    ChunkVerifier::new(SigningKey::of(&secret, &credential), &credential)
}

fn body(signatures: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for (length, signature) in [65_536, 1024, 0].into_iter().zip(&signatures[1..]) {
        body.extend_from_slice(format!("{length:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', length));
        if length > 0 {
            body.extend_from_slice(b"\r\n");
        }
    }
    if let [_, _, _, _, signature] = signatures {
        body.extend_from_slice(b"x-amz-checksum-crc32c:sOO8/Q==\r\n");
        body.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
    }
    body.extend_from_slice(b"\r\n");
    body
}

/// Verifies a whole body; gives the length of its data.
fn verified(
    mut input: &[u8],
    chunking: Chunking,
    mut verifier: ChunkVerifier,
) -> Result<usize, SignatureError> {
    let mut length = 0;
    loop {
        let incomplete = SignatureError::from(Incomplete::Chunk);
        let (frame, used) = next_frame(input, chunking)?.ok_or(incomplete.clone())?;
        input = &input[used..];
        match frame {
            Frame::Chunk { data, signature } => {
                verifier.chunk(data, &signature.unwrap())?;
                length += data.len();
            }
            Frame::End { signature, trailers, trailer_signature } => {
                verifier.chunk(b"", &signature.unwrap())?;
                if let Some(signature) = trailer_signature {
                    verifier.trailers(&trailers, &signature)?;
                }
                return if input.is_empty() { Ok(length) } else { Err(incomplete) };
            }
        }
    }
}

/// Protects uploads by SDKs: the two examples of the S3 API Reference verify.
#[test]
fn the_examples_of_the_reference_verify() {
    assert_eq!(verified(&body(&EXAMPLE), SIGNED, verifier(EXAMPLE[0])), Ok(66_560));
    let trailed = verified(&body(&TRAILED_EXAMPLE), TRAILED, verifier(TRAILED_EXAMPLE[0]));
    assert_eq!(trailed, Ok(66_560));
}

/// Protects objects: no chunk can be changed, left out, moved, or moved to another request, and no trailer
/// changed.
#[test]
fn a_body_that_was_tampered_with_does_not_verify() {
    let refused = |body: &[u8]| verified(body, SIGNED, verifier(EXAMPLE[0])).unwrap_err();
    let whole = body(&EXAMPLE);
    let mut changed = whole.clone();
    changed[1000] = b'b';
    assert_eq!(refused(&changed), Mismatch::Chunk.into());
    let first = whole.iter().skip(2).position(|byte| *byte == b'\n').unwrap() + 2 + 65_536 + 3;
    assert_eq!(refused(&whole[first..]), Mismatch::Chunk.into(), "the first chunk left out");
    let other = verified(&whole, SIGNED, verifier(TRAILED_EXAMPLE[0]));
    assert_eq!(other, Err(Mismatch::Chunk.into()), "the seed of another request");
    let trailed = String::from_utf8(body(&TRAILED_EXAMPLE)).unwrap().replace("sOO8", "sOO9");
    let trailed = verified(trailed.as_bytes(), TRAILED, verifier(TRAILED_EXAMPLE[0]));
    assert_eq!(trailed, Err(Mismatch::Chunk.into()));
}

/// Protects services: what is no chunked body is refused, and unsigned chunks never pass for signed ones.
#[test]
fn what_is_not_framed_as_announced_is_refused() {
    let refused = |input: &[u8], chunking| next_frame(input, chunking).unwrap_err().code();
    let cases: [(&[u8], Chunking); 9] = [
        (b"5\r\nhello\r\n", SIGNED),
        (b"5;chunk-signature=00\r\nhello\r\n", SIGNED),
        (b"5;chunk-signature=00\r\nhello\r\n", UNSIGNED),
        (b"+5\r\nhello\r\n", UNSIGNED),
        (b"\r\nhello\r\n", UNSIGNED),
        (b"5\r\nhello!\r\n", UNSIGNED),
        (b"5\nhello\r\n", UNSIGNED),
        (b"1000001\r\n", UNSIGNED),
        (b"0\r\nX-Amz-Checksum-Crc32:AA\r\n\r\n", UNSIGNED),
    ];
    for (input, chunking) in cases {
        let code = refused(input, chunking);
        assert!(code == "IncompleteSignature" || code == "SignatureDoesNotMatch", "{input:?}");
    }
    let end = format!("0;chunk-signature={}\r\n\r\n", EXAMPLE[3]);
    assert_eq!(refused(end.as_bytes(), TRAILED), "IncompleteSignature", "trailers not signed");
}

/// Protects uploads over unreliable networks: a body may come in any pieces.
#[test]
fn a_frame_waits_for_all_of_its_bytes() {
    let whole = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
    let chunk = Frame::Chunk { data: b"hello".as_slice(), signature: None };
    for end in 0..10 {
        assert_eq!(next_frame(&whole[..end], UNSIGNED), Ok(None), "{end}");
    }
    assert_eq!(next_frame(whole, UNSIGNED), Ok(Some((chunk, 10))));
    for end in 10..whole.len() {
        assert_eq!(next_frame(&whole[10..end], UNSIGNED), Ok(None), "{end}");
    }
    let trailers = vec![("x-amz-checksum-crc32", "AA==")];
    let last = Frame::End { signature: None, trailers, trailer_signature: None };
    assert_eq!(next_frame(&whole[10..], UNSIGNED), Ok(Some((last, whole.len() - 10))));
}

/// Protects services from markers that they do not know: those are refused, not taken for a hash.
#[test]
fn the_markers_are_those_of_the_reference() {
    let of = |value| Payload::of(&[("X-Amz-Content-Sha256", value)]);
    assert_eq!(of("UNSIGNED-PAYLOAD"), Ok(Some(Payload::Unsigned)));
    assert_eq!(of(EMPTY_SHA256), Ok(Some(Payload::Hash(EMPTY_SHA256))));
    let chunked = |chunking| Ok(Some(Payload::Chunked(chunking)));
    assert_eq!(of("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), chunked(SIGNED));
    assert_eq!(of("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), chunked(TRAILED));
    assert_eq!(of("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), chunked(UNSIGNED));
    assert!(of("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD").is_err());
    assert!(of("").is_err());
    assert_eq!(Payload::of(&[]), Ok(None));
    let twice = [("x-amz-content-sha256", EMPTY_SHA256), ("X-Amz-Content-SHA256", EMPTY_SHA256)];
    assert!(Payload::of(&twice).is_err());
}

proptest! {
    /// Protects services from their clients: no body makes reading panic, or read what is not there.
    #[test]
    fn no_bytes_make_reading_panic(
        input in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b';'), any::<u8>()], 0..200),
        signed: bool,
        trailers: bool,
    ) {
        if let Ok(Some((_, used))) = next_frame(&input, Chunking { signed, trailers }) {
            prop_assert!(used <= input.len());
        }
    }
}
