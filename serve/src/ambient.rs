//! Time and randomness as values that are passed, so that what depends on them can be tested.
//!
//! This is the one file that asks the system for either; `clippy.toml` bans it elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Wall-clock time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is moved.
    pub fn manual(unix_ms: u64) -> (Self, ManualClock) {
        let now = Arc::new(AtomicU64::new(unix_ms));
        (Self(Source::Manual(now.clone())), ManualClock(now))
    }

    /// Milliseconds since 1970.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn unix_ms(&self) -> u64 {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            Source::Manual(now) => now.load(Ordering::Relaxed),
        }
    }

    /// Seconds since 1970.
    pub fn unix_s(&self) -> u64 {
        self.unix_ms() / 1000
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({} ms)", self.unix_ms())
    }
}

/// Moves the clock it came with.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Randomness.
#[derive(Clone, Debug)]
pub struct Entropy(Option<Arc<AtomicU64>>);

impl Entropy {
    /// The system's generator, fit for secrets.
    pub fn system() -> Self {
        Self(None)
    }

    /// The same numbers for the same seed, for tests. Not for secrets.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(AtomicU64::new(seed))))
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// When the system has no randomness to give: nothing that follows could be safe.
    #[allow(
        clippy::disallowed_methods,
        clippy::expect_used,
        reason = "the one place that asks the system for randomness"
    )]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        match &self.0 {
            None => getrandom::fill(&mut out).expect("the system has randomness"),
            Some(state) => {
                for piece in out.chunks_mut(8) {
                    let word =
                        splitmix64(state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)).to_le_bytes();
                    piece.copy_from_slice(&word[..piece.len()]);
                }
            }
        }
        out
    }

    /// A number below `bound`, or 0 when that is 0. The bias is below 2^-32 for bounds that fit in 32 bits.
    pub fn below(&self, bound: u64) -> u64 {
        u64::from_le_bytes(self.bytes()).checked_rem(bound).unwrap_or(0)
    }

    /// A number from 0 up to but not including 1.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn unit(&self) -> f64 {
        (u64::from_le_bytes(self.bytes()) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
fn splitmix64(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_when_told() {
        let (clock, hand) = Clock::manual(5_000);
        assert_eq!(clock.unix_s(), 5);
        hand.advance(Duration::from_secs(2));
        assert_eq!(clock.unix_ms(), 7_000);
    }

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        assert_eq!(Entropy::seeded(1).bytes::<32>(), Entropy::seeded(1).bytes::<32>());
        assert_ne!(Entropy::system().bytes::<32>(), Entropy::system().bytes::<32>());
        let entropy = Entropy::seeded(7);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&entropy.unit()) && entropy.below(10) < 10));
    }
}
