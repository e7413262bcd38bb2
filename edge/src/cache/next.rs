//! What comes after an object, as its origin says: `Link: <00013.m4s>; rel="next"` (RFC 8288).

use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use http::header::LINK;

use crate::limits;

/// The object that follows.
#[derive(Debug)]
pub(crate) struct Next {
    /// Its path.
    pub(crate) target: Box<str>,
    taken: AtomicBool,
}

impl Next {
    /// The first `next` among the links of an answer for `path`, if it is a plain name beside it or in a folder that
    /// is at most [`limits::NEXT_LEVELS`] up.
    pub(crate) fn of(headers: &HeaderMap, path: &str) -> Option<Self> {
        let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        let reference = links.flat_map(|value| value.split(',')).find_map(next_reference)?;
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let target = resolve(path, reference)?.into();
        Some(Self { target, taken: AtomicBool::new(false) })
    }

    /// Whether somebody has wanted it already.
    pub(crate) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether the caller is the first to want it.
    pub(crate) fn take(&self) -> bool {
        !self.taken.swap(true, Ordering::Relaxed)
    }
}

/// Where a relative reference leads from `path`: a few folders up, never to the root, and down by plain names.
fn resolve(path: &str, mut reference: &str) -> Option<String> {
    let (mut folder, _) = path.rsplit_once('/')?;
    for _ in 0..limits::NEXT_LEVELS {
        let Some(rest) = reference.strip_prefix("../") else { break };
        (folder, reference) = (folder.rsplit_once('/')?.0, rest);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is_name = |name: &str| !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain);
    (!folder.is_empty() && reference.split('/').all(is_name)).then(|| format!("{folder}/{reference}"))
}

/// The reference in a link whose relation is `next`.
fn next_reference(link: &str) -> Option<&str> {
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
    is_next.then_some(reference)
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
    fn it_may_lie_in_the_folder_of_the_next_chunk() {
        let there = Some("/media/a/1/9-1/v360/00000.m4s".to_owned());
        assert_eq!(next("<../../9-1/v360/00000.m4s>; rel=next"), there);
    }

    #[test]
    fn other_links_are_not_followed() {
        for link in [
            "<00013.m4s>",
            "<00013.m4s>; rel=prev",
            "<>; rel=next",
            "<..>; rel=next",
            "<../../../2/9-1/v360/00000.m4s>; rel=next",
            "<../a/../../b>; rel=next",
            "<a//b>; rel=next",
            "<a/>; rel=next",
            "<../>; rel=next",
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
