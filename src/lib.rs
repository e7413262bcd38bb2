//! All of Tidegate in one process, out of the same libraries as the cluster: an origin on embedded defaults, edges
//! in front of it on the next ports, and a worker that makes adaptive streams where there is an ffmpeg.

pub mod config;
mod data_dir;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tidegate_edge::{Edge, EdgeConfig, OriginUrl};
use tidegate_origin::config::{OriginConfig, Secret};
use tidegate_origin::server::Server;
use tidegate_serve::{Clock, Entropy, listen};
use tidegate_transcoder::{Worker, WorkerConfig, WorkerError};
use tidegate_wire::digest::to_hex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Arguments, Transcode};
use crate::data_dir::DataDir;

/// An origin and its edges with their ports open, about to serve.
pub struct AllInOne {
    origin: Server,
    origin_url: String,
    edges: Vec<(Edge, TcpListener, String)>,
    /// The worker, or why there is none.
    worker: Result<Worker, String>,
    data: PathBuf,
    shutdown: CancellationToken,
    _lock: DataDir,
}

impl AllInOne {
    /// Takes hold of the data directory, opens the ports and starts the origin. `shutdown` stops all of it.
    ///
    /// # Errors
    /// The first part that does not work, in words for a person.
    pub async fn start(arguments: &Arguments, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let lock = DataDir::open(&arguments.data).with_context(|| arguments.data.display().to_string())?;
        let (clock, entropy) = (Clock::system(), Entropy::system());
        // Nobody else needs it: it lives as long as the process.
        let fleet_key = to_hex(&entropy.bytes::<32>());
        let config = OriginConfig {
            listen: arguments.listen,
            admin_listen: arguments.admin_listen,
            anonymous_uploads: arguments.anonymous_uploads,
            durability: arguments.durability,
            trash: arguments.trash,
            public_url: arguments.public_url.clone(),
            accounts: arguments.accounts.clone(),
            telling: arguments.telling.clone(),
            fleet_key: Some(Secret::new(fleet_key.as_str())),
            ..OriginConfig::embedded(&arguments.data)
        };
        let origin = Server::start(config, shutdown.clone()).await?;
        let address = origin.public_address()?;
        let host = public_host(arguments, address.ip())?;
        let upstream: OriginUrl =
            format!("http://{}", reachable(address)).parse().map_err(anyhow::Error::msg)?;
        let mut edges = Vec::new();
        for number in 1..=arguments.edges {
            let port = address.port().checked_add(number).context("the ports of the edges go past 65535")?;
            let at = SocketAddr::new(address.ip(), port);
            let listener = listen::bind(at, &Default::default())
                .with_context(|| format!("cannot listen on {at} for an edge"))?;
            let url = format!("http://{host}:{port}");
            let config = EdgeConfig {
                fleet_key: Some(fleet_key.clone()),
                memory: arguments.memory,
                public_url: Some(url.clone()),
                ..EdgeConfig::new(upstream.clone())
            };
            edges.push((Edge::new(config, clock.clone(), entropy.clone())?, listener, url));
        }
        let worker = match arguments.transcode {
            Transcode::Auto => worker(&arguments.data, reachable(address), fleet_key, clock, entropy).await?,
            Transcode::Off => Err("transcoding is off here".into()),
        };
        if let Err(why) = &worker {
            origin.has_no_worker(why);
        }
        let origin_url = format!("http://{host}:{}", address.port());
        let data = arguments.data.clone();
        Ok(Self { origin, origin_url, edges, worker, data, shutdown, _lock: lock })
    }

    /// What someone who has just started it wants to know.
    pub fn welcome(&self) -> String {
        let Self { origin_url: url, data, worker, .. } = self;
        let token = data.join("admin.token");
        let mut text = format!("Tidegate is running.\n\n  dashboard        {url}\n");
        for (_, _, edge) in &self.edges {
            let _ = writeln!(text, "  edge             {edge}");
        }
        match worker {
            Ok(worker) => {
                let _ = writeln!(text, "  adaptive video   by ffmpeg {}", worker.tools().version);
            }
            Err(why) => {
                let _ = writeln!(text, "  adaptive video   none, videos play as files: {why}");
            }
        }
        let _ = writeln!(text, "  data             {}", data.display());
        let password = data.join("admin.password");
        if password.exists() {
            let _ = writeln!(text, "  log in as        admin, with the password in {}", password.display());
        }
        let _ = writeln!(text, "  admin's token    {}\n", token.display());
        let _ = write!(
            text,
            "Upload a file:\n\n  tidegate-upload FILE --to {url} --token-file {}\n",
            token.display()
        );
        text
    }

    /// Serves until the shutdown, then lets what runs come to its end.
    pub async fn run(self) {
        let Self { origin, edges, worker, shutdown, .. } = self;
        let edges: Vec<_> = edges
            .into_iter()
            .map(|(edge, listener, url)| {
                let shutdown = shutdown.clone();
                tokio::spawn(async move {
                    if let Err(error) = edge.run(listener, None, shutdown).await {
                        tracing::error!(error = &error as &dyn std::error::Error, url, "edge.failed");
                    }
                })
            })
            .collect();
        let worker = worker.ok().map(|worker| tokio::spawn(worker.run(None, shutdown.clone())));
        origin.run().await;
        for part in edges.into_iter().chain(worker) {
            let _ = part.await;
        }
    }
}

/// A worker for the origin at `origin`, which reads sources where they lie. Without ffmpeg there is none, and why.
async fn worker(
    data: &Path,
    origin: SocketAddr,
    fleet_key: String,
    clock: Clock,
    entropy: Entropy,
) -> anyhow::Result<Result<Worker, String>> {
    let origin = format!("http://{origin}").parse().map_err(anyhow::Error::msg)?;
    let config = WorkerConfig {
        fleet_key: Some(fleet_key),
        store: Some(data.join("blobs")),
        scratch: Some(data.join("scratch")),
        ..WorkerConfig::new(origin)
    };
    match Worker::new(config, clock, entropy).await {
        Ok(worker) => Ok(Ok(worker)),
        Err(WorkerError::Tools(why)) => {
            tracing::warn!(why = %why, "videos are not made adaptive here; they play as files, and jobs wait for a worker");
            Ok(Err(why.to_string()))
        }
        Err(error) => Err(error).context("the worker"),
    }
}

/// The host in the URLs that are given to browsers.
fn public_host(arguments: &Arguments, listening: IpAddr) -> anyhow::Result<String> {
    match (&arguments.public_host, listening) {
        (Some(host), _) => Ok(host.clone()),
        (None, ip) if ip.is_unspecified() => {
            bail!("listening on {ip} takes --public-host HOST: browsers need a name to reach the edges by")
        }
        (None, IpAddr::V4(ip)) => Ok(ip.to_string()),
        (None, IpAddr::V6(ip)) => Ok(format!("[{ip}]")),
    }
}

/// Where this process reaches its own listener.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}
