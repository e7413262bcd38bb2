//! Requests a second for each client, with a bounded number of clients tracked.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::HeaderValue;
use tokio::time::Instant;

use crate::limits;
use crate::locked;
use tidegate_serve::client::ClientKey;

/// The rate every client may have.
pub(crate) struct RateGate {
    limiter: RateLimiter<ClientKey, HashMapStateStore<ClientKey>, DefaultClock>,
    per_second: NonZeroU32,
    burst: NonZeroU32,
    tracked: usize,
    swept: Mutex<Option<Instant>>,
}

/// A client asked too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooFast {
    /// Until when it should wait.
    pub(crate) wait: Duration,
}

impl RateGate {
    /// A gate that lets `per_second` requests of a client through, and `burst` at once.
    pub(crate) fn new(per_second: NonZeroU32, burst: NonZeroU32, tracked: usize) -> Self {
        let limiter = RateLimiter::hashmap(Quota::per_second(per_second).allow_burst(burst));
        Self { limiter, per_second, burst, tracked, swept: Mutex::new(None) }
    }

    /// Counts a request of `client`.
    ///
    /// # Errors
    /// [`TooFast`] when its allowance is used up.
    pub(crate) fn check(&self, client: IpAddr) -> Result<(), TooFast> {
        let mut key = ClientKey::of(client);
        if self.limiter.len() >= self.tracked {
            self.sweep();
            if self.limiter.len() >= self.tracked {
                key = ClientKey::CROWD;
            }
        }
        self.limiter
            .check_key(&key)
            .map_err(|until| TooFast { wait: until.wait_time_from(DefaultClock::default().now()) })
    }

    /// Forgets clients whose allowance is whole again, at most once a [`limits::TRACKED_SWEEP`].
    fn sweep(&self) {
        let now = Instant::now();
        let mut swept = locked(&self.swept);
        if swept.is_some_and(|at| now < at + limits::TRACKED_SWEEP) {
            return;
        }
        *swept = Some(now);
        self.limiter.retain_recent();
    }

    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10) for a refused request.
    pub(crate) fn fields(&self, refusal: TooFast) -> [(&'static str, Option<HeaderValue>); 2] {
        let window = self.burst.get().div_ceil(self.per_second.get());
        let policy = format!("\"requests\";q={};w={window}", self.burst);
        let state = format!("\"requests\";r=0;t={}", refusal.seconds());
        [
            ("ratelimit-policy", HeaderValue::from_maybe_shared(policy).ok()),
            ("ratelimit", HeaderValue::from_maybe_shared(state).ok()),
        ]
    }

    #[cfg(test)]
    fn clients(&self) -> usize {
        self.limiter.len()
    }
}

impl TooFast {
    /// The wait in whole seconds, at least one.
    pub(crate) fn seconds(&self) -> u32 {
        u32::try_from(self.wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn a_burst_passes_and_the_next_is_told_when() {
        let gate = RateGate::new(number(1), number(3), 10);
        let client = "192.0.2.1".parse().unwrap();
        assert!((0..3).all(|_| gate.check(client).is_ok()));
        let refusal = gate.check(client).unwrap_err();
        assert!(refusal.wait <= Duration::from_secs(1));
        assert!(gate.check("192.0.2.2".parse().unwrap()).is_ok(), "others are not hindered");
        let fields = gate.fields(refusal).map(|(name, value)| (name, value.unwrap()));
        assert_eq!(fields[0], ("ratelimit-policy", HeaderValue::from_static("\"requests\";q=3;w=3")));
        assert_eq!(fields[1], ("ratelimit", HeaderValue::from_static("\"requests\";r=0;t=1")));
    }

    #[test]
    fn the_number_of_tracked_clients_is_bounded() {
        let gate = RateGate::new(number(1), number(1), 8);
        for host in 1..=200u8 {
            let _ = gate.check(IpAddr::from([192, 0, 2, host]));
        }
        assert!(gate.clients() <= 9, "eight clients and the crowd");
        assert!(
            gate.check(IpAddr::from([198, 51, 100, 1])).is_err(),
            "newcomers share the crowd's allowance"
        );
    }
}
