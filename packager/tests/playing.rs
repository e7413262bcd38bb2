//! What is written to a directory plays from there, in the real ffmpeg.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::path::Path;

use bytes::Bytes;
use support::{audio, cut_video, decoded, packets, rate, run, split, store, video};
use tidegate_packager::encryption::Key;
use tidegate_packager::fragments::{Cut, Options};
use tidegate_packager::manifests;
use tidegate_wire::job::{Encryption, PackageWork, TextTrack};
use tidegate_wire::track::{Ratio, TrackPart};

const ALL: &[&str] = &["-allowed_extensions", "ALL"];

/// Chunks of 240 and 160 frames, encoded apart.
fn rung(root: &Path, rate: Ratio, name: &str, size: &str) -> Vec<TrackPart> {
    let chunks = [(0, 240), (240, 160)].into_iter().zip(0..);
    let made = chunks.map(|((first, frames), chunk)| {
        let mut options = Options::new(cut_video(rate, 60));
        options.first_tick = first * u64::from(rate.den.get());
        options.first_segment = first / 120;
        let (init, segments) = split(options, &video(rate, size, first, frames, 60), &[9000]).unwrap();
        store(root, name, chunk, &init.unwrap(), &segments)
    });
    made.collect()
}

fn sound(root: &Path, name: &str, language: &str) -> TrackPart {
    let mut options = Options::new(Cut::Audio { segment_ms: 4004 });
    options.language = Some(language.into());
    let (init, segments) = split(options, &audio("13.3466", 2), &[9000]).unwrap();
    store(root, name, 0, &init.unwrap(), &segments)
}

fn write_manifests(root: &Path, work: &PackageWork) -> Vec<String> {
    let manifests = manifests(work).unwrap();
    manifests.iter().for_each(|manifest| std::fs::write(root.join(&manifest.name), &manifest.bytes).unwrap());
    manifests.into_iter().map(|manifest| manifest.name).collect()
}

#[test]
fn hls_and_dash_over_chunks_made_apart_play_every_frame() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let ntsc = rate(30_000, 1001);
    let mut parts = rung(root, ntsc, "v360", "320x180");
    parts.extend(rung(root, ntsc, "v720", "640x360"));
    parts.extend([sound(root, "a0", "en"), sound(root, "a1", "fr")]);
    std::fs::create_dir_all(root.join("9-1")).unwrap();
    std::fs::write(root.join("9-1/t0.vtt"), "WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n").unwrap();
    let text = TextTrack {
        track: "t0".into(),
        path: "9-1/t0.vtt".into(),
        language: "en".into(),
        label: "English".into(),
    };
    let work = PackageWork { parts, texts: vec![text], chunks: 2, encrypted: false };
    let names = write_manifests(root, &work);
    assert_eq!(
        names,
        [
            "master.m3u8",
            "v360.m3u8",
            "v720.m3u8",
            "a0.m3u8",
            "a1.m3u8",
            "v360-iframes.m3u8",
            "v720-iframes.m3u8",
            "t0.m3u8",
            "manifest.mpd"
        ]
    );
    let master = root.join("master.m3u8");
    for stream in ["v:0", "v:1"] {
        assert_eq!(decoded(&master, stream, ALL), 400, "{stream} of HLS");
    }
    let frames_of_sound = decoded(&root.join("a0.m3u8"), "a:0", ALL);
    assert_eq!(frames_of_sound, decoded(&master, "a:0", ALL));
    assert!((625..=628).contains(&frames_of_sound), "{frames_of_sound}");
    for playlist in ["v360-iframes.m3u8", "v720-iframes.m3u8"] {
        let text = std::fs::read_to_string(root.join(playlist)).unwrap();
        assert_eq!(text.matches("#EXT-X-BYTERANGE").count(), 7);
    }
    let times = |file: &Path, before| -> Vec<String> {
        packets(file, "v:0", before).iter().map(|line| line.split(',').next().unwrap().to_owned()).collect()
    };
    let mut seen: Vec<f64> =
        times(&root.join("v720.m3u8"), ALL).iter().map(|time| time.parse().unwrap()).collect();
    seen.sort_by(f64::total_cmp);
    for (frame, time) in seen.iter().enumerate() {
        let exact = frame as f64 * 1001.0 / 30_000.0;
        assert!((time - seen[0] - exact).abs() < 0.0001, "frame {frame} at {time}");
    }
    let mpd = root.join("manifest.mpd");
    for stream in ["v:0", "v:1"] {
        assert_eq!(decoded(&mpd, stream, ALL), 400, "{stream} of DASH");
    }
    assert_eq!(decoded(&mpd, "a:0", ALL), frames_of_sound);
}

#[test]
fn sound_alone_plays() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let parts = vec![sound(root, "a0", "en")];
    let work = PackageWork { parts, texts: Vec::new(), chunks: 0, encrypted: false };
    assert_eq!(write_manifests(root, &work), ["master.m3u8", "a0.m3u8", "manifest.mpd"]);
    let frames = decoded(&root.join("master.m3u8"), "a:0", ALL);
    assert!((625..=628).contains(&frames), "{frames}");
    assert_eq!(decoded(&root.join("manifest.mpd"), "a:0", ALL), frames);
}

#[test]
fn an_encrypted_segment_is_what_openssl_decrypts_and_ffmpeg_plays() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let hex = "000102030405060708090a0b0c0d0eff";
    let key = Key::try_from(&Encryption { key: hex.into() }).unwrap();
    let mut options = Options::new(cut_video(rate(30, 1), 60));
    options.first_tick = 240;
    options.first_segment = 2;
    let early =
        split(Options::new(cut_video(rate(30, 1), 60)), &video(rate(30, 1), "320x180", 0, 240, 60), &[9000]);
    let late = split(options, &video(rate(30, 1), "320x180", 240, 100, 60), &[9000]);
    let mut parts = Vec::new();
    for ((init, clear), chunk) in [early.unwrap(), late.unwrap()].into_iter().zip(0..) {
        let segments: Vec<_> = clear.iter().map(|segment| key.encrypt(segment)).collect();
        for (segment, clear) in segments.iter().zip(&clear) {
            assert!(segment.entry.sync.is_empty());
            assert_eq!(segment.entry.size_bytes % 16, 0);
            let file = root.join("segment");
            std::fs::write(&file, segment.to_bytes()).unwrap();
            let iv = format!("{:032x}", segment.number);
            let args = ["enc", "-d", "-aes-128-cbc", "-K", hex, "-iv", &iv, "-in", file.to_str().unwrap()];
            assert!(run("openssl", &args) == clear.to_bytes());
        }
        parts.push(store(root, "v180", chunk, &init.unwrap(), &segments));
    }
    let work = PackageWork { parts, texts: Vec::new(), chunks: 2, encrypted: true };
    assert_eq!(write_manifests(root, &work), ["master.m3u8", "v180.m3u8"]);
    let bytes: Vec<u8> = (0..15).chain([0xff]).collect();
    std::fs::write(root.join("key"), Bytes::from(bytes)).unwrap();
    let before = ["-allowed_extensions", "ALL", "-protocol_whitelist", "file,crypto,data"];
    assert_eq!(decoded(&root.join("v180.m3u8"), "v:0", &before), 340);
}
