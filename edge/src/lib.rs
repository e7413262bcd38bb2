//! The edge: slices of objects cached near the viewer.
//!
//! The modules follow the way of a request: `viewer` is the whole of it as one readable function, which goes through
//! `gate` (route, rate, grant), `cache` (lookup, opening, fill), `upstream` and `response`; `pass` is the
//! way around the cache, `ahead` what is fetched before anyone waits for it. `fleet` follows the purge log, the keys and the heartbeat beside it.

pub mod config;
pub mod limits;
pub mod outcome;

mod ahead;
mod cache;
mod fleet;
mod gate;
mod metrics;
mod node;
mod pass;
mod refusal;
mod response;
mod tally;
mod upstream;
mod viewer;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::service::service_fn;
use prometheus::Registry;
use socket2::SockRef;
use tidegate_serve::admin::{self, Readiness};
use tidegate_serve::server::{self, ServerOptions};
use tidegate_serve::{Clock, Entropy};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use cache::NoStoreReason;
pub use config::{Cli, ConfigError, EdgeConfig, Forward, OriginUrl};
pub use outcome::Outcome;
pub use tidegate_serve::client::{InvalidNetwork, Network};

use crate::node::Node;

/// Why an edge could not be put together or run.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// Settings that do not go together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The listener does not work.
    #[error("listener: {0}")]
    Listener(#[from] io::Error),
}

/// One edge, ready to run. Everything it counts and caches is its own.
pub struct Edge {
    node: Arc<Node>,
    config: EdgeConfig,
    options: ServerOptions,
    registry: Registry,
    readiness: Readiness,
}

impl Edge {
    /// Puts an edge together.
    ///
    /// # Errors
    /// When the settings do not go together.
    pub fn new(config: EdgeConfig, clock: Clock, entropy: Entropy) -> Result<Self, EdgeError> {
        let shares = config.shares()?;
        let (registry, readiness) = (Registry::new(), Readiness::new());
        let node = Node::new(&config, shares, clock, entropy, &registry, &readiness)?;
        let options = ServerOptions {
            max_connections: shares.connections,
            read_buffer_bytes: limits::CONNECTION_READ_BYTES,
            // An edge of a fleet takes no bodies; what a general proxy takes must fit beside the rest.
            http2_window_budget: usize::try_from(config.memory.0 / limits::WINDOW_SHARE)
                .unwrap_or(usize::MAX),
            ..ServerOptions::default()
        };
        Ok(Self { node, config, options, registry, readiness })
    }

    /// What it counts.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What keeps it from being ready.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Serves viewers on `listener` and, if given, the admin port on `admin`, until `shutdown` is cancelled and what
    /// runs then has drained.
    ///
    /// # Errors
    /// When the listener does not work.
    pub async fn run(
        self,
        listener: TcpListener,
        admin: Option<TcpListener>,
        shutdown: CancellationToken,
    ) -> Result<(), EdgeError> {
        let address = listener.local_addr()?;
        // Accepted sockets inherit it: a client that takes nothing holds memory, and the kernel ends that.
        SockRef::from(&listener).set_tcp_user_timeout(Some(limits::SEND_STALL))?;
        let url = self.config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let node = self.node;
        let stopping = node.stopping.clone();
        background(&node, fleet::purges::tick(node.clone()));
        background(&node, fleet::purges::follow(node.clone()));
        background(&node, fleet::keys::follow(node.clone()));
        background(&node, fleet::heartbeat::beat(node.clone(), url.clone()));
        if let Some(admin) = admin {
            background(&node, admin::serve(admin, self.registry, self.readiness, stopping.clone()));
        }
        tracing::info!(listen = %address, url, origin = %self.config.origin, memory = %self.config.memory, "edge.serving");
        let viewers = node.clone();
        server::serve(listener, self.options, shutdown, move |connection| {
            let (node, peer, framing) = (viewers.clone(), connection.peer.ip(), connection.framing);
            service_fn(move |request| {
                let (node, framing) = (node.clone(), framing.clone());
                async move {
                    let ambiguous = framing.is_ambiguous();
                    let response = viewer::serve(&node, peer, request, ambiguous).await;
                    framing.answered();
                    Ok::<_, Infallible>(response)
                }
            })
        })
        .await;
        stopping.cancel();
        node.tasks.close();
        node.tasks.wait().await;
        Ok(())
    }
}

/// Runs `task` beside the requests until the edge stops.
fn background(node: &Arc<Node>, task: impl Future<Output = ()> + Send + 'static) {
    let stopping = node.stopping.clone();
    node.tasks.spawn(async move {
        tokio::select! {
            () = task => {}
            () = stopping.cancelled() => {}
        }
    });
}

/// Locks, also after a panic elsewhere: no lock of the edge guards an invariant that a panic could leave half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
