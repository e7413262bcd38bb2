//! Whole deployments of real processes: what stands behind them, origins, and edges.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Request, Response};
use crate::process::{Process, metric};
use crate::tus::Tus;
use crate::wait::{eventually, eventually_or};
use crate::{Postgres, Redis, limits, ports};

/// What keeps the record and the leases: the two columns of the design, on which the same tests hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backing {
    /// SQLite, and everything else in the origin's process.
    Embedded,
    /// PostgreSQL and Redis.
    Cluster,
}

/// A deployment's folder and servers; origins and edges are added to it.
#[derive(Debug)]
pub struct Scene {
    folder: TempDir,
    database_url: String,
    /// The PostgreSQL server, the test's own, to be stopped and killed.
    pub postgres: Option<Arc<Postgres>>,
    /// The Redis server, the test's own, to be flushed, stopped and killed.
    pub redis: Option<Redis>,
}

/// The fleet key of every scene.
pub const FLEET_KEY: &str = "the fleet key of a test scene, 0123456789";

impl Scene {
    /// Starts what this backing needs.
    ///
    /// # Panics
    /// When a server does not start.
    pub fn new(backing: Backing) -> Self {
        let folder =
            tempfile::Builder::new().prefix("tidegate-scene-").tempdir().expect("a temporary folder");
        let (postgres, redis, database_url) = match backing {
            Backing::Embedded => {
                (None, None, format!("sqlite://{}?mode=rwc", folder.path().join("catalog.db").display()))
            }
            Backing::Cluster => {
                let postgres = Postgres::start();
                let url = postgres.database();
                (Some(Arc::new(postgres)), Some(Redis::start()), url)
            }
        };
        Self { folder, database_url, postgres, redis }
    }

    /// The scene's folder, for files of the test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file with the admin's token.
    pub fn token_file(&self) -> PathBuf {
        self.folder.path().join("admin.token")
    }

    /// The admin's token, once an origin has started.
    ///
    /// # Panics
    /// When there is none.
    pub fn token(&self) -> String {
        let text = std::fs::read_to_string(self.token_file()).expect("the admin's token");
        text.trim().to_owned()
    }

    /// Starts an origin; all origins of a scene share catalogue, Redis and the folder of the bytes.
    ///
    /// # Panics
    /// When it is not ready in time.
    pub fn origin(&self) -> Service {
        self.origin_with(&[])
    }

    /// The same with more arguments.
    ///
    /// # Panics
    /// When it is not ready in time.
    pub fn origin_with(&self, more: &[&str]) -> Service {
        let store = format!("file://{}", self.folder.path().join("blobs").display());
        let token_file = self.token_file().display().to_string();
        let mut arguments = vec!["--database-url", &self.database_url, "--store", &store];
        arguments.extend(["--admin-token-file", &token_file, "--fleet-key", FLEET_KEY]);
        let redis_url = self.redis.as_ref().map(Redis::url);
        arguments.extend(redis_url.iter().flat_map(|url| ["--redis-url", url]));
        arguments.extend(more);
        Service::start("tidegate-origin", &arguments)
    }

    /// Starts an edge that reads from the origin at this address (or from a proxy before it).
    ///
    /// # Panics
    /// When it is not ready in time.
    pub fn edge(&self, origin: SocketAddr, more: &[&str]) -> Service {
        let origin = format!("http://{origin}");
        let mut arguments = vec!["--origin", &origin, "--fleet-key", FLEET_KEY];
        arguments.extend(more);
        Service::start("tidegate-edge", &arguments)
    }

    /// Starts a worker that makes adaptive streams for the origin at this address; it reads sources where they lie.
    ///
    /// # Panics
    /// When it is not ready in time.
    pub fn worker(&self, origin: SocketAddr, more: &[&str]) -> Worker {
        let (origin, admin) = (format!("http://{origin}"), ports::free_addr());
        let (store, admin_listen) =
            (self.folder.path().join("blobs").display().to_string(), admin.to_string());
        let mut arguments = vec!["--origin", &*origin, "--fleet-key", FLEET_KEY, "--store", &store];
        arguments.extend(["--admin-listen", &admin_listen]);
        arguments.extend(more);
        Worker { admin, process: Process::start("tidegate-transcoder", &arguments, admin, "/readyz") }
    }

    /// The API of an origin, with the admin's token.
    ///
    /// # Panics
    /// When there is no token yet.
    pub fn api(&self, origin: SocketAddr) -> Api {
        Api { addr: origin, token: self.token() }
    }

