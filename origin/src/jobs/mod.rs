//! Transcoding, the origin's side: what is to be done for an uploaded video, who does it, what has come of it.
//!
//! The workers' side is the crate `transcoder`; what the two tell each other is in `tidegate_wire::job`.
//!
//! A job's life: [`create`] makes the first with the upload's completion, [`claim`] gives it out, [`report`] hears of
//! it while it runs, [`finish`] ends the attempt and makes what follows; [`sweep`] takes back what nobody is heard of,
//! [`without`] goes on where a part can be left out, [`remake`] where parts do not fit, [`retry`] takes up what was
//! given up, [`cancel`] gives up what somebody does not want. [`plan`] and [`playable`] are pure.

pub mod cancel;
pub mod captions;
pub mod claim;
mod continued;
pub mod create;
pub mod finish;
pub mod manifests;
pub mod metrics;
pub mod plan;
pub mod playable;
pub mod remake;
pub mod report;
pub mod retry;
pub mod sweep;
mod tell;
pub mod without;

use tidegate_wire::{Code, Problem};

use crate::catalog::CatalogError;
use crate::store::StoreError;

/// Why a call about a job did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The caller's doing, or a state it has to know about.
    #[error("refused: {}", .0.code.as_str())]
    Refused(Problem),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl JobError {
    /// A report that makes no sense, and why.
    pub(crate) fn senseless(detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self::Refused(Problem::from(Code::InvalidField).detail(detail))
    }
}

impl From<Code> for JobError {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}
