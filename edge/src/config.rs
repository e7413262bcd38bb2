//! Every setting, as a flag and an environment variable.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use http::Uri;
use http::uri::Authority;
use tidegate_serve::listen::ListenOptions;
use tidegate_serve::telemetry::LogFormat;
use tidegate_wire::ByteSize;

use crate::limits;
use tidegate_serve::client::Network;

/// What the edge forwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Forward {
    /// GET and HEAD of media, as a member of a Tidegate fleet: grants, purges, heartbeats.
    #[default]
    ReadOnly,
    /// Every method and path, to any HTTP origin: a general caching reverse proxy, member of no fleet.
    All,
}

/// The origin: `http://HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginUrl(pub(crate) Authority);

impl std::fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl std::str::FromStr for OriginUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("not a URL: {error}"))?;
        match (uri.scheme_str(), uri.path_and_query().map(http::uri::PathAndQuery::as_str)) {
            (Some("http"), None | Some("/")) => {
                uri.authority().cloned().map(Self).ok_or_else(|| "it has no host".into())
            }
            (Some("http"), _) => Err("the origin is a scheme, a host and a port, without a path".into()),
            (Some("https"), _) => {
                Err("https:// origins are not supported yet: put a TLS tunnel in between".into())
            }
            _ => Err("it must begin with http://".into()),
        }
    }
}

/// Settings of an edge.
#[derive(Debug, Clone, Args)]
pub struct EdgeConfig {
    /// Where the origin is: http://HOST:PORT (https:// is not supported yet)
    #[arg(long, env = "TIDEGATE_ORIGIN", value_name = "URL")]
    pub origin: OriginUrl,
    /// The fleet's shared secret, as the origin has it
    #[arg(long, env = "TIDEGATE_FLEET_KEY", value_name = "KEY", hide_env_values = true)]
    pub fleet_key: Option<String>,
    /// File with the fleet's secret
    #[arg(long, env = "TIDEGATE_FLEET_KEY_FILE", value_name = "FILE", conflicts_with = "fleet_key")]
    pub fleet_key_file: Option<PathBuf>,
    /// What is forwarded to the origin
    #[arg(long, env = "TIDEGATE_FORWARD", value_enum, default_value_t)]
    pub forward: Forward,
    /// Ceiling over what the edge holds in memory: cache, fills in flight, what clients hold, connections
    #[arg(long, env = "TIDEGATE_MEMORY", value_name = "SIZE", default_value_t = ByteSize(limits::MEMORY))]
    pub memory: ByteSize,
    /// Objects are fetched and kept in slices of this size
    #[arg(long, env = "TIDEGATE_SLICE", value_name = "SIZE", default_value_t = ByteSize(limits::SLICE_BYTES))]
    pub slice: ByteSize,
    /// The edge's own address as viewers reach it, its name in the fleet [default: http://LISTEN]
    #[arg(long, env = "TIDEGATE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Proxies whose X-Forwarded-For is believed: addresses or networks, with commas between
    #[arg(long, env = "TIDEGATE_TRUSTED_PROXIES", value_name = "CIDR,…", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,
    /// Requests a second each client may make, by IPv4 address or IPv6 /64; not limited when not given
    #[arg(long, env = "TIDEGATE_RATE_LIMIT", value_name = "REQUESTS/S")]
    pub rate_limit: Option<NonZeroU32>,
    /// Requests a client may make at once [default: twice the rate limit]
    #[arg(long, env = "TIDEGATE_RATE_BURST", value_name = "REQUESTS", requires = "rate_limit")]
    pub rate_burst: Option<NonZeroU32>,
    /// Connections served at once [default: what an eighth of the memory carries, 24 KiB each]
    #[arg(long, env = "TIDEGATE_MAX_CONNECTIONS", value_name = "CONNECTIONS")]
    pub max_connections: Option<usize>,
    /// Requests to the origin at once
    #[arg(long, env = "TIDEGATE_UPSTREAM_REQUESTS", value_name = "REQUESTS", default_value_t = limits::UPSTREAM_REQUESTS)]
    pub upstream_requests: usize,
}

impl EdgeConfig {
    /// An edge of `origin` with every other setting at its default.
    pub fn new(origin: OriginUrl) -> Self {
        Self {
            origin,
            fleet_key: None,
            fleet_key_file: None,
            forward: Forward::ReadOnly,
            memory: ByteSize(limits::MEMORY),
            slice: ByteSize(limits::SLICE_BYTES),
            public_url: None,
            trusted_proxies: Vec::new(),
            rate_limit: None,
            rate_burst: None,
            max_connections: None,
            upstream_requests: limits::UPSTREAM_REQUESTS,
        }
    }

