//! What a probe makes of sources of all kinds: what they are, or a permanent error that says why not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::fs;
use std::path::Path;

use support::{ffmpeg, fleet, temporary};
use tidegate_wire::job::{SourceInfo, Work};

const FAST: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

fn rate(info: &SourceInfo) -> String {
    let rate = info.video.as_ref().unwrap().frame_rate;
    format!("{}/{}", rate.num, rate.den)
}

fn shown(info: &SourceInfo) -> (u32, u32) {
    let video = info.video.as_ref().unwrap();
    (video.width, video.height)
}

/// Gives each of the file's pictures another size than it has, as a hostile file would.
fn claim_size(from: &Path, to: &Path, marker: &[u8], after: usize, size: &[u8]) {
    let mut bytes = fs::read(from).unwrap();
    let places: Vec<_> =
        (0..bytes.len() - marker.len()).filter(|&at| bytes[at..].starts_with(marker)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + after..at + after + size.len()].copy_from_slice(size);
    }
    fs::write(to, bytes).unwrap();
}

#[tokio::test]
async fn what_plays_is_described() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    let probe = async |words: &str, name: &str| {
        ffmpeg(dir, &format!("{words} {name}"));
        origin.probe(&dir.join(name)).await
    };
    let sine = "-f lavfi -i sine=440:d=1";

    let hd = probe(&format!("-f lavfi -i testsrc2=s=1920x1080:r=30:d=1 {sine} {FAST} -ac 2"), "hd.mp4").await;
    assert_eq!((shown(&hd), rate(&hd).as_str()), ((1920, 1080), "30/1"));
    assert_eq!((hd.audio[0].channels, hd.audio[0].codec.as_str()), (2, "aac"));
    assert!((1000..=1100).contains(&hd.duration_ms) && !hd.video.as_ref().unwrap().variable_rate);

    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=640x360:r=30:d=1 {FAST} flat.mp4"));
    let phone = probe("-i flat.mp4 -c copy -metadata:s:v rotate=270", "phone.mov").await;
    assert_eq!((shown(&phone), phone.video.as_ref().unwrap().rotation), ((360, 640), 90));
    assert!(phone.audio.is_empty());

    let drops = "select='mod(n\\,5)',setpts=PTS+0/TB";
    let vfr = format!("-f lavfi -i testsrc2=s=320x180:r=60000/1001:d=4,{drops} -vsync vfr {FAST}");
    let vfr = probe(&vfr, "vfr.mp4").await;
    assert_eq!((rate(&vfr).as_str(), vfr.video.as_ref().unwrap().variable_rate), ("60000/1001", true));

    let odd = "-c:v libx264 -preset ultrafast -pix_fmt yuv444p";
    let odd = probe(&format!("-f lavfi -i testsrc=s=853x481:r=25:d=1 {odd}"), "odd.mp4").await;
    assert_eq!(shown(&odd), (853, 481));

    let sar =
        probe(&format!("-f lavfi -i testsrc2=s=720x576:r=25:d=1,setsar=64/45 {FAST}"), "wide.mkv").await;
    assert_eq!(shown(&sar), (1024, 576));

    let sound = probe(&format!("{sine} -c:a libmp3lame"), "sound.mp3").await;
    assert!(sound.video.is_none() && sound.audio.len() == 1);
    ffmpeg(dir, "-f lavfi -i testsrc2=s=64x64 -frames:v 1 cover.png");
    let covered = probe("-i sound.mp3 -i cover.png -map 0:a -map 1:v -c copy", "covered.mp3").await;
    assert!(covered.video.is_none());

    let hevc = "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le";
    let tags = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc";
    let hdr = probe(&format!("-f lavfi -i testsrc2=s=320x180:r=24:d=1 {hevc} {tags}"), "hdr.mp4").await;
    let video = hdr.video.as_ref().unwrap();
    assert_eq!((video.codec.as_str(), video.hdr.as_deref()), ("hevc", Some("smpte2084")));

    fs::write(dir.join("a.srt"), "1\n00:00:00,100 --> 00:00:00,900\nHallo\n").unwrap();
    let inputs = format!("-i flat.mp4 {sine} {sine} -i a.srt -map 0 -map 1 -map 2 -map 3 -c:v copy -c:s srt");
    let tags = "-metadata:s:a:0 language=ger -metadata:s:a:1 language=eng -metadata:s:s:0 language=fre";
    let two = probe(&format!("{inputs} {tags} -metadata:s:a:1 title=Commentary"), "two.mkv").await;
    let languages: Vec<_> = two.audio.iter().map(|audio| audio.language.as_deref()).collect();
    assert_eq!(languages, [Some("de"), Some("en")]);
    assert_eq!(two.audio[1].title.as_deref(), Some("Commentary"));
    assert_eq!((two.subtitles[0].is_text, two.subtitles[0].language.as_deref()), (true, Some("fr")));

    let still = probe(&format!("-f lavfi -i testsrc2=s=320x180:r=30 -frames:v 1 {FAST}"), "still.mp4").await;
    assert_eq!((shown(&still), rate(&still).as_str()), ((320, 180), "30/1"));
    assert!(still.duration_ms > 0);

    // What a browser records has no length in its header.
    let live = probe("-i flat.mp4 -c copy -f matroska -live 1", "live.webm").await;
    assert!((900..=1100).contains(&live.duration_ms), "{}", live.duration_ms);
}

