//! What an object is cached under: its path and query, and, where the origin varies its answer, the request's values
//! of the fields it varies by. The origin is one and comes from configuration, so no host is needed; a grant is
//! stripped before, so it is never part of a key.

use std::sync::Arc;

use http::HeaderMap;
use http::header::HeaderName;

/// Ends the path in the key of a variant; cannot stand in a request target.
const MARK: char = '\n';

/// The key of an object.
pub(crate) type Key = Arc<str>;

/// The key of the variant of `path` that a request with `headers` selects (RFC 9111 section 4.1).
pub(crate) fn variant(path: &str, names: &[HeaderName], headers: &HeaderMap) -> Key {
    let mut key = String::with_capacity(path.len() + 32 * names.len());
    key.push_str(path);
    for name in names {
        key.push(MARK);
        key.push_str(name.as_str());
        for value in headers.get_all(name) {
            key.push(':');
            // Bytes that are not text are told apart all the same; a field value has no line feed.
            key.push_str(&value.as_bytes().escape_ascii().to_string());
        }
    }
    key.into()
}

/// The path with query that a key is of.
pub(crate) fn path(key: &str) -> &str {
    key.split_once(MARK).map_or(key, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{ACCEPT_ENCODING, ORIGIN};

    use super::*;

    #[test]
    fn variants_differ_by_the_fields_named_and_nothing_else() {
        let request = |encoding: &'static str, origin: &'static str| {
            HeaderMap::from_iter([
                (ACCEPT_ENCODING, HeaderValue::from_static(encoding)),
                (ORIGIN, HeaderValue::from_static(origin)),
            ])
        };
        let key = |headers: &HeaderMap| variant("/a?b", &[ACCEPT_ENCODING], headers);
        assert_eq!(key(&request("br", "x")), key(&request("br", "y")));
        assert_ne!(key(&request("br", "x")), key(&request("gzip", "x")));
        assert_ne!(key(&request("", "x")), key(&HeaderMap::new()), "an empty field is not an absent one");
        assert_eq!(path(&key(&request("br", "x"))), "/a?b");
        assert_eq!(path("/a?b"), "/a?b");
    }
}
