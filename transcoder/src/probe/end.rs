//! Where a file really ends, where its streams do not say.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use tidegate_wire::job::SourceInfo;

use crate::failure::{Fault, local};
use crate::limits;
use crate::process::{self, Allowance};
use crate::tools::Tools;

use super::{input, shape};

/// Looks at the packets from a little before the end that the container names: it may lie by days. The length in
/// milliseconds; `None` where nothing is found there, and what it says where looking takes too long.
pub(super) async fn look(tools: &Tools, source: &Path, info: &SourceInfo) -> Result<Option<u64>, Fault> {
    let begins = info.video.as_ref().map_or(0, |video| video.start_us);
    let claimed = i64::try_from(info.duration_ms).unwrap_or(i64::MAX).saturating_mul(1000);
    let from = begins.saturating_add(claimed).saturating_sub(i64::from(limits::END_LOOK_S) * 1_000_000);
    let words = ["-nostdin", "-v", "level+error", "-copyts"];
    let mut arguments: Vec<OsString> = words.iter().map(Into::into).collect();
    if from > begins {
        arguments.extend(["-seek_timestamp", "1", "-ss"].map(Into::into));
        arguments.push(format!("{from}us").into());
    }
    let [protocols, protocol, formats, list, name] = input(source);
    arguments.extend([protocols, protocol, formats, list, "-i".into(), name]);
    let timed = info.video.iter().map(|video| video.index).chain(info.audio.iter().map(|audio| audio.index));
    for index in timed {
        arguments.extend(["-map".into(), format!("0:{index}").into()]);
    }
    arguments.extend(["-c", "copy", "-copypriorss", "1", "-f", "framecrc", "pipe:1"].map(Into::into));
    let (allowance, time) = (Allowance::PROBE, limits::PROBE_TIME);
    let (bytes, hide) = (limits::PROBE_OUTPUT_BYTES, vec![source.to_owned()]);
    let said = process::output(&tools.ffmpeg, &arguments, allowance, time, bytes, hide).await;
    match said {
        Ok((_, said)) => {
            let last = last_end_us(&String::from_utf8_lossy(&said));
            Ok(last.map(|ends| shape::length_ms(ends.saturating_sub(begins))).filter(|length| *length > 0))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::FileTooLarge) => {
            Ok(Some(info.duration_ms))
        }
        Err(error) => Err(local("ffmpeg", &error)),
    }
}

/// The end of the packet that ends last, of lines `#tb STREAM: NUM/DEN` and `stream, dts, pts, duration, …`.
fn last_end_us(said: &str) -> Option<i64> {
    let mut bases = HashMap::new();
    let mut last = None;
    for line in said.lines() {
        if let Some((stream, base)) = line.strip_prefix("#tb ").and_then(|rest| rest.split_once(": ")) {
            let base = base.trim().split_once('/').and_then(|(num, den)| {
                Some((num.parse::<i128>().ok()?, den.parse::<i128>().ok().filter(|den| *den > 0)?))
            });
            bases.insert(stream.trim().to_owned(), base?);
            continue;
        }
        let mut fields = line.split(',').map(str::trim);
        let Some((num, den)) = fields.next().and_then(|stream| bases.get(stream)) else { continue };
        let mut numbers = fields.skip(1).map_while(|field| field.parse::<i128>().ok());
        let (Some(pts), Some(duration)) = (numbers.next(), numbers.next()) else { continue };
        let ends = i64::try_from((pts + duration) * num * 1_000_000 / den).ok();
        last = last.max(ends);
    }
    last
}

/// How long a file is that does not say so, as what a browser records: read to its end without decoding. 0 when it
/// cannot be known.
pub(super) async fn measure(tools: &Tools, source: &Path) -> Result<u64, Fault> {
    let mut arguments: Vec<OsString> = ["-nostdin", "-v", "level+error"].iter().map(Into::into).collect();
    let [protocols, protocol, formats, list, name] = input(source);
    arguments.extend([protocols, protocol, formats, list, "-i".into(), name]);
    let rest =
        ["-map", "0:V?", "-map", "0:a?", "-c", "copy", "-progress", "pipe:1", "-nostats", "-f", "null", "-"];
    arguments.extend(rest.iter().map(Into::into));
    let (allowance, time) = (Allowance::PROBE, limits::PROBE_TIME);
    let (bytes, hide) = (limits::PROBE_OUTPUT_BYTES, vec![source.to_owned()]);
    let said = process::output(&tools.ffmpeg, &arguments, allowance, time, bytes, hide).await;
    let (_, said) = match said {
        Ok(said) => said,
        // It is only an estimate: the encoders find the end by themselves.
        Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(0),
        Err(error) => return Err(local("ffmpeg", &error)),
    };
    let said = String::from_utf8_lossy(&said);
    let last =
        said.lines().rev().find_map(|line| line.strip_prefix("out_time_us=")?.trim().parse::<i64>().ok());
    Ok(shape::length_ms(last.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_that_ends_last_is_the_end() {
        let said = "#software: Lavf\n#tb 0: 1/1000\n#media_type 0: video\n#tb 1: 1/48000\n\
                    0, 2000, 2040, 40, 99, 0x1\n1, 96000, 96000, 1024, 9, 0x2\n0, 2040, 2000, 40, 99, 0x3, F=0x0\n";
        assert_eq!(last_end_us(said), Some(2_080_000));
        assert_eq!(last_end_us("#tb 0: 1/0\n0, 1, 1, 1, 1, 0\n"), None);
        assert_eq!(last_end_us(""), None);
    }
}
