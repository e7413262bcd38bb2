//! The dashboard as people use it: in a real browser, on a real origin with an edge and a worker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidegate_testkit::http::Request;
use tidegate_testkit::scene::Service;
use tidegate_testkit::scene::Worker;
use tidegate_testkit::supervise::Recipe;
use tidegate_testkit::wait::eventually_true;
use tidegate_testkit::{Backing, Scene, limits, tus, video};

const SECONDS: u32 = 24;
const PASSWORD: &str = "a long enough password";

/// One browser at a time: uploads are timed.
static SCREEN: Mutex<()> = Mutex::new(());

fn screen() -> MutexGuard<'static, ()> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct House {
    scene: Scene,
    origin: Service,
    _edge: Service,
    _worker: Worker,
}

impl House {
    fn open(backing: Backing) -> Self {
        assert!(interop().join("node_modules/axe-core").exists(), "run scripts/install-test-tools.sh");
        let scene = Scene::new(backing);
        let origin = scene.origin();
        let edge = scene.edge(origin.addr, &[]);
        let worker = scene.worker(origin.addr, &[]);
        let api = scene.api(origin.addr);
        let edges = || api.request("GET", "/edges").send(api.addr).expect(200).text();
        eventually_true("the edge to register", limits::START, || edges().contains(&edge.url()));
        Self { scene, origin, _edge: edge, _worker: worker }
    }

    fn sign_up(&self, name: &str) {
        let account =
            json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        let _ = Request::new("POST", "/api/v1/accounts").json(&account).send(self.origin.addr).expect(201);
    }

    /// A token of an account that has signed up.
    fn token_of(&self, name: &str) -> String {
        let credentials = json!({ "login": name, "password": PASSWORD });
        let session = Request::new("POST", "/api/v1/sessions").json(&credentials);
        let session = session.send(self.origin.addr).expect(201);
        let cookie = session.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap();
        let made = Request::new("POST", "/api/v1/tokens").header("Cookie", cookie);
        let made = made.json(&json!({ "name": "test" })).send(self.origin.addr).expect(201).json();
        made["token"].as_str().unwrap().to_owned()
    }

    fn make_admin(&self, name: &str) {
        let api = self.scene.api(self.origin.addr);
        let found = api.request("GET", &format!("/accounts?q={name}")).send(api.addr).expect(200).json();
        let id = found["accounts"][0]["id"].as_str().unwrap().to_owned();
        let change = json!({ "role": "admin" });
        let _ = api.request("PATCH", &format!("/accounts/{id}")).json(&change).send(api.addr).expect(200);
    }

    fn upload(&self, token: &str, file_name: &str, more: &[(&str, &str)]) -> String {
        let bytes = std::fs::read(video::film(SECONDS)).unwrap();
        let client = tus::Tus::new(self.origin.addr, token.to_owned());
        let pairs = [("filename", file_name), ("filetype", "video/mp4")];
        let metadata: Vec<String> = pairs
            .iter()
            .chain(more)
            .map(|(key, value)| format!("{key} {}", STANDARD.encode(value)))
            .collect();
        let created = client
            .request("POST", "/files")
            .header("Upload-Length", bytes.len())
            .header("Upload-Metadata", metadata.join(","))
            .send(self.origin.addr)
            .expect(201);
        let path = tus::path_of(&created);
        let _ = client.patch(&path, 0, &bytes).send(self.origin.addr).expect(204);
        tus::id_of(&path).to_owned()
    }

    fn wish(&self, deed: &str, login: &str) -> Value {
        json!({
            "deed": deed, "chromium": "/usr/bin/chromium", "origin": self.origin.url(), "login": login,
            "password": PASSWORD, "film": video::film(SECONDS),
            "patience_ms": u64::try_from(limits::RUN.as_millis()).unwrap(),
        })
    }
}

fn interop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

fn browser(wish: &Value) -> Recipe {
    Recipe::new("node").args([interop().join("dashboard.mjs")]).args([wish.to_string()])
}

/// What a script said last, once nothing was broken on the way.
fn sound(said: &str) -> Value {
    let said = said.trim().lines().last().and_then(|line| serde_json::from_str(line).ok());
    let said: Value = said.expect("a line of JSON");
    println!("{said:#}");
    assert_eq!(said["complaints"], json!([]), "the pages broke no rule of their own");
    assert_eq!(said["inaccessible"], json!({}), "axe finds nothing serious");
    said
}

