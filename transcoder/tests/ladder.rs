//! What the worker makes of a video: rungs on one grid, joints without a seam, sound in step, and its ornaments.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::path::Path;

use support::ladder::{chunk, gop_frames, join, rung, segment_frames, sound, whole};
use support::{ffmpeg, ffprobe, fleet, temporary};
use tidegate_wire::digest::to_hex;
use tidegate_wire::job::{
    AudioWork, CaptionsWork, Encryption, PackageWork, PosterWork, RenditionWork, Report, Work,
};
use tidegate_wire::track::{Media, TrackPart};

const FAST: &str = "-c:v libx264 -preset ultrafast -bf 3 -pix_fmt yuv420p";

/// Timestamps of the frames of a file, in ticks.
fn frames(file: &Path) -> Vec<i64> {
    let lines = ffprobe(file, "-select_streams v -show_entries frame=pts");
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

/// Checks a rung from end to end: every frame there once, in its place, keyframes where the grid has them.
fn on_the_grid(file: &Path, parts: &[TrackPart], gop: u32, expected_frames: usize) {
    let Media::Video { frame_rate, .. } = parts[0].format.media else { panic!("not a video") };
    assert_eq!(parts[0].format.timescale, frame_rate.num);
    let pts = frames(file);
    assert_eq!(pts.len(), expected_frames);
    let den = i64::from(frame_rate.den.get());
    assert!(pts.windows(2).all(|pair| pair[1] - pair[0] == den), "there is a gap or a step back");
    let keys = ffprobe(file, "-select_streams v -show_entries packet=flags");
    let keys: Vec<usize> = keys.iter().enumerate().filter(|(_, f)| f.contains('K')).map(|(n, _)| n).collect();
    let expected: Vec<usize> = (0..expected_frames).step_by(gop as usize).collect();
    assert_eq!(keys, expected);
    let (mut end, mut total) = (0, 0);
    for part in parts {
        assert!(part.whole);
        for segment in &part.segments {
            assert_eq!(segment.start_ticks, end);
            end += segment.duration_ticks;
            total += segment.sync.len();
        }
    }
    assert_eq!((end, total), (expected_frames as u64 * den.unsigned_abs(), expected.len()));
}

/// SSIM of a rung against the source brought to its size.
fn ssim(source: &Path, rung: &Path, size: (u32, u32)) -> f64 {
    let (width, height) = size;
    let graph = format!(
        "[0:v]scale={width}:{height}:flags=bicubic,settb=1/30,setpts=N[a];[1:v]settb=1/30,setpts=N[b];[a][b]ssim"
    );
    let output = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-v", "info", "-i"])
        .arg(source)
        .arg("-i")
        .arg(rung)
        .args(["-lavfi", &graph, "-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let all = said.rsplit("All:").next().unwrap().split_whitespace().next().unwrap().to_owned();
    all.parse().unwrap_or_else(|_| panic!("{said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_join_to_what_a_whole_encode_is() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    ffmpeg(
        dir,
        &format!("-f lavfi -i testsrc2=s=640x360:r=30000/1001:d=13 -f lavfi -i sine=d=13 {FAST} a.mp4"),
    );
    ffmpeg(dir, "-i a.mp4 -c copy a.ts");
    for name in ["a.mp4", "a.ts"] {
        let source = dir.join(name);
        let video = origin.probe(&source).await.video.unwrap();
        let rungs = || vec![rung("v180", 320, 180), rung("v360", 640, 360)];
        let mut chunked = vec![Vec::new(), Vec::new()];
        for number in 0..4 {
            // 390 frames are 3 segments and 30 frames; the fourth chunk begins on frame 360.
            let work = chunk(&video, number, 1, number == 3, rungs());
            for (parts, part) in chunked.iter_mut().zip(origin.encode(&source, Work::Rendition(work)).await) {
                assert_eq!(
                    (part.chunk, part.dir.as_str()),
                    (number, format!("12-1/{}", part.track).as_str())
                );
                // Chunks of one track share a directory here, so each is put aside before the next.
                let file = dir.join(format!("{name}-{}-{number}.mp4", part.track));
                join(&origin, std::slice::from_ref(&part), &file);
                parts.push((part, file));
            }
        }
        for (track, size) in chunked.into_iter().zip([(320, 180), (640, 360)]) {
            let (parts, files): (Vec<_>, Vec<_>) = track.into_iter().unzip();
            assert!(
                parts
                    .iter()
                    .all(|part| part.init_digest == parts[0].init_digest && part.format == parts[0].format)
            );
            let init = usize::try_from(parts[0].init_size_bytes).unwrap();
            let mut bytes = std::fs::read(&files[0]).unwrap();
            files[1..].iter().for_each(|file| bytes.extend_from_slice(&std::fs::read(file).unwrap()[init..]));
            let joined = dir.join("joined.mp4");
            std::fs::write(&joined, bytes).unwrap();
            on_the_grid(&joined, &parts, gop_frames(&video), 390);
            assert!(
                matches!(parts[0].format.media, Media::Video { width, height, .. } if (width, height) == size)
            );
            let likeness = ssim(&source, &joined, size);
            assert!(likeness > 0.9, "{name} {size:?}: {likeness}");
        }
        let behind = chunk(&video, 9, 1, true, rungs());
        let parts = origin.encode(&source, Work::Rendition(behind)).await;
        assert!(parts.len() == 2 && parts.iter().all(|part| part.segments.is_empty() && part.whole));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lowest_rung_can_be_played_while_it_is_being_made() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=1280x720:r=30:d=30 {FAST} a.mp4"));
    let source = dir.join("a.mp4");
    let video = origin.probe(&source).await.video.unwrap();
    let claim = origin.give(&source, whole(&video, vec![rung("v720", 1280, 720)]));
    let parts = match origin.ending(claim.job).await {
        tidegate_wire::job::Ending::Done { report: Report::Encoded { parts } } => parts,
        other => panic!("{other:?}"),
    };
    on_the_grid(&join(&origin, &parts, &dir.join("j.mp4")), &parts, 60, 900);
    let progress = origin.state.progress.lock().unwrap().clone();
    let grown: Vec<_> = progress.iter().flat_map(|(_, said)| &said.parts).collect();
    assert!(!grown.is_empty(), "nothing was reported on the way: {progress:?}");
    for part in grown {
        assert!(!part.whole && part.segments[..] == parts[0].segments[..part.segments.len()]);
    }
    assert!(progress.iter().all(|(_, said)| (0.0..=1.0).contains(&said.done)));
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_all_shapes_come_out_upright_with_square_samples() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    // The left half is white: turned by 90 degrees clockwise it is on top.
    let halves = "color=black:s=640x360:r=30:d=1,drawbox=x=0:y=0:w=320:h=360:c=white:t=fill";
    ffmpeg(dir, &format!("-f lavfi -i {halves} {FAST} flat.mp4"));
    ffmpeg(dir, "-i flat.mp4 -c copy -metadata:s:v rotate=270 phone.mov");
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=720x576:r=25:d=1,setsar=64/45 {FAST} wide.mkv"));
    ffmpeg(
        dir,
        "-f lavfi -i testsrc=s=853x481:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv444p odd.mp4",
    );
    let hevc = "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le";
    let tags = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc";
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=640x360:r=24:d=1 {hevc} {tags} hdr.mp4"));
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=320x180:r=30 -frames:v 1 {FAST} still.mp4"));
    for (name, size, count) in [
        ("phone.mov", (180, 320), 30),
        ("wide.mkv", (320, 180), 25),
        ("odd.mp4", (640, 360), 25),
        ("hdr.mp4", (320, 180), 24),
        ("still.mp4", (320, 180), 1),
    ] {
        let source = dir.join(name);
        let video = origin.probe(&source).await.video.unwrap();
        let parts = origin.encode(&source, whole(&video, vec![rung("v", size.0, size.1)])).await;
        let file = join(&origin, &parts, &dir.join("out.mp4"));
        on_the_grid(&file, &parts, gop_frames(&video), count);
        let entries = "stream=width,height,sample_aspect_ratio,pix_fmt,color_space,color_transfer";
        let said = ffprobe(&file, &format!("-select_streams v -show_entries {entries}"));
        assert_eq!(said, [format!("{},{},1:1,yuv420p,bt709,bt709", size.0, size.1)], "{name}");
        if name == "phone.mov" {
            let upper = luma(&file, "crop=180:100:0:0");
            let lower = luma(&file, "crop=180:100:0:220");
            assert!(upper > 200 && lower < 50, "it is not upright: {upper} above {lower}");
        }
    }
}

/// The mean brightness of a part of the first picture.
fn luma(file: &Path, crop: &str) -> u8 {
    let output = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file)
        .args([
            "-vf",
            &format!("{crop},format=gray,scale=1:1:flags=area"),
            "-frames:v",
            "1",
            "-f",
            "rawvideo",
            "-",
        ])
        .output()
        .unwrap();
    output.stdout[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_is_in_step_with_the_pictures_and_cut_on_the_grid() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    // A beep in each second, beginning on the second; the pictures begin at 0.5 seconds, the sound at 0.
    let beeps = "aevalsrc='sin(2*PI*880*t)*lt(mod(t,1),0.1)':c=mono:s=44100:d=14";
    ffmpeg(dir, &format!("-f lavfi -i {beeps} -af pan=5.1|FL=c0|FR=c0|FC=c0 -c:a pcm_s16le beeps.mkv"));
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=160x90:r=25:d=13 {FAST} v.mkv"));
    ffmpeg(dir, "-itsoffset 0.5 -i v.mkv -i beeps.mkv -c copy av.mkv");
    let source = dir.join("av.mkv");
    let info = origin.probe(&source).await;
    let (video, audio) = (info.video.unwrap(), &info.audio[0]);
    assert!((400_000..=600_000).contains(&video.start_us), "{}", video.start_us);
    assert_eq!(audio.channels, 6);
    let parts = origin.encode(&source, Work::Audio(sound(audio, video.start_us))).await;
    let part = &parts[0];
    assert!(matches!(part.format.media, Media::Audio { sample_rate: 48_000, channels: 2 }));
    assert_eq!(part.format.codecs, "mp4a.40.2");
    for (number, segment) in part.segments.iter().enumerate().skip(1) {
        let late = segment.start_ticks - (number as u64 * 4 * 48_000);
        assert!(late <= 2048, "segment {number} begins {late} samples late");
    }
    let file = join(&origin, &parts, &dir.join("a.mp4"));
    let output = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-copyts", "-i"])
        .arg(&file)
        .args(["-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "48000", "-f", "s16le", "-"])
        .output()
        .unwrap();
    let samples: Vec<i16> =
        output.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let onset = samples.iter().position(|sample| sample.unsigned_abs() > 3000).unwrap();
    // The beep of second 1 is half a second into the pictures.
    let expected = usize::try_from(1_000_000 - video.start_us).unwrap() * 48 / 1000;
    assert!(onset.abs_diff(expected) < 100, "the beep is at sample {onset}, not at {expected}");
}

/// Where the parts of a track end, in seconds.
fn end_s(parts: &[TrackPart]) -> f64 {
    let last = parts.last().unwrap();
    last.end_ticks().unwrap() as f64 / f64::from(last.format.timescale.get())
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_and_sound_end_together_whichever_the_source_has_more_of() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    let picture = "-f lavfi -i testsrc2=s=160x90:r=30";
    ffmpeg(dir, &format!("{picture}:d=9 -f lavfi -i sine=d=3 {FAST} quiet.mp4"));
    ffmpeg(dir, &format!("{picture}:d=3 -f lavfi -i sine=d=9 {FAST} held.mkv"));
    ffmpeg(dir, &format!("{picture} -frames:v 1 {FAST} still.mp4"));
    ffmpeg(dir, "-i still.mp4 -f lavfi -i sine=d=9 -c:v copy song.mp4");
    ffmpeg(dir, &format!("{picture}:d=9 -f lavfi -i sine=d=9.009 {FAST} -c:a flac over.mkv"));
    for name in ["quiet.mp4", "held.mkv", "song.mp4", "over.mkv"] {
        let source = dir.join(name);
        let info = origin.probe(&source).await;
        let video = info.video.unwrap();
        // As the origin plans it: one end, in frames, in two chunks.
        let frames = (info.duration_ms * 30 + 500) / 1000;
        assert!((270..=271).contains(&frames), "{name}: {} ms", info.duration_ms);
        let mut parts = Vec::new();
        let mut joined = Vec::new();
        for number in 0..2 {
            let mut work = chunk(&video, number, 1, number == 1, vec![rung("v", 160, 90)]);
            work.frames = work.frames.or(Some(frames - work.first_frame));
            let part = origin.encode(&source, Work::Rendition(work)).await.remove(0);
            // Both chunks have one directory here: each is put aside before the next.
            let file = dir.join(format!("{number}.mp4"));
            let bytes = std::fs::read(join(&origin, std::slice::from_ref(&part), &file)).unwrap();
            let init = usize::try_from(part.init_size_bytes).unwrap();
            joined.extend_from_slice(if number == 0 { &bytes } else { &bytes[init..] });
            parts.push(part);
        }
        let file = dir.join("joined.mp4");
        std::fs::write(&file, joined).unwrap();
        on_the_grid(&file, &parts, 60, usize::try_from(frames).unwrap());
        let audio =
            AudioWork { end_us: Some(frames * 1_000_000 / 30), ..sound(&info.audio[0], video.start_us) };
        let audio = origin.encode(&source, Work::Audio(audio)).await;
        let early = end_s(&parts) - end_s(&audio);
        assert!((0.0..0.0214).contains(&early), "{name}: sound ends {early} s before the pictures");
        assert!(audio[0].segments.iter().all(|segment| segment.duration_ticks > 1024), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_is_packaged_with_its_poster_storyboard_and_captions() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    let words = "1\n00:00:01,000 --> 00:00:02,500\nGuten Tag\n";
    std::fs::write(dir.join("a.srt"), words).unwrap();
    let inputs = "-f lavfi -i testsrc2=s=640x360:r=30:d=9 -f lavfi -i sine=d=9 -i a.srt";
    ffmpeg(dir, &format!("{inputs} {FAST} -c:s srt -metadata:s:s:0 language=ger a.mkv"));
    let source = dir.join("a.mkv");
    let info = origin.probe(&source).await;
    let video = info.video.clone().unwrap();

    let poster = PosterWork {
        video: video.clone(),
        duration_ms: info.duration_ms,
        at_ms: 1200,
        size: (640, 360),
        tile_every_ms: 2000,
        tile_size: (160, 90),
        tile_columns: 3,
    };
    let Report::Stored { files } = origin.report(&source, Work::Poster(poster.clone())).await else {
        panic!()
    };
    assert_eq!(files, ["poster.jpg", "storyboard.jpg", "storyboard.vtt"]);
    for (name, size) in [("poster.jpg", "640,360"), ("storyboard.jpg", "480,180")] {
        std::fs::write(dir.join(name), origin.file(name)).unwrap();
        let said = ffprobe(&dir.join(name), "-show_entries stream=codec_name,width,height");
        assert_eq!(said, [format!("mjpeg,{size}")]);
    }
    let cues = String::from_utf8(origin.file("storyboard.vtt").to_vec()).unwrap();
    assert_eq!(cues.matches("storyboard.jpg#xywh=").count(), 5);
    // Said to be longer than it is, it still has a poster.
    let late = PosterWork { at_ms: 60_000, ..poster };
    assert!(matches!(origin.report(&source, Work::Poster(late)).await, Report::Stored { .. }));

    let captions =
        CaptionsWork { streams: info.subtitles.clone(), tracks: vec!["t0".into()], start_us: video.start_us };
    let Report::Stored { files } = origin.report(&source, Work::Captions(captions)).await else { panic!() };
    assert_eq!(files, ["t0.vtt"]);
    let text = String::from_utf8(origin.file("t0.vtt").to_vec()).unwrap();
    assert!(text.starts_with("WEBVTT") && text.contains("Guten Tag"), "{text}");
    assert!(text.contains("00:01.000 --> 00:02.500") || text.contains("00:00.9"), "{text}");

    let rungs = vec![rung("v180", 320, 180), rung("v360", 640, 360)];
    let mut parts = origin.encode(&source, whole(&video, rungs)).await;
    parts.extend(origin.encode(&source, Work::Audio(sound(&info.audio[0], video.start_us))).await);
    let package =
        |parts| Work::Package(PackageWork { parts, texts: Vec::new(), chunks: 1, encrypted: false });
    let Report::Stored { files } = origin.report(&source, package(parts.clone())).await else { panic!() };
    for name in ["master.m3u8", "manifest.mpd", "v360.m3u8", "v360-iframes.m3u8", "a0.m3u8"] {
        assert!(files.iter().any(|file| file == name), "{name} is not among {files:?}");
    }
    let master = String::from_utf8(origin.file("master.m3u8").to_vec()).unwrap();
    assert!(master.contains("RESOLUTION=640x360"), "{master}");

    parts[1].segments.remove(0);
    let failure = origin.failure(&source, package(parts)).await;
    assert_eq!((failure.code.as_str(), failure.permanent), ("parts_do_not_fit", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn captions_in_an_old_encoding_are_read_by_their_language_and_take_no_others_along() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    let cue = |text: &str| format!("1\n00:00:00,100 --> 00:00:00,900\n{text}\n");
    std::fs::write(dir.join("old.srt"), cue("OLDOLD")).unwrap();
    std::fs::write(dir.join("new.srt"), cue("Grüße")).unwrap();
    let line = format!("{}\n", "x".repeat(99)).repeat(20);
    let long = (0..2400).map(|n| {
        let (s, ms) = (n / 1000, n % 1000);
        format!("{n}\n00:00:0{s},{ms:03} --> 00:00:0{s},{ms:03}\n{line}\n")
    });
    std::fs::write(dir.join("long.srt"), long.collect::<String>()).unwrap();
    let tags = "-metadata:s:s:0 language=rus -metadata:s:s:2 language=ger";
    let inputs = "-f lavfi -i testsrc2=s=160x90:r=30:d=1 -i old.srt -i new.srt -i old.srt -i long.srt";
    ffmpeg(dir, &format!("{inputs} -map 0 -map 1 -map 2 -map 3 -map 4 {FAST} -c:s srt {tags} utf8.mkv"));
    let mut bytes = std::fs::read(dir.join("utf8.mkv")).unwrap();
    let places: Vec<_> = (0..bytes.len() - 6).filter(|&at| bytes[at..].starts_with(b"OLDOLD")).collect();
    assert_eq!(places.len(), 2);
    // A word in CP1251; in German's CP1252 it is letters as well.
    places.iter().for_each(|&at| bytes[at..at + 6].copy_from_slice(b"\xcf\xf0\xe8\xe2\xe5\xf2"));
    let source = dir.join("old.mkv");
    std::fs::write(&source, bytes).unwrap();
    let streams = origin.probe(&source).await.subtitles;
    let tracks: Vec<String> = (0..4).map(|n| format!("t{n}")).collect();
    let captions = CaptionsWork { streams, tracks, start_us: 0 };
    let Report::Stored { files } = origin.report(&source, Work::Captions(captions.clone())).await else {
        panic!()
    };
    assert_eq!(files, ["t0.vtt", "t1.vtt", "t2.vtt"], "the one that is too long is left out");
    for (name, text) in [("t0.vtt", "Привет"), ("t1.vtt", "Grüße"), ("t2.vtt", "Ïðèâåò")] {
        let said = String::from_utf8(origin.file(name).to_vec()).unwrap();
        assert!(said.contains(text), "{name}: {said}");
    }
    // A stream that is not there is no reason to give the video up.
    let mut missing = captions.clone();
    missing.streams[1].index = 99;
    let Report::Stored { files } = origin.report(&source, Work::Captions(missing)).await else { panic!() };
    assert_eq!(files, ["t0.vtt", "t2.vtt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_without_a_picture_for_its_poster_is_not_given_up() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=2 {FAST} -movflags faststart a.mp4"));
    let source = dir.join("a.mp4");
    let video = origin.probe(&source).await.video.unwrap();
    let mut bytes = std::fs::read(&source).unwrap();
    let data = bytes.windows(4).position(|window| window == b"mdat").unwrap() + 4;
    bytes[data..].fill(0x55);
    let garbage = dir.join("garbage.mp4");
    std::fs::write(&garbage, bytes).unwrap();
    let poster = PosterWork {
        video,
        duration_ms: 2000,
        at_ms: 1000,
        size: (320, 180),
        tile_every_ms: 1000,
        tile_size: (160, 90),
        tile_columns: 2,
    };
    let Report::Stored { files } = origin.report(&garbage, Work::Poster(poster)).await else { panic!() };
    assert!(files.is_empty(), "{files:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_encrypted_where_the_asset_wants_it() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=9 -f lavfi -i sine=d=9 {FAST} a.mp4"));
    let source = dir.join("a.mp4");
    let info = origin.probe(&source).await;
    let video = info.video.unwrap();
    let encryption = Some(Encryption { key: to_hex(&[9; 16]) });
    let clear = origin.encode(&source, whole(&video, vec![rung("v", 320, 180)])).await;
    let plain = origin.file("v/00001.m4s");
    let work = RenditionWork {
        encryption: encryption.clone(),
        ..chunk(&video, 0, 1, true, vec![rung("v", 320, 180)])
    };
    let parts = origin.encode(&source, Work::Rendition(work)).await;
    let sealed = origin.file("v/00001.m4s");
    assert_eq!(sealed.len() as u64, parts[0].segments[1].size_bytes);
    assert!(
        sealed.len().is_multiple_of(16)
            && plain[4..].starts_with(b"styp")
            && !sealed[4..].starts_with(b"styp")
    );
    assert_eq!(parts[0].init_digest, clear[0].init_digest);
    assert!(parts[0].segments.iter().all(|segment| segment.sync.is_empty()));
    assert_eq!(segment_frames(&video), 120);
    let audio = AudioWork { encryption, ..sound(&info.audio[0], 0) };
    assert!(!origin.encode(&source, Work::Audio(audio)).await[0].segments.is_empty());
}
