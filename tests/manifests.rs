//! Manifests as parsers that others wrote read them (PyPI's m3u8, npm's mpd-parser) say what ffprobe finds in the
//! segments: HLS and DASH, of a video made in one piece and of one made in several.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate_testkit::http::Request;
use tidegate_testkit::scene::Service;
use tidegate_testkit::supervise::Recipe;
use tidegate_testkit::tus::id_of;
use tidegate_testkit::video::{ffprobe, made};
use tidegate_testkit::{Backing, Scene};

/// Two rungs that cost next to nothing.
const LADDER: &str = "90:150k,180:400k";
const RUNGS: [(u64, u64); 2] = [(160, 90), (320, 180)];
const RATE: f64 = 25.0;

fn repository(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(path.exists(), "{} is missing: run scripts/install-test-tools.sh", path.display());
    path
}

/// Two languages, and captions of one of them.
fn source(seconds: u32) -> PathBuf {
    let subtitles = "data:text/plain;base64,MQowMDowMDowMCw1MDAgLS0+IDAwOjAwOjAxLDUwMApHb29kIG1vcm5pbmcK";
    made(
        "two-languages.mp4",
        &format!(
            "-f lavfi -i testsrc2=s=320x180:r={RATE}:d={seconds},noise=alls=20:allf=t \
             -f lavfi -i sine=440:d={seconds} -f lavfi -i anoisesrc=d={seconds} -f srt -i {subtitles} \
             -map 0 -map 1 -map 2 -map 3 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -ac 2 -c:s mov_text \
             -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu -metadata:s:s:0 language=eng"
        ),
    )
}

/// What is really there of a track.
struct Track {
    /// Bytes and seconds of each segment.
    segments: Vec<(u64, f64)>,
    /// Frames that decode alone.
    keys: usize,
    /// What ffprobe says of the stream.
    stream: Value,
}

impl Track {
    /// Fetches everything the manifest names, and has ffprobe look at it as one file.
    fn fetch(edge: &Service, folder: &Path, said: &Value) -> Self {
        let get = |uri: &Value| {
            let path =
                uri.as_str().unwrap().strip_prefix(&edge.url()).expect("an address on the edge").to_owned();
            Request::get(&path).send(edge.addr).expect(200).body
        };
        let mut bytes = get(&said["init"]);
        let mut ends = Vec::new();
        let mut sizes = Vec::new();
        for segment in said["segments"].as_array().unwrap() {
            let body = get(&segment["uri"]);
            sizes.push(body.len() as u64);
            bytes.extend(body);
            ends.push(bytes.len() as u64);
        }
        let file = folder.join("track.mp4");
        std::fs::write(&file, bytes).unwrap();
        Self::look(&file.display().to_string(), &ends, sizes)
    }

    /// What ffprobe finds in a track whose segments end at these bytes.
    fn look(file: &str, ends: &[u64], sizes: Vec<u64>) -> Self {
        let stream = Recipe::new("ffprobe").args(["-v", "error", "-of", "json", "-show_streams", file]).run();
        let stream: Value = serde_json::from_str(&stream).unwrap();
        let stream = stream["streams"][0].clone();
        let packets = ffprobe(file, "-show_entries packet=dts_time,pos,flags");
        let packets: Vec<Vec<&str>> = packets.iter().map(|packet| packet.split(',').collect()).collect();
        let time = |packet: &[&str]| packet[0].parse::<f64>().unwrap();
        let end = time(&packets[0]) + stream["duration"].as_str().unwrap().parse::<f64>().unwrap();
        let mut seconds = vec![0.0; ends.len()];
        for (n, packet) in packets.iter().enumerate() {
            // What lies before zero is the encoder's own and is not heard; the last of sound may be cut short.
            let until = packets.get(n + 1).map_or(end, |next| time(next));
            let lasts = until.max(0.0) - time(packet).max(0.0);
            let at: u64 = packet[1].parse().unwrap();
            seconds[ends.iter().position(|end| at < *end).unwrap()] += lasts;
        }
        Self {
            segments: sizes.into_iter().zip(seconds).collect(),
            keys: packets.iter().filter(|packet| packet[2].contains('K')).count(),
            stream,
        }
    }

