//! The two forms of time in a signed request: `20150830T123600Z`, and the `Date` header of HTTP.

use std::fmt;

use time::macros::format_description;
use time::{Date, Month, PrimitiveDateTime, Time};

use crate::clock::Timestamp;

/// `20150830T123600Z` in place: every request that is verified needs one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct BasicTime([u8; BASIC_CHARS]);

const BASIC_CHARS: usize = 16;

impl BasicTime {
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// `20150830`
    pub(super) fn day(&self) -> &str {
        self.as_str().get(..8).unwrap_or_default()
    }
}

impl fmt::Display for BasicTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `20150830T123600Z`; the last second of the year 9999 for what no such text can name.
pub(super) fn basic(time: Timestamp) -> BasicTime {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = time.digits().unwrap_or(*b"99991231235959");
    BasicTime([a, b, c, d, e, f, g, h, b'T', i, j, k, l, m, n, b'Z'])
}

/// Reads `20150830T123600Z` and nothing else.
pub(super) fn parse_basic(text: &str) -> Option<Timestamp> {
    let &[a, b, c, d, e, f, g, h, b'T', i, j, k, l, m, n, b'Z'] = text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u16, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0'))
        })
    };
    let pair = |tens, ones| number(&[tens, ones]).and_then(|pair| u8::try_from(pair).ok());
    let month = Month::try_from(pair(e, f)?).ok()?;
    let date = Date::from_calendar_date(number(&[a, b, c, d])?.into(), month, pair(g, h)?).ok()?;
    let time = Time::from_hms(pair(i, j)?, pair(k, l)?, pair(m, n)?).ok()?;
    to_timestamp(PrimitiveDateTime::new(date, time))
}

/// Reads `Sun, 30 Aug 2015 12:36:00 GMT` (RFC 9110, IMF-fixdate).
pub(super) fn parse_http(text: &str) -> Option<Timestamp> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    to_timestamp(PrimitiveDateTime::parse(text, &format).ok()?)
}

fn to_timestamp(time: PrimitiveDateTime) -> Option<Timestamp> {
    let seconds = time.assume_utc().unix_timestamp();
    (0..=253_402_300_799).contains(&seconds).then(|| Timestamp::from_unix_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_name_the_same_second() {
        let time = parse_basic("20150830T123600Z").unwrap();
        assert_eq!(time.iso8601(), "2015-08-30T12:36:00Z");
        assert_eq!(basic(time).as_str(), "20150830T123600Z");
        assert_eq!(basic(time).day(), "20150830");
        assert_eq!(parse_http("Sun, 30 Aug 2015 12:36:00 GMT"), Some(time));
    }

    #[test]
    fn other_forms_are_not_read() {
        for text in [
            "",
            "20150830",
            "2015-08-30T12:36:00Z",
            "20151330T123600Z",
            "20150230T123600Z",
            "20150830T243600Z",
            "+2015830T123600Z",
            "20150830 123600Z",
            "20150830T1236000",
        ] {
            assert_eq!(parse_basic(text), None, "{text}");
        }
        assert_eq!(parse_http("Sunday, 30-Aug-15 12:36:00 GMT"), None);
    }

    proptest! {
        /// Protects the scope's day: the digits written here are those of the calendar.
        #[test]
        fn what_is_written_is_read_back(seconds in 0_i64..253_402_300_800) {
            let time = Timestamp::from_unix_seconds(seconds);
            let text = basic(time);
            prop_assert_eq!(text.as_str(), time.iso8601().replace(['-', ':'], ""));
            prop_assert_eq!(parse_basic(text.as_str()), Some(time));
        }
    }
}
