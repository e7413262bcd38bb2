//! What slows the guessing of passwords.
//!
//! Failures are counted by account and by client address. The first few are free; after that every further one
//! doubles the wait before the next try, and tries come one at a time. The wait for an account stays short, because
//! anyone can cause it to anyone; the wait for an address grows long. The counts are this process's own and few
//! enough to be bounded: with N origins a guesser has N times the tries.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use tidegate_serve::Clock;
use tidegate_serve::client::ClientKey;

use crate::limits;

/// What failures are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    Address(ClientKey),
}

impl Key {
    const fn free(&self) -> u32 {
        match self {
            Self::Account(_) => limits::ACCOUNT_FREE_FAILURES,
            Self::Address(_) => limits::ADDRESS_FREE_FAILURES,
        }
    }

    const fn longest_wait(&self) -> Duration {
        match self {
            Self::Account(_) => limits::ACCOUNT_LONGEST_WAIT,
            Self::Address(_) => limits::ADDRESS_LONGEST_WAIT,
        }
    }
}

#[derive(Debug, Default)]
struct Count {
    failures: u32,
    running: u32,
    last_ms: u64,
    blocked_until_ms: u64,
}

/// The next try has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// For so many seconds.
    pub seconds: u32,
}

/// Counts failures.
pub struct Throttle {
    clock: Clock,
    counts: Cache<Key, Arc<Mutex<Count>>>,
}

impl Throttle {
    /// A throttle that has seen nothing.
    pub fn new(clock: Clock) -> Self {
        let counts = Cache::builder()
            .max_capacity(limits::FAILURES_TRACKED)
            .time_to_idle(limits::FAILURES_KEPT)
            .build();
        Self { clock, counts }
    }

    /// Asks to try a password for `account` (its id, or what was typed when there is none) from `address`.
    ///
    /// # Errors
    /// [`Wait`] when it is too early.
    pub fn begin(&self, account: &str, address: IpAddr) -> Result<Attempt<'_>, Wait> {
        let address = Key::Address(ClientKey::of(address));
        let mut attempt = Attempt { throttle: self, running: Vec::with_capacity(2) };
        for key in [address, Key::Account(account.to_owned())] {
            let count = self.counts.get_with(key.clone(), Arc::default);
            self.enter(&key, &count)?;
            attempt.running.push((key, count));
        }
        Ok(attempt)
    }

    fn enter(&self, key: &Key, count: &Mutex<Count>) -> Result<(), Wait> {
        let now = self.clock.unix_ms();
        let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(count.last_ms) > millis(limits::FAILURES_KEPT) {
            count.failures = 0;
            count.blocked_until_ms = 0;
        }
        let left_ms = count.blocked_until_ms.saturating_sub(now);
        let crowded = count.failures >= key.free() && count.running > 0;
        if left_ms > 0 || crowded {
            let seconds = u32::try_from(left_ms.div_ceil(1000)).unwrap_or(u32::MAX);
            return Err(Wait { seconds: seconds.max(1) });
        }
        count.running += 1;
        Ok(())
    }
}

/// A try that may go on. Dropped without a verdict, as when the request is given up, it counts for nothing.
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    running: Vec<(Key, Arc<Mutex<Count>>)>,
}

impl Attempt<'_> {
    /// The password was wrong.
    pub fn failed(self) {
        let now = self.throttle.clock.unix_ms();
        for (key, count) in &self.running {
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            count.failures = count.failures.saturating_add(1);
            count.last_ms = now;
            if let Some(beyond) = count.failures.checked_sub(key.free()) {
                let first = millis(limits::FAILURE_FIRST_WAIT);
                let wait = first.saturating_mul(1 << beyond.min(32)).min(millis(key.longest_wait()));
                count.blocked_until_ms = now + wait;
            }
        }
    }

    /// The password was right: the account's failures are forgiven. Those of the address are not, or whoever has
    /// one account could go on guessing at the others.
    pub fn succeeded(self) {
        for (key, count) in &self.running {
            if matches!(key, Key::Account(_)) {
                let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
                count.failures = 0;
                count.blocked_until_ms = 0;
            }
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        for (_, count) in &self.running {
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            count.running = count.running.saturating_sub(1);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tidegate_serve::ambient::ManualClock;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn throttle() -> (Throttle, ManualClock) {
        let (clock, hand) = Clock::manual(1_000_000_000);
        (Throttle::new(clock), hand)
    }

    fn fail(throttle: &Throttle, account: &str, times: u32) {
        for _ in 0..times {
            throttle.begin(account, HOME).expect("a free try").failed();
        }
    }

    #[test]
    fn failures_beyond_the_free_ones_wait_twice_as_long_each_time() {
        let (throttle, hand) = throttle();
        fail(&throttle, "a", limits::ACCOUNT_FREE_FAILURES);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = throttle.begin("a", HOME).err();
            assert_eq!(wait, Some(Wait { seconds }));
            hand.advance(Duration::from_secs(u64::from(seconds)));
            throttle.begin("a", HOME).expect("the wait is over").failed();
        }
    }

    #[test]
    fn one_account_does_not_slow_another_until_the_address_is_slowed() {
        let (throttle, _hand) = throttle();
        for account in 0..limits::ADDRESS_FREE_FAILURES {
            fail(&throttle, &account.to_string(), 1);
        }
        assert!(throttle.begin("fresh", HOME).is_err());
        assert!(throttle.begin("fresh", "10.0.0.1".parse().unwrap()).is_ok());
    }

    #[test]
    fn success_forgives_the_account_but_not_the_address() {
        let (throttle, hand) = throttle();
        for _ in 0..limits::ADDRESS_FREE_FAILURES {
            throttle.begin("mine", HOME).expect("free").succeeded();
            if let Ok(attempt) = throttle.begin("theirs", HOME) {
                attempt.failed();
            }
            hand.advance(limits::ACCOUNT_LONGEST_WAIT);
        }
        assert!(throttle.begin("mine", HOME).is_ok(), "the wait of the address is over by now");
        throttle.begin("theirs", HOME).expect("likewise").failed();
        assert!(throttle.begin("mine", HOME).is_err());
    }

    #[test]
    fn tries_beyond_the_free_ones_come_one_at_a_time() {
        let (throttle, hand) = throttle();
        fail(&throttle, "a", limits::ACCOUNT_FREE_FAILURES);
        hand.advance(Duration::from_secs(1));
        let first = throttle.begin("a", HOME).expect("the wait is over");
        assert!(throttle.begin("a", HOME).is_err());
        drop(first);
        assert!(throttle.begin("a", HOME).is_ok());
    }

    #[test]
    fn failures_are_forgotten_in_time() {
        let (throttle, hand) = throttle();
        fail(&throttle, "a", limits::ACCOUNT_FREE_FAILURES);
        hand.advance(limits::FAILURES_KEPT + Duration::from_secs(1));
        fail(&throttle, "a", limits::ACCOUNT_FREE_FAILURES);
    }
}
