//! May a response be stored, and how long is it fresh? RFC 9111 sections 3 and 4.2, for a shared cache, as pure
//! functions of header fields and times.
//!
//! Conservative where the whole RFC comes later: only explicit freshness is believed (no heuristics), and a qualified
//! `no-cache="field"` or `private="field"` counts as the unqualified directive.

use http::StatusCode;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_RANGE, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, LAST_MODIFIED, SET_COOKIE,
    VARY,
};
use tidegate_serve::select::http_date;

use crate::limits;

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoStoreReason {
    /// `Cache-Control: no-store`.
    NoStore,
    /// `Cache-Control: private`.
    Private,
    /// The origin says neither how long it is fresh nor gives a validator to ask again with.
    NoFreshness,
    /// A status that is not understood well enough to be reused.
    Status,
    /// `Set-Cookie`: meant for one viewer.
    SetCookie,
    /// `Vary: *`, or more fields than are followed.
    Vary,
    /// The request was authorised and the response does not allow sharing (RFC 9111 section 3.5).
    Authorization,
    /// Larger than a slice, without a strong validator that would keep its slices together.
    NoValidator,
    /// Its length is not known, or too large for an origin that ignores `Range`.
    Length,
    /// What it says of its own range contradicts itself or the request.
    Range,
}

impl NoStoreReason {
    /// The text in `Cache-Status` and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::NoFreshness => "no-freshness",
            Self::Status => "status",
            Self::SetCookie => "set-cookie",
            Self::Vary => "vary",
            Self::Authorization => "authorization",
            Self::NoValidator => "no-validator",
            Self::Length => "length",
            Self::Range => "range",
        }
    }
}

/// How long a stored response may be used, and what then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// When the response was received, in seconds since 1970.
    pub(crate) received_s: u64,
    /// How old it was then (RFC 9111 section 4.2.3, corrected initial age).
    pub(crate) initial_age_s: u64,
    /// For how long from its origin it is fresh.
    pub(crate) lifetime_s: u64,
    /// `no-cache`: ask again each time, whatever the lifetime.
    pub(crate) always_ask: bool,
    /// `must-revalidate` and the like: never used stale, also when the origin is away.
    pub(crate) strict: bool,
    /// For how long past its lifetime it may be used while the origin is being asked (RFC 5861 section 3).
    pub(crate) while_asking_s: u64,
}

impl Freshness {
    /// Its age (RFC 9111 section 4.2.3), in seconds.
    pub(crate) fn age_s(&self, now_s: u64) -> u64 {
        self.initial_age_s + now_s.saturating_sub(self.received_s)
    }

    /// Whether it may be used without asking the origin.
    pub(crate) fn is_fresh(&self, now_s: u64) -> bool {
        !self.always_ask && self.age_s(now_s) < self.lifetime_s
    }

    /// Whether it may be used now if the origin is asked at the same time.
    pub(crate) fn is_usable_while_asking(&self, now_s: u64) -> bool {
        !self.strict
            && !self.always_ask
            && self.age_s(now_s) < self.lifetime_s.saturating_add(self.while_asking_s)
    }

    /// Whether it may be used when the origin cannot be asked (RFC 9111 section 4.2.4).
    pub(crate) fn is_usable_stale(&self, now_s: u64) -> bool {
        let limit = self.lifetime_s.saturating_add(limits::STALE_ON_ERROR.as_secs());
        !self.strict && !self.always_ask && self.age_s(now_s) < limit
    }
}

/// The directives of `Cache-Control` a shared cache acts on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Directives {
    no_store: bool,
    no_cache: bool,
    private: bool,
    public: bool,
    must_revalidate: bool,
    proxy_revalidate: bool,
    max_age: Option<u64>,
    s_maxage: Option<u64>,
    stale_while_revalidate: Option<u64>,
}

/// The moments around a response that its age is reckoned from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// When the request was sent, seconds since 1970.
    pub(crate) asked_s: u64,
    /// When the response's head came, seconds since 1970.
    pub(crate) received_s: u64,
}

