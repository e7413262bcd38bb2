//! Shows events: bars on a terminal, plain lines elsewhere, JSON lines for scripts.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::events::{Event, Events};
use crate::limits;

/// Where events go.
pub(super) enum Console {
    /// One JSON object a line on standard output.
    Json(Throttle),
    /// A bar on standard error, results on standard output.
    Bar(ProgressBar),
    /// Lines on standard error, results on standard output.
    Lines(Throttle),
}

impl Console {
    /// JSON when asked for, else what suits standard error.
    pub(super) fn new(json: bool) -> Self {
        if json {
            Self::Json(Throttle::new(limits::PROGRESS_JSON_EVERY))
        } else if std::io::stderr().is_terminal() {
            Self::Bar(bar())
        } else {
            Self::Lines(Throttle::new(limits::PROGRESS_LINE_EVERY))
        }
    }

    /// Something for a person that belongs to no file.
    pub(super) fn note(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| note(text)),
            Self::Json(_) | Self::Lines(_) => note(text),
        }
    }
}

impl Events for Console {
    fn event(&mut self, event: &Event) {
        match self {
            Self::Json(throttle) => {
                if throttle.lets(event)
                    && let Ok(line) = serde_json::to_string(event)
                {
                    result(&line);
                }
            }
            Self::Lines(throttle) => {
                if throttle.lets(event) {
                    say(event);
                }
            }
            Self::Bar(bar) => show(bar, event),
        }
    }
}

/// Lets one progress per period through, and the one at which a file is all sent; everything else always.
pub(super) struct Throttle {
    every: Duration,
    last: Option<Shown>,
}

struct Shown {
    file: String,
    at: Instant,
    whole: bool,
}

impl Throttle {
    fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    fn lets(&mut self, event: &Event) -> bool {
        let (file, sent_bytes, size_bytes) = match event {
            Event::Progress { file, sent_bytes, size_bytes, .. } => (file, sent_bytes, size_bytes),
            Event::Processing { file, progress } => (file, &steps(*progress), &limits::PROCESSING_STEPS),
            _ => return true,
        };
        let whole = sent_bytes == size_bytes;
        let due = match &self.last {
            Some(last) if last.file == *file => last.at.elapsed() >= self.every || (whole && !last.whole),
            // The period begins with the file.
            _ => whole,
        };
        let new_file = self.last.as_ref().is_none_or(|last| last.file != *file);
        if due || new_file {
            self.last = Some(Shown { file: file.clone(), at: Instant::now(), whole });
        }
        due
    }
}

fn bar() -> ProgressBar {
    let template = "{msg:30!} {wide_bar} {percent:>3}% {bytes}/{total_bytes} {prefix}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar
}

fn show(bar: &ProgressBar, event: &Event) {
    match event {
        Event::Progress { file, sent_bytes, size_bytes, bytes_per_second, seconds_left, .. } => {
            bar.set_message(base_name(file).to_owned());
            bar.set_length(*size_bytes);
            bar.set_position(*sent_bytes);
            bar.set_prefix(pace(*bytes_per_second, *seconds_left));
        }
        Event::Processing { file, progress } => {
            bar.set_message(base_name(file).to_owned());
            bar.set_length(limits::PROCESSING_STEPS);
            bar.set_position(steps(*progress));
            bar.set_prefix("being made");
        }
        Event::Finished(_) | Event::Playable(_) | Event::Failed { .. } => {
            bar.set_draw_target(ProgressDrawTarget::hidden());
            say(event);
            bar.reset();
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        other => bar.suspend(|| say(other)),
    }
}

fn say(event: &Event) {
    match event {
        Event::Created { file, url, part: 0, parts: 1, .. } => note(&format!("{file}: created {url}")),
        Event::Created { file, url, part, parts, .. } => {
            note(&format!("{file}: created part {} of {parts}, {url}", part + 1));
        }
        Event::Resumed { file, offset_bytes, size_bytes } => {
            let (offset, size) = (HumanBytes(*offset_bytes), HumanBytes(*size_bytes));
            note(&format!("{file}: goes on, at least {offset} of {size} are there"));
        }
        Event::Progress { file, sent_bytes, size_bytes, bytes_per_second, seconds_left, .. } => {
            let (sent, size) = (HumanBytes(*sent_bytes), HumanBytes(*size_bytes));
            note(&format!("{file}: {sent} of {size} {}", pace(*bytes_per_second, *seconds_left)));
        }
        Event::Retry { file, reason, delay_ms, .. } => {
            let seconds = Duration::from_millis(*delay_ms).as_secs_f64();
            note(&format!("{file}: {reason}; trying again in {seconds:.1} s"));
        }
        Event::Warning { file, message, .. } => note(&format!("{file}: warning: {message}")),
        Event::Failed { file, message, .. } => note(&format!("{file}: failed: {message}")),
        Event::Processing { file, progress } => {
            note(&format!("{file}: {} % made", steps(*progress) * 100 / limits::PROCESSING_STEPS));
        }
        Event::Playable(playable) => match playable.state.as_str() {
            "uploaded" => note(&format!("{}: nothing is made of it, it is there as it is", playable.file)),
            _ => note(&format!("{}: can be played: {}", playable.file, playable.url)),
        },
        Event::Finished(finished) => {
            let proof = if finished.verified { "verified" } else { "not verified" };
            let (size, digest) = (HumanBytes(finished.size_bytes), finished.digest);
            note(&format!("{}: uploaded {size}, {digest} ({proof})", finished.file));
            result(&finished.url);
        }
    }
}

/// A share of 0 to 1 as steps of a bar.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a small number of steps"
)]
fn steps(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * limits::PROCESSING_STEPS as f64) as u64
}

fn pace(bytes_per_second: u64, seconds_left: Option<u64>) -> String {
    let rate = HumanBytes(bytes_per_second);
    match seconds_left {
        Some(left) => format!("{rate}/s, {} left", HumanDuration(Duration::from_secs(left))),
        None => format!("{rate}/s"),
    }
}

fn base_name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn note(text: &str) {
    // A reader that has gone is no reason to stop uploading.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(file: &str, sent_bytes: u64) -> Event {
        let file = file.to_owned();
        Event::Progress {
            file,
            sent_bytes,
            confirmed_bytes: 0,
            size_bytes: 100,
            bytes_per_second: 1,
            seconds_left: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_thinned_out_and_everything_else_is_not() {
        let mut throttle = Throttle::new(Duration::from_secs(1));
        assert!(!throttle.lets(&progress("a", 0)));
        assert!(!throttle.lets(&progress("a", 2)));
        assert!(throttle.lets(&Event::Warning { file: "a".into(), code: "x", message: String::new() }));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(throttle.lets(&progress("a", 3)));
        assert!(!throttle.lets(&progress("b", 1)));
        assert!(throttle.lets(&progress("b", 100)));
        assert!(!throttle.lets(&progress("b", 100)));
    }
}
