//! The canonical form of a request: the text whose hash is signed.
//!
//! ```text
//! METHOD \n path \n query \n name:value\n... \n name;name \n body hash
//! ```
//!
//! Both sides must come to the same bytes from what was on the wire, so that everything here is
//! total: an escape that is no escape is taken as the characters it is made of.

use super::{ALGORITHM, PathStyle, Signable};
use crate::signing::crypto::sha256_hex;

/// The parameter that carries a presigned URL's signature and cannot be part of what is signed.
pub(super) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// `AWS4-HMAC-SHA256 \n date \n scope \n hash of the canonical request`.
pub(super) fn string_to_sign(date: &str, scope: &str, canonical: &str) -> String {
    format!("{ALGORITHM}\n{date}\n{scope}\n{}", sha256_hex(canonical.as_bytes()))
}

/// The canonical request over these headers, whose names are lower-case and ascending. None when
/// one of them is not in the request.
pub(super) fn request<S: AsRef<str>>(
    request: &Signable<'_>,
    signed_headers: &[S],
    presigned: bool,
) -> Result<String, String> {
    let mut text = String::with_capacity(1024);
    text.push_str(request.method);
    text.push('\n');
    text.push_str(&path(request.path, request.path_style));
    text.push('\n');
    text.push_str(&query(request.query, presigned));
    text.push('\n');
    for name in signed_headers {
        push_header(&mut text, request.headers, name.as_ref())?;
    }
    text.push('\n');
    for (i, name) in signed_headers.iter().enumerate() {
        if i > 0 {
            text.push(';');
        }
        text.push_str(name.as_ref());
    }
    text.push('\n');
    text.push_str(request.body_sha256);
    Ok(text)
}

fn push_header(text: &mut String, headers: &[(&str, &str)], name: &str) -> Result<(), String> {
    text.push_str(name);
    let mut separator = ':';
    for (_, value) in headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)) {
        text.push(separator);
        push_trimmed(text, value);
        separator = ',';
    }
    if separator == ':' {
        return Err(name.to_owned());
    }
    text.push('\n');
    Ok(())
}

/// Without space at the ends, and with one for every run within.
fn push_trimmed(text: &mut String, value: &str) {
    let words = value.trim_matches([' ', '\t']).split(' ').filter(|word| !word.is_empty());
    for (i, word) in words.enumerate() {
        if i > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
}

/// The canonical path of an encoded path.
pub(super) fn path(path: &str, style: PathStyle) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    match style {
        PathStyle::Normalized => {
            for segment in normalized(path) {
                out.push('/');
                push_encoded(&mut out, segment.as_bytes());
            }
            let directory = path.ends_with('/') && !out.is_empty();
            if directory || out.is_empty() {
                out.push('/');
            }
        }
        PathStyle::S3 => {
            for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
                out.push('/');
                push_encoded(&mut out, &decode(segment));
            }
        }
    }
    out
}

/// The segments that are left when `.`, `..` and empty ones are resolved.
fn normalized(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments
}

/// The canonical query of an encoded query; a presigned one leaves its signature out.
pub(super) fn query(query: &str, presigned: bool) -> String {
    let mut pairs: Vec<(String, String)> = pairs(query)
        .filter(|(name, _)| !(presigned && name.as_slice() == SIGNATURE_PARAMETER.as_bytes()))
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort_unstable();
    let mut out = String::with_capacity(query.len() + 8);
    for (i, (name, value)) in pairs.iter().enumerate() {
        if i > 0 {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out
}

/// The decoded names and values of a query. A `+` is a plus, not a space: it is so for every AWS
/// signer.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    push_encoded(&mut out, bytes);
    out
}

/// Percent-encodes all but the unreserved characters of RFC 3986, in capitals.
fn push_encoded(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(digit(byte >> 4)));
            out.push(char::from(digit(byte & 0xf)));
        }
    }
}

/// Resolves `%XX`; an incomplete escape stays as it is.
fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%'
            && let Some((&[high, low], after)) = after.split_first_chunk()
            && let (Some(high), Some(low)) = (hex_value(high), hex_value(low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(byte);
            rest = after;
        }
    }
    out
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalized_and_encoded_once_more_than_on_the_wire() {
        let cases = [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/example/..", "/"),
            ("/example1/example2/../..", "/"),
            ("/../../a", "/a"),
            ("/./example", "/example"),
            ("//example//", "/example/"),
            ("/a%20b", "/a%2520b"),
            ("/example space/", "/example%20space/"),
            ("/-._~", "/-._~"),
        ];
        for (wire, canonical) in cases {
            assert_eq!(path(wire, PathStyle::Normalized), canonical, "{wire}");
        }
    }

    #[test]
    fn a_path_of_s3_is_left_as_its_key_is() {
        let cases = [
            ("/", "/"),
            ("/a//b/../c", "/a//b/../c"),
            ("/a%20b", "/a%20b"),
            ("/a%2fb", "/a%2Fb"),
            ("/a+b", "/a%2Bb"),
            ("/100%", "/100%25"),
        ];
        for (wire, canonical) in cases {
            assert_eq!(path(wire, PathStyle::S3), canonical, "{wire}");
        }
    }

    #[test]
    fn queries_are_sorted_by_encoded_name_then_value() {
        let cases = [
            ("", ""),
            ("Param1=value2&Param1=Value1", "Param1=Value1&Param1=value2"),
            ("b=1&a=2&&", "a=2&b=1"),
            ("key&a", "a=&key="),
            ("a=b=c", "a=b%3Dc"),
            ("a=1+2&b=%2f%7e", "a=1%2B2&b=%2F~"),
            ("a-b=1&a=2", "a=2&a-b=1"),
            ("p=%zz%4", "p=%25zz%254"),
            ("X-Amz-Signature=00&a=1", "X-Amz-Signature=00&a=1"),
        ];
        for (wire, canonical) in cases {
            assert_eq!(query(wire, false), canonical, "{wire}");
        }
        assert_eq!(query("a=1&X-Amz-Signature=00", true), "a=1");
    }
}
