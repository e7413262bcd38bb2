//! What ffmpeg says about how far it is (`-progress`).

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, BufReader};
use tokio::process::ChildStdout;

use crate::limits;
use crate::log::SharedLog;
use crate::pulse::Pulse;

/// What counts as all of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Total {
    /// So many frames.
    Frames(u64),
    /// The frames of the file from one on, at a rate; how long it is, ffmpeg finds out.
    FramesFrom(u64, f64),
    /// The length of the file.
    Time,
}

/// One report of ffmpeg.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Said {
    frame: u64,
    out_time_us: u64,
}

impl Said {
    /// Takes one line; whether it said something new.
    fn line(&mut self, line: &str) -> bool {
        let before = *self;
        match line.split_once('=') {
            Some(("frame", value)) => self.frame = value.trim().parse().unwrap_or(self.frame),
            Some(("out_time_us", value)) => {
                self.out_time_us = value.trim().parse().unwrap_or(self.out_time_us);
            }
            _ => {}
        }
        *self != before
    }

    /// How much of `total` is done, 0 to 1.
    #[allow(clippy::cast_precision_loss, reason = "it is a share")]
    fn done(self, total: Total, duration_us: Option<u64>) -> f64 {
        let duration_s = duration_us.unwrap_or(0) as f64 / 1e6;
        let (is, all) = match total {
            Total::Frames(frames) => (self.frame as f64, frames as f64),
            Total::FramesFrom(first, rate) => (self.frame as f64, duration_s * rate - first as f64),
            Total::Time => (self.out_time_us as f64 / 1e6, duration_s),
        };
        if all > 0.0 { (is / all).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// Follows the reports to their end.
pub(crate) async fn follow(stdout: ChildStdout, total: Total, log: SharedLog, pulse: Arc<Pulse>) {
    let (mut stdout, mut said, mut line) = (BufReader::new(stdout), Said::default(), Vec::new());
    while let Ok(byte) = stdout.read_u8().await {
        if byte != b'\n' {
            // A line is short; one that is not is none of ours.
            if line.len() < limits::LOG_LINE_BYTES {
                line.push(byte);
            }
            continue;
        }
        if said.line(&String::from_utf8_lossy(&line)) {
            pulse.moved();
            pulse.done(said.done(total, log.duration_us()));
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_share_of_what_is_to_be_done() {
        let mut said = Said::default();
        assert!(said.line("frame=60") && !said.line("frame=60") && !said.line("fps=0.0"));
        assert!(said.line("out_time_us=2000000"));
        assert!(!said.line("out_time_us=N/A"));
        for (total, duration_us, done) in [
            (Total::Frames(120), None, 0.5),
            (Total::Frames(30), None, 1.0),
            (Total::FramesFrom(180, 30.0), Some(10_000_000), 0.5),
            (Total::FramesFrom(180, 30.0), None, 0.0),
            (Total::Time, Some(8_000_000), 0.25),
        ] {
            assert_eq!(said.done(total, duration_us), done, "{total:?}");
        }
    }
}
