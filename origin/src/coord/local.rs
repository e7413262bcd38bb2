//! The in-process twins of what Redis does for a cluster.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moka::sync::Cache;
use tidegate_wire::AssetId;
use tokio_util::sync::CancellationToken;

use super::leases::{Attempt, Holder, Leases};
use super::{CoordError, HotOffsets};
use crate::limits;
use crate::store::BoxFuture;

/// Leases among the requests of one process.
#[derive(Default)]
pub struct LocalLeases(Mutex<HashMap<AssetId, Slot>>);

#[derive(Default)]
struct Slot {
    held: Option<(Holder, CancellationToken)>,
    /// Stays when it has got the lease: whoever waited before it must not take it back.
    newest: Option<Holder>,
    clean_at: Option<u64>,
}

impl LocalLeases {
    fn slots(&self) -> MutexGuard<'_, HashMap<AssetId, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, id: AssetId, holder: Holder, clean_at: Option<u64>) {
        let mut slots = self.slots();
        let Some(slot) = slots.get_mut(&id) else { return };
        if slot.held.as_ref().is_some_and(|(current, _)| *current == holder) {
            slot.held = None;
            slot.clean_at = clean_at;
        }
    }
}

/// A future that is ready: nothing here waits.
fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Leases for LocalLeases {
    fn offer(&self, id: AssetId, fence: u64) -> BoxFuture<'_, Result<(), CoordError>> {
        let mut slots = self.slots();
        // What is forgotten here costs its upload one more segment, nothing else.
        if slots.len() >= limits::MAX_IDLE_LEASES {
            slots.retain(|_, slot| slot.held.is_some());
        }
        slots.entry(id).or_default().clean_at = Some(fence);
        ready(Ok(()))
    }

    fn announce(&self, id: AssetId, holder: Holder) -> BoxFuture<'_, Result<(), CoordError>> {
        self.slots().entry(id).or_default().newest = Some(holder);
        ready(Ok(()))
    }

    fn attempt(
        &self,
        id: AssetId,
        holder: Holder,
        force: bool,
    ) -> BoxFuture<'_, Result<Attempt, CoordError>> {
        let mut slots = self.slots();
        let slot = slots.entry(id).or_default();
        if slot.newest.is_some_and(|newest| newest != holder) {
            return ready(Ok(Attempt::Superseded));
        }
        if let Some((_, wanted)) = &slot.held {
            wanted.cancel();
            if !force {
                return ready(Ok(Attempt::Held));
            }
            slot.clean_at = None;
        }
        let wanted = CancellationToken::new();
        slot.held = Some((holder, wanted.clone()));
        ready(Ok(Attempt::Taken { clean_at: slot.clean_at.take(), wanted }))
    }

    fn release(
        &self,
        id: AssetId,
        holder: Holder,
        clean_at: Option<u64>,
    ) -> BoxFuture<'_, Result<(), CoordError>> {
        self.give_back(id, holder, clean_at);
        ready(Ok(()))
    }

    fn abandon(&self, id: AssetId, holder: Holder) {
        self.give_back(id, holder, None);
    }

    fn forget(&self, id: AssetId) -> BoxFuture<'_, Result<(), CoordError>> {
        self.slots().remove(&id);
        ready(Ok(()))
    }
}

/// Offsets told in this process.
pub struct LocalHotOffsets(Cache<AssetId, u64>);

impl Default for LocalHotOffsets {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(limits::MAX_HOT_OFFSETS)
                .time_to_idle(limits::HOT_OFFSET_TTL)
                .build(),
        )
    }
}

impl HotOffsets for LocalHotOffsets {
    fn set(&self, id: AssetId, offset: u64) -> BoxFuture<'_, ()> {
        self.0.insert(id, offset);
        ready(())
    }

    fn get<'a>(&'a self, ids: &'a [AssetId]) -> BoxFuture<'a, Vec<Option<u64>>> {
        ready(ids.iter().map(|id| self.0.get(id)).collect())
    }
}
