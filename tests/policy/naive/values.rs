//! Values that are no text: numbers, dates, booleans, bytes and addresses.
//! Source: IAM User Guide, reference_policies_elements_condition_operators.

use std::net::Ipv6Addr;

/// Whether `given` matches one of the values; none if it is not of the operator's type, or if none of the
/// values is, of which `unresolved` says that there was one with a variable that has no value.
pub(super) fn matched(
    operator: &str,
    given: &str,
    expected: &[String],
    unresolved: bool,
) -> Option<bool> {
    let results: Vec<Option<bool>> =
        expected.iter().map(|expected| compare(operator, given, expected)).collect();
    if results.contains(&Some(true)) {
        return Some(true);
    }
    let nothing_to_match = expected.is_empty() && !unresolved && is_of_type(operator, given);
    (nothing_to_match || results.contains(&Some(false))).then_some(false)
}

fn compare(operator: &str, given: &str, expected: &str) -> Option<bool> {
    let ordered = |given: f64, expected: f64, comparison: &str| match comparison {
        "equals" => given == expected,
        "lessthan" => given < expected,
        "lessthanequals" => given <= expected,
        "greaterthan" => given > expected,
        _ => given >= expected,
    };
    if let Some(comparison) = operator.strip_prefix("numeric") {
        return Some(ordered(number(given)?, number(expected)?, comparison));
    }
    if let Some(comparison) = operator.strip_prefix("date") {
        return Some(ordered(seconds(given)?, seconds(expected)?, comparison));
    }
    match operator {
        "bool" => Some(truth(given)? == truth(expected)?),
        "binaryequals" => Some(bytes(given)? == bytes(expected)?),
        _ => {
            let (given, block) = (bits(given)?, bits(expected)?);
            Some(given.0 == block.0 && given.1.starts_with(&block.1))
        }
    }
}

fn is_of_type(operator: &str, given: &str) -> bool {
    compare(operator, given, given).is_some()
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn truth(text: &str) -> Option<bool> {
    text.to_lowercase().parse().ok()
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
    Some((version, bits))
}
