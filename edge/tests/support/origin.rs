//! An origin that holds the objects it is given, does what each is told to do, and remembers what it was asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tidegate_serve::server::{self, ServerOptions};
use tidegate_wire::fleet::{Heartbeat, HeartbeatAck, KeySet, PublicKey};
use tidegate_wire::grant::GrantSigner;
use tidegate_wire::purge::{PurgeFeed, PurgeRecord, PurgeTargets};
use tidegate_wire::range::RangeSet;
use tidegate_wire::{AssetId, headers as own};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::{CancellationToken, PollSemaphore};

use super::RUNTIME;

pub(crate) const FLEET_KEY: &str = "the fleet's secret";
const PIECE: usize = 4 << 10;

/// Lets bodies through piece by piece, 4 KiB each.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets `bytes` more through, of all bodies behind this gate together.
    pub(crate) fn let_through(&self, bytes: usize) {
        self.0.add_permits(bytes.div_ceil(PIECE));
    }

    pub(crate) fn open(&self) {
        self.0.add_permits(1 << 30);
    }
}

/// What the origin has under a path.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    /// Gives ranges.
    pub(crate) ranges: bool,
    /// Honours `If-Match` and `If-None-Match`.
    pub(crate) conditions: bool,
    /// Sends `Content-Length`; else chunks.
    pub(crate) length: bool,
    pub(crate) gate: Option<Gate>,
    /// Cuts the connection after this many bytes of a body.
    pub(crate) cut_after: Option<usize>,
}

impl Object {
    /// An unlisted object that stays fresh, with an entity tag of its own.
    pub(crate) fn new(bytes: impl Into<Bytes>, etag: &str) -> Self {
        Self::bare(bytes)
            .field("etag", &format!("\"{etag}\""))
            .field("cache-control", "public, max-age=3600")
            .field("content-type", "video/mp4")
            .field(own::VISIBILITY, "unlisted")
    }

    /// An object without any field.
    pub(crate) fn bare(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            status: 200,
            fields: Vec::new(),
            ranges: true,
            conditions: true,
            length: true,
            gate: None,
            cut_after: None,
        }
    }

    /// Sets a field, in place of one of the same name.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }
}

/// A request as the origin got it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Default)]
struct State {
    objects: Mutex<HashMap<String, Object>>,
    asked: Mutex<Vec<Asked>>,
    log: Mutex<Log>,
    news: Notify,
    keys: Mutex<Vec<PublicKey>>,
    beats: Mutex<Vec<Heartbeat>>,
    answers_are_lost: AtomicBool,
}

#[derive(Default)]
struct Log {
    records: Vec<PurgeRecord>,
    head: u64,
    oldest: u64,
}

/// The origin. Its state outlives a stop; dropping it stops it.
pub(crate) struct Origin {
    pub(crate) addr: SocketAddr,
    state: Arc<State>,
    running: Mutex<CancellationToken>,
    pub(crate) signer: GrantSigner,
}

impl Origin {
    pub(crate) fn start() -> Self {
        let pkcs8 = GrantSigner::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let signer = GrantSigner::from_pkcs8(&pkcs8).unwrap();
        let state = Arc::new(State::default());
        state.log.lock().unwrap().oldest = 1;
        state.keys.lock().unwrap().push(signer.public_key());
        let addr = tidegate_testkit::ports::free_addr();
        let origin = Self { addr, state, running: Mutex::default(), signer };
        origin.start_again();
        origin
    }

