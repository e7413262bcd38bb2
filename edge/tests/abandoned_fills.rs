//! A viewer that goes away does not stop a fill for others. When the last one goes, the fill is finished if at least
//! half of it has come or no more than 256 KiB are missing; else it is dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use support::{Gate, Object, Origin, TestEdge, cache_status, config, open, random_bytes, read};
use tidegate_edge::{EdgeConfig, Forward};
use tidegate_serve::Clock;
use tidegate_testkit::http::Request;
use tidegate_testkit::wait::eventually_true;
use tidegate_wire::ByteSize;

const SLICE: usize = 1 << 20;

fn scene(arrived: usize) -> (Origin, TestEdge, Gate, Vec<u8>) {
    let origin = Origin::start();
    let gate = Gate::shut();
    let bytes = random_bytes(1, 2 * SLICE);
    origin.put("/film", Object::new(bytes.clone(), "one").behind(&gate));
    let general = EdgeConfig { forward: Forward::All, slice: ByteSize(SLICE as u64), ..config(&origin) };
    let edge = TestEdge::start(general, Clock::system());
    gate.let_through(arrived);
    (origin, edge, gate, bytes)
}

fn in_flight(edge: &TestEdge) -> f64 {
    edge.metric("tidegate_edge_fills_in_flight", &[])
}

#[test]
fn with_less_than_half_it_is_dropped() {
    let (origin, edge, gate, bytes) = scene(SLICE / 4);
    let (mut connection, _) = open(edge.addr, &Request::get("/film"));
    read(&mut connection, SLICE / 4);
    assert_eq!(in_flight(&edge), 1.0);
    drop(connection);
    eventually_true("the fill to be dropped", Duration::from_secs(30), || in_flight(&edge) == 0.0);
    assert_eq!(edge.metric("tidegate_edge_fills_abandoned_total", &[]), 1.0);
    gate.open();
    let answer = edge.range("/film", "bytes=0-9").expect(206);
    assert_eq!(cache_status(&answer), "tidegate; fwd=partial; stored");
    assert!(answer.body == bytes[..10]);
    assert_eq!(origin.ranges_asked("/film").len(), 2);
}

#[test]
fn with_half_or_more_it_is_finished() {
    let (origin, edge, gate, bytes) = scene(SLICE / 2);
    let (mut connection, _) =
        open(edge.addr, &Request::get("/film").header("Range", format!("bytes=0-{}", SLICE - 1)));
    read(&mut connection, SLICE / 2);
    drop(connection);
    // It is still there for whoever comes, and goes on when the origin does.
    let (mut another, _) = open(edge.addr, &Request::get("/film").header("Range", "bytes=0-9"));
    assert!(read(&mut another, 10) == bytes[..10]);
    drop(another);
    gate.open();
    eventually_true("the fill to land", Duration::from_secs(30), || in_flight(&edge) == 0.0);
    assert_eq!(cache_status(&edge.range("/film", "bytes=0-9")), "tidegate; hit");
    assert_eq!(origin.ranges_asked("/film").len(), 1);
}

#[test]
fn as_long_as_one_viewer_stays_it_goes_on() {
    let (origin, edge, gate, bytes) = scene(SLICE / 4);
    let range = Request::get("/film").header("Range", format!("bytes=0-{}", SLICE - 1));
    let (mut first, _) = open(edge.addr, &range);
    let (mut second, _) = open(edge.addr, &range);
    read(&mut first, 1000);
    let mut got = read(&mut second, 1000);
    drop(first);
    gate.open();
    got.extend(read(&mut second, SLICE - 1000));
    assert!(got == bytes[..SLICE]);
    assert_eq!(origin.ranges_asked("/film").len(), 1);
}