#[tokio::test]
async fn a_length_is_that_of_the_streams_whatever_the_container_says() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=3 -f lavfi -i sine=d=2 {FAST} good.mp4"));
    ffmpeg(dir, "-i good.mp4 -c copy good.mkv");
    // 49 days, in a header of milliseconds.
    claim_size(&dir.join("good.mp4"), &dir.join("days.mp4"), b"mvhd", 20, &[0xfc, 0, 0, 0]);
    let days = (49.0_f64 * 86_400_000.0).to_be_bytes();
    claim_size(&dir.join("good.mkv"), &dir.join("days.mkv"), &[0x44, 0x89, 0x88], 3, &days);
    let second = 1000.0_f64.to_be_bytes();
    claim_size(&dir.join("good.mkv"), &dir.join("second.mkv"), &[0x44, 0x89, 0x88], 3, &second);
    for name in ["good.mp4", "good.mkv", "days.mp4", "days.mkv", "second.mkv"] {
        let info = origin.probe(&dir.join(name)).await;
        assert!((2999..=3001).contains(&info.duration_ms), "{name}: {} ms", info.duration_ms);
    }
}

#[tokio::test]
async fn what_does_not_play_is_refused_for_good_with_the_reason() {
    let dir = temporary();
    let dir = dir.path();
    let (origin, _working) = fleet(dir).await;
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=2 {FAST} good.mp4"));
    let good = fs::read(dir.join("good.mp4")).unwrap();

    fs::write(dir.join("empty.mp4"), b"").unwrap();
    fs::write(dir.join("truncated.mp4"), &good[..good.len() / 2]).unwrap();
    ffmpeg(dir, "-f lavfi -i testsrc2=s=64x64 -frames:v 1 picture.png");
    fs::rename(dir.join("picture.png"), dir.join("picture.mp4")).unwrap();
    fs::write(dir.join("text.mp4"), "not a video at all\n".repeat(100)).unwrap();
    let secret = dir.join("private.ts");
    ffmpeg(dir, "-i good.mp4 -c copy private.ts");
    let playlist = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{}\n#EXT-X-ENDLIST\n",
        secret.display()
    );
    fs::write(dir.join("playlist.mp4"), &playlist).unwrap();
    fs::write(dir.join("playlist"), &playlist).unwrap();
    fs::write(dir.join("concat"), format!("ffconcat version 1.0\nfile '{}'\n", secret.display())).unwrap();
    ffmpeg(dir, "-f lavfi -i testsrc2=s=64x64:r=5:d=1 -c:v png png.mov");
    claim_size(
        &dir.join("png.mov"),
        &dir.join("huge.mov"),
        b"IHDR",
        4,
        &[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60],
    );
    claim_size(&dir.join("good.mp4"), &dir.join("huge.mp4"), b"avc1", 28, &[0xea, 0x60, 0xea, 0x60]);
    fs::write(dir.join("a.srt"), "1\n00:00:00,100 --> 00:00:00,900\nHallo\n").unwrap();
    ffmpeg(dir, "-i a.srt -c:s srt words.mkv");

    for (name, code) in [
        ("empty.mp4", "source_empty"),
        ("truncated.mp4", "source_damaged"),
        ("picture.mp4", "not_a_video"),
        ("text.mp4", "not_a_video"),
        ("playlist.mp4", "not_a_video"),
        ("playlist", "not_a_video"),
        ("concat", "not_a_video"),
        ("huge.mov", "source_too_large"),
        ("huge.mp4", "source_too_large"),
        ("words.mkv", "no_streams"),
    ] {
        let failure = origin.failure(&dir.join(name), Work::Probe).await;
        assert_eq!((failure.code.as_str(), failure.permanent), (code, true), "{name}: {failure:?}");
        let said = format!("{} {}", failure.message, failure.log);
        assert!(!said.contains(dir.to_str().unwrap()), "{name} says where things are: {said}");
        assert!(!said.contains("private"), "{name} leaks: {said}");
        assert!(said.len() < 6_000, "{name}");
    }
}
