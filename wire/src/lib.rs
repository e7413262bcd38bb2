//! The words both sides of Tidegate speak: ids, byte ranges, digests, playback grants, problems, purge records.
//!
//! Nothing here does IO or reads a clock; time and randomness are arguments.

pub mod digest;
pub mod fleet;
pub mod grant;
pub mod headers;
pub mod id;
pub mod job;
pub mod problem;
pub mod purge;
pub mod range;
pub mod size;
pub mod slice;
pub mod track;

pub use digest::Digest;
pub use id::AssetId;
pub use problem::{Code, Problem};
pub use range::ByteRange;
pub use size::ByteSize;
