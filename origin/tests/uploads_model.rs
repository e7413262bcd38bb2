//! Random histories of an upload against a model of it: whatever is cut, taken over, asked for or crashed, the offset
//! never goes down (invariant 1) and the asset is what was sent (invariants 2 to 4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

mod site;

use std::time::{Duration, Instant};

use site::{Origin, Site};
use tidegate_testkit::Random;
use tidegate_testkit::files::random_bytes;
use tidegate_testkit::http::Connection;
use tidegate_testkit::tus::path_of;

/// What is known of the upload from outside.
struct Model {
    bytes: Vec<u8>,
    path: String,
    /// The last offset the server acknowledged.
    acknowledged: usize,
    /// How much the server may have at most.
    sent: usize,
}

impl Model {
    fn rest(&self) -> usize {
        self.bytes.len() - self.acknowledged
    }

    /// The server says that it has this many bytes.
    fn told(&mut self, offset: Option<u64>, what: &str) {
        let offset = usize::try_from(offset.unwrap()).unwrap();
        assert!(offset >= self.acknowledged, "{what}: {offset} after {}", self.acknowledged);
        assert!(offset <= self.sent, "{what}: {offset}, but only {} were sent", self.sent);
        self.acknowledged = offset;
        self.sent = offset;
    }

    fn ask(&mut self, origin: &Origin) {
        let head = origin.send(&origin.tus().request("HEAD", &self.path)).expect(200);
        self.told(head.number("upload-offset"), "HEAD");
    }

    /// Begins a PATCH of all that is left and sends `now` bytes of it. Returns when they have come in: a request that
    /// is still on its way would be newer than those that follow, and rightly take over from them.
    fn begin(&mut self, origin: &Origin, now: usize) -> Connection {
        let (at, rest, now) = (self.acknowledged, self.rest(), now.max(1));
        self.sent = at + now;
        let before = origin.app.metrics.uploads.received_bytes.get();
        let connection = origin.hanging_patch(&self.path, at as u64, rest as u64, &self.bytes[at..at + now]);
        origin.wait_received(before + now as u64);
        connection
    }
}

fn one_history(site: &Site, seed: u64, mut origin: Origin) -> Origin {
    let mut random = Random::seeded(seed);
    let size = usize::try_from(random.within(&(1..=600_000))).unwrap();
    let (deferred, sha) = (random.next_u64().is_multiple_of(4), random.next_u64().is_multiple_of(2));
    let create = origin.tus().request("POST", "/files");
    let create =
        if deferred { create.header("Upload-Defer-Length", 1) } else { create.header("Upload-Length", size) };
    let create = if sha { create.header("Want-Repr-Digest", "sha-256=1") } else { create };
    let path = path_of(&origin.send(&create).expect(201));
    let mut model = Model { bytes: random_bytes(seed, size), path, acknowledged: 0, sent: 0 };
    let mut hanging: Vec<Connection> = Vec::new();
    for _ in 0..random.within(&(1..=12)) {
        let most = match random.next_u64() % 4 {
            0 => 1,
            1 => 65_536,
            _ => usize::try_from(random.within(&(0..=200_000))).unwrap(),
        };
        let tus = origin.tus();
        match random.next_u64() % 8 {
            // A request that ends in order.
            0 | 1 => {
                // The client knows only what was acknowledged; after a break it asks first.
                model.ask(&origin);
                let at = model.acknowledged;
                let to = at + most.min(model.rest());
                if to < size {
                    model.sent = to;
                    let answer =
                        origin.send(&tus.patch(&model.path, at as u64, &model.bytes[at..to])).expect(204);
                    model.told(answer.number("upload-offset"), "PATCH");
                    assert_eq!(model.acknowledged, to);
                }
            }
            // One that breaks off.
            2 => {
                model.ask(&origin);
                if model.rest() > most {
                    drop(model.begin(&origin, most));
                }
            }
            // One that hangs, and one that takes over from it.
            3 | 4 => {
                model.ask(&origin);
                if model.rest() > most {
                    hanging.push(model.begin(&origin, most));
                }
            }
            // Rubbish from those who hang and have been taken over from.
            5 => {
                model.ask(&origin);
                for old in &mut hanging {
                    let _ = old.send(&random_bytes(seed + 1, 3_000));
                }
            }
            // A body that is longer than there is room, and one in the wrong place.
            6 => {
                model.ask(&origin);
                let at = model.acknowledged;
                if !deferred {
                    let long = [&model.bytes[at..], b"x"].concat();
                    let head = tus
                        .patch(&model.path, at as u64, &[])
                        .header("Transfer-Encoding", "chunked")
                        .to_bytes();
                    let mut connection = Connection::open(origin.addr).unwrap();
                    connection.send(&head).unwrap();
                    let size = format!("{:x}\r\n", long.len());
                    let _ = connection.send(&[size.as_bytes(), &long, b"\r\n0\r\n\r\n"].concat());
                    let _ = connection.response("PATCH").unwrap().expect(413);
                }
                let _ = origin.send(&tus.patch(&model.path, at as u64 + 1, b"")).expect(409);
            }
            // The origin dies, perhaps with a request in the middle.
            _ => {
                model.ask(&origin);
                if model.rest() > most {
                    hanging.push(model.begin(&origin, most));
                }
                origin.crash();
                hanging.clear();
                origin = site.start();
            }
        }
        if random.next_u64().is_multiple_of(3) {
            model.ask(&origin);
        }
    }
    model.ask(&origin);
    let at = model.acknowledged;
    let last = origin.tus().patch(&model.path, at as u64, &model.bytes[at..]);
    let last = if deferred { last.header("Upload-Length", size) } else { last };
    let answer = origin.send(&last).expect(204);
    assert_eq!(answer.number("upload-offset"), Some(size as u64));
    assert_eq!(answer.header("repr-digest").is_some(), sha);
    if sha {
        use sha2::Digest as _;
        let sum = tidegate_wire::digest::to_hex(&sha2::Sha256::digest(&model.bytes));
        assert_eq!(origin.asset(&model.path)["sha256"], sum);
    }
    origin.assert_is(&model.path, &model.bytes);
    origin
}

fn histories(site: &Site, first_seed: u64) {
    let began = Instant::now();
    let mut origin = site.start();
    let mut seed = first_seed;
    // A handful at least, and then as many as a few seconds allow.
    while seed < first_seed + 5 || began.elapsed() < Duration::from_secs(5) {
        eprintln!("history {seed}");
        origin = one_history(site, seed, origin);
        seed += 1;
    }
}

#[test]
fn invariant_1_to_4_hold_over_random_histories_on_sqlite() {
    histories(&Site::embedded(), 1_000);
}

#[test]
fn invariant_1_to_4_hold_over_random_histories_on_postgres_and_redis() {
    histories(&Site::cluster(), 2_000);
}
