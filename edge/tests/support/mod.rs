//! What the edge's tests share: a purpose-built origin that does as it is told, and edges in front of it. The edge is
//! the real one; so are the sockets and, where a process is to be stopped or measured, the process.
#![allow(dead_code, unused_imports)]

pub(crate) mod origin;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use tidegate_edge::{Edge, EdgeConfig, Forward};
use tidegate_serve::listen::{self, ListenOptions};
use tidegate_serve::{Clock, Entropy};
use tidegate_testkit::http::{Connection, Request, Response};
use tidegate_testkit::{Process, Random, ports};
use tidegate_wire::ByteSize;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

pub(crate) use self::origin::{Gate, Object, Origin};

/// Where servers of the tests run; the tests themselves are threads that block.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// The slice of most tests: small, so that small objects have many.
pub(crate) const SLICE: usize = 16 << 10;

/// Bytes that differ from place to place and repeat with the seed.
pub(crate) fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Random::seeded(seed).fill(&mut bytes);
    bytes
}

/// An edge in this process.
pub(crate) struct TestEdge {
    pub(crate) addr: SocketAddr,
    pub(crate) admin: SocketAddr,
    shutdown: CancellationToken,
}

impl TestEdge {
    /// A general caching proxy of `origin`.
    pub(crate) fn general(origin: &Origin) -> Self {
        Self::start(EdgeConfig { forward: Forward::All, ..config(origin) }, Clock::system())
    }

    /// A member of the fleet of `origin`, once it has heard of purges and keys.
    pub(crate) fn fleet(origin: &Origin) -> Self {
        let edge = Self::start(config(origin), Clock::system());
        edge.wait_ready();
        edge
    }

    pub(crate) fn start(config: EdgeConfig, clock: Clock) -> Self {
        let _in_runtime = RUNTIME.enter();
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let listener = listen::bind(any, &ListenOptions::default()).unwrap();
        let admin_listener = listen::bind(any, &ListenOptions::default()).unwrap();
        let (addr, admin) = (listener.local_addr().unwrap(), admin_listener.local_addr().unwrap());
        let edge = Edge::new(config, clock, Entropy::system()).unwrap();
        let shutdown = CancellationToken::new();
        RUNTIME.spawn(edge.run(listener, Some(admin_listener), shutdown.clone()));
        Self { addr, admin, shutdown }
    }

    pub(crate) fn wait_ready(&self) {
        tidegate_testkit::wait::eventually_true(
            "the edge to be ready",
            tidegate_testkit::limits::START,
            || Request::get("/readyz").try_send(self.admin).is_ok_and(|answer| answer.status == 200),
        );
    }

    /// The whole answer to a GET.
    pub(crate) fn get(&self, target: &str) -> Response {
        Request::get(target).send(self.addr)
    }

    /// The whole answer to a GET of a range.
    pub(crate) fn range(&self, target: &str, range: &str) -> Response {
        Request::get(target).header("Range", range).send(self.addr)
    }

    /// The sum of the samples of a metric whose labels contain all of `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        tidegate_testkit::process::metric(self.admin, name, labels)
    }
}

impl Drop for TestEdge {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Small slices, little memory.
pub(crate) fn config(origin: &Origin) -> EdgeConfig {
    EdgeConfig {
        fleet_key: Some(origin::FLEET_KEY.into()),
        memory: ByteSize(64 << 20),
        slice: ByteSize(SLICE as u64),
        ..EdgeConfig::new(origin.url().parse().unwrap())
    }
}

/// An edge in a process of its own, ready.
pub(crate) struct ChildEdge {
    pub(crate) addr: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) process: Process,
}

impl ChildEdge {
    pub(crate) fn start(origin: &Origin, arguments: &[&str]) -> Self {
        Self::start_with(origin, arguments, &[])
    }

    /// One that logs everything.
    pub(crate) fn verbose(origin: &Origin) -> Self {
        Self::start_with(origin, &["--log-format", "json"], &[("RUST_LOG", "trace")])
    }

    fn start_with(origin: &Origin, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let (addr, admin) = (ports::free_addr(), ports::free_addr());
        let own = [
            "--listen".to_owned(),
            addr.to_string(),
            "--admin-listen".to_owned(),
            admin.to_string(),
            "--origin".to_owned(),
            origin.url(),
            "--fleet-key".to_owned(),
            origin::FLEET_KEY.to_owned(),
        ];
        let all: Vec<String> =
            own.into_iter().chain(arguments.iter().map(|text| (*text).to_owned())).collect();
        let process = Process::start_with("tidegate-edge", &all, environment, admin, "/readyz");
        Self { addr, admin, process }
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        Request::get(target).send(self.addr)
    }
}

/// A request whose answer is read bit by bit.
pub(crate) fn open(addr: SocketAddr, request: &Request) -> (Connection, Response) {
    let mut connection = Connection::open(addr).unwrap();
    connection.send(&request.to_bytes()).unwrap();
    let head = connection.head().unwrap();
    (connection, head)
}

/// Reads at least `len` bytes.
pub(crate) fn read(connection: &mut Connection, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let some = connection.read_some(len - bytes.len()).unwrap();
        assert!(!some.is_empty(), "the connection ended after {} of {len} bytes", bytes.len());
        bytes.extend(some);
    }
    bytes
}

/// Reads to the end of the connection; an error at its end is an end.
pub(crate) fn read_rest(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(some) = connection.read_some(1 << 20) {
        if some.is_empty() {
            break;
        }
        bytes.extend(some);
    }
    bytes
}

/// `Cache-Status` of an answer.
pub(crate) fn cache_status(answer: &Response) -> &str {
    answer.header("cache-status").unwrap_or("none")
}
