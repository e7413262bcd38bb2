//! Waiting for something to become true, without a guess at how long it takes.

use std::time::{Duration, Instant};

use crate::limits;

/// Looks at `probe` until it gives something, and returns that.
///
/// # Panics
/// When `limit` is over, with `what` was waited for.
pub fn eventually<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}");
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
