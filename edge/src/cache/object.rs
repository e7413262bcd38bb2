//! What is known of an object: one generation of its bytes, and the header fields viewers get with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap,
    HeaderName, LAST_MODIFIED,
};
use http::{HeaderValue, StatusCode};
use tidegate_wire::headers as own;
use tidegate_wire::slice;

use super::freshness::{self, Freshness};
use super::groups::{CACHE_GROUPS, Groups};
use super::key::{self, Key};
use super::next::Next;
use crate::outcome::{CACHE_STATUS, Outcome};
use crate::response::cors;

/// Room for the fields that are added to those of the origin.
const SPARE_FIELDS: usize = 8;

/// What makes two answers parts of the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Validator {
    /// A strong entity tag.
    Tag(HeaderValue),
    /// A `Last-Modified` that was strong when it was seen (RFC 9110 section 8.8.2.2).
    Modified(HeaderValue),
    /// None: the bytes must come in one answer.
    None,
}

impl Validator {
    /// The strongest validator among `headers`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if let Some(tag) = headers.get(ETAG).filter(|tag| is_strong(tag)) {
            return Self::Tag(tag.clone());
        }
        let (modified, date) = (freshness::date(headers, &LAST_MODIFIED), freshness::date(headers, &DATE));
        match (headers.get(LAST_MODIFIED), modified, date) {
            (Some(value), Some(modified), Some(date)) if modified < date => Self::Modified(value.clone()),
            _ => Self::None,
        }
    }

    /// Whether an answer with `headers` is of the same bytes. An answer that names no validator is believed only
    /// when its status says that the condition sent with the request was checked, which the caller knows.
    pub(crate) fn matches(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Tag(tag) => headers.get(ETAG) == Some(tag),
            Self::Modified(value) => headers.get(LAST_MODIFIED) == Some(value),
            Self::None => false,
        }
    }
}

fn is_strong(tag: &HeaderValue) -> bool {
    let bytes = tag.as_bytes();
    bytes.len() >= 2 && bytes.starts_with(b"\"") && bytes.ends_with(b"\"")
}

/// One generation of an object's bytes; slices belong to it by its number, which is never used again.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: u64,
    pub(crate) size: u64,
    pub(crate) slice_bytes: u64,
    pub(crate) validator: Validator,
    /// Set when the object was purged, replaced or evicted: nothing of it is stored any more.
    ended: AtomicBool,
}

impl Generation {
    pub(crate) fn new(id: u64, size: u64, slice_bytes: u64, validator: Validator) -> Self {
        Self { id, size, slice_bytes, validator, ended: AtomicBool::new(false) }
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// How many slices it has.
    pub(crate) fn slices(&self) -> u64 {
        self.size.div_ceil(self.slice_bytes)
    }

    /// Bytes in slice `index`.
    pub(crate) fn slice_len(&self, index: u64) -> u64 {
        slice::slice_range(index, self.slice_bytes, self.size).len()
    }
}

/// Who may see an asset of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// With a grant.
    Private,
    /// Everyone who has the address.
    Open,
}

impl Visibility {
    /// What the origin says; what says nothing is private, so that a forgotten field opens nothing.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(own::VISIBILITY).map(HeaderValue::as_bytes) {
            Some(b"public" | b"unlisted") => Self::Open,
            _ => Self::Private,
        }
    }
}

/// An object as viewers get it.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) key: Key,
    /// The fields its answer varies by; empty for most.
    pub(crate) varies_by: Arc<[HeaderName]>,
    pub(crate) generation: Arc<Generation>,
    pub(crate) status: StatusCode,
    pub(crate) freshness: Freshness,
    pub(crate) visibility: Visibility,
    /// Whether the origin gives parts of it.
    pub(crate) ranges: bool,
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) last_modified: Option<HeaderValue>,
    pub(crate) content_type: Option<HeaderValue>,
    /// Set while the origin is asked about it behind a viewer's back.
    pub(crate) asked: AtomicBool,
    /// What its viewers will want next.
    pub(crate) next: Option<Next>,
    /// What it belongs to.
    pub(crate) groups: Groups,
    /// The fields of every response with it, ready to be cloned: cheaper than to build them up each time. `Age` and
    /// `Cache-Status` stand in it as for a hit of age 0, so that setting them takes no room.
    pub(crate) fields: HeaderMap,
}

/// What the maker of an [`Object`] knows beside the response's fields.
pub(crate) struct Facts {
    pub(crate) key: Key,
    pub(crate) varies_by: Arc<[HeaderName]>,
    pub(crate) generation: Arc<Generation>,
    pub(crate) status: StatusCode,
    pub(crate) freshness: Freshness,
    pub(crate) ranges: bool,
    /// Whether visibility counts: the edge is part of a fleet.
    pub(crate) fleet: bool,
}

