//! What comes after an object, as its origin says: `Link: <00013.m4s>; rel="next"` (RFC 8288).

use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use http::header::LINK;

/// The object that follows.
#[derive(Debug)]
pub(crate) struct Next {
    /// Its path.
    pub(crate) target: Box<str>,
    taken: AtomicBool,
}

impl Next {
    /// The first `next` among the links of an answer for `path`, if it is a plain name beside it.
    pub(crate) fn of(headers: &HeaderMap, path: &str) -> Option<Self> {
        let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        let name = links.flat_map(|value| value.split(',')).find_map(next_name)?;
        let (folder, _) = path.split_once('?').map_or(path, |(path, _)| path).rsplit_once('/')?;
        Some(Self { target: format!("{folder}/{name}").into(), taken: AtomicBool::new(false) })
    }

    /// Whether the caller is the first to want it.
    pub(crate) fn take(&self) -> bool {
        !self.taken.load(Ordering::Relaxed) && !self.taken.swap(true, Ordering::Relaxed)
    }
}

/// The name in a link whose relation is `next`.
fn next_name(link: &str) -> Option<&str> {
    let (reference, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|parameter| {
        let (name, value) = parameter.trim().split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("rel")
            && value
                .trim()
                .trim_matches('"')
                .split_ascii_whitespace()
                .any(|rel| rel.eq_ignore_ascii_case("next"))
    });
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (is_next && !reference.is_empty() && !reference.starts_with('.') && reference.bytes().all(plain))
        .then_some(reference)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn next(link: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_static(link))]);
        Next::of(&headers, "/media/a/1/3-1/v360/00012.m4s?x=/y").map(|next| next.target.into())
    }

    #[test]
    fn the_next_object_lies_beside_this_one() {
        let beside = Some("/media/a/1/3-1/v360/00013.m4s".to_owned());
        assert_eq!(next("<00013.m4s>; rel=\"next\""), beside);
        assert_eq!(next("<x.css>; rel=preload, <00013.m4s> ; Rel=\"prefetch next\""), beside);
    }

    #[test]
    fn other_links_are_not_followed() {
        for link in [
            "<00013.m4s>",
            "<00013.m4s>; rel=prev",
            "<>; rel=next",
            "<..>; rel=next",
            "<../b/00013.m4s>; rel=next",
            "</internal/keys>; rel=next",
            "<http://elsewhere/x>; rel=next",
            "<a?b>; rel=next",
            "<a%2fb>; rel=next",
            "00013.m4s; rel=next",
        ] {
            assert_eq!(next(link), None, "{link}");
        }
    }

    #[test]
    fn only_the_first_viewer_has_it_fetched() {
        let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_static("<b>; rel=next"))]);
        let next = Next::of(&headers, "/media/a").unwrap();
        assert!(next.take());
        assert!(!next.take());
    }
}
