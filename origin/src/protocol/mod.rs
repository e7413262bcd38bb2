//! The upload protocols as pure functions: header fields to a command, upload state and command to a decision.
//! Nothing here does IO.

pub mod decide;
pub mod metadata;
pub mod plain;
pub mod tus;

pub use decide::{AppendPlan, UploadKind, UploadView};
pub use metadata::Metadata;
