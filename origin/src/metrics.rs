//! What the origin counts.

use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use crate::events::metrics::EventMetrics;
use crate::ingest::metrics::UploadMetrics;
use crate::jobs::metrics::JobMetrics;

/// The origin's metrics and the registry they are in.
#[derive(Clone)]
pub struct Metrics {
    /// What the admin listener shows.
    pub registry: Registry,
    /// Requests by route, method and status.
    pub requests: IntCounterVec,
    /// Seconds until the head of a response, by route.
    pub request_seconds: HistogramVec,
    /// Logins by outcome.
    pub logins: IntCounterVec,
    /// Runs of argon2.
    pub password_hashes: IntCounter,
    /// Purges appended to the log.
    pub purges: IntCounter,
    /// Bytes of media answered with.
    pub media_bytes: IntCounter,
    /// Uploads.
    pub uploads: UploadMetrics,
    /// Transcoding.
    pub jobs: JobMetrics,
    /// Events, webhooks, mail.
    pub events: EventMetrics,
}

/// From a hit in memory to a request that waits for its time-out.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Metrics {
    /// Metrics in a registry of their own.
    ///
    /// # Errors
    /// When two have one name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let metrics = Self {
            requests: IntCounterVec::new(
                Opts::new("tidegate_origin_http_requests_total", "Requests answered."),
                &["route", "method", "status"],
            )?,
            request_seconds: HistogramVec::new(
                HistogramOpts::new(
                    "tidegate_origin_http_response_head_seconds",
                    "Time until the head of a response.",
                )
                .buckets(SECONDS.to_vec()),
                &["route"],
            )?,
            logins: IntCounterVec::new(
                Opts::new("tidegate_origin_logins_total", "Attempts to log in."),
                &["outcome"],
            )?,
            password_hashes: IntCounter::new("tidegate_origin_password_hashes_total", "Runs of argon2.")?,
            purges: IntCounter::new(
                "tidegate_origin_purges_total",
                "Purges appended to the log by this origin.",
            )?,
            media_bytes: IntCounter::new(
                "tidegate_origin_media_bytes_total",
                "Bytes of media in answers, as announced by their length.",
            )?,
            uploads: UploadMetrics::new(&registry)?,
            jobs: JobMetrics::new(&registry)?,
            events: EventMetrics::new(&registry)?,
            registry,
        };
        metrics.registry.register(Box::new(metrics.requests.clone()))?;
        metrics.registry.register(Box::new(metrics.request_seconds.clone()))?;
        metrics.registry.register(Box::new(metrics.logins.clone()))?;
        metrics.registry.register(Box::new(metrics.password_hashes.clone()))?;
        metrics.registry.register(Box::new(metrics.purges.clone()))?;
        metrics.registry.register(Box::new(metrics.media_bytes.clone()))?;
        Ok(metrics)
    }
}
