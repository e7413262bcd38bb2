//! The words for what jobs are and how they stand, as the catalogue keeps them and as the API and metrics say them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_wire::job::Kind;
use utoipa::ToSchema;

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Other jobs must be done first.
    Waiting,
    /// It may be given out, from its `run_after` on.
    Ready,
    /// A worker has it.
    Running,
    /// It is done.
    Done,
    /// It was given up.
    Failed,
    /// It is not needed any more, since another job of the revision was given up.
    Cancelled,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Ready, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// As it stands in the catalogue and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A text that names nothing of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state or kind of a job")]
pub struct InvalidName;

impl FromStr for JobState {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(InvalidName)
    }
}

/// The name of a kind, as everywhere.
pub const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Probe => "probe",
        Kind::Poster => "poster",
        Kind::Rendition => "rendition",
        Kind::Audio => "audio",
        Kind::Captions => "captions",
        Kind::Package => "package",
    }
}

/// Every kind of job.
pub const KINDS: [Kind; 6] =
    [Kind::Probe, Kind::Poster, Kind::Rendition, Kind::Audio, Kind::Captions, Kind::Package];

/// How an attempt ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its worker said that it is done.
    Done,
    /// Its worker said that it failed.
    Failed,
    /// Its worker gave it back.
    Released,
    /// Nothing was heard of its worker for too long.
    Expired,
    /// It was not needed any more.
    Cancelled,
}

impl Ended {
    /// As it stands in the catalogue and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