    /// A tus client of an origin, with the admin's token.
    ///
    /// # Panics
    /// When there is no token yet.
    pub fn tus(&self, origin: SocketAddr) -> Tus {
        Tus::new(origin, self.token())
    }
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    /// Where its metrics are.
    pub admin: SocketAddr,
    /// The process.
    pub process: Process,
}

/// An origin or an edge.
#[derive(Debug)]
pub struct Service {
    /// Its public address.
    pub addr: SocketAddr,
    /// Where its metrics are.
    pub admin: SocketAddr,
    /// The process.
    pub process: Process,
}

impl Service {
    fn start(binary: &str, arguments: &[&str]) -> Self {
        let (addr, admin) = (ports::free_addr(), ports::free_addr());
        let (listen, admin_listen) = (addr.to_string(), admin.to_string());
        let mut all = vec!["--listen", &*listen, "--admin-listen", &*admin_listen];
        all.extend(arguments);
        let process = Process::start(binary, &all, admin, "/readyz");
        Self { addr, admin, process }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The sum over a metric's series that have these labels.
    ///
    /// # Panics
    /// When the metrics cannot be had.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        metric(self.admin, name, labels)
    }
}

/// `/api/v1` of an origin as one account.
#[derive(Debug, Clone)]
pub struct Api {
    /// The origin.
    pub addr: SocketAddr,
    /// The account's token.
    pub token: String,
}

impl Api {
    /// A request below `/api/v1`.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, &format!("/api/v1{path}")).bearer(&self.token)
    }

    /// An asset.
    ///
    /// # Panics
    /// When there is none of this id.
    pub fn asset(&self, id: &str) -> Value {
        self.request("GET", &format!("/assets/{id}")).send(self.addr).expect(200).json()
    }

    /// An asset as soon as its upload is one.
    ///
    /// # Panics
    /// When it does not become one in time.
    pub fn asset_eventually(&self, id: &str) -> Value {
        let request = self.request("GET", &format!("/assets/{id}"));
        eventually("the upload to become an asset", limits::START, || {
            let answer = request.try_send(self.addr).ok()?;
            (answer.status == 200).then(|| answer.json())
        })
    }

    /// An asset as soon as its state is one of these.
    ///
    /// # Panics
    /// When that does not come in time.
    pub fn asset_in_state(&self, id: &str, states: &[&str]) -> Value {
        let request = self.request("GET", &format!("/assets/{id}"));
        let mut last = Value::Null;
        let found = eventually_or(limits::RUN, || {
            let answer = request.try_send(self.addr).ok().filter(|answer| answer.status == 200)?;
            last = answer.json();
            states.iter().any(|state| last["state"] == **state).then(|| last.clone())
        });
        found.unwrap_or_else(|| {
            let jobs = self.request("GET", "/jobs").try_send(self.addr).map(|answer| answer.text());
            panic!("waited in vain for {states:?} of {last:#}\n{jobs:?}")
        })
    }

    /// Sets who may read an asset.
    ///
    /// # Panics
    /// When the origin refuses.
    pub fn set_visibility(&self, id: &str, visibility: &str) {
        let change = json!({ "visibility": visibility });
        let _ = self.request("PATCH", &format!("/assets/{id}")).json(&change).send(self.addr).expect(200);
    }

    /// Deletes an asset.
    ///
    /// # Panics
    /// When the origin refuses.
    pub fn delete(&self, id: &str) {
        let _ = self.request("DELETE", &format!("/assets/{id}")).send(self.addr).expect(204);
    }

    /// A grant for an asset.
    ///
    /// # Panics
    /// When the origin refuses.
    pub fn grant(&self, id: &str, minutes: f64) -> Granted {
        let wish = json!({ "minutes": minutes });
        let answer =
            self.request("POST", &format!("/assets/{id}/grants")).json(&wish).send(self.addr).expect(201);
        let said = answer.json();
        let path =
            |name: &str| said[name].as_str().unwrap_or_else(|| panic!("no {name} in {said}")).to_owned();
        Granted { path: path("path"), watch: path("watch") }
    }

    /// The uploaded bytes, read with the token.
    pub fn source(&self, id: &str) -> Response {
        Request::get(&format!("/media/{id}/source")).bearer(&self.token).send(self.addr)
    }
}

/// What a grant opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The uploaded bytes, on edges and origins.
    pub path: String,
    /// The watch page, on origins.
    pub watch: String,
}
