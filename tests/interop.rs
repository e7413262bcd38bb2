//! Clients that others wrote upload a file in chunks, with a break and a resume in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_testkit::files::{digest_of, random_file};
use tidegate_testkit::scene::Service;
use tidegate_testkit::supervise::Recipe;
use tidegate_testkit::tus::id_of;
use tidegate_testkit::{Backing, Scene};

const SIZE: u64 = 5_000_001;
const CHUNK: &str = "700000";

fn repository(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(path.exists(), "{} is missing: run scripts/install-test-tools.sh", path.display());
    path
}

/// Runs a client; what it says, and the digest the asset must have.
fn run(program: &Path, script: &str, parallel: &[&str]) -> (Scene, Service, Value, String) {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let file = scene.folder().join("tide.mp4");
    let digest = random_file(&file, 101, SIZE);
    let endpoint = format!("{}/files", origin.url());
    let (token, file) = (scene.token(), file.display().to_string());
    let output = Recipe::new(program)
        .args([repository(script)])
        .args([&endpoint, &token, &file, CHUNK])
        .args(parallel)
        .args([scene.folder().join("urls.json")])
        .run();
    let said = serde_json::from_str(output.trim()).unwrap_or_else(|error| panic!("{error}: {output}"));
    (scene, origin, said, digest)
}

fn check(scene: &Scene, origin: &Service, said: &Value, digest: &str) {
    let api = scene.api(origin.addr);
    let id = id_of(said["url"].as_str().unwrap());
    let asset = api.asset_eventually(id);
    assert_eq!(
        (asset["digest"].as_str(), asset["name"].as_str()),
        (Some(digest), Some("tide.mp4")),
        "{said}"
    );
    assert_eq!(digest_of(&api.source(id).expect(200).body), digest);
}

#[test]
fn tus_js_client_resumes_from_its_url_storage() {
    repository("tests/interop/node_modules/tus-js-client");
    let (scene, origin, said, digest) = run(Path::new("node"), "tests/interop/tus_js_resume.mjs", &["1"]);
    println!("{said}");
    check(&scene, &origin, &said, &digest);
    // It asked where the upload stood, and made no second one.
    assert_eq!(said["second"][0], "HEAD 200", "{said}");
    assert_eq!(
        said["second"].as_array().unwrap().iter().filter(|line| *line == "POST 201").count(),
        0,
        "{said}"
    );
}

#[test]
fn tus_js_client_resumes_parallel_parts() {
    repository("tests/interop/node_modules/tus-js-client");
    let (scene, origin, said, digest) = run(Path::new("node"), "tests/interop/tus_js_resume.mjs", &["3"]);
    println!("{said}");
    check(&scene, &origin, &said, &digest);
    // Parts had been made before the break; what is made after it is the final upload alone.
    assert_eq!(
        said["second"].as_array().unwrap().iter().filter(|line| *line == "POST 201").count(),
        1,
        "{said}"
    );
}

#[test]
fn tuspy_resumes_by_url() {
    let python = repository(".venv/bin/python");
    let (scene, origin, said, digest) = run(&python, "tests/interop/tuspy_resume.py", &[]);
    println!("{said}");
    check(&scene, &origin, &said, &digest);
    assert_eq!(said["stopped_at"], said["resumed_at"], "{said}");
    assert_eq!(said["end"], SIZE);
}
