//! Answers made comparable: what differs from call to call, and what a request named, gives way to what it is.

use super::estate::{NO_ACCOUNT, NOBODY, SHUT, THEIRS};

/// Characters of a run that can only be drawn, derived or sealed: ids of requests, secrets, tokens.
const DRAWN_MIN: usize = 32;
/// Characters of the shortest id, which is an address.
const ID_MIN: usize = 8;
/// How ids that are drawn begin, and the number of characters behind.
const IDS: [(&str, usize); 11] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("AROA", 16),
    ("AIDA", 16),
    ("AGPA", 16),
    ("AIPA", 16),
    ("ANPA", 16),
    ("AMFA", 16),
    ("iip-assoc-", 17),
    ("i-", 17),
    ("r-", 17),
];
/// Fields whose values are numbers of the log.
const SEQUENCES: [&str; 3] = ["\"sequence\": \"", "\"nextSequence\": \"", "\"nextPageToken\": \""];

/// `text` without what was drawn, when it was, and which of the two names it was asked with.
pub(crate) fn scrubbed(text: &str, asked: &str, account: &str) -> String {
    let mut text = text.to_owned();
    let shut = format!("role/{THEIRS}-{SHUT}");
    text = text.replace(&shut, &format!("role/{THEIRS}-role"));
    let parts =
        [(THEIRS, "{stem}"), (NOBODY, "{stem}"), (account, "{account}"), (NO_ACCOUNT, "{account}")];
    // An id, which has none of the parts of names.
    if asked.len() >= ID_MIN && !parts.iter().any(|(part, _)| asked.contains(part)) {
        text = text.replace(asked, "{asked}");
    }
    for (found, shown) in parts {
        text = text.replace(found, shown);
    }
    if text.contains("<QRCodePNG>") {
        // An image is as long as it can be compressed.
        text = without_numbers(&text, "content-length: ");
    }
    for field in SEQUENCES {
        text = without_numbers(&text, field);
    }
    without_drawn(&without_times(&text))
}

fn without_numbers(text: &str, field: &str) -> String {
    let mut parts = text.split(field);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept += field;
        kept += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    kept
}

/// ISO 8601 becomes `{time}`.
fn without_times(text: &str) -> String {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let (bytes, mut kept, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let found = bytes.get(at..at + FORM.len()).is_some_and(|part| {
            part.iter().zip(FORM).all(|(c, form)| match form {
                b'd' => c.is_ascii_digit(),
                form => c == form,
            })
        });
        if !found {
            kept.push(bytes[at]);
            at += 1;
            continue;
        }
        kept.extend(b"{time}");
        at += FORM.len();
        while bytes.get(at).is_some_and(|c| c.is_ascii_digit() || b".Z".contains(c)) {
            at += 1;
        }
    }
    String::from_utf8(kept).unwrap()
}

/// Runs of characters that were drawn become `{drawn}`, ids keep how they begin.
fn without_drawn(text: &str) -> String {
    let mut kept = String::new();
    let in_run = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !in_run(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        kept += &shown(run);
        let next = after.find(in_run).unwrap_or(after.len());
        kept += &after[..next];
        rest = &after[next..];
    }
    kept
}

fn shown(run: &str) -> String {
    // Seconds and milliseconds since 1970.
    if matches!(run.len(), 10 | 13) && run.bytes().all(|c| c.is_ascii_digit()) {
        return "{time}".to_owned();
    }
    // As names begin that requests gave to what they made.
    if let Some(number) = run.split("unique-").nth(1)
        && let Some(digits) = number.get(..4)
    {
        return run.replace(digits, "{number}");
    }
    let last = run.rsplit('/').next().unwrap_or(run);
    for (prefix, length) in IDS {
        if let Some(id) = last.strip_prefix(prefix)
            && id.len() == length
        {
            return run.replace(id, "{drawn}");
        }
    }
    if run.len() >= DRAWN_MIN { "{drawn}".to_owned() } else { run.to_owned() }
}

/// Protects the comparison: what may differ from call to call gives way, and nothing else does.
#[test]
fn only_what_is_drawn_or_asked_gives_way() {
    const ACCOUNT: &str = "222222222222";
    let same = |one: &str, other: &str| {
        scrubbed(one, "i-0123456789abcdef0", ACCOUNT)
            == scrubbed(other, "i-1234567890abcdef1", ACCOUNT)
    };
    let error = |id: &str| format!("the instance ID '{id}' does not exist");
    assert!(same(&error("i-0123456789abcdef0"), &error("i-1234567890abcdef1")));
    assert!(same("role/theirs-role in 222222222222", "role/unborn-role in 404404404404"));
    assert!(same("{time} AROA7777777777777777", "{time} AROA3333333333333333"));
    assert!(same("at 2026-11-25T17:12:00.5Z", "at 2026-11-26T00:00:00Z"));
    for (one, other) in [
        ("NoSuchEntity: role", "AccessDenied: role"),
        ("the role cannot be found", "the role cannot be found."),
        ("team red", "team"),
        ("because no identity-based policy", "because no resource-based policy"),
        ("content-length: 300", "content-length: 301"),
        ("AROA7777777777777777", "AIDA7777777777777777"),
        ("theirs-role theirs-role", "unborn-role"),
    ] {
        assert!(!same(one, other), "{one} and {other}");
    }
}
