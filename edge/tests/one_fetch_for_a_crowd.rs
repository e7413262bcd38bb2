//! Invariant 6: N viewers of one cold slice cost the origin one fetch of it in each edge.
#![allow(clippy::disallowed_methods, reason = "a test's thread may sleep and look at the time")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::HashMap;
use std::sync::Barrier;

use support::{Gate, Object, Origin, SLICE, TestEdge, cache_status, random_bytes};
use tidegate_testkit::http::Request;

const VIEWERS: usize = 200;

#[test]
fn invariant_6_each_slice_is_asked_for_at_most_once_per_edge() {
    let origin = Origin::start();
    let bytes = random_bytes(1, 5 * SLICE + 77);
    let gate = Gate::shut();
    origin.put("/film", Object::new(bytes.clone(), "one").behind(&gate));
    let edges = [TestEdge::general(&origin), TestEdge::general(&origin)];
    let together = Barrier::new(2 * VIEWERS + 1);
    std::thread::scope(|scope| {
        for viewer in 0..2 * VIEWERS {
            let (edge, bytes, together) = (&edges[viewer % 2], &bytes, &together);
            scope.spawn(move || {
                together.wait();
                let answer = Request::get("/film").send(edge.addr).expect(200);
                assert!(answer.whole && answer.body == *bytes);
                assert!(cache_status(&answer).contains("fwd="), "{}", cache_status(&answer));
            });
        }
        together.wait();
        // Let everyone arrive while nothing is there, then little by little.
        for _ in 0..8 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            gate.let_through(SLICE / 2);
        }
        gate.open();
    });
    let mut asked: HashMap<String, usize> = HashMap::new();
    for range in origin.ranges_asked("/film") {
        *asked.entry(range).or_default() += 1;
    }
    assert_eq!(asked.len(), 6);
    assert!(asked.values().all(|times| *times <= 2), "{asked:?}");
}

#[test]
fn a_crowd_at_an_uncacheable_object_is_passed_on_one_by_one() {
    let origin = Origin::start();
    origin.put("/news", Object::new(&b"fresh"[..], "one").field("cache-control", "no-store"));
    let edge = TestEdge::general(&origin);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(edge.get("/news").expect(200).body, b"fresh"));
        }
    });
    assert!(origin.count() >= 20);
    assert_eq!(edge.metric("tidegate_edge_memory_bytes", &["use=\"cache\""]), 0.0);
}
