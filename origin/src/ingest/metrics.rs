//! What is counted of uploads.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

/// Metrics of uploads.
#[derive(Clone)]
pub struct UploadMetrics {
    /// Uploads made.
    pub created: IntCounter,
    /// Uploads completed.
    pub completed: IntCounter,
    /// Uploads ended by their owners.
    pub terminated: IntCounter,
    /// Uploads given up because nobody went on with them.
    pub expired: IntCounter,
    /// Bodies being received.
    pub active: IntGauge,
    /// Body bytes received.
    pub received_bytes: IntCounter,
    /// Body bytes received and given up again, because their request was wrong.
    pub discarded_bytes: IntCounter,
    /// Bytes read back from the store to go on with a digest.
    pub rehashed_bytes: IntCounter,
    /// Requests that went on where another had stopped.
    pub resumes: IntCounter,
    /// Writers pushed aside because they had not said that they stopped.
    pub takeovers: IntCounter,
    /// Waits for a lease.
    pub lease_wait_seconds: Histogram,
    /// Checkpoints written while a body goes on.
    pub checkpoint_seconds: Histogram,
}

const WAITS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

impl UploadMetrics {
    /// Metrics registered in `registry`.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(format!("tidegate_origin_{name}"), help)?;
            register(registry, counter)
        };
        let histogram = |name: &str, help: &str| {
            let options = HistogramOpts::new(format!("tidegate_origin_{name}"), help).buckets(WAITS.to_vec());
            register(registry, Histogram::with_opts(options)?)
        };
        Ok(Self {
            created: counter("uploads_created_total", "Uploads made.")?,
            completed: counter("uploads_completed_total", "Uploads completed.")?,
            terminated: counter("uploads_terminated_total", "Uploads ended by their owners.")?,
            expired: counter("uploads_expired_total", "Uploads given up after a time without bytes.")?,
            active: register(
                registry,
                IntGauge::new("tidegate_origin_uploads_active", "Bodies being received.")?,
            )?,
            received_bytes: counter("upload_received_bytes_total", "Body bytes received.")?,
            discarded_bytes: counter(
                "upload_discarded_bytes_total",
                "Body bytes received and given up, because their request was wrong.",
            )?,
            rehashed_bytes: counter(
                "upload_rehashed_bytes_total",
                "Bytes read back to go on with a digest.",
            )?,
            resumes: counter("upload_resumes_total", "Requests that went on where another had stopped.")?,
            takeovers: counter(
                "upload_takeovers_total",
                "Writers pushed aside because they had not said that they stopped.",
            )?,
            lease_wait_seconds: histogram("upload_lease_wait_seconds", "Waits for a lease.")?,
            checkpoint_seconds: histogram("upload_checkpoint_seconds", "Checkpoints of bodies that go on.")?,
        })
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
