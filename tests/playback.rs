//! A real video plays in a real browser: from an edge, through a grant, with a seek, until the grant is over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::Path;

use serde_json::{Value, json};
use tidegate_testkit::files::digest_of_file;
use tidegate_testkit::supervise::Recipe;
use tidegate_testkit::wait::eventually_true;
use tidegate_testkit::{Backing, Scene, Upload, limits, video};

/// How long the short grant runs, in minutes: long enough to start playing, short enough to wait for its end.
const SHORT: f64 = 0.1;

#[test]
fn a_real_video_plays_and_seeks_in_chromium_and_stops_when_its_grant_is_over() {
    let interop = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    assert!(interop.join("node_modules/playwright-core").exists(), "run scripts/install-test-tools.sh");
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let edge = scene.edge(origin.addr, &[]);

    let film = video::video();
    let upload =
        Upload::start(&film, &origin.url(), &scene.token_file(), &scene.folder().join("journal"), &[]);
    let finished = upload.finish();
    assert_eq!(finished.digest, digest_of_file(&film));
    let api = scene.api(origin.addr);
    assert_eq!(api.asset_eventually(&finished.id)["content_type"], "video/mp4");
    let edges = || api.request("GET", "/edges").send(api.addr).expect(200).text();
    eventually_true("the edge to register", limits::START, || edges().contains(&edge.url()));

    let wish = json!({
        "chromium": "/usr/bin/chromium",
        "watch": format!("{}{}", origin.url(), api.grant(&finished.id, 10.0).watch),
        "edge": edge.url(),
        "grants": format!("{}/api/v1/assets/{}/grants", origin.url(), finished.id),
        "token": scene.token(),
        "minutes": SHORT,
    });
    let said = Recipe::new("node").args([interop.join("play.mjs")]).args([wish.to_string()]).run();
    let said: Value = serde_json::from_str(said.trim()).unwrap();
    println!("{said:#}");

    plays_from_the_edge(&said, &edge.url());
    seeks_by_ranges(&said);
    stops_with_its_grant(&said);
}

fn plays_from_the_edge(said: &Value, edge: &str) {
    let played = &said["played"];
    assert_eq!(played["how"], "played");
    assert!(played["source"].as_str().unwrap().starts_with(&format!("{edge}/g/")), "{played}");
    assert_eq!(played["width"], 640);
    assert!(played["frames"].as_u64().unwrap() > 0 && played["audioBytes"].as_u64().unwrap() > 0, "{played}");
    assert!((played["duration"].as_f64().unwrap() - f64::from(video::SECONDS)).abs() < 1.0);
}

fn seeks_by_ranges(said: &Value) {
    let (sought, middle) = (&said["sought"], said["middle"].as_f64().unwrap());
    assert_eq!(sought["how"], "played");
    assert!(sought["at"].as_f64().unwrap() >= middle + 1.0);
    let before = usize::try_from(said["beforeShort"].as_u64().unwrap()).unwrap();
    let requests = &said["requests"].as_array().unwrap()[..before];
    let into_the_file = requests.iter().any(|request| {
        let range =
            request["range"].as_str().and_then(|range| range.strip_prefix("bytes=")?.split('-').next());
        request["status"] == 206
            && range.is_some_and(|first| first.parse().is_ok_and(|first: u64| first > 1 << 20))
    });
    assert!(into_the_file, "no request asked for the middle: {requests:?}");
}

fn stops_with_its_grant(said: &Value) {
    assert_eq!(said["short"]["how"], "played");
    assert_eq!(said["refusal"], json!({ "status": 403, "code": "grant_expired" }));
    // Neither a part it did not have yet, nor the whole once more.
    for later in ["afterwards", "again"] {
        assert_ne!(said[later]["how"], "played", "{later}: {}", said[later]);
    }
    assert_eq!(said["again"]["how"], "error", "{}", said["again"]);
}
