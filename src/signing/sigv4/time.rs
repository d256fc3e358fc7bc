//! The two forms of time in a signed request: `20150830T123600Z`, and the `Date` header of HTTP.

use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::clock::Timestamp;

/// `20150830T123600Z`
pub(super) fn basic(time: Timestamp) -> String {
    time.iso8601().replace(['-', ':'], "")
}

/// Reads `20150830T123600Z` and nothing else.
pub(super) fn parse_basic(text: &str) -> Option<Timestamp> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.len() != 16 || digits != 14 {
        return None;
    }
    to_timestamp(PrimitiveDateTime::parse(text, &format).ok()?)
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
    use super::*;

    #[test]
    fn both_forms_name_the_same_second() {
        let time = parse_basic("20150830T123600Z").unwrap();
        assert_eq!(time.iso8601(), "2015-08-30T12:36:00Z");
        assert_eq!(basic(time), "20150830T123600Z");
        assert_eq!(parse_http("Sun, 30 Aug 2015 12:36:00 GMT"), Some(time));
    }

    #[test]
    fn other_forms_are_not_read() {
        for text in ["", "20150830", "2015-08-30T12:36:00Z", "20151330T123600Z", "+2015830T123600Z"]
        {
            assert_eq!(parse_basic(text), None, "{text}");
        }
        assert_eq!(parse_http("Sunday, 30-Aug-15 12:36:00 GMT"), None);
    }
}