fn story(backing: Backing) {
    let _screen = screen();
    let house = House::open(backing);
    let said = sound(&browser(&house.wish("story", "ada")).run());
    assert!(said["tooShort"].as_str().unwrap().contains("8 characters"), "{said}");
    assert!(said["kept"].as_u64() >= Some(10), "what was sent before the reload is there: {said}");
    assert_eq!(said["tags"], json!(["tide"]));
    assert_eq!(said["description"], "At dawn.");
    assert_eq!(said["how"], "blob", "it is the adaptive stream that plays");
}

#[test]
fn someone_signs_up_uploads_watches_shares_and_takes_a_deletion_back() {
    story(Backing::Embedded);
}

#[test]
fn the_same_on_postgresql_and_redis() {
    story(Backing::Cluster);
}

#[test]
fn an_upload_survives_the_network_the_origin_and_the_tab() {
    let _screen = screen();
    let house = House::open(Backing::Embedded);
    house.sign_up("ada");
    let mut page = browser(&house.wish("storm", "ada")).start();
    page.stdout_line(limits::RUN, |line| line.contains("\"begun\"").then_some(()));
    house.origin.process.kill9();
    page.stdout_line(limits::RUN, |line| line.contains("\"noticed\"").then_some(()));
    house.origin.process.start_again();
    let status = page.wait(limits::RUN);
    assert!(status.success(), "{}", page.output());
    let said = sound(&page.stdout());
    assert!(said["kept"].as_u64() >= Some(30), "{said}");
    let token = house.token_of("ada");
    let assets = Request::get("/api/v1/assets").bearer(&token).send(house.origin.addr).expect(200).json();
    assert_eq!(assets["assets"].as_array().unwrap().len(), 1, "one file, one upload: {assets}");
    let digest = blake3_of(&video::film(SECONDS));
    assert_eq!(assets["assets"][0]["digest"], json!(digest));
}

fn blake3_of(file: &Path) -> String {
    format!("blake3:{}", blake3::hash(&std::fs::read(file).unwrap()).to_hex())
}

#[test]
fn an_upload_goes_on_after_logging_in_again() {
    let _screen = screen();
    let house = House::open(Backing::Embedded);
    house.sign_up("ada");
    let said = sound(&browser(&house.wish("expire", "ada")).run());
    assert!(said["said"].as_str().unwrap().contains("log in"), "{said}");
}

#[test]
fn every_page_fits_a_phone_and_a_desk_in_light_and_dark_and_is_accessible() {
    let _screen = screen();
    let house = House::open(Backing::Embedded);
    house.sign_up("ada");
    house.make_admin("ada");
    let id = house.upload(&house.token_of("ada"), "harbour.mp4", &[("title", "The harbour")]);
    let api = house.scene.api(house.origin.addr);
    let _ = api.asset_in_state(&id, &["ready"]);
    let mut wish = house.wish("look", "ada");
    wish["asset"] = json!(id);
    wish["visible"] = json!(house.token_of("ada"));
    // With TIDEGATE_SHOTS=FOLDER the pictures are kept.
    if let Ok(shots) = std::env::var("TIDEGATE_SHOTS") {
        wish["shots"] = json!(shots);
    }
    let change = Request::new("PATCH", &format!("/api/v1/assets/{id}")).bearer(&house.token_of("ada"));
    let _ = change.json(&json!({ "visibility": "unlisted" })).send(house.origin.addr).expect(200);
    let said = sound(&browser(&wish).run());
    assert_eq!(said["overhangs"], json!({}), "nothing sticks out");
}

#[test]
fn what_people_write_stays_text() {
    let _screen = screen();
    let house = House::open(Backing::Embedded);
    house.sign_up("ada");
    house.make_admin("ada");
    let token = house.token_of("ada");
    let text = "\"><img src=x onerror=alert(1)><script>alert(2)</script>";
    let tag = "<b onclick=alert(3)>";
    let id = house.upload(&token, text, &[("title", text), ("description", text), ("tags", tag)]);
    let at = format!("/api/v1/assets/{id}");
    let change = json!({ "metadata": { "note": text } });
    let _ = Request::new("PATCH", &at).bearer(&token).json(&change).send(house.origin.addr).expect(200);
    let _ = house.scene.api(house.origin.addr).asset_in_state(&id, &["playable", "ready"]);
    let mut wish = house.wish("hostile", "ada");
    wish["asset"] = json!(id);
    wish["tag"] = json!(tag);
    let said = sound(&browser(&wish).run());
    for (path, hurt) in said["hurt"].as_object().unwrap() {
        assert_eq!(*hurt, json!(false), "{path}");
    }
    assert!(said["title"].as_str().unwrap().contains("<img src=x"), "{said}");
}
