//! From an uploaded file to adaptive video: what was uploaded becomes a ladder that plays from an edge, or a clear
//! error; whatever it is, it stays as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_testkit::files::{digest_of, digest_of_file};
use tidegate_testkit::http::Request;
use tidegate_testkit::scene::{Api, Service};
use tidegate_testkit::tus::id_of;
use tidegate_testkit::video::{ffprobe, made};
use tidegate_testkit::{Backing, Scene, Upload};

const X264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
const AAC: &str = "-c:a aac -ac 2";

/// A source, and what is to become of it.
struct Case {
    name: &'static str,
    file: PathBuf,
    becomes: Becomes,
}

enum Becomes {
    /// A ladder: columns and lines of each rung from the lowest, tracks of sound, captions.
    Ladder { rungs: &'static [(u64, u64)], audio: usize, captions: usize },
    /// A permanent error with this code.
    Fails(&'static str),
    /// Nothing: it is no video by any account.
    Stays,
}

fn picture(size: &str, rate: &str, seconds: &str) -> String {
    format!("-f lavfi -i testsrc2=s={size}:r={rate}:d={seconds}")
}

fn sound(frequency: u32, seconds: &str) -> String {
    format!("-f lavfi -i sine={frequency}:d={seconds}")
}

fn ladder(
    name: &'static str,
    file: PathBuf,
    rungs: &'static [(u64, u64)],
    audio: usize,
    captions: usize,
) -> Case {
    Case { name, file, becomes: Becomes::Ladder { rungs, audio, captions } }
}

fn fails(name: &'static str, file: PathBuf, code: &'static str) -> Case {
    Case { name, file, becomes: Becomes::Fails(code) }
}

const FULL_HD: &[(u64, u64)] = &[(640, 360), (854, 480), (1280, 720), (1920, 1080)];

fn sources(folder: &Path) -> Vec<Case> {
    let hd = made("hd.mp4", &format!("{} {} {X264} {AAC}", picture("1920x1080", "30", "5"), sound(440, "5")));
    let flat = made("flat.mp4", &format!("{} {X264}", picture("1280x720", "30", "2")));
    // A data URL, so that the recipe is the same each time.
    let subtitles = "data:text/plain;base64,MQowMDowMDowMCw1MDAgLS0+IDAwOjAwOjAxLDUwMApHb29kIG1vcm5pbmcK";
    let languages = format!(
        "{} {} {} -f srt -i {} -map 0 -map 1 -map 2 -map 3 {X264} {AAC} -c:s mov_text -metadata:s:a:0 language=eng \
         -metadata:s:a:1 language=deu -metadata:s:s:0 language=eng",
        picture("640x360", "25", "3"),
        sound(440, "3"),
        sound(880, "3"),
        subtitles
    );
    let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none";
    let hdr = "-pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc";
    vec![
        ladder("1080p30 with stereo", hd.clone(), FULL_HD, 1, 0),
        ladder(
            "a phone held upright",
            made("phone.mov", &format!("-i {} -c copy -metadata:s:v rotate=270", flat.display())),
            &[(360, 640), (480, 854), (720, 1280)],
            0,
            0,
        ),
        ladder(
            "an odd size, silent",
            made(
                "odd.mp4",
                "-f lavfi -i testsrc=s=853x481:r=25:d=2 -c:v libx264 -preset ultrafast -pix_fmt yuv444p",
            ),
            &[(638, 360), (852, 480)],
            0,
            0,
        ),
        ladder(
            "smaller than the lowest rung",
            made("small.mp4", &format!("{} {} {X264} {AAC}", picture("320x180", "24", "2"), sound(440, "2"))),
            &[(320, 180)],
            1,
            0,
        ),
        ladder("sound alone", made("sound.m4a", &format!("{} {AAC}", sound(440, "5"))), &[], 1, 0),
        ladder(
            "a MOV with PCM",
            made(
                "camera.mov",
                &format!(
                    "{} {} {X264} -c:a pcm_s16le",
                    picture("640x360", "30000/1001", "3"),
                    sound(440, "3")
                ),
            ),
            &[(640, 360)],
            1,
            0,
        ),
        ladder(
            "HEVC",
            made("hevc.mp4", &format!("{} {x265} -pix_fmt yuv420p", picture("640x360", "25", "2"))),
            &[(640, 360)],
            0,
            0,
        ),
        ladder(
            "ten bits of high dynamic range",
            made("hdr.mp4", &format!("{} {x265} {hdr}", picture("640x360", "24", "2"))),
            &[(640, 360)],
            0,
            0,
        ),
        ladder("a rate of 59.94 that varies", varying(), &[(640, 360)], 1, 0),
        ladder("two languages with subtitles", made("languages.mp4", &languages), &[(640, 360)], 2, 1),
        ladder(
            "one frame",
            made("frame.mp4", &format!("{} {X264} -frames:v 1", picture("640x360", "25", "1"))),
            &[(640, 360)],
            0,
            0,
        ),
        fails("no bytes", empty(folder), "source_empty"),
        fails("a truncated MP4", truncated(folder, &hd), "source_damaged"),
        fails("a PNG by the name of a video", png(folder), "not_a_video"),
        fails("a playlist that points at a private file", playlist(folder), "not_a_video"),
        fails("sixty thousand lines and columns", huge(folder, &flat), "source_too_large"),
        Case { name: "text", file: text(folder), becomes: Becomes::Stays },
    ]
}

/// Frames are missing here and there, as a phone leaves them out in the dark.
fn varying() -> PathBuf {
    let thinned = "select='mod(n\\,5)*mod(n\\,7)',setpts=PTS+0/TB";
    let words = format!(
        "{},{thinned} {} {X264} -vsync vfr {AAC}",
        picture("640x360", "60000/1001", "24"),
        sound(440, "24")
    );
    made("varying.mp4", &words)
}

fn empty(folder: &Path) -> PathBuf {
    let path = folder.join("empty.mp4");
    std::fs::write(&path, "").unwrap();
    path
}

/// The index is at its end, which is missing.
fn truncated(folder: &Path, whole: &Path) -> PathBuf {
    let bytes = std::fs::read(whole).unwrap();
    let path = folder.join("truncated.mp4");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    path
}

fn png(folder: &Path) -> PathBuf {
    let made = made("picture.png", &format!("{} -frames:v 1", picture("64x64", "1", "1")));
    let path = folder.join("picture.mp4");
    std::fs::copy(made, &path).unwrap();
    path
}

fn playlist(folder: &Path) -> PathBuf {
    let secret = folder.join("secret.ts");
    std::fs::write(&secret, SECRET).unwrap();
    let path = folder.join("playlist.mp4");
    let text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{}\n#EXT-X-ENDLIST\n",
        secret.display()
    );
    std::fs::write(&path, text).unwrap();
    path
}

const SECRET: &str = "the key to everything";

/// Claims another size than its pictures have, in every place that names one.
fn huge(folder: &Path, real: &Path) -> PathBuf {
    let mut bytes = std::fs::read(real).unwrap();
    let place = bytes.windows(4).position(|four| four == b"avc1").unwrap();
    // `moov` comes last here, so the first `avc1` may be the brand in the head.
    let places: Vec<_> = (place..bytes.len() - 4).filter(|at| &bytes[*at..*at + 4] == b"avc1").collect();
    for at in places.into_iter().filter(|at| *at > 64) {
        bytes[at + 28..at + 32].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    }
    let path = folder.join("huge.mp4");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn text(folder: &Path) -> PathBuf {
    let path = folder.join("notes.txt");
    std::fs::write(&path, "nothing to see\n").unwrap();
    path
}

#[test]
fn every_kind_of_source_becomes_the_right_ladder_or_a_clear_error_and_stays_as_it_was() {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let edge = scene.edge(origin.addr, &[]);
    let _worker = scene.worker(origin.addr, &[]);
    let api = scene.api(origin.addr);
    let cases = sources(scene.folder());
    let uploaded: Vec<_> = cases
        .iter()
        .map(|case| {
            let journal = scene.folder().join("journal");
            let upload = Upload::start(&case.file, &origin.url(), &scene.token_file(), &journal, &[]);
            (case, upload.finish().id, digest_of_file(&case.file))
        })
        .collect();
    for (case, id, digest) in uploaded {
        println!("{}: {id}", case.name);
        match &case.becomes {
            Becomes::Ladder { rungs, audio, captions } => {
                let asset = api.asset_in_state(&id, &["ready", "failed"]);
                assert_eq!(asset["state"], "ready", "{}: {asset:#}", case.name);
                is_the_ladder(&api, &edge, &id, rungs, *audio, *captions);
            }
            Becomes::Fails(code) => {
                let asset = api.asset_in_state(&id, &["ready", "failed"]);
                assert_eq!(asset["error"]["code"], *code, "{}: {asset:#}", case.name);
                let message = asset["error"]["message"].as_str().unwrap();
                assert!(!message.is_empty() && !message.contains('/'), "{}: {message}", case.name);
                assert!(!asset.to_string().contains(SECRET));
            }
            Becomes::Stays => assert_eq!(api.asset(&id)["state"], "uploaded", "{}", case.name),
        }
        if case.name.contains("varies") {
            has_a_constant_rate(&api, &edge, &id);
        }
        let source = api.source(&id);
        assert_eq!(digest_of(&source.expect(200).body), digest, "{} stays as it was", case.name);
        assert_eq!(api.asset(&id)["digest"], digest);
    }
    let jobs = api.request("GET", "/jobs").send(api.addr).expect(200).text();
    assert!(!jobs.contains(SECRET));
}

/// What is at an address below a grant on an edge.
fn get(edge: &Service, path: &str) -> String {
    Request::get(path).send(edge.addr).expect(200).text()
}

fn is_the_ladder(api: &Api, edge: &Service, id: &str, rungs: &[(u64, u64)], audio: usize, captions: usize) {
    let granted = grant(api, id);
    let hls = granted["playback"]["hls"].as_str().unwrap();
    let folder = hls.strip_suffix("/master.m3u8").unwrap();
    let master = get(edge, hls);
    for (width, height) in rungs {
        assert!(master.contains(&format!("RESOLUTION={width}x{height},")), "{width}x{height}: {master}");
    }
    let count = |what: &str| master.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!(count("#EXT-X-STREAM-INF"), rungs.len().max(1), "{master}");
    assert_eq!(count("#EXT-X-MEDIA:TYPE=SUBTITLES"), captions, "{master}");
    if !rungs.is_empty() {
        assert_eq!(count("#EXT-X-MEDIA:TYPE=AUDIO"), audio, "{master}");
        assert_eq!(count("#EXT-X-I-FRAME-STREAM-INF"), rungs.len(), "{master}");
        assert!(granted["playback"]["poster"].is_string() && granted["playback"]["storyboard"].is_string());
        let poster =
            Request::get(granted["playback"]["poster"].as_str().unwrap()).send(edge.addr).expect(200);
        assert!(poster.body.starts_with(&[0xff, 0xd8]), "a JPEG");
    }
    has_aligned_keyframes(edge, folder, &master);
    let dash = get(edge, granted["playback"]["dash"].as_str().unwrap());
    assert_eq!(dash.matches("contentType=\"video\"").count(), usize::from(!rungs.is_empty()), "{dash}");
}

/// 24 s at 60000/1001, every frame of them, each as long as the others.
fn has_a_constant_rate(api: &Api, edge: &Service, id: &str) {
    let hls = grant(api, id)["playback"]["hls"].as_str().unwrap().replace("master", "v360");
    let frames = ffprobe(&format!("{}{hls}", edge.url()), "-select_streams v -show_entries packet=dts_time");
    let times: Vec<f64> = frames.iter().map(|frame| frame.parse().unwrap()).collect();
    assert!((1437..=1440).contains(&times.len()), "{} frames", times.len());
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - 1001.0 / 60_000.0).abs() < 0.001, "{pair:?}");
    }
}

