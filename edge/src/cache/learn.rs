//! Getting to know an object: the request to the origin, to learn it or to ask whether a stale one still holds, and
//! what becomes of its answer.

mod answer;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, EXPIRES, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE};
use http::{HeaderValue, Method, Request, StatusCode};
use tidegate_wire::slice::slice_range;
use tokio::sync::oneshot;

use super::fill::Fill;
use super::freshness::{self, Freshness, Times};
use super::key::{self, Key};
use super::memory::Lease;
use super::object::{Facts, Object, Validator};
use super::opening::{First, Opening, Relay, Verdict};
use super::{Entry, NoStoreReason};
use crate::limits;
use crate::node::Node;
use crate::outcome::Outcome;
use crate::upstream::body::UpstreamBody;
use crate::upstream::{Ask, Exchange, Failure};

/// Everything one opening works with.
pub(crate) struct Job {
    pub(crate) node: Arc<Node>,
    pub(crate) key: Key,
    pub(crate) ask: Arc<Ask>,
    pub(crate) first: First,
    /// The stale object it is about.
    pub(crate) prior: Option<Arc<Object>>,
    pub(crate) opening: Arc<Opening>,
}

/// What was learned, before it is told.
struct Learned {
    verdict: Verdict,
    relay: Option<Relay>,
    fill: Option<Fill>,
}

impl Learned {
    fn only(verdict: Verdict) -> Self {
        Self { verdict, relay: None, fill: None }
    }

    fn object(object: Arc<Object>, outcome: Outcome) -> Self {
        Self::only(Verdict::Object { object, outcome, _first_fill: None })
    }
}

impl Job {
    /// Runs the opening to its end, the fill of what came with the answer included.
    pub(crate) async fn run(self, relay: oneshot::Sender<Relay>) {
        let learned = tokio::select! {
            learned = self.learn() => learned,
            () = self.node.stopping.cancelled() => Learned::only(Verdict::Failed(Failure::Stopping)),
        };
        if let Some(answer) = learned.relay {
            // A viewer who has gone does not want it any more.
            let _ = relay.send(answer);
        }
        self.node.cache.openings.close(&self.key, &self.opening);
        self.opening.tell(learned.verdict);
        drop(self.opening);
        if let Some(fill) = learned.fill {
            fill.run().await;
        }
    }

    async fn learn(&self) -> Learned {
        let mut first = self.first;
        for _ in 0..limits::RESTARTS {
            let (exchange, lease, times) = match self.ask(first).await {
                Ok(answer) => answer,
                Err(failure) => return self.failed(failure),
            };
            match (exchange.status, first) {
                (StatusCode::RANGE_NOT_SATISFIABLE, First::Slice(index)) => {
                    first = if index > 0 { First::Slice(0) } else { First::Whole };
                }
                (status, _) if status.is_server_error() && self.stale().is_some() => {
                    return self.failed(Failure::Status(status));
                }
                (StatusCode::NOT_MODIFIED, _) if self.prior.is_some() => {
                    return self.refresh(&exchange, times);
                }
                (_, First::Head { then_get }) => match self.learn_from_head(&exchange, times) {
                    Ok(learned) => return learned,
                    Err(_) if then_get => first = First::Slice(0),
                    Err(reason) => return self.pass(reason, Bytes::new(), exchange, first),
                },
                (_, First::Slice(_) | First::Whole) => {
                    return self.learn_from_get(exchange, lease, times, first).await;
                }
            }
        }
        Learned::only(Verdict::Failed(Failure::Invalid("it refuses every range of itself")))
    }

    /// Sends the request, with memory for a slice of its answer in hand.
    async fn ask(&self, first: First) -> Result<(Exchange, Lease, Times), Failure> {
        let cache = &self.node.cache;
        let need = match first {
            First::Head { .. } => limits::UPSTREAM_BUFFER_BYTES,
            First::Slice(_) | First::Whole => cache.slice_bytes + limits::UPSTREAM_BUFFER_BYTES,
        };
        let mut lease = cache.budget.take(need, || cache.press()).await.map_err(|_| Failure::Overloaded)?;
        let asked_s = self.node.clock.unix_s();
        let mut exchange = match self.node.upstream.send(self.request(first)?).await {
            // Nothing was sent to a viewer, and a GET may be sent twice.
            Err(failure) if failure.is_transient() => {
                self.node.metrics.upstream_error(failure);
                self.node.pause_before_retry().await;
                self.node.upstream.send(self.request(first)?).await?
            }
            other => other?,
        };
        exchange.lease = lease.split(limits::UPSTREAM_BUFFER_BYTES);
        Ok((exchange, lease, Times { asked_s, received_s: self.node.clock.unix_s() }))
    }

