//! The gate in front of the cache (invariants 8 and 10): nothing cached is served unless it is certain that no purge
//! was missed, or the origin cannot be asked.
//!
//! The certainty is a *proof*: the moment at which a poll of the purge log was **sent** that came back with everything
//! applied. Not the moment its answer came: after a pause of the process an answer from before the pause may lie in
//! the socket. The gate asks for a newer proof when the last is older than [`limits::PURGE_PROOF_AGE`], and when the
//! ticker was silent for [`limits::STOPPED_AFTER`], which means that the process was stopped. A request then waits
//! for one poll, up to [`limits::SYNC_WAIT`]. A poll that failed excuses the requests that come soon after: the origin
//! is away, and what is cached is served. How soon depends on how long the failure took: where the origin refuses
//! connections nearly every request finds out for itself whether it still does, where it is silent one poll at a time
//! waits for it in the background.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::limits;

/// Moments are milliseconds since the gate was made, plus one, so that 0 is "never".
pub(crate) struct PurgeGate {
    base: Instant,
    /// When the last poll was sent that came back with everything applied.
    proof: AtomicU64,
    /// A proof must be at least this new: the process was stopped before.
    required: AtomicU64,
    /// When the ticker last ran.
    tick: AtomicU64,
    /// When the last poll that failed was sent, and until when it excuses.
    failed_sent: AtomicU64,
    excused_until: AtomicU64,
    cursor: AtomicU64,
    /// Somebody waits for a poll.
    pub(crate) wanted: Notify,
    polls: watch::Sender<u64>,
}

