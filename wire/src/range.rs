//! Byte ranges: the `Range` and `Content-Range` fields of RFC 9110 section 14.

/// A half-open range of byte positions, never empty when it comes out of [`RangeSet::resolve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl ByteRange {
    /// The range from `start` up to but not including `end`.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// Bytes in the range.
    pub const fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether the range holds no byte.
    pub const fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// The value of `Content-Range` for this part of a representation of `size` bytes (section 14.4).
    pub fn content_range(&self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.end.saturating_sub(1))
    }

    /// The value of a `Range` request field that asks for just this range.
    pub fn request_value(&self) -> String {
        format!("bytes={}-{}", self.start, self.end.saturating_sub(1))
    }
}

/// The value of `Content-Range` beside a 416 (section 15.5.17).
pub fn unsatisfied_content_range(size: u64) -> String {
    format!("bytes */{size}")
}

/// One element of a `Range` field (section 14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeSpec {
    /// `first-last`, both included.
    Closed {
        /// First byte wanted.
        first: u64,
        /// Last byte wanted.
        last: u64,
    },
    /// `first-`: all from there.
    Open {
        /// First byte wanted.
        first: u64,
    },
    /// `-length`: the last bytes.
    Suffix {
        /// How many of the last bytes are wanted.
        length: u64,
    },
}

/// The ranges a client asked for, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeSet(Vec<RangeSpec>);

/// Why a `Range` field is refused. All of them are answered 416 (section 15.5.17 names each).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Not a ranges-specifier, or a last byte before the first.
    #[error("the Range field is not a valid list of byte ranges")]
    Invalid,
    /// More ranges than the limit.
    #[error("the Range field asks for too many ranges")]
    TooMany,
    /// No range of the set overlaps the representation.
    #[error("none of the ranges lies within the representation")]
    Unsatisfiable,
}

impl RangeSet {
    /// Reads a `Range` field. `Ok(None)` is a unit other than `bytes`, which is ignored (section 14.2).
    ///
    /// # Errors
    /// [`RangeError::Invalid`] and [`RangeError::TooMany`]; the latter bounds the work before any of it is done.
    pub fn parse(field: &str, max_ranges: usize) -> Result<Option<Self>, RangeError> {
        let (unit, set) = field.split_once('=').ok_or(RangeError::Invalid)?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return Ok(None);
        }
        let mut specs = Vec::new();
        for element in set.split(',') {
            let element = element.trim_matches([' ', '\t']);
            // Empty list elements are to be accepted (section 5.6.1.2).
            if element.is_empty() {
                continue;
            }
            if specs.len() == max_ranges {
                return Err(RangeError::TooMany);
            }
            specs.push(parse_spec(element)?);
        }
        if specs.is_empty() { Err(RangeError::Invalid) } else { Ok(Some(Self(specs))) }
    }

    /// The specs as they were asked.
    pub fn specs(&self) -> &[RangeSpec] {
        &self.0
    }

    /// Places the set on a representation of `size` bytes: unsatisfiable members fall away, members that touch or
    /// overlap become one (section 14.2 allows it), and the order of first mention stays.
    ///
    /// # Errors
    /// [`RangeError::Unsatisfiable`] when nothing is left.
    pub fn resolve(&self, size: u64) -> Result<Vec<ByteRange>, RangeError> {
        let mut out: Vec<ByteRange> = Vec::with_capacity(self.0.len());
        for range in self.0.iter().filter_map(|spec| spec.resolve(size)) {
            merge_into(&mut out, range);
        }
        if out.is_empty() { Err(RangeError::Unsatisfiable) } else { Ok(out) }
    }
}

impl RangeSpec {
    /// The bytes this spec means in a representation of `size` bytes, if any.
    pub fn resolve(&self, size: u64) -> Option<ByteRange> {
        let range = match *self {
            Self::Closed { first, last } => ByteRange::new(first, last.saturating_add(1).min(size)),
            Self::Open { first } => ByteRange::new(first, size),
            Self::Suffix { length } => ByteRange::new(size.saturating_sub(length), size),
        };
        (!range.is_empty()).then_some(range)
    }
}

/// Adds `range`, swallowing every member it touches; the earliest of them gives the place.
fn merge_into(out: &mut Vec<ByteRange>, mut range: ByteRange) {
    let mut place = out.len();
    let mut at = 0;
    while at < out.len() {
        let other = out[at];
        if range.start <= other.end && other.start <= range.end {
            range = ByteRange::new(range.start.min(other.start), range.end.max(other.end));
            out.remove(at);
            place = place.min(at);
            // A grown range may now touch members that were passed already.
            at = 0;
        } else {
            at += 1;
        }
    }
    out.insert(place.min(out.len()), range);
}

fn parse_spec(element: &str) -> Result<RangeSpec, RangeError> {
    let (first, last) = element.split_once('-').ok_or(RangeError::Invalid)?;
    match (first.is_empty(), last.is_empty()) {
        (true, true) => Err(RangeError::Invalid),
        (true, false) => Ok(RangeSpec::Suffix { length: parse_position(last)? }),
        (false, true) => Ok(RangeSpec::Open { first: parse_position(first)? }),
        (false, false) => {
            let (first, last) = (parse_position(first)?, parse_position(last)?);
            if last < first { Err(RangeError::Invalid) } else { Ok(RangeSpec::Closed { first, last }) }
        }
    }
}

/// Digits only: `str::parse` alone would take a sign. A position past 2^64 means "beyond any end".
fn parse_position(digits: &str) -> Result<u64, RangeError> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(RangeError::Invalid);
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}

/// A `Content-Range` field of a response (section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// The part enclosed; `None` in `bytes */SIZE`.
    pub range: Option<ByteRange>,
    /// The whole representation's size; `None` where the sender did not know it (`*`).
    pub size: Option<u64>,
}

