//! What happens during an upload, for whoever shows it.

use serde::Serialize;
use tidegate_wire::Digest;
use tokio::sync::mpsc;

use crate::limits;

/// Takes the events of an upload. Called between awaits: it must not block for long.
pub trait Events {
    /// Something happened.
    fn event(&mut self, event: &Event);
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Events for Silent {
    fn event(&mut self, _event: &Event) {}
}

/// One event. As JSON it is an object whose `event` names the variant in snake case.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An upload (or a part of one) was created on the server.
    Created {
        /// The file, as it was named.
        file: String,
        /// Its address.
        url: String,
        /// Which part, from 0.
        part: usize,
        /// How many parts there are.
        parts: usize,
        /// The file's length.
        size_bytes: u64,
    },
    /// An earlier process's upload goes on.
    Resumed {
        /// The file.
        file: String,
        /// How much the server has of it, over all parts.
        offset_bytes: u64,
        /// The file's length.
        size_bytes: u64,
    },
    /// How far it is. `sent_bytes` may fall back after a failure; `confirmed_bytes` is what the server said it has.
    Progress {
        /// The file.
        file: String,
        /// Handed to the connection.
        sent_bytes: u64,
        /// Confirmed by the server.
        confirmed_bytes: u64,
        /// The file's length.
        size_bytes: u64,
        /// The recent rate.
        bytes_per_second: u64,
        /// Seconds left at that rate, when there is one.
        seconds_left: Option<u64>,
    },
    /// Something failed and will be tried again.
    Retry {
        /// The file.
        file: String,
        /// Which part, from 0.
        part: usize,
        /// What failed.
        reason: String,
        /// Failures since the last progress.
        attempt: u32,
        /// The time until the next attempt.
        delay_ms: u64,
    },
    /// Something a person should know; the upload goes on.
    Warning {
        /// The file.
        file: String,
        /// A stable word.
        code: &'static str,
        /// A sentence.
        message: String,
    },
    /// The file is uploaded. The last event of a file, unless it is waited for what is made of it.
    Finished(Finished),
    /// How far what is made of it for playing is, 0 to 1.
    Processing {
        /// The file.
        file: String,
        /// How far.
        progress: f64,
    },
    /// It can be played. The last event of a file that was waited for.
    Playable(Playable),
    /// The file is not uploaded, or cannot be played where that was waited for. The last event of a file.
    Failed {
        /// The file.
        file: String,
        /// A stable word, see [`crate::UploadError::code`].
        code: &'static str,
        /// The exit code this cause has.
        exit_code: u8,
        /// A sentence.
        message: String,
    },
}

/// A complete upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finished {
    /// The file, as it was named.
    pub file: String,
    /// The asset's id; on other servers than Tidegate the last segment of the upload's address.
    pub id: String,
    /// Where it can be watched; on other servers the upload's address.
    pub url: String,
    /// The digest of the bytes read here.
    pub digest: Digest,
    /// The file's length.
    pub size_bytes: u64,
    /// Bytes this process sent more than once.
    pub resent_bytes: u64,
    /// Whether the server's digest was compared with ours (it was equal).
    #[serde(skip)]
    pub verified: bool,
}

/// An upload that can be played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Playable {
    /// The file, as it was named.
    pub file: String,
    /// The asset's id.
    pub id: String,
    /// Where it can be watched.
    pub url: String,
    /// `playable` from the first rung on, `ready` when all is made, `uploaded` for what nothing is made of.
    pub state: String,
}

/// The uploading side's end of the event queue.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    file: String,
    queue: mpsc::Sender<Event>,
}

impl Reporter {
    pub(crate) fn new(file: String) -> (Self, mpsc::Receiver<Event>) {
        let (queue, events) = mpsc::channel(limits::EVENTS_WAITING);
        (Self { file, queue }, events)
    }

    pub(crate) fn file(&self) -> String {
        self.file.clone()
    }

    pub(crate) async fn say(&self, event: Event) {
        // The caller has gone when this fails, and this task is about to be.
        let _ = self.queue.send(event).await;
    }

    pub(crate) async fn warn(&self, code: &'static str, message: impl Into<String>) {
        self.say(Event::Warning { file: self.file(), code, message: message.into() }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_file_is_the_documented_object() {
        let finished = Finished {
            file: "film.mp4".into(),
            id: "0190".into(),
            url: "http://h/watch/0190".into(),
            digest: Digest::from_bytes([0xab; 32]),
            size_bytes: 5,
            resent_bytes: 0,
            verified: true,
        };
        assert_eq!(
            serde_json::to_string(&Event::Finished(finished)).unwrap(),
            format!(
                r#"{{"event":"finished","file":"film.mp4","id":"0190","url":"http://h/watch/0190","digest":"blake3:{}","size_bytes":5,"resent_bytes":0}}"#,
                "ab".repeat(32)
            )
        );
    }
}
