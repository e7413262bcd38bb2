//! How an attempt ends other than well.

use tidegate_wire::job::Failure;

/// Why an attempt came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It failed, and the origin is told.
    Failed(Failure),
    /// The origin has given the job away, or it is no more: nothing is told.
    TakenOver,
    /// The worker is stopping.
    Stopping,
}

impl Fault {
    /// The source is to blame: trying again is of no use.
    pub(crate) fn permanent(code: &str, message: &str) -> Self {
        Self::Failed(failure(true, code, message))
    }

    /// It may go well another time.
    pub(crate) fn transient(code: &str, message: &str) -> Self {
        Self::Failed(failure(false, code, message))
    }

    /// Whether it lies in what is in the file or in what ffmpeg makes of it, so that doing without is better than
    /// trying again where the video plays without.
    pub(crate) fn is_of_the_file(&self) -> bool {
        let Self::Failed(failure) = self else { return false };
        failure.permanent || ["encoder_failed", "encoder_output"].contains(&failure.code.as_str())
    }

    /// The same, but never for good: what a video plays without does not condemn it.
    #[must_use]
    pub(crate) fn passing(mut self) -> Self {
        if let Self::Failed(failure) = &mut self {
            failure.permanent = false;
        }
        self
    }

    /// Adds the last lines of a child's log.
    #[must_use]
    pub(crate) fn log(mut self, lines: impl Into<String>) -> Self {
        if let Self::Failed(failure) = &mut self {
            failure.log = lines.into();
        }
        self
    }

    /// Its name in metrics and logs.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Failed(failure) if failure.permanent => "failed",
            Self::Failed(_) => "failed_transient",
            Self::TakenOver => "taken_over",
            Self::Stopping => "released",
        }
    }
}

fn failure(permanent: bool, code: &str, message: &str) -> Failure {
    Failure { permanent, code: code.into(), message: message.into(), log: String::new() }
}

/// A fault of this machine: a socket, a directory, a process that cannot be made.
pub(crate) fn local(doing: &str, error: &std::io::Error) -> Fault {
    tracing::warn!(doing, %error, "worker.fault");
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Fault::transient("disk_full", "The worker's disk is full.")
        }
        _ => Fault::transient("worker_fault", "The worker could not do it; its log has the cause."),
    }
}