impl ContentRange {
    /// Reads a `Content-Range` field; `None` for another unit or a value that contradicts itself.
    pub fn parse(field: &str) -> Option<Self> {
        let (range, size) = field.strip_prefix("bytes ")?.trim().split_once('/')?;
        let size = match size {
            "*" => None,
            digits => Some(parse_exact(digits)?),
        };
        if range == "*" {
            return size.map(|size| Self { range: None, size: Some(size) });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last) = (parse_exact(first)?, parse_exact(last)?);
        if last < first || size.is_some_and(|size| last >= size) {
            return None;
        }
        Some(Self { range: Some(ByteRange::new(first, last.checked_add(1)?)), size })
    }
}

fn parse_exact(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) { None } else { digits.parse().ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolve(field: &str, size: u64) -> Result<Vec<(u64, u64)>, RangeError> {
        let set = RangeSet::parse(field, 8)?.ok_or(RangeError::Invalid)?;
        Ok(set.resolve(size)?.into_iter().map(|r| (r.start, r.end)).collect())
    }

    #[test]
    fn the_examples_of_rfc_9110_resolve() {
        assert_eq!(resolve("bytes=0-499", 10_000), Ok(vec![(0, 500)]));
        assert_eq!(resolve("bytes=500-999", 10_000), Ok(vec![(500, 1000)]));
        assert_eq!(resolve("bytes=-500", 10_000), Ok(vec![(9500, 10_000)]));
        assert_eq!(resolve("bytes=9500-", 10_000), Ok(vec![(9500, 10_000)]));
        assert_eq!(resolve("bytes=0-0,-1", 10_000), Ok(vec![(0, 1), (9999, 10_000)]));
        assert_eq!(
            resolve("bytes= 0-999, 4500-5499, -1000", 10_000),
            Ok(vec![(0, 1000), (4500, 5500), (9000, 10_000)])
        );
        assert_eq!(resolve("bytes=500-700,601-999", 10_000), Ok(vec![(500, 1000)]));
    }

    #[test]
    fn what_touches_is_merged_and_order_is_kept() {
        assert_eq!(resolve("bytes=20-29,0-9,10-19", 100), Ok(vec![(0, 30)]));
        assert_eq!(resolve("bytes=50-59,0-9,55-69", 100), Ok(vec![(50, 70), (0, 10)]));
    }

    #[test]
    fn bad_fields_are_told_apart() {
        for field in [
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=0x1-2",
        ] {
            assert_eq!(resolve(field, 100), Err(RangeError::Invalid), "{field}");
        }
        assert_eq!(resolve("bytes=100-", 100), Err(RangeError::Unsatisfiable));
        assert_eq!(resolve("bytes=-0", 100), Err(RangeError::Unsatisfiable));
        assert_eq!(resolve("bytes=0-", 0), Err(RangeError::Unsatisfiable));
        assert_eq!(resolve(&format!("bytes={}", "0-0,".repeat(1000)), 100), Err(RangeError::TooMany));
        assert_eq!(RangeSet::parse("lines=1-2", 8), Ok(None));
        assert_eq!(resolve("bytes=0-99999999999999999999999", 100), Ok(vec![(0, 100)]));
    }

    #[test]
    fn content_range_is_checked_for_contradictions() {
        let whole = ContentRange { range: Some(ByteRange::new(0, 10)), size: Some(100) };
        assert_eq!(ContentRange::parse("bytes 0-9/100"), Some(whole));
        assert_eq!(ContentRange::parse("bytes */100"), Some(ContentRange { range: None, size: Some(100) }));
        assert_eq!(ContentRange::parse("bytes 0-9/*"), Some(ContentRange { range: whole.range, size: None }));
        for field in [
            "",
            "bytes 9-0/100",
            "bytes 0-100/100",
            "bytes */*",
            "items 0-9/100",
            "bytes 0-9",
            "bytes -9/100",
        ] {
            assert_eq!(ContentRange::parse(field), None, "{field}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused(field in ".{0,80}") {
            let _ = RangeSet::parse(&field, 8);
            let _ = ContentRange::parse(&field);
        }

        #[test]
        fn resolved_ranges_cover_just_the_bytes_asked(
            specs in prop::collection::vec((0u64..60, 0u64..60, 0u8..3), 1..6), size in 0u64..50,
        ) {
            let field: Vec<String> = specs.iter().map(|&(a, b, kind)| match kind {
                0 => format!("{}-{}", a.min(b), a.max(b)),
                1 => format!("{a}-"),
                _ => format!("-{a}"),
            }).collect();
            let wanted = |at: u64| specs.iter().any(|&(a, b, kind)| match kind {
                0 => (a.min(b)..=a.max(b)).contains(&at),
                1 => at >= a,
                _ => at >= size.saturating_sub(a),
            });
            let set = RangeSet::parse(&format!("bytes={}", field.join(",")), 8).unwrap().unwrap();
            let ranges = set.resolve(size).unwrap_or_default();
            for at in 0..size {
                let times = ranges.iter().filter(|r| (r.start..r.end).contains(&at)).count();
                prop_assert_eq!(times, usize::from(wanted(at)), "byte {}", at);
            }
            prop_assert!(ranges.iter().all(|r| !r.is_empty() && r.end <= size));
        }

        #[test]
        fn content_range_reads_back(start in 0u64..1000, len in 1u64..1000, rest in 0u64..1000) {
            let range = ByteRange::new(start, start + len);
            let size = range.end + rest;
            prop_assert_eq!(ContentRange::parse(&range.content_range(size)), Some(ContentRange { range: Some(range), size: Some(size) }));
        }
    }
}
