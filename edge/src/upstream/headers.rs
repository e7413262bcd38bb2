//! Which header fields cross the edge, and which end at it (RFC 9110 section 7.6.1).

use std::net::IpAddr;

use http::HeaderValue;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use tidegate_wire::headers as own;

use tidegate_serve::client::X_FORWARDED_FOR;

/// What the edge calls itself in `Via`.
const VIA_VALUE: HeaderValue = HeaderValue::from_static("1.1 tidegate");

/// Fields of one connection, never of the message beyond it.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        *name,
        CONNECTION | PROXY_AUTHENTICATE | PROXY_AUTHORIZATION | TE | TRAILER | TRANSFER_ENCODING | UPGRADE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Fields that ask for a part of an object or attach a condition: the edge answers them itself.
pub(crate) fn is_selective(name: &HeaderName) -> bool {
    matches!(*name, RANGE | IF_RANGE | IF_MATCH | IF_NONE_MATCH | IF_MODIFIED_SINCE | IF_UNMODIFIED_SINCE)
}

/// Takes out what ends at this hop, with the fields `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    let gone: Vec<HeaderName> = headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// A viewer's fields as the origin gets them with a request that is passed on: everything end to end, ourselves in
/// `Via`, the viewer's end of the connection in `X-Forwarded-For`. `Host` is the origin's own and set by the client.
pub(crate) fn passed_on(viewer: &HeaderMap, peer: IpAddr) -> HeaderMap {
    let mut headers = viewer.clone();
    strip_hop_by_hop(&mut headers);
    headers.remove(HOST);
    headers.remove(EXPECT);
    headers.remove(own::FLEET_KEY);
    headers.append(VIA, VIA_VALUE);
    append_forwarded_for(&mut headers, peer);
    headers
}

/// The same for a request whose answer may be stored: without body, and without what selects a part.
pub(crate) fn for_object(viewer: &HeaderMap, peer: IpAddr) -> HeaderMap {
    let mut headers = passed_on(viewer, peer);
    let gone: Vec<HeaderName> = headers.keys().filter(|name| is_selective(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
    headers.remove(CONTENT_LENGTH);
    headers
}

/// The fields of a request inside the fleet: nothing of the viewer's, so that nothing of it can shape what is stored.
pub(crate) fn for_fleet(fleet_key: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(VIA, VIA_VALUE);
    if let Some(key) = fleet_key {
        headers.insert(own::FLEET_KEY, key.clone());
    }
    headers
}

fn append_forwarded_for(headers: &mut HeaderMap, peer: IpAddr) {
    let peer = peer.to_canonical().to_string();
    let before: Vec<&str> =
        headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let list = if before.is_empty() { peer } else { format!("{}, {peer}", before.join(", ")) };
    // Text of addresses and of values that were valid before.
    if let Ok(value) = HeaderValue::from_maybe_shared(list) {
        headers.insert(X_FORWARDED_FOR, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_here_does_not_cross() {
        let viewer: HeaderMap = [
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("host", "edge"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("tidegate-fleet-key", "stolen"),
            ("cookie", "a=b"),
            ("range", "bytes=0-1"),
            ("if-none-match", "*"),
            ("x-forwarded-for", "198.51.100.7"),
            ("via", "1.1 before"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        let show = |headers: &HeaderMap| {
            let mut lines: Vec<_> =
                headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            lines.sort();
            lines
        };
        let peer = "192.0.2.1".parse().unwrap();
        let object = for_object(&viewer, peer);
        assert_eq!(
            show(&object),
            [
                "cookie: a=b",
                "via: 1.1 before",
                "via: 1.1 tidegate",
                "x-forwarded-for: 198.51.100.7, 192.0.2.1"
            ]
        );
        let passed = passed_on(&viewer, peer);
        assert_eq!(passed.get(RANGE), Some(&HeaderValue::from_static("bytes=0-1")));
        assert!(!passed.contains_key(own::FLEET_KEY));
        assert_eq!(for_object(&HeaderMap::new(), peer)[X_FORWARDED_FOR], "192.0.2.1");
    }
}