    /// Listens again after [`Origin::stop`], where it did before.
    pub(crate) fn start_again(&self) {
        let _in_runtime = RUNTIME.enter();
        let listener = tidegate_serve::listen::bind(self.addr, &Default::default()).unwrap();
        let shutdown = CancellationToken::new();
        *self.running.lock().unwrap() = shutdown.clone();
        let state = self.state.clone();
        let options = ServerOptions { drain: Duration::ZERO, ..ServerOptions::default() };
        RUNTIME.spawn(server::serve(listener, options, shutdown, move |_| {
            let state = state.clone();
            service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(answer(&state, request).await) }
            })
        }));
    }

    /// Cuts all connections and refuses new ones, as when the process dies.
    pub(crate) fn stop(&self) {
        self.running.lock().unwrap().cancel();
        tidegate_testkit::wait::eventually_true("the origin to be gone", Duration::from_secs(30), || {
            std::net::TcpStream::connect(self.addr).is_err()
        });
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn put(&self, path: &str, object: Object) {
        self.state.objects.lock().unwrap().insert(path.to_owned(), object);
    }

    pub(crate) fn remove(&self, path: &str) {
        self.state.objects.lock().unwrap().remove(path);
    }

    /// Everything asked of it for objects, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// How often it was asked for objects.
    pub(crate) fn count(&self) -> usize {
        self.state.asked.lock().unwrap().len()
    }

    /// The `Range` fields it was asked for `target` with.
    pub(crate) fn ranges_asked(&self, target: &str) -> Vec<String> {
        let asked = self.asked();
        asked
            .iter()
            .filter(|asked| asked.target == target)
            .map(|asked| asked.header("range").to_owned())
            .collect()
    }

    pub(crate) fn forget_asked(&self) {
        self.state.asked.lock().unwrap().clear();
    }

    /// Writes a purge of an asset into the log.
    pub(crate) fn purge_asset(&self, asset: AssetId) -> u64 {
        self.purge(PurgeTargets { assets: vec![asset], ..PurgeTargets::default() })
    }

    pub(crate) fn purge(&self, targets: PurgeTargets) -> u64 {
        let mut log = self.state.log.lock().unwrap();
        log.head += 1;
        let seq = log.head;
        log.records.push(PurgeRecord { seq, targets });
        self.state.news.notify_waiters();
        seq
    }

    /// Throws away the records below the head, as an origin does with old ones.
    pub(crate) fn trim_log(&self) {
        let mut log = self.state.log.lock().unwrap();
        log.records.clear();
        log.oldest = log.head + 1;
    }

    pub(crate) fn set_keys(&self, keys: Vec<PublicKey>) {
        *self.state.keys.lock().unwrap() = keys;
    }

    pub(crate) fn beats(&self) -> Vec<Heartbeat> {
        self.state.beats.lock().unwrap().clone()
    }

    /// Whether edges are not told that their reports were counted.
    pub(crate) fn lose_answers(&self, lost: bool) {
        self.state.answers_are_lost.store(lost, Ordering::Relaxed);
    }

    /// A path that opens `asset` until `expires_at`.
    pub(crate) fn granted(&self, asset: AssetId, expires_at: u32) -> String {
        let grant = self.signer.sign(&asset.media_prefix(), expires_at);
        tidegate_wire::grant::granted_path(&grant, &asset.source_path())
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.running.lock().unwrap().cancel();
    }
}

async fn answer(state: &State, request: Request<Incoming>) -> Response<OriginBody> {
    let target = request.uri().path_and_query().unwrap().as_str().to_owned();
    if target.starts_with("/internal/") {
        return internal(state, request).await;
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked = Asked { method: parts.method, target: target.clone(), headers: parts.headers, body };
    state.asked.lock().unwrap().push(asked.clone());
    let object = state.objects.lock().unwrap().get(&target).cloned();
    match object {
        Some(object) => object.answer(&asked),
        None => status(StatusCode::NOT_FOUND, "no-store"),
    }
}

async fn internal(state: &State, request: Request<Incoming>) -> Response<OriginBody> {
    if request.headers().get(own::FLEET_KEY).is_none_or(|key| key != FLEET_KEY) {
        return status(StatusCode::FORBIDDEN, "no-store");
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    match request.uri().path() {
        "/internal/keys" => json(&KeySet { keys: state.keys.lock().unwrap().clone() }),
        "/internal/purges" => json(&purges(state, &query).await),
        "/internal/heartbeat" => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let beat: Heartbeat = serde_json::from_slice(&body).unwrap();
            let counts = !state.answers_are_lost.load(Ordering::Relaxed);
            let counted = beat.report.as_ref().filter(|_| counts).map(|report| report.seq);
            state.beats.lock().unwrap().push(beat);
            json(&HeartbeatAck { purge_head: state.log.lock().unwrap().head, counted })
        }
        _ => status(StatusCode::NOT_FOUND, "no-store"),
    }
}

async fn purges(state: &State, query: &str) -> PurgeFeed {
    let number = |name: &str| {
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok())
    };
    let feed = |after: u64| {
        let log = state.log.lock().unwrap();
        let records = log.records.iter().filter(|record| record.seq > after).take(2).cloned().collect();
        PurgeFeed { records, head: log.head, oldest: log.oldest }
    };
    let Some(after) = number("after") else { return PurgeFeed { records: Vec::new(), ..feed(u64::MAX) } };
    let news = state.news.notified();
    tokio::pin!(news);
    news.as_mut().enable();
    let now = feed(after);
    if now.head > after {
        return now;
    }
    let wait = Duration::from_secs(number("wait").unwrap_or(0));
    let _ = tokio::time::timeout(wait, news).await;
    feed(after)
}

