//! An origin in this process, with its real ports, catalogue and store, that a test can stop, crash and start again.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tidegate_origin::app::App;
use tidegate_origin::config::{DatabaseOptions, OriginConfig, Secret};
use tidegate_origin::server::Server;
use tidegate_testkit::http::{Connection, Request, Response};
use tidegate_testkit::tus::{Tus, id_of};
use tidegate_testkit::{Postgres, Redis};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const FLEET_KEY: &str = "the fleet key of an origin's test, 0123456789";

/// What origins have in common: the folder of the bytes, the database, Redis.
pub struct Site {
    folder: TempDir,
    pub config: OriginConfig,
    pub redis: Option<Redis>,
    _postgres: Option<Arc<Postgres>>,
}

impl Site {
    /// SQLite, and everything else in the process.
    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = OriginConfig::embedded(folder.path());
        config.listen = ([127, 0, 0, 1], 0).into();
        config.fleet_key = Some(Secret::new(FLEET_KEY));
        // These tests look for bytes where they were; `trash.rs` is about the other case.
        config.trash = std::time::Duration::ZERO;
        Self { folder, config, redis: None, _postgres: None }
    }

    /// PostgreSQL and Redis.
    pub fn cluster() -> Self {
        let (postgres, redis) = (Postgres::shared(), Redis::start());
        let mut site = Self::embedded();
        site.config.database = DatabaseOptions::new(postgres.database());
        site.config.redis_url = Some(redis.url());
        site.redis = Some(redis);
        site._postgres = Some(postgres);
        site
    }

    /// Starts an origin.
    pub fn start(&self) -> Origin {
        self.start_with(|_| {})
    }

    /// Starts an origin with other settings.
    pub fn start_with(&self, change: impl FnOnce(&mut OriginConfig)) -> Origin {
        let mut config = self.config.clone();
        change(&mut config);
        let runtime = runtime();
        let shutdown = CancellationToken::new();
        let server = runtime.block_on(Server::start(config, shutdown.clone())).unwrap();
        let (addr, app) = (server.public_address().unwrap(), server.app().clone());
        let serving = runtime.spawn(server.run());
        let token = self.token();
        Origin { addr, token, app, shutdown, serving: Some(serving), runtime: Some(runtime) }
    }

    /// Starts an origin with a part of it exchanged: the same router on a listener of the test's.
    pub fn start_changed(&self, change: impl FnOnce(&mut App)) -> Origin {
        use std::convert::Infallible;
        use tidegate_serve::{Clock, Entropy, server};
        use tower::ServiceExt as _;

        let (runtime, shutdown) = (runtime(), CancellationToken::new());
        let (app, listener) = runtime.block_on(async {
            let (clock, entropy) = (Clock::system(), Entropy::system());
            let mut app = App::start(self.config.clone(), clock, entropy, shutdown.clone()).await.unwrap();
            change(Arc::get_mut(&mut app).expect("nobody else has the application yet"));
            (app, tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
        });
        let addr = listener.local_addr().unwrap();
        let router = tidegate_origin::http::router(app.clone());
        let stop = shutdown.clone();
        let serving = runtime.spawn(async move {
            let make = |connection: server::ConnInfo| {
                let router = router.clone();
                hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let mut request = request.map(axum::body::Body::new);
                    request.extensions_mut().insert(connection.clone());
                    let router = router.clone();
                    async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap()) }
                })
            };
            server::serve(listener, server::ServerOptions::default(), stop, make).await;
        });
        let token = self.token();
        Origin { addr, token, app, shutdown, serving: Some(serving), runtime: Some(runtime) }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("admin.token")).unwrap().trim().to_owned()
    }

    /// The files of an upload's segments, by number.
    pub fn segment(&self, id: &str, number: u64) -> PathBuf {
        self.folder.path().join("blobs").join(&id[id.len() - 2..]).join(format!("{id}.{number}"))
    }

    /// Every file in the store.
    pub fn stored(&self) -> Vec<PathBuf> {
        let entries = |path: &Path| -> Vec<PathBuf> {
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect()
        };
        entries(&self.folder.path().join("blobs")).iter().flat_map(|shard| entries(shard)).collect()
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A running origin. Dropped, it crashes: nothing is written down, no lease is given back.
pub struct Origin {
    pub addr: SocketAddr,
    pub token: String,
    pub app: Arc<App>,
    shutdown: CancellationToken,
    serving: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl Origin {
    /// Ends it in order.
    pub fn stop(mut self) {
        self.shutdown.cancel();
        let (serving, runtime) = (self.serving.take().unwrap(), self.runtime.take().unwrap());
        runtime.block_on(serving).unwrap();
        runtime.shutdown_timeout(Duration::from_secs(10));
    }

    /// Ends it in the middle of whatever it does. A write the kernel has begun comes to its end, as after a kill.
    pub fn crash(mut self) {
        self.runtime.take().unwrap().shutdown_timeout(Duration::from_secs(10));
    }

    /// A client with the admin's token.
    pub fn tus(&self) -> Tus {
        Tus::new(self.addr, self.token.clone())
    }

    /// A client without any.
    pub fn nobody(&self) -> Tus {
        Tus::new(self.addr, None)
    }

    pub fn send(&self, request: &Request) -> Response {
        request.send(self.addr)
    }

    /// A connection that has sent the head of a PATCH of `length` bytes at `offset`, and as much of its body as is
    /// given.
    pub fn hanging_patch(&self, path: &str, offset: u64, length: u64, sent: &[u8]) -> Connection {
        let mut connection = Connection::open(self.addr).unwrap();
        connection.send(&self.tus().patch_head(path, offset, length)).unwrap();
        connection.send(sent).unwrap();
        connection
    }

    /// Waits until this many body bytes have come in since the start.
    pub fn wait_received(&self, bytes: u64) {
        let received = &self.app.metrics.uploads.received_bytes;
        tidegate_testkit::wait::eventually_true("the bytes to come in", Duration::from_secs(30), || {
            received.get() >= bytes
        });
    }

    /// An asset, as the API shows it.
    pub fn asset(&self, path: &str) -> serde_json::Value {
        let target = format!("/api/v1/assets/{}", id_of(path));
        self.send(&Request::get(&target).bearer(&self.token)).expect(200).json()
    }

    /// The bytes of an asset, read with the admin's token.
    pub fn source(&self, path: &str) -> Vec<u8> {
        let target = format!("/media/{}/source", id_of(path));
        let answer = self.send(&Request::get(&target).bearer(&self.token)).expect(200);
        assert!(answer.whole);
        answer.body
    }

    /// Checks that the upload has become an asset of exactly these bytes, with their digest.
    pub fn assert_is(&self, path: &str, bytes: &[u8]) {
        assert_eq!(self.asset(path)["digest"], tidegate_testkit::files::digest_of(bytes), "the digest");
        assert!(self.source(path) == bytes, "the bytes");
    }

    /// Another account; returns its token.
    pub fn account(&self, name: &str) -> String {
        let password = "a password of a test";
        let new = json!({ "username": name, "email": format!("{name}@example.org"), "password": password });
        let _ = self.send(&Request::new("POST", "/api/v1/accounts").json(&new)).expect(201);
        let cookie = self.session(name, password);
        let token =
            Request::new("POST", "/api/v1/tokens").header("Cookie", cookie).json(&json!({"name": "test"}));
        self.send(&token).expect(201).json()["token"].as_str().unwrap().to_owned()
    }

    /// Logs in; returns the cookie.
    pub fn session(&self, login: &str, password: &str) -> String {
        let login = json!({ "login": login, "password": password });
        let answer = self.send(&Request::new("POST", "/api/v1/sessions").json(&login)).expect(201);
        answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }
}

/// Makes each function, which takes a [`Site`], a test on both columns of the design.
#[macro_export]
macro_rules! on_both_columns {
    ($($name:ident),* $(,)?) => {
        mod embedded { $(#[test] fn $name() { super::$name(&$crate::site::Site::embedded()); })* }
        mod cluster { $(#[test] fn $name() { super::$name(&$crate::site::Site::cluster()); })* }
    };
}
