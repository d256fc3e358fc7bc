//! How the parts of a session that its caller chooses are packed into the token, and how much room they
//! take: the `PackedPolicySize` of STS.
//!
//! What counts is what callers choose without a small limit of its own: the inline session policy without
//! the white space between its tokens, the ARNs of managed session policies, tags, and the names that an
//! identity provider gave. Texts are packed by a table of phrases that policies and ARNs are made of, one
//! byte each, so that packing needs no history and gives the same bytes on every node; what is in no
//! phrase stands for itself. Keys of tags that are transitive take a bit each.

use std::borrow::Cow;

/// Phrases, by their code: code 1 is the first. Tokens hold these codes: phrases are only ever added at
/// the end, and none is ever changed.
const PHRASES: [&str; CODES.len()] = [
    "{\"Version\":\"2012-10-17\",\"Statement\":[{",
    "{\"Version\":\"2012-10-17\",\"Statement\":{",
    "\"Effect\":\"Allow\"",
    "\"Effect\":\"Deny\"",
    "\"Action\":[\"",
    "\"Action\":\"",
    "\"Resource\":[\"",
    "\"Resource\":\"*\"",
    "\"Resource\":\"",
    "\"Condition\":{",
    "\"NotAction\":",
    "\"NotResource\":",
    "\"Sid\":\"",
    "\"StringEquals\":{\"",
    "\"StringLike\":{\"",
    "\"StringNotEquals\":{\"",
    "ForAnyValue:",
    "ForAllValues:",
    "arn:aws:s3:::",
    "arn:aws:iam::",
    "arn:aws:",
    ":policy/",
    "\"Bool\":{\"",
    "aws:PrincipalTag/",
    "aws:RequestTag/",
    "aws:ResourceTag/",
    "\",\"",
    "\"},{\"",
    "\"],",
    "s3:",
    "ec2:",
    "dynamodb:",
    "sqs:",
    "kms:",
    "lambda:",
    "Object",
    "Describe",
    "List",
    "Get",
    "Put",
    "Delete",
    "Create",
    "aws:",
    "\"]}",
];

/// The bytes that stand for phrases: control characters, which no JSON has outside of its white space, and
/// bytes that are never in UTF-8.
const CODES: [u8; 44] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    27, 28, 29, 30, 31, 0xc0, 0xc1, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe,
    0xff,
];

/// Stands before a control character that means itself.
const LITERAL: u8 = 0;

/// The phrase that a byte stands for.
fn phrase(code: u8) -> Option<&'static str> {
    let index = match code {
        1..=31 => usize::from(code).checked_sub(1)?,
        _ => CODES.iter().position(|known| *known == code)?,
    };
    PHRASES.get(index).copied()
}

/// The longest phrase that the text begins with.
fn longest(text: &str) -> Option<(u8, &'static str)> {
    let known = CODES.iter().copied().zip(PHRASES);
    known.filter(|(_, phrase)| text.starts_with(phrase)).max_by_key(|(_, phrase)| phrase.len())
}

/// Packs a text; `unpacked` gives it back.
pub(super) fn packed(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let taken = match longest(rest) {
            Some((code, phrase)) => {
                bytes.push(code);
                phrase.len()
            }
            None => {
                if u32::from(next) < 32 {
                    bytes.push(LITERAL);
                }
                bytes.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                next.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    bytes
}

/// The text of packed bytes; none if `packed` did not write them. A text is at most as many times longer
/// than its bytes as the longest phrase has characters.
pub(super) fn unpacked(bytes: &[u8]) -> Option<String> {
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(2));
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        match phrase(byte) {
            Some(phrase) => text.extend_from_slice(phrase.as_bytes()),
            None if byte == LITERAL => text.push(bytes.next()?),
            None => text.push(byte),
        }
    }
    String::from_utf8(text).ok()
}

/// A JSON text without the white space between its tokens.
pub(super) fn minified(json: &str) -> Cow<'_, str> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
    if !json.contains(blank) {
        return Cow::Borrowed(json);
    }
    let (mut inside, mut escaped) = (false, false);
    let kept = json.chars().filter(|c| {
        let keep = inside || !blank(*c);
        inside ^= *c == '"' && !escaped;
        escaped = inside && *c == '\\' && !escaped;
        keep
    });
    Cow::Owned(kept.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const READER: &str = r#"{
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
                        "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/a b*"] }]
    }"#;

    /// Protects sessions whose tokens are out: a phrase that changed would change their policies.
    #[test]
    fn phrases_keep_their_codes() {
        let minified = minified(READER);
        // Written down once, and computed apart from this code.
        assert_eq!(
            hex::encode(packed(&minified)),
            "01032c051efaf71b1ef94275636b65741d071370686f746f731b1370686f746f732f6120622aff5d7d"
        );
        assert_eq!(unpacked(&packed(&minified)).unwrap(), minified);
        assert!(packed(&minified).len() * 2 < minified.len(), "{}", packed(&minified).len());
    }

    /// Protects the meaning of policies: white space goes where it means nothing, and only there.
    #[test]
    fn only_space_between_tokens_goes() {
        let text = "{ \"a b\" : \"c \\\" d\\\\\" ,\n\t\"e\" : [ 1 , 2 ] }";
        assert_eq!(minified(text), "{\"a b\":\"c \\\" d\\\\\",\"e\":[1,2]}");
        let before: serde_json::Value = serde_json::from_str(READER).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&minified(READER)).unwrap(), before);
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "(?s).{0,200}", json in "[\"{}:,A-Za-z\\\\ \u{0}-\u{1f}]{0,80}") {
            prop_assert_eq!(unpacked(&packed(&text)).unwrap(), text);
            prop_assert_eq!(unpacked(&packed(&json)).unwrap(), json);
        }

        #[test]
        fn no_bytes_make_unpacking_panic(bytes in any::<Vec<u8>>()) {
            let _ = unpacked(&bytes);
        }
    }
}
