//! Invariant 12: `Cache-Status` and the metric tell the same of a request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Object, Origin, SLICE, TestEdge, cache_status, random_bytes};
use tidegate_testkit::http::Request;

#[test]
fn invariant_12_the_field_and_the_metric_are_one_value() {
    let origin = Origin::start();
    origin.put("/film", Object::new(random_bytes(1, 3 * SLICE), "one"));
    origin.put("/news", Object::new(&b"new"[..], "one").field("cache-control", "no-store"));
    let edge = TestEdge::general(&origin);
    let count = |label: &str| edge.metric("tidegate_edge_requests_total", &[&format!("outcome=\"{label}\"")]);
    let steps: [(&str, &str, &str, &str); 8] = [
        ("GET", "/film", "bytes=0-9", "miss"),
        ("GET", "/film", "bytes=0-9", "hit"),
        ("GET", "/film", "bytes=0-40000", "partial"),
        ("GET", "/film", "bytes=9-1", "refused"),
        ("GET", "/news", "bytes=0-", "bypass"),
        ("GET", "/news", "bytes=0-", "marked"),
        ("GET", "/healthz", "bytes=0-", "local"),
        ("POST", "/news", "bytes=0-", "method"),
    ];
    for (method, target, range, label) in steps {
        let before = count(label);
        let answer = Request::new(method, target).header("Range", range).send(edge.addr);
        let told = match label {
            "miss" => "tidegate; fwd=uri-miss; stored",
            "hit" => "tidegate; hit",
            "partial" => "tidegate; fwd=partial; stored",
            "refused" => "tidegate; detail=range_invalid",
            "bypass" => "tidegate; fwd=uri-miss; detail=no-store",
            "marked" => "tidegate; fwd=bypass",
            "local" => "tidegate",
            _ => "tidegate; fwd=method",
        };
        assert_eq!((cache_status(&answer), count(label)), (told, before + 1.0), "{method} {target}");
    }
    let cached = edge.metric("tidegate_edge_sent_bytes_total", &["source=\"cache\""]);
    let fetched = edge.metric("tidegate_edge_sent_bytes_total", &["source=\"origin\""]);
    assert!(cached >= 10.0 && fetched >= 40_001.0 - SLICE as f64, "{cached} {fetched}");
    assert!((edge.metric("tidegate_edge_hit_ratio", &[]) - cached / (cached + fetched)).abs() < 1e-9);
}
