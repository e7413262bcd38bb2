//! Talking to the origin: one pooled client, a bounded number of requests at once, every wait bounded.

pub(crate) mod body;
pub(crate) mod failure;
pub(crate) mod headers;

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::HeaderMap;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prometheus::IntCounter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use self::body::UpstreamBody;
pub(crate) use self::failure::Failure;
use crate::cache::memory::Lease;
use crate::limits;

/// What the origin is asked for on behalf of viewers, without method, range or condition: the same for all that share
/// a stored answer.
#[derive(Debug)]
pub(crate) struct Ask {
    /// Path and query.
    pub(crate) target: Box<str>,
    /// End-to-end fields.
    pub(crate) headers: HeaderMap,
}

/// The origin.
pub(crate) struct Upstream {
    client: Client<HttpConnector, UpstreamBody>,
    authority: Authority,
    turns: Arc<Semaphore>,
    received: IntCounter,
}

/// An answer whose body is still to be read, without the fields that end at this hop. Dropping it early closes its connection.
pub(crate) struct Exchange {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    received: IntCounter,
    /// The turn at the origin, ended with the body.
    _turn: Option<OwnedSemaphorePermit>,
    /// Memory for what is read ahead; ended with the body.
    pub(crate) lease: Option<Lease>,
}

impl Upstream {
    /// A client of `authority` with at most `requests` requests at once. `received` counts bytes of bodies.
    pub(crate) fn new(authority: Authority, requests: usize, received: IntCounter) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limits::CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(limits::POOL_IDLE)
            .pool_max_idle_per_host(requests)
            .http1_max_buf_size(usize::try_from(limits::UPSTREAM_BUFFER_BYTES).unwrap_or(usize::MAX))
            .build(connector);
        Self { client, authority, turns: Arc::new(Semaphore::new(requests)), received }
    }

    /// A request to the origin; `target` is a path with query, whatever host the viewer named.
    ///
    /// # Errors
    /// [`Failure::Invalid`] when `target` is no path.
    pub(crate) fn request(
        &self,
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: UpstreamBody,
    ) -> Result<Request<UpstreamBody>, Failure> {
        let target = target.parse::<PathAndQuery>().map_err(|_| Failure::Invalid("not a path"))?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Failure::Invalid("not a path"))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Sends `request` when its turn comes and waits for the head of the answer.
    ///
    /// # Errors
    /// [`Failure::Overloaded`], [`Failure::Unreachable`], [`Failure::Timeout`]. A cancelled call closes its connection.
    pub(crate) async fn send(&self, request: Request<UpstreamBody>) -> Result<Exchange, Failure> {
        let turn = timeout(limits::UPSTREAM_QUEUE_WAIT, self.turns.clone().acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(Failure::Overloaded)?;
        let mut exchange = self.send_now(request).await?;
        exchange._turn = Some(turn);
        Ok(exchange)
    }

    /// As [`Upstream::send`], without waiting for a turn: for the fleet's own calls, which viewers must not hold up.
    pub(crate) async fn send_now(&self, request: Request<UpstreamBody>) -> Result<Exchange, Failure> {
        let progress = request.body().progress();
        let answer = self.client.request(request);
        tokio::pin!(answer);
        let mut seen = 0;
        let response = loop {
            match timeout(limits::FIRST_BYTE_TIMEOUT, &mut answer).await {
                Ok(Ok(response)) => break response,
                Ok(Err(error)) => {
                    tracing::debug!(
                        error = error.source().map(tracing::field::display),
                        "upstream.request_failed"
                    );
                    return Err(Failure::Unreachable);
                }
                // A long upload is no silence: the answer is waited for while the body moves.
                Err(_) => match progress.as_ref().map(|progress| progress.load(Ordering::Relaxed)) {
                    Some(now) if now > seen => seen = now,
                    _ => return Err(Failure::Timeout),
                },
            }
        };
        let (mut parts, body) = response.into_parts();
        headers::strip_hop_by_hop(&mut parts.headers);
        Ok(Exchange {
            status: parts.status,
            headers: parts.headers,
            body,
            received: self.received.clone(),
            _turn: None,
            lease: None,
        })
    }

    /// Requests under way.
    pub(crate) fn turns_free(&self) -> usize {
        self.turns.available_permits()
    }
}

impl Exchange {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] when it breaks off, [`Failure::Timeout`] when nothing comes for too long.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match timeout(limits::IDLE_TIMEOUT, self.body.frame()).await {
                Err(_) => return Err(Failure::Timeout),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => return Err(Failure::Unreachable),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.received.inc_by(data.len() as u64);
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The body itself, for one who passes it on frame by frame, and what lasts as long as it.
    pub(crate) fn into_body(self) -> (Incoming, ExchangeGuard) {
        (self.body, ExchangeGuard { received: self.received, _turn: self._turn, _lease: self.lease })
    }

    /// The value of `Content-Length`, if there is one and it is a number.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }
}

/// What lasts as long as a body that is passed on.
pub(crate) struct ExchangeGuard {
    pub(crate) received: IntCounter,
    _turn: Option<OwnedSemaphorePermit>,
    _lease: Option<Lease>,
}

impl Ask {
    /// What is asked of a general origin for a viewer at `peer`.
    pub(crate) fn general(target: &str, viewer: &HeaderMap, peer: IpAddr) -> Self {
        Self { target: target.into(), headers: headers::for_object(viewer, peer) }
    }

    /// What is asked inside the fleet.
    pub(crate) fn fleet(target: &str, key: Option<&HeaderValue>) -> Self {
        Self { target: target.into(), headers: headers::for_fleet(key) }
    }

    /// Whether the request is authorised, which restricts what may be stored.
    pub(crate) fn is_authorized(&self) -> bool {
        self.headers.contains_key(http::header::AUTHORIZATION)
    }
}
