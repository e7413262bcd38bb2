//! Every setting, as a flag and an environment variable.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;
use reqwest::Url;
use tidegate_serve::telemetry::LogFormat;
use tidegate_wire::ByteSize;

use crate::limits;

/// How jobs are come by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClaimMode {
    /// The origin holds the question open until there is a job.
    #[default]
    Push,
    /// Asked again and again, with this pause in between.
    Poll(Duration),
}

impl FromStr for ClaimMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "push" {
            return Ok(Self::Push);
        }
        let seconds = text.strip_prefix("poll:").and_then(|pause| pause.strip_suffix('s'));
        match seconds.and_then(|seconds| seconds.parse::<u16>().ok()) {
            Some(seconds) if seconds > 0 => Ok(Self::Poll(Duration::from_secs(u64::from(seconds)))),
            _ => Err("it is `push`, or `poll:SECONDSs` as in `poll:5s`".into()),
        }
    }
}

impl std::fmt::Display for ClaimMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Push => f.write_str("push"),
            Self::Poll(pause) => write!(f, "poll:{}s", pause.as_secs()),
        }
    }
}

/// The origin: a scheme, a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginUrl(pub(crate) Url);

impl FromStr for OriginUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text.parse().map_err(|error| format!("not a URL: {error}"))?;
        match (url.scheme(), url.has_host(), url.path(), url.query()) {
            ("http" | "https", true, "/", None) => Ok(Self(url)),
            ("http" | "https", true, ..) => {
                Err("the origin is a scheme, a host and a port, without a path".into())
            }
            _ => Err("it must begin with http:// or https://".into()),
        }
    }
}

impl std::fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Settings of a worker.
#[derive(Debug, Clone, Args)]
pub struct WorkerConfig {
    /// Where the origin is: http://HOST:PORT
    #[arg(long, env = "TIDEGATE_ORIGIN", value_name = "URL")]
    pub origin: OriginUrl,
    /// The fleet's shared secret, as the origin has it
    #[arg(long, env = "TIDEGATE_FLEET_KEY", value_name = "KEY", hide_env_values = true)]
    pub fleet_key: Option<String>,
    /// File with the fleet's secret
    #[arg(long, env = "TIDEGATE_FLEET_KEY_FILE", value_name = "FILE", conflicts_with = "fleet_key")]
    pub fleet_key_file: Option<PathBuf>,
    /// How jobs are come by: push (the origin answers when there is one) or poll:SECONDSs
    #[arg(long, env = "TIDEGATE_CLAIM", value_name = "MODE", default_value_t)]
    pub claim: ClaimMode,
    /// Jobs done at once [default: half the cores, at least 2]
    #[arg(long, env = "TIDEGATE_SLOTS", value_name = "JOBS")]
    pub slots: Option<NonZeroUsize>,
    /// Directory for sources fetched from the origin; this worker's alone [default: one below the system's
    /// temporary directory, removed at the end]
    #[arg(long, env = "TIDEGATE_SCRATCH", value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Bytes of sources kept there at most
    #[arg(long, env = "TIDEGATE_SCRATCH_SIZE", value_name = "SIZE", default_value_t = ByteSize(limits::SCRATCH_BYTES))]
    pub scratch_size: ByteSize,
    /// Directory of the origin's store, where it is on a disk of this machine: sources are then read in place
    #[arg(long, env = "TIDEGATE_STORE_DIR", value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// The ffmpeg to run [default: the one in PATH]
    #[arg(long, env = "TIDEGATE_FFMPEG", value_name = "FILE")]
    pub ffmpeg: Option<PathBuf>,
    /// The ffprobe to run [default: the one in PATH]
    #[arg(long, env = "TIDEGATE_FFPROBE", value_name = "FILE")]
    pub ffprobe: Option<PathBuf>,
    /// The worker's name in logs and lists [default: HOST-PID]
    #[arg(long, env = "TIDEGATE_WORKER_NAME", value_name = "NAME")]
    pub name: Option<String>,
}

impl WorkerConfig {
    /// A worker for `origin` with every other setting at its default.
    pub fn new(origin: OriginUrl) -> Self {
        Self {
            origin,
            fleet_key: None,
            fleet_key_file: None,
            claim: ClaimMode::Push,
            slots: None,
            scratch: None,
            scratch_size: ByteSize(limits::SCRATCH_BYTES),
            store: None,
            ffmpeg: None,
            ffprobe: None,
            name: None,
        }
    }

    /// Jobs at once.
    pub(crate) fn slots(&self) -> usize {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        self.slots.map_or_else(|| (cores / 2).max(2), NonZeroUsize::get)
    }

    /// What it is called.
    pub(crate) fn name(&self) -> String {
        let own = || {
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            format!("{host}-{}", std::process::id())
        };
        self.name.clone().unwrap_or_else(own).chars().take(limits::NAME_CHARS).collect()
    }

    /// The fleet's secret.
    pub(crate) fn fleet_key(&self) -> Result<Option<String>, ConfigError> {
        let Some(path) = &self.fleet_key_file else { return Ok(self.fleet_key.clone()) };
        let key = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::FleetKeyFile(path.clone(), error.to_string()))?;
        Ok(Some(key.trim().to_owned()))
    }
}

/// Settings that do not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `--fleet-key-file` cannot be read.
    #[error("cannot read the fleet key from {0}: {1}")]
    FleetKeyFile(PathBuf, String),
    /// `--fleet-key` cannot stand in a header field.
    #[error("--fleet-key must be visible ASCII")]
    FleetKey,
    /// The HTTP client cannot be built.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
    /// `--scratch` cannot be used.
    #[error("cannot use {0} for sources: {1}")]
    Scratch(PathBuf, String),
}

/// The command line of `tidegate-transcoder`.
#[derive(Debug, clap::Parser)]
#[command(name = "tidegate-transcoder", version, about = "Turns uploaded files into adaptive video.")]
pub struct Cli {
    /// Where /metrics, /healthz and /readyz are served; nowhere when not given
    #[arg(long, env = "TIDEGATE_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,
    /// How log lines look
    #[arg(long, env = "TIDEGATE_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Settings of the worker.
    #[command(flatten)]
    pub worker: WorkerConfig,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_mode_reads_back_what_it_writes() {
        for text in ["push", "poll:5s"] {
            assert_eq!(text.parse::<ClaimMode>().unwrap().to_string(), text);
        }
        for text in ["", "poll", "poll:", "poll:0s", "poll:5", "poll:-1s", "pull"] {
            assert!(text.parse::<ClaimMode>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        assert_eq!("http://origin:8080/".parse::<OriginUrl>().unwrap().to_string(), "http://origin:8080");
        assert!("https://origin".parse::<OriginUrl>().is_ok());
        for text in ["origin:80", "http://origin/path", "http://origin/?q", "ftp://origin", ""] {
            assert!(text.parse::<OriginUrl>().is_err(), "{text}");
        }
    }
}
