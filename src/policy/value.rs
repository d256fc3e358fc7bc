//! Values that are no text: how a text reads as a date or an address.
//! Source: IAM User Guide, reference_policies_elements_condition_operators.

use std::net::IpAddr;

use time::format_description::well_known::Iso8601;
use time::{Date, Month, OffsetDateTime, Time};

/// Nanoseconds since 1970.
pub(super) type Instant = i128;

/// What a text reads as: read once, and asked for by every condition on its key. No text is both: an address
/// has a dot or a colon and no `T`, behind which alone dates have those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reading {
    #[default]
    Word,
    Date(Instant),
    Network(Network),
}

impl Reading {
    pub(super) fn of(text: &str) -> Self {
        // Most values are words, which read as neither and are told by their first characters.
        let Some(first) = text.bytes().next() else { return Self::Word };
        let has = |sign: u8| text.bytes().any(|byte| byte == sign);
        let begins_network = first.is_ascii_hexdigit() || first == b':';
        if begins_network && (has(b'.') || has(b':')) && !has(b'T') {
            return Network::parse(text).map_or(Self::Word, Self::Network);
        }
        let begins_date = first.is_ascii_digit() || matches!(first, b'-' | b'+');
        let date = if begins_date { instant(text) } else { None };
        date.map_or(Self::Word, Self::Date)
    }

    pub(super) fn date(self) -> Option<Instant> {
        match self {
            Self::Date(date) => Some(date),
            _ => None,
        }
    }

    pub(super) fn network(self) -> Option<Network> {
        match self {
            Self::Network(network) => Some(network),
            _ => None,
        }
    }
}

/// A [`date`] to compare with others.
pub(super) fn instant(text: &str) -> Option<Instant> {
    date(text).map(OffsetDateTime::unix_timestamp_nanos)
}

/// Bits that every IPv4 address mapped into IPv6 begins with.
const MAPPED_BITS: u32 = 96;

/// An address block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

/// ISO 8601 as W3C profiles it (NOTE-datetime), a month or a day alone too; or seconds since 1970, which
/// wins over a year alone.
pub(super) fn date(text: &str) -> Option<OffsetDateTime> {
    if let Some(date) = utc_second(text) {
        return Some(date);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return OffsetDateTime::from_unix_timestamp(seconds).ok();
    }
    let with_time = match (text.contains('T'), text.matches('-').count()) {
        (true, _) => text.to_owned(),
        (false, 1) => format!("{text}-01T00:00:00Z"),
        (false, _) => format!("{text}T00:00:00Z"),
    };
    let offset = |tail: &str| tail.contains(['Z', '+', '-']);
    let has_offset = with_time.split_once('T').is_some_and(|(_, tail)| offset(tail));
    let full = if has_offset { with_time } else { format!("{with_time}Z") };
    OffsetDateTime::parse(&full, &Iso8601::PARSING).ok()
}

/// `2026-11-25T08:00:00Z`, the form that requests have, read without allocation.
fn utc_second(text: &str) -> Option<OffsetDateTime> {
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    if !shape.eq(*b"0000-00-00T00:00:00Z") {
        return None;
    }
    let number = |place: usize| text.get(place..place + 2)?.parse::<u8>().ok();
    let year = i32::from(number(0)?) * 100 + i32::from(number(2)?);
    let date =
        Date::from_calendar_date(year, Month::try_from(number(5)?).ok()?, number(8)?).ok()?;
    let time = Time::from_hms(number(11)?, number(14)?, number(17)?).ok()?;
    Some(OffsetDateTime::new_utc(date, time))
}

impl Network {
    /// `10.0.0.0/8`, `2001:db8::/32`; without a length the one address. An IPv4 address or block that is mapped into
    /// IPv6 (`::ffff:10.0.0.0/104`; RFC 4291, section 2.5.5.2) is the IPv4 one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Some(width), |bits| bits.parse().ok())?;
        if bits > width {
            return None;
        }
        let unmapped = match address {
            IpAddr::V6(address) => address.to_ipv4_mapped().zip(bits.checked_sub(MAPPED_BITS)),
            IpAddr::V4(_) => None,
        };
        Some(match unmapped {
            Some((address, bits)) => Self { address: IpAddr::V4(address), bits },
            None => Self { address, bits },
        })
    }

    /// The first and the last address of the block.
    pub(super) fn ends(self) -> (IpAddr, IpAddr) {
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                let first = address.to_bits() & mask;
                (IpAddr::V4(first.into()), IpAddr::V4((first | !mask).into()))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                let first = address.to_bits() & mask;
                (IpAddr::V6(first.into()), IpAddr::V6((first | !mask).into()))
            }
        }
    }

    /// The address as written, which may lie inside of the block, and the block's length in bits.
    pub(super) fn written(self) -> (IpAddr, u32) {
        (self.address, self.bits)
    }

    /// Whether all of `other` is within.
    pub(super) fn covers(self, other: Self) -> bool {
        other.bits >= self.bits && self.holds(other.address)
    }

    fn holds(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                block.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                block.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Protects conditions: the first look at a text turns away nothing that reads as a date or an address.
        #[test]
        fn a_text_reads_as_what_it_is(
            text in "[0-9a-f:T./+-]{0,12}|2026(-1[0-2])?(-0[1-9])?(T[0-9:]{0,8})?Z?|[0-9]{1,3}(\\.[0-9]{1,3}){3}|[a-z0-9:]{0,12}"
        ) {
            let network = Network::parse(&text).filter(|_| text.contains(['.', ':']));
            let date = if network.is_some() { None } else { instant(&text) };
            let reading = Reading::of(&text);
            prop_assert_eq!((reading.network(), reading.date()), (network, date));
        }
    }
}
