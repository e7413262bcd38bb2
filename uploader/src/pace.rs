//! The rate limit, shared by all parts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits;

/// A token bucket kept as the time at which the next byte may go. Whoever takes bytes moves it on by their cost,
/// so parts are served in the order they ask and the sum keeps to the rate.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_second: u64,
    next: Mutex<Instant>,
}

impl Pace {
    /// At most `bytes_per_second`, from now on.
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(limits::RATE_MIN), next: Mutex::new(Instant::now()) }
    }

    /// The piece size that makes this rate a steady flow: a sixteenth of a second's worth.
    pub(crate) fn block(&self) -> usize {
        let sixteenth = usize::try_from(self.bytes_per_second / 16).unwrap_or(usize::MAX);
        sixteenth.clamp(limits::PACED_BLOCK_MIN, limits::BLOCK_MAX)
    }

    /// Waits until `bytes` may go. A caller that stops waiting has still used its share.
    pub(crate) async fn take(&self, bytes: usize) {
        let at = self.reserve(bytes, Instant::now());
        tokio::time::sleep_until(at).await;
    }

    fn reserve(&self, bytes: usize, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(limits::RATE_BURST).unwrap_or(now);
        let at = (*next).max(earliest);
        #[allow(clippy::cast_precision_loss, reason = "a rate is not exact to the last of 53 bits")]
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        *next = at + cost;
        // Paying before the bytes go, not after, keeps the very first second within the rate too.
        at + cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_sum_of_all_takers_keeps_to_the_rate() {
        let pace = std::sync::Arc::new(Pace::new(1_000_000));
        let began = Instant::now();
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let pace = pace.clone();
                tokio::spawn(async move {
                    for _ in 0..100 {
                        pace.take(10_000).await;
                    }
                })
            })
            .collect();
        for taker in takers {
            taker.await.unwrap();
        }
        let took = began.elapsed().as_secs_f64();
        assert!((3.9..4.1).contains(&took), "4 MB at 1 MB/s took {took} s");
    }

    #[tokio::test(start_paused = true)]
    async fn time_not_used_is_not_saved_up() {
        let pace = Pace::new(1_000_000);
        tokio::time::advance(Duration::from_secs(3600)).await;
        let began = Instant::now();
        pace.take(1_000_000).await;
        assert!(began.elapsed() >= Duration::from_millis(700));
    }

    #[test]
    fn pieces_fit_the_rate() {
        let block = |rate| {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(async { Pace::new(rate).block() })
        };
        assert_eq!((block(1024), block(1 << 20), block(1 << 30)), (256, 1 << 16, limits::BLOCK_MAX));
    }
}
