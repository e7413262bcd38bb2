//! What happens is told, whatever happens to who tells it: events to streams and webhooks over killed origins, and the
//! uploader's wait for a video.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::collections::HashSet;

use serde_json::{Value, json};
use tidegate_testkit::http::Connection;
use tidegate_testkit::receiver::{Received, Reply};
use tidegate_testkit::scene::{Api, Service};
use tidegate_testkit::tus::id_of;
use tidegate_testkit::video::made;
use tidegate_testkit::{Backing, Receiver, Scene, Upload, eventually, limits};

const INSIDE: [&str; 5] = ["--webhooks-allow-private", "--webhook-timeout", "2", "--webhook-pause", "1"];

fn hook(api: &Api, receiver: &Receiver) {
    let body = json!({ "url": receiver.url("/") });
    let _ = api.request("POST", "/webhooks").json(&body).send(api.addr).expect(201);
}

/// What has come, each event once, in the order of the first time.
fn effects(received: &[Received]) -> Vec<Received> {
    let mut seen = HashSet::new();
    received.iter().filter(|one| seen.insert(one.id().to_owned())).cloned().collect()
}

/// Uploads a small file; its id.
fn upload(scene: &Scene, origin: &Service) -> String {
    let tus = scene.tus(origin.addr);
    let path = tus.create(5, "tide.txt");
    let _ = tus.patch(&path, 0, b"tide!").send(origin.addr).expect(204);
    id_of(&path).to_owned()
}

/// What a receiver gets of uploads, each once and in order.
fn expect_uploads(receiver: &Receiver, ids: &[String]) {
    let wanted = 2 * ids.len();
    let effects = eventually("every event", limits::START, || {
        let effects = effects(&receiver.received());
        (effects.len() >= wanted).then_some(effects)
    });
    assert_eq!(effects.len(), wanted);
    for id in ids {
        let own: Vec<String> =
            effects.iter().filter(|one| one.json()["upload"] == **id).map(Received::kind).collect();
        assert_eq!(own, ["upload.created", "upload.finished"], "{id}");
    }
}

#[test]
fn a_killed_origin_loses_no_event_between_commit_and_delivery() {
    for backing in [Backing::Embedded, Backing::Cluster] {
        let scene = Scene::new(backing);
        let origin = scene.origin_with(&INSIDE);
        // The first ones are on their way when it is killed: the receiver has them, and nobody has written that down.
        let receiver = Receiver::start(|_, before| if before < 2 { Reply::Hang } else { Reply::status(200) });
        hook(&scene.api(origin.addr), &receiver);
        let mut ids = vec![upload(&scene, &origin)];
        eventually("the first delivery", limits::START, || (!receiver.received().is_empty()).then_some(()));
        origin.process.kill9();
        origin.process.start_again();
        for _ in 0..3 {
            // Committed, and killed before anything else can be done about it.
            ids.push(upload(&scene, &origin));
            origin.process.kill9();
            origin.process.start_again();
        }
        expect_uploads(&receiver, &ids);
        let received = receiver.received();
        let first = received[0].id().to_owned();
        assert!(received.iter().filter(|one| one.id() == first).count() > 1, "the first was sent again");
        println!("{backing:?}: {} requests for {} events", received.len(), 2 * ids.len());
    }
}

#[test]
fn one_origin_goes_on_with_what_another_was_sending() {
    let scene = Scene::new(Backing::Cluster);
    let (first, second) = (scene.origin_with(&INSIDE), scene.origin_with(&INSIDE));
    let receiver = Receiver::start(|_, before| if before == 0 { Reply::Hang } else { Reply::status(200) });
    hook(&scene.api(second.addr), &receiver);
    second.process.sigstop();
    let ids = [upload(&scene, &first)];
    eventually("the first delivery", limits::START, || (!receiver.received().is_empty()).then_some(()));
    first.process.kill9();
    second.process.sigcont();
    expect_uploads(&receiver, &ids);
}

