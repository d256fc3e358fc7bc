//! The canonical form of a request: the text whose hash is signed.
//!
//! ```text
//! METHOD \n path \n query \n name:value\n... \n name;name \n body hash
//! ```
//!
//! Both sides must come to the same bytes from what was on the wire, so that everything here is
//! total: an escape that is no escape is taken as the characters it is made of.

use std::borrow::Cow;

use super::time::BasicTime;
use super::{ALGORITHM, PathStyle, Signable, names};
use crate::signing::crypto::push_sha256_hex;

/// The parameter that carries a presigned URL's signature and cannot be part of what is signed.
pub(super) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// `AWS4-HMAC-SHA256 \n date \n scope \n hash of the canonical request`.
pub(super) fn string_to_sign(date: &BasicTime, scope: &str, canonical: &str) -> String {
    let mut text = String::with_capacity(ALGORITHM.len() + scope.len() + 96);
    for line in [ALGORITHM, date.as_str(), scope] {
        text.push_str(line);
        text.push('\n');
    }
    push_sha256_hex(&mut text, canonical.as_bytes());
    text
}

/// The canonical request over these headers, whose names are lower-case and ascending, with `;` between them.
///
/// # Errors
/// One of them is not in the request; its name.
pub(super) fn request(
    request: &Signable<'_>,
    signed_headers: &str,
    presigned: bool,
) -> Result<String, String> {
    let values = request.headers.iter().map(|(name, value)| name.len() + value.len());
    // Names stand twice; paths and queries may grow when they are encoded, and then the text does.
    let room = request.path.len() + request.query.len() + values.sum::<usize>() + 256;
    let mut text = String::with_capacity(room);
    text.push_str(request.method);
    text.push('\n');
    push_path(&mut text, request.path, request.path_style);
    text.push('\n');
    push_query(&mut text, request.query, presigned);
    text.push('\n');
    for name in names(signed_headers) {
        push_header(&mut text, request.headers, name)?;
    }
    text.push('\n');
    text.push_str(signed_headers);
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

/// Without white space at the ends, and with one space for every run of it within.
fn push_trimmed(text: &mut String, value: &str) {
    // Most values, and all long ones, are one word; told so without a branch for each byte.
    if !value.bytes().fold(false, |blank, byte| blank | (byte <= b' ')) {
        text.push_str(value);
        return;
    }
    for (i, word) in value.split_ascii_whitespace().enumerate() {
        if i > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
}

/// The canonical path of an encoded path.
fn push_path(out: &mut String, path: &str, style: PathStyle) {
    match style {
        PathStyle::Normalized => {
            let start = out.len();
            for segment in normalized(path) {
                out.push('/');
                push_encoded(out, segment.as_bytes());
            }
            if path.ends_with('/') || out.len() == start {
                out.push('/');
            }
        }
        PathStyle::S3 => {
            out.push('/');
            let path = path.strip_prefix('/').unwrap_or(path);
            if path.bytes().all(|byte| byte == b'/' || is_unreserved(byte)) {
                out.push_str(path);
                return;
            }
            for (i, segment) in path.split('/').enumerate() {
                if i > 0 {
                    out.push('/');
                }
                push_encoded(out, &decode(segment));
            }
        }
    }
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
fn push_query(out: &mut String, query: &str, presigned: bool) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(String, String)> = pairs(query)
        .filter(|(name, _)| !(presigned && name.as_ref() == SIGNATURE_PARAMETER.as_bytes()))
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort_unstable();
    for (i, (name, value)) in pairs.iter().enumerate() {
        if i > 0 {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
}

/// The decoded names and values of a query. A `+` is a plus, not a space: it is so for every AWS
/// signer.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
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
pub(super) fn push_encoded(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    for &byte in bytes {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(digit(byte >> 4)));
            out.push(char::from(digit(byte & 0xf)));
        }
    }
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Resolves `%XX`; an incomplete escape stays as it is.
fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
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
    Cow::Owned(out)
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(wire: &str, style: PathStyle) -> String {
        let mut out = String::new();
        push_path(&mut out, wire, style);
        out
    }

    fn query(wire: &str, presigned: bool) -> String {
        let mut out = String::new();
        push_query(&mut out, wire, presigned);
        out
    }

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
