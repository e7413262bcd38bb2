//! What the tests of the uploader share.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses its part")]

mod http;
pub mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate_serve::ambient::Entropy;
use tidegate_uploader::{Event, Events, UploadOptions};

pub use server::{Fault, Server};

/// A directory with a file to upload and a place for journals.
pub struct Desk {
    pub dir: tempfile::TempDir,
    pub file: PathBuf,
    pub content: Vec<u8>,
}

impl Desk {
    /// With a file of `len` bytes that look random and are always the same.
    pub fn with(len: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("film.mp4");
        let content = bytes(len);
        std::fs::write(&file, &content).unwrap();
        Self { dir, file, content }
    }

    pub fn journals(&self) -> PathBuf {
        self.dir.path().join("journals")
    }

    /// The journal files there are.
    pub fn journal_files(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.journals()) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
    }

    /// Options for `to` with this desk's journals.
    pub fn options(&self, to: &str) -> UploadOptions {
        UploadOptions {
            journal: Some(self.journals()),
            entropy: Entropy::seeded(7),
            stall: Duration::from_secs(20),
            ..UploadOptions::new(to)
        }
    }
}

pub fn bytes(len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(b"film").finalize_xof().fill(&mut out);
    out
}

/// Keeps the events.
#[derive(Default)]
pub struct Log(pub Vec<Event>);

impl Events for Log {
    fn event(&mut self, event: &Event) {
        self.0.push(event.clone());
    }
}

impl Log {
    /// The codes of the warnings.
    pub fn warnings(&self) -> Vec<&'static str> {
        let code = |event: &Event| if let Event::Warning { code, .. } = event { Some(*code) } else { None };
        self.0.iter().filter_map(code).collect()
    }

    /// The reasons of the retries.
    pub fn retries(&self) -> Vec<String> {
        let reason =
            |event: &Event| if let Event::Retry { reason, .. } = event { Some(reason.clone()) } else { None };
        self.0.iter().filter_map(reason).collect()
    }

    pub fn resumed(&self) -> bool {
        self.0.iter().any(|event| matches!(event, Event::Resumed { .. }))
    }
}

/// The command, with its journals at `journals` and no settings of the user's.
pub fn command(journals: &Path, to: &str) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tidegate-upload"));
    for name in ["TIDEGATE_TOKEN", "TIDEGATE_TOKEN_FILE", "TIDEGATE_TO"] {
        command.env_remove(name);
    }
    command.arg("--to").arg(to).arg("--journal").arg(journals).kill_on_drop(true);
    command
}

/// Standard output as JSON lines.
pub fn json_lines(out: &[u8]) -> Vec<serde_json::Value> {
    String::from_utf8(out.to_vec()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
