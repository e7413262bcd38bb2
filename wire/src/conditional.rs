//! Conditional requests (RFC 9110 section 13): one evaluation for the origin and the edge.

use std::time::UNIX_EPOCH;

/// What a representation is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validators<'a> {
    /// Its entity tag, quotes included; strong unless it begins with `W/`.
    pub etag: Option<&'a str>,
    /// When it last changed, in seconds since 1970.
    pub last_modified_s: Option<u64>,
}

/// The fields of a request that make it conditional, as they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conditions<'a> {
    /// `If-Match`
    pub if_match: Option<&'a str>,
    /// `If-None-Match`
    pub if_none_match: Option<&'a str>,
    /// `If-Modified-Since`
    pub if_modified_since: Option<&'a str>,
    /// `If-Unmodified-Since`
    pub if_unmodified_since: Option<&'a str>,
    /// `If-Range`
    pub if_range: Option<&'a str>,
}

/// What the conditions say of a GET or HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answer as if there were none.
    Proceed,
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client meant.
    Failed,
}

impl Conditions<'_> {
    /// Whether there is any, `If-Range` aside.
    pub const fn is_empty(&self) -> bool {
        self.if_match.is_none()
            && self.if_none_match.is_none()
            && self.if_modified_since.is_none()
            && self.if_unmodified_since.is_none()
    }

    /// Evaluates in the order of section 13.2.2.
    pub fn evaluate(&self, has: &Validators<'_>) -> Verdict {
        let matched = match (self.if_match, self.if_unmodified_since) {
            (Some(list), _) => list_matches(list, has.etag, strong_match),
            (None, Some(date)) => not_after(has.last_modified_s, date).unwrap_or(true),
            (None, None) => true,
        };
        if !matched {
            return Verdict::Failed;
        }
        let known = match (self.if_none_match, self.if_modified_since) {
            (Some(list), _) => list_matches(list, has.etag, weak_match),
            (None, Some(date)) => not_after(has.last_modified_s, date).unwrap_or(false),
            (None, None) => false,
        };
        if known { Verdict::NotModified } else { Verdict::Proceed }
    }

    /// Whether a `Range` counts (section 13.1.5): without `If-Range` it does; with one only if the representation is
    /// the same, by a strong comparison.
    pub fn range_applies(&self, has: &Validators<'_>) -> bool {
        let Some(condition) = self.if_range.map(str::trim) else { return true };
        if condition.starts_with('"') || condition.starts_with("W/") {
            return has.etag.is_some_and(|etag| strong_match(condition, etag));
        }
        match (parse_date(condition), has.last_modified_s) {
            (Some(date), Some(modified)) => date == modified,
            _ => false,
        }
    }
}

/// Whether the representation has not changed after `date`; `None` when that cannot be told.
fn not_after(last_modified_s: Option<u64>, date: &str) -> Option<bool> {
    Some(last_modified_s? <= parse_date(date)?)
}

fn parse_date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn strong_match(a: &str, b: &str) -> bool {
    a == b && !a.starts_with("W/")
}

fn weak_match(a: &str, b: &str) -> bool {
    a.strip_prefix("W/").unwrap_or(a) == b.strip_prefix("W/").unwrap_or(b)
}

fn list_matches(list: &str, etag: Option<&str>, same: fn(&str, &str) -> bool) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let Some(etag) = etag else { return false };
    tags(list).any(|tag| same(tag, etag))
}

/// The entity tags of a list; commas may stand inside their quotes.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let open = rest.find('"')?;
        let close = open + 1 + rest[open + 1..].find('"')?;
        let (tag, after) = rest.split_at(close + 1);
        rest = after;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAS: Validators<'static> = Validators { etag: Some("\"a,b\""), last_modified_s: Some(784_111_777) };
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    #[test]
    fn conditions_are_evaluated_in_order() {
        let none = Conditions::default();
        for (conditions, verdict) in [
            (none, Verdict::Proceed),
            (Conditions { if_none_match: Some("\"a,b\""), ..none }, Verdict::NotModified),
            (Conditions { if_none_match: Some("\"x\", W/\"a,b\""), ..none }, Verdict::NotModified),
            (Conditions { if_none_match: Some("*"), ..none }, Verdict::NotModified),
            (
                Conditions { if_none_match: Some("\"x\""), if_modified_since: Some(THEN), ..none },
                Verdict::Proceed,
            ),
            (Conditions { if_modified_since: Some(THEN), ..none }, Verdict::NotModified),
            (Conditions { if_modified_since: Some(BEFORE), ..none }, Verdict::Proceed),
            (Conditions { if_modified_since: Some("nonsense"), ..none }, Verdict::Proceed),
            (Conditions { if_match: Some("\"a,b\""), ..none }, Verdict::Proceed),
            (Conditions { if_match: Some("*"), ..none }, Verdict::Proceed),
            (Conditions { if_match: Some("W/\"a,b\""), ..none }, Verdict::Failed),
            (Conditions { if_match: Some("\"x\""), if_none_match: Some("*"), ..none }, Verdict::Failed),
            (Conditions { if_unmodified_since: Some(BEFORE), ..none }, Verdict::Failed),
            (Conditions { if_unmodified_since: Some(THEN), ..none }, Verdict::Proceed),
        ] {
            assert_eq!(conditions.evaluate(&HAS), verdict, "{conditions:?}");
        }
    }

    #[test]
    fn a_range_counts_only_for_the_same_representation() {
        let with = |if_range| Conditions { if_range: Some(if_range), ..Conditions::default() };
        assert!(Conditions::default().range_applies(&HAS));
        assert!(with("\"a,b\"").range_applies(&HAS) && with(THEN).range_applies(&HAS));
        for stale in ["\"x\"", "W/\"a,b\"", BEFORE, "nonsense"] {
            assert!(!with(stale).range_applies(&HAS), "{stale}");
        }
    }
}
