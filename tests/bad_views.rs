//! What a broken or hostile viewer may ask an edge and an origin for, each with its status and code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::fmt::Write as _;

use ring::rand::SystemRandom;
use tidegate_testkit::files::random_bytes;
use tidegate_testkit::http::{Connection, Request, Response};
use tidegate_testkit::scene::Service;
use tidegate_testkit::tus::id_of;
use tidegate_testkit::{Backing, Scene};
use tidegate_wire::grant::{GrantSigner, granted_path, split_path};

const SIZE: usize = 2_500_000;

struct Theatre {
    scene: Scene,
    origin: Service,
    edge: Service,
    id: String,
    bytes: Vec<u8>,
}

impl Theatre {
    fn new() -> Self {
        let scene = Scene::new(Backing::Embedded);
        let origin = scene.origin();
        let edge = scene.edge(origin.addr, &[]);
        let bytes = random_bytes(81, SIZE);
        let id = id_of(&scene.tus(origin.addr).upload(&bytes, "tide.bin")).to_owned();
        scene.api(origin.addr).asset_eventually(&id);
        Self { scene, origin, edge, id, bytes }
    }

    fn source(&self) -> String {
        format!("/media/{}/source", self.id)
    }

    fn grant(&self) -> String {
        self.scene.api(self.origin.addr).grant(&self.id, 10.0).path
    }

    /// The same request at the edge (with a grant) and at the origin (with the token).
    fn both(&self, range: &str) -> [(&str, Response); 2] {
        let edge = Request::get(&self.grant()).header("Range", range).send(self.edge.addr);
        let origin = Request::get(&self.source())
            .bearer(&self.scene.token())
            .header("Range", range)
            .send(self.origin.addr);
        [("edge", edge), ("origin", origin)]
    }
}

#[test]
fn ranges_that_cannot_be_had_are_416_or_ignored_but_never_wrong_bytes() {
    let theatre = Theatre::new();
    // RFC 9110 section 14.2: a Range that is not understood may be ignored; one that is must be right.
    for range in [
        "bytes=5-2",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=--1",
        "bytes=0--1",
        "bytes=-0",
        "bytes=99999999-",
        "bytes=2500000-2500001",
        "bytes=18446744073709551616-18446744073709551617",
        "bytes=99999999999999999999999999-",
        "lines=1-2",
        "bytes",
        "bytes=1-2;3-4",
    ] {
        for (who, answer) in theatre.both(range) {
            match answer.status {
                416 => {
                    assert!(answer.problem().starts_with("range_"), "{who} {range}: {answer:?}");
                    if answer.problem() == "range_not_satisfiable" {
                        assert_eq!(answer.header("content-range"), Some("bytes */2500000"), "{who} {range}");
                    }
                }
                200 => assert!(answer.body == theatre.bytes, "{who} {range}"),
                status => panic!("{who} {range}: {status}"),
            }
        }
    }
}

#[test]
fn ranges_without_end_are_bounded() {
    let theatre = Theatre::new();
    let mut many = "bytes=0-0".to_owned();
    for n in 1..=1000 {
        write!(many, ",{}-{}", 2 * n, 2 * n).unwrap();
    }
    let overlapping = format!("bytes={}", vec!["0-"; 1000].join(","));
    for range in [&many, &overlapping] {
        for (who, answer) in theatre.both(range) {
            match answer.status {
                416 => assert_eq!(answer.problem(), "range_excessive", "{who}"),
                200 => assert!(answer.body == theatre.bytes, "{who}"),
                status => panic!("{who}: {status} with {} bytes", answer.body.len()),
            }
        }
    }
    // Few that overlap are one.
    for (who, answer) in theatre.both("bytes=0-99,50-149,100-199") {
        assert!(answer.body.len() < 1000, "{who}: {} bytes", answer.body.len());
    }
}

