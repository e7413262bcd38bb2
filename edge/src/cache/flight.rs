//! A fill under way: one for each slice however many ask (invariant 6), read by all of them while it arrives.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::sync::Notify;

use super::region::Region;
use crate::limits;
use crate::locked;
use crate::upstream::Failure;

/// Names a slice: a generation's number and the slice's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SliceKey {
    pub(crate) generation: u64,
    pub(crate) index: u64,
}

/// One fill.
pub(crate) struct Flight {
    pub(crate) key: SliceKey,
    /// Bytes it will have.
    pub(crate) len: u64,
    region: OnceLock<Arc<Region>>,
    state: Mutex<State>,
    readers: AtomicUsize,
    /// Told when the last reader goes.
    left: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The origin has not answered yet.
    Asking,
    /// Bytes arrive.
    Arriving,
    /// All are there.
    Whole,
    /// No more will come.
    Failed(Failure),
}

struct State {
    phase: Phase,
    waiting: Vec<Waker>,
    /// How often `waiting` was emptied: a reader that registered in this round need not again.
    round: u64,
}

impl Flight {
    fn new(key: SliceKey, len: u64) -> Arc<Self> {
        Arc::new(Self {
            key,
            len,
            region: OnceLock::new(),
            state: Mutex::new(State { phase: Phase::Asking, waiting: Vec::new(), round: 0 }),
            readers: AtomicUsize::new(0),
            left: Notify::new(),
        })
    }

    /// Bytes that have arrived.
    pub(crate) fn filled(&self) -> u64 {
        self.region.get().map_or(0, |region| region.filled() as u64)
    }

    /// The origin has answered as it should; bytes go to `region`.
    pub(crate) fn arriving(&self, region: &Arc<Region>) {
        self.region.get_or_init(|| region.clone());
        self.change(|phase| *phase = Phase::Arriving);
    }

    /// More bytes are in the region.
    pub(crate) fn progress(&self) {
        self.change(|_| {});
    }

    fn finish(&self) {
        self.change(|phase| *phase = Phase::Whole);
    }

    /// What has landed cannot fail any more.
    fn fail(&self, failure: Failure) {
        self.change(|phase| {
            if *phase != Phase::Whole {
                *phase = Phase::Failed(failure);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Phase)) {
        let waiting = {
            let mut state = locked(&self.state);
            change(&mut state.phase);
            state.round += 1;
            std::mem::take(&mut state.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    /// The rule for a fill that nobody reads any more: it is finished if at least half of it has come or no more than
    /// [`limits::ABANDON_FINISH_BYTES`] are missing, else dropped.
    fn is_worth_finishing(&self) -> bool {
        let filled = self.filled();
        filled * 2 >= self.len || self.len - filled <= limits::ABANDON_FINISH_BYTES
    }
}

/// A share in a fill. While one exists the fill goes on, and its bytes stay.
pub(crate) struct FlightReader {
    flight: Arc<Flight>,
    /// The round in which, and the place where, this reader's waker stands.
    registered: Option<(u64, usize)>,
}

impl FlightReader {
    fn new(flight: &Arc<Flight>) -> Self {
        flight.readers.fetch_add(1, Ordering::AcqRel);
        Self { flight: flight.clone(), registered: None }
    }

    /// The slice it is of.
    pub(crate) fn index(&self) -> u64 {
        self.flight.key.index
    }

    /// Whether the origin has answered.
    pub(crate) fn poll_started(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let flight = self.flight.clone();
        let mut state = locked(&flight.state);
        match state.phase {
            Phase::Arriving | Phase::Whole => Poll::Ready(Ok(())),
            Phase::Failed(failure) => Poll::Ready(Err(failure)),
            Phase::Asking => {
                self.register(&mut state, cx);
                Poll::Pending
            }
        }
    }

    /// The bytes of `from..to` that are there: at least one, or the failure that keeps them from coming.
    pub(crate) fn poll_read(
        &mut self,
        from: u64,
        to: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, Failure>> {
        if let Some(bytes) = self.view(from, to) {
            return Poll::Ready(Ok(bytes));
        }
        let flight = self.flight.clone();
        let mut state = locked(&flight.state);
        // Bytes may have come before the lock was had; what comes after finds this reader registered.
        if let Some(bytes) = self.view(from, to) {
            return Poll::Ready(Ok(bytes));
        }
        match state.phase {
            Phase::Asking | Phase::Arriving => {
                self.register(&mut state, cx);
                Poll::Pending
            }
            Phase::Whole => Poll::Ready(Err(Failure::Invalid("a slice ended before its length"))),
            Phase::Failed(failure) => Poll::Ready(Err(failure)),
        }
    }

    fn view(&self, from: u64, to: u64) -> Option<Bytes> {
        let (from, to) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
        let bytes = self.flight.region.get()?.view(from..to);
        (!bytes.is_empty()).then_some(bytes)
    }

    fn register(&mut self, state: &mut State, cx: &Context<'_>) {
        match self.registered {
            Some((round, place)) if round == state.round => state.waiting[place].clone_from(cx.waker()),
            _ => {
                self.registered = Some((state.round, state.waiting.len()));
                state.waiting.push(cx.waker().clone());
            }
        }
    }
}

impl Drop for FlightReader {
    fn drop(&mut self) {
        if self.flight.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.flight.left.notify_one();
        }
    }
}

/// All fills under way.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<SliceKey, Arc<Flight>>>);

/// What [`Flights::join`] found.
pub(crate) enum Joined<T> {
    /// Not needed: it is there.
    There(T),
    /// One is under way.
    Flying(FlightReader),
    /// There was none; the caller must see to this one.
    New(FlightReader, Arc<Flight>),
}

impl Flights {
    /// The fill of slice `key`, begun if need be. `there` is asked under the lock whether the slice has meanwhile
    /// been stored: a fill is stored before it is taken off the table, so no slice is fetched twice.
    pub(crate) fn join<T>(&self, key: SliceKey, len: u64, there: impl FnOnce() -> Option<T>) -> Joined<T> {
        let mut table = locked(&self.0);
        if let Some(flight) = table.get(&key) {
            return Joined::Flying(FlightReader::new(flight));
        }
        if let Some(found) = there() {
            return Joined::There(found);
        }
        let flight = Flight::new(key, len);
        table.insert(key, flight.clone());
        Joined::New(FlightReader::new(&flight), flight)
    }

    /// Ends a fill whose bytes are all there. They must be stored already, or be meant not to be.
    pub(crate) fn finish(&self, flight: &Flight) {
        self.remove(flight);
        flight.finish();
    }

    /// Ends a fill that cannot go on.
    pub(crate) fn fail(&self, flight: &Flight, failure: Failure) {
        self.remove(flight);
        flight.fail(failure);
    }

    fn remove(&self, flight: &Flight) {
        let mut table = locked(&self.0);
        // Another may have begun under the same key since this one landed.
        if table.get(&flight.key).is_some_and(|now| std::ptr::eq(&raw const **now, flight)) {
            table.remove(&flight.key);
        }
    }

    /// Resolves when the fill has no reader and is not worth finishing; it is then off the table, so that nobody can
    /// join it any more.
    pub(crate) async fn abandoned(&self, flight: &Flight) {
        loop {
            flight.left.notified().await;
            let mut table = locked(&self.0);
            if flight.readers.load(Ordering::Acquire) == 0 && !flight.is_worth_finishing() {
                table.remove(&flight.key);
                return;
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        locked(&self.0).len()
    }
}