fn grant(api: &Api, id: &str) -> Value {
    let wish = serde_json::json!({ "minutes": 10 });
    api.request("POST", &format!("/assets/{id}/grants")).json(&wish).send(api.addr).expect(201).json()
}

/// Every rung has as many frames as the others, and keyframes in the same places.
fn has_aligned_keyframes(edge: &Service, folder: &str, master: &str) {
    let playlists: Vec<_> =
        master.lines().filter(|line| line.starts_with('v') && line.ends_with(".m3u8")).collect();
    let frames: Vec<Vec<String>> = playlists
        .iter()
        .map(|name| {
            let url = format!("{}{folder}/{name}", edge.url());
            ffprobe(&url, "-select_streams v -show_entries packet=pts_time,flags")
        })
        .collect();
    let keys = |frames: &[String]| -> Vec<usize> {
        frames.iter().enumerate().filter(|(_, frame)| frame.contains('K')).map(|(at, _)| at).collect()
    };
    for (name, of) in playlists.iter().zip(&frames) {
        assert_eq!(of.len(), frames[0].len(), "{name}");
        assert_eq!(keys(of), keys(&frames[0]), "{name}");
        assert!(of[0].contains('K') && !of.is_empty(), "{name} begins with a keyframe");
    }
}

/// Longer than a minute: cut into chunks that two workers take, and whole again.
#[test]
fn a_long_video_is_made_in_chunks_by_two_workers_without_a_seam() {
    const SECONDS: usize = 70;
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let edge = scene.edge(origin.addr, &[]);
    let _workers =
        [scene.worker(origin.addr, &["--name", "one"]), scene.worker(origin.addr, &["--name", "two"])];
    let (tus, api) = (scene.tus(origin.addr), scene.api(origin.addr));
    let words = format!("{} {} {X264} -g 250 {AAC}", picture("640x360", "25", "70"), sound(440, "70"));
    let bytes = std::fs::read(made("long.mp4", &words)).unwrap();
    let id = id_of(&tus.upload(&bytes, "long.mp4")).to_owned();
    let asset = api.asset_in_state(&id, &["playable", "ready", "failed"]);
    assert_ne!(asset["state"], "failed", "{asset:#}");
    assert_eq!(api.asset_in_state(&id, &["ready", "failed"])["state"], "ready");

    let jobs = api.request("GET", "/jobs?limit=100").send(api.addr).expect(200).json();
    let renditions: Vec<_> =
        jobs["jobs"].as_array().unwrap().iter().filter(|job| job["kind"] == "rendition").collect();
    assert!(renditions.len() >= 3, "{jobs:#}");
    for worker in ["one", "two"] {
        assert!(renditions.iter().any(|job| job["worker"] == worker), "{worker} did nothing: {jobs:#}");
    }
    let hls = grant(&api, &id)["playback"]["hls"].as_str().unwrap().to_owned();
    let url = format!("{}{}", edge.url(), hls.replace("master", "v360"));
    let frames = ffprobe(&url, "-select_streams v -show_entries packet=dts_time,flags");
    assert_eq!(frames.len(), SECONDS * 25);
    let times: Vec<f64> =
        frames.iter().map(|frame| frame.split(',').next().unwrap().parse().unwrap()).collect();
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - 0.04).abs() < 0.001, "{pair:?}");
    }
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(frame.contains('K'), at % 50 == 0, "frame {at}: {frame}");
    }
}
