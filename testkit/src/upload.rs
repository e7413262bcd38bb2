//! `tidegate-upload` as a user runs it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::limits;
use crate::process::recipe;
use crate::supervise::Supervised;

/// A running upload.
#[derive(Debug)]
pub struct Upload {
    child: Supervised,
}

/// The last line of a finished one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The asset.
    pub id: String,
    /// `blake3:HEX`.
    pub digest: String,
    /// Of the file, in bytes.
    pub size_bytes: u64,
    /// Bytes that were sent more than once.
    pub resent_bytes: u64,
}

impl Upload {
    /// Starts `tidegate-upload FILE --to URL --token-file … --journal … --json` and more arguments.
    ///
    /// # Panics
    /// When it was not built.
    pub fn start(file: &Path, to: &str, token_file: &Path, journal: &Path, more: &[&str]) -> Self {
        let path = |path: &Path| path.display().to_string();
        let (file, token_file, journal) = (path(file), path(token_file), path(journal));
        let mut arguments =
            vec![&*file, "--to", to, "--token-file", &token_file, "--journal", &journal, "--json"];
        arguments.extend(more);
        Self { child: recipe("tidegate-upload", &arguments).start() }
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Value> {
        self.child.stdout().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for an event of this name.
    ///
    /// # Panics
    /// When the upload ends without it or it does not come in time.
    pub fn event(&mut self, name: &str) -> Value {
        self.child.stdout_line(limits::RUN, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["event"] == name).then_some(event)
        })
    }

    /// Whether it has ended, well or not.
    pub fn has_ended(&mut self) -> bool {
        self.child.ended().is_some()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it fails, does not finish in time, or its last line is not `finished`.
    pub fn finish(self) -> Finished {
        self.finish_within(limits::RUN)
    }

    /// [`Self::finish`] with a limit.
    ///
    /// # Panics
    /// As that.
    pub fn finish_within(mut self, limit: Duration) -> Finished {
        let status = self.child.wait(limit);
        assert!(status.success(), "the upload ended with {status}\n{}", self.child.output());
        let last = self.events().pop().unwrap_or_default();
        let text =
            |name: &str| last[name].as_str().unwrap_or_else(|| panic!("no {name} in {last}")).to_owned();
        let number = |name: &str| last[name].as_u64().unwrap_or_else(|| panic!("no {name} in {last}"));
        assert_eq!(last["event"], "finished", "{}", self.child.output());
        Finished {
            id: text("id"),
            digest: text("digest"),
            size_bytes: number("size_bytes"),
            resent_bytes: number("resent_bytes"),
        }
    }

    /// Kills it without a word.
    pub fn kill9(mut self) {
        self.child.kill9();
    }
}
