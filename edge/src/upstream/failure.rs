//! What can go wrong between the edge and the origin.

use http::StatusCode;
use tidegate_wire::{Code, Problem};

/// Why bytes from the origin could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// No connection, or it broke before or within the answer.
    #[error("the origin cannot be reached")]
    Unreachable,
    /// A wait for the origin ran out.
    #[error("the origin did not answer in time")]
    Timeout,
    /// It answered what no origin should.
    #[error("the origin's answer makes no sense: {0}")]
    Invalid(&'static str),
    /// It refused a part of an object it gave parts of before.
    #[error("the origin answered {0}")]
    Status(StatusCode),
    /// The object has other bytes now, or none: what is known of it is void.
    #[error("the object changed at the origin")]
    Changed,
    /// Part of it is gone from the cache, and the origin gives it only whole.
    #[error("the object can only be had whole again")]
    OnlyWhole,
    /// No memory or no turn at the origin in time.
    #[error("the edge is overloaded")]
    Overloaded,
    /// A fetch ahead of need found no room; whoever needs the bytes after all asks again.
    #[error("fetched ahead only when there is room")]
    Skipped,
    /// The edge is stopping.
    #[error("the edge is stopping")]
    Stopping,
}

impl Failure {
    /// The code a viewer is answered with.
    pub(crate) const fn code(self) -> Code {
        match self {
            Self::Unreachable => Code::UpstreamUnreachable,
            Self::Timeout => Code::UpstreamTimeout,
            Self::Invalid(_) | Self::Changed | Self::OnlyWhole => Code::UpstreamInvalid,
            Self::Status(status) if status.as_u16() == 503 => Code::Unavailable,
            Self::Status(_) => Code::UpstreamInvalid,
            Self::Overloaded | Self::Skipped => Code::Overloaded,
            Self::Stopping => Code::ShuttingDown,
        }
    }

    /// The problem a viewer is answered with.
    pub(crate) fn problem(self) -> Problem {
        let problem = Problem::from(self.code());
        if self.code().status() == 503 { problem.retry_after(1) } else { problem }
    }

    /// Whether trying once more may help at once.
    pub(crate) const fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable)
    }

    /// Whether what is known of the object is void, so that a request that has sent nothing may start over.
    pub(crate) const fn ends_generation(self) -> bool {
        matches!(self, Self::Changed | Self::OnlyWhole)
    }

    /// Whether the origin is away, so that something stale is better than nothing (invariant 10).
    pub(crate) fn is_outage(self) -> bool {
        matches!(self, Self::Unreachable | Self::Timeout | Self::Overloaded)
            || matches!(self, Self::Status(status) if status.is_server_error())
    }

    /// Every label of the metric.
    pub(crate) const LABELS: [&'static str; 9] = [
        "unreachable",
        "timeout",
        "invalid",
        "status",
        "changed",
        "only_whole",
        "overloaded",
        "skipped",
        "stopping",
    ];

    /// The label of the metric.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Invalid(_) => "invalid",
            Self::Status(_) => "status",
            Self::Changed => "changed",
            Self::OnlyWhole => "only_whole",
            Self::Overloaded => "overloaded",
            Self::Skipped => "skipped",
            Self::Stopping => "stopping",
        }
    }
}
