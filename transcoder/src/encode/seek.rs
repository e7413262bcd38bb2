//! Where to begin reading for a chunk.
//!
//! Decoding can begin at a keyframe only, and every picture shown after a keyframe decodes from it. So one is looked
//! for that lies before the chunk's first frame, by reading from a little before it; further and further back where
//! there is none, as in broadcast streams, which have no index of keyframes.

use std::ffi::OsString;
use std::path::Path;

use tidegate_wire::job::{RenditionWork, VideoStream};

use crate::failure::{Fault, local};
use crate::limits;
use crate::process::{self, Allowance};
use crate::tools::Tools;

use super::command::SeekUs;
use crate::probe;

/// The chunk's first frame on the file's timeline, in microseconds.
fn begins_us(work: &RenditionWork) -> i64 {
    let rate = work.video.frame_rate;
    let frames = u128::from(work.first_frame) * u128::from(rate.den.get()) * 1_000_000;
    let offset = i64::try_from(frames / u128::from(rate.num.get())).unwrap_or(i64::MAX);
    offset.saturating_add(work.video.start_us)
}

/// Finds where reading has to begin.
pub(super) async fn find(tools: &Tools, source: &Path, work: &RenditionWork) -> Result<SeekUs, Fault> {
    let begins = begins_us(work);
    #[allow(clippy::cast_possible_truncation, reason = "a frame is far below a second")]
    let frame = (1e6 / work.video.frame_rate.as_f64()).ceil() as i64;
    for margin in limits::SEEK_MARGINS_S {
        let seek = begins.saturating_sub(i64::from(margin) * 1_000_000);
        if seek <= work.video.start_us {
            break;
        }
        match keyframe_us(tools, source, &work.video, seek).await? {
            Some(keyframe) if keyframe <= begins - frame => return Ok(Some(seek)),
            // None at all is also what reading behind the end of a file gives.
            _ => {}
        }
    }
    Ok(None)
}

/// The timestamp of the first keyframe that reading from `seek` finds, in microseconds.
async fn keyframe_us(
    tools: &Tools,
    source: &Path,
    video: &VideoStream,
    seek: i64,
) -> Result<Option<i64>, Fault> {
    let words = ["-nostdin", "-v", "level+error", "-copyts", "-seek_timestamp", "1", "-ss"];
    let mut arguments: Vec<OsString> = words.iter().map(Into::into).collect();
    arguments.push(format!("{seek}us").into());
    let [protocols, protocol, formats, list, name] = probe::input(source);
    arguments.extend([protocols, protocol, formats, list, "-i".into(), name]);
    let map = format!("0:{}", video.index);
    let rest =
        ["-map", &map, "-c", "copy", "-copypriorss", "1", "-frames:v", "1", "-f", "framecrc", "pipe:1"];
    arguments.extend(rest.iter().map(Into::into));
    let (time, bytes) = (limits::PROBE_TIME, limits::PROBE_OUTPUT_BYTES);
    let hide = vec![source.to_owned()];
    let said = process::output(&tools.ffmpeg, &arguments, Allowance::PROBE, time, bytes, hide).await;
    match said {
        Ok((_, said)) => Ok(first_timestamp_us(&String::from_utf8_lossy(&said))),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Ok(None),
        Err(error) => Err(local("ffmpeg", &error)),
    }
}

/// `#tb 0: 1/90000` and a line of `stream, dts, pts, …`.
fn first_timestamp_us(said: &str) -> Option<i64> {
    let base = said.lines().find_map(|line| line.strip_prefix("#tb 0: "))?;
    let (num, den) = base.trim().split_once('/')?;
    let line = said.lines().find(|line| !line.starts_with('#'))?;
    let ticks: i128 = line.split(',').nth(2)?.trim().parse().ok()?;
    let (num, den): (i128, i128) = (num.parse().ok()?, den.parse().ok()?);
    i64::try_from((ticks * num * 1_000_000).checked_div(den)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_timestamp_is_read() {
        let said = "#software: Lavf\n#tb 0: 1/90000\n#dimensions 0: 1x1\n0,     666540,     672546,     3003, 5163, 0xa\n";
        assert_eq!(first_timestamp_us(said), Some(7_472_733));
        assert_eq!(first_timestamp_us("#tb 0: 1/90000\n"), None);
        assert_eq!(first_timestamp_us(""), None);
    }
}