impl Object {
    /// Puts together what a response's `headers` say.
    pub(crate) fn new(facts: Facts, headers: &HeaderMap) -> Self {
        let Facts { key, varies_by, generation, status, freshness, ranges, fleet } = facts;
        let visibility = if fleet { Visibility::of(headers) } else { Visibility::Open };
        // Only the fleet's own origin is believed: another one's links could send the edge anywhere on it.
        let next = if fleet { Next::of(headers, key::path(&key)) } else { None };
        Self {
            asked: AtomicBool::new(false),
            groups: Groups::of(headers, &CACHE_GROUPS),
            next,
            key,
            varies_by,
            generation,
            status,
            freshness,
            visibility,
            ranges,
            etag: headers.get(ETAG).cloned(),
            last_modified: headers.get(LAST_MODIFIED).cloned(),
            content_type: headers.get(CONTENT_TYPE).cloned(),
            fields: viewer_fields(headers, visibility, status, fleet),
        }
    }

    /// The same bytes with what a 304 says of them (RFC 9111 section 4.3.4).
    pub(crate) fn refreshed(&self, headers: &HeaderMap, freshness: Freshness, fleet: bool) -> Self {
        let mut merged = self.fields.clone();
        if fleet {
            // Not among the viewers' fields; a 304 that does not repeat it leaves it as it was.
            let kept = if self.visibility == Visibility::Open { "public" } else { "private" };
            merged.insert(own::VISIBILITY, HeaderValue::from_static(kept));
        }
        for name in headers.keys().filter(|name| **name != CONTENT_LENGTH && **name != CONTENT_RANGE) {
            merged.remove(name);
            for value in headers.get_all(name) {
                merged.append(name, value.clone());
            }
        }
        let facts = Facts {
            key: self.key.clone(),
            varies_by: self.varies_by.clone(),
            generation: self.generation.clone(),
            status: self.status,
            freshness,
            ranges: self.ranges,
            fleet,
        };
        let mut refreshed = Self::new(facts, &merged);
        if !headers.contains_key(CACHE_GROUPS) {
            refreshed.groups = self.groups.clone();
        }
        refreshed
    }

    /// Whether it is a whole, successful representation: ranges and conditions apply to no other.
    pub(crate) fn is_representation(&self) -> bool {
        self.status == StatusCode::OK
    }

    /// What it weighs in memory without its bytes, roughly and rather too much.
    pub(crate) fn weight(&self) -> u64 {
        let fields: usize =
            self.fields.iter().map(|(name, value)| 96 + name.as_str().len() + value.len()).sum();
        (size_of::<Self>() + size_of::<Generation>() + self.key.len() + self.groups.weight() + fields) as u64
    }
}

/// The fields a viewer gets whatever part it asked for. What says where the bytes lie is made anew each time.
fn viewer_fields(headers: &HeaderMap, visibility: Visibility, status: StatusCode, fleet: bool) -> HeaderMap {
    let made_anew = |name: &HeaderName| {
        [CONTENT_LENGTH, CONTENT_RANGE, AGE, ACCEPT_RANGES, CACHE_STATUS].contains(name)
            || name.as_str() == own::VISIBILITY
            || (fleet && (cors::is_ours(name) || *name == CACHE_GROUPS))
    };
    let mut fields = HeaderMap::with_capacity(headers.len() + SPARE_FIELDS);
    for (name, value) in headers.iter().filter(|(name, _)| !made_anew(name)) {
        fields.append(name, value.clone());
    }
    if visibility == Visibility::Private {
        // No shared cache beyond may keep it, and the viewer's own asks again: a grant ends, a browser's copy would not.
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if status == StatusCode::OK {
        fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if fleet {
        cors::open(&mut fields);
    }
    fields.insert(AGE, HeaderValue::from(0));
    fields.insert(CACHE_STATUS, Outcome::Hit.header());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_strong_validators_keep_slices_together() {
        let date = ("date", "Sun, 09 Sep 2001 01:46:40 GMT");
        let same = ("last-modified", "Sun, 09 Sep 2001 01:46:40 GMT");
        let before = ("last-modified", "Sun, 09 Sep 2001 01:46:39 GMT");
        assert!(matches!(Validator::of(&headers(&[("etag", "\"a\"")])), Validator::Tag(_)));
        assert!(matches!(
            Validator::of(&headers(&[("etag", "W/\"a\""), before, date])),
            Validator::Modified(_)
        ));
        for fields in [&[("etag", "W/\"a\"")][..], &[("etag", "a")], &[same, date], &[before], &[]] {
            assert_eq!(Validator::of(&headers(fields)), Validator::None, "{fields:?}");
        }
    }

    #[test]
    fn an_asset_without_a_visibility_is_private() {
        assert_eq!(Visibility::of(&headers(&[])), Visibility::Private);
        assert_eq!(Visibility::of(&headers(&[(own::VISIBILITY, "unlisted")])), Visibility::Open);
        assert_eq!(Visibility::of(&headers(&[(own::VISIBILITY, "Public")])), Visibility::Private);
    }

    #[test]
    fn private_fields_tell_shared_caches_to_keep_off() {
        let given = headers(&[("cache-control", "public, max-age=9"), (own::VISIBILITY, "private")]);
        let fields = viewer_fields(&given, Visibility::Private, StatusCode::OK, false);
        let expected = headers(&[
            ("cache-control", "private, no-cache"),
            ("accept-ranges", "bytes"),
            ("age", "0"),
            ("cache-status", "tidegate; hit"),
        ]);
        assert_eq!(fields, expected);
    }
}
