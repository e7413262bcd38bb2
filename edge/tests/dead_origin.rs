//! Invariant 10: a dead origin does not stop what is cached.
#![allow(clippy::disallowed_methods, reason = "a test's thread may sleep and look at the time")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use support::{Object, Origin, SLICE, TestEdge, cache_status, config, random_bytes};
use tidegate_edge::{EdgeConfig, Forward};
use tidegate_serve::Clock;
use tidegate_testkit::http::Request;

const T0: u64 = 1_700_000_000_000;

#[test]
fn invariant_10_an_edge_of_the_fleet_serves_what_it_has() {
    let origin = Origin::start();
    let path = "/media/a/source";
    let bytes = random_bytes(1, 4 * SLICE);
    origin.put(path, Object::new(bytes.clone(), "one"));
    let edge = TestEdge::fleet(&origin);
    assert_eq!(edge.get(path).status, 200);
    origin.stop();
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        let answer = edge.get(path).expect(200);
        assert!(answer.whole && answer.body == bytes);
        assert_eq!(cache_status(&answer), "tidegate; hit");
    }
    let missing = edge.get("/media/b/source").expect(502);
    assert_eq!(missing.problem(), "upstream_unreachable");
    assert_eq!(cache_status(&missing), "tidegate; fwd=miss; detail=upstream_unreachable");
    origin.put("/media/b/source", Object::new(&b"later"[..], "b"));
    origin.start_again();
    tidegate_testkit::wait::eventually_true("the origin to be used again", Duration::from_secs(30), || {
        edge.get("/media/b/source").status == 200
    });
}

#[test]
fn invariant_10_stale_is_served_while_the_origin_is_away_and_no_longer_than_allowed() {
    let origin = Origin::start();
    origin.put("/a", Object::new(&b"kept"[..], "one").field("cache-control", "max-age=60"));
    origin.put(
        "/strict",
        Object::new(&b"strict"[..], "one").field("cache-control", "max-age=60, must-revalidate"),
    );
    let (clock, hand) = Clock::manual(T0);
    let edge = TestEdge::start(EdgeConfig { forward: Forward::All, ..config(&origin) }, clock);
    assert_eq!(edge.get("/a").status, 200);
    assert_eq!(edge.get("/strict").status, 200);
    hand.advance(Duration::from_secs(61));
    origin.stop();
    let stale = edge.get("/a").expect(200);
    assert_eq!(
        (stale.body.as_slice(), cache_status(&stale)),
        (&b"kept"[..], "tidegate; hit; detail=stale-on-error")
    );
    assert_eq!(stale.number("age"), Some(61));
    assert_eq!(edge.get("/strict").expect(502).problem(), "upstream_unreachable");
    hand.advance(tidegate_edge::limits::STALE_ON_ERROR);
    assert_eq!(edge.get("/a").status, 502);
}

#[test]
fn an_origin_that_answers_with_errors_is_away_too() {
    let origin = Origin::start();
    let object = Object::new(&b"kept"[..], "one").field("cache-control", "max-age=60");
    origin.put("/a", object.clone());
    let (clock, hand) = Clock::manual(T0);
    let edge = TestEdge::start(EdgeConfig { forward: Forward::All, ..config(&origin) }, clock);
    assert_eq!(edge.get("/a").status, 200);
    hand.advance(Duration::from_secs(61));
    origin.put("/a", Object { status: 503, conditions: false, ..object });
    let stale = edge.get("/a").expect(200);
    assert_eq!(cache_status(&stale), "tidegate; hit; detail=stale-on-error");
    assert_eq!(Request::get("/never-seen").send(edge.addr).status, 404);
}
