//! What ffprobe's JSON means. Pure.

use serde::Deserialize;
use tidegate_wire::job::{AudioStream, SourceInfo, SubtitleStream, VideoStream};

use crate::failure::Fault;
use crate::limits;

use super::{language, rate, verdict};

/// Subtitles that are text; the others are pictures of text.
const TEXT: [&str; 12] = [
    "mov_text",
    "subrip",
    "srt",
    "ass",
    "ssa",
    "webvtt",
    "text",
    "subviewer",
    "subviewer1",
    "microdvd",
    "sami",
    "ttml",
];

#[derive(Debug, Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Default, Deserialize)]
struct Format {
    #[serde(default)]
    format_name: String,
    start_time: Option<String>,
    duration: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stream {
    index: u32,
    codec_name: Option<String>,
    codec_type: String,
    width: u64,
    height: u64,
    sample_aspect_ratio: Option<String>,
    field_order: Option<String>,
    color_transfer: Option<String>,
    r_frame_rate: Option<String>,
    avg_frame_rate: Option<String>,
    start_time: Option<String>,
    duration: Option<String>,
    channels: u32,
    sample_rate: Option<String>,
    disposition: Disposition,
    tags: Tags,
    side_data_list: Vec<SideData>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Disposition {
    default: u8,
    attached_pic: u8,
    timed_thumbnails: u8,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tags {
    language: Option<String>,
    title: Option<String>,
    rotate: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SideData {
    rotation: Option<f64>,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Read {
    /// All of it.
    pub(super) info: SourceInfo,
    /// Whether its length is what its streams say. What the container says is often only an intention.
    pub(super) by_streams: bool,
}

/// Reads what ffprobe said.
pub(super) fn read(json: &[u8]) -> Result<Read, Fault> {
    let probed: Probed = serde_json::from_slice(json).map_err(|error| {
        tracing::warn!(%error, "probe.unreadable");
        Fault::permanent("source_damaged", "The file's description makes no sense.")
    })?;
    let streams = || probed.streams.iter().take(limits::SOURCE_STREAMS);
    for stream in streams() {
        verdict::pixels(stream.width, stream.height)?;
    }
    let video = streams().filter(|stream| stream.is_video()).max_by_key(|stream| stream.rank());
    let audio = streams().filter_map(audio_stream).collect::<Vec<_>>();
    let stream = video;
    let video = stream.map(video_stream).transpose()?;
    let begins = video.as_ref().map_or(0, |video| video.start_us);
    let timed = streams().filter(|stream| audio_stream(stream).is_some()).chain(stream);
    let by_streams = timed.filter_map(Stream::end_us).max();
    let ends = by_streams.or_else(|| probed.format.end_us());
    let info = SourceInfo {
        duration_ms: ends.map_or(0, |ends| length_ms(ends.saturating_sub(begins))),
        container: probed.format.format_name.clone(),
        video,
        audio,
        subtitles: streams().filter_map(subtitle).collect(),
    };
    if info.video.is_none() && info.audio.is_empty() {
        return Err(Fault::permanent(
            "no_streams",
            "The file has neither pictures nor sound that can be read.",
        ));
    }
    Ok(Read { info, by_streams: by_streams.is_some() })
}

/// A length in milliseconds, within bounds.
pub(super) fn length_ms(us: i64) -> u64 {
    u64::try_from(us).unwrap_or(0).div_ceil(1000).min(u64::from(limits::TRACK_S) * 1000)
}

impl Format {
    /// Where it ends by its own account, in microseconds on its timeline. Matroska counts from zero.
    fn end_us(&self) -> Option<i64> {
        let duration = self.duration.as_deref().and_then(micros)?;
        let starts = self.start_time.as_deref().and_then(micros).unwrap_or(0);
        Some(if self.format_name.contains("matroska") { duration } else { duration + starts })
    }
}

impl Stream {
    /// Where it ends on the file's timeline, in microseconds, if it says how long it is.
    fn end_us(&self) -> Option<i64> {
        let duration = self.duration.as_deref().and_then(micros).filter(|duration| *duration > 0)?;
        Some(duration + self.start_time.as_deref().and_then(micros).unwrap_or(0))
    }

    /// Pictures that move; a cover is not.
    fn is_video(&self) -> bool {
        let still = self.disposition.attached_pic | self.disposition.timed_thumbnails != 0;
        self.codec_type == "video" && self.codec_name.is_some() && !still
    }

    /// What is marked as the default comes before what is large, and that before what comes late.
    fn rank(&self) -> (u8, u64, std::cmp::Reverse<u32>) {
        (self.disposition.default, self.width * self.height, std::cmp::Reverse(self.index))
    }
}

fn video_stream(stream: &Stream) -> Result<VideoStream, Fault> {
    if stream.width == 0 || stream.height == 0 {
        return Err(Fault::permanent("source_damaged", "The pictures of the file cannot be read."));
    }
    let rotation = rotation(stream);
    let (width, height) = displayed(stream, rotation);
    verdict::pixels(u64::from(width), u64::from(height))?;
    let fraction = |text: &Option<String>| text.as_deref().and_then(rate::fraction);
    let (frame_rate, variable_rate) =
        rate::choose(fraction(&stream.r_frame_rate), fraction(&stream.avg_frame_rate));
    let hdr = stream.color_transfer.clone();
    Ok(VideoStream {
        index: stream.index,
        codec: stream.codec_name.clone().unwrap_or_default(),
        width,
        height,
        rotation,
        frame_rate,
        variable_rate,
        hdr: hdr.filter(|transfer| matches!(transfer.as_str(), "smpte2084" | "arib-std-b67")),
        interlaced: stream
            .field_order
            .as_deref()
            .is_some_and(|order| ["tt", "bb", "tb", "bt"].contains(&order)),
        start_us: stream.start_time.as_deref().and_then(micros).unwrap_or(0),
    })
}

/// Degrees clockwise. ffprobe counts the other way round, the old tag the same way.
fn rotation(stream: &Stream) -> u32 {
    let matrix = stream.side_data_list.iter().find_map(|data| data.rotation).map(|degrees| -degrees);
    let tag = || stream.tags.rotate.as_deref().and_then(|degrees| degrees.trim().parse().ok());
    let degrees: f64 = matrix.or_else(tag).filter(|degrees: &f64| degrees.is_finite()).unwrap_or(0.0);
    match (degrees / 90.0).round().rem_euclid(4.0) {
        1.0 => 90,
        2.0 => 180,
        3.0 => 270,
        _ => 0,
    }
}

/// Columns and lines with square samples, after rotation. The lines of the picture as it is stored stay.
fn displayed(stream: &Stream, rotation: u32) -> (u32, u32) {
    let ratio = stream.sample_aspect_ratio.as_deref().and_then(|text| text.split_once(':'));
    let ratio = ratio.and_then(|(num, den)| Some((num.parse::<u64>().ok()?, den.parse::<u64>().ok()?)));
    let (num, den) = ratio.filter(|(num, den)| *num > 0 && *den > 0).unwrap_or((1, 1));
    let width = (u128::from(stream.width) * u128::from(num) + u128::from(den) / 2) / u128::from(den);
    // A ratio out of this world would make it zero or endless; the size check that follows takes the latter.
    let width = u32::try_from(width).unwrap_or(u32::MAX).max(1);
    let height = u32::try_from(stream.height).unwrap_or(u32::MAX);
    if rotation % 180 == 90 { (height, width) } else { (width, height) }
}

fn audio_stream(stream: &Stream) -> Option<AudioStream> {
    let sample_rate = stream.sample_rate.as_deref()?.parse().ok().filter(|rate| *rate > 0)?;
    let codec = stream.codec_name.clone().filter(|_| stream.codec_type == "audio" && stream.channels > 0)?;
    Some(AudioStream {
        index: stream.index,
        codec,
        channels: stream.channels,
        sample_rate,
        language: stream.tags.language.as_deref().and_then(language::bcp47),
        title: title(stream),
    })
}

fn subtitle(stream: &Stream) -> Option<SubtitleStream> {
    let codec = stream.codec_name.clone().filter(|_| stream.codec_type == "subtitle")?;
    Some(SubtitleStream {
        index: stream.index,
        is_text: TEXT.contains(&codec.as_str()),
        codec,
        language: stream.tags.language.as_deref().and_then(language::bcp47),
        title: title(stream),
    })
}

fn title(stream: &Stream) -> Option<String> {
    let title = stream.tags.title.as_deref()?;
    let title: String = title.chars().filter(|c| !c.is_control()).take(limits::TITLE_CHARS).collect();
    Some(title.trim().to_owned()).filter(|title| !title.is_empty())
}

/// `SECONDS.FRACTION` in microseconds, exactly.
fn micros(text: &str) -> Option<i64> {
    let seconds: f64 = text.parse().ok().filter(|seconds: &f64| seconds.abs() < 1e9)?;
    #[allow(clippy::cast_possible_truncation, reason = "it is below 1e15")]
    Some((seconds * 1e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(stream: &str) -> VideoStream {
        let json =
            format!(r#"{{"streams":[{{"codec_type":"video","codec_name":"h264",{stream}}}],"format":{{}}}}"#);
        read(json.as_bytes()).unwrap().info.video.unwrap()
    }

    #[test]
    fn pictures_are_measured_as_they_are_shown() {
        let side = |degrees: i32| format!(r#""side_data_list":[{{"rotation":{degrees}}}]"#);
        for (stream, size, rotation) in [
            (r#""width":853,"height":481"#.to_owned(), (853, 481), 0),
            (format!(r#""width":1920,"height":1080,{}"#, side(-90)), (1080, 1920), 90),
            (format!(r#""width":1920,"height":1080,{}"#, side(90)), (1080, 1920), 270),
            (format!(r#""width":1920,"height":1080,{}"#, side(-180)), (1920, 1080), 180),
            (format!(r#""width":1920,"height":1080,{}"#, side(180)), (1920, 1080), 180),
            (r#""width":1920,"height":1080,"tags":{"rotate":"270"}"#.to_owned(), (1080, 1920), 270),
            (r#""width":720,"height":576,"sample_aspect_ratio":"64:45""#.to_owned(), (1024, 576), 0),
            (r#""width":720,"height":480,"sample_aspect_ratio":"8:9""#.to_owned(), (640, 480), 0),
            (r#""width":720,"height":480,"sample_aspect_ratio":"0:1""#.to_owned(), (720, 480), 0),
            (
                format!(r#""width":1440,"height":1080,"sample_aspect_ratio":"4:3",{}"#, side(-90)),
                (1080, 1920),
                90,
            ),
        ] {
            let video = video(&stream);
            assert_eq!(((video.width, video.height), video.rotation), (size, rotation), "{stream}");
        }
    }

    #[test]
    fn a_picture_stretched_beyond_bounds_is_refused() {
        let json = br#"{"streams":[{"codec_type":"video","codec_name":"h264","width":1920,"height":1080,
            "sample_aspect_ratio":"4000000000:1"}]}"#;
        let Err(Fault::Failed(failure)) = read(json) else { panic!("it was taken") };
        assert_eq!(failure.code, "source_too_large");
    }

    #[test]
    fn a_cover_is_not_video() {
        let json = br#"{"streams":[
            {"index":0,"codec_type":"audio","codec_name":"mp3","channels":2,"sample_rate":"44100","duration":"3.5"},
            {"index":1,"codec_type":"video","codec_name":"png","width":500,"height":500,
             "disposition":{"attached_pic":1}}]}"#;
        let info = read(json).unwrap().info;
        assert!(info.video.is_none());
        assert_eq!((info.audio[0].channels, info.duration_ms), (2, 3500));
    }

    #[test]
    fn languages_titles_and_kinds_of_subtitles_are_read() {
        let json = br#"{"streams":[
            {"index":0,"codec_type":"audio","codec_name":"aac","channels":6,"sample_rate":"48000",
             "tags":{"language":"ger","title":" Kommentar\u0007 "}},
            {"index":1,"codec_type":"subtitle","codec_name":"subrip","tags":{"language":"und"}},
            {"index":2,"codec_type":"subtitle","codec_name":"hdmv_pgs_subtitle","tags":{"language":"fra"}}]}"#;
        let info = read(json).unwrap().info;
        assert_eq!(info.audio[0].language.as_deref(), Some("de"));
        assert_eq!(info.audio[0].title.as_deref(), Some("Kommentar"));
        let texts: Vec<_> = info.subtitles.iter().map(|s| (s.is_text, s.language.as_deref())).collect();
        assert_eq!(texts, [(true, None), (false, Some("fr"))]);
    }

    #[test]
    fn nothing_to_see_and_nothing_to_hear_is_an_error() {
        for json in
            ["{}", r#"{"streams":[{"codec_type":"data"}]}"#, r#"{"streams":[{"codec_type":"video"}]}"#]
        {
            let Err(Fault::Failed(failure)) = read(json.as_bytes()) else { panic!("{json} was taken") };
            assert_eq!((failure.permanent, failure.code.as_str()), (true, "no_streams"));
        }
    }

    #[test]
    fn times_and_fields_are_read() {
        let video = video(
            r#""width":64,"height":64,"field_order":"tt","color_transfer":"smpte2084","start_time":"-0.083333""#,
        );
        assert!(video.interlaced);
        assert_eq!((video.hdr.as_deref(), video.start_us), (Some("smpte2084"), -83_333));
    }

    #[test]
    fn a_length_is_what_the_streams_say_from_the_first_picture_on_within_bounds() {
        let length = |streams: [(&str, &str); 2], format: &str| {
            let [(video_at, video), (audio_at, audio)] = streams;
            let json = format!(
                r#"{{"streams":[
                {{"codec_type":"video","codec_name":"h264","width":64,"height":64,"start_time":"{video_at}",
                  "duration":"{video}"}},
                {{"codec_type":"audio","codec_name":"aac","channels":2,"sample_rate":"48000",
                  "start_time":"{audio_at}","duration":"{audio}"}}],
                "format":{{"format_name":"mov","start_time":"0","duration":"{format}"}}}}"#
            );
            let read = read(json.as_bytes()).unwrap();
            (read.info.duration_ms, read.by_streams)
        };
        for (streams, format, expected) in [
            ([("0", "3.000"), ("0", "2.9")], "4294967.295", (3000, true)),
            ([("0", "10"), ("0", "32")], "32", (32_000, true)),
            ([("1.5", "10"), ("1.0", "10.6")], "10.6", (10_100, true)),
            ([("0", "N/A"), ("0", "8")], "9", (8000, true)),
            ([("0.5", "N/A"), ("0", "N/A")], "9", (8500, false)),
            ([("0", "4294967.295"), ("0", "1")], "1", (86_400_000, true)),
            ([("0", "N/A"), ("0", "N/A")], "N/A", (0, false)),
        ] {
            assert_eq!(length(streams, format), expected, "{streams:?} in {format}");
        }
    }
}
