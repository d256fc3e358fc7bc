//! No text makes the readers of a signed request panic, and nothing verifies that was not signed. The input is
//! lines: method, path, query, body, then headers `name: value`; the same bytes are read as a chunked body too.
//! Whatever request it is, signing it makes one that verifies, in both forms.

#![no_main]

use libfuzzer_sys::fuzz_target;
use locum::clock::Timestamp;
use locum::signing::Secret;
use locum::signing::sigv4::payload::{Chunking, Frame, Payload, next_frame};
use locum::signing::sigv4::{
    Expectations, PathStyle, Signable, Signer, body_sha256, parse, verify,
};

fuzz_target!(|input: &[u8]| {
    for signed in [false, true] {
        for trailers in [false, true] {
            chunks(input, Chunking { signed, trailers });
        }
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (method, path, query, body) = (next(), next(), next(), next());
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let hash = body_sha256(body.as_bytes());
    let now = Timestamp::from_unix_seconds(1_780_000_000);
    let regions = ["us-east-1".to_owned()];
    let expectations = Expectations::new("service", &regions);
    let secret = Secret::new("secret");
    let _ = Payload::of(&headers);
    for path_style in [PathStyle::Normalized, PathStyle::S3] {
        let request =
            Signable { method, path, query, headers: &headers, body_sha256: &hash, path_style };
        if let Ok(credential) = parse(&headers, query) {
            let parts = [credential.access_key(), credential.date(), credential.region()];
            assert!(parts.iter().all(|part| !part.contains('/')));
            let verified = verify(&secret, &credential, &request, now, &expectations);
            assert!(verified.is_err(), "a signature that nobody made");
        }
        sign(&request, now, &secret, &expectations);
    }
});

/// A request of ours over what the input holds.
fn sign(request: &Signable<'_>, now: Timestamp, secret: &Secret, expected: &Expectations<'_>) {
    let plain = |name: &str| {
        let own = ["host", "authorization", "date"];
        let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=64).contains(&name.len())
            && letters
            && !own.iter().any(|own| name.eq_ignore_ascii_case(own))
            && !name.to_ascii_lowercase().starts_with("x-amz-")
    };
    let mut headers = vec![("host", "example.com")];
    headers.extend(request.headers.iter().filter(|(name, _)| plain(name)).take(10));
    // Parameters of a signature, or the same one twice, are refused in a presigned URL.
    let query = if request.query.contains(['%', '&']) || request.query.contains("X-Amz-") {
        ""
    } else {
        request.query
    };
    let request = Signable { query, headers: &headers, ..*request };
    let signer = Signer {
        access_key: "AKIDEXAMPLE",
        secret,
        session_token: Some("token"),
        region: "us-east-1",
        service: "service",
    };
    let added = signer.sign(&request, now);
    let mut signed = headers.clone();
    signed.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    let credential = parse(&signed, query).expect("our own form");
    let in_header = Signable { headers: &signed, ..request };
    assert_eq!(verify(secret, &credential, &in_header, now, expected), Ok(()));

    let presigned = signer.presign(&request, 60, now);
    let credential = parse(&headers, &presigned).expect("our own form");
    let in_query = Signable { query: &presigned, ..request };
    assert_eq!(verify(secret, &credential, &in_query, now, expected), Ok(()));
}

/// Frames are read to the end, each from the bytes behind the last.
fn chunks(mut input: &[u8], chunking: Chunking) {
    while let Ok(Some((frame, used))) = next_frame(input, chunking) {
        assert!(used > 0 && used <= input.len());
        match frame {
            Frame::Chunk { data, signature } => {
                assert!(!data.is_empty() && signature.is_some() == chunking.signed);
            }
            Frame::End { signature, trailers, trailer_signature } => {
                assert_eq!(signature.is_some(), chunking.signed);
                assert!(chunking.trailers || trailers.is_empty());
                assert_eq!(trailer_signature.is_some(), chunking.signed && chunking.trailers);
                return;
            }
        }
        input = &input[used..];
    }
}
