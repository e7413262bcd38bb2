//! A reader of server-sent events, over the origin's router.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::api::{As, Origin, request};

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: Option<u64>,
    pub kind: String,
    pub data: Value,
}

/// An open stream.
pub struct Stream {
    body: Body,
    text: String,
}

/// Has an origin number events and pass them on, as a running one does.
pub fn run_events(origin: &Origin) {
    tokio::spawn(tidegate_origin::events::run(Arc::clone(&origin.app)));
}

impl Stream {
    /// Opens a stream, from after this id if one is given, and reads its greeting.
    pub async fn open(origin: &Origin, who: &As, query: &str, last_id: Option<u64>) -> (Self, Event) {
        let mut asked = request(who, Method::GET, &format!("/api/v1/events{query}"), None);
        if let Some(id) = last_id {
            asked.headers_mut().insert("last-event-id", id.into());
        }
        let response = origin.router.clone().oneshot(asked).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { body: response.into_body(), text: String::new() };
        let hello = stream.next().await.unwrap();
        assert_eq!(hello.kind, "hello");
        (stream, hello)
    }

    /// The next event, comments left aside; `None` at the stream's end.
    pub async fn next(&mut self) -> Option<Event> {
        timeout(PATIENCE, self.read()).await.expect("an event in time")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some((record, rest)) = self.text.split_once("\n\n") {
                let event = parse(record);
                self.text = rest.to_owned();
                if let Some(event) = event {
                    return Some(event);
                }
                continue;
            }
            let frame = self.body.frame().await?;
            self.text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
    }

    /// The next event that is kept.
    pub async fn next_kept(&mut self) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.id.is_some() {
                return event;
            }
        }
    }

    /// The next event of this type.
    pub async fn next_of(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.kind == kind {
                return event;
            }
        }
    }

    /// The types of the next events that are kept.
    pub async fn kinds(&mut self, many: usize) -> Vec<String> {
        let mut kinds = Vec::new();
        for _ in 0..many {
            kinds.push(self.next_kept().await.kind);
        }
        kinds
    }
}

fn parse(record: &str) -> Option<Event> {
    let field = |name: &str| {
        let mut lines = record.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(field, _)| *field == name).map(|(_, value)| value)
    };
    let data = serde_json::from_str(field("data")?).unwrap();
    let id = field("id").map(|id| id.parse().unwrap());
    Some(Event { id, kind: field("event").unwrap_or("message").to_owned(), data })
}
