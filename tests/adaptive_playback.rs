//! A real video, made by a real worker, plays in a real browser through an edge: with hls.js, Shaka Player and dash.js,
//! and on the watch page.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidegate_testkit::http::Request;
use tidegate_testkit::scene::{FLEET_KEY, Service};
use tidegate_testkit::supervise::Recipe;
use tidegate_testkit::wait::{eventually, eventually_true};
use tidegate_testkit::{Backing, Process, Scene, limits, ports, tus, video};

/// How long the film is: some segments, and time enough for a player to change its mind.
const SECONDS: u32 = 24;
/// What the lowest rung and its sound need, and half of it again, but not what the next rung needs.
const NARROW_KBPS: u32 = 1450;

/// One browser at a time: what a player chooses depends on how fast it is served.
static SCREEN: Mutex<()> = Mutex::new(());

fn screen() -> MutexGuard<'static, ()> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything a viewer needs: an origin, an edge, and a worker when it is wanted.
struct Cinema {
    scene: Scene,
    origin: Service,
    edge: Service,
    worker: Option<Process>,
}

impl Cinema {
    fn open() -> Self {
        let interop = interop();
        assert!(interop.join("node_modules/hls.js").exists(), "run scripts/install-test-tools.sh");
        let scene = Scene::new(Backing::Embedded);
        let origin = scene.origin();
        let edge = scene.edge(origin.addr, &[]);
        let api = scene.api(origin.addr);
        let edges = || api.request("GET", "/edges").send(api.addr).expect(200).text();
        eventually_true("the edge to register", limits::START, || edges().contains(&edge.url()));
        Self { scene, origin, edge, worker: None }
    }

    fn with_worker(mut self) -> Self {
        self.start_worker();
        self
    }

    fn start_worker(&mut self) {
        let admin = ports::free_addr();
        let (listen, origin) = (admin.to_string(), self.origin.url());
        let store = self.scene.folder().join("blobs").display().to_string();
        let arguments =
            ["--admin-listen", &listen, "--origin", &origin, "--fleet-key", FLEET_KEY, "--store", &store];
        self.worker = Some(Process::start("tidegate-transcoder", &arguments, admin, "/readyz"));
    }

    /// Uploads a film as whoever has this token; returns its id.
    fn upload(&self, token: &str, seconds: u32, encrypted: bool) -> String {
        self.upload_file(token, &video::film(seconds), encrypted)
    }

