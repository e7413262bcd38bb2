//! What ffmpeg is told. Pure.

use std::ffi::OsString;
use std::path::Path;

use tidegate_wire::job::{AudioWork, RenditionWork, Rung, VideoStream};

use crate::limits;
use crate::probe;

use super::filter::{self, ToneMapping};

/// Where reading of the source begins, in microseconds on its own timeline; `None` at its first byte.
pub(crate) type SeekUs = Option<i64>;

/// What every call begins with: nothing is asked of a terminal, timestamps stay as they are, and progress goes to
/// standard output. `detail` is for the decoder.
pub(crate) fn open(source: &Path, seek: SeekUs, detail: &[&str]) -> Vec<OsString> {
    // Levels tell what is worth keeping of the log; information has the length of the file.
    let head = ["-nostdin", "-hide_banner", "-v", "level+info", "-nostats", "-progress", "pipe:1", "-copyts"];
    let mut arguments: Vec<OsString> = head.iter().map(Into::into).collect();
    if let Some(seek) = seek {
        arguments.extend(["-noaccurate_seek", "-seek_timestamp", "1", "-ss"].map(Into::into));
        arguments.push(format!("{seek}us").into());
    }
    arguments.extend(detail.iter().map(Into::into));
    let [protocols, protocol, formats, list, name] = probe::input(source);
    arguments.extend([protocols, protocol, formats, list, "-i".into(), name]);
    arguments
}

/// What the decoder is told about pictures that do not say how their colours are meant.
pub(crate) fn colours(video: &VideoStream) -> [&'static str; 2] {
    let large = video.width.max(video.height) >= 1280 || video.width.min(video.height) > 576;
    ["-colorspace", if large { "bt709" } else { "smpte170m" }]
}

/// Encodes the rungs of a chunk. Each goes to the socket `unix:TRACK` in the working directory.
pub(crate) fn rendition(
    source: &Path,
    seek: SeekUs,
    work: &RenditionWork,
    can: ToneMapping,
) -> Vec<OsString> {
    let mut arguments = open(source, seek, &colours(&work.video));
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(Into::into));
    add(&["-filter_complex", &filter::ladder(work, seek, can)]);
    for rung in &work.rungs {
        add(&["-map", &format!("[{}]", rung.track), "-fps_mode", "passthrough"]);
        add(&["-frames:v", &frames(work).to_string()]);
        rung_options(&mut add, rung, work);
        let timescale = work.video.frame_rate.num.to_string();
        add(&[
            "-video_track_timescale",
            &timescale,
            "-movflags",
            "cmaf+frag_keyframe+empty_moov+default_base_moof",
        ]);
        finish(&mut add, &rung.track);
    }
    arguments
}

/// Frames of the chunk: to the end of the source where nobody counted them, within bounds.
fn frames(work: &RenditionWork) -> u64 {
    let rate = work.video.frame_rate;
    let most = u64::from(limits::TRACK_S) * u64::from(rate.num.get()) / u64::from(rate.den.get());
    work.frames.unwrap_or_else(|| most.saturating_sub(work.first_frame).max(1))
}

fn rung_options(add: &mut impl FnMut(&[&str]), rung: &Rung, work: &RenditionWork) {
    let gop = work.gop_frames.to_string();
    // 3.1 and below is what main profile is for: the oldest of phones.
    let profile = if rung.width.min(rung.height) <= 360 { "main" } else { "high" };
    let rate = f64::from(rung.bitrate_bps);
    let (maxrate, buffer) = (rate * limits::MAXRATE, rate * limits::BUFFER_S);
    add(&["-c:v", "libx264", "-preset", &rung.preset, "-profile:v", profile, "-pix_fmt", "yuv420p"]);
    add(&["-g", &gop, "-keyint_min", &gop, "-sc_threshold", "0", "-flags:v", "+cgop+bitexact"]);
    add(&["-b:v", &rung.bitrate_bps.to_string(), "-maxrate", &format!("{maxrate:.0}")]);
    add(&["-bufsize", &format!("{buffer:.0}")]);
    add(&["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv"]);
}

/// Encodes one audio track, whole, to the socket `unix:TRACK`.
pub(crate) fn audio(source: &Path, work: &AudioWork) -> Vec<OsString> {
    let mut arguments = open(source, None, &[]);
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(Into::into));
    let rate = limits::AUDIO_RATE.to_string();
    let layout = if work.channels == 1 { "mono" } else { "stereo" };
    // Gaps are filled and overlaps squeezed out, so that sample n lies at n over the rate; then the channels.
    let mut filter = format!(
        "asetpts=PTS-({})/1000000/TB,aresample={rate}:async=1:first_pts=0,aformat=channel_layouts={layout}",
        work.start_us
    );
    if let Some(end_us) = work.end_us {
        filter.push_str(&format!(",apad,atrim=end_sample={}", samples(end_us)));
    }
    add(&["-map", &format!("0:{}", work.audio.index), "-af", &filter]);
    add(&["-t", &limits::TRACK_S.to_string()]);
    add(&["-c:a", "aac", "-profile:a", "aac_low", "-b:a", &work.bitrate_bps.to_string(), "-ar", &rate]);
    add(&["-flags:a", "+bitexact", "-use_editlist", "1", "-avoid_negative_ts", "disabled"]);
    add(&["-frag_duration", &limits::AUDIO_FRAGMENT_US.to_string()]);
    // The edit list that takes the encoder's priming off is only written once the first sample is there.
    add(&["-movflags", "delay_moov+default_base_moof"]);
    finish(&mut add, &work.track);
    arguments
}

