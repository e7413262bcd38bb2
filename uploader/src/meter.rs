//! Counters that the sending side writes and everyone else reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How one part stands. Offsets are within the part.
#[derive(Debug, Default)]
pub(crate) struct PartMeter {
    position: AtomicU64,
    highest: AtomicU64,
    confirmed: AtomicU64,
    resent: AtomicU64,
    activity: AtomicU64,
}

impl PartMeter {
    /// A request begins to send at `offset`.
    pub(crate) fn begin(&self, offset: u64) {
        self.position.store(offset, Relaxed);
        self.activity.fetch_add(1, Relaxed);
    }

    /// `len` bytes at `offset` went to the connection. What lies below the highest byte ever handed over is sent
    /// again. It may count up to one write buffer (about 0.5 MiB) too much per cut, never too little: the
    /// connection does not tell which of the last bytes it still held when it broke.
    pub(crate) fn handed(&self, offset: u64, len: u64) {
        let end = offset.saturating_add(len);
        let highest = self.highest.fetch_max(end, Relaxed);
        self.resent.fetch_add(end.min(highest).saturating_sub(offset), Relaxed);
        self.position.store(end, Relaxed);
        self.activity.fetch_add(1, Relaxed);
    }

    /// The server says it has everything below `offset`.
    pub(crate) fn confirm(&self, offset: u64) {
        self.confirmed.store(offset, Relaxed);
        self.position.store(offset, Relaxed);
    }

    /// Where sending stands: handed to the connection, or confirmed when nothing is under way.
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Relaxed)
    }

    /// What the server confirmed last.
    pub(crate) fn confirmed(&self) -> u64 {
        self.confirmed.load(Relaxed)
    }

    /// Bytes sent more than once.
    pub(crate) fn resent(&self) -> u64 {
        self.resent.load(Relaxed)
    }

    /// Changes whenever something happens.
    pub(crate) fn activity(&self) -> u64 {
        self.activity.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_handed_over_before_counts_as_sent_again() {
        let meter = PartMeter::default();
        meter.begin(0);
        meter.handed(0, 100);
        meter.handed(100, 50);
        assert_eq!((meter.position(), meter.resent()), (150, 0));
        meter.confirm(120);
        assert_eq!(meter.position(), 120);
        meter.begin(120);
        meter.handed(120, 100);
        assert_eq!((meter.position(), meter.resent()), (220, 30));
        meter.begin(0);
        meter.handed(0, 10);
        assert_eq!(meter.resent(), 40);
    }
}
