//! Slice arithmetic: how a byte range falls on the fixed-size slices an edge caches.

use crate::ByteRange;

/// The part of one slice that a range needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlicePart {
    /// Number of the slice, from 0.
    pub index: u64,
    /// First byte needed, counted from the slice's own start.
    pub offset: u64,
    /// Bytes needed.
    pub len: u64,
}

/// The bytes of slice `index` in a representation of `size` bytes; the last slice is short.
pub fn slice_range(index: u64, slice_bytes: u64, size: u64) -> ByteRange {
    let start = index.saturating_mul(slice_bytes).min(size);
    ByteRange::new(start, start.saturating_add(slice_bytes).min(size))
}

/// The parts of slices, in order, that together are `range`.
pub fn parts(range: ByteRange, slice_bytes: u64) -> impl Iterator<Item = SlicePart> + Clone {
    let slice_bytes = slice_bytes.max(1);
    let first = range.start / slice_bytes;
    let past = if range.is_empty() { first } else { (range.end - 1) / slice_bytes + 1 };
    (first..past).map(move |index| {
        let base = index * slice_bytes;
        let start = range.start.max(base);
        let end = range.end.min(base.saturating_add(slice_bytes));
        SlicePart { index, offset: start - base, len: end - start }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_add_up_to_the_range(start in 0u64..500, len in 0u64..500, slice in 1u64..64) {
            let range = ByteRange::new(start, start + len);
            let mut at = range.start;
            for part in parts(range, slice) {
                prop_assert_eq!(part.index * slice + part.offset, at);
                prop_assert!(part.len > 0 && part.offset + part.len <= slice);
                at += part.len;
            }
            prop_assert_eq!(at, range.end);
        }

        #[test]
        fn slices_tile_the_representation(size in 1u64..1000, slice in 1u64..64) {
            let count = size.div_ceil(slice);
            let total: u64 = (0..count).map(|i| slice_range(i, slice, size).len()).sum();
            prop_assert_eq!(total, size);
            prop_assert!(slice_range(count, slice, size).is_empty());
        }
    }
}
