//! What part of a representation a request selects: preconditions and ranges (RFC 9110 sections 13 and 14), as pure functions.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{
    HeaderMap, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderValue, Method};
use tidegate_wire::range::{RangeError, RangeSet, RangeSpec};
use tidegate_wire::{ByteRange, Code};

use crate::limits;

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// 200 with all of it.
    All,
    /// 206 with one part.
    Part(ByteRange),
    /// 206 with several parts as `multipart/byteranges`.
    Parts(Vec<ByteRange>),
    /// 304.
    NotModified,
    /// 412.
    PreconditionFailed,
    /// 416.
    Unsatisfiable(Code),
}

/// The validators of an object.
#[derive(Debug, Clone, Copy)]
pub struct Validators<'a> {
    /// `ETag`
    pub etag: Option<&'a HeaderValue>,
    /// `Last-Modified`
    pub last_modified: Option<&'a HeaderValue>,
}

/// Decides for a GET or HEAD of an object of `size` bytes.
pub fn select(method: &Method, headers: &HeaderMap, validators: Validators<'_>, size: u64) -> Selection {
    if let Some(selection) = precondition(headers, validators) {
        return selection;
    }
    let Some(range) = headers.get(RANGE).filter(|_| *method == Method::GET) else { return Selection::All };
    if !if_range_holds(headers, validators) {
        return Selection::All;
    }
    match range.to_str().map_err(|_| RangeError::Invalid).and_then(|field| resolve(field, size)) {
        Ok(None) => Selection::All,
        Ok(Some(mut ranges)) if ranges.len() == 1 => ranges.pop().map_or(Selection::All, Selection::Part),
        Ok(Some(ranges)) => Selection::Parts(ranges),
        Err(error) => Selection::Unsatisfiable(code(error)),
    }
}

fn resolve(field: &str, size: u64) -> Result<Option<Vec<ByteRange>>, RangeError> {
    RangeSet::parse(field, limits::MAX_RANGES)?.map(|set| set.resolve(size)).transpose()
}

/// The code a bad `Range` is answered with.
fn code(error: RangeError) -> Code {
    match error {
        RangeError::Invalid => Code::RangeInvalid,
        RangeError::TooMany => Code::RangeExcessive,
        RangeError::Unsatisfiable => Code::RangeNotSatisfiable,
    }
}

/// Refuses a `Range` that is bad whatever the object, before anything is asked for it.
///
/// # Errors
/// The code it is answered with.
pub fn check_range(method: &Method, headers: &HeaderMap) -> Result<Option<RangeSet>, Code> {
    let Some(range) = headers.get(RANGE).filter(|_| *method == Method::GET) else { return Ok(None) };
    let field = range.to_str().map_err(|_| Code::RangeInvalid)?;
    RangeSet::parse(field, limits::MAX_RANGES).map_err(code)
}

/// Where the first byte of a set lies, if that can be told without the size.
pub fn first_byte(set: &RangeSet) -> Option<u64> {
    match set.specs().first() {
        Some(RangeSpec::Closed { first, .. } | RangeSpec::Open { first }) => Some(*first),
        Some(RangeSpec::Suffix { .. }) | None => None,
    }
}

/// The order of RFC 9110 section 13.2.2.
fn precondition(headers: &HeaderMap, validators: Validators<'_>) -> Option<Selection> {
    let asks = |name| headers.contains_key(name);
    if ![IF_MATCH, IF_UNMODIFIED_SINCE, IF_NONE_MATCH, IF_MODIFIED_SINCE].into_iter().any(asks) {
        return None;
    }
    let modified = validators.last_modified.and_then(http_date);
    let date = |name| headers.get(name).and_then(http_date);
    if headers.contains_key(IF_MATCH) {
        if !matches(headers, IF_MATCH, validators.etag, strongly_equal) {
            return Some(Selection::PreconditionFailed);
        }
    } else if let (Some(modified), Some(since)) = (modified, date(IF_UNMODIFIED_SINCE))
        && modified > since
    {
        return Some(Selection::PreconditionFailed);
    }
    if headers.contains_key(IF_NONE_MATCH) {
        return matches(headers, IF_NONE_MATCH, validators.etag, weakly_equal)
            .then_some(Selection::NotModified);
    }
    match (modified, date(IF_MODIFIED_SINCE)) {
        (Some(modified), Some(since)) if modified <= since => Some(Selection::NotModified),
        _ => None,
    }
}

/// Whether a list of entity tags has one that is equal to `etag`; `*` is equal to all there is.
fn matches(
    headers: &HeaderMap,
    name: http::HeaderName,
    etag: Option<&HeaderValue>,
    equal: fn(&[u8], &[u8]) -> bool,
) -> bool {
    headers.get_all(name).iter().any(|value| {
        let list = value.as_bytes().trim_ascii();
        list == b"*" || etag.is_some_and(|etag| tags(list).any(|tag| equal(tag, etag.as_bytes())))
    })
}

