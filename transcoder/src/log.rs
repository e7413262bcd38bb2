//! The last lines of a child's log, bounded and without paths.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits;

/// What is kept of a log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: VecDeque<String>,
    unfinished: Vec<u8>,
    hide: Vec<String>,
    /// What the file's header says about its length, in microseconds.
    duration_us: Option<u64>,
}

impl Log {
    /// The lines, oldest first.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Whether a line contains `words`.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.lines.iter().any(|line| line.contains(words))
    }

    /// The lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                // The rest of an overlong line is of no interest.
                _ if self.unfinished.len() < limits::LOG_LINE_BYTES => self.unfinished.push(byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        let bytes = std::mem::take(&mut self.unfinished);
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim();
        // ffmpeg is asked for its level before each line. What it says for information is looked through, not kept.
        if line.contains("[info] ") || line.is_empty() {
            if let Some(time) = line.split_once("Duration: ").and_then(|(_, rest)| rest.split(',').next()) {
                self.duration_us = self.duration_us.or_else(|| clock_us(time));
            }
            return;
        }
        let mut line: String = line.chars().filter(|c| !c.is_control()).collect();
        for path in &self.hide {
            line = line.replace(path.as_str(), "SOURCE");
        }
        if self.lines.back() == Some(&line) {
            return;
        }
        if self.lines.len() == limits::LOG_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

/// `HH:MM:SS.FRACTION` in microseconds.
fn clock_us(text: &str) -> Option<u64> {
    let mut parts = text.trim().splitn(3, ':');
    let (hours, minutes): (u64, u64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (seconds, fraction) = parts.next()?.split_once('.')?;
    let micros: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some((hours * 3600 + minutes * 60 + seconds.parse::<u64>().ok()?) * 1_000_000 + micros)
}

/// A log that is being written.
#[derive(Debug, Clone)]
pub(crate) struct SharedLog(Arc<Mutex<Log>>);

impl SharedLog {
    /// An empty one, in which `hide` will not stand.
    pub(crate) fn new(hide: Vec<PathBuf>) -> Self {
        let hide = hide.into_iter().map(|path| path.to_string_lossy().into_owned()).collect();
        Self(Arc::new(Mutex::new(Log { hide, ..Log::default() })))
    }

    /// Adds what was read.
    pub(crate) fn write(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes);
    }

    /// What the file's header says about its length, in microseconds, once it was read.
    pub(crate) fn duration_us(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).duration_us
    }

    /// All of it, the last line included.
    pub(crate) fn take(&self) -> Log {
        let mut log = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        log.end_line();
        log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_the_last_lines_without_paths_or_chatter() {
        let log = SharedLog::new(vec!["/secret/store/file".into()]);
        log.write(b"[info]   Duration: 00:01:02.50, start: 0.000000\n[error] /secret/store/file: bad");
        log.write(b" data\n[error] again\n[error] again\n");
        assert_eq!(log.duration_us(), Some(62_500_000));
        log.write(format!("[error] {}", "x".repeat(10_000)).as_bytes());
        let log = log.take();
        assert_eq!(log.lines().take(2).collect::<Vec<_>>(), ["[error] SOURCE: bad data", "[error] again"]);
        assert!(log.text().len() < 1000 && log.lines().count() == 3);
    }

    #[test]
    fn a_log_has_a_limited_number_of_lines() {
        let log = SharedLog::new(Vec::new());
        (0..1000).for_each(|n| log.write(format!("line {n}\n").as_bytes()));
        let log = log.take();
        assert_eq!(log.lines().count(), limits::LOG_LINES);
        assert!(log.says("line 999") && !log.says("line 1\n"));
    }
}
