//! From a file's size to the parts it is sent in. Pure.

use serde::{Deserialize, Serialize};

use crate::limits;

/// A stretch of the file that is one upload on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Where it begins in the file.
    pub start: u64,
    /// How many bytes it has.
    pub len: u64,
}

impl Part {
    /// Where it ends in the file (the first byte that is not its).
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }
}

/// The stretch of the file one digest leaf covers: a power of two of at least [`limits::PART_GRAIN`] bytes, so
/// large that a file has at most [`limits::LEAVES_MAX`] of them.
pub(crate) fn leaf_len(size: u64) -> u64 {
    let mut leaf = limits::PART_GRAIN;
    while size.div_ceil(leaf) > limits::LEAVES_MAX {
        leaf *= 2;
    }
    leaf
}

/// Cuts `size` bytes into at most `parallel` parts of nearly equal length, on multiples of the digest leaf (and so
/// of 1 MiB). There is always one part; an empty file has an empty one.
pub(crate) fn parts(size: u64, parallel: usize) -> Vec<Part> {
    let grain = leaf_len(size);
    let grains = size.div_ceil(grain).max(1);
    let count = (parallel.clamp(1, limits::PARTS_MAX) as u64).min(grains);
    // The first parts are one grain longer than the last ones.
    let cut = |n: u64| (grains / count * n + n.min(grains % count)) * grain;
    (0..count)
        .map(|n| {
            let (start, end) = (cut(n), cut(n + 1).min(size));
            Part { start, len: end - start }
        })
        .collect()
}

/// Whether `parts` cover `size` bytes in order, without holes, cut where digest leaves begin.
pub(crate) fn covers(parts: &[Part], size: u64) -> bool {
    let grain = leaf_len(size);
    let mut at = 0;
    for part in parts {
        if part.start != at || !part.start.is_multiple_of(grain) || part.start.checked_add(part.len).is_none()
        {
            return false;
        }
        at = part.end();
    }
    !parts.is_empty() && parts.len() <= limits::PARTS_MAX && at == size
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_file_is_one_empty_part() {
        assert_eq!(parts(0, 8), [Part { start: 0, len: 0 }]);
    }

    #[test]
    fn a_small_file_is_not_cut_below_a_mebibyte() {
        assert_eq!(parts(1 << 20, 8).len(), 1);
        assert_eq!(
            parts((1 << 20) + 1, 8),
            [Part { start: 0, len: 1 << 20 }, Part { start: 1 << 20, len: 1 }]
        );
    }

    #[test]
    fn parts_are_nearly_equal() {
        let lens: Vec<u64> = parts(10 << 20, 4).iter().map(|part| part.len >> 20).collect();
        assert_eq!(lens, [3, 3, 2, 2]);
    }

    #[test]
    fn files_past_four_gibibytes_are_cut_like_others() {
        let parts = parts((5 << 30) + 7, 3);
        assert_eq!(parts.len(), 3);
        assert!(covers(&parts, (5 << 30) + 7));
    }

    #[test]
    fn what_does_not_cover_the_file_is_told() {
        let part = |start, len| Part { start, len };
        assert!(!covers(&[], 0));
        assert!(!covers(&[part(0, 5)], 6));
        assert!(!covers(&[part(0, 1 << 20), part(2 << 20, 5)], (2 << 20) + 5));
        assert!(!covers(&[part(0, 5), part(5, 5)], 10));
        assert!(!covers(&[part(0, u64::MAX), part(u64::MAX, 2)], 1));
    }

    proptest! {
        #[test]
        fn parts_always_cover_the_file(size in 0..=(1u64 << 50), parallel in 0usize..100) {
            let parts = parts(size, parallel);
            prop_assert!(covers(&parts, size));
            prop_assert!(parts.len() <= parallel.max(1));
            prop_assert!(size == 0 || parts.iter().all(|part| part.len > 0));
        }

        #[test]
        fn leaves_are_bounded_powers_of_two(size in 0..=(1u64 << 60)) {
            let leaf = leaf_len(size);
            prop_assert!(leaf.is_power_of_two() && size.div_ceil(leaf) <= limits::LEAVES_MAX);
        }
    }
}
