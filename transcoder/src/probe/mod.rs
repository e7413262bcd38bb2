//! Looks at a source: what ffprobe says, under limits, made into a [`SourceInfo`] or a reason why not.

mod end;
mod language;
mod rate;
mod shape;
mod verdict;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use tidegate_wire::job::SourceInfo;

use crate::failure::{Fault, local};
use crate::limits;
use crate::process::{self, Allowance};
use crate::tools::Tools;

use shape::Read;

/// The containers that are read. No playlists, no lists of other files, no pictures: those make ffmpeg open what a
/// stranger names, or are not media that plays.
pub(crate) const FORMATS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,live_flv,ogg,wav,w64,\
mp3,flac,aac,asf,mxf,aiff,caf,amr,ac3,eac3";

/// What is asked of ffprobe, and nothing beyond: a file's tags may be megabytes.
const ENTRIES: &str = "format=format_name,start_time,duration:\
stream=index,codec_name,codec_type,width,height,sample_aspect_ratio,field_order,color_transfer,r_frame_rate,\
avg_frame_rate,start_time,duration,channels,sample_rate:\
stream_disposition=default,attached_pic,timed_thumbnails:stream_tags=language,title,handler_name,rotate:\
stream_side_data=side_data_type,rotation";

/// The options that bind both tools to one local file of a known kind, and its name.
pub(crate) fn input(source: &Path) -> [OsString; 5] {
    let mut name = OsString::from("file:");
    name.push(source);
    ["-protocol_whitelist".into(), "file".into(), "-format_whitelist".into(), FORMATS.into(), name]
}

/// Looks at `source`, which has `size_bytes`.
///
/// # Errors
/// A permanent fault when it cannot become video or sound, a transient one when it could not be looked at.
pub(crate) async fn probe(tools: &Tools, source: &Path, size_bytes: u64) -> Result<SourceInfo, Fault> {
    if size_bytes == 0 {
        return Err(Fault::permanent("source_empty", "The file is empty."));
    }
    let mut arguments: Vec<OsString> =
        ["-v", "level+error", "-of", "json=c=1", "-show_entries", ENTRIES].iter().map(Into::into).collect();
    let [protocols, protocol, formats, list, name] = input(source);
    arguments.extend([protocols, protocol, formats, list, "-i".into(), name]);
    let hide = vec![source.to_owned()];
    let said = process::output(
        &tools.ffprobe,
        &arguments,
        Allowance::PROBE,
        limits::PROBE_TIME,
        limits::PROBE_OUTPUT_BYTES,
        hide,
    );
    let (exit, said) = match said.await {
        Ok(said) => said,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(Fault::permanent("source_damaged", "The file describes itself without end."));
        }
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            return Err(Fault::transient("probe_timed_out", "Looking at the file took too long."));
        }
        Err(error) => return Err(local("ffprobe", &error)),
    };
    verdict::size(&exit.log)?;
    if !exit.status.success() {
        return Err(verdict::refused(&exit, &head(source).map_err(|error| local("source", &error))?));
    }
    let Read { mut info, by_streams } = shape::read(&said).map_err(|fault| fault.log(exit.log.text()))?;
    if !by_streams && info.duration_ms > 0 {
        info.duration_ms = end::look(tools, source, &info).await?.unwrap_or(0);
    }
    if info.duration_ms == 0 {
        info.duration_ms = end::measure(tools, source).await?;
    }
    Ok(info)
}

/// The first bytes of the file.
fn head(source: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut head = Vec::with_capacity(12);
    std::fs::File::open(source)?.take(12).read_to_end(&mut head)?;
    Ok(head)
}
