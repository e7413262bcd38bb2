//! What became of a request, as one value that feeds the `Cache-Status` field (RFC 9211), the log line and the metric
//! alike (invariant 12).

use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_wire::Code;

use crate::cache::NoStoreReason;

/// The field an outcome is shown in.
pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// From what is cached, without the origin.
    Hit,
    /// The object is known and part of what was asked is cached; the rest comes from the origin.
    Partial,
    /// Nothing was known; fetched and stored.
    Miss,
    /// As [`Outcome::Miss`], by the request another viewer had already caused.
    Collapsed,
    /// Stale, and the origin said it is still right.
    Revalidated,
    /// Stale, and the origin sent another.
    Refetched,
    /// Stale, and the origin is being asked meanwhile (RFC 5861 section 3).
    StaleWhileAsking,
    /// Stale, and the origin cannot be reached (invariant 10).
    StaleOnError,
    /// Passed on and not stored, and why.
    Bypass(NoStoreReason),
    /// Passed on at once: it was not storable a moment ago.
    Marked,
    /// Passed on because of its method.
    Method,
    /// Answered by the edge itself: health, preflight.
    Local,
    /// Refused by the edge before the cache was asked, or for what the cache knows.
    Refused(Code),
    /// The origin was needed and did not deliver.
    Failed(Code),
}

impl Outcome {
    /// Every label, in the order of [`Outcome::index`].
    pub const LABELS: [&'static str; 14] = [
        "hit",
        "partial",
        "miss",
        "collapsed",
        "revalidated",
        "refetched",
        "updating",
        "stale",
        "bypass",
        "marked",
        "method",
        "local",
        "refused",
        "failed",
    ];

    /// Its place in [`Outcome::LABELS`].
    pub const fn index(self) -> usize {
        match self {
            Self::Hit => 0,
            Self::Partial => 1,
            Self::Miss => 2,
            Self::Collapsed => 3,
            Self::Revalidated => 4,
            Self::Refetched => 5,
            Self::StaleWhileAsking => 6,
            Self::StaleOnError => 7,
            Self::Bypass(_) => 8,
            Self::Marked => 9,
            Self::Method => 10,
            Self::Local => 11,
            Self::Refused(_) => 12,
            Self::Failed(_) => 13,
        }
    }

    /// One word for metrics and logs.
    pub const fn label(self) -> &'static str {
        Self::LABELS[self.index()]
    }

    /// What is particular: a code or a reason.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Bypass(reason) => reason.as_str(),
            Self::Refused(code) | Self::Failed(code) => code.as_str(),
            _ => "",
        }
    }

    /// The value of `Cache-Status`.
    pub fn header(self) -> HeaderValue {
        match self {
            Self::Hit => HeaderValue::from_static("tidegate; hit"),
            Self::Partial => HeaderValue::from_static("tidegate; fwd=partial; stored"),
            Self::Miss => HeaderValue::from_static("tidegate; fwd=uri-miss; stored"),
            Self::Collapsed => HeaderValue::from_static("tidegate; fwd=uri-miss; stored; collapsed"),
            Self::Revalidated => HeaderValue::from_static("tidegate; fwd=stale; fwd-status=304; stored"),
            Self::Refetched => HeaderValue::from_static("tidegate; fwd=stale; stored"),
            Self::StaleWhileAsking => {
                HeaderValue::from_static("tidegate; hit; detail=stale-while-revalidate")
            }
            Self::StaleOnError => HeaderValue::from_static("tidegate; hit; detail=stale-on-error"),
            Self::Bypass(_) => self.with_detail("fwd=uri-miss"),
            Self::Marked => HeaderValue::from_static("tidegate; fwd=bypass"),
            Self::Method => HeaderValue::from_static("tidegate; fwd=method"),
            Self::Local => HeaderValue::from_static("tidegate"),
            Self::Refused(_) => self.with_detail(""),
            Self::Failed(_) => self.with_detail("fwd=miss"),
        }
    }

    /// Sets it in a response's fields: in place of what a stored object has, behind what an origin said of a cache of
    /// its own.
    pub(crate) fn show(self, headers: &mut HeaderMap) {
        let hit = Self::Hit.header();
        if headers.get(CACHE_STATUS) == Some(&hit) {
            headers.insert(CACHE_STATUS, self.header());
        } else {
            headers.append(CACHE_STATUS, self.header());
        }
    }

    fn with_detail(self, forward: &str) -> HeaderValue {
        let separator = if forward.is_empty() { "" } else { "; " };
        // Codes and reasons are tokens of letters, `-` and `_`, so this is always a valid value.
        HeaderValue::from_maybe_shared(format!("tidegate{separator}{forward}; detail={}", self.detail()))
            .unwrap_or_else(|_| HeaderValue::from_static("tidegate"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Invariant 12: the three ways an outcome is shown come from the one value.
    #[test]
    fn invariant_12_every_outcome_has_a_label_and_a_header() {
        for (outcome, label, header) in [
            (Outcome::Hit, "hit", "tidegate; hit"),
            (Outcome::Partial, "partial", "tidegate; fwd=partial; stored"),
            (Outcome::Miss, "miss", "tidegate; fwd=uri-miss; stored"),
            (Outcome::Collapsed, "collapsed", "tidegate; fwd=uri-miss; stored; collapsed"),
            (Outcome::Revalidated, "revalidated", "tidegate; fwd=stale; fwd-status=304; stored"),
            (Outcome::Refetched, "refetched", "tidegate; fwd=stale; stored"),
            (Outcome::StaleWhileAsking, "updating", "tidegate; hit; detail=stale-while-revalidate"),
            (Outcome::StaleOnError, "stale", "tidegate; hit; detail=stale-on-error"),
            (Outcome::Bypass(NoStoreReason::NoStore), "bypass", "tidegate; fwd=uri-miss; detail=no-store"),
            (Outcome::Marked, "marked", "tidegate; fwd=bypass"),
            (Outcome::Method, "method", "tidegate; fwd=method"),
            (Outcome::Local, "local", "tidegate"),
            (Outcome::Refused(Code::GrantExpired), "refused", "tidegate; detail=grant_expired"),
            (Outcome::Failed(Code::UpstreamTimeout), "failed", "tidegate; fwd=miss; detail=upstream_timeout"),
        ] {
            assert_eq!((outcome.label(), outcome.header().to_str().unwrap()), (label, header));
        }
    }
}
