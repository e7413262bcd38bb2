//! How often an account, or a client without one, may ask (GCRA, the leaky bucket as a meter). Each origin counts for
//! itself.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_serve::client::ClientKey;
use tokio::time::Instant;

use crate::catalog::AccountId;
use crate::config::OriginConfig;
use crate::limits;

/// `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10 section 3).
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// `RateLimit` (section 4 there).
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// So many in so long, or no limit: `300/10s`, `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(Option<(NonZeroU32, Duration)>);

impl Rate {
    /// No limit.
    pub const OFF: Self = Self(None);
    /// Requests to the API: a page with a hundred posters, opened again and again, stays below it.
    pub const API: &str = "1000/10s";
    /// Log-ins: each costs a hash.
    pub const LOG_IN: &str = "60/1m";
    /// Sign-ups.
    pub const SIGN_UP: &str = "60/1h";
    /// Password resets asked for.
    pub const RESET: &str = "5/1h";
    /// Uploads begun: a folder dropped on the page.
    pub const UPLOAD: &str = "1000/1m";
}

/// A text that is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is COUNT/TIME, the time in s, m or h and at most 24h: 300/10s, 60/1h; or off")]
pub struct InvalidRate;

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let (count, time) = text.split_once('/').ok_or(InvalidRate)?;
        let unit_s = match time.chars().last() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            _ => return Err(InvalidRate),
        };
        // A time without a number is one of it: 60/h.
        let number = match &time[..time.len() - 1] {
            "" => 1,
            number => number.parse::<u64>().map_err(|_| InvalidRate)?,
        };
        let time = Duration::from_secs(number.checked_mul(unit_s).ok_or(InvalidRate)?);
        let count = count.parse().map_err(|_| InvalidRate)?;
        if time.is_zero() || time > limits::RATE_LONGEST {
            return Err(InvalidRate);
        }
        Ok(Self(Some((count, time))))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((count, time)) => write!(f, "{count}/{}s", time.as_secs()),
            None => f.write_str("off"),
        }
    }
}

/// Whom a request is counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// An account, wherever it asks from.
    Account(AccountId),
    /// A client that has not said who it is.
    Address(ClientKey),
}

/// How an allowance stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    policy: &'static str,
    count: u32,
    window_s: u64,
    /// Requests that may follow at once.
    pub left: u32,
    /// Seconds until there are more: until all are back, or for a refused request until the next.
    pub reset_s: u32,
}

impl Standing {
    /// Writes `RateLimit` and `RateLimit-Policy`.
    pub fn put(&self, fields: &mut HeaderMap) {
        let Self { policy, count, window_s, left, reset_s } = self;
        let texts = [
            (RATELIMIT_POLICY, format!("\"{policy}\";q={count};w={window_s}")),
            (RATELIMIT, format!("\"{policy}\";r={left};t={reset_s}")),
        ];
        for (name, text) in texts {
            if let Ok(value) = HeaderValue::try_from(text) {
                fields.insert(name, value);
            }
        }
    }
}

type Counter = RateLimiter<Key, HashMapStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// One limit for everyone, counted for each.
pub struct Limiter {
    policy: &'static str,
    count: NonZeroU32,
    window: Duration,
    counter: Counter,
    tracked: usize,
    swept: Mutex<Option<Instant>>,
}

impl Limiter {
    fn new(policy: &'static str, rate: Rate, tracked: usize) -> Option<Self> {
        let (count, window) = rate.0?;
        let quota = Quota::with_period(window / count.get())?.allow_burst(count);
        let counter = RateLimiter::hashmap(quota).with_middleware();
        Some(Self { policy, count, window, counter, tracked, swept: Mutex::new(None) })
    }

    /// Counts a request.
    ///
    /// # Errors
    /// When the allowance is used up: how long to wait.
    pub fn check(&self, key: Key) -> Result<Standing, Standing> {
        let checked = self.counter.check_key(&self.tracked_as(key));
        let count = self.count.get();
        match checked {
            Ok(state) => {
                let left = state.remaining_burst_capacity().min(count);
                let reset = self.window.mul_f64(f64::from(count - left) / f64::from(count));
                Ok(self.standing(left, reset))
            }
            Err(until) => Err(self.standing(0, until.wait_time_from(DefaultClock::default().now()))),
        }
    }

    fn standing(&self, left: u32, reset: Duration) -> Standing {
        let reset_s = reset.as_secs() + u64::from(reset.subsec_nanos() > 0);
        Standing {
            policy: self.policy,
            count: self.count.get(),
            window_s: self.window.as_secs(),
            left,
            reset_s: u32::try_from(reset_s).unwrap_or(u32::MAX).max(1),
        }
    }

