//! A viewer's request, from its head to the head of its answer.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HeaderMap};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tidegate_wire::{Code, grant};
use tokio::time::Instant;

use crate::cache::lookup::{self, Found};
use crate::cache::opening::First;
use crate::gate::route::{Route, route};
use crate::gate::{self, Granted};
use crate::node::Node;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::response::{EdgeBody, Rendered, Rendering, cors};
use crate::tally::Tally;
use crate::upstream::{Ask, Failure};
use crate::{ahead, limits, pass};
use tidegate_serve::select;

/// Answers a request. Never fails: what goes wrong is an answer too. One that came with two ideas of its own length
/// (`ambiguous`) is not looked at.
pub(crate) async fn serve(
    node: &Arc<Node>,
    peer: IpAddr,
    request: Request<Incoming>,
    ambiguous: bool,
) -> Response<EdgeBody> {
    let begun = Instant::now();
    let log = AccessLog::begin(&request);
    let asset = if node.is_fleet() { Tally::name(request.method(), request.uri()) } else { None };
    let answer = async {
        if ambiguous { Err(Code::AmbiguousLength.into()) } else { answer(node, peer, request, begun).await }
    };
    let (mut response, outcome) = match answer.await {
        Ok(answer) => answer,
        Err(refusal) => {
            let outcome = refusal.outcome;
            (refusal.into_response(), outcome)
        }
    };
    let headers = response.headers_mut();
    if outcome != Outcome::Hit {
        // A hit's fields say so already.
        outcome.show(headers);
    }
    if node.is_fleet() && !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        cors::open(headers);
    }
    node.metrics.request(outcome);
    let traffic = asset.and_then(|asset| node.tally.count(asset, response.status(), outcome));
    response.body_mut().meter(&node.metrics, traffic, begun);
    if let Some(log) = log {
        log.end(&response, outcome, begun);
    }
    response
}

type Answer = (Response<EdgeBody>, Outcome);

/// The way of a request: gate, cache, origin, response.
async fn answer(
    node: &Arc<Node>,
    peer: IpAddr,
    request: Request<Incoming>,
    begun: Instant,
) -> Result<Answer, Refusal> {
    let (parts, body) = request.into_parts();
    gate::admit(node, peer, &parts.headers)?;
    match route(&parts.method, &parts.uri, node.forward)? {
        Route::Health => Ok((health(), Outcome::Local)),
        Route::Preflight => Ok((cors::preflight(), Outcome::Local)),
        Route::Pass => Box::pin(pass::whole(node, peer, &parts, body)).await,
        Route::Object { target, grant } => {
            let mut granted = Granted::No;
            if let Some(fleet) = &node.fleet {
                granted = gate::grant(fleet, grant, target, node.clock.unix_s()).await?;
                if !fleet.gate.is_open(begun) {
                    fleet.gate.pass().await;
                }
            }
            let view = View { node, peer, parts: &parts, target, granted };
            view.answer().await
        }
    }
}

/// A request for an object.
struct View<'a> {
    node: &'a Arc<Node>,
    peer: IpAddr,
    parts: &'a Parts,
    target: &'a str,
    granted: Granted,
}

impl View<'_> {
    async fn answer(&self) -> Result<Answer, Refusal> {
        let now_s = self.node.clock.unix_s();
        if let Some((object, outcome)) = lookup::at_hand(self.node, self.target, now_s) {
            gate::may_see(object.visibility, self.granted)?;
            if outcome == Outcome::StaleWhileAsking {
                ahead::ask_again(self.node, &object, || self.ask());
            }
            self.prefetch(&object);
            let rendering = self.rendering(object, outcome, now_s);
            if let Rendered::Response(response, outcome) = rendering.render(|| self.ask()).await? {
                return Ok((response, outcome));
            }
        }
        // Boxed: an idle connection should not carry room for it.
        Box::pin(self.look_up()).await
    }

    /// What is not known and fresh: asks the origin, and starts over if the object changes before anything is sent.
    async fn look_up(&self) -> Result<Answer, Refusal> {
        let first = self.first()?;
        let ask = self.ask();
        let mut last = Failure::Changed;
        for _ in 0..limits::RESTARTS {
            let (object, outcome, joined) = match lookup::find(self.node, &ask, first).await? {
                Found::Object(object, outcome, joined) => (object, outcome, joined),
                Found::Pass(outcome, Some(relay)) => {
                    let response = pass::relay(self.node, &self.parts.method, *relay, self.granted)?;
                    return Ok((response, outcome));
                }
                Found::Pass(outcome, None) => {
                    let response =
                        pass::read(self.node, self.peer, self.parts, self.target, self.granted).await?;
                    return Ok((response, outcome));
                }
            };
            gate::may_see(object.visibility, self.granted)?;
            self.prefetch(&object);
            let rendering = self.rendering(object, outcome, self.node.clock.unix_s());
            let rendered = rendering.render(|| ask.clone()).await;
            // The response has joined the fill by now.
            drop(joined);
            match rendered? {
                Rendered::Response(response, outcome) => return Ok((response, outcome)),
                Rendered::StartOver(failure) => last = failure,
            }
        }
        Err(last.into())
    }

    /// A viewer who reads this will want the next one.
    fn prefetch(&self, object: &Arc<crate::cache::object::Object>) {
        if self.parts.method == Method::GET {
            ahead::fetch_next(self.node, object);
        }
    }

    fn rendering(
        &self,
        object: Arc<crate::cache::object::Object>,
        outcome: Outcome,
        now_s: u64,
    ) -> Rendering<'_> {
        let (method, headers) = (&self.parts.method, &self.parts.headers);
        Rendering { node: self.node, object, method, headers, outcome, now_s }
    }

    fn ask(&self) -> Arc<Ask> {
        Arc::new(match &self.node.fleet {
            Some(fleet) => Ask::fleet(self.target, fleet.key.as_ref()),
            None => Ask::general(self.target, &self.parts.headers, self.peer),
        })
    }

    /// How to begin with an object that is not known: with the slice that is needed first.
    fn first(&self) -> Result<First, Refusal> {
        if self.parts.method == Method::HEAD {
            return Ok(First::Head { then_get: false });
        }
        let set = select::check_range(&self.parts.method, &self.parts.headers)?;
        Ok(match set.as_ref().map(select::first_byte) {
            None => First::Slice(0),
            Some(Some(byte)) => First::Slice(byte / self.node.cache.slice_bytes),
            Some(None) => First::Head { then_get: true },
        })
    }
}

fn health() -> Response<EdgeBody> {
    let mut response = Response::new(EdgeBody::own(Full::from("ok\n")));
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// One line for a request, at debug, made only when someone reads it. A grant is never in it.
struct AccessLog {
    method: Method,
    path: String,
}

impl AccessLog {
    fn begin(request: &Request<Incoming>) -> Option<Self> {
        tracing::enabled!(tracing::Level::DEBUG).then(|| {
            let path = request.uri().path();
            let path = grant::split_path(path).map_or(path, |(_, rest)| rest);
            Self { method: request.method().clone(), path: path.to_owned() }
        })
    }

    fn end(self, response: &Response<EdgeBody>, outcome: Outcome, begun: Instant) {
        tracing::debug!(
            http.method = %self.method,
            http.path = %self.path,
            http.status = response.status().as_u16(),
            cache.outcome = outcome.label(),
            cache.detail = outcome.detail(),
            head_us = begun.elapsed().as_micros(),
            "request.answered"
        );
    }
}
