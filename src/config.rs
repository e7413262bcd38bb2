//! The flags of `tidegate`; what is not among them has the default of the part it belongs to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tidegate_origin::config::{AccountOptions, TellingOptions};
use tidegate_origin::store::Durability;
use tidegate_serve::telemetry::LogFormat;
use tidegate_wire::ByteSize;

/// Whether this process makes adaptive streams of videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Transcode {
    /// Where ffmpeg and ffprobe are found.
    #[default]
    Auto,
    /// Not here.
    Off,
}

/// Takes resumable uploads and plays them out through edge caches, all in this one process.
#[derive(Debug, Clone, Parser)]
#[command(name = "tidegate", version)]
pub struct Arguments {
    /// Folder of everything that is kept: catalogue, bytes, the admin's token.
    #[arg(long, env = "TIDEGATE_DATA", value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,
    /// Address and port for uploads and the API; the edges listen on the ports after it.
    #[arg(long, env = "TIDEGATE_LISTEN", value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Edges to run, one port each.
    #[arg(long, env = "TIDEGATE_EDGES", value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=64))]
    pub edges: u16,
    /// Host name or address under which others reach this machine; needed when listening on every address (0.0.0.0
    /// or ::).
    #[arg(long, env = "TIDEGATE_PUBLIC_HOST", value_name = "HOST")]
    pub public_host: Option<String>,
    /// Ceiling over the memory of each edge's cache.
    #[arg(long, env = "TIDEGATE_MEMORY", value_name = "SIZE", default_value = "256MiB")]
    pub memory: ByteSize,
    /// Address and port of /metrics, /healthz and /readyz of the origin; not served when not given.
    #[arg(long, env = "TIDEGATE_ADMIN_LISTEN", value_name = "ADDR:PORT")]
    pub admin_listen: Option<SocketAddr>,
    /// When an offset is acknowledged: bytes on the disk (`durable`), or with the kernel (`relaxed`: a power cut or
    /// a kernel crash can lose what was acknowledged; a killed process cannot).
    #[arg(long, env = "TIDEGATE_DURABILITY", value_name = "MODE", default_value = "durable")]
    pub durability: Durability,
    /// How long a deleted asset lies in the trash, from where it can be brought back: 90s, 30m, 1h, 7d; 0 removes it at
    /// once.
    #[arg(long, env = "TIDEGATE_TRASH", value_name = "TIME", default_value = "1h", value_parser = tidegate_origin::config::parse_span)]
    pub trash: Duration,
    /// Turn uploaded videos into adaptive streams: where ffmpeg and ffprobe are found (auto), or not at all (off; they
    /// wait for a worker, and play as files).
    #[arg(long, env = "TIDEGATE_TRANSCODE", value_name = "MODE", default_value = "auto")]
    pub transcode: Transcode,
    /// Take uploads without authentication and make them `unlisted`: for benchmarks and trusted networks.
    #[arg(long, env = "TIDEGATE_ANONYMOUS_UPLOADS")]
    pub anonymous_uploads: bool,
    /// Base URL that people reach this server under, when it is another than `listen`: for links in mail, and behind a
    /// proxy that ends TLS.
    #[arg(long, env = "TIDEGATE_PUBLIC_URL", value_name = "URL", value_parser = tidegate_origin::config::parse_public_url)]
    pub public_url: Option<String>,
    /// Accounts, and how often they may ask.
    #[command(flatten)]
    pub accounts: AccountOptions,
    /// How others are told what happens.
    #[command(flatten)]
    pub telling: TellingOptions,
    /// How log lines look.
    #[arg(long, env = "TIDEGATE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}