    fn request(&self, first: First) -> Result<Request<UpstreamBody>, Failure> {
        let mut headers = self.ask.headers.clone();
        if let Some(prior) = &self.prior {
            // Precedes the range at the origin: 304 if it still holds, else the slice of the new one (RFC 9110
            // section 13.2.2).
            match (&prior.etag, &prior.last_modified) {
                (Some(etag), _) => drop(headers.insert(IF_NONE_MATCH, etag.clone())),
                (None, Some(date)) => drop(headers.insert(IF_MODIFIED_SINCE, date.clone())),
                (None, None) => {}
            }
        }
        if let First::Slice(index) = first {
            let range = slice_range(index, self.node.cache.slice_bytes, u64::MAX);
            let value = HeaderValue::from_maybe_shared(range.request_value());
            headers.insert(RANGE, value.map_err(|_| Failure::Invalid("not a range"))?);
        }
        let method = if matches!(first, First::Head { .. }) { Method::HEAD } else { Method::GET };
        self.node.upstream.request(method, &self.ask.target, headers, UpstreamBody::Empty)
    }

    /// The stale object, if it may stand in for an origin that is away (invariant 10).
    fn stale(&self) -> Option<&Arc<Object>> {
        self.prior.as_ref().filter(|prior| prior.freshness.is_usable_stale(self.node.clock.unix_s()))
    }

    fn failed(&self, failure: Failure) -> Learned {
        self.node.metrics.upstream_error(failure);
        match self.stale() {
            Some(prior) if failure.is_outage() => Learned::object(prior.clone(), Outcome::StaleOnError),
            _ => Learned::only(Verdict::Failed(failure)),
        }
    }

    /// A 304: the stale object holds.
    fn refresh(&self, exchange: &Exchange, times: Times) -> Learned {
        let Some(prior) = &self.prior else {
            return Learned::only(Verdict::Failed(Failure::Invalid("a 304 nobody asked for")));
        };
        let says = exchange.headers.contains_key(CACHE_CONTROL) || exchange.headers.contains_key(EXPIRES);
        let same = Freshness { received_s: times.received_s, initial_age_s: 0, ..prior.freshness };
        let judged = if says {
            let mut headers = exchange.headers.clone();
            // A 304 may leave out the validator it confirms.
            if let Some(etag) = &prior.etag {
                headers.insert(http::header::ETAG, etag.clone());
            }
            freshness::judge(StatusCode::OK, &headers, self.ask.is_authorized(), times)
        } else {
            Ok(same)
        };
        let (freshness, keep) = judged.map_or((same, false), |freshness| (freshness, true));
        let object = Arc::new(prior.refreshed(&exchange.headers, freshness, self.node.is_fleet()));
        if keep {
            self.keep(&object);
        } else {
            self.node.cache.forget(prior);
        }
        Learned::object(object, Outcome::Revalidated)
    }

    /// Not storable. The answer goes to the viewer who caused it, if it is one to that viewer's question.
    fn pass(&self, reason: NoStoreReason, prefix: Bytes, exchange: Exchange, first: First) -> Learned {
        if let First::Head { .. } = first {
            return Learned {
                verdict: Verdict::Again,
                relay: Some(Relay { reason, prefix, exchange }),
                fill: None,
            };
        }
        self.node.cache.openings.unless_void(&self.opening, || {
            let until_ms =
                self.node.clock.unix_ms() + u64::try_from(limits::PASS_MARK.as_millis()).unwrap_or(0);
            // An error that is not to be kept says nothing of what the address holds otherwise.
            if !exchange.status.is_server_error() {
                self.node.cache.keep(self.key.clone(), Entry::Pass { until_ms });
            }
        });
        let partial = exchange.status == StatusCode::PARTIAL_CONTENT;
        // The others need not all hear the same error from an origin that is in trouble.
        let status = exchange.status;
        let failed = status.is_server_error();
        let verdict = if failed { Verdict::Failed(Failure::Status(status)) } else { Verdict::Pass(reason) };
        let relay = (!partial).then_some(Relay { reason, prefix, exchange });
        Learned { verdict, relay, fill: None }
    }

    fn fetched(&self) -> Outcome {
        if self.prior.is_some() { Outcome::Refetched } else { Outcome::Miss }
    }

    fn object(
        &self,
        exchange: &Exchange,
        size: u64,
        validator: Validator,
        freshness: Freshness,
        ranges: bool,
    ) -> Result<Arc<Object>, NoStoreReason> {
        let fleet = self.node.is_fleet();
        // Inside the fleet nothing of the viewer's goes upstream, so the answer cannot vary by it.
        let varies_by: Arc<[HeaderName]> =
            if fleet { Arc::new([]) } else { freshness::vary(&exchange.headers)?.into() };
        let path = key::path(&self.key);
        let facts = Facts {
            key: if varies_by.is_empty() {
                path.into()
            } else {
                key::variant(path, &varies_by, &self.ask.headers)
            },
            varies_by,
            generation: self.node.cache.generation(size, validator),
            status: if exchange.status == StatusCode::PARTIAL_CONTENT {
                StatusCode::OK
            } else {
                exchange.status
            },
            freshness,
            ranges,
            fleet,
        };
        Ok(Arc::new(Object::new(facts, &exchange.headers)))
    }

    fn keep(&self, object: &Arc<Object>) {
        let cache = &self.node.cache;
        cache.openings.unless_void(&self.opening, || {
            if !object.varies_by.is_empty() {
                cache.keep(key::path(&object.key).into(), Entry::Varies(object.varies_by.clone()));
            }
            cache.keep(object.key.clone(), Entry::Object(object.clone()));
        });
        if self.opening.is_void() {
            // Served to those who asked before the purge, and gone with them.
            object.generation.end();
        }
    }
}
