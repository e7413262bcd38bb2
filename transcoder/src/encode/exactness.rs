//! A chunk made alone holds exactly the frames that a whole encode has there, whatever the container and the
//! timestamps are like. Compared picture by picture, before the encoder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidegate_wire::job::{RenditionWork, Rung, VideoStream};

use super::command::{self, SeekUs};
use super::filter;
use super::seek;
use crate::probe;
use crate::tools::{self, Tools};

/// Runs ffmpeg in `directory`.
fn ffmpeg(directory: &Path, words: &str) {
    let mut command = Command::new("ffmpeg");
    command.current_dir(directory).args(["-nostdin", "-v", "error", "-y"]).args(words.split_whitespace());
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

fn work(video: &VideoStream, first_frame: u64, frames: Option<u64>) -> RenditionWork {
    let rung =
        Rung { track: "v".into(), width: 160, height: 90, bitrate_bps: 100_000, preset: "veryfast".into() };
    let rate = video.frame_rate;
    let gop_frames = (2 * rate.num.get() + rate.den.get() / 2) / rate.den.get();
    RenditionWork {
        video: video.clone(),
        chunk: 0,
        first_frame,
        frames,
        first_segment: 0,
        gop_frames,
        segment_gops: 2,
        rungs: vec![rung],
        encryption: None,
    }
}

/// The digests of the pictures from `first_frame` on, as they would go into the encoder.
fn pictures(source: &Path, seek: SeekUs, work: &RenditionWork) -> Vec<String> {
    let graph = format!("[0:{}]{}[v]", work.video.index, filter::grid(work, seek));
    let mut command = Command::new("ffmpeg");
    command.args(command::open(source, seek, &command::colours(&work.video)));
    command.args(["-filter_complex", &graph, "-map", "[v]", "-fps_mode", "passthrough"]);
    if let Some(frames) = work.frames {
        command.args(["-frames:v", &frames.to_string()]);
    }
    command.args(["-f", "framemd5", "-progress", "/dev/null", "pipe:1"]).stderr(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", source.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .enumerate()
        .map(|(number, line)| {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            assert_eq!(fields[2], number.to_string(), "{}: a timestamp is off the grid", source.display());
            fields[5].to_owned()
        })
        .collect()
}

/// Compares chunks of one segment each, the last one open-ended, with the whole.
async fn compare(tools: &Tools, source: &Path, expected_frames: std::ops::RangeInclusive<usize>) {
    let size = source.metadata().unwrap().len();
    let video = probe::probe(tools, source, size).await.unwrap().video.unwrap();
    let whole = pictures(source, None, &work(&video, 0, None));
    let name = source.file_name().unwrap().to_string_lossy();
    assert!(
        expected_frames.contains(&whole.len()),
        "{name}: {} frames at {:?}",
        whole.len(),
        video.frame_rate
    );
    let segment = u64::from(work(&video, 0, None).gop_frames) * 2;
    let mut first = 0;
    loop {
        let frames = (first + 2 * segment < whole.len() as u64).then_some(segment);
        let work = work(&video, first, frames);
        let seek = seek::find(tools, source, &work).await.unwrap();
        let from = usize::try_from(first).unwrap();
        let until = frames.map_or(whole.len(), |frames| from + usize::try_from(frames).unwrap());
        assert_eq!(pictures(source, seek, &work), whole[from..until], "{name} from frame {first}, {seek:?}");
        if frames.is_none() {
            break;
        }
        first += segment;
    }
    assert!(first >= segment, "{name}: nothing was cut");
    let behind = work(&video, (whole.len() as u64).next_multiple_of(segment) + segment, Some(segment));
    let seek = seek::find(tools, source, &behind).await.unwrap();
    let held = vec![whole[whole.len() - 1].clone(); usize::try_from(segment).unwrap()];
    assert_eq!(pictures(source, seek, &behind), held, "{name}: the last picture is not held");
    let across = self::work(&video, first, Some(whole.len() as u64 - first + 7));
    let seek = seek::find(tools, source, &across).await.unwrap();
    let expected = [&whole[usize::try_from(first).unwrap()..], &held[..7]].concat();
    assert_eq!(pictures(source, seek, &across), expected, "{name}: the last picture is not held to the end");
    let open = self::work(&video, (whole.len() as u64).next_multiple_of(segment), None);
    let seek = seek::find(tools, source, &open).await.unwrap();
    assert!(pictures(source, seek, &open).is_empty(), "{name}: there is something behind the end");
}

fn made(directory: &Path, words: &str, name: &str) -> PathBuf {
    ffmpeg(directory, &format!("{words} {name}"));
    directory.join(name)
}

const X264: &str = "-c:v libx264 -preset ultrafast -tune animation -bf 3 -g 75 -pix_fmt yuv420p";

#[tokio::test]
async fn a_chunk_is_what_the_whole_has_there_at_constant_rates_in_each_container() {
    let (tools, dir) = (tools::find(None, None).await.unwrap(), tempfile::tempdir().unwrap());
    let dir = dir.path();
    let sound = "-f lavfi -i sine=440:d=13 -c:a aac";
    made(dir, &format!("-f lavfi -i testsrc2=s=160x90:r=30000/1001:d=13 {sound} {X264}"), "ntsc.mp4");
    for name in ["ntsc.mov", "ntsc.mkv", "ntsc.ts"] {
        ffmpeg(dir, &format!("-i ntsc.mp4 -c copy {name}"));
    }
    for name in ["ntsc.mp4", "ntsc.mov", "ntsc.mkv", "ntsc.ts"] {
        compare(&tools, &dir.join(name), 389..=391).await;
    }
    let open = made(
        dir,
        &format!("-f lavfi -i testsrc2=s=160x90:r=25:d=13 {X264} -x264-params open-gop=1:keyint=250"),
        "open.ts",
    );
    compare(&tools, &open, 324..=326).await;
    let hevc = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=60:bframes=3";
    let hevc = made(dir, &format!("-f lavfi -i testsrc2=s=160x90:r=24:d=13 {hevc}"), "hevc.mp4");
    compare(&tools, &hevc, 311..=313).await;
}

#[tokio::test]
async fn a_chunk_is_what_the_whole_has_there_at_rates_that_vary() {
    let (tools, dir) = (tools::find(None, None).await.unwrap(), tempfile::tempdir().unwrap());
    let dir = dir.path();
    // Every seventh and every eleventh frame is missing, for two seconds nothing moves, and the first frame does not
    // lie at zero.
    let drops = "select='mod(n\\,7)*mod(n\\,11)*(lt(t\\,5)+gt(t\\,7))',setpts=PTS+0.4/TB";
    let input = format!("-f lavfi -i testsrc2=s=160x90:r=60000/1001:d=13,{drops} -vsync vfr");
    for name in ["vfr.mp4", "vfr.mkv", "vfr.ts"] {
        let source = made(dir, &format!("{input} {X264}"), name);
        compare(&tools, &source, 760..=790).await;
    }
    // On a coarse scale that the output's frames do not fit on.
    let jitter = "settb=1/600,setpts=PTS+mod(N*7\\,5)";
    let input =
        format!("-f lavfi -i testsrc2=s=160x90:r=30000/1001:d=13,{jitter} -vsync vfr -enc_time_base 1/600");
    let source = made(dir, &format!("{input} {X264} -video_track_timescale 600"), "jitter.mov");
    compare(&tools, &source, 385..=395).await;
}

#[tokio::test]
async fn a_chunk_is_what_the_whole_has_there_behind_an_edit_list_and_at_double_rates() {
    let (tools, dir) = (tools::find(None, None).await.unwrap(), tempfile::tempdir().unwrap());
    let dir = dir.path();
    made(dir, &format!("-f lavfi -i testsrc2=s=160x90:r=30:d=15 {X264}"), "long.mp4");
    // A copy from the middle of a group of pictures: the edit list hides what comes before.
    let edited = made(dir, "-ss 1.1 -i long.mp4 -c copy", "edited.mp4");
    compare(&tools, &edited, 410..=455).await;
    let late = made(dir, "-itsoffset 1.234 -i long.mp4 -c copy", "late.mkv");
    compare(&tools, &late, 449..=451).await;
    let fast = made(dir, &format!("-f lavfi -i testsrc2=s=160x90:r=120:d=9 {X264}"), "fast.mp4");
    compare(&tools, &fast, 539..=541).await;
    let interlaced = "-c:v mpeg2video -flags +ildct+ilme -top 1 -b:v 1M -g 12 -bf 2";
    let filter = "testsrc2=s=160x96:r=50:d=10,interlace";
    let fields = made(dir, &format!("-f lavfi -i {filter} {interlaced}"), "fields.ts");
    compare(&tools, &fields, 249..=251).await;
}