impl PurgeGate {
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
            proof: AtomicU64::new(0),
            required: AtomicU64::new(1),
            tick: AtomicU64::new(1),
            failed_sent: AtomicU64::new(0),
            excused_until: AtomicU64::new(0),
            cursor: AtomicU64::new(0),
            wanted: Notify::new(),
            polls: watch::channel(0).0,
        }
    }

    fn moment(&self, at: Instant) -> u64 {
        millis(at.saturating_duration_since(self.base)) + 1
    }

    /// Whether a request that came at `now` may be answered from the cache at once.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        let now = self.moment(now);
        self.notice_stop(now);
        let (proof, required) = (self.proof.load(Ordering::Acquire), self.required.load(Ordering::Acquire));
        if proof >= required && now.saturating_sub(proof) <= millis(limits::PURGE_PROOF_AGE) {
            return true;
        }
        let sent = self.failed_sent.load(Ordering::Acquire);
        sent > proof && sent >= required && now <= self.excused_until.load(Ordering::Acquire)
    }

    /// Waits until the gate is open, at most [`limits::SYNC_WAIT`].
    pub(crate) async fn pass(&self) {
        let deadline = Instant::now() + limits::SYNC_WAIT;
        let mut polls = self.polls.subscribe();
        while !self.is_open(Instant::now()) {
            self.wanted.notify_one();
            if !matches!(timeout_at(deadline, polls.changed()).await, Ok(Ok(()))) {
                tracing::debug!("purges.unproven");
                return;
            }
        }
    }

    /// Whether whoever follows the log should ask at once rather than wait for news.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let now = self.moment(now);
        self.notice_stop(now);
        let proof = self.proof.load(Ordering::Acquire);
        proof < self.required.load(Ordering::Acquire)
            || now.saturating_sub(proof) > millis(limits::PURGE_PROOF_AGE)
    }

    fn notice_stop(&self, now: u64) {
        if now.saturating_sub(self.tick.load(Ordering::Acquire)) > millis(limits::STOPPED_AFTER) {
            self.required.fetch_max(now, Ordering::AcqRel);
        }
    }

    /// The process runs. Notices, before it says so, that it did not for a while.
    pub(crate) fn tick(&self, now: Instant) {
        let now = self.moment(now);
        self.notice_stop(now);
        self.tick.store(now, Ordering::Release);
    }

    /// A poll sent at `sent` has come back and everything up to `cursor` is applied; `complete` if that is all there is.
    pub(crate) fn polled(&self, sent: Instant, cursor: u64, complete: bool) {
        self.cursor.store(cursor, Ordering::Release);
        if complete {
            self.proof.fetch_max(self.moment(sent), Ordering::AcqRel);
            self.polls.send_modify(|count| *count += 1);
        }
    }

    /// A poll sent at `sent` has failed.
    pub(crate) fn failed(&self, sent: Instant) {
        let took = sent.elapsed() * limits::SYNC_EXCUSE_FACTOR;
        let excuse = took.clamp(limits::SYNC_EXCUSE_MIN, limits::SYNC_EXCUSE_MAX);
        self.failed_sent.store(self.moment(sent), Ordering::Release);
        self.excused_until.store(self.moment(Instant::now() + excuse), Ordering::Release);
        self.polls.send_modify(|count| *count += 1);
    }

    /// The last purge applied.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor.load(Ordering::Acquire)
    }

    /// How old the proof is; `None` before the first.
    pub(crate) fn proof_age(&self) -> Option<Duration> {
        let proof = self.proof.load(Ordering::Acquire);
        let now = self.moment(Instant::now());
        (proof > 0).then(|| Duration::from_millis(now.saturating_sub(proof)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn proven() -> PurgeGate {
        let gate = PurgeGate::new();
        gate.polled(Instant::now(), 7, true);
        gate
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_without_proof_is_shut_and_a_proof_opens_it() {
        let gate = PurgeGate::new();
        assert!(!gate.is_open(Instant::now()));
        gate.polled(Instant::now(), 7, false);
        assert!(!gate.is_open(Instant::now()), "a page of a longer log proves nothing");
        gate.polled(Instant::now(), 9, true);
        assert!(gate.is_open(Instant::now()));
        assert_eq!(gate.cursor(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_proof_grows_old() {
        let gate = proven();
        for _ in 0..40 {
            advance(limits::TICK).await;
            gate.tick(Instant::now());
        }
        assert!(gate.is_open(Instant::now()));
        advance(limits::TICK).await;
        assert!(!gate.is_open(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn invariant_8_a_process_that_was_stopped_wants_a_poll_sent_after_it() {
        for ticks_first in [false, true] {
            let gate = proven();
            let before = Instant::now();
            advance(limits::STOPPED_AFTER * 2).await;
            if ticks_first {
                gate.tick(Instant::now());
            }
            assert!(!gate.is_open(Instant::now()), "whether the ticker or a request runs first");
            gate.tick(Instant::now());
            gate.polled(before, 8, true);
            assert!(!gate.is_open(Instant::now()), "an answer that lay in the socket proves nothing");
            gate.polled(Instant::now(), 8, true);
            assert!(gate.is_open(Instant::now()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn invariant_10_a_failed_poll_excuses_for_a_while() {
        let gate = proven();
        let before = Instant::now();
        advance(limits::STOPPED_AFTER * 2).await;
        gate.tick(Instant::now());
        gate.failed(before);
        assert!(!gate.is_open(Instant::now()), "it failed for the stop, not for the origin");
        gate.failed(Instant::now());
        assert!(gate.is_open(Instant::now()));
        advance(limits::SYNC_EXCUSE_MIN + Duration::from_millis(1)).await;
        assert!(!gate.is_open(Instant::now()), "it was refused at once, so asking again is cheap");
        let sent = Instant::now();
        advance(Duration::from_secs(1)).await;
        gate.tick(Instant::now());
        gate.failed(sent);
        assert!(!gate.is_open(Instant::now()), "sent before the ticker's silence");
        let sent = Instant::now();
        for _ in 0..10 {
            advance(limits::TICK).await;
            gate.tick(Instant::now());
        }
        gate.failed(sent);
        for _ in 0..20 {
            assert!(gate.is_open(Instant::now()), "a silent origin is not waited for by everyone");
            advance(limits::TICK).await;
            gate.tick(Instant::now());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_a_poll_and_not_for_ever() {
        let gate = std::sync::Arc::new(PurgeGate::new());
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass().await }
        });
        gate.wanted.notified().await;
        gate.polled(Instant::now(), 1, true);
        waiting.await.unwrap();
        let shut = PurgeGate::new();
        let asked = Instant::now();
        shut.pass().await;
        assert_eq!(asked.elapsed(), limits::SYNC_WAIT);
    }
}