    fn seconds(&self) -> f64 {
        self.segments.iter().map(|(_, seconds)| seconds).sum()
    }

    /// Bits a second over all of it.
    fn average(&self) -> f64 {
        rate(&self.segments)
    }

    /// RFC 8216 section 4.1: the highest rate of neighbours that together last between half and one and a half times
    /// the target duration.
    fn peak(&self) -> f64 {
        let target = self.segments.iter().map(|(_, seconds)| seconds.round()).fold(1.0, f64::max);
        let windows = (1..=self.segments.len()).flat_map(|length| self.segments.windows(length));
        let long_enough = windows.filter(|window| {
            let seconds: f64 = window.iter().map(|(_, seconds)| seconds).sum();
            (0.5 * target - 1e-6..=1.5 * target + 1e-6).contains(&seconds)
        });
        long_enough.map(rate).fold(self.average(), f64::max)
    }

    /// RFC 6381, from profile and level as ffprobe names them.
    fn codec(&self) -> String {
        match self.stream["codec_name"].as_str().unwrap() {
            "h264" => {
                let profile = match self.stream["profile"].as_str().unwrap() {
                    "Main" => "4D40",
                    "High" => "6400",
                    other => panic!("profile {other}"),
                };
                format!("avc1.{profile}{:02X}", self.stream["level"].as_u64().unwrap())
            }
            "aac" => {
                assert_eq!(self.stream["profile"], "LC");
                "mp4a.40.2".to_owned()
            }
            other => panic!("codec {other}"),
        }
    }

