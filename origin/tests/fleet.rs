//! What edges call, and what people see of the fleet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use support::api::{As, Origin, request};
use tidegate_origin::catalog::Visibility;
use tidegate_origin::limits;

fn heartbeat(url: &str, cursor: u64) -> Value {
    json!({ "url": url, "purge_cursor": cursor, "hit_ratio": 0.5, "cached_bytes": 7, "version": "0.1.0" })
}

#[tokio::test]
async fn nothing_internal_is_told_without_the_fleet_key() {
    let origin = Origin::start().await;
    let admin = origin.admin();
    let calls = [
        (Method::GET, "/internal/keys", None),
        (Method::GET, "/internal/purges", None),
        (Method::POST, "/internal/heartbeat", Some(heartbeat("http://a", 0))),
    ];
    for (method, path, body) in calls.clone() {
        for who in [&As::Nobody, &admin] {
            let answer = origin.call(who, method.clone(), path, body.clone()).await;
            answer.expect_problem(403, "fleet_key_required");
        }
        for key in ["", "the fleet's ke", "the fleet's keyy", "THE FLEET'S KEY"] {
            let mut wrong = request(&As::Nobody, method.clone(), path, body.clone());
            wrong.headers_mut().insert("tidegate-fleet-key", key.parse().unwrap());
            origin.send(wrong).await.expect_problem(403, "fleet_key_required");
        }
        origin.call(&As::Fleet, method, path, body).await.expect(200);
    }
    let closed = Origin::start_with(|config| config.fleet_key = None).await;
    for (method, path, body) in calls {
        closed.call(&As::Fleet, method, path, body).await.expect_problem(403, "fleet_key_required");
    }
}

#[tokio::test]
async fn the_fleet_key_may_come_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\n", support::api::FLEET_KEY)).unwrap();
    let origin = Origin::start_with(|config| {
        config.fleet_key = None;
        config.fleet_key_file = Some(file.path().to_owned());
    })
    .await;
    origin.get(&As::Fleet, "/internal/keys").await.expect(200);
}

