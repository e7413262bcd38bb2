//! Finding deliveries that are due, sending them, and keeping the record.
//!
//! Any origin sends any delivery. The record is written before and after each attempt: whoever dies in between has its
//! delivery sent again by another, with the same id, once the attempt's lease has run out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::sender::Answer;
use super::{pause, signature};
use crate::app::App;
use crate::catalog::deliveries::{self, DeliveryState, Due, Outcome};
use crate::catalog::{CatalogError, webhooks};
use crate::events::numbered;
use crate::limits;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Sends until the origin stops; what is being sent then is waited for with the uploads.
pub async fn run(app: &Arc<App>) {
    let mut at_work = AtWork::default();
    while !app.shutdown.is_cancelled() {
        if let Err(error) = at_work.begin_due(app).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "deliveries.not_found");
            sleep(limits::OUTGOING_RECHECK_MOST).await;
        }
        let wait = wait(app).await;
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = app.outgoing.webhooks.notified() => {}
            Some(ended) = at_work.tasks.join_next() => at_work.note_end(ended.ok()),
            () = sleep(wait) => {}
        }
    }
    let drained = async { while at_work.tasks.join_next().await.is_some() {} };
    // Cut off, they are sent again by whoever comes next.
    let _ = timeout(limits::TASKS_DRAIN, drained).await;
}

/// Sends everything that is due now, and waits for it: for tests, and for whoever has time.
///
/// # Errors
/// When the catalogue fails.
pub async fn send_due(app: &Arc<App>) -> Result<usize, CatalogError> {
    let mut at_work = AtWork::default();
    let begun = at_work.begin_due(app).await?;
    while at_work.tasks.join_next().await.is_some() {}
    Ok(begun)
}

/// How long nothing is due, as far as can be told.
async fn wait(app: &App) -> Duration {
    let most = limits::OUTGOING_RECHECK_MOST;
    match deliveries::next_at(&app.catalog).await {
        Ok(Some(next)) => Duration::from_millis(next.saturating_sub(app.clock.unix_ms()))
            .clamp(limits::OUTGOING_RECHECK_LEAST, most),
        Ok(None) | Err(_) => most,
    }
}

/// What this origin is sending.
#[derive(Default)]
struct AtWork {
    tasks: JoinSet<String>,
    per_webhook: HashMap<String, u32>,
}

impl AtWork {
    /// Begins attempts at what is due, as far as there is room; says how many.
    async fn begin_due(&mut self, app: &Arc<App>) -> Result<usize, CatalogError> {
        while let Some(ended) = self.tasks.try_join_next() {
            self.note_end(ended.ok());
        }
        let mut begun = 0;
        if self.tasks.len() >= limits::DELIVERIES_AT_ONCE {
            return Ok(begun);
        }
        let now_ms = app.clock.unix_ms();
        let (each, limit) = (limits::DELIVERIES_AT_ONCE_EACH, limits::DELIVERIES_PER_ROUND);
        for due in deliveries::due(&app.catalog, now_ms, each, limit).await? {
            let busy = self.per_webhook.get(&due.webhook).copied().unwrap_or(0);
            if self.tasks.len() >= limits::DELIVERIES_AT_ONCE || busy >= limits::DELIVERIES_AT_ONCE_EACH {
                continue;
            }
            if deliveries::claim(&app.catalog, &due, now_ms, lease_until(app)).await? {
                begun += 1;
                *self.per_webhook.entry(due.webhook.clone()).or_default() += 1;
                let app = app.clone();
                self.tasks.spawn(async move {
                    attempt(&app, &due).await;
                    due.webhook
                });
            }
        }
        Ok(begun)
    }

    fn note_end(&mut self, webhook: Option<String>) {
        let Some(webhook) = webhook else {
            // A task that panicked does not say whose it was; none is kept from its turn because of that.
            self.per_webhook.clear();
            return;
        };
        if let Some(busy) = self.per_webhook.get_mut(&webhook) {
            *busy -= 1;
            if *busy == 0 {
                self.per_webhook.remove(&webhook);
            }
        }
    }
}

/// How long one attempt may take, from the look-up of the name to the end of the answer.
pub(crate) fn attempt_timeout(app: &App) -> Duration {
    Duration::from_secs(u64::from(app.config.telling.webhook_timeout))
}

