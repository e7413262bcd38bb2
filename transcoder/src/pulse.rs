//! What an attempt lets others know while it works: how far it is, what can be played, that it is alive.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_wire::job::Progress;
use tidegate_wire::track::TrackPart;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::limits;

/// The pulse of one attempt.
#[derive(Debug)]
pub(crate) struct Pulse {
    state: Mutex<State>,
    grown: Notify,
}

#[derive(Debug)]
struct State {
    done: f64,
    parts: BTreeMap<String, TrackPart>,
    unreported: bool,
    moved: Instant,
}

impl Pulse {
    /// That of an attempt that begins now.
    pub(crate) fn new() -> Self {
        let state = State { done: 0.0, parts: BTreeMap::new(), unreported: false, moved: Instant::now() };
        Self { state: Mutex::new(state), grown: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has moved: the attempt does not stand still.
    pub(crate) fn moved(&self) {
        self.state().moved = Instant::now();
    }

    /// Waits for someone else, who has time-outs of his own: the attempt does not count as standing still meanwhile.
    pub(crate) async fn waiting<T>(&self, other: impl Future<Output = T>) -> T {
        tokio::pin!(other);
        loop {
            tokio::select! {
                done = &mut other => return done,
                () = sleep(limits::STALL_LOOKS) => self.moved(),
            }
        }
    }

    /// So much is done, 0 to 1. It does not go back.
    pub(crate) fn done(&self, done: f64) {
        let mut state = self.state();
        state.done = state.done.max(done.clamp(0.0, 1.0));
    }

    /// A part has grown by what is stored now.
    pub(crate) fn grown(&self, part: TrackPart) {
        let mut state = self.state();
        state.parts.insert(part.track.clone(), part);
        state.unreported = true;
        drop(state);
        self.grown.notify_one();
    }

    /// What a heartbeat says now. What a later one would only repeat about the parts is left out.
    pub(crate) fn report(&self, attempt: u32) -> Progress {
        let mut state = self.state();
        let parts = if std::mem::take(&mut state.unreported) {
            state.parts.values().cloned().collect()
        } else {
            Vec::new()
        };
        Progress { attempt, done: state.done, parts }
    }

    /// The report was not heard: its parts belong into the next one.
    pub(crate) fn unheard(&self) {
        let mut state = self.state();
        state.unreported = !state.parts.is_empty();
    }

    /// Waits until there is something worth a heartbeat of its own, and others that come with it.
    pub(crate) async fn worth_reporting(&self) {
        self.grown.notified().await;
        let segments: usize = self.state().parts.values().map(|part| part.segments.len()).sum();
        sleep(if segments < limits::REPORT_MANY { limits::REPORT_PAUSE } else { limits::REPORT_PAUSE_MANY })
            .await;
    }

    /// Returns when nothing has moved for `limit`.
    pub(crate) async fn stalled(&self, limit: Duration) {
        loop {
            sleep(limits::STALL_LOOKS.min(limit)).await;
            if self.state().moved.elapsed() >= limit {
                return;
            }
        }
    }
}
