//! What can end an upload, and the exit code each cause has.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tidegate_wire::Digest;

/// Why a file was not uploaded. Nothing here holds a token.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory, a device, a pipe: something without a length that stays.
    #[error("{path} is {what}, not a regular file")]
    NotAFile {
        /// Which path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file's size, time or identity changed while it was uploaded.
    #[error("{path} changed while it was uploaded ({what}); upload it again when it is at rest")]
    Changed {
        /// Which file.
        path: PathBuf,
        /// What is different.
        what: &'static str,
    },
    /// Another process is uploading the same file to the same place.
    #[error("{path} is being uploaded to the same place by another process (lock {lock})")]
    Busy {
        /// Which file.
        path: PathBuf,
        /// The lock that is held.
        lock: PathBuf,
    },
    /// The server wants a token, or does not accept this one, or does not permit this.
    #[error("the server does not permit this: {0}")]
    Unauthorized(Refusal),
    /// The server's certificate is not trusted.
    #[error("the server's certificate is not trusted: {0}")]
    Untrusted(String),
    /// The server will not take this file, now or later.
    #[error("the server refuses the upload: {0}")]
    Refused(Refusal),
    /// What answers there is not a tus server, or contradicts itself.
    #[error("the server does not answer as a tus 1.0 server: {0}")]
    Protocol(String),
    /// `give_up_after` has passed without progress.
    #[error("gave up after {} s without progress; the last failure: {reason}", after.as_secs())]
    GaveUp {
        /// How long there was no progress.
        after: Duration,
        /// The last failure.
        reason: String,
    },
    /// The server holds other bytes than were read here.
    #[error("the digests differ: {local} was read here, the server has {remote} at {url}")]
    DigestMismatch {
        /// Of the bytes read here.
        local: Digest,
        /// Of the bytes there.
        remote: Digest,
        /// Where they are.
        url: String,
    },
    /// The file is uploaded, and cannot be played.
    #[error("{url} is uploaded and cannot be played: {message} ({code})")]
    NotPlayable {
        /// Where it is.
        url: String,
        /// The server's code.
        code: String,
        /// The server's sentence.
        message: String,
    },
    /// An option that cannot work.
    #[error("{0}")]
    Usage(String),
    /// Something that should not happen.
    #[error("{0}")]
    Internal(String),
}

/// A server's final no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The stable code of a problem+json answer.
    pub code: Option<String>,
    /// What the server says about it, shortened.
    pub detail: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

/// The command's exit codes. With several files the highest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// Every file is uploaded.
    Uploaded = 0,
    /// Unexpected, or another process is uploading the same file.
    Unexpected = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Authentication, permission or trust.
    Permission = 3,
    /// The server refuses the file.
    Refused = 4,
    /// The file is missing, unreadable or changed.
    File = 5,
    /// `--give-up-after` has passed.
    GaveUp = 6,
    /// The digests differ.
    Digest = 7,
    /// Uploaded, and cannot be played (`--wait`).
    NotPlayable = 8,
    /// Interrupted; the journal is kept.
    Interrupted = 130,
}

impl UploadError {
    /// The exit code of the command for this cause.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unreadable { .. } | Self::NotAFile { .. } | Self::Changed { .. } => ExitCode::File,
            Self::Unauthorized(_) | Self::Untrusted(_) => ExitCode::Permission,
            Self::Refused(_) | Self::Protocol(_) => ExitCode::Refused,
            Self::GaveUp { .. } => ExitCode::GaveUp,
            Self::DigestMismatch { .. } => ExitCode::Digest,
            Self::NotPlayable { .. } => ExitCode::NotPlayable,
            Self::Usage(_) => ExitCode::Usage,
            Self::Busy { .. } | Self::Internal(_) => ExitCode::Unexpected,
        }
    }

    /// A stable word for scripts: `code` in the `failed` event.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "file_unreadable",
            Self::NotAFile { .. } => "not_a_file",
            Self::Changed { .. } => "file_changed",
            Self::Busy { .. } => "already_uploading",
            Self::Unauthorized(_) => "not_permitted",
            Self::Untrusted(_) => "certificate_untrusted",
            Self::Refused(_) => "refused",
            Self::Protocol(_) => "not_tus",
            Self::GaveUp { .. } => "gave_up",
            Self::DigestMismatch { .. } => "digest_mismatch",
            Self::NotPlayable { .. } => "not_playable",
            Self::Usage(_) => "usage",
            Self::Internal(_) => "internal",
        }
    }
}