    /// A manifest's segments are these, each as long as it says.
    fn has_the_segments_of(&self, said: &Value) {
        let listed = said["segments"].as_array().unwrap();
        assert_eq!(listed.len(), self.segments.len());
        for (listed, (_, seconds)) in listed.iter().zip(&self.segments) {
            let duration = listed["duration"].as_f64().unwrap();
            assert!((duration - seconds).abs() < 0.000_1, "{duration} is {seconds}: {listed}");
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn rate(segments: &[(u64, f64)]) -> f64 {
    let (bytes, seconds) = segments.iter().fold((0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    bytes as f64 * 8.0 / seconds
}

fn is_about(said: &Value, real: f64) {
    let said = said.as_f64().unwrap();
    // Whole numbers, rounded up; two of them in a sum.
    assert!((-0.5..=2.5).contains(&(said - real)), "{said} is said, {real} is true");
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// The codecs of a list, in whatever order.
fn codecs(value: &Value) -> Vec<String> {
    let mut found: Vec<_> =
        value.as_array().unwrap().iter().map(|codec| codec.as_str().unwrap().to_uppercase()).collect();
    found.sort();
    found
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names: Vec<_> = names.iter().map(|name| name.to_uppercase()).collect();
    names.sort();
    names
}

fn renditions<'a>(hls: &'a Value, kind: &str) -> Vec<&'a Value> {
    hls["renditions"].as_array().unwrap().iter().filter(|rendition| rendition["type"] == kind).collect()
}

/// What the parsers read, and what is there: rungs from the lowest, then the sound, in the order of the manifest.
struct Read {
    hls: Value,
    dash: Value,
    rungs: Vec<Track>,
    sound: Vec<Track>,
}

/// Uploads, waits, and reads all of it through an edge under a grant.
fn read(seconds: u32) -> Read {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin_with(&["--ladder", LADDER]);
    let edge = scene.edge(origin.addr, &[]);
    let _worker = scene.worker(origin.addr, &[]);
    let (tus, api) = (scene.tus(origin.addr), scene.api(origin.addr));
    let id = id_of(&tus.upload(&std::fs::read(source(seconds)).unwrap(), "film.mp4")).to_owned();
    assert_eq!(api.asset_in_state(&id, &["ready", "failed"])["state"], "ready");
    let wish = json!({ "minutes": 10 });
    let granted =
        api.request("POST", &format!("/assets/{id}/grants")).json(&wish).send(api.addr).expect(201).json();
    let at_edge = |kind: &str| format!("{}{}", edge.url(), granted["playback"][kind].as_str().unwrap());
    let run = |program: &Path, script: &str, url: String| -> Value {
        let said = Recipe::new(program).args([repository(script)]).args([url]).run();
        serde_json::from_str(said.trim()).unwrap()
    };
    let hls = run(&repository(".venv/bin/python"), "tests/interop/manifests_hls.py", at_edge("hls"));
    repository("tests/interop/node_modules/mpd-parser");
    let dash = run(Path::new("node"), "tests/interop/manifests_dash.mjs", at_edge("dash"));
    println!("{hls:#}\n{dash:#}");
    let rungs = hls["variants"].as_array().unwrap().iter();
    let rungs = rungs.map(|said| Track::fetch(&edge, scene.folder(), said)).collect();
    let sound = renditions(&hls, "AUDIO").into_iter();
    let sound = sound.map(|said| Track::fetch(&edge, scene.folder(), said)).collect();
    Read { hls, dash, rungs, sound }
}

fn agree(seconds: u32) {
    let read = read(seconds);
    assert_eq!((read.rungs.len(), read.sound.len()), (RUNGS.len(), 2));
    hls_says_what_is_there(&read, f64::from(seconds));
    iframes_are_the_keyframes(&read);
    languages_and_captions_are_named(&read);
    dash_says_the_same(&read, f64::from(seconds));
}

fn hls_says_what_is_there(read: &Read, seconds: f64) {
    let loudest = |of: fn(&Track) -> f64| read.sound.iter().map(of).fold(0.0, f64::max);
    let variants = read.hls["variants"].as_array().unwrap();
    for ((said, track), (width, height)) in variants.iter().zip(&read.rungs).zip(RUNGS) {
        track.has_the_segments_of(said);
        assert_eq!((&said["whole"], &said["iframes_only"]), (&json!(true), &json!(false)));
        assert_eq!(said["resolution"], json!([width, height]));
        assert_eq!((number(&track.stream["width"]), number(&track.stream["height"])), (width, height));
        assert_eq!(
            (said["frame_rate"].as_f64(), &track.stream["r_frame_rate"]),
            (Some(RATE), &json!("25/1"))
        );
        assert_eq!(codecs(&said["codecs"]), sorted(&[track.codec(), read.sound[0].codec()]));
        assert!((track.seconds() - seconds).abs() < 0.001, "{} s of {seconds}", track.seconds());
        is_about(&said["average_bandwidth"], track.average() + loudest(Track::average));
        is_about(&said["bandwidth"], track.peak() + loudest(Track::peak));
        let longest = track.segments.iter().map(|(_, seconds)| seconds.round()).fold(0.0, f64::max);
        assert_eq!(said["target_duration"].as_f64(), Some(longest));
    }
    for (said, track) in renditions(&read.hls, "AUDIO").into_iter().zip(&read.sound) {
        track.has_the_segments_of(said);
        assert_eq!(said["whole"], true);
        // To the end of a frame of sound.
        assert!((track.seconds() - seconds).abs() < 0.05, "{} s of {seconds}", track.seconds());
        assert_eq!(said["channels"], track.stream["channels"].to_string());
    }
}

fn iframes_are_the_keyframes(read: &Read) {
    let iframes = read.hls["iframes"].as_array().unwrap();
    assert_eq!(iframes.len(), RUNGS.len());
    for ((said, track), (width, height)) in iframes.iter().zip(&read.rungs).zip(RUNGS) {
        assert_eq!((&said["iframes_only"], &said["resolution"]), (&json!(true), &json!([width, height])));
        assert_eq!(codecs(&said["codecs"]), sorted(&[track.codec()]));
        let listed = said["segments"].as_array().unwrap();
        assert_eq!(listed.len(), track.keys);
        let all: f64 = listed.iter().map(|frame| frame["duration"].as_f64().unwrap()).sum();
        assert!((all - track.seconds()).abs() < 0.001, "{all} s of {}", track.seconds());
        let most = listed.iter().map(|frame| {
            let size: f64 = frame["range"].as_str().unwrap().split('@').next().unwrap().parse().unwrap();
            size * 8.0 / frame["duration"].as_f64().unwrap()
        });
        is_about(&said["bandwidth"], most.fold(0.0, f64::max));
    }
}

fn languages_and_captions_are_named(read: &Read) {
    let audio = renditions(&read.hls, "AUDIO");
    let languages: Vec<_> = audio.iter().map(|rendition| &rendition["language"]).collect();
    assert_eq!(languages, ["en", "de"]);
    assert_eq!((&audio[0]["default"], &audio[1]["default"]), (&json!("YES"), &json!("NO")));
    let texts = renditions(&read.hls, "SUBTITLES");
    assert_eq!(texts.len(), 1);
    assert_eq!((&texts[0]["language"], texts[0]["segments"].as_array().unwrap().len()), (&json!("en"), 1));
    for variant in read.hls["variants"].as_array().unwrap() {
        assert_eq!((&variant["audio"], &variant["subtitles"]), (&audio[0]["group"], &texts[0]["group"]));
    }
}

/// The same segments under the same addresses; only rates are each track's own.
fn dash_says_the_same(read: &Read, seconds: f64) {
    let (hls, dash) = (&read.hls, &read.dash);
    assert_eq!(dash["warnings"], json!([]));
    assert!((dash["duration"].as_f64().unwrap() - seconds).abs() < 0.05, "{}", dash["duration"]);
    let places = |said: &Value| -> Vec<Value> {
        let segments = said["segments"].as_array().unwrap().iter().map(|segment| segment["uri"].clone());
        std::iter::once(said["init"].clone()).chain(segments).collect()
    };
    let rungs = dash["rungs"].as_array().unwrap();
    assert_eq!(rungs.len(), RUNGS.len());
    for ((said, track), variant) in rungs.iter().zip(&read.rungs).zip(hls["variants"].as_array().unwrap()) {
        assert_eq!(places(said), places(variant));
        assert_eq!((&said["resolution"], said["frame_rate"].as_f64()), (&variant["resolution"], Some(RATE)));
        track.has_the_segments_of(said);
        assert_eq!(codecs(&said["codecs"]), sorted(&[track.codec()]));
        is_about(&said["bandwidth"], track.peak());
        assert_eq!(said["whole"], true);
    }
    let audio = dash["audio"].as_array().unwrap();
    assert_eq!(audio.len(), read.sound.len());
    for ((said, track), rendition) in audio.iter().zip(&read.sound).zip(renditions(hls, "AUDIO")) {
        assert_eq!(places(said), places(rendition));
        assert_eq!(said["language"], rendition["language"]);
        track.has_the_segments_of(said);
        assert_eq!(codecs(&said["codecs"]), sorted(&[track.codec()]));
        is_about(&said["bandwidth"], track.peak());
    }
    let (texts, captions) = (dash["subtitles"].as_array().unwrap(), renditions(hls, "SUBTITLES"));
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0]["language"], captions[0]["language"]);
    assert_eq!(texts[0]["segments"][0]["uri"], captions[0]["segments"][0]["uri"]);
}

#[test]
fn parsers_of_others_read_from_the_manifests_what_ffprobe_finds_in_the_segments() {
    agree(10);
}

#[test]
fn they_do_for_a_video_that_was_made_in_pieces_too() {
    agree(64);
}
