//! When something that failed to be sent is tried again. Pure.

use std::time::Duration;

use tidegate_serve::Entropy;

/// The pause after so many failures: `first` doubled with each, up to `longest`, less a random part of its half, so that
/// what failed together does not come back together.
pub fn after(failures: u32, first: Duration, longest: Duration, entropy: &Entropy) -> Duration {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(24)).min(longest);
    let half_ms = u64::try_from(doubled.as_millis() / 2).unwrap_or(u64::MAX / 2);
    doubled - Duration::from_millis(entropy.below(half_ms + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_are_spread_over_their_upper_half() {
        let entropy = Entropy::seeded(3);
        let second = Duration::from_secs(1);
        for (failures, whole) in
            [(1, 5), (2, 10), (5, 80), (12, 10_240), (13, 20_480), (20, 21_600), (99, 21_600)]
        {
            let whole = second * whole;
            let pauses: Vec<Duration> =
                (0..100).map(|_| after(failures, 5 * second, 21_600 * second, &entropy)).collect();
            assert!(pauses.iter().all(|pause| (whole / 2..=whole).contains(pause)), "{failures}");
            assert!(pauses.iter().max() > pauses.iter().min(), "{failures}");
        }
    }
}