    /// The key itself while there is room for it; whoever comes when the table is full shares one allowance.
    fn tracked_as(&self, key: Key) -> Key {
        if self.counter.len() < self.tracked {
            return key;
        }
        let now = Instant::now();
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_none_or(|at| now >= at + limits::RATE_SWEEP) {
            *swept = Some(now);
            self.counter.retain_recent();
        }
        if self.counter.len() < self.tracked { key } else { Key::Address(ClientKey::CROWD) }
    }

    /// Forgets whoever has a whole allowance again.
    fn tidy(&self) {
        self.counter.retain_recent();
        self.counter.shrink_to_fit();
    }
}

/// The limits there are; `None` where one is off.
pub struct Rates {
    /// Requests to the API.
    pub api: Option<Limiter>,
    /// Log-ins and changes of passwords.
    pub log_in: Option<Limiter>,
    /// Sign-ups.
    pub sign_up: Option<Limiter>,
    /// Password resets asked for.
    pub reset: Option<Limiter>,
    /// Uploads begun.
    pub upload: Option<Limiter>,
}

impl Rates {
    /// As configured, with nothing counted yet.
    pub fn new(config: &OriginConfig) -> Self {
        let options = &config.accounts;
        let uploads = match (options.rate_upload, config.anonymous_uploads) {
            (Some(rate), _) => rate,
            (None, true) => Rate::OFF,
            (None, false) => Rate::UPLOAD.parse().unwrap_or(Rate::OFF),
        };
        let limiter = |policy, rate| Limiter::new(policy, rate, limits::RATE_KEYS);
        Self {
            api: limiter("api", options.rate_api),
            log_in: limiter("log-in", options.rate_log_in),
            sign_up: limiter("sign-up", options.rate_sign_up),
            reset: limiter("reset", options.rate_reset),
            upload: limiter("upload", uploads),
        }
    }

    /// Forgets whoever has a whole allowance again.
    pub fn tidy(&self) {
        let all = [&self.api, &self.log_in, &self.sign_up, &self.reset, &self.upload];
        all.into_iter().flatten().for_each(Limiter::tidy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Key {
        Key::Address(ClientKey::of(text.parse().unwrap()))
    }

    fn limiter(rate: &str, tracked: usize) -> Limiter {
        Limiter::new("test", rate.parse().unwrap(), tracked).unwrap()
    }

    #[test]
    fn rates_are_read_as_documented() {
        for (text, read) in [("300/10s", "300/10s"), ("60/1h", "60/3600s"), ("5/m", "5/60s"), ("off", "off")]
        {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), read);
        }
        for text in
            ["", "/", "5", "5/", "0/1s", "5/0s", "-1/1s", "5/1d", "5/25h", "5/1é", "x/1s", "5/xs", "OFF"]
        {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
        for text in [Rate::API, Rate::LOG_IN, Rate::SIGN_UP, Rate::RESET, Rate::UPLOAD] {
            assert!(text.parse::<Rate>().is_ok_and(|rate| rate != Rate::OFF), "{text}");
        }
    }

    #[test]
    fn an_allowance_goes_down_and_the_refused_are_told_how_long() {
        let limiter = limiter("3/1h", 10);
        let mine = || address("192.0.2.1");
        for left in [2, 1, 0] {
            let standing = limiter.check(mine()).unwrap();
            assert_eq!(standing.left, left);
        }
        let refused = limiter.check(mine()).unwrap_err();
        assert!(refused.left == 0 && (1..=1200).contains(&refused.reset_s), "{refused:?}");
        assert!(limiter.check(address("192.0.2.2")).is_ok(), "others are not hindered");
        assert!(limiter.check(Key::Account(AccountId::new("a"))).is_ok());
        let mut fields = HeaderMap::new();
        refused.put(&mut fields);
        assert_eq!(fields["ratelimit-policy"], "\"test\";q=3;w=3600");
        assert_eq!(fields["ratelimit"], format!("\"test\";r=0;t={}", refused.reset_s));
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let limiter = limiter("1/1h", 10);
        assert!(limiter.check(address("2001:db8::1")).is_ok());
        assert!(limiter.check(address("2001:db8::ffff:1")).is_err());
        assert!(limiter.check(address("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn the_table_is_bounded_and_forgets() {
        let limiter = limiter("1/1h", 8);
        for host in 1..=200u8 {
            let _ = limiter.check(address(&format!("192.0.2.{host}")));
        }
        assert!(limiter.counter.len() <= 9, "eight clients and the crowd");
        assert!(limiter.check(address("198.51.100.1")).is_err(), "newcomers share an allowance");
        let quick = Limiter::new("test", "1000000/1s".parse().unwrap(), 8).unwrap();
        let _ = quick.check(address("192.0.2.1"));
        while !quick.counter.is_empty() {
            quick.tidy();
        }
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert!(Limiter::new("test", Rate::OFF, 8).is_none());
    }
}
