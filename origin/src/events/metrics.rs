//! What is counted of events and of what is sent because of them.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Metrics of events, webhooks and mail.
#[derive(Clone)]
pub struct EventMetrics {
    /// Events that this origin gave numbers.
    pub numbered: IntCounter,
    /// Streams that are open.
    pub streams: IntGauge,
    /// Streams that ended, by why.
    pub streams_ended: IntCounterVec,
    /// Attempts to deliver to webhooks, by outcome.
    pub deliveries: IntCounterVec,
    /// Attempts to send mail, by outcome.
    pub mails: IntCounterVec,
}

impl EventMetrics {
    /// Metrics in `registry`.
    ///
    /// # Errors
    /// When two have one name.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            prometheus::Result::Ok(counters)
        };
        let numbered = IntCounter::new(
            "tidegate_origin_events_total",
            "Events that got their number from this origin.",
        )?;
        registry.register(Box::new(numbered.clone()))?;
        let streams = IntGauge::new("tidegate_origin_event_streams", "Event streams that are open.")?;
        registry.register(Box::new(streams.clone()))?;
        Ok(Self {
            numbered,
            streams,
            streams_ended: counters(
                "tidegate_origin_event_streams_ended_total",
                "Event streams that ended, by why.",
                "why",
            )?,
            deliveries: counters(
                "tidegate_origin_webhook_attempts_total",
                "Attempts to deliver to webhooks, by outcome.",
                "outcome",
            )?,
            mails: counters(
                "tidegate_origin_mail_attempts_total",
                "Attempts to send mail, by outcome.",
                "outcome",
            )?,
        })
    }
}
