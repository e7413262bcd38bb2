//! What origins and edges tell each other below `/internal/`; every call carries the fleet key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::AssetId;

/// The public half of a grant key: 32 bytes of Ed25519 in unpadded base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicKey(String);

impl PublicKey {
    /// Wraps the raw bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The raw bytes; `None` if the text was no key.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(&self.0).ok().filter(|bytes| bytes.len() == 32)
    }
}

/// `GET /internal/keys`: every key whose grants may still run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// The current key and those rotated out.
    pub keys: Vec<PublicKey>,
}

/// `POST /internal/heartbeat`: what an edge says of itself, every few seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The edge's public base URL; its identity in the fleet.
    pub url: String,
    /// The last purge it has applied.
    pub purge_cursor: u64,
    /// Bytes served from its cache over bytes served, since it started; 0 to 1, `None` before the first.
    pub hit_ratio: Option<f64>,
    /// Bytes its cache holds.
    pub cached_bytes: u64,
    /// The edge's version.
    pub version: String,
    /// The most memory it may use for objects and clients.
    #[serde(default)]
    pub memory_limit_bytes: Option<u64>,
    /// What of it is in use for bytes of objects and what is known of them.
    #[serde(default)]
    pub memory_used_bytes: Option<u64>,
    /// What was sent of each asset; the same until an answer says that it was counted.
    #[serde(default)]
    pub report: Option<TrafficReport>,
}

/// What an edge has sent of each asset since its report before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficReport {
    /// A random name of this run of the edge.
    pub instance: String,
    /// The report's number in the run, from 1.
    pub seq: u64,
    /// What was sent, each asset once.
    pub assets: Vec<AssetTraffic>,
}

/// What was sent of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetTraffic {
    /// Of which.
    pub asset: AssetId,
    /// Requests answered with bytes of it.
    pub requests: u64,
    /// Those of them that were answered from the cache alone.
    pub hits: u64,
    /// Bytes of bodies.
    pub bytes: u64,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatAck {
    /// The newest purge in the log.
    pub purge_head: u64,
    /// The number of the report that came with the heartbeat, once it has been counted: now or before.
    #[serde(default)]
    pub counted: Option<u64>,
}
