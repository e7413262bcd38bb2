//! Serving connections: HTTP/1.1 and HTTP/2 with prior knowledge on one port, every wait bounded, and a drain that
//! lets requests in flight end in order.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::stream::{Framing, Stream};

/// What a service may know about the connection its requests come on.
#[derive(Debug, Clone)]
pub struct ConnInfo {
    /// The other end.
    pub peer: SocketAddr,
    /// What was seen of the request that is being answered.
    pub framing: Framing,
    /// Cancelled when the server has been asked to stop: long requests checkpoint and end.
    pub closing: CancellationToken,
}

/// Limits of serving; the defaults are those of [`limits`].
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// A connection that has sent nothing after this long is closed.
    pub first_byte_timeout: Duration,
    /// A request head must be complete, and an idle connection must send one, within this.
    pub head_timeout: Duration,
    /// What is read ahead on an HTTP/1.1 connection.
    pub read_buffer_bytes: usize,
    /// Connections served at once.
    pub max_connections: usize,
    /// Sum of the large HTTP/2 connection windows.
    pub http2_window_budget: usize,
    /// How long requests in flight may take once a stop was asked for.
    pub drain: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            first_byte_timeout: limits::FIRST_BYTE_TIMEOUT,
            head_timeout: limits::HEAD_TIMEOUT,
            read_buffer_bytes: limits::READ_BUFFER_BYTES,
            max_connections: limits::MAX_CONNECTIONS,
            http2_window_budget: limits::HTTP2_WINDOW_BUDGET,
            drain: limits::DRAIN,
        }
    }
}

/// Serves `listener` until `shutdown` is cancelled, then drains: no new connection is accepted, idle ones are
/// closed, requests in flight get `options.drain` to end, and what is left then is cut.
///
/// `make` is called once a connection. A call that is dropped cuts every connection.
pub async fn serve<S, B>(
    listener: TcpListener,
    options: ServerOptions,
    shutdown: CancellationToken,
    make: impl Fn(ConnInfo) -> S,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let permits = Arc::new(Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS)));
    let windows = Arc::new(Semaphore::new(options.http2_window_budget.min(Semaphore::MAX_PERMITS)));
    let options = Arc::new(options);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let framing = Framing::default();
        let service = make(ConnInfo { peer, framing: framing.clone(), closing: shutdown.clone() });
        let connection = Connection {
            stream,
            framing,
            options: options.clone(),
            windows: windows.clone(),
            shutdown: shutdown.clone(),
        };
        connections.spawn(async move {
            connection.run(service).await;
            drop(permit);
        });
        // Those that have ended meanwhile are let go of.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let drained = timeout(options.drain, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = connections.len(), "drain.limit_reached");
        connections.shutdown().await;
    }
}

/// The next connection, once there is room for it. `None` when accepting failed.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Only a socket that is gone already refuses this.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "accept.failed");
            sleep(limits::ACCEPT_RETRY).await;
            None
        }
    }
}

struct Connection {
    stream: TcpStream,
    framing: Framing,
    options: Arc<ServerOptions>,
    windows: Arc<Semaphore>,
    shutdown: CancellationToken,
}

/// Drives a connection to its end, asking it to finish what runs when the server stops.
macro_rules! drive {
    ($connection:expr, $shutdown:expr) => {{
        let connection = $connection;
        tokio::pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = $shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection.ended");
        }
    }};
}

impl Connection {
    async fn run<S, B>(self, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let version = tokio::select! {
            version = self.version() => version,
            () = self.shutdown.cancelled() => None,
        };
        match version {
            Some(Version::Http1) => {
                drive!(
                    self.http1()
                        .serve_connection(TokioIo::new(Stream::new(self.stream, self.framing)), service),
                    self.shutdown
                );
            }
            Some(Version::Http2) => {
                let bytes = limits::HTTP2_CONNECTION_WINDOW;
                let large = self.windows.clone().try_acquire_many_owned(bytes);
                let builder = self.http2(large.is_ok());
                drive!(builder.serve_connection(TokioIo::new(self.stream), service), self.shutdown);
            }
            None => {}
        }
    }

    /// Which protocol the client speaks, from the first bytes, left unread; `None` if it sends none in time.
    async fn version(&self) -> Option<Version> {
        let deadline = Instant::now() + self.options.first_byte_timeout;
        loop {
            let mut head = [0; 3];
            let seen = timeout_at(deadline, self.stream.peek(&mut head)).await.ok()?.ok()?;
            match &head[..seen] {
                b"" => return None,
                b"PRI" => return Some(Version::Http2),
                b"P" | b"PR" => sleep(limits::VERSION_POLL).await,
                _ => return Some(Version::Http1),
            }
            if Instant::now() >= deadline {
                return None;
            }
        }
    }

    fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.options.head_timeout)
            .max_buf_size(self.options.read_buffer_bytes)
            .max_header_size(limits::MAX_HEADER_BYTES);
        builder
    }

    fn http2(&self, large: bool) -> http2::Builder<TokioExecutor> {
        let (stream, connection) = if large {
            (limits::HTTP2_STREAM_WINDOW, limits::HTTP2_CONNECTION_WINDOW)
        } else {
            (limits::HTTP2_SMALL_WINDOW, limits::HTTP2_SMALL_WINDOW)
        };
        let header_bytes = u32::try_from(limits::MAX_HEADER_BYTES).unwrap_or(u32::MAX);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(stream)
            .initial_connection_window_size(connection)
            .max_concurrent_streams(limits::HTTP2_MAX_STREAMS)
            .max_header_list_size(header_bytes)
            .keep_alive_interval(limits::HTTP2_PING)
            .keep_alive_timeout(limits::HTTP2_PING);
        builder
    }
}

enum Version {
    Http1,
    Http2,
}
