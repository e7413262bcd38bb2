//! The API is what its document says: schemathesis makes requests from it, sensible ones and hostile ones, and finds no
//! answer that the document does not have and no failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::Path;

use serde_json::json;
use tidegate_testkit::supervise::Recipe;
use tidegate_testkit::tus::id_of;
use tidegate_testkit::{Backing, Scene};

/// What every answer is held to.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
     response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method";

/// Left out: a stream has no end, and webhooks to invented hosts would leave this machine.
const LEFT_OUT: [&str; 3] = ["/api/v1/events", "/api/v1/webhooks", "/api/v1/webhooks/{id}"];

#[test]
fn schemathesis_finds_no_failure_and_no_undocumented_answer() {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin_with(&["--rate-api", "off"]);
    let (tus, api) = (scene.tus(origin.addr), scene.api(origin.addr));
    // Something for the lists to show.
    let id = id_of(&tus.upload(b"nothing to see", "notes.txt")).to_owned();
    api.set_visibility(&id, "public");
    let _ =
        api.request("POST", "/tokens").json(&json!({ "name": "of a test" })).send(origin.addr).expect(201);

    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/install-test-tools.sh", python.display());
    let url = format!("{}/api/v1/openapi.json", origin.url());
    let token = format!("Authorization: Bearer {}", scene.token());
    let mut wish = vec!["-m", "schemathesis.cli", "run", &url, "--header", &token, "--checks", CHECKS];
    wish.extend([
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "15",
        "--seed",
        "20",
        "--workers",
        "2",
    ]);
    wish.extend(["--continue-on-failure", "--no-color", "--request-timeout", "20", "--warnings", "off"]);
    wish.extend(LEFT_OUT.iter().flat_map(|path| ["--exclude-path", path]));
    let said = Recipe::new(python)
        .args(wish)
        .configure(|command| {
            command.current_dir(scene.folder());
        })
        .run();
    println!("{said}");
    assert!(said.contains("passed"), "it tried something");
}
