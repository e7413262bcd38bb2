//! The text subtitles of a source, as WebVTT. What cannot be read of them is left out: the video plays without.

use std::ffi::OsString;
use std::path::Path;

use bytes::Bytes;
use tidegate_wire::job::{CaptionsWork, SubtitleStream};

use crate::attempt::Attempt;
use crate::encode::command;
use crate::failure::Fault;
use crate::ffmpeg::{self, Run};
use crate::limits;
use crate::progress::Total;
use crate::small;

/// ffmpeg's words for text that is not in UTF-8, whose lines it leaves out.
const NOT_UTF_8: &str = "Invalid UTF-8";

/// A stream and the name of what becomes of it.
type Wanted<'a> = (&'a SubtitleStream, &'a str);

/// Makes `NAME.vtt` for each stream that can be read; the names.
pub(crate) async fn make(
    attempt: &Attempt,
    work: &CaptionsWork,
    source: &Path,
) -> Result<Vec<String>, Fault> {
    let wanted: Vec<Wanted<'_>> = work.streams.iter().zip(work.tracks.iter().map(String::as_str)).collect();
    let texts = match &wanted[..] {
        [] => Vec::new(),
        [_] => one_by_one(attempt, work, source, &wanted).await?,
        // All at once reads the file once. Where that goes wrong it is not said which stream is to blame.
        _ => match take(attempt, source, work.start_us, &wanted, None).await? {
            Some(texts) => texts,
            None => one_by_one(attempt, work, source, &wanted).await?,
        },
    };
    let mut names = Vec::new();
    for ((_, track), text) in wanted.iter().zip(texts) {
        let Some(text) = text else {
            tracing::warn!(job = %attempt.claim.job, track, "captions.left_out");
            continue;
        };
        // Without a cue ffmpeg writes nothing at all.
        let text = if text.is_empty() { "WEBVTT\n".into() } else { text };
        let name = format!("{track}.vtt");
        attempt.store(&name, text).await?;
        names.push(name);
    }
    Ok(names)
}

/// Each stream by itself, and again in the encoding that is usual for its language where it is not in UTF-8.
async fn one_by_one(
    attempt: &Attempt,
    work: &CaptionsWork,
    source: &Path,
    wanted: &[Wanted<'_>],
) -> Result<Vec<Option<Bytes>>, Fault> {
    let mut texts = Vec::new();
    for one in wanted {
        let alone = std::slice::from_ref(one);
        let mut text = take(attempt, source, work.start_us, alone, None).await?;
        if text.is_none() {
            let encoding = encoding(one.0.language.as_deref());
            text = take(attempt, source, work.start_us, alone, Some(encoding)).await?;
        }
        texts.push(text.into_iter().flatten().flatten().next());
    }
    Ok(texts)
}

/// Runs ffmpeg for these streams: a text for each, none where it is too large. `None` where it could not read all of
/// them.
async fn take(
    attempt: &Attempt,
    source: &Path,
    start_us: i64,
    wanted: &[Wanted<'_>],
    encoding: Option<&str>,
) -> Result<Option<Vec<Option<Bytes>>>, Fault> {
    let run = Run {
        arguments: arguments(source, start_us, wanted, encoding),
        outputs: wanted.iter().map(|(_, track)| (*track).to_owned()).collect(),
        source,
        total: Total::Time,
        made: "captions".into(),
        nice: limits::NICE_SOON,
    };
    match ffmpeg::run(attempt, run, |_, stream| small::read(stream, limits::CAPTIONS_BYTES)).await {
        Ok(made) if made.log.says(NOT_UTF_8) => Ok(None),
        Ok(made) => Ok(Some(made.outputs)),
        Err(fault) if fault.is_of_the_file() => {
            tracing::debug!(job = %attempt.claim.job, ?fault, "captions.unreadable");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

fn arguments(source: &Path, start_us: i64, wanted: &[Wanted<'_>], encoding: Option<&str>) -> Vec<OsString> {
    // Cues move to where the pictures begin.
    let shift = format!("{}us", -start_us);
    let mut detail = vec!["-itsoffset", &shift];
    detail.extend(encoding.iter().flat_map(|encoding| ["-sub_charenc", encoding]));
    let mut arguments = command::open(source, None, &detail);
    for (stream, track) in wanted {
        let (map, output) = (format!("0:{}", stream.index), format!("unix:{track}"));
        let words = ["-map", &map, "-map_metadata", "-1", "-c:s", "webvtt", "-f", "webvtt", &output];
        arguments.extend(words.iter().map(Into::into));
    }
    arguments
}

/// What text in a language was written in before UTF-8, as iconv calls it.
fn encoding(language: Option<&str>) -> &'static str {
    let language = language.unwrap_or_default().split('-').next().unwrap_or_default();
    match language {
        "be" | "bg" | "kk" | "mk" | "mn" | "ru" | "sr" | "uk" => "CP1251",
        "bs" | "cs" | "hr" | "hu" | "pl" | "ro" | "sk" | "sl" | "sq" => "CP1250",
        "el" => "CP1253",
        "tr" => "CP1254",
        "he" => "CP1255",
        "ar" | "fa" | "ur" => "CP1256",
        "et" | "lt" | "lv" => "CP1257",
        "vi" => "CP1258",
        "th" => "CP874",
        "ja" => "CP932",
        "zh" => "GB18030",
        "ko" => "CP949",
        _ => "CP1252",
    }
}
