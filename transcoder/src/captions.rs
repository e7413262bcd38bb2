//! The text subtitles of a source, as WebVTT.

use std::ffi::OsString;
use std::path::Path;

use tidegate_wire::job::CaptionsWork;

use crate::attempt::Attempt;
use crate::encode::command;
use crate::failure::Fault;
use crate::ffmpeg::{self, Run};
use crate::limits;
use crate::progress::Total;
use crate::small;

/// Makes `NAME.vtt` for each stream; the names.
pub(crate) async fn make(
    attempt: &Attempt,
    work: &CaptionsWork,
    source: &Path,
) -> Result<Vec<String>, Fault> {
    if work.streams.is_empty() {
        return Ok(Vec::new());
    }
    let run = Run {
        arguments: arguments(source, work),
        outputs: work.tracks.clone(),
        source,
        total: Total::Time,
        made: "captions".into(),
        nice: limits::NICE_SOON,
    };
    let texts = ffmpeg::run(attempt, run, |_, stream| small::read(stream)).await?;
    let names: Vec<String> = work.tracks.iter().map(|track| format!("{track}.vtt")).collect();
    for (name, text) in names.iter().zip(texts) {
        // Without a cue ffmpeg writes nothing at all.
        let text = if text.is_empty() { "WEBVTT\n".into() } else { text };
        attempt.store(name, text).await?;
    }
    Ok(names)
}

fn arguments(source: &Path, work: &CaptionsWork) -> Vec<OsString> {
    // Cues move to where the pictures begin.
    let shift = format!("{}us", -work.start_us);
    let mut arguments = command::open(source, None, &["-itsoffset", &shift]);
    for (stream, track) in work.streams.iter().zip(&work.tracks) {
        let (map, output) = (format!("0:{}", stream.index), format!("unix:{track}"));
        let words = ["-map", &map, "-map_metadata", "-1", "-c:s", "webvtt", "-f", "webvtt", &output];
        arguments.extend(words.iter().map(Into::into));
    }
    arguments
}