/// Judges a response to a GET.
///
/// # Errors
/// The first reason against storing it.
pub(crate) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    request_authorized: bool,
    times: Times,
) -> Result<Freshness, NoStoreReason> {
    let directives = directives(headers);
    if directives.no_store {
        return Err(NoStoreReason::NoStore);
    }
    if directives.private {
        return Err(NoStoreReason::Private);
    }
    if !is_understood(status) {
        return Err(NoStoreReason::Status);
    }
    if status != StatusCode::PARTIAL_CONTENT && headers.contains_key(CONTENT_RANGE) {
        return Err(NoStoreReason::Range);
    }
    if headers.contains_key(SET_COOKIE) {
        return Err(NoStoreReason::SetCookie);
    }
    let shareable = directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    if request_authorized && !shareable {
        return Err(NoStoreReason::Authorization);
    }
    vary(headers)?;
    lifetime(status, headers, directives, times)
}

/// The header fields named in `Vary`, in lower case, sorted, each once.
///
/// # Errors
/// [`NoStoreReason::Vary`] for `*`, a name that is none, or too many.
pub(crate) fn vary(headers: &HeaderMap) -> Result<Vec<HeaderName>, NoStoreReason> {
    let mut names = Vec::new();
    for value in headers.get_all(VARY) {
        for name in value.to_str().map_err(|_| NoStoreReason::Vary)?.split(',').map(str::trim) {
            if name.is_empty() {
                continue;
            }
            let name = name.parse::<HeaderName>().map_err(|_| NoStoreReason::Vary)?;
            if name.as_str() == "*" || names.len() == limits::MAX_VARY_FIELDS {
                return Err(NoStoreReason::Vary);
            }
            names.push(name);
        }
    }
    names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    Ok(names)
}

fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    directives: Directives,
    times: Times,
) -> Result<Freshness, NoStoreReason> {
    let date_s = date(headers, &DATE).unwrap_or(times.received_s);
    let expires_s = || -> Option<u64> {
        // An Expires that is no date, like `0`, means "expired" (RFC 9111 section 5.3).
        headers.get(EXPIRES).map(|value| http_date(value).map_or(0, |at| at.saturating_sub(date_s)))
    };
    let explicit = directives.s_maxage.or(directives.max_age).or_else(expires_s);
    let has_validator = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    let lifetime_s = match explicit {
        Some(seconds) => seconds.min(limits::MAX_LIFETIME_S),
        None if directives.no_cache => 0,
        None => return Err(NoStoreReason::NoFreshness),
    };
    let worth_it = lifetime_s > 0 && !directives.no_cache;
    let can_ask_again = has_validator && matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT);
    if !worth_it && !can_ask_again {
        return Err(NoStoreReason::NoFreshness);
    }
    let apparent = times.received_s.saturating_sub(date_s);
    let stated = headers.get(AGE).and_then(|value| delta_seconds(value.to_str().ok()?)).unwrap_or(0);
    let corrected = stated + times.received_s.saturating_sub(times.asked_s);
    Ok(Freshness {
        received_s: times.received_s,
        initial_age_s: apparent.max(corrected),
        lifetime_s,
        always_ask: directives.no_cache,
        strict: directives.must_revalidate || directives.proxy_revalidate || directives.s_maxage.is_some(),
        while_asking_s: directives.stale_while_revalidate.unwrap_or(0),
    })
}

/// Statuses whose meaning allows reuse with explicit freshness; of the errors, those that last.
fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 206 | 300 | 301 | 302 | 307 | 308 | 404 | 405 | 410 | 414 | 451
    ) || matches!(status.as_u16(), 500..=504)
}

fn directives(headers: &HeaderMap) -> Directives {
    let mut out = Directives::default();
    for value in headers.get_all(CACHE_CONTROL) {
        // A field that is not text cannot be followed, so the response is not kept.
        let Ok(text) = value.to_str() else { return Directives { no_store: true, ..out } };
        for directive in split_outside_quotes(text) {
            let (name, argument) = match directive.split_once('=') {
                Some((name, argument)) => (name.trim(), Some(argument.trim().trim_matches('"'))),
                None => (directive.trim(), None),
            };
            out.note(&name.to_ascii_lowercase(), argument);
        }
    }
    out
}

