//! The rate of a client, and which client it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::num::NonZeroU32;

use support::{Object, Origin, TestEdge, cache_status, config};
use tidegate_edge::{EdgeConfig, Forward};
use tidegate_serve::Clock;
use tidegate_testkit::http::{Request, Response};

fn scene(trusted: &[&str]) -> (Origin, TestEdge) {
    let origin = Origin::start();
    origin.put("/x", Object::new(&b"x"[..], "x"));
    let edge = TestEdge::start(
        EdgeConfig {
            forward: Forward::All,
            rate_limit: NonZeroU32::new(1),
            rate_burst: NonZeroU32::new(3),
            trusted_proxies: trusted.iter().map(|network| network.parse().unwrap()).collect(),
            ..config(&origin)
        },
        Clock::system(),
    );
    (origin, edge)
}

fn from(edge: &TestEdge, client: &str) -> Response {
    Request::get("/x").header("X-Forwarded-For", client).send(edge.addr)
}

fn statuses(answers: impl Iterator<Item = Response>) -> Vec<u16> {
    answers.map(|answer| answer.status).collect()
}

#[test]
fn past_its_burst_a_client_is_told_when_to_come_again() {
    let (_origin, edge) = scene(&[]);
    // A second may pass between two of these on a busy machine, so more are sent than the burst and one.
    let answers: Vec<Response> = (0..8).map(|_| edge.get("/x")).collect();
    assert!(answers[..3].iter().all(|answer| answer.status == 200));
    let refused = answers.into_iter().find(|answer| answer.status == 429).expect("a refusal");
    assert_eq!(refused.problem(), "rate_limited");
    assert!(refused.number("retry-after").is_some_and(|seconds| (1..=2).contains(&seconds)));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"requests\";q=3;w=3"));
    assert!(refused.header("ratelimit").unwrap().starts_with("\"requests\";r=0;t="));
    assert_eq!(cache_status(&refused), "tidegate; detail=rate_limited");
    assert!(edge.metric("tidegate_edge_rate_limited_total", &[]) >= 1.0);
}

#[test]
fn behind_a_trusted_proxy_each_of_its_clients_has_its_own_rate() {
    let (_origin, edge) = scene(&["127.0.0.0/8"]);
    for host in 1..=9 {
        let client = format!("198.51.100.{host}");
        assert_eq!(statuses((0..3).map(|_| from(&edge, &client))), [200, 200, 200]);
    }
    // Addresses of one /64 are one client.
    let many = statuses((0..9).map(|host| from(&edge, &format!("2001:db8::{host}"))));
    assert!(many.contains(&429), "{many:?}");
    // What a client puts in front of its own address does not make it another.
    let forged = statuses((0..9).map(|host| from(&edge, &format!("192.0.2.{host}, 203.0.113.1"))));
    assert!(forged.contains(&429), "{forged:?}");
}

#[test]
fn without_a_trusted_proxy_the_field_is_ignored() {
    let (_origin, edge) = scene(&["10.0.0.0/8"]);
    let statuses = statuses((0..9).map(|host| from(&edge, &format!("198.51.100.{host}"))));
    assert!(statuses.contains(&429), "{statuses:?}");
}
