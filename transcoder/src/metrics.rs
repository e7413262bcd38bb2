//! What a worker counts.

use prometheus::{CounterVec, HistogramOpts, HistogramVec, IntCounter, IntGauge, Opts, Registry};

/// A worker's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    jobs: prometheus::IntCounterVec,
    seconds: HistogramVec,
    cpu_seconds: CounterVec,
    /// Bytes stored at the origin.
    pub(crate) stored_bytes: IntCounter,
    /// Bytes of sources fetched from the origin.
    pub(crate) fetched_bytes: IntCounter,
    /// Seconds between a question for a job and its answer.
    pub(crate) claim_wait: prometheus::Histogram,
    /// Jobs being done.
    pub(crate) running: IntGauge,
}

/// From a probe to a chunk of a long video on a slow machine.
const SECONDS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];

impl Metrics {
    /// Registers them.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let seconds = HistogramOpts::new("tidegate_worker_job_seconds", "Seconds attempts took, by kind.");
        let waits = HistogramOpts::new(
            "tidegate_worker_claim_wait_seconds",
            "Seconds until a question for a job was answered.",
        );
        let metrics = Self {
            jobs: prometheus::IntCounterVec::new(
                Opts::new("tidegate_worker_jobs_total", "Attempts that ended, by kind and outcome."),
                &["kind", "outcome"],
            )?,
            seconds: HistogramVec::new(seconds.buckets(SECONDS.into()), &["kind"])?,
            cpu_seconds: CounterVec::new(
                Opts::new(
                    "tidegate_worker_cpu_seconds_total",
                    "CPU seconds of ffmpeg, by kind of job and what was made.",
                ),
                &["kind", "made"],
            )?,
            stored_bytes: IntCounter::new(
                "tidegate_worker_stored_bytes_total",
                "Bytes stored at the origin.",
            )?,
            fetched_bytes: IntCounter::new(
                "tidegate_worker_fetched_bytes_total",
                "Bytes of sources fetched.",
            )?,
            claim_wait: prometheus::Histogram::with_opts(waits.buckets(SECONDS.into()))?,
            running: IntGauge::new("tidegate_worker_jobs_running", "Jobs being done.")?,
        };
        registry.register(Box::new(metrics.jobs.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        registry.register(Box::new(metrics.cpu_seconds.clone()))?;
        registry.register(Box::new(metrics.stored_bytes.clone()))?;
        registry.register(Box::new(metrics.fetched_bytes.clone()))?;
        registry.register(Box::new(metrics.claim_wait.clone()))?;
        registry.register(Box::new(metrics.running.clone()))?;
        Ok(metrics)
    }

    /// An attempt has ended.
    pub(crate) fn ended(&self, kind: &str, outcome: &str, seconds: f64) {
        self.jobs.with_label_values(&[kind, outcome]).inc();
        self.seconds.with_label_values(&[kind]).observe(seconds);
    }

    /// A child has taken CPU seconds.
    pub(crate) fn cpu(&self, kind: &str, made: &str, seconds: f64) {
        self.cpu_seconds.with_label_values(&[kind, made]).inc_by(seconds);
    }
}
