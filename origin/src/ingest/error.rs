//! Why an upload request did not do what it was asked, and what its client is told.

use std::error::Error;

use tidegate_wire::{Code, Problem};

use crate::catalog::CatalogError;
use crate::coord::LeaseError;
use crate::limits;
use crate::store::StoreError;

/// Why an upload request failed. Whatever was acknowledged before is kept in every case.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The client's doing, or a state it has to know about.
    #[error("refused: {}", .0.code.as_str())]
    Refused(Problem),
    /// No lease.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The fence was raised while we wrote: a newer request goes on from what was sealed.
    #[error("pushed aside by a newer request")]
    Fenced,
    /// The task that did it has panicked.
    #[error("the task panicked")]
    Panicked,
    /// The task that did it is gone: the process is going down.
    #[error("the server is stopping")]
    Stopping,
}

impl From<Problem> for IngestError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Code> for IngestError {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

impl IngestError {
    /// What the client is told. The cause is logged here, once.
    pub fn into_problem(self) -> Problem {
        let retry = limits::UPLOAD_RETRY_S;
        let (code, loud) = match &self {
            Self::Refused(problem) => return problem.clone(),
            Self::Lease(LeaseError::Superseded) | Self::Fenced => (Code::UploadTakenOver, false),
            Self::Lease(LeaseError::Unavailable(_)) => (Code::Unavailable, true),
            Self::Catalog(error) if error.is_unavailable() => (Code::Unavailable, true),
            Self::Store(StoreError::Full) => (Code::StorageFull, true),
            Self::Stopping => (Code::ShuttingDown, false),
            Self::Catalog(_) | Self::Store(_) | Self::Panicked => (Code::Internal, true),
        };
        if loud {
            tracing::error!(error = &self as &dyn Error, problem.code = code.as_str(), "upload.failed");
        }
        let problem = Problem::from(code);
        if matches!(code, Code::Unavailable | Code::ShuttingDown | Code::StorageFull) {
            problem.retry_after(retry)
        } else {
            problem
        }
    }
}
