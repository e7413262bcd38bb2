//! What comes after a segment is fetched while it is being watched, where the origin says what that is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Object, Origin, SLICE, TestEdge, cache_status, random_bytes};
use tidegate_testkit::http::Request;
use tidegate_testkit::limits;
use tidegate_testkit::wait::eventually_true;
use tidegate_wire::{AssetId, headers as own};

const SEGMENTS: u8 = 5;

/// An edge of a fleet before an origin with a few segments, each of which names the next.
fn scene() -> (Origin, TestEdge, String) {
    let origin = Origin::start();
    let folder = format!("/media/{}/1/3-1/v360", AssetId::generate(1_700_000_000_000, [1; 10]));
    for n in 0..SEGMENTS {
        let segment = Object::new(random_bytes(n.into(), 3 * SLICE), &format!("s{n}"))
            .field(own::VISIBILITY, "public")
            .field("cache-control", "public, max-age=31536000, immutable")
            .field("link", &format!("<{}.m4s>; rel=\"next\"", n + 1));
        origin.put(&format!("{folder}/{n}.m4s"), segment);
    }
    let edge = TestEdge::fleet(&origin);
    edge.wait_ready();
    (origin, edge, folder)
}

fn prefetched(edge: &TestEdge) -> f64 {
    edge.metric("tidegate_edge_prefetches_total", &[])
}

#[test]
fn the_next_segment_is_there_when_the_viewer_comes_to_it() {
    let (origin, edge, folder) = scene();
    let segment = |n: u8| format!("{folder}/{n}.m4s");
    assert_eq!(cache_status(&edge.get(&segment(0)).expect(200)), "tidegate; fwd=uri-miss; stored");
    for n in 1..SEGMENTS {
        eventually_true("the next segment", limits::REQUEST, || {
            origin.ranges_asked(&segment(n)).len() == 3 && prefetched(&edge) >= f64::from(n)
        });
        let answer = edge.get(&segment(n)).expect(200);
        assert!(answer.body == random_bytes(n.into(), 3 * SLICE));
        assert_eq!(cache_status(&answer), "tidegate; hit", "segment {n}");
    }
    // One step at a time, each slice once, and nothing comes of a next one that is not there.
    for n in 0..SEGMENTS {
        assert_eq!(origin.ranges_asked(&segment(n)).len(), 3, "segment {n}");
    }
    assert_eq!(edge.get(&segment(SEGMENTS)).status, 404);
}

#[test]
fn nothing_is_fetched_for_a_head_or_for_a_viewer_who_may_not_see_it() {
    let (origin, edge, folder) = scene();
    let private = Object::new(random_bytes(9, SLICE), "p")
        .field(own::VISIBILITY, "private")
        .field("link", "<1.m4s>; rel=\"next\"");
    origin.put(&format!("{folder}/private.m4s"), private);
    assert_eq!(edge.get(&format!("{folder}/private.m4s")).status, 403);
    let head = Request::new("HEAD", &format!("{folder}/0.m4s"));
    assert_eq!(head.send(edge.addr).status, 200);
    assert_eq!(edge.get(&format!("{folder}/4.m4s")).status, 200);
    assert!(origin.ranges_asked(&format!("{folder}/1.m4s")).is_empty());
}
