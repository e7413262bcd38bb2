//! How far uploads in progress have come, for whoever wants to show it. A hint: the bytes on disk are the truth.

use tidegate_wire::AssetId;

use crate::store::BoxFuture;

/// Keeps the last offset each writer told.
pub trait HotOffsets: Send + Sync + 'static {
    /// Tells how far an upload has come. Failure is of no consequence and not reported.
    fn set(&self, id: AssetId, offset: u64) -> BoxFuture<'_, ()>;

    /// The last offsets told, in the order of `ids`; `None` for the unknown, and for all when the back end is away.
    fn get<'a>(&'a self, ids: &'a [AssetId]) -> BoxFuture<'a, Vec<Option<u64>>>;
}