    /// How the ceiling is shared out.
    ///
    /// # Errors
    /// When it is too small for its slices, or the slices are of an odd size.
    pub(crate) fn shares(&self) -> Result<Shares, ConfigError> {
        let (memory, slice) = (self.memory.0, self.slice.0);
        if !(limits::MIN_SLICE_BYTES..=limits::MAX_SLICE_BYTES).contains(&slice) {
            return Err(ConfigError::Slice(
                ByteSize(limits::MIN_SLICE_BYTES),
                ByteSize(limits::MAX_SLICE_BYTES),
            ));
        }
        if memory < limits::MIN_MEMORY || memory < slice.saturating_mul(8) {
            return Err(ConfigError::Memory(ByteSize(limits::MIN_MEMORY.max(slice * 8))));
        }
        let for_connections = memory / limits::CONNECTION_SHARE;
        let affordable = usize::try_from(for_connections / limits::CONNECTION_BYTES).unwrap_or(usize::MAX);
        let connections = self.max_connections.unwrap_or(affordable);
        // Whoever asks for more connections pays for them with cache.
        let connection_bytes = for_connections.max(connections as u64 * limits::CONNECTION_BYTES);
        let object_bytes = memory / limits::OBJECT_SHARE;
        let bytes = memory.checked_sub(connection_bytes + object_bytes).filter(|bytes| *bytes >= slice * 4);
        let bytes = bytes.ok_or(ConfigError::Connections(affordable))?;
        Ok(Shares { bytes, object_bytes, connections })
    }
}

/// How the ceiling is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Bytes of objects: cached, in flight, held by clients.
    pub(crate) bytes: u64,
    /// What is known of objects.
    pub(crate) object_bytes: u64,
    /// Connections at once.
    pub(crate) connections: usize,
}

/// Settings that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `--slice` is out of bounds.
    #[error("--slice must lie between {0} and {1}")]
    Slice(ByteSize, ByteSize),
    /// `--memory` is too small.
    #[error("--memory must be at least {0}: eight slices")]
    Memory(ByteSize),
    /// `--max-connections` leaves nothing for the cache.
    #[error("--max-connections leaves no memory for the cache; an eighth of it carries {0}")]
    Connections(usize),
    /// `--fleet-key-file` cannot be read.
    #[error("cannot read the fleet key from {0}: {1}")]
    FleetKeyFile(PathBuf, String),
    /// `--fleet-key` cannot stand in a header field.
    #[error("--fleet-key must be visible ASCII")]
    FleetKey,
}

/// The command line of `tidegate-edge`.
#[derive(Debug, clap::Parser)]
#[command(name = "tidegate-edge", version, about = "Caches and serves media near its viewers.")]
pub struct Cli {
    /// Where viewers are served
    #[arg(long, env = "TIDEGATE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// Where /metrics, /healthz and /readyz are served; nowhere when not given
    #[arg(long, env = "TIDEGATE_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,
    /// How log lines look
    #[arg(long, env = "TIDEGATE_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// How the public port listens.
    #[command(flatten)]
    pub listening: ListenOptions,
    /// Settings of the edge.
    #[command(flatten)]
    pub edge: EdgeConfig,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(memory: &str, slice: &str) -> EdgeConfig {
        let origin = "http://127.0.0.1:1".parse().unwrap();
        EdgeConfig {
            memory: memory.parse().unwrap(),
            slice: slice.parse().unwrap(),
            ..EdgeConfig::new(origin)
        }
    }

    #[test]
    fn the_ceiling_is_shared_out_whole() {
        let shares = config("64MiB", "1MiB").shares().unwrap();
        assert_eq!(shares, Shares { bytes: 52 << 20, object_bytes: 4 << 20, connections: 341 });
        let more = EdgeConfig { max_connections: Some(1000), ..config("64MiB", "1MiB") }.shares().unwrap();
        assert_eq!(more.bytes, (60 << 20) - 1000 * limits::CONNECTION_BYTES);
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        assert!(matches!(config("8MiB", "1MiB").shares(), Err(ConfigError::Memory(_))));
        assert!(matches!(config("64MiB", "16MiB").shares(), Err(ConfigError::Memory(_))));
        assert!(matches!(config("64MiB", "1KiB").shares(), Err(ConfigError::Slice(..))));
        let greedy = EdgeConfig { max_connections: Some(1_000_000), ..config("64MiB", "1MiB") };
        assert_eq!(greedy.shares(), Err(ConfigError::Connections(341)));
        for text in ["https://origin", "origin:80", "http://origin/path", "ftp://origin", ""] {
            assert!(text.parse::<OriginUrl>().is_err(), "{text}");
        }
        assert!("http://origin:8080/".parse::<OriginUrl>().is_ok());
    }
}
