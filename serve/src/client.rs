//! Who is asking: the client's address from the connection, or from `X-Forwarded-For` through configured proxies only.

use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderMap;

use crate::limits;

/// `X-Forwarded-For`, which has no registered constant.
pub const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// A network in CIDR notation; a bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: u128,
    mask: u128,
}

/// A text that is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address with an optional prefix length: 10.0.0.0/8, 2001:db8::/32, 192.0.2.7")]
pub struct InvalidNetwork;

impl Network {
    /// Whether `address` belongs to it. An IPv4 address mapped into IPv6 counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.base
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| InvalidNetwork)?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| InvalidNetwork)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(width);
        if length > width {
            return Err(InvalidNetwork);
        }
        // IPv4 lies in the last 32 bits of ::ffff:0:0/96.
        let host_bits = width - length;
        let mask = if host_bits == 128 { 0 } else { u128::MAX << host_bits };
        Ok(Self { base: bits(address) & mask, mask })
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The client's address: the connection's other end, or, while that is a trusted proxy, the address it names: the
/// rightmost of `X-Forwarded-For` that is no trusted proxy itself. A field that is no list of addresses ends the walk.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(client) {
        return client;
    }
    let fields: Vec<&str> =
        headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let hops = fields.iter().rev().flat_map(|field| field.rsplit(',')).take(limits::MAX_FORWARDED_HOPS);
    for hop in hops {
        let Some(address) = parse_hop(hop) else { break };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// An address as proxies write it: bare, `[v6]`, or with a port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare =
        text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(address, _)| address);
    let parsed =
        bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

/// What a client is counted as: an IPv4 address, or the /64 of an IPv6 one, which is what one subscriber gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKey(u128);

impl ClientKey {
    /// Whom those share an allowance with who come when the table of clients is full.
    pub const CROWD: Self = Self(0);

    /// What this address is counted as.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => Self(v6.to_bits() >> 64 << 64),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn seen(peer: &str, fields: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(field).unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        address(ip(peer), &headers, &trusted).to_string()
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        let proxies = &["10.0.0.0/8", "2001:db8::/32"];
        for (peer, fields, client) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.2.3.4, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
            ("10.0.0.1", &["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, junk"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["[2001:db9::5]:80"], "2001:db9::5"),
            ("2001:db8::1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ] {
            assert_eq!(seen(peer, fields, proxies), client, "{peer} {fields:?}");
        }
        assert_eq!(seen("10.0.0.1", &["1.2.3.4"], &[]), "10.0.0.1", "nobody is trusted unless configured");
    }

    #[test]
    fn networks_contain_what_they_say() {
        let contains =
            |network: &str, address: &str| network.parse::<Network>().unwrap().contains(ip(address));
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("10.1.2.3/8", "10.0.0.1"), "host bits are ignored");
        assert!(contains("::/0", "::1") && contains("0.0.0.0/0", "1.2.3.4") && !contains("0.0.0.0/0", "::1"));
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/x", "host"] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork), "{text}");
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_one_client() {
        assert_eq!(ClientKey::of(ip("2001:db8::1")), ClientKey::of(ip("2001:db8::ffff:1")));
        assert_ne!(ClientKey::of(ip("2001:db8::1")), ClientKey::of(ip("2001:db8:0:1::1")));
        assert_ne!(ClientKey::of(ip("192.0.2.1")), ClientKey::of(ip("192.0.2.2")));
        assert_eq!(ClientKey::of(ip("192.0.2.1")), ClientKey::of(ip("::ffff:192.0.2.1")));
    }
}
