//! What origins agree on among themselves while they run: who writes which upload, how far uploads have come, what to
//! wake up for. None of it is needed to keep a promise: all may be lost at any time (invariant 2). In Redis for a
//! cluster, in this process for one origin.

pub mod hot;
pub mod leases;
pub mod local;
pub mod news;
pub mod redis;
pub mod wakeups;

use std::sync::Arc;

pub use crate::store::BoxFuture;

pub use hot::HotOffsets;
pub use news::News;

pub use leases::{Lease, LeaseError, Leases};

pub use wakeups::{Topic, Wakeups};

/// The three abilities, over one back end.
#[derive(Clone)]
pub struct Coordination {
    /// One writer per upload.
    pub leases: Arc<dyn Leases>,
    /// How far uploads in progress have come.
    pub hot: Arc<dyn HotOffsets>,
    /// What waiters are woken for.
    pub wakeups: Wakeups,
    /// What is told in passing.
    pub news: News,
}

impl Coordination {
    /// For one origin: all in this process.
    pub fn local() -> Self {
        Self {
            leases: Arc::new(local::LocalLeases::default()),
            hot: Arc::new(local::LocalHotOffsets::default()),
            wakeups: Wakeups::local(),
            news: News::local(),
        }
    }
}

/// Redis does not answer, or not sensibly. The same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("the coordination service is not available")]
pub struct CoordError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl CoordError {
    fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}
