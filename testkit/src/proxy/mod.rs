//! A TCP proxy on loopback that breaks what goes through it.
//!
//! It cuts, resets, stalls, throttles and delays each direction by a seeded [`Plan`], counts what passed, and can be
//! switched at run time: everything frozen ([`FaultProxy::freeze`]), everything refused ([`FaultProxy::blackout`]),
//! and back ([`FaultProxy::heal`]). It runs on a thread of its own, so a test that blocks does not hold it up.

mod plan;
mod pump;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use plan::{Fault, Faults, Plan};

use crate::limits;
use plan::Fuse;
use pump::End;

/// What the proxy does with traffic as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    Freeze,
    Refuse,
}

/// What has passed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Bytes given to the server's sockets.
    pub to_server: u64,
    /// Bytes given to clients' sockets.
    pub to_client: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections ended by a fault of the plan (stalls not counted).
    pub cuts: u64,
}

/// A running proxy. Dropping it ends it and every connection through it.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    ending: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    plan: Plan,
    to_server: Direction,
    to_client: Direction,
    connections: AtomicU64,
    cuts: AtomicU64,
    mode: watch::Sender<Mode>,
    cut_now: broadcast::Sender<()>,
    /// What clients sent, by connection, when it is recorded.
    recorded: Mutex<Vec<Vec<u8>>>,
}

/// One direction, over all connections.
#[derive(Debug)]
struct Direction {
    fuse: Mutex<Fuse>,
    rate: Option<u64>,
    delay: Duration,
    /// When the wire is free again at the set rate.
    free_at: Mutex<Option<Instant>>,
    passed: AtomicU64,
}

impl Direction {
    fn new(seed: u64, faults: &Faults) -> Self {
        Self {
            fuse: Mutex::new(Fuse::new(seed, faults)),
            rate: faults.rate,
            delay: faults.delay,
            free_at: Mutex::new(None),
            passed: AtomicU64::new(0),
        }
    }

    fn burn(&self, bytes: usize) -> (usize, Option<Fault>) {
        self.fuse.lock().unwrap_or_else(PoisonError::into_inner).burn(bytes)
    }

    /// When `bytes` more are through, at the set rate.
    fn pace(&self, bytes: usize) -> Option<Instant> {
        let rate = self.rate?;
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = free_at.map_or_else(Instant::now, |at| at.max(Instant::now()));
        let end = begin + Duration::from_micros(bytes as u64 * 1_000_000 / rate.max(1));
        *free_at = Some(end);
        Some(end)
    }
}

impl FaultProxy {
    /// A proxy to `target` on a free port.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(target: SocketAddr, plan: Plan) -> Self {
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            to_server: Direction::new(plan.seed, &plan.to_server),
            to_client: Direction::new(!plan.seed, &plan.to_client),
            plan,
            connections: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            mode: watch::Sender::new(Mode::Forward),
            cut_now: broadcast::Sender::new(16),
            recorded: Mutex::new(Vec::new()),
        });
        let ending = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(async { shared.listen() }).expect("a port for the proxy");
        let addr = listener.local_addr().expect("the proxy's address");
        let thread = std::thread::spawn({
            let (shared, ending) = (Arc::clone(&shared), ending.clone());
            move || {
                runtime.block_on(ending.run_until_cancelled(accept(listener, shared)));
            }
        });
        Self { addr, shared, ending, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What has passed so far.
    pub fn counts(&self) -> Counts {
        let shared = &self.shared;
        Counts {
            to_server: shared.to_server.passed.load(Ordering::SeqCst),
            to_client: shared.to_client.passed.load(Ordering::SeqCst),
            connections: shared.connections.load(Ordering::SeqCst),
            cuts: shared.cuts.load(Ordering::SeqCst),
        }
    }

    /// The most bytes of client to server that one cut can lose, as far as it is the proxy's doing: its receive
    /// buffer, what it holds itself, and with [`Fault::Reset`] its send buffer. `None` where the buffers were left
    /// to the system.
    pub fn most_held_to_server(&self) -> Option<u64> {
        // Linux doubles what is set, to have room for its own records.
        let buffer = u64::from(self.shared.plan.socket_buffer?) * 2;
        let sending = match self.shared.plan.to_server.every {
            Some((_, Fault::Reset)) => buffer,
            _ => 0,
        };
        let chunks = pump::queue_of(self.shared.to_server.delay) + 2;
        Some(buffer + sending + (chunks * limits::PROXY_CHUNK) as u64)
    }

    /// What each connection's client sent, in the order in which they came; empty unless the plan says to record.
    pub fn recorded(&self) -> Vec<Vec<u8>> {
        self.shared.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections from now on go to another server; those that are open stay.
    pub fn retarget(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Ends every open connection, in the way of [`Fault::Close`].
    pub fn cut_now(&self) {
        let _ = self.shared.cut_now.send(());
    }

    /// Nothing moves any more and nothing ends: what a client sees when a router on the way dies.
    pub fn freeze(&self) {
        self.shared.mode.send_replace(Mode::Freeze);
    }

    /// Open connections are reset and new ones as soon as they are accepted.
    pub fn blackout(&self) {
        self.shared.mode.send_replace(Mode::Refuse);
    }

    /// Ends [`Self::freeze`] and [`Self::blackout`].
    pub fn heal(&self) {
        self.shared.mode.send_replace(Mode::Forward);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.ending.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// A place for what a new connection's client sends.
    fn new_record(&self) -> Option<usize> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        self.plan.record.then(|| {
            recorded.push(Vec::new());
            recorded.len() - 1
        })
    }

    fn record(&self, place: usize, bytes: &[u8]) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded[place].extend_from_slice(bytes);
    }

    fn socket(&self) -> std::io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = self.plan.socket_buffer {
            // Before listen and connect: the window is agreed on with the handshake.
            socket.set_recv_buffer_size(bytes)?;
            socket.set_send_buffer_size(bytes)?;
        }
        Ok(socket)
    }

    fn listen(&self) -> std::io::Result<TcpListener> {
        let socket = self.socket()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        socket.listen(1024)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(connection(client, Arc::clone(&shared)));
    }
}

async fn connection(client: TcpStream, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    let mut cut_now = shared.cut_now.subscribe();
    if mode.wait_for(|mode| *mode != Mode::Freeze).await.is_ok_and(|mode| *mode == Mode::Refuse) {
        let _ = client.set_zero_linger();
        return;
    }
    let target = *shared.target.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(socket) = shared.socket() else { return };
    let Ok(server) = socket.connect(target).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let end = tokio::select! {
        end = pump::both(&client, &server, &shared) => end,
        _ = mode.wait_for(|mode| *mode == Mode::Refuse) => End::Reset,
        _ = cut_now.recv() => End::Closed,
    };
    if end == End::Reset {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}
