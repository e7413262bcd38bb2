//! What is counted, in a registry of the edge's own, so that several edges run in one process.

use std::sync::{Arc, Weak};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::node::Node;
use crate::outcome::Outcome;
use crate::upstream::Failure;

/// Upper bounds of the first-byte histogram, in seconds: hits take tens of microseconds, misses milliseconds.
const FIRST_BYTE_BUCKETS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// The counters of one edge.
pub(crate) struct Metrics {
    /// By [`Outcome::index`].
    requests: [IntCounter; Outcome::LABELS.len()],
    /// Bytes of bodies to viewers that came from the cache.
    pub(crate) sent_cached: IntCounter,
    /// Bytes of bodies to viewers that came from the origin while they waited.
    pub(crate) sent_fetched: IntCounter,
    /// Bytes of bodies from the origin.
    pub(crate) received: IntCounter,
    pub(crate) first_byte: Histogram,
    pub(crate) fills: IntCounter,
    pub(crate) fills_abandoned: IntCounter,
    /// Objects fetched before anyone asked for them.
    pub(crate) prefetches: IntCounter,
    pub(crate) evictions: IntCounter,
    pub(crate) rate_limited: IntCounter,
    /// Responses that ended before their last byte, by the edge's doing.
    pub(crate) broken_off: IntCounter,
    upstream_errors: IntCounterVec,
    pub(crate) purges: IntCounter,
}

impl Metrics {
    /// Makes the counters and registers them.
    ///
    /// # Errors
    /// When a name is taken in `registry`.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let labelled = |name: &str, help: &str, label: &str| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let requests = labelled("tidegate_edge_requests_total", "Requests by outcome.", "outcome")?;
        let sent = labelled(
            "tidegate_edge_sent_bytes_total",
            "Bytes of bodies to viewers, by where they came from.",
            "source",
        )?;
        let upstream_errors =
            labelled("tidegate_edge_upstream_errors_total", "Failed requests to the origin.", "kind")?;
        for label in Failure::LABELS {
            upstream_errors.with_label_values(&[label]);
        }
        let buckets = HistogramOpts::new(
            "tidegate_edge_first_byte_seconds",
            "Time from a request's head to the first byte of its answer's body.",
        )
        .buckets(FIRST_BYTE_BUCKETS.to_vec());
        let first_byte = Histogram::with_opts(buckets)?;
        registry.register(Box::new(first_byte.clone()))?;
        Ok(Self {
            requests: Outcome::LABELS.map(|label| requests.with_label_values(&[label])),
            sent_cached: sent.with_label_values(&["cache"]),
            sent_fetched: sent.with_label_values(&["origin"]),
            received: counter(
                "tidegate_edge_upstream_received_bytes_total",
                "Bytes of bodies from the origin.",
            )?,
            first_byte,
            fills: counter("tidegate_edge_fills_total", "Slices fetched to their end.")?,
            fills_abandoned: counter(
                "tidegate_edge_fills_abandoned_total",
                "Fills dropped because nobody read them any more.",
            )?,
            prefetches: counter(
                "tidegate_edge_prefetches_total",
                "Objects fetched because they come after one that was read.",
            )?,
            evictions: counter("tidegate_edge_evictions_total", "Slices evicted for want of room.")?,
            rate_limited: counter(
                "tidegate_edge_rate_limited_total",
                "Requests refused for their client's rate.",
            )?,
            broken_off: counter(
                "tidegate_edge_broken_off_total",
                "Responses cut before their last byte because it could not be had.",
            )?,
            upstream_errors,
            purges: counter("tidegate_edge_purges_total", "Purge records applied.")?,
        })
    }

    /// Counts an answered request.
    pub(crate) fn request(&self, outcome: Outcome) {
        self.requests[outcome.index()].inc();
    }

    /// Counts a failure at the origin.
    pub(crate) fn upstream_error(&self, failure: Failure) {
        self.upstream_errors.with_label_values(&[failure.label()]).inc();
    }

    /// Bytes served from the cache over bytes served; `None` before the first.
    #[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub(crate) fn hit_ratio(&self) -> Option<f64> {
        let (cached, fetched) = (self.sent_cached.get(), self.sent_fetched.get());
        let all = cached + fetched;
        (all > 0).then(|| cached as f64 / all as f64)
    }
}

/// Gauges read from the edge when they are asked for.
struct Gauges {
    node: Weak<Node>,
    memory: IntGaugeVec,
    ceiling: IntGauge,
    flights: IntGauge,
    turns: IntGauge,
    cursor: IntGauge,
    proof_age: Gauge,
    hit_ratio: Gauge,
}

/// Registers the gauges of `node`.
///
/// # Errors
/// When a name is taken in `registry`.
pub(crate) fn register_gauges(registry: &Registry, node: &Arc<Node>) -> Result<(), prometheus::Error> {
    let memory = Opts::new(
        "tidegate_edge_memory_bytes",
        "Memory for bytes of objects (cache, held: in flight or by clients) and for what is known of them.",
    );
    registry.register(Box::new(Gauges {
        node: Arc::downgrade(node),
        memory: IntGaugeVec::new(memory, &["use"])?,
        ceiling: IntGauge::new(
            "tidegate_edge_memory_budget_bytes",
            "The most that bytes of objects may take.",
        )?,
        flights: IntGauge::new("tidegate_edge_fills_in_flight", "Fills under way.")?,
        turns: IntGauge::new(
            "tidegate_edge_upstream_turns_free",
            "Requests that could be sent to the origin at once now.",
        )?,
        cursor: IntGauge::new("tidegate_edge_purge_cursor", "The last purge applied.")?,
        proof_age: Gauge::new(
            "tidegate_edge_purge_proof_age_seconds",
            "Time since it was last certain that no purge was missed; -1 before the first time.",
        )?,
        hit_ratio: Gauge::new("tidegate_edge_hit_ratio", "Bytes served from the cache over bytes served.")?,
    }))
}

impl Gauges {
    fn all(&self) -> [&dyn Collector; 7] {
        [
            &self.memory,
            &self.ceiling,
            &self.flights,
            &self.turns,
            &self.cursor,
            &self.proof_age,
            &self.hit_ratio,
        ]
    }

    fn read(&self, node: &Node) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (used, cached) = (node.cache.budget.used(), node.cache.slice_weight());
        self.memory.with_label_values(&["cache"]).set(whole(cached));
        self.memory.with_label_values(&["held"]).set(whole(used.saturating_sub(cached)));
        self.memory.with_label_values(&["objects"]).set(whole(node.cache.object_weight()));
        self.ceiling.set(whole(node.cache.budget.limit()));
        self.flights.set(whole(node.cache.flights.len() as u64));
        self.turns.set(whole(node.upstream.turns_free() as u64));
        self.hit_ratio.set(node.metrics.hit_ratio().unwrap_or(0.0));
        if let Some(fleet) = &node.fleet {
            self.cursor.set(whole(fleet.gate.cursor()));
            self.proof_age.set(fleet.gate.proof_age().map_or(-1.0, |age| age.as_secs_f64()));
        }
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(|gauge| gauge.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(node) = self.node.upgrade() {
            self.read(&node);
        }
        self.all().into_iter().flat_map(|gauge| gauge.collect()).collect()
    }
}