/// Samples of sound until `end_us`, in whole frames of AAC: a player that finds sound behind the last picture waits for
/// pictures, while one that lacks less than a frame of it does not notice.
fn samples(end_us: u64) -> u64 {
    let samples = u128::from(end_us) * u128::from(limits::AUDIO_RATE) / 1_000_000;
    u64::try_from(samples).unwrap_or(u64::MAX).max(AAC_FRAME) / AAC_FRAME * AAC_FRAME
}

/// Samples in a frame of AAC-LC.
const AAC_FRAME: u64 = 1024;

/// No tags, no chapters, no version of ffmpeg: the same source makes the same initialisation segment.
fn finish(add: &mut impl FnMut(&[&str]), track: &str) {
    add(&["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]);
    add(&["-f", "mp4", &format!("unix:{track}")]);
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tidegate_wire::job::AudioStream;
    use tidegate_wire::track::Ratio;

    use super::*;

    fn text(arguments: &[OsString]) -> String {
        arguments.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    fn work() -> RenditionWork {
        let frame_rate = Ratio { num: NonZeroU32::new(30_000).unwrap(), den: NonZeroU32::new(1001).unwrap() };
        let rung = |track: &str, width, height, bitrate_bps| Rung {
            track: track.into(),
            width,
            height,
            bitrate_bps,
            preset: if height > 480 { "superfast" } else { "veryfast" }.into(),
        };
        RenditionWork {
            video: VideoStream {
                index: 0,
                codec: "hevc".into(),
                width: 1920,
                height: 1080,
                rotation: 0,
                frame_rate,
                variable_rate: false,
                hdr: None,
                interlaced: false,
                start_us: 0,
            },
            chunk: 1,
            first_frame: 720,
            frames: Some(720),
            first_segment: 6,
            gop_frames: 60,
            segment_gops: 2,
            rungs: vec![rung("v360", 640, 360, 800_000), rung("v720", 1280, 720, 2_400_000)],
            encryption: None,
        }
    }

    #[test]
    fn a_chunk_is_read_from_before_its_first_frame_and_ends_after_its_last() {
        let said = text(&rendition(Path::new("/s"), Some(22_024_000), &work(), ToneMapping(true)));
        for words in [
            "-nostdin ",
            "-copyts -noaccurate_seek -seek_timestamp 1 -ss 22024000us ",
            "-protocol_whitelist file -format_whitelist mov,",
            " -i file:/s ",
            "-colorspace bt709 -protocol",
            "-map [v360] -fps_mode passthrough -frames:v 720 -c:v libx264 -preset veryfast -profile:v main ",
            "-g 60 -keyint_min 60 -sc_threshold 0 -flags:v +cgop+bitexact -b:v 800000 -maxrate 1000000 -bufsize 1600000 ",
            "-c:v libx264 -preset superfast -profile:v high ",
            "-b:v 2400000 -maxrate 3000000 -bufsize 4800000 ",
            "-video_track_timescale 30000 -movflags cmaf+frag_keyframe+empty_moov+default_base_moof ",
            "-f mp4 unix:v360 ",
        ] {
            assert!(said.contains(words), "{words:?} is not in {said}");
        }
        assert!(said.ends_with("-f mp4 unix:v720"), "{said}");
    }

    #[test]
    fn the_last_chunk_ends_where_the_source_does() {
        let open_ended = RenditionWork { frames: None, first_frame: 0, ..work() };
        let said = text(&rendition(Path::new("/s"), None, &open_ended, ToneMapping(false)));
        // A day of frames, where nobody counted them.
        assert!(said.contains("-frames:v 2589410 ") && !said.contains("-ss "), "{said}");
    }

    #[test]
    fn sound_begins_with_the_pictures() {
        let audio_stream = AudioStream {
            index: 1,
            codec: "ac3".into(),
            channels: 6,
            sample_rate: 44_100,
            language: None,
            title: None,
        };
        let work = AudioWork {
            audio: audio_stream,
            track: "a0".into(),
            start_us: -83_333,
            end_us: Some(24_000_000),
            segment_ms: 4000,
            bitrate_bps: 128_000,
            channels: 2,
            encryption: None,
        };
        let said = text(&audio(Path::new("/s"), &work));
        for words in [
            "-map 0:1 -af asetpts=PTS-(-83333)/1000000/TB,aresample=48000:async=1:first_pts=0,",
            "aformat=channel_layouts=stereo,apad,atrim=end_sample=1152000 ",
            "-c:a aac -profile:a aac_low -b:a 128000 -ar 48000 ",
        ] {
            assert!(said.contains(words), "{words:?} is not in {said}");
        }
        assert!(said.ends_with("-f mp4 unix:a0"), "{said}");
        let mono = text(&super::audio(Path::new("/s"), &AudioWork { channels: 1, end_us: None, ..work }));
        assert!(mono.contains("channel_layouts=mono -t"), "{mono}");
    }

    #[test]
    fn sound_ends_with_the_last_whole_frame_before_the_pictures_end() {
        for (end_us, frames) in
            [(0, 1), (16_000, 1), (24_000_000, 1125), (24_033_333, 1126), (10_010_000, 469)]
        {
            assert_eq!(samples(end_us), frames * 1024, "{end_us}");
        }
    }
}
