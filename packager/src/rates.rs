//! Times and bit rates, in whole numbers.

use std::num::NonZeroU32;

use crate::check::Track;

/// Ticks in microseconds, to the nearest.
pub(crate) fn micros(ticks: u64, timescale: NonZeroU32) -> u64 {
    let scale = u128::from(timescale.get());
    u64::try_from((u128::from(ticks) * 1_000_000 + scale / 2) / scale).unwrap_or(u64::MAX)
}

/// Seconds with six digits behind the point.
pub(crate) fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Whole seconds, to the nearest, but no less than 1: what `EXT-X-TARGETDURATION` has to say of the longest segment.
pub(crate) fn whole_seconds(micros: u64) -> u64 {
    (micros.saturating_add(500_000) / 1_000_000).max(1)
}

/// Bits a second, rounded up.
pub(crate) fn bits_per_second(bytes: u64, ticks: u64, timescale: NonZeroU32) -> u64 {
    let bits = u128::from(bytes) * 8 * u128::from(timescale.get());
    u64::try_from(bits.div_ceil(u128::from(ticks.max(1)))).unwrap_or(u64::MAX)
}

/// What a track costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rates {
    /// The peak segment bit rate of RFC 8216 section 4.1: the largest bit rate of any contiguous set of segments
    /// whose total duration is between 0.5 and 1.5 times the target duration.
    pub(crate) peak: u64,
    /// All bits over the whole duration.
    pub(crate) average: u64,
    /// In whole seconds.
    pub(crate) target_duration: u64,
}

impl Rates {
    pub(crate) fn of(track: &Track<'_>) -> Self {
        let scale = track.format().timescale;
        let list: Vec<_> = track.segments().map(|(_, it)| (it.size_bytes, it.duration_ticks)).collect();
        let longest = list.iter().map(|(_, ticks)| *ticks).max().unwrap_or(0);
        let target_duration = whole_seconds(micros(longest, scale));
        let (bytes, ticks) = list.iter().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        let average = bits_per_second(bytes, ticks, scale);
        // No set may be long enough where the whole is a second of a four-second segment.
        let peak = peak(&list, target_duration * u64::from(scale.get()), scale).unwrap_or(average);
        Self { peak: peak.max(average), average, target_duration }
    }
}

fn peak(list: &[(u64, u64)], target_ticks: u64, scale: NonZeroU32) -> Option<u64> {
    let mut peak = None;
    for first in 0..list.len() {
        let (mut bytes, mut ticks) = (0, 0);
        for (size, duration) in &list[first..] {
            bytes += size;
            ticks += duration;
            if ticks * 2 > target_ticks * 3 {
                break;
            }
            if ticks * 2 >= target_ticks {
                peak = peak.max(Some(bits_per_second(bytes, ticks, scale)));
            }
        }
    }
    peak
}
