//! One writer per upload across all origins (invariant 3).
//!
//! A lease is a courtesy between writers, not what keeps bytes apart: that is the fence in the catalogue. Who gets
//! a lease learns whether the last holder said, under which fence, that it had stopped. If so it goes on in the same
//! segment. If not (the holder hung, died, or the back end forgot), it raises the fence and starts another segment,
//! and whatever the old holder still does cannot be committed.

use std::sync::Arc;

use tidegate_serve::Entropy;
use tidegate_wire::AssetId;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::CoordError;
use crate::limits;
use crate::store::BoxFuture;

/// One holder among all origins' requests: random, for this one hold.
pub type Holder = u64;

/// What an attempt to take a lease came to.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Taken {
        /// The fence under which the last holder stopped in order, if it said so.
        clean_at: Option<u64>,
        /// Cancelled when someone newer wants the lease, or it is ours no more.
        wanted: CancellationToken,
    },
    /// Someone holds it, and has been asked to stop.
    Held,
    /// Someone newer than us waits for it too: we give way.
    Superseded,
}

/// The mechanism under [`acquire`]; one contract suite (`tests/coord_contract.rs`) holds for both implementations.
pub trait Leases: Send + Sync + 'static {
    /// Says that nobody has written the upload under `fence` yet, or that who did has stopped.
    fn offer(&self, id: AssetId, fence: u64) -> BoxFuture<'_, Result<(), CoordError>>;

    /// Announces `holder` as the newest who wants the lease; older waiters are superseded by it.
    fn announce(&self, id: AssetId, holder: Holder) -> BoxFuture<'_, Result<(), CoordError>>;

    /// Tries to take the lease for `holder`; if it is held, asks who holds it to stop. With `force` it is taken
    /// from a holder that does not answer.
    fn attempt(&self, id: AssetId, holder: Holder, force: bool)
    -> BoxFuture<'_, Result<Attempt, CoordError>>;

    /// Gives the lease back; with a fence it says that the holder has stopped in order under it. A lease that is
    /// someone else's by now stays theirs.
    fn release(
        &self,
        id: AssetId,
        holder: Holder,
        clean_at: Option<u64>,
    ) -> BoxFuture<'_, Result<(), CoordError>>;

    /// Gives the lease back without waiting and without a word about how the holder stopped.
    fn abandon(&self, id: AssetId, holder: Holder);

    /// Forgets an upload that takes no more bytes.
    fn forget(&self, id: AssetId) -> BoxFuture<'_, Result<(), CoordError>>;
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// A newer request waits for the same upload.
    #[error("a newer request wants this upload")]
    Superseded,
    /// The back end did not answer.
    #[error(transparent)]
    Unavailable(#[from] CoordError),
}

/// The right to write an upload, until it is released or dropped.
pub struct Lease {
    id: AssetId,
    holder: Holder,
    leases: Option<Arc<dyn Leases>>,
    /// The fence under which the last holder stopped in order, if it said so.
    pub clean_at: Option<u64>,
    /// Cancelled when the holder has to stop.
    pub wanted: CancellationToken,
}

/// Takes the lease of an upload. Whoever holds it is asked to stop; one that has not within
/// [`limits::TAKEOVER_WAIT`] is pushed aside. Of several waiters the newest gets it.
///
/// # Errors
/// [`LeaseError::Superseded`] when a newer request came while we waited.
pub async fn acquire(leases: &Arc<dyn Leases>, entropy: &Entropy, id: AssetId) -> Result<Lease, LeaseError> {
    let holder = u64::from_le_bytes(entropy.bytes());
    let started = Instant::now();
    leases.announce(id, holder).await?;
    loop {
        let force = started.elapsed() >= limits::TAKEOVER_WAIT;
        match leases.attempt(id, holder, force).await? {
            Attempt::Taken { clean_at, wanted } => {
                let leases = Some(leases.clone());
                return Ok(Lease { id, holder, leases, clean_at, wanted });
            }
            Attempt::Superseded => return Err(LeaseError::Superseded),
            Attempt::Held => sleep(limits::TAKEOVER_POLL).await,
        }
    }
}

impl Lease {
    /// Gives the lease back, saying that this holder stopped in order under `fence`. If that cannot be said, the
    /// next holder starts a segment of its own; nothing is lost.
    pub async fn release(mut self, fence: u64) {
        let Some(leases) = self.leases.take() else { return };
        if let Err(error) = leases.release(self.id, self.holder, Some(fence)).await {
            tracing::debug!(error = &error as &dyn std::error::Error, upload.id = %self.id, "lease.release_failed");
        }
    }

    /// Gives the lease back for good: the upload takes no more bytes.
    pub async fn retire(mut self) {
        let Some(leases) = self.leases.take() else { return };
        if let Err(error) = leases.forget(self.id).await {
            tracing::debug!(error = &error as &dyn std::error::Error, upload.id = %self.id, "lease.forget_failed");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(leases) = self.leases.take() {
            leases.abandon(self.id, self.holder);
        }
    }
}
