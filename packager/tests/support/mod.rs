//! Sources made by the real ffmpeg, and what ffprobe says about results.
#![allow(dead_code, unreachable_pub)]

pub mod parts;

use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use tidegate_packager::fragments::{Cut, Error, Init, Options, Output, Segment, Splitter};
use tidegate_wire::track::{Ratio, TrackPart};

pub fn rate(num: u32, den: u32) -> Ratio {
    Ratio { num: NonZeroU32::new(num).unwrap(), den: NonZeroU32::new(den).unwrap() }
}

/// Runs a tool; what it wrote.
pub fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
    output.stdout
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Frames `from..from + frames` of an endless test picture, as an encoder of a rung makes them.
pub fn video(rate: Ratio, size: &str, from: u64, frames: u64, gop: u32) -> Bytes {
    video_with(
        rate,
        size,
        from,
        frames,
        gop,
        "+frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets",
    )
}

pub fn video_with(rate: Ratio, size: &str, from: u64, frames: u64, gop: u32, flags: &str) -> Bytes {
    let (num, den) = (rate.num, rate.den);
    let source = format!(
        "testsrc2=s={size}:r={num}/{den},setsar=1,trim=start_frame={from}:end_frame={},setpts=PTS-STARTPTS",
        from + frames
    );
    let mut args = words("-nostdin -v error -f lavfi -i");
    args.push(&source);
    let (gop, num) = (gop.to_string(), num.to_string());
    let x264 = format!("open-gop=0:keyint={gop}:min-keyint={gop}:scenecut=0:threads=1");
    args.extend(words("-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params"));
    args.push(&x264);
    args.extend(["-video_track_timescale", &num, "-movflags", flags]);
    args.extend(words("-metadata title=secret -metadata:s:v handler_name=secret -f mp4 -"));
    run("ffmpeg", &args).into()
}

/// Seconds of a sweep in AAC, with the priming said.
pub fn audio(seconds: &str, channels: u32) -> Bytes {
    let source = format!("aevalsrc='sin(2*PI*t*(200+50*t))':s=48000:d={seconds}");
    let mut args = words("-nostdin -v error -f lavfi -i");
    args.push(&source);
    let channels = channels.to_string();
    args.extend(["-ac", &channels]);
    args.extend(words("-c:a aac -b:a 128k -movflags +empty_moov+default_base_moof+delay_moov"));
    args.extend(words("-metadata title=secret -metadata:s:a handler_name=secret"));
    args.extend(words("-frag_duration 500000 -f mp4 -"));
    run("ffmpeg", &args).into()
}

/// Cuts a whole stream that comes in pieces of such lengths, over and over.
pub fn split(
    options: Options,
    stream: &Bytes,
    pieces: &[usize],
) -> Result<(Option<Init>, Vec<Segment>), Error> {
    let mut splitter = Splitter::new(options);
    let (mut rest, mut outputs) = (stream.clone(), Vec::new());
    for length in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        outputs.extend(splitter.push(rest.split_to((*length).min(rest.len())))?);
    }
    outputs.extend(splitter.finish()?);
    let (mut init, mut segments) = (None, Vec::new());
    for output in outputs {
        match output {
            Output::Init(found) => assert!(init.replace(found).is_none() && segments.is_empty()),
            Output::Segment(segment) => segments.push(segment),
        }
    }
    Ok((init, segments))
}

pub fn cut_video(rate: Ratio, gop: u32) -> Cut {
    Cut::Video { frame_rate: rate, gop_frames: gop, segment_gops: 2 }
}

/// `init` and segments as one file.
pub fn joined(init: &Init, segments: &[Segment]) -> Vec<u8> {
    let mut bytes = init.bytes.to_vec();
    segments.iter().for_each(|segment| bytes.extend_from_slice(&segment.to_bytes()));
    bytes
}

/// Stores a part below `root` as a worker does.
pub fn store(root: &Path, track: &str, chunk: u32, init: &Init, segments: &[Segment]) -> TrackPart {
    let dir = format!("{chunk}-1/{track}");
    std::fs::create_dir_all(root.join(&dir)).unwrap();
    std::fs::write(root.join(&dir).join("init.mp4"), &init.bytes).unwrap();
    let part = TrackPart {
        track: track.into(),
        chunk,
        dir,
        format: init.format.clone(),
        init_size_bytes: init.bytes.len() as u64,
        init_digest: blake3::hash(&init.bytes).to_hex().to_string(),
        segments: segments.iter().map(|segment| segment.entry.clone()).collect(),
        whole: true,
    };
    for (index, segment) in segments.iter().enumerate() {
        std::fs::write(root.join(part.segment_path(index)), segment.to_bytes()).unwrap();
    }
    part
}

/// A line for each packet: `pts,dts,duration,size,flags`, in seconds.
pub fn packets(file: &Path, stream: &str, before: &[&str]) -> Vec<String> {
    let mut args = words("-v error");
    args.extend(before);
    args.extend([
        "-select_streams",
        stream,
        "-show_entries",
        "packet=pts_time,dts_time,duration_time,size,flags",
    ]);
    args.extend(words("-of csv=p=0"));
    args.push(file.to_str().unwrap());
    String::from_utf8(run("ffprobe", &args)).unwrap().lines().map(str::to_owned).collect()
}

/// How many frames decode without an error.
pub fn decoded(file: &Path, stream: &str, before: &[&str]) -> u64 {
    let mut args = words("-v error -count_frames");
    args.extend(before);
    args.extend(["-select_streams", stream, "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]);
    args.push(file.to_str().unwrap());
    String::from_utf8(run("ffprobe", &args))
        .unwrap()
        .trim()
        .trim_matches(',')
        .lines()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}
