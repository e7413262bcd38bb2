//! A cold viewer's first byte leaves when the origin's first byte comes, not when the slice is whole; and a reader
//! that goes on finds the next slices fetched ahead, within a limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use support::{Gate, Object, Origin, SLICE, TestEdge, open, random_bytes, read};
use tidegate_testkit::http::Request;
use tidegate_testkit::wait::eventually_true;

#[test]
fn the_first_byte_does_not_wait_for_the_slice() {
    let origin = Origin::start();
    let gate = Gate::shut();
    let bytes = random_bytes(1, 2 * SLICE);
    origin.put("/film", Object::new(bytes.clone(), "one").behind(&gate));
    let edge = TestEdge::general(&origin);
    gate.let_through(1);
    let (mut connection, head) = open(edge.addr, &Request::get("/film"));
    assert_eq!(head.number("content-length"), Some(2 * SLICE as u64));
    let mut got = read(&mut connection, 1000);
    // A second viewer reads what is there of the same fill.
    let (mut second, _) = open(edge.addr, &Request::get("/film"));
    assert!(read(&mut second, 1000) == bytes[..1000]);
    gate.open();
    got.extend(read(&mut connection, 2 * SLICE - 1000));
    assert!(got == bytes);
    assert_eq!(origin.ranges_asked("/film").len(), 2);
}

#[test]
fn read_ahead_begins_past_the_middle_and_is_bounded() {
    let origin = Origin::start();
    let gate = Gate::shut();
    origin.put("/film", Object::new(random_bytes(1, 20 * SLICE), "one").behind(&gate));
    let edge = TestEdge::general(&origin);
    gate.let_through(SLICE / 4);
    let (mut connection, _) = open(edge.addr, &Request::get("/film"));
    read(&mut connection, SLICE / 4);
    assert_eq!(origin.count(), 1, "a viewer that may go again costs one slice");
    gate.let_through(SLICE / 2);
    read(&mut connection, SLICE / 2);
    let ahead = usize::try_from(tidegate_edge::limits::READ_AHEAD_SLICES).unwrap();
    eventually_true("the slices ahead to be asked for", Duration::from_secs(30), || {
        origin.count() == 1 + ahead
    });
    drop(connection);
    gate.open();
    eventually_true("all fills to end", Duration::from_secs(30), || {
        edge.metric("tidegate_edge_fills_in_flight", &[]) == 0.0
    });
    assert_eq!(origin.count(), 1 + ahead, "nothing beyond the limit");
}
