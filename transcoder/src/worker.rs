//! The worker: claims jobs while it has slots, and lets them go when it stops.

use std::sync::Arc;

use prometheus::Registry;
use tidegate_serve::admin::{self, Readiness};
use tidegate_serve::{Clock, Entropy};
use tidegate_wire::job::{Claim, ClaimRequest};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::Api;
use crate::attempt;
use crate::config::{ClaimMode, ConfigError, WorkerConfig};
use crate::limits;
use crate::litter::Own;
use crate::metrics::Metrics;
use crate::source::Sources;
use crate::tools::{self, Tools, ToolsError};

/// What the name of a worker's directory for sockets begins with.
const SOCKETS: &str = "tg-";

/// What all attempts of a worker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) sources: Sources,
    pub(crate) tools: Tools,
    pub(crate) metrics: Metrics,
    /// Below it are the sockets ffmpeg writes to.
    pub(crate) sockets: Own,
}

/// Why a worker could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Settings that do not work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no ffmpeg that works.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// One worker, ready to run.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
    config: WorkerConfig,
    registry: Registry,
    readiness: Readiness,
}

impl Worker {
    /// Puts a worker together, and looks for its tools.
    ///
    /// # Errors
    /// When the settings do not work, or there is no ffmpeg that does.
    pub async fn new(config: WorkerConfig, clock: Clock, entropy: Entropy) -> Result<Self, WorkerError> {
        let tools = tools::find(config.ffmpeg.as_deref(), config.ffprobe.as_deref()).await?;
        let (registry, readiness) = (Registry::new(), Readiness::new());
        let metrics = Metrics::new(&registry)?;
        let api = Api::new(&config.origin, config.fleet_key()?.as_deref(), entropy)?;
        let sources = Sources::new(&config, clock, metrics.fetched_bytes.clone())?;
        readiness.set_unready("origin", "it has not answered yet");
        // Below the system's temporary directory: a socket's path has at most 107 bytes.
        let (parent, prefix) = (std::env::temp_dir(), SOCKETS);
        let sockets = Own::new(&parent, prefix)
            .map_err(|error| ConfigError::Scratch(parent.clone(), error.to_string()))?;
        let shared = Arc::new(Shared { api, sources, tools, metrics, sockets });
        Ok(Self { shared, config, registry, readiness })
    }

    /// What it counts.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What keeps it from being ready.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// The tools it works with.
    pub fn tools(&self) -> &Tools {
        &self.shared.tools
    }

    /// Claims and does jobs, and serves the admin port on `admin` if given, until `shutdown` is cancelled. Then no
    /// more are claimed, what runs is killed and given back, and this returns within [`limits::RELEASE_TIMEOUT`].
    pub async fn run(self, admin: Option<TcpListener>, shutdown: CancellationToken) {
        let tasks = TaskTracker::new();
        if let Some(admin) = admin {
            let (registry, readiness) = (self.registry.clone(), self.readiness.clone());
            tasks.spawn(admin::serve(admin, registry, readiness, shutdown.clone()));
        }
        let tools = &self.shared.tools;
        tracing::info!(
            worker = self.config.name(), origin = %self.config.origin, claim = %self.config.claim,
            slots = self.config.slots(), ffmpeg = tools.version, tone_mapping = tools.tone_mapping, "worker.ready"
        );
        tokio::select! {
            () = claims(&self, &tasks, &shutdown) => {}
            () = shutdown.cancelled() => {}
        }
        tasks.close();
        tasks.wait().await;
    }
}

/// Claims one job after the other, each when there is a slot for it. One question at a time, and none before the last
/// job's source has its place: two could be promised the same free space.
async fn claims(worker: &Worker, tasks: &TaskTracker, shutdown: &CancellationToken) {
    let slots = Arc::new(Semaphore::new(worker.config.slots()));
    let shared = &worker.shared;
    let mut failures = 0;
    // The first question, and the first after a failure, is not held: its answer says that the origin is there.
    let mut held = false;
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        shared.sources.sweep();
        match claim(worker, held).await {
            Ok(Some(claim)) => {
                (failures, held) = (0, true);
                worker.readiness.set_ready("origin");
                let (shared, stopping) = (shared.clone(), shutdown.clone());
                shared.metrics.running.inc();
                let reserved = shared.sources.reserve(&claim);
                tasks.spawn(async move {
                    attempt::run(shared.clone(), claim, stopping).await;
                    shared.metrics.running.dec();
                    drop((reserved, slot));
                });
            }
            Ok(None) => {
                (failures, held) = (0, true);
                worker.readiness.set_ready("origin");
                if let ClaimMode::Poll(pause) = worker.config.claim {
                    sleep(pause).await;
                }
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(%error, "claim.failed");
                }
                worker.readiness.set_unready("origin", error.to_string());
                shared.api.pause(failures).await;
                (failures, held) = (failures.saturating_add(1), false);
            }
        }
    }
}

async fn claim(worker: &Worker, held: bool) -> Result<Option<Claim>, crate::api::CallError> {
    let shared = &worker.shared;
    let request = ClaimRequest {
        worker: worker.config.name(),
        wait_s: match worker.config.claim {
            ClaimMode::Push if held => limits::CLAIM_WAIT_S,
            ClaimMode::Push | ClaimMode::Poll(_) => 0,
        },
        scratch_free_bytes: shared.sources.free_bytes(),
        holds: shared.sources.holds(),
    };
    let since = Instant::now();
    let claim = shared.api.claim(&request).await?;
    if claim.is_some() {
        shared.metrics.claim_wait.observe(since.elapsed().as_secs_f64());
    } else if request.wait_s > 0 && since.elapsed() < limits::CLAIM_UNHELD {
        // An origin that answers at once that there is nothing does not hold questions; it is not to be flooded.
        sleep(limits::CLAIM_UNHELD).await;
    }
    Ok(claim)
}
