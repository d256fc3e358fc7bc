//! Where keys may be fetched from. Accounts choose the URLs and strangers cause the fetches, so that a URL
//! must not lead to what only this host can reach: the metadata service, link-local and loopback addresses,
//! and, unless the operator says so, private networks. What a name resolves to is judged, not the name, and
//! the connection goes to the judged address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

/// Which networks issuers may be in.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Public addresses alone.
    #[default]
    Public,
    /// Private networks as well (RFC 1918, 4193, 6598).
    Private,
    /// Loopback addresses as well, without TLS too: for tests.
    Loopback,
}

/// Why keys are not fetched from somewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL that is taken.
    #[error("the URL must be `https://` and a host, with an optional port, path and query")]
    Url,
    /// Without TLS.
    #[error("the URL must be `https://`")]
    Plain,
    /// An address that is not in reach.
    #[error("the host has an address that keys are not fetched from")]
    Address,
}

/// A URL that keys can be fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is no URL of HTTPS, or of HTTP on a loopback address in reach.
    pub fn parse(text: &str, reach: Reach) -> Result<Self, EndpointError> {
        let uri: Uri = text.parse().map_err(|_| EndpointError::Url)?;
        let authority = uri.authority().ok_or(EndpointError::Url)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(EndpointError::Url);
        }
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if reach == Reach::Loopback && is_loopback(&host) => false,
            Some("http") => return Err(EndpointError::Plain),
            _ => return Err(EndpointError::Url),
        };
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let endpoint = Self { uri, host, port, tls };
        if let Ok(address) = endpoint.host.parse::<IpAddr>()
            && !in_reach(address, reach)
        {
            return Err(EndpointError::Address);
        }
        Ok(endpoint)
    }

    /// The host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is under TLS.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// What stands in the `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.uri.authority().map(http::uri::Authority::as_str).unwrap_or_default()
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether keys may be fetched from an address.
pub(super) fn in_reach(address: IpAddr, reach: Reach) -> bool {
    match address {
        IpAddr::V4(address) => v4_in_reach(address, reach),
        IpAddr::V6(address) => v6_in_reach(address, reach),
    }
}

/// IANA's registry of special addresses (RFC 6890), by what it takes to reach them.
fn v4_in_reach(address: Ipv4Addr, reach: Reach) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, ..) => reach >= Reach::Loopback,
        (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => {
            reach >= Reach::Private
        }
        // This network, link-local with the metadata service, protocol assignments, tests and benchmarks,
        // multicast and what is reserved.
        (0, ..)
        | (169, 254, _)
        | (192, 0, 0 | 2)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113)
        | (224..=255, ..) => false,
        _ => true,
    }
}

/// The metadata service of EC2 has an address among the private ones.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn v6_in_reach(address: Ipv6Addr, reach: Reach) -> bool {
    let [first, second, third, .., seventh, eighth] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        v4_in_reach(Ipv4Addr::new(a, b, c, d), reach)
    };
    if address == METADATA_V6 {
        return false;
    }
    if address.is_loopback() {
        return reach >= Reach::Loopback;
    }
    match first {
        0xfc00..=0xfdff => reach >= Reach::Private,
        // Addresses of version 4 in other clothes: mapped and compatible, NAT64, 6to4.
        0 => embedded(seventh, eighth),
        0x64 if second == 0xff9b => embedded(seventh, eighth),
        0x2002 => embedded(second, third),
        // Global unicast but for protocol assignments (Teredo among them) and documentation.
        0x2001 => second > 0x1ff && second != 0xdb8,
        0x2000..=0x3fff => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(address: &str, reach: Reach) -> bool {
        in_reach(address.parse().unwrap(), reach)
    }

    /// Protects the metadata service, and what only this host reaches, from URLs that accounts register.
    #[test]
    fn special_addresses_are_out_of_reach() {
        for never in [
            "169.254.169.254",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "192.0.0.192",
            "fe80::1",
            "fd00:ec2::254",
            "::",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "ff02::1",
            "2001:0:1::1",
            "::169.254.169.254",
        ] {
            assert!(!reached(never, Reach::Loopback), "{never}");
        }
        for private in
            ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1"]
        {
            assert!(!reached(private, Reach::Public), "{private}");
            assert!(reached(private, Reach::Private), "{private}");
        }
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(!reached(loopback, Reach::Private), "{loopback}");
            assert!(reached(loopback, Reach::Loopback), "{loopback}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "2001:4860::8888"] {
            assert!(reached(public, Reach::Public), "{public}");
        }
    }

    /// Protects the connection: HTTPS alone, but for loopback where the operator allows it; nothing in the
    /// URL hides another host.
    #[test]
    fn only_https_urls_are_taken() {
        let parse = |text, reach| Endpoint::parse(text, reach);
        let good = parse("https://id.example.com:8443/keys?p=1", Reach::Public).unwrap();
        assert_eq!(
            (good.host(), good.port(), good.target()),
            ("id.example.com", 8443, "/keys?p=1")
        );
        assert_eq!(parse("http://id.example.com/", Reach::Loopback), Err(EndpointError::Plain));
        assert_eq!(parse("http://127.0.0.1/", Reach::Private), Err(EndpointError::Plain));
        assert!(!parse("http://127.0.0.1:1/", Reach::Loopback).unwrap().tls());
        assert_eq!(parse("https://127.0.0.1/", Reach::Public), Err(EndpointError::Address));
        assert_eq!(
            parse("https://[::ffff:169.254.169.254]/", Reach::Loopback),
            Err(EndpointError::Address)
        );
        for bad in ["", "/keys", "ftp://a/", "https://a@b/", "https:///a", "file:///etc/passwd"] {
            assert_eq!(parse(bad, Reach::Loopback), Err(EndpointError::Url), "{bad}");
        }
    }
}
