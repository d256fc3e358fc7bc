//! Values that are no text: numbers, dates, booleans, bytes and addresses.
//! Source: IAM User Guide, reference_policies_elements_condition_operators.

use std::cmp::Ordering;
use std::net::Ipv6Addr;

/// Whether `given` matches one of the values. A word is no number and no date, and so equals none.
pub(super) fn matched(operator: &str, given: &str, expected: &[String]) -> bool {
    expected.iter().any(|expected| compare(operator, given, expected) == Some(true))
}

/// Whether `given` is what the operator compares; any text is it for all but addresses.
pub(super) fn can_be_compared(operator: &str, given: &str) -> bool {
    operator != "ipaddress" || bits(given).is_some()
}

fn compare(operator: &str, given: &str, expected: &str) -> Option<bool> {
    let holds = |ordering: Ordering, comparison: &str| match comparison {
        "equals" => ordering == Ordering::Equal,
        "lessthan" => ordering == Ordering::Less,
        "lessthanequals" => ordering != Ordering::Greater,
        "greaterthan" => ordering == Ordering::Greater,
        _ => ordering != Ordering::Less,
    };
    if let Some(comparison) = operator.strip_prefix("numeric") {
        return Some(holds(ordered(&number(given)?, &number(expected)?), comparison));
    }
    if let Some(comparison) = operator.strip_prefix("date") {
        return Some(holds(seconds(given)?.partial_cmp(&seconds(expected)?)?, comparison));
    }
    match operator {
        "bool" => Some(truth(given) == truth(expected)),
        "binaryequals" => Some(bytes(given)? == bytes(expected)?),
        _ => {
            let (given, block) = (bits(given)?, bits(expected)?);
            Some(given.0 == block.0 && given.1.starts_with(&block.1))
        }
    }
}

/// A number written out: whether it is below zero, and its digits before and after the point.
type Digits = (bool, String, String);

fn number(text: &str) -> Option<Digits> {
    let (below, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let text = text.to_lowercase();
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{part}");
    if all.is_empty() || !all.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let power: i32 = power.parse().ok()?;
    let (mut whole, mut part) = (whole.to_owned(), part.to_owned());
    for _ in 0..power {
        whole.push(if part.is_empty() { '0' } else { part.remove(0) });
    }
    for _ in power..0 {
        part.insert(0, whole.pop().unwrap_or('0'));
    }
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    let is_zero = whole.is_empty() && part.is_empty();
    Some((below && !is_zero, whole.to_owned(), part.to_owned()))
}

/// As one learns at school: the longer number is the larger one, else the first digit that differs tells.
fn ordered(a: &Digits, b: &Digits) -> Ordering {
    let size = |number: &Digits| (number.1.len(), number.1.clone(), number.2.clone());
    match (a.0, b.0) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (true, true) => size(b).cmp(&size(a)),
        (false, false) => size(a).cmp(&size(b)),
    }
}

/// Any text but `true` is false.
fn truth(text: &str) -> bool {
    text.to_lowercase() == "true"
}

/// Base64 (RFC 4648, section 4): the bits of the characters in a row.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bits = String::new();
    for digit in digits.chars() {
        let all = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']);
        let value = all.into_iter().position(|other| other == digit)?;
        bits.push_str(&format!("{value:06b}"));
    }
    let whole = bits.len() / 8 * 8;
    let rest = bits.split_off(whole);
    if rest.contains('1') {
        return None;
    }
    let byte = |chunk: &[u8]| u8::from_str_radix(std::str::from_utf8(chunk).ok()?, 2).ok();
    bits.as_bytes().chunks(8).map(byte).collect()
}

/// Seconds since 1970, as such or as a month, a day, or a day and a time: `2026-11-25T08:00:00Z`.
fn seconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds as f64);
    }
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let numbers = |text: &str, separator| -> Option<Vec<i64>> {
        text.split(separator).map(|part| part.parse().ok()).collect()
    };
    let (date, time) = (numbers(date, '-')?, numbers(time.strip_suffix('Z')?, ':')?);
    let (year, month, day) = match date[..] {
        [year, month, day] => (year, month, day),
        [year, month] => (year, month, 1),
        _ => return None,
    };
    let [hour, minute, second] = time[..] else { return None };
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let month_days = |month: i64| match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let years: i64 = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    let months: i64 = (1..month).map(month_days).sum();
    let days = years + months + day - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) as f64)
}

/// The version of an address block and the bits that its members begin with.
fn bits(text: &str) -> Option<(u8, String)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<usize>().ok()?)),
        None => (text, None),
    };
    let (version, mut bits) = match address.parse::<Ipv6Addr>() {
        Ok(address) => (6, format!("{:0128b}", u128::from(address))),
        Err(_) => {
            let octets: Vec<u8> =
                address.split('.').map(|octet| octet.parse().ok()).collect::<Option<_>>()?;
            let [a, b, c, d] = octets[..] else { return None };
            (4, format!("{a:08b}{b:08b}{c:08b}{d:08b}"))
        }
    };
    let length = length.unwrap_or(bits.len());
    if length > bits.len() {
        return None;
    }
    bits.truncate(length);
    // An address of version 4 within version 6 begins with 80 zeros and 16 ones.
    let mapped = format!("{}{}", "0".repeat(80), "1".repeat(16));
    match bits.strip_prefix(&mapped) {
        Some(rest) if version == 6 => Some((4, rest.to_owned())),
        _ => Some((version, bits)),
    }
}
