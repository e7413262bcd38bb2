//! What is counted of transcoding.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::catalog::jobs::{JobState, KINDS, kind_name};

/// Metrics of jobs.
#[derive(Clone)]
pub struct JobMetrics {
    /// Jobs there are, by kind and state; of the whole catalogue, as this origin last saw it.
    pub jobs: IntGaugeVec,
    /// Attempts that ended, by kind and how.
    pub attempts: IntCounterVec,
    /// Seconds from when a job could be given out to when it was, by kind.
    pub waited: HistogramVec,
    /// Seconds from a completed upload to what can be played.
    pub playable: Histogram,
    /// Seconds from a completed upload to all of it.
    pub ready: Histogram,
}

/// From a worker that was waiting to one that comes by every few seconds, and to a queue of hours.
const WAITED: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0];
/// From a clip to a long film.
const MADE: &[f64] =
    &[0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 7200.0, 28800.0];

impl JobMetrics {
    /// Metrics in `registry`.
    ///
    /// # Errors
    /// When two have one name.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let opts = |name: &str, help: &str, buckets: &[f64]| {
            HistogramOpts::new(name, help).buckets(buckets.to_vec())
        };
        let metrics = Self {
            jobs: IntGaugeVec::new(
                Opts::new("tidegate_origin_jobs", "Jobs there are in the catalogue."),
                &["kind", "state"],
            )?,
            attempts: IntCounterVec::new(
                Opts::new(
                    "tidegate_origin_job_attempts_total",
                    "Attempts at jobs that ended, by how they did.",
                ),
                &["kind", "ending"],
            )?,
            waited: HistogramVec::new(
                opts(
                    "tidegate_origin_job_wait_seconds",
                    "Time from when a job could be given out to when it was.",
                    WAITED,
                ),
                &["kind"],
            )?,
            playable: Histogram::with_opts(opts(
                "tidegate_origin_playable_seconds",
                "Time from a completed upload to when it can be played.",
                MADE,
            ))?,
            ready: Histogram::with_opts(opts(
                "tidegate_origin_ready_seconds",
                "Time from a completed upload to when all of it is packaged.",
                MADE,
            ))?,
        };
        registry.register(Box::new(metrics.jobs.clone()))?;
        registry.register(Box::new(metrics.attempts.clone()))?;
        registry.register(Box::new(metrics.waited.clone()))?;
        registry.register(Box::new(metrics.playable.clone()))?;
        registry.register(Box::new(metrics.ready.clone()))?;
        Ok(metrics)
    }

    /// A job was given out after so long.
    pub fn claimed(&self, kind: &str, waited_ms: u64) {
        self.waited.with_label_values(&[kind]).observe(seconds(waited_ms));
    }

    /// An attempt ended.
    pub fn ended(&self, kind: &str, ending: &str) {
        self.attempts.with_label_values(&[kind, ending]).inc();
    }

    /// A revision can be played.
    pub fn playable(&self, took_ms: u64) {
        self.playable.observe(seconds(took_ms));
    }

    /// A revision is all there.
    pub fn ready(&self, took_ms: u64) {
        self.ready.observe(seconds(took_ms));
    }

    /// What the catalogue has now.
    pub fn count(&self, counts: &[(String, JobState, u64)]) {
        for kind in KINDS.map(kind_name) {
            for state in JobState::ALL {
                let found = counts.iter().find(|(of, in_state, _)| of == kind && *in_state == state);
                let many = found.map_or(0, |(_, _, many)| i64::try_from(*many).unwrap_or(i64::MAX));
                self.jobs.with_label_values(&[kind, state.as_str()]).set(many);
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "times are far below 2^52 milliseconds")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