    fn upload_file(&self, token: &str, file: &Path, encrypted: bool) -> String {
        let bytes = std::fs::read(file).unwrap();
        let client = tus::Tus::new(self.origin.addr, token.to_owned());
        let pairs = [("filename", "film.mp4"), ("filetype", "video/mp4"), ("encrypt", "aes-128")];
        let said = pairs.iter().take(if encrypted { 3 } else { 2 });
        let metadata: Vec<String> =
            said.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
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

    /// The asset once all of it is there.
    fn ready(&self, id: &str, token: &str) -> Value {
        let request = Request::get(&format!("/api/v1/assets/{id}")).bearer(token);
        eventually("the video to be ready", limits::RUN, || {
            let asset = request.send(self.origin.addr).expect(200).json();
            assert_ne!(asset["state"], "failed", "{asset}");
            (asset["state"] == "ready").then_some(asset)
        })
    }

    /// A grant's answer: the same addresses, for whoever has the link.
    fn grant(&self, id: &str, token: &str) -> Value {
        let wish = json!({ "minutes": 60 });
        let request = Request::new("POST", &format!("/api/v1/assets/{id}/grants")).bearer(token).json(&wish);
        request.send(self.origin.addr).expect(201).json()
    }

    /// An address of a grant on the edge.
    fn at_edge(&self, path: &Value) -> String {
        format!("{}{}", self.edge.url(), path.as_str().unwrap())
    }

    fn at_origin(&self, path: &Value) -> String {
        format!("{}{}", self.origin.url(), path.as_str().unwrap())
    }
}

fn interop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

fn script(name: &str, mut wish: Value) -> Recipe {
    wish["chromium"] = json!("/usr/bin/chromium");
    Recipe::new("node").args([interop().join(name)]).args([wish.to_string()])
}

/// The last line a script prints.
fn last_line(said: &str) -> Value {
    let said = said.trim().lines().last().and_then(|line| serde_json::from_str(line).ok());
    let said: Value = said.expect("a line of JSON");
    println!("{said:#}");
    said
}

fn number(of: &Value) -> f64 {
    of.as_f64().unwrap_or_else(|| panic!("no number: {of}"))
}

/// Signs up; returns a token.
fn sign_up(origin: SocketAddr, name: &str, password: &str) -> String {
    let account = json!({ "username": name, "email": format!("{name}@example.org"), "password": password });
    let _ = Request::new("POST", "/api/v1/accounts").json(&account).send(origin).expect(201);
    let credentials = json!({ "login": name, "password": password });
    let session = Request::new("POST", "/api/v1/sessions").json(&credentials).send(origin).expect(201);
    let cookie = session.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap();
    let made =
        Request::new("POST", "/api/v1/tokens").header("Cookie", cookie).json(&json!({ "name": "test" }));
    made.send(origin).expect(201).json()["token"].as_str().unwrap().to_owned()
}

#[test]
fn other_peoples_players_and_the_watch_page_play_a_ready_video_through_an_edge() {
    let _screen = screen();
    let cinema = Cinema::open().with_worker();
    let token = cinema.scene.token();
    let id = cinema.upload(&token, SECONDS, false);
    let asset = cinema.ready(&id, &token);
    let paths = cinema.grant(&id, &token);
    assert!((number(&asset["duration_s"]) - f64::from(SECONDS)).abs() < 0.2, "{asset}");

    for (player, manifest) in [("hls.js", "hls"), ("shaka", "hls"), ("shaka", "dash"), ("dash.js", "dash")] {
        let wish = json!({
            "player": player,
            "manifest": cinema.at_edge(&paths["playback"][manifest]),
            "deeds": ["end", "seek", "captions", "throttle"],
            "kbps": NARROW_KBPS,
        });
        println!("{player} {manifest}");
        plays(&last_line(&script("players.mjs", wish).run()));
    }
    page_is_whole(&cinema, &paths);
}

#[test]
fn a_video_plays_to_its_end_whether_its_sound_or_its_pictures_end_first() {
    let _screen = screen();
    let cinema = Cinema::open().with_worker();
    let token = cinema.scene.token();
    let picture = "testsrc2=size=320x180:rate=30";
    let quiet =
        ["-f", "lavfi", "-i", &format!("{picture}:duration=13"), "-f", "lavfi", "-i", "sine=duration=5"];
    let song =
        ["-f", "lavfi", "-i", &format!("{picture}:duration=0.03"), "-f", "lavfi", "-i", "sine=duration=13"];
    for (name, inputs) in [("quiet.mp4", quiet), ("song.mp4", song)] {
        let file = cinema.scene.folder().join(name);
        let recipe = Recipe::new("ffmpeg").args(["-hide_banner", "-loglevel", "error", "-y"]).args(inputs);
        let _ = recipe.args(["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]).args([&file]).run();
        let id = cinema.upload_file(&token, &file, false);
        let _ = cinema.ready(&id, &token);
        let paths = cinema.grant(&id, &token);
        for (player, manifest) in
            [("hls.js", "hls"), ("shaka", "hls"), ("shaka", "dash"), ("dash.js", "dash")]
        {
            let manifest = cinema.at_edge(&paths["playback"][manifest]);
            let wish = json!({ "player": player, "manifest": manifest, "deeds": ["end"] });
            let end = &last_line(&script("players.mjs", wish).run())["end"];
            assert_eq!(end["how"], "so", "{name} in {player}: {end}");
            assert!((number(&end["played_s"]) - 13.0).abs() < 0.3, "{name} in {player}: {end}");
        }
    }
}

fn plays(said: &Value) {
    for deed in ["end", "seek", "captions"] {
        assert_eq!(said[deed]["how"], "so", "{deed}: {}", said[deed]);
        assert_eq!(said[deed]["refused"], json!([]), "{deed}");
    }
    let end = &said["end"];
    assert!((number(&end["played_s"]) - f64::from(SECONDS)).abs() < 0.5, "nothing is left out: {end}");
    assert!(number(&end["frames"]) > f64::from(SECONDS) * 29.0, "{end}");
    assert!(number(&end["audioBytes"]) > 0.0, "{end}");
    assert!(number(&said["seek"]["at"]) >= number(&said["seek"]["to"]) + 2.0);
    let shown = said["captions"]["shown"].to_string();
    assert!(shown.contains(video::CAPTION), "{shown}");
    let rungs = |when: &str| said["throttle"][when]["rungs"].as_array().unwrap().clone();
    assert_eq!(said["throttle"]["before"]["how"], "so", "{}", said["throttle"]);
    assert_eq!(rungs("before").last(), Some(&json!(720)));
    assert_eq!(said["throttle"]["after"]["how"], "so", "{}", said["throttle"]);
    assert!(number(rungs("after").last().unwrap()) < 720.0);
}

fn page_is_whole(cinema: &Cinema, paths: &Value) {
    let shots = cinema.scene.folder().join("shots");
    std::fs::create_dir(&shots).unwrap();
    let wish = json!({
        "deed": "look", "watch": cinema.at_origin(&paths["watch"]), "shots": shots, "caption": video::CAPTION,
    });
    let said = last_line(&script("watch.mjs", wish).run());
    for (key, works) in said["keys"].as_object().unwrap() {
        assert_eq!(works, true, "the key {key}");
    }
    for entry in ["Captions", "Resolution", "Language", "Playback speed"] {
        assert!(said["menu"]["entries"].as_array().unwrap().contains(&json!(entry)), "{}", said["menu"]);
    }
    for rung in ["720p", "480p", "360p", "Auto"] {
        assert!(said["menu"]["rungs"].as_str().unwrap().contains(rung), "{}", said["menu"]);
    }
    assert!(number(&said["preview"]["width"]) > 0.0, "a picture over the seek bar");
    assert_eq!(said["unnamed"], json!([]), "everything has a name for a screen reader");
    assert_eq!(said["fits"], true, "nothing sticks out of a phone");
    assert_ne!(said["light"], said["dark"]);
    for seen in [&said, &said["phone"]] {
        asks_nobody_else(seen, cinema);
    }
}

/// The page breaks no rule of its own, and turns to its origin and its edge alone, to the edge without a cookie.
fn asks_nobody_else(seen: &Value, cinema: &Cinema) {
    assert_eq!(seen["complaints"], json!([]));
    for asked in seen["origins"].as_array().unwrap() {
        assert!(*asked == cinema.origin.url() || *asked == cinema.edge.url(), "{asked}");
    }
    assert!(!seen["cookies"].as_array().unwrap().contains(&json!(cinema.edge.url())), "{seen}");
}

#[test]
fn the_page_plays_the_file_then_takes_over_the_stream_without_disturbing_who_watches() {
    let _screen = screen();
    let mut cinema = Cinema::open();
    let token = cinema.scene.token();
    let id = cinema.upload(&token, SECONDS, false);
    let paths = cinema.grant(&id, &token);
    let wish = json!({
        "deed": "grow", "watch": cinema.at_origin(&paths["watch"]), "best": 720,
        "patience_ms": u64::try_from(limits::RUN.as_millis()).unwrap(),
    });
    let mut page = script("watch.mjs", wish).start();
    page.stdout_line(limits::RUN, |line| line.contains("\"begun\"").then_some(()));
    cinema.start_worker();
    let status = page.wait(limits::RUN);
    assert!(status.success(), "{}", page.output());
    let said = last_line(&page.stdout());

    let waiting = said["waiting"]["notice"].as_str().unwrap();
    assert!(waiting.contains("Being prepared"), "{waiting}");
    assert_eq!(said["offered"]["how"], "file", "who watches goes on with the file until they ask: {said}");
    assert_eq!(said["offered"]["paused"], false);
    assert_eq!(said["taken"]["how"], "adaptive");
    assert_eq!(said["best"]["height"], 720);
    for seen in [&said["idle"], &said["busy"]] {
        asks_nobody_else(seen, &cinema);
    }
}

#[test]
fn an_encrypted_video_plays_with_permission_and_not_without() {
    let _screen = screen();
    let cinema = Cinema::open().with_worker();
    let origin = cinema.origin.addr;
    let (password, short) = ("a long enough password", 8);
    let token = sign_up(origin, "ada", password);
    let id = cinema.upload(&token, short, true);
    let asset = cinema.ready(&id, &token);
    let paths = cinema.grant(&id, &token);

    // The owner's session plays on the page: its addresses have a grant in them. Nobody else's does.
    let wish = json!({
        "deed": "login", "origin": cinema.origin.url(), "watch": format!("{}/watch/{id}", cinema.origin.url()),
        "login": "ada", "password": password,
    });
    let said = last_line(&script("watch.mjs", wish).run());
    assert_eq!(said["played"]["how"], "adaptive");
    assert_eq!(said["nobody"], 404);
    asks_nobody_else(&said, &cinema);
    assert!(said["cookies"].as_array().unwrap().contains(&json!(cinema.origin.url())), "{said}");

    // Anyone may fetch the manifests and segments of what is unlisted, but not the key.
    let change = json!({ "visibility": "unlisted" });
    let patch = Request::new("PATCH", &format!("/api/v1/assets/{id}")).bearer(&token).json(&change);
    let _ = patch.send(origin).expect(200);
    for player in ["hls.js", "shaka"] {
        let with = json!({
            "player": player, "manifest": cinema.at_edge(&paths["playback"]["hls"]), "deeds": ["end"],
        });
        let said = last_line(&script("players.mjs", with).run());
        assert_eq!(said["end"]["how"], "so", "{player}");
        let without = json!({
            "player": player, "manifest": cinema.at_edge(&asset["playback"]["hls"]), "deeds": ["fail"],
        });
        let said = last_line(&script("players.mjs", without).run());
        assert_eq!(said["fail"]["how"], "failed", "{player}");
        assert_eq!(number(&said["fail"]["played_s"]), 0.0, "{player}");
        let key = json!({ "status": 403, "path": format!("/media/{id}/1/key") });
        assert!(said["fail"]["refused"].as_array().unwrap().contains(&key), "{player}: {said}");
    }
    let wish = json!({ "deed": "fail", "watch": format!("{}/watch/{id}", cinema.origin.url()) });
    let said = last_line(&script("watch.mjs", wish).run());
    assert!(said["said"]["notice"].as_str().unwrap().contains("does not allow"), "{said}");
}
