//! A stale object is asked about, once for all who want it, and is fresh again when it still holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use support::{Object, Origin, SLICE, TestEdge, cache_status, config, random_bytes};
use tidegate_edge::{EdgeConfig, Forward};
use tidegate_serve::Clock;
use tidegate_serve::ambient::ManualClock;
use tidegate_testkit::limits;
use tidegate_testkit::wait::eventually_true;

fn scene(cache_control: &str) -> (Origin, TestEdge, ManualClock, Object) {
    let origin = Origin::start();
    let object = Object::new(random_bytes(1, 2 * SLICE), "one").field("cache-control", cache_control);
    origin.put("/list", object.clone());
    let (clock, hand) = Clock::manual(1_700_000_000_000);
    let edge = TestEdge::start(EdgeConfig { forward: Forward::All, ..config(&origin) }, clock);
    (origin, edge, hand, object)
}

#[test]
fn an_unchanged_object_costs_a_304_and_keeps_its_slices() {
    let (origin, edge, hand, object) = scene("max-age=10");
    assert_eq!(edge.get("/list").expect(200).number("age"), Some(0));
    hand.advance(Duration::from_secs(9));
    let hit = edge.get("/list").expect(200);
    assert_eq!((hit.number("age"), cache_status(&hit)), (Some(9), "tidegate; hit"));
    hand.advance(Duration::from_secs(1));
    origin.put("/list", object.clone().field("x-note", "second"));
    origin.forget_asked();
    let answer = edge.get("/list").expect(200);
    assert_eq!(cache_status(&answer), "tidegate; fwd=stale; fwd-status=304; stored");
    assert!(answer.body == object.bytes);
    assert_eq!(
        (answer.number("age"), answer.header("x-note")),
        (Some(0), Some("second")),
        "what the 304 says holds"
    );
    let asked = origin.asked();
    assert_eq!((asked.len(), asked[0].header("if-none-match")), (1, "\"one\""));
    assert_eq!(cache_status(&edge.get("/list")), "tidegate; hit");
}

#[test]
fn a_changed_object_takes_the_place_of_the_old_one() {
    let (origin, edge, hand, _) = scene("max-age=10");
    assert_eq!(edge.get("/list").status, 200);
    hand.advance(Duration::from_secs(11));
    let new = random_bytes(2, 3 * SLICE);
    origin.put("/list", Object::new(new.clone(), "two").field("cache-control", "max-age=10"));
    let answer = edge.get("/list").expect(200);
    assert!(answer.whole && answer.body == new);
    assert_eq!(cache_status(&answer), "tidegate; fwd=stale; stored");
    assert_eq!(cache_status(&edge.get("/list")), "tidegate; hit");
}

#[test]
fn no_cache_means_ask_each_time() {
    let (origin, edge, _hand, _) = scene("no-cache");
    assert_eq!(edge.get("/list").status, 200);
    for _ in 0..3 {
        assert_eq!(
            cache_status(&edge.get("/list").expect(200)),
            "tidegate; fwd=stale; fwd-status=304; stored"
        );
    }
    assert_eq!(origin.asked().iter().filter(|asked| !asked.header("if-none-match").is_empty()).count(), 3);
}

#[test]
fn a_crowd_at_a_stale_object_asks_once() {
    let (origin, edge, hand, object) = scene("max-age=10");
    assert_eq!(edge.get("/list").status, 200);
    hand.advance(Duration::from_secs(11));
    origin.forget_asked();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| assert!(edge.get("/list").expect(200).body == object.bytes));
        }
    });
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_stale_object_is_given_out_while_the_origin_is_asked_once() {
    let (origin, edge, hand, object) = scene("max-age=1, stale-while-revalidate=10");
    assert_eq!(edge.get("/list").status, 200);
    hand.advance(Duration::from_secs(2));
    let new = random_bytes(2, SLICE);
    let newer =
        Object::new(new.clone(), "two").field("cache-control", "max-age=1, stale-while-revalidate=10");
    origin.put("/list", newer);
    origin.forget_asked();
    let answer = edge.get("/list").expect(200);
    assert_eq!(cache_status(&answer), "tidegate; hit; detail=stale-while-revalidate");
    assert!(answer.body == object.bytes && answer.number("age") == Some(2));
    eventually_true("the new object", limits::REQUEST, || edge.get("/list").body == new);
    assert_eq!(origin.count(), 1);
    // Past what the origin allows a viewer waits again.
    hand.advance(Duration::from_secs(11));
    assert_eq!(cache_status(&edge.get("/list")), "tidegate; fwd=stale; fwd-status=304; stored");
}