impl Directives {
    fn note(&mut self, name: &str, argument: Option<&str>) {
        // A bad number means stale, and of two the smaller holds (RFC 9111 section 4.2.1).
        let seconds = || argument.and_then(delta_seconds).unwrap_or(0);
        let smaller = |old: Option<u64>| Some(old.map_or(seconds(), |old| old.min(seconds())));
        match name {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "max-age" => self.max_age = smaller(self.max_age),
            "s-maxage" => self.s_maxage = smaller(self.s_maxage),
            "stale-while-revalidate" => self.stale_while_revalidate = smaller(self.stale_while_revalidate),
            _ => {}
        }
    }
}

fn split_outside_quotes(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

/// RFC 9111 section 1.2.2: digits only; what does not fit is as large as can be.
fn delta_seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(limits::MAX_LIFETIME_S).min(limits::MAX_LIFETIME_S))
}

/// A date field as seconds since 1970.
pub(crate) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name).and_then(http_date)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NOW: u64 = 1_000_000_000; // Sun, 09 Sep 2001 01:46:40 GMT
    const TIMES: Times = Times { asked_s: NOW, received_s: NOW };

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn judged(fields: &[(&'static str, &str)]) -> Result<Freshness, NoStoreReason> {
        judge(StatusCode::OK, &headers(fields), false, TIMES)
    }

    #[test]
    fn lifetime_comes_from_the_most_particular_field() {
        for (fields, lifetime) in [
            (&[("cache-control", "max-age=60")][..], 60),
            (&[("cache-control", "max-age=60, s-maxage=5")], 5),
            (&[("cache-control", "max-age=\"60\"")], 60),
            (&[("cache-control", "max-age=60"), ("cache-control", "max-age=10")], 10),
            (&[("cache-control", "max-age=60"), ("expires", "0")], 60),
            (&[("expires", "Sun, 09 Sep 2001 01:47:40 GMT"), ("date", "Sun, 09 Sep 2001 01:46:40 GMT")], 60),
            (&[("cache-control", "max-age=99999999999999999999")], limits::MAX_LIFETIME_S),
            (&[("cache-control", "MAX-AGE=7, ext=\"a, no-store\"")], 7),
        ] {
            assert_eq!(judged(fields).map(|f| f.lifetime_s), Ok(lifetime), "{fields:?}");
        }
    }

    #[test]
    fn each_reason_against_storing_is_named() {
        for (fields, reason) in [
            (&[("cache-control", "no-store, max-age=60")][..], NoStoreReason::NoStore),
            (&[("cache-control", "private, max-age=60")], NoStoreReason::Private),
            (&[("cache-control", "private=\"set-cookie\", max-age=60")], NoStoreReason::Private),
            (&[], NoStoreReason::NoFreshness),
            (&[("etag", "\"a\"")], NoStoreReason::NoFreshness),
            (&[("cache-control", "max-age=0")], NoStoreReason::NoFreshness),
            (&[("cache-control", "max-age=x")], NoStoreReason::NoFreshness),
            (&[("cache-control", "no-cache")], NoStoreReason::NoFreshness),
            (&[("expires", "0")], NoStoreReason::NoFreshness),
            (&[("cache-control", "max-age=60"), ("set-cookie", "a=b")], NoStoreReason::SetCookie),
            (&[("cache-control", "max-age=60"), ("vary", "accept, *")], NoStoreReason::Vary),
            (&[("cache-control", "max-age=60"), ("content-range", "bytes 0-1/2")], NoStoreReason::Range),
        ] {
            assert_eq!(judged(fields), Err(reason), "{fields:?}");
        }
        let fresh = headers(&[("cache-control", "max-age=60")]);
        for status in [201, 303, 400, 401, 403, 416, 429] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(judge(status, &fresh, false, TIMES), Err(NoStoreReason::Status), "{status}");
        }
    }

    #[test]
    fn errors_are_kept_only_as_long_as_they_say() {
        for status in [404, 410, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(judge(status, &headers(&[]), false, TIMES), Err(NoStoreReason::NoFreshness));
            let stored = judge(status, &headers(&[("cache-control", "max-age=3")]), false, TIMES).unwrap();
            assert!(stored.is_fresh(NOW + 2) && !stored.is_fresh(NOW + 3));
        }
    }

    #[test]
    fn an_authorised_response_is_shared_only_when_it_allows_it() {
        let judge = |value: &str| {
            judge(StatusCode::OK, &headers(&[("cache-control", value)]), true, TIMES).map(|f| f.lifetime_s)
        };
        assert_eq!(judge("max-age=60"), Err(NoStoreReason::Authorization));
        for value in ["max-age=60, public", "max-age=60, must-revalidate", "s-maxage=60"] {
            assert_eq!(judge(value), Ok(60), "{value}");
        }
    }

    #[test]
    fn with_a_validator_a_response_may_be_kept_to_ask_again() {
        for value in ["no-cache", "max-age=0", "max-age=0, must-revalidate", "no-cache, max-age=60"] {
            let stored = judged(&[("cache-control", value), ("etag", "\"a\"")]).unwrap();
            assert!(!stored.is_fresh(NOW), "{value}");
        }
    }

    #[test]
    fn age_counts_the_time_before_and_on_the_way() {
        let fields = headers(&[
            ("cache-control", "max-age=60"),
            ("age", "20"),
            ("date", "Sun, 09 Sep 2001 01:46:10 GMT"),
        ]);
        let times = Times { asked_s: NOW - 2, received_s: NOW };
        let stored = judge(StatusCode::OK, &fields, false, times).unwrap();
        assert_eq!(stored.initial_age_s, 30, "the apparent age of 30 is above 20 + 2");
        assert_eq!(stored.age_s(NOW + 5), 35);
        assert!(stored.is_fresh(NOW + 29) && !stored.is_fresh(NOW + 30));
    }

    #[test]
    fn stale_use_while_asking_goes_as_far_as_the_origin_says() {
        let usable = |value, now| {
            judged(&[("cache-control", value), ("etag", "\"a\"")]).unwrap().is_usable_while_asking(now)
        };
        let now = NOW;
        assert!(usable("max-age=1, stale-while-revalidate=5", now + 5));
        assert!(!usable("max-age=1, stale-while-revalidate=5", now + 6));
        assert!(!usable("max-age=1", now + 1));
        for value in ["max-age=1, stale-while-revalidate=x", "s-maxage=1, stale-while-revalidate=9"] {
            assert!(!usable(value, now + 1), "{value}");
        }
        assert!(!usable("max-age=1, must-revalidate, stale-while-revalidate=9", now + 1));
        assert!(!usable("no-cache, max-age=1, stale-while-revalidate=9", now));
    }

    #[test]
    fn stale_use_is_bounded_and_can_be_forbidden() {
        let limit = limits::STALE_ON_ERROR.as_secs();
        let usable = |value: &str, now: u64| {
            judged(&[("cache-control", value), ("etag", "\"a\"")]).unwrap().is_usable_stale(now)
        };
        assert!(usable("max-age=60", NOW + 59 + limit) && !usable("max-age=60", NOW + 60 + limit));
        for value in
            ["max-age=60, must-revalidate", "max-age=60, proxy-revalidate", "s-maxage=60", "no-cache"]
        {
            assert!(!usable(value, NOW + 61), "{value}");
        }
    }

    #[test]
    fn vary_is_read_as_a_set_of_names() {
        let names = vary(&headers(&[("vary", "Origin, accept-encoding,,origin")])).unwrap();
        assert_eq!(names.iter().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept-encoding", "origin"]);
        assert_eq!(vary(&headers(&[("vary", "a b")])), Err(NoStoreReason::Vary));
    }
}
