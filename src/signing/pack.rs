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

/// For each byte, the phrases that begin with it: bit n for the nth.
#[expect(
    clippy::indexing_slicing,
    reason = "computed when compiling, where a wrong index is an error"
)]
const BEGINNING: [u64; 256] = {
    let mut beginning = [0; 256];
    let mut index = 0;
    while index < PHRASES.len() {
        beginning[PHRASES[index].as_bytes()[0] as usize] |= 1 << index;
        index += 1;
    }
    beginning
};

/// The phrase that a byte stands for.
fn phrase(code: u8) -> Option<&'static str> {
    let index = match code {
        1..=31 => code - 1,
        0xc0 | 0xc1 => code - 0xc0 + 31,
        0xf5..=0xff => code - 0xf5 + 33,
        _ => return None,
    };
    PHRASES.get(usize::from(index)).copied()
}

/// The longest phrase that the bytes, of which `first` is the first, begin with.
fn longest(first: u8, bytes: &[u8]) -> Option<(u8, &'static str)> {
    let mut candidates = BEGINNING.get(usize::from(first)).copied().unwrap_or_default();
    let mut found: Option<(u8, &'static str)> = None;
    while candidates != 0 {
        let index = usize::try_from(candidates.trailing_zeros()).unwrap_or(usize::MAX);
        candidates &= candidates - 1;
        if let (Some(&code), Some(&phrase)) = (CODES.get(index), PHRASES.get(index))
            && found.is_none_or(|(_, longer)| phrase.len() > longer.len())
            && bytes.starts_with(phrase.as_bytes())
        {
            found = Some((code, phrase));
        }
    }
    found
}

/// Appends a text as packed; `unpacked` gives it back.
pub(super) fn pack(bytes: &mut Vec<u8>, text: &str) {
    // Phrases begin with ASCII, so that none begins within a character.
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if let Some((code, phrase)) = longest(first, rest) {
            bytes.push(code);
            rest = rest.get(phrase.len()..).unwrap_or_default();
        } else {
            if first < 32 {
                bytes.push(LITERAL);
            }
            bytes.push(first);
            rest = after;
        }
    }
}

/// The text of packed bytes; none if `pack` did not write them. A text is at most as many times longer
/// than its bytes as the longest phrase has characters.
pub(super) fn unpacked(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if !bytes.iter().any(|byte| *byte == LITERAL || phrase(*byte).is_some()) {
        return std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    }
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(2));
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        match phrase(byte) {
            Some(phrase) => text.extend_from_slice(phrase.as_bytes()),
            None if byte == LITERAL => text.push(bytes.next()?),
            None => text.push(byte),
        }
    }
    String::from_utf8(text).ok().map(Cow::Owned)
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

    fn packed(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(&mut bytes, text);
        bytes
    }

    const READER: &str = r#"{
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
                        "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/a b*"] }]
    }"#;

    /// Protects sessions whose tokens are out: a phrase that changed would change their policies.
    #[test]
    fn phrases_keep_their_codes() {
        for (code, text) in CODES.into_iter().zip(PHRASES) {
            assert_eq!((phrase(code), packed(text)), (Some(text), vec![code]));
        }
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
            for text in [text, json] {
                let packed = packed(&text);
                prop_assert_eq!(unpacked(&packed).unwrap(), text);
            }
        }

        #[test]
        fn no_bytes_make_unpacking_panic(bytes in any::<Vec<u8>>()) {
            let _ = unpacked(&bytes);
        }
    }
}