impl Object {
    fn answer(&self, asked: &Asked) -> Response<OriginBody> {
        let field =
            |name: &str| self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let etag = field("etag").unwrap_or_default();
        if self.conditions && !etag.is_empty() {
            if asked.headers.contains_key("if-match") && asked.header("if-match") != etag {
                return status(StatusCode::PRECONDITION_FAILED, "no-store");
            }
            if asked.header("if-none-match") == etag {
                return self.response(StatusCode::NOT_MODIFIED, Bytes::new());
            }
        }
        let size = self.bytes.len() as u64;
        let range = asked.header("range");
        let head = asked.method == Method::HEAD;
        if !self.ranges || range.is_empty() || self.status != 200 || head {
            let body = self.bytes.clone();
            let mut response = self.response(StatusCode::from_u16(self.status).unwrap(), body);
            if self.ranges {
                response.headers_mut().insert("accept-ranges", "bytes".parse().unwrap());
            }
            if head {
                response.headers_mut().insert("content-length", size.into());
                *response.body_mut() = OriginBody::of(Bytes::new());
            }
            return response;
        }
        let resolved = RangeSet::parse(range, 1).unwrap().unwrap().resolve(size);
        let Ok([range]) = resolved.as_deref() else {
            let mut response = status(StatusCode::RANGE_NOT_SATISFIABLE, "no-store");
            response.headers_mut().insert("content-range", format!("bytes */{size}").parse().unwrap());
            return response;
        };
        let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        let mut response = self.response(StatusCode::PARTIAL_CONTENT, self.bytes.slice(start..end));
        response.headers_mut().insert("content-range", range.content_range(size).parse().unwrap());
        response
    }

    fn response(&self, status: StatusCode, bytes: Bytes) -> Response<OriginBody> {
        let body = OriginBody {
            left: bytes,
            sent: 0,
            length: self.length,
            gate: self.gate.as_ref().map(|gate| PollSemaphore::new(gate.0.clone())),
            cut_after: self.cut_after,
            flushed: false,
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        for (name, value) in &self.fields {
            response.headers_mut().append(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        response
    }
}

fn json(value: &impl serde::Serialize) -> Response<OriginBody> {
    Response::new(OriginBody::of(serde_json::to_vec(value).unwrap().into()))
}

fn status(status: StatusCode, cache_control: &str) -> Response<OriginBody> {
    let mut response = Response::new(OriginBody::of(Bytes::from_static(b"no")));
    *response.status_mut() = status;
    response.headers_mut().insert("cache-control", cache_control.parse().unwrap());
    response
}

struct OriginBody {
    left: Bytes,
    sent: usize,
    length: bool,
    gate: Option<PollSemaphore>,
    cut_after: Option<usize>,
    flushed: bool,
}

impl OriginBody {
    fn of(left: Bytes) -> Self {
        Self { left, sent: 0, length: true, gate: None, cut_after: None, flushed: false }
    }
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.cut_after.is_some_and(|limit| this.sent >= limit) {
            // What was sent before is to reach the other side: hyper flushes when there is nothing to do.
            if !std::mem::replace(&mut this.flushed, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())));
        }
        if this.left.is_empty() {
            return Poll::Ready(None);
        }
        let mut piece = this.left.len();
        if let Some(gate) = &mut this.gate {
            match std::task::ready!(gate.poll_acquire(cx)) {
                Some(permit) => permit.forget(),
                None => return Poll::Ready(None),
            }
            piece = piece.min(PIECE);
        }
        if let Some(limit) = this.cut_after {
            piece = piece.min(limit - this.sent);
        }
        this.sent += piece;
        Poll::Ready(Some(Ok(Frame::data(this.left.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.length { SizeHint::with_exact(self.left.len() as u64) } else { SizeHint::default() }
    }
}