#[test]
fn invariant_9_a_private_asset_opens_to_no_false_grant() {
    let theatre = Theatre::new();
    let good = theatre.grant();
    assert!(Request::get(&good).send(theatre.edge.addr).expect(200).body == theatre.bytes);
    let (grant, _) = split_path(&good).unwrap();

    let mut tampered = grant.to_owned();
    let last = if tampered.pop() == Some('A') { 'B' } else { 'A' };
    tampered.insert(20, last);
    let foreign =
        GrantSigner::from_pkcs8(&GrantSigner::generate_pkcs8(&SystemRandom::new()).unwrap()).unwrap();
    let foreign = foreign.sign(&format!("/media/{}/", theatre.id), u32::MAX);
    let api = theatre.scene.api(theatre.origin.addr);
    let other = id_of(&theatre.scene.tus(theatre.origin.addr).upload(b"other bytes", "other.bin")).to_owned();
    api.asset_eventually(&other);
    let of_other = api.grant(&other, 10.0).path;
    let (of_other, _) = split_path(&of_other).unwrap();

    let source = theatre.source();
    for (what, path, code) in [
        ("no grant", source.clone(), "grant_required"),
        ("a tampered grant", granted_path(&tampered, &source), "grant_invalid"),
        ("a foreign grant", granted_path(&foreign, &source), "grant_invalid"),
        ("half a grant", granted_path(&grant[..grant.len() / 2], &source), "grant_invalid"),
        ("not a grant", granted_path("x", &source), "grant_invalid"),
        ("a grant of another asset", granted_path(of_other, &source), "grant_mismatch"),
    ] {
        for service in [&theatre.edge, &theatre.origin] {
            let answer = Request::get(&path).send(service.addr);
            assert_eq!((answer.status, &*answer.problem()), (403, code), "{what}: {answer:?}");
        }
    }
    // From one asset's folder into another's.
    for path in ["..", "%2e%2e", "..%2f..", "."]
        .map(|step| format!("/g/{of_other}/media/{other}/{step}/{}/source", theatre.id))
    {
        let answer = Request::get(&path).send(theatre.edge.addr);
        assert!(matches!(answer.status, 400 | 403 | 404), "{path}: {answer:?}");
    }
}

#[test]
fn what_is_not_there_or_not_allowed_is_said_so() {
    let theatre = Theatre::new();
    let unknown = "/media/01890a5d-ac96-774b-bcce-b302099a8057/source";
    for (method, path, statuses) in [
        ("GET", "/media/../../etc/passwd", &[400, 404][..]),
        ("GET", "/media/%2e%2e/source", &[400, 404]),
        ("GET", "/media/", &[404]),
        ("GET", "/nowhere", &[404]),
        ("GET", "/api/v1/assets", &[404]),
        ("GET", "/internal/keys", &[403, 404]),
        ("POST", unknown, &[404, 405]),
        ("DELETE", unknown, &[404, 405]),
        ("TRACE", unknown, &[404, 405]),
    ] {
        let answer = Request::new(method, path).send(theatre.edge.addr);
        assert!(statuses.contains(&answer.status), "{method} {path}: {answer:?}");
        assert!(!answer.problem().is_empty(), "{method} {path}: {answer:?}");
    }
    let answer = Request::get(unknown).send(theatre.edge.addr);
    assert_eq!((answer.status, &*answer.problem()), (404, "asset_not_found"));
}

#[test]
fn the_fleets_own_words_do_nothing_for_a_viewer() {
    let theatre = Theatre::new();
    let key = tidegate_testkit::scene::FLEET_KEY;
    // The edge strips the key, and adds its own only towards the origin.
    let answer = Request::get(&theatre.source()).header("tidegate-fleet-key", key).send(theatre.edge.addr);
    assert_eq!((answer.status, &*answer.problem()), (403, "grant_required"));
    let answer = Request::get(&theatre.grant()).send(theatre.edge.addr).expect(200);
    assert_eq!(answer.header("tidegate-visibility"), None);
    for path in ["/internal/keys", "/internal/purges"] {
        for wrong in [Request::get(path), Request::get(path).header("tidegate-fleet-key", "guess")] {
            assert_eq!(wrong.send(theatre.origin.addr).expect(403).problem(), "fleet_key_required");
        }
    }
}

#[test]
fn a_view_with_two_ideas_of_its_length_cannot_smuggle_another() {
    let theatre = Theatre::new();
    let path = theatre.grant();
    for service in [&theatre.edge, &theatre.origin] {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let smuggled = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut connection = Connection::open(service.addr).unwrap();
        connection.send(format!("{head}{smuggled}").as_bytes()).unwrap();
        let answer = connection.response("GET").unwrap();
        assert_eq!((answer.status, &*answer.problem()), (400, "ambiguous_length"), "{answer:?}");
        assert!(connection.response("GET").is_err(), "the connection goes on");
    }
}
