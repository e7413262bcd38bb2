//! The budget for bytes (invariant 7): every region, cached, filling or only held by a slow client, has a lease on it
//! from its allocation to its last reader. What cannot be leased is not allocated.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout};

use crate::limits;

/// The grain of accounting, in bytes: a semaphore's permit.
const UNIT: u64 = 1024;

/// How many bytes may be alive at once.
#[derive(Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    limit: u64,
}

/// The memory could not be had in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// The right to hold some bytes, given back when dropped.
pub(crate) struct Lease(OwnedSemaphorePermit);

impl Budget {
    /// A budget of `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        let units =
            usize::try_from(limit / UNIT).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(units)), limit: units as u64 * UNIT }
    }

    /// Bytes it was made for.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes leased now, rounded up to whole units each.
    pub(crate) fn used(&self) -> u64 {
        self.limit - self.free.available_permits() as u64 * UNIT
    }

    /// A lease on `bytes` if they are free now.
    pub(crate) fn try_take(&self, bytes: u64) -> Option<Lease> {
        match self.free.clone().try_acquire_many_owned(units(bytes)) {
            Ok(permit) => Some(Lease(permit)),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => None,
        }
    }

    /// A lease on `bytes`, waiting its turn up to [`limits::MEMORY_WAIT`]; `press` is called to make room, at first
    /// and again while it waits. A cancelled wait leaves nothing behind.
    pub(crate) async fn take(&self, bytes: u64, press: impl Fn()) -> Result<Lease, Exhausted> {
        if let Some(lease) = self.try_take(bytes) {
            return Ok(lease);
        }
        let deadline = Instant::now() + limits::MEMORY_WAIT;
        let acquire = self.free.clone().acquire_many_owned(units(bytes));
        tokio::pin!(acquire);
        while Instant::now() < deadline {
            press();
            if let Ok(permit) = timeout(limits::MEMORY_PRESS, &mut acquire).await {
                return permit.map(Lease).map_err(|_| Exhausted);
            }
        }
        Err(Exhausted)
    }
}

impl Lease {
    /// Gives back what is beyond `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        let keep = units(bytes) as usize;
        let spare = self.0.num_permits().saturating_sub(keep);
        drop(self.0.split(spare));
    }

    /// Takes `bytes` out of this lease into one of their own; `None` if it has not that many.
    pub(crate) fn split(&mut self, bytes: u64) -> Option<Lease> {
        self.0.split(units(bytes) as usize).map(Lease)
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_lease_is_given_back_whole_or_in_part() {
        let budget = Budget::new(100 * UNIT);
        let mut lease = budget.try_take(80 * UNIT).unwrap();
        assert!(budget.try_take(21 * UNIT).is_none());
        lease.shrink_to(10 * UNIT);
        assert_eq!(budget.used(), 10 * UNIT);
        let part = lease.split(4 * UNIT).unwrap();
        drop(lease);
        assert_eq!(budget.used(), 4 * UNIT);
        drop(part);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_taker_presses_for_room_and_gives_up_in_time() {
        let budget = Budget::new(10 * UNIT);
        let held = std::sync::Mutex::new(budget.try_take(10 * UNIT));
        let presses = AtomicU32::new(0);
        let press = || {
            presses.fetch_add(1, Ordering::Relaxed);
        };
        assert_eq!(budget.take(UNIT, press).await.err(), Some(Exhausted));
        assert!(presses.load(Ordering::Relaxed) > 1);
        let taken = budget.take(5 * UNIT, || drop(held.lock().unwrap().take())).await;
        assert!(taken.is_ok());
    }
}