/// The entity tags of a list; a comma may stand inside a tag.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    list.split(move |&byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

fn weakly_equal(one: &[u8], other: &[u8]) -> bool {
    opaque(one) == opaque(other)
}

fn strongly_equal(one: &[u8], other: &[u8]) -> bool {
    one == other && !one.starts_with(b"W/")
}

/// RFC 9110 section 13.1.5: a strong tag that is equal, or the exact date.
fn if_range_holds(headers: &HeaderMap, validators: Validators<'_>) -> bool {
    let Some(condition) = headers.get(IF_RANGE) else { return true };
    let text = condition.as_bytes();
    if text.starts_with(b"\"") || text.starts_with(b"W/") {
        validators.etag.is_some_and(|etag| strongly_equal(text, etag.as_bytes()))
    } else {
        validators.last_modified == Some(condition)
    }
}

/// A date as seconds since 1970 (RFC 9110 section 5.6.7).
pub fn http_date(value: &HeaderValue) -> Option<u64> {
    let at = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    at.duration_since(UNIX_EPOCH).ok().as_ref().map(Duration::as_secs)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    const TAG: &str = "\"a,b\"";
    const DATE: &str = "Sun, 09 Sep 2001 01:46:40 GMT";
    const BEFORE: &str = "Sun, 09 Sep 2001 01:46:39 GMT";
    const AFTER: &str = "Sun, 09 Sep 2001 01:46:41 GMT";

    fn selected(method: &Method, fields: &[(&'static str, &str)]) -> Selection {
        let headers: HeaderMap = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        let (etag, date) = (HeaderValue::from_static(TAG), HeaderValue::from_static(DATE));
        let validators = Validators { etag: Some(&etag), last_modified: Some(&date) };
        select(method, &headers, validators, 1000)
    }

    #[test]
    fn preconditions_are_evaluated_in_the_order_of_the_rfc() {
        use Selection::{All, NotModified, PreconditionFailed};
        for (fields, expected) in [
            (&[("if-none-match", TAG)][..], NotModified),
            (&[("if-none-match", "W/\"a,b\"")], NotModified),
            (&[("if-none-match", "\"x\", \"a,b\"")], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"a\"")], All),
            (&[("if-none-match", "\"a\""), ("if-modified-since", AFTER)], All),
            (&[("if-modified-since", DATE)], NotModified),
            (&[("if-modified-since", BEFORE)], All),
            (&[("if-modified-since", "yesterday")], All),
            (&[("if-match", TAG)], All),
            (&[("if-match", "*")], All),
            (&[("if-match", "W/\"a,b\"")], PreconditionFailed),
            (&[("if-match", "\"x\""), ("if-none-match", TAG)], PreconditionFailed),
            (&[("if-match", TAG), ("if-unmodified-since", BEFORE)], All),
            (&[("if-unmodified-since", BEFORE)], PreconditionFailed),
            (&[("if-unmodified-since", DATE)], All),
        ] {
            assert_eq!(selected(&Method::GET, fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn ranges_select_parts_and_bad_ones_are_told_apart() {
        let many = format!(
            "bytes={}",
            (0..limits::MAX_RANGES + 1).map(|i| format!("{}-{}", i * 4, i * 4)).collect::<Vec<_>>().join(",")
        );
        for (range, expected) in [
            ("bytes=0-9", Selection::Part(ByteRange::new(0, 10))),
            ("bytes=-1", Selection::Part(ByteRange::new(999, 1000))),
            ("bytes=0-9,5-20", Selection::Part(ByteRange::new(0, 21))),
            ("bytes=0-0,2-2", Selection::Parts(vec![ByteRange::new(0, 1), ByteRange::new(2, 3)])),
            ("lines=1-2", Selection::All),
            ("bytes=5-2", Selection::Unsatisfiable(Code::RangeInvalid)),
            ("bytes=1000-", Selection::Unsatisfiable(Code::RangeNotSatisfiable)),
            (many.as_str(), Selection::Unsatisfiable(Code::RangeExcessive)),
        ] {
            assert_eq!(selected(&Method::GET, &[("range", range)]), expected, "{range}");
        }
        assert_eq!(selected(&Method::HEAD, &[("range", "bytes=0-9")]), Selection::All, "ranges are for GET");
    }

    #[test]
    fn if_range_takes_the_part_only_of_what_the_client_has() {
        let part = Selection::Part(ByteRange::new(0, 10));
        for (condition, expected) in [
            (TAG, part.clone()),
            (DATE, part),
            ("W/\"a,b\"", Selection::All),
            ("\"x\"", Selection::All),
            (AFTER, Selection::All),
        ] {
            assert_eq!(
                selected(&Method::GET, &[("range", "bytes=0-9"), ("if-range", condition)]),
                expected,
                "{condition}"
            );
        }
    }
}
