//! Digests made while bytes arrive, never by reading the whole again (invariant 4).

pub mod checkpoint;
pub mod running;
pub mod tree;

pub use checkpoint::{Checkpoint, InvalidCheckpoint};
pub use running::RunningDigest;
