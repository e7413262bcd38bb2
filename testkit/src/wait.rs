//! Waiting for something to become true, without a guess at how long it takes.

use std::time::{Duration, Instant};

use crate::limits;

/// Looks at `probe` until it gives something, and returns that.
///
/// # Panics
/// When `limit` is over, with `what` was waited for.
pub fn eventually<T>(what: &str, limit: Duration, probe: impl FnMut() -> Option<T>) -> T {
    eventually_or(limit, probe).unwrap_or_else(|| panic!("waited {limit:?} for {what}"))
}

/// The same for who has more to say when it does not come.
pub fn eventually_or<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(limits::POLL);
    }
}

/// The same for a condition.
///
/// # Panics
/// When `limit` is over, with `what` was waited for.
pub fn eventually_true(what: &str, limit: Duration, mut probe: impl FnMut() -> bool) {
    eventually(what, limit, || probe().then_some(()));
}