#[tokio::test]
async fn a_first_contact_is_told_the_head_and_nothing_else() {
    let origin = Origin::start().await;
    let admin = origin.admin();
    for n in 1..=3 {
        let made = origin.post(&admin, "/api/v1/purges", json!({ "urls": [format!("/{n}")] })).await;
        assert_eq!(made.expect(202).json(), json!({ "id": n }));
    }
    let feed = origin.get(&As::Fleet, "/internal/purges?wait=30").await.expect(200).json();
    assert_eq!(feed, json!({ "records": [], "head": 3, "oldest": 1 }));
    let feed = origin.get(&As::Fleet, "/internal/purges?after=1&wait=30").await.expect(200).json();
    assert_eq!(feed["records"], json!([{ "seq": 2, "urls": ["/2"] }, { "seq": 3, "urls": ["/3"] }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_edge_is_woken_by_a_purge() {
    let origin = Origin::start().await;
    let admin = origin.admin();
    let waiting = |after: u64| {
        let request =
            request(&As::Fleet, Method::GET, &format!("/internal/purges?after={after}&wait=30"), None);
        let router = origin.router.clone();
        tokio::spawn(async move { tower::ServiceExt::oneshot(router, request).await.unwrap() })
    };
    for n in 0..5 {
        let edges = [waiting(n), waiting(n), waiting(n)];
        // Whether the purge comes before, between or after their looks: all hear of it.
        tokio::task::yield_now().await;
        origin.post(&admin, "/api/v1/purges", json!({ "prefixes": ["/live/"] })).await.expect(202);
        for edge in edges {
            let body = axum::body::to_bytes(edge.await.unwrap().into_body(), 1 << 20).await.unwrap();
            let feed: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(feed["records"][0]["seq"], n + 1);
        }
    }
}

#[tokio::test]
async fn a_wait_ends_when_it_is_over_or_the_origin_stops() {
    let origin = Origin::start().await;
    let feed = origin.get(&As::Fleet, "/internal/purges?after=0&wait=0.01").await.expect(200).json();
    assert_eq!(feed, json!({ "records": [], "head": 0, "oldest": 1 }));
    for wait in ["-1", "NaN", "inf", "x"] {
        let path = format!("/internal/purges?after=0&wait={wait}");
        origin.get(&As::Fleet, &path).await.expect_problem(422, "invalid_field");
    }
    origin.shutdown.cancel();
    origin.get(&As::Fleet, "/internal/purges?after=0&wait=30").await.expect(200);
}

#[tokio::test]
async fn a_cursor_the_log_does_not_reach_is_answered_at_once() {
    let origin = Origin::start().await;
    let admin = origin.admin();
    for n in 1..=3 {
        origin.post(&admin, "/api/v1/purges", json!({ "urls": [format!("/{n}")] })).await.expect(202);
    }
    // From a catalogue that was replaced by an older one.
    let feed = origin.get(&As::Fleet, "/internal/purges?after=9&wait=30").await.expect(200).json();
    assert_eq!(feed, json!({ "records": [], "head": 3, "oldest": 1 }));
    // Away for longer than the log is kept.
    origin.hand.advance(limits::PURGE_KEPT + Duration::from_secs(1));
    tidegate_origin::housekeeping::tidy_now(&origin.app).await.unwrap();
    let feed = origin.get(&As::Fleet, "/internal/purges?after=1&wait=30").await.expect(200).json();
    assert_eq!(feed, json!({ "records": [], "head": 3, "oldest": 4 }));
}

#[tokio::test]
async fn a_long_log_comes_in_pages() {
    let origin = Origin::start().await;
    let admin = origin.admin();
    let count = u64::from(limits::PURGE_PAGE) + 3;
    for n in 1..=count {
        origin.post(&admin, "/api/v1/purges", json!({ "urls": [format!("/{n}")] })).await.expect(202);
    }
    let mut cursor = 0;
    while cursor < count {
        let feed = origin.purges_after(cursor).await;
        assert_eq!(feed["head"], count);
        for record in feed["records"].as_array().unwrap() {
            cursor += 1;
            assert_eq!(record["seq"], cursor);
        }
    }
}

#[tokio::test]
async fn a_purge_shows_which_edges_have_applied_it() {
    let origin = Origin::start().await;
    let (admin, ada) = (origin.admin(), origin.token_of("ada").await);
    for url in ["http://edge-a:1", "https://edge-b"] {
        origin.post(&As::Fleet, "/internal/heartbeat", heartbeat(url, 0)).await.expect(200);
    }
    origin.post(&admin, "/api/v1/purges", json!({ "urls": ["https://cdn.example/a?b=c"] })).await.expect(202);
    let ack = origin.post(&As::Fleet, "/internal/heartbeat", heartbeat("http://edge-a:1", 1)).await;
    assert_eq!(ack.expect(200).json(), json!({ "purge_head": 1, "counted": null }));

    let shown = origin.get(&admin, "/api/v1/purges/1").await.expect(200).json();
    assert_eq!(shown["urls"], json!(["/a?b=c"]));
    assert_eq!(shown["applied"], false);
    assert_eq!(
        shown["edges"],
        json!([
            { "url": "http://edge-a:1", "applied": true, "alive": true },
            { "url": "https://edge-b", "applied": false, "alive": true },
        ])
    );
    // An edge that is gone holds nothing up: it replays before it serves again.
    origin.hand.advance(limits::EDGE_ALIVE + Duration::from_secs(1));
    origin.post(&As::Fleet, "/internal/heartbeat", heartbeat("http://edge-a:1", 1)).await.expect(200);
    assert_eq!(origin.get(&admin, "/api/v1/purges/1").await.json()["applied"], true);

    origin.get(&ada, "/api/v1/purges/1").await.expect_problem(403, "forbidden");
    origin.get(&As::Nobody, "/api/v1/purges/1").await.expect(401);
    for id in ["2", "0", "-1", "x", "99999999999999999999"] {
        origin.get(&admin, &format!("/api/v1/purges/{id}")).await.expect_problem(404, "not_found");
    }

    origin.get(&ada, "/api/v1/edges").await.expect_problem(403, "forbidden");
    let fleet = origin.get(&admin, "/api/v1/edges").await.expect(200).json();
    assert_eq!(fleet["purge_head"], 1);
    assert_eq!(
        fleet["edges"][0],
        json!({
            "url": "http://edge-a:1", "alive": true, "last_heartbeat": "2026-05-28T20:26:51.000Z",
            "purge_cursor": 1, "hit_ratio": 0.5, "memory_limit_bytes": null,
            "memory_used_bytes": null,
            "cached_bytes": 7, "version": "0.1.0",
        })
    );
    assert_eq!(fleet["edges"][1]["alive"], false);
    origin.get(&As::Nobody, "/api/v1/edges").await.expect_problem(401, "authentication_required");
    origin.hand.advance(limits::EDGE_KEPT);
    tidegate_origin::housekeeping::tidy_now(&origin.app).await.unwrap();
    assert_eq!(origin.get(&admin, "/api/v1/edges").await.json()["edges"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn only_administrators_purge() {
    let origin = Origin::start().await;
    let (admin, ada) = (origin.admin(), origin.token_of("ada").await);
    origin.token_of("bob").await;
    let own = origin.add_asset(1, Some("ada"), Visibility::Public).await.to_string();
    let foreign = origin.add_asset(2, Some("bob"), Visibility::Public).await.to_string();
    for (who, body, status, code) in [
        (&As::Nobody, json!({ "assets": [own] }), 401, "authentication_required"),
        (&ada, json!({ "assets": [own] }), 403, "forbidden"),
        (&ada, json!({ "urls": ["/a"] }), 403, "forbidden"),
        (&ada, json!({ "prefixes": ["/a"] }), 403, "forbidden"),
        (&admin, json!({ "assets": [own, foreign], "urls": ["/a"], "prefixes": ["/"] }), 202, ""),
        (&admin, json!({}), 422, "invalid_field"),
        (&admin, json!({ "assets": ["x"] }), 422, "invalid_field"),
        (&admin, json!({ "urls": ["a"] }), 422, "invalid_field"),
        (&admin, json!({ "urls": vec!["/a"; 1001] }), 422, "invalid_field"),
        (&admin, json!({ "tags": [""] }), 422, "invalid_field"),
        (&admin, json!({ "tags": ["ä"] }), 422, "invalid_field"),
        (&ada, json!({ "tags": ["manifests"] }), 403, "forbidden"),
        (&admin, json!({ "tags": ["manifests"] }), 202, ""),
    ] {
        let answer = origin.post(who, "/api/v1/purges", body.clone()).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{body}");
    }
    let log = origin.purges_after(0).await;
    assert_eq!((&log["head"], &log["records"][1]["tags"]), (&json!(2), &json!(["manifests"])));
}

#[tokio::test]
async fn an_edge_says_a_url_that_can_stand_in_a_page() {
    let origin = Origin::start().await;
    origin.post(&As::Fleet, "/internal/heartbeat", heartbeat("http://edge:1/", 0)).await.expect(200);
    let fleet = origin.get(&origin.admin(), "/api/v1/edges").await.json();
    assert_eq!(fleet["edges"][0]["url"], "http://edge:1");
    for url in ["", "edge", "http://a/b", "http://a; script-src *", "javascript:alert(1)"] {
        let answer = origin.post(&As::Fleet, "/internal/heartbeat", heartbeat(url, 0)).await;
        answer.expect_problem(422, "invalid_field");
    }
}
