//! Conditions and HEAD are answered from what is known of an object.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Object, Origin, SLICE, TestEdge, cache_status, random_bytes};
use tidegate_testkit::http::Request;

const DATE: &str = "Sun, 09 Sep 2001 01:46:40 GMT";

#[test]
fn conditions_are_answered_without_the_origin() {
    let origin = Origin::start();
    let bytes = random_bytes(1, 2 * SLICE);
    origin.put(
        "/film",
        Object::new(bytes.clone(), "one")
            .field("last-modified", DATE)
            .field("content-disposition", "attachment"),
    );
    let edge = TestEdge::general(&origin);
    assert_eq!(edge.get("/film").status, 200);
    origin.forget_asked();
    let get = |name: &str, value: &str| Request::get("/film").header(name, value).send(edge.addr);
    for (name, value, status) in [
        ("If-None-Match", "\"one\"", 304),
        ("If-None-Match", "W/\"one\", \"x\"", 304),
        ("If-None-Match", "\"x\"", 200),
        ("If-Modified-Since", DATE, 304),
        ("If-Match", "\"one\"", 200),
        ("If-Match", "\"x\"", 412),
        ("If-Unmodified-Since", "Sun, 09 Sep 2001 01:46:39 GMT", 412),
    ] {
        let answer = get(name, value).expect(status);
        assert_eq!(
            answer.body.len(),
            match status {
                200 => bytes.len(),
                304 => 0,
                _ => answer.body.len(),
            }
        );
        if status == 304 {
            assert_eq!(answer.header("etag"), Some("\"one\""));
            assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
            assert_eq!(answer.header("content-disposition"), None);
        }
    }
    let part = Request::get("/film")
        .header("Range", "bytes=0-9")
        .header("If-Range", "\"one\"")
        .send(edge.addr)
        .expect(206);
    assert!(part.body == bytes[..10]);
    assert_eq!(part.header("content-disposition"), Some("attachment"));
    assert_eq!(
        Request::get("/film").header("Range", "bytes=0-9").header("If-Range", "\"x\"").send(edge.addr).status,
        200
    );
    assert_eq!(origin.count(), 0);
}

#[test]
fn head_teaches_the_edge_without_a_byte() {
    let origin = Origin::start();
    let bytes = random_bytes(1, 3 * SLICE);
    origin.put("/film", Object::new(bytes.clone(), "one"));
    let edge = TestEdge::general(&origin);
    let head = Request::new("HEAD", "/film").send(edge.addr).expect(200);
    assert_eq!(head.number("content-length"), Some(bytes.len() as u64));
    assert_eq!(
        (head.header("accept-ranges"), cache_status(&head)),
        (Some("bytes"), "tidegate; fwd=uri-miss; stored")
    );
    assert_eq!(cache_status(&Request::new("HEAD", "/film").send(edge.addr)), "tidegate; hit");
    assert_eq!(edge.metric("tidegate_edge_upstream_received_bytes_total", &[]), 0.0);
    assert!(edge.get("/film").expect(200).body == bytes);
    let uncacheable = Object::new(&b"x"[..], "n").field("cache-control", "no-store");
    origin.put("/news", uncacheable);
    let head = Request::new("HEAD", "/news").send(edge.addr).expect(200);
    assert_eq!(
        (head.number("content-length"), cache_status(&head)),
        (Some(1), "tidegate; fwd=uri-miss; detail=no-store")
    );
}

#[test]
fn an_empty_object_is_an_object() {
    let origin = Origin::start();
    origin.put("/empty", Object::new(&b""[..], "one"));
    let edge = TestEdge::general(&origin);
    for _ in 0..2 {
        let answer = edge.get("/empty").expect(200);
        assert_eq!((answer.number("content-length"), answer.body.len()), (Some(0), 0));
    }
    assert_eq!(edge.range("/empty", "bytes=0-9").expect(416).problem(), "range_not_satisfiable");
    assert_eq!(cache_status(&edge.get("/empty")), "tidegate; hit");
}