fn lease_until(app: &App) -> u64 {
    let lease = attempt_timeout(app) + limits::WEBHOOK_LEASE_MARGIN;
    app.clock.unix_ms().saturating_add(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX))
}

async fn attempt(app: &App, due: &Due) {
    let number = due.attempts + 1;
    let answered = send(app, due).await;
    let now_ms = app.clock.unix_ms();
    let (status, error) = match &answered {
        Ok(answer) if answer.status.is_success() => (Some(answer.status), None),
        Ok(answer) => {
            (Some(answer.status), Some(format!("The receiver answered {}.", answer.status.as_u16())))
        }
        Err(error) => (None, Some(error.clone())),
    };
    let is_gone = status == Some(StatusCode::GONE);
    let again_at = now_ms.saturating_add(rest(app, number, answered.as_ref().ok()));
    let state = match &error {
        None => DeliveryState::Delivered,
        Some(_) if is_gone || again_at >= due.give_up_at => DeliveryState::Failed,
        Some(_) => DeliveryState::Pending,
    };
    let outcome = Outcome {
        state,
        next_attempt_at: if state == DeliveryState::Pending { again_at } else { now_ms },
        response_status: status.map(|status| status.as_u16()),
        error: error.as_deref(),
    };
    app.metrics.events.deliveries.with_label_values(&[outcome_label(state)]).inc();
    tracing::info!(
        webhook.id = %due.webhook, event.id = due.event_id, attempt = number, http.status = outcome.response_status,
        state = state.as_str(), error, "webhook.attempted"
    );
    if let Err(error) = record(app, due, number, &outcome, is_gone).await {
        // It will be sent again: its receiver knows it by its id.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            delivery.id = due.id,
            "webhook.not_recorded"
        );
    }
}

const fn outcome_label(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Delivered => "delivered",
        DeliveryState::Pending => "again",
        DeliveryState::Failed => "given_up",
    }
}

async fn record(
    app: &App,
    due: &Due,
    number: u32,
    outcome: &Outcome<'_>,
    is_gone: bool,
) -> Result<(), CatalogError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    if deliveries::end(&mut tx, due, number, outcome, now_ms).await? {
        if is_gone {
            webhooks::disable(&mut tx, &due.webhook, &due.url, "gone", now_ms).await?;
            tracing::warn!(webhook.id = %due.webhook, "webhook.gone: nothing more is sent to it");
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Milliseconds until the next attempt. A receiver may ask for more than our own pause, not for less.
fn rest(app: &App, failures: u32, answer: Option<&Answer>) -> u64 {
    let first = Duration::from_secs(u64::from(app.config.telling.webhook_pause));
    let own = pause::after(failures, first, limits::WEBHOOK_LONGEST_PAUSE, &app.entropy);
    let asked = answer.and_then(|answer| answer.retry_after).unwrap_or_default();
    u64::try_from(own.max(asked).as_millis()).unwrap_or(u64::MAX)
}

async fn send(app: &App, due: &Due) -> Result<Answer, String> {
    let sender = app.outgoing.sender.as_ref().ok_or("Nothing can be sent: TLS could not be set up.")?;
    let body = receivers_body(&numbered(due.seq, &due.body));
    let timestamp_s = app.clock.unix_s();
    let signature = signature::sign(&due.secret, &due.event_id, timestamp_s, &body)
        .ok_or("The webhook's secret cannot be read.")?;
    let value =
        |text: &str| HeaderValue::try_from(text).map_err(|_| "The delivery cannot be sent.".to_owned());
    let fields = [
        (WEBHOOK_ID, value(&due.event_id)?),
        (WEBHOOK_TIMESTAMP, HeaderValue::from(timestamp_s)),
        (WEBHOOK_SIGNATURE, value(&signature)?),
    ];
    sender.send(&due.url, fields, body).await
}

/// What receivers get: the time has the name that the scheme gives it.
fn receivers_body(body: &str) -> String {
    let Ok(serde_json::Value::Object(mut members)) = serde_json::from_str(body) else {
        return body.to_owned();
    };
    if let Some(at) = members.remove("at") {
        members.insert("timestamp".to_owned(), at);
    }
    serde_json::Value::Object(members).to_string()
}
