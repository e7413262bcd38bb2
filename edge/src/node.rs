//! What every request of one edge shares. There is no state outside of it, so several edges run in one process.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use prometheus::Registry;
use tidegate_serve::admin::Readiness;
use tidegate_serve::{Clock, Entropy};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::EdgeError;
use crate::cache::Cache;
use crate::config::{ConfigError, EdgeConfig, Forward, Shares};
use crate::fleet::Fleet;
use crate::gate::rate::RateGate;
use crate::limits;
use crate::metrics::{Metrics, register_gauges};
use crate::tally::Tally;
use crate::upstream::Upstream;
use tidegate_serve::client::Network;

/// One edge.
pub(crate) struct Node {
    pub(crate) forward: Forward,
    pub(crate) cache: Cache,
    pub(crate) upstream: Upstream,
    /// The secret and the state of a member of a fleet; a general proxy has none.
    pub(crate) fleet: Option<Fleet>,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) rate: Option<RateGate>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    /// What was sent of each asset and not told yet.
    pub(crate) tally: Tally,
    /// The ceiling over everything it holds for objects and clients.
    pub(crate) memory: u64,
    /// Objects fetched before anyone asked, at once.
    pub(crate) prefetches: Arc<Semaphore>,
    /// Fills and openings under way.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the edge has drained and what is left is to end.
    pub(crate) stopping: CancellationToken,
}

impl Node {
    /// Puts an edge together and registers what it counts.
    pub(crate) fn new(
        config: &EdgeConfig,
        shares: Shares,
        clock: Clock,
        entropy: Entropy,
        registry: &Registry,
        readiness: &Readiness,
    ) -> Result<Arc<Self>, EdgeError> {
        let metrics = Arc::new(Metrics::new(registry)?);
        let cache = Cache::new(shares.bytes, shares.object_bytes, config.slice.0, metrics.evictions.clone());
        let upstream =
            Upstream::new(config.origin.0.clone(), config.upstream_requests.max(1), metrics.received.clone());
        let fleet = match config.forward {
            Forward::All => None,
            Forward::ReadOnly => Some(Fleet::new(fleet_key(config)?, readiness.clone())),
        };
        let rate = config.rate_limit.map(|per_second| {
            let burst =
                config.rate_burst.unwrap_or(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
            RateGate::new(per_second, burst, limits::TRACKED_CLIENTS)
        });
        let node = Arc::new(Self {
            forward: config.forward,
            cache,
            upstream,
            fleet,
            trusted_proxies: config.trusted_proxies.clone(),
            rate,
            metrics,
            clock,
            entropy,
            tally: Tally::default(),
            memory: config.memory.0,
            prefetches: Arc::new(Semaphore::new(limits::PREFETCHES)),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        });
        register_gauges(registry, &node)?;
        Ok(node)
    }

    /// Whether it is a member of a fleet: media only, grants, purges.
    pub(crate) fn is_fleet(&self) -> bool {
        self.fleet.is_some()
    }

    /// Waits a random while before something is tried again, so that many do not try at once.
    pub(crate) async fn pause_before_retry(&self) {
        let most = u64::try_from(limits::RETRY_PAUSE.as_millis()).unwrap_or(u64::MAX);
        tokio::time::sleep(Duration::from_millis(self.entropy.below(most))).await;
    }
}

fn fleet_key(config: &EdgeConfig) -> Result<Option<HeaderValue>, ConfigError> {
    let text = match &config.fleet_key_file {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            Some(read.map_err(|error| ConfigError::FleetKeyFile(path.clone(), error.to_string()))?)
        }
        None => config.fleet_key.clone(),
    };
    let Some(text) = text else { return Ok(None) };
    let mut key = HeaderValue::from_str(text.trim()).map_err(|_| ConfigError::FleetKey)?;
    key.set_sensitive(true);
    Ok(Some(key))
}
