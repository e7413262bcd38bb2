//! Ranges that are refused, each with its status and code, before they cost anything (RangeAmp).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Object, Origin, SLICE, TestEdge, random_bytes};
use tidegate_testkit::http::Request;

const SIZE: usize = 10 * SLICE;

fn scene() -> (Origin, TestEdge, Vec<u8>) {
    let origin = Origin::start();
    let bytes = random_bytes(1, SIZE);
    origin.put("/film", Object::new(bytes.clone(), "one"));
    let edge = TestEdge::general(&origin);
    (origin, edge, bytes)
}

#[test]
fn bad_ranges_are_answered_416_with_their_code() {
    let thousand =
        format!("bytes={}", (0..1000).map(|n| format!("{}-{}", 2 * n, 2 * n)).collect::<Vec<_>>().join(","));
    let (_origin, edge, _) = scene();
    assert_eq!(edge.get("/film").status, 200);
    for (range, code) in [
        ("bytes=5-2", "range_invalid"),
        ("bytes=", "range_invalid"),
        ("bytes=a-b", "range_invalid"),
        ("bytes=0-1-2", "range_invalid"),
        ("bytes=--5", "range_invalid"),
        ("nonsense", "range_invalid"),
        (thousand.as_str(), "range_excessive"),
        ("bytes=99999999-", "range_not_satisfiable"),
        ("bytes=-0", "range_not_satisfiable"),
    ] {
        let answer = edge.range("/film", range).expect(416);
        assert_eq!(answer.problem(), code, "{range}");
        assert_eq!(answer.header("content-range"), Some(format!("bytes */{SIZE}").as_str()), "{range}");
    }
    assert_eq!(edge.range("/film", "lines=1-2").status, 200);
}

#[test]
fn bad_ranges_on_a_cold_object_cost_the_origin_nothing() {
    let (origin, edge, _) = scene();
    for range in [
        "bytes=5-2",
        "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30,32-32",
    ] {
        assert_eq!(edge.range("/film", range).status, 416);
    }
    assert_eq!(origin.count(), 0);
    let beyond = edge.range("/film", "bytes=99999999-").expect(416);
    assert_eq!(beyond.problem(), "range_not_satisfiable");
}

#[test]
fn a_tiny_range_costs_at_most_the_slices_it_touches() {
    let (origin, edge, bytes) = scene();
    let at = 3 * SLICE + 5;
    let answer = edge.range("/film", &format!("bytes={at}-{at}")).expect(206);
    assert_eq!(answer.body, [bytes[at]]);
    assert_eq!(origin.ranges_asked("/film"), [format!("bytes={}-{}", 3 * SLICE, 4 * SLICE - 1)]);
    origin.forget_asked();
    let across = format!("bytes={}-{}", 6 * SLICE - 1, 6 * SLICE);
    assert!(edge.range("/film", &across).expect(206).body == bytes[6 * SLICE - 1..=6 * SLICE]);
    assert_eq!(origin.count(), 2, "two slices for two bytes that lie in two");
}

#[test]
fn the_last_bytes_of_an_unknown_object_cost_its_last_slice_and_a_head() {
    let (origin, edge, bytes) = scene();
    let answer = edge.range("/film", "bytes=-10").expect(206);
    assert!(answer.body == bytes[SIZE - 10..]);
    let asked: Vec<String> =
        origin.asked().iter().map(|asked| format!("{} {}", asked.method, asked.header("range"))).collect();
    assert_eq!(asked, ["HEAD ".to_owned(), format!("GET bytes={}-{}", 9 * SLICE, SIZE - 1)]);
}

#[test]
fn overlapping_ranges_are_sent_once() {
    let (_origin, edge, bytes) = scene();
    let answer = edge.range("/film", "bytes=0-99,50-149,100-199,0-199").expect(206);
    assert_eq!(answer.header("content-range"), Some(format!("bytes 0-199/{SIZE}").as_str()));
    assert!(answer.body == bytes[..200]);
    let answer =
        Request::get("/film").header("Range", "bytes=0-").header("If-Range", "\"other\"").send(edge.addr);
    assert_eq!(answer.status, 200);
}
