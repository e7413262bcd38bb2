//! Waiting until what was uploaded can be played.
//!
//! The server's stream of events says that something has happened; what has, the asset itself is asked. Without a stream
//! (a proxy that does not let it through, an origin that restarts) the asset is asked now and then: what is true does not
//! depend on having heard of it.

use std::time::Duration;

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::error::UploadError;
use crate::events::{Event, Events, Finished, Playable};
use crate::limits;
use crate::retry::Failure;
use crate::transport::Transport;

/// What is asked of an asset.
#[derive(Debug, Deserialize)]
struct Asset {
    state: String,
    error: Option<Fault>,
}

#[derive(Debug, Deserialize)]
struct Fault {
    code: String,
    message: String,
}

/// Waits until the asset of `finished` can be played, and tells how far it is.
///
/// # Errors
/// [`UploadError::NotPlayable`] when it cannot be made, or is deleted; what the server refuses; [`UploadError::GaveUp`].
pub(crate) async fn wait(
    transport: &Transport,
    finished: &Finished,
    give_up_after: Option<Duration>,
    events: &mut impl Events,
) -> Result<Playable, UploadError> {
    let mut waiting =
        Waiting { transport, finished, give_up_after, progress_at: Instant::now(), stream: None };
    loop {
        // Opened before the asset is asked: what happens in between is heard.
        if waiting.stream.is_none() {
            waiting.stream = waiting.open().await;
        }
        match waiting.ask().await {
            Ok(Some(state)) => {
                let Finished { file, id, url, .. } = finished.clone();
                return Ok(Playable { file, id, url, state });
            }
            Ok(None) => waiting.news(events).await?,
            Err(failure) => waiting.bear(failure).await?,
        }
    }
}

struct Waiting<'a> {
    transport: &'a Transport,
    finished: &'a Finished,
    give_up_after: Option<Duration>,
    progress_at: Instant,
    stream: Option<Stream>,
}

impl Waiting<'_> {
    async fn open(&self) -> Option<Stream> {
        let response = self.transport.get("/api/v1/events", "text/event-stream").await.ok()?;
        let is_stream = response
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        is_stream.then(|| Stream { response, text: Vec::new() })
    }

    /// The state, once there is nothing more to wait for.
    async fn ask(&self) -> Result<Option<String>, Failure> {
        let path = format!("/api/v1/assets/{}", self.finished.id);
        let response = match self.transport.get(&path, "application/json").await {
            Err(Failure::Status { refusal, .. }) if refusal.status == 404 => {
                let why = "it is not there any more, or not yours, or this is no Tidegate server";
                return Err(self.not_playable("asset_not_found", why));
            }
            answer => answer?,
        };
        let text = self.transport.text(response).await;
        let asset: Asset = serde_json::from_slice(&text).map_err(|error| {
            Failure::NotTus(format!("the server's words on the asset make no sense: {error}"))
        })?;
        match asset.state.as_str() {
            "processing" => Ok(None),
            "failed" => {
                let fault = asset.error.map_or_else(
                    || ("failed".to_owned(), "the server does not say why".to_owned()),
                    |fault| (fault.code, fault.message),
                );
                Err(self.not_playable(&fault.0, &fault.1))
            }
            // `uploaded` is a file that nothing is made of: there it is.
            _ => Ok(Some(asset.state)),
        }
    }

    fn not_playable(&self, code: &str, why: &str) -> Failure {
        let seen = |text: &str| text.chars().filter(|c| !c.is_control()).take(limits::DETAIL_MAX).collect();
        Failure::Local(UploadError::NotPlayable {
            url: self.finished.url.clone(),
            code: seen(code),
            message: seen(why),
        })
    }

    /// Waits until something has happened to the asset, or for a while.
    async fn news(&mut self, events: &mut impl Events) -> Result<(), UploadError> {
        self.check_patience("it is still being made")?;
        let Some(mut stream) = self.stream.take() else {
            sleep(limits::WAIT_POLL).await;
            return Ok(());
        };
        loop {
            match timeout(limits::WAIT_SILENCE, stream.next()).await {
                Ok(Some((kind, data))) if data["asset"] == *self.finished.id => {
                    self.progress_at = Instant::now();
                    if kind != "asset.progress" {
                        self.stream = Some(stream);
                        return Ok(());
                    }
                    if let Some(progress) = data["data"]["progress"].as_f64() {
                        events.event(&Event::Processing { file: self.finished.file.clone(), progress });
                    }
                }
                Ok(Some(_)) => {}
                // Gone, or as good as that: asked for once more, after a moment.
                Ok(None) | Err(_) => {
                    sleep(limits::WAIT_POLL).await;
                    return Ok(());
                }
            }
            self.check_patience("it is still being made")?;
        }
    }

    /// What passes is waited out; everything else is the end.
    async fn bear(&mut self, failure: Failure) -> Result<(), UploadError> {
        let passes = match &failure {
            Failure::Network(_) | Failure::Stalled(_) | Failure::NotTus(_) => true,
            Failure::Status { refusal, .. } => matches!(refusal.status, 408 | 425 | 429 | 500..),
            Failure::Untrusted(_) | Failure::Local(_) => false,
        };
        if !passes {
            return Err(failure.into_error());
        }
        self.check_patience(&failure.reason())?;
        self.stream = None;
        sleep(failure.retry_after().unwrap_or(limits::WAIT_POLL).min(limits::RETRY_AFTER_MAX)).await;
        Ok(())
    }

    fn check_patience(&self, reason: &str) -> Result<(), UploadError> {
        match self.give_up_after {
            Some(after) if self.progress_at.elapsed() >= after => {
                Err(UploadError::GaveUp { after, reason: reason.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// Server-sent events, as far as they are needed here.
struct Stream {
    response: Response,
    text: Vec<u8>,
}

impl Stream {
    /// The next event's type and data; `None` at the end, and for what is no stream of events after all.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.text.windows(2).position(|window| window == b"\n\n") {
                let record: Vec<u8> = self.text.drain(..end + 2).collect();
                if let Some(event) = parse(&String::from_utf8_lossy(&record)) {
                    return Some(event);
                }
                // A comment. Whoever waits for news hears that the stream is alive.
                if record.starts_with(b":") {
                    return Some((String::new(), Value::Null));
                }
                continue;
            }
            if self.text.len() > limits::EVENT_MAX {
                return None;
            }
            let piece = self.response.chunk().await.ok()??;
            self.text.extend_from_slice(&piece);
        }
    }
}

fn parse(record: &str) -> Option<(String, Value)> {
    let field = |name: &str| {
        let mut lines = record.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(field, _)| *field == name).map(|(_, value)| value.strip_prefix(' ').unwrap_or(value))
    };
    let data = serde_json::from_str(field("data")?).ok()?;
    Some((field("event").unwrap_or("message").to_owned(), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_type_and_its_data() {
        let (kind, data) = parse("id: 7\nevent: asset.ready\ndata: {\"asset\":\"a\"}\n").unwrap();
        assert_eq!((kind.as_str(), &data["asset"]), ("asset.ready", &Value::from("a")));
        assert_eq!(parse("data:{}").unwrap().0, "message");
        assert!(parse(":").is_none() && parse("retry: 2000").is_none() && parse("data: {").is_none());
    }
}
