//! Requests that go to the origin and back without being stored.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, HeaderMap, LOCATION, VIA};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use http_body::Body as _;
use hyper::body::Incoming;
use tidegate_wire::headers as own;

use crate::cache::groups::{CACHE_GROUP_INVALIDATION, CACHE_GROUPS, Groups};
use crate::cache::object::Visibility;
use crate::cache::opening::Relay;
use crate::gate::{self, Granted};
use crate::limits;
use crate::node::Node;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::response::EdgeBody;
use crate::response::passing::Passing;
use crate::upstream::body::UpstreamBody;
use crate::upstream::{Exchange, Failure, headers};

/// A request of any method, with its body: `--forward all`. What it may have changed is forgotten (RFC 9111 section
/// 4.4), and the groups that the answer names (RFC 9875 section 3).
pub(crate) async fn whole(
    node: &Arc<Node>,
    peer: IpAddr,
    parts: &Parts,
    body: Incoming,
) -> Result<(Response<EdgeBody>, Outcome), Refusal> {
    let target = target_of(&parts.uri);
    let body = if body.is_end_stream() {
        UpstreamBody::Empty
    } else {
        UpstreamBody::Viewer(body, Arc::new(AtomicU64::new(0)))
    };
    let fields = headers::passed_on(&parts.headers, peer);
    let exchange = send(node, parts.method.clone(), target, fields, body).await?;
    if !is_safe(&parts.method) && (exchange.status.is_success() || exchange.status.is_redirection()) {
        node.cache.forget_path(target);
        for name in [LOCATION, CONTENT_LOCATION] {
            if let Some(path) =
                exchange.headers.get(name).and_then(|value| value.to_str().ok()).and_then(own_path)
            {
                node.cache.forget_path(&path);
            }
        }
        node.cache.forget_groups(&Groups::of(&exchange.headers, &CACHE_GROUP_INVALIDATION));
    }
    let response = relayed(node, &parts.method, Bytes::new(), exchange, Granted::No)?;
    Ok((response, Outcome::Method))
}

/// A GET or HEAD whose answer is not stored, with the viewer's own range and conditions.
pub(crate) async fn read(
    node: &Arc<Node>,
    peer: IpAddr,
    parts: &Parts,
    target: &str,
    granted: Granted,
) -> Result<Response<EdgeBody>, Refusal> {
    let fields = match &node.fleet {
        None => headers::passed_on(&parts.headers, peer),
        Some(fleet) => {
            let mut fields = headers::for_fleet(fleet.key.as_ref());
            let selective = parts.headers.iter().filter(|(name, _)| headers::is_selective(name));
            fields.extend(selective.map(|(name, value)| (name.clone(), value.clone())));
            fields
        }
    };
    let exchange = send(node, parts.method.clone(), target, fields, UpstreamBody::Empty).await?;
    relayed(node, &parts.method, Bytes::new(), exchange, granted)
}

/// An answer that has come already.
pub(crate) fn relay(
    node: &Arc<Node>,
    method: &Method,
    relay: Relay,
    granted: Granted,
) -> Result<Response<EdgeBody>, Refusal> {
    relayed(node, method, relay.prefix, relay.exchange, granted)
}

async fn send(
    node: &Arc<Node>,
    method: Method,
    target: &str,
    fields: HeaderMap,
    body: UpstreamBody,
) -> Result<Exchange, Refusal> {
    let cache = &node.cache;
    let lease = cache.budget.take(limits::UPSTREAM_BUFFER_BYTES, || cache.press()).await;
    let lease = lease.map_err(|_| Failure::Overloaded)?;
    let request = node.upstream.request(method, target, fields, body)?;
    let mut exchange =
        node.upstream.send(request).await.inspect_err(|failure| node.metrics.upstream_error(*failure))?;
    exchange.lease = Some(lease);
    Ok(exchange)
}

fn relayed(
    node: &Node,
    method: &Method,
    prefix: Bytes,
    mut exchange: Exchange,
    granted: Granted,
) -> Result<Response<EdgeBody>, Refusal> {
    let mut fields = std::mem::take(&mut exchange.headers);
    let status = exchange.status;
    if node.is_fleet() {
        let shows_bytes = status.is_success() || status == StatusCode::NOT_MODIFIED;
        let visibility = if shows_bytes { Visibility::of(&fields) } else { Visibility::Open };
        gate::may_see(visibility, granted)?;
        fields.remove(own::VISIBILITY);
        fields.remove(CACHE_GROUPS);
        if visibility == Visibility::Private {
            fields.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        }
    }
    fields.append(VIA, HeaderValue::from_static("1.1 tidegate"));
    let body = if *method == Method::HEAD
        || status == StatusCode::NOT_MODIFIED
        || status == StatusCode::NO_CONTENT
    {
        EdgeBody::head()
    } else {
        // The body's own length says the same, and is what is sent.
        fields.remove(CONTENT_LENGTH);
        EdgeBody::passing(Passing::new(prefix, exchange))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    Ok(response)
}

fn target_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
}

/// Methods that change nothing (RFC 9110 section 9.2.1).
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// The path with query a location names. The origin is one, so a host in it is its own name for itself.
fn own_path(location: &str) -> Option<String> {
    let uri: Uri = location.parse().ok()?;
    uri.path_and_query().map(|path| path.as_str().to_owned()).filter(|path| path.starts_with('/'))
}
