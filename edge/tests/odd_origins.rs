//! Origins that ignore ranges, do not say how long an answer is, redirect, or answer with errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use support::{Gate, Object, Origin, SLICE, TestEdge, cache_status, config, open, random_bytes, read};
use tidegate_edge::{EdgeConfig, Forward};
use tidegate_serve::Clock;
use tidegate_testkit::http::Request;
use tidegate_testkit::wait::eventually_true;

fn scene() -> (Origin, TestEdge) {
    let origin = Origin::start();
    let edge = TestEdge::general(&origin);
    (origin, edge)
}

#[test]
fn an_origin_that_ignores_ranges_is_fetched_whole_once() {
    let (origin, edge) = scene();
    let bytes = random_bytes(1, 6 * SLICE + 9);
    let gate = Gate::shut();
    origin.put("/film", Object { ranges: false, ..Object::new(bytes.clone(), "one") }.behind(&gate));
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..10)
            .map(|n| {
                let (edge, bytes) = (&edge, &bytes);
                scope.spawn(move || {
                    let start = n * SLICE / 2;
                    let answer =
                        edge.range("/film", &format!("bytes={start}-{}", start + SLICE - 1)).expect(206);
                    assert!(answer.body == bytes[start..start + SLICE]);
                })
            })
            .collect();
        gate.open();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert!(edge.get("/film").expect(200).body == bytes);
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_large_object_of_such_an_origin_is_passed_on() {
    let origin = Origin::start();
    let bytes = random_bytes(1, 5 << 20);
    origin.put("/film", Object { ranges: false, ..Object::new(bytes.clone(), "one") });
    let small =
        EdgeConfig { forward: Forward::All, memory: tidegate_wire::ByteSize(16 << 20), ..config(&origin) };
    let edge = TestEdge::start(small, Clock::system());
    for status in ["tidegate; fwd=uri-miss; detail=length", "tidegate; fwd=bypass"] {
        let answer = edge.range("/film", "bytes=0-9").expect(200);
        assert_eq!(
            (answer.number("content-length"), cache_status(&answer)),
            (Some(bytes.len() as u64), status)
        );
        assert!(answer.whole && answer.body == bytes);
    }
}

#[test]
fn without_a_strong_validator_only_what_fits_a_slice_is_kept() {
    let (origin, edge) = scene();
    let weak = |len| Object::new(random_bytes(1, len), "x").field("etag", "W/\"weak\"");
    origin.put("/small", weak(SLICE));
    origin.put("/large", weak(SLICE + 1));
    let small = edge.get("/small").expect(200);
    assert_eq!(cache_status(&small), "tidegate; fwd=uri-miss; stored");
    assert_eq!(cache_status(&edge.range("/small", "bytes=5-9").expect(206)), "tidegate; hit");
    let large = edge.get("/large").expect(200);
    assert_eq!(
        (large.body.len(), cache_status(&large)),
        (SLICE + 1, "tidegate; fwd=uri-miss; detail=no-validator")
    );
}

#[test]
fn a_short_answer_without_a_length_is_stored_and_a_long_one_streams() {
    let (origin, edge) = scene();
    let chunked = |bytes: Vec<u8>| Object { length: false, ranges: false, ..Object::new(bytes, "one") };
    let (short, long) = (random_bytes(1, SLICE - 1), random_bytes(2, 4 * SLICE));
    origin.put("/short", chunked(short.clone()));
    origin.put("/long", chunked(long.clone()));
    let answer = edge.get("/short").expect(200);
    assert!(answer.body == short && answer.number("content-length") == Some(SLICE as u64 - 1));
    assert_eq!(cache_status(&edge.range("/short", "bytes=1-2").expect(206)), "tidegate; hit");
    for status in ["tidegate; fwd=uri-miss; detail=length", "tidegate; fwd=bypass"] {
        let answer = edge.get("/long").expect(200);
        assert!(answer.whole && answer.body == long);
        assert_eq!((answer.header("content-length"), cache_status(&answer)), (None, status));
    }
}

#[test]
fn a_slow_answer_without_a_length_is_not_held_back() {
    let (origin, edge) = scene();
    let gate = Gate::shut();
    let bytes = random_bytes(1, 3 * 4096);
    origin.put("/live", Object { length: false, ranges: false, ..Object::new(bytes, "one") }.behind(&gate));
    gate.let_through(4096);
    let (mut connection, head) = open(edge.addr, &Request::get("/live"));
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert!(read(&mut connection, 4096).len() >= 4096);
    gate.open();
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole() {
    let (origin, edge) = scene();
    let cut = Object {
        cut_after: Some(3 * SLICE),
        ranges: false,
        ..Object::new(random_bytes(1, 6 * SLICE), "one")
    };
    origin.put("/sized", cut.clone());
    origin.put("/chunked", Object { length: false, ..cut });
    for path in ["/sized", "/chunked"] {
        let answer = edge.get(path).expect(200);
        assert!(!answer.whole && answer.body.len() < 6 * SLICE, "{path}");
    }
    origin.put("/sized", Object::new(random_bytes(1, 6 * SLICE), "one"));
    assert!(edge.get("/sized").expect(200).whole, "what came is not kept for the next");
}

#[test]
fn errors_and_redirects_are_kept_as_long_as_they_say() {
    let origin = Origin::start();
    let (clock, hand) = Clock::manual(1_700_000_000_000);
    let edge = TestEdge::start(EdgeConfig { forward: Forward::All, ..config(&origin) }, clock);
    let with = |status| Object { status, ranges: false, ..Object::bare(&b"sorry"[..]) };
    for status in [404, 410, 503, 301] {
        let path = format!("/{status}");
        origin.put(&path, with(status).field("cache-control", "max-age=5").field("location", "/there"));
        assert_eq!(edge.get(&path).status, status);
        let kept = edge.get(&path);
        assert_eq!((kept.status, cache_status(&kept)), (status, "tidegate; hit"));
        assert_eq!((kept.body.as_slice(), kept.header("location")), (&b"sorry"[..], Some("/there")));
    }
    hand.advance(Duration::from_secs(5));
    origin.put("/404", Object::new(&b"here"[..], "one"));
    assert_eq!(edge.get("/404").expect(200).body, b"here");
    origin.put("/unkept", with(404));
    assert_eq!(edge.get("/unkept").status, 404);
    origin.put("/unkept", Object::new(&b"here"[..], "one"));
    hand.advance(tidegate_edge::limits::PASS_MARK);
    assert_eq!(edge.get("/unkept").expect(200).body, b"here");
}

#[test]
fn what_a_whole_fetch_brings_is_taken_to_its_end() {
    let (origin, edge) = scene();
    let gate = Gate::shut();
    origin.put(
        "/film",
        Object { ranges: false, ..Object::new(random_bytes(1, 8 * SLICE), "one") }.behind(&gate),
    );
    gate.let_through(1);
    let (mut connection, _) = open(edge.addr, &Request::get("/film"));
    read(&mut connection, 10);
    drop(connection);
    gate.open();
    eventually_true("all slices to land", Duration::from_secs(30), || {
        edge.metric("tidegate_edge_fills_in_flight", &[]) == 0.0
    });
    assert_eq!(cache_status(&edge.get("/film").expect(200)), "tidegate; hit");
    assert_eq!(origin.count(), 1);
}