/// An open stream of events.
struct Events {
    connection: Connection,
    text: String,
}

impl Events {
    fn open(api: &Api, last_id: Option<&str>) -> Self {
        let mut request = api.request("GET", "/events");
        if let Some(id) = last_id {
            request = request.header("Last-Event-ID", id);
        }
        let mut connection = Connection::open(api.addr).unwrap();
        connection.send(&request.to_bytes()).unwrap();
        assert_eq!(connection.head().unwrap().status, 200);
        Self { connection, text: String::new() }
    }

    /// The next kept event's id and type.
    fn next(&mut self) -> (String, Value) {
        loop {
            while let Some((record, rest)) = self.text.split_once("\n\n") {
                let field =
                    |name: &str| record.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let found = field("id: ").zip(field("data: ")).filter(|_| !record.contains("event: hello"));
                self.text = rest.to_owned();
                if let Some((id, data)) = found {
                    return (id, serde_json::from_str(&data).unwrap());
                }
            }
            let piece = self.connection.read_some(1 << 16).unwrap();
            assert!(!piece.is_empty(), "the stream ended");
            // Chunks begin with their length on a line of its own, which is no field of an event.
            self.text.push_str(&String::from_utf8(piece).unwrap().replace("\r\n", "\n"));
        }
    }
}

#[test]
fn a_stream_goes_on_over_a_killed_origin_from_its_last_id() {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let api = scene.api(origin.addr);
    let mut events = Events::open(&api, None);
    let first = upload(&scene, &origin);
    let (id, created) = events.next();
    assert_eq!(
        (created["type"].as_str(), created["upload"].as_str()),
        (Some("upload.created"), Some(&*first))
    );
    origin.process.kill9();
    origin.process.start_again();
    let second = upload(&scene, &origin);
    let mut events = Events::open(&api, Some(&id));
    for (kind, upload) in
        [("upload.finished", &first), ("upload.created", &second), ("upload.finished", &second)]
    {
        let (_, event) = events.next();
        assert_eq!((event["type"].as_str(), event["upload"].as_str()), (Some(kind), Some(&**upload)));
    }
}

#[test]
fn the_uploader_returns_when_a_video_plays_and_says_so_when_it_cannot() {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let worker = scene.worker(origin.addr, &[]);
    let journal = scene.folder().join("journals");
    let film = made(
        "wait.mp4",
        "-f lavfi -i testsrc2=s=640x360:r=30:d=6 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let run = |file: &std::path::Path| {
        Upload::start(file, &origin.url(), &scene.token_file(), &journal, &["--wait"])
    };
    let mut waiting = run(&film);
    let finished = waiting.event("finished");
    let playable = waiting.event("playable");
    assert_eq!(finished["id"], playable["id"]);
    let state = scene.api(origin.addr).asset(playable["id"].as_str().unwrap())["state"].clone();
    assert!(state == "playable" || state == "ready", "{state}");
    // It is being made while the origin goes away and comes back.
    let other = scene.folder().join("other.mp4");
    std::fs::copy(&film, &other).unwrap();
    worker.process.sigstop();
    let mut waiting = run(&other);
    waiting.event("finished");
    origin.process.kill9();
    origin.process.start_again();
    worker.process.sigcont();
    waiting.event("playable");
    // No video, though it says so.
    let broken = scene.folder().join("broken.mp4");
    std::fs::write(&broken, b"this is no video").unwrap();
    let failed = run(&broken).event("failed");
    assert_eq!(
        (failed["code"].as_str(), failed["exit_code"].as_u64()),
        (Some("not_playable"), Some(8)),
        "{failed}"
    );
    // Nothing is made of a text: there is nothing to wait for.
    let text = scene.folder().join("tide.txt");
    std::fs::write(&text, b"high water").unwrap();
    assert_eq!(run(&text).event("playable")["state"], "uploaded");
}
