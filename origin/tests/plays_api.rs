//! Plays: one is one view however many requests it takes, viewers are those who are heard of, and what edges report
//! counts once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use support::Database;
use support::api::{Answer, As, NOW_MS, Origin, SECOND, from_peer, request};
use tidegate_origin::catalog::Visibility;
use tidegate_origin::{housekeeping, limits, plays};
use tidegate_wire::AssetId;

on_both_engines! {
    a_play_is_one_view_and_says_how_far_it_is_as_often_as_it_likes,
    viewers_are_those_who_are_heard_of,
    a_report_of_an_edge_counts_once,
    two_origins_count_one_play_once,
}

async fn start(database: &Database) -> Origin {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    Origin::start_in(folder, Some(&database.options), |_| {}).await
}

async fn begin(origin: &Origin, who: &As, asset: AssetId) -> String {
    let answer =
        origin.post(who, "/api/v1/plays", json!({ "asset": asset.to_string() })).await.expect(201).json();
    assert_eq!(answer["every_s"], limits::PLAY_EVERY.as_secs());
    answer["id"].as_str().unwrap().to_owned()
}

async fn beat(origin: &Origin, play: &str, body: Value) -> Answer {
    origin.post(&As::Nobody, &format!("/api/v1/plays/{play}"), body).await
}

async fn statistics(origin: &Origin, who: &As, asset: AssetId) -> Value {
    plays::flush(&origin.app).await.unwrap();
    origin.get(who, &format!("/api/v1/assets/{asset}/statistics")).await.expect(200).json()
}

async fn a_play_is_one_view_and_says_how_far_it_is_as_often_as_it_likes(database: Database) {
    let origin = start(&database).await;
    let ada = origin.token_of("ada").await;
    let asset = origin.add_asset(1, Some("ada"), Visibility::Unlisted).await;
    let none = statistics(&origin, &ada, asset).await;
    assert_eq!(
        none,
        json!({
            "views": 0, "viewers_now": 0, "watched_s": 0.0, "stalls": 0, "bytes": 0, "requests": 0, "hit_ratio": null,
            "start_p50_s": null, "start_p95_s": null, "days": [],
        })
    );
    let play = begin(&origin, &As::Nobody, asset).await;
    beat(&origin, &play, json!({ "position_s": 0, "watched_s": 0 })).await.expect(204);
    assert_eq!(statistics(&origin, &ada, asset).await["views"], 0, "who opens a page has watched nothing");
    origin.hand.advance(10 * SECOND);
    let first = json!({ "position_s": 9.5, "watched_s": 9.5, "start_s": 0.35, "stalls": 1 });
    beat(&origin, &play, first.clone()).await.expect(204);
    // Said twice, before and after it was written down, and once more late.
    beat(&origin, &play, first.clone()).await.expect(204);
    let seen = statistics(&origin, &ada, asset).await;
    assert_eq!((&seen["views"], &seen["watched_s"], &seen["stalls"]), (&json!(1), &json!(9.5), &json!(1)));
    origin.hand.advance(10 * SECOND);
    beat(&origin, &play, json!({ "position_s": 20, "watched_s": 19.0, "start_s": 0.35, "stalls": 1 }))
        .await
        .expect(204);
    beat(&origin, &play, first).await.expect(204);
    // A pause of an hour, then the same player goes on: the same play.
    origin.hand.advance(Duration::from_secs(3600));
    housekeeping::tidy_now(&origin.app).await.unwrap();
    beat(&origin, &play, json!({ "position_s": 30, "watched_s": 29.0, "ended": true })).await.expect(204);
    let seen = statistics(&origin, &ada, asset).await;
    assert_eq!((&seen["views"], &seen["watched_s"], &seen["stalls"]), (&json!(1), &json!(29.0), &json!(1)));
    let start = seen["start_p50_s"].as_f64().unwrap();
    assert!((0.3..=0.4).contains(&start), "{start}");
    assert_eq!(seen["days"], json!([{ "date": "2026-05-28", "views": 1, "watched_s": 29.0, "bytes": 0 }]));

    begin(&origin, &ada, asset).await;
    let other = begin(&origin, &ada, asset).await;
    // Nobody watches years in seconds.
    beat(&origin, &other, json!({ "position_s": 1, "watched_s": 1_000_000.0, "start_s": 2.9 }))
        .await
        .expect(204);
    let seen = statistics(&origin, &ada, asset).await;
    assert_eq!(seen["views"], 2);
    assert!(seen["watched_s"].as_f64().unwrap() < 29.0 + 60.0, "{seen}");
    assert!(seen["start_p95_s"].as_f64().unwrap() > 2.0);
    // A day later it is another day, and long after its last word the play is over.
    origin.hand.advance(limits::PLAY_KEPT + SECOND);
    housekeeping::tidy_now(&origin.app).await.unwrap();
    beat(&origin, &play, json!({ "position_s": 30, "watched_s": 39.0 }))
        .await
        .expect_problem(404, "play_not_found");
    assert_eq!(statistics(&origin, &ada, asset).await["views"], 2);
}

#[tokio::test]
async fn only_who_may_watch_may_play_and_only_what_a_clock_can_show_is_taken() {
    let origin = Origin::start().await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let private = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    let other = origin.add_asset(2, Some("ada"), Visibility::Private).await;
    let plays = "/api/v1/plays";
    for who in [&As::Nobody, &bob, &origin.admin(), &As::Fleet] {
        let answer = origin.post(who, plays, json!({ "asset": private.to_string() })).await;
        answer.expect_problem(404, "asset_not_found");
    }
    begin(&origin, &ada, private).await;
    let until = u32::try_from(NOW_MS / 1000).unwrap() + 60;
    let grant = origin.app.grants.sign(&private.media_prefix(), until);
    let with = |asset: AssetId, grant: &str| json!({ "asset": asset.to_string(), "grant": grant });
    origin.post(&As::Nobody, plays, with(private, &grant)).await.expect(201);
    origin.post(&As::Nobody, plays, with(other, &grant)).await.expect_problem(403, "grant_mismatch");
    origin.post(&As::Nobody, plays, with(private, "x")).await.expect_problem(403, "grant_invalid");
    for body in [json!({}), json!({ "asset": "x" }), json!({ "asset": private.to_string(), "views": 9 })] {
        origin.post(&ada, plays, body).await.expect_problem(422, "invalid_field");
    }
    let play = begin(&origin, &ada, private).await;
    for body in [
        json!({}),
        json!({ "position_s": 1 }),
        json!({ "position_s": -1, "watched_s": 1 }),
        json!({ "position_s": 1, "watched_s": "1" }),
        json!({ "position_s": 1, "watched_s": 1e300 }),
        json!({ "position_s": 1, "watched_s": 1, "start_s": -0.1 }),
        json!({ "position_s": 1, "watched_s": 1, "stalls": -1 }),
        json!({ "position_s": 1, "watched_s": 1, "views": 5 }),
    ] {
        let answer = beat(&origin, &play, body.clone()).await;
        assert_eq!(answer.outcome().1, "invalid_field", "{body}");
    }
    for id in ["x", "%00", "0197a3c2-11aa-7d0e-8c51-0242ac120002"] {
        let answer = beat(&origin, id, json!({ "position_s": 1, "watched_s": 1 })).await;
        answer.expect_problem(404, "play_not_found");
    }
    for (who, expected) in [(&bob, 404), (&As::Nobody, 401), (&origin.admin(), 200), (&ada, 200)] {
        let path = format!("/api/v1/assets/{private}/statistics");
        assert_eq!(origin.get(who, &path).await.status, expected, "{who:?}");
    }
}

#[tokio::test]
async fn a_flood_of_plays_from_one_address_is_limited() {
    let origin = Origin::start_with(|config| config.plays_per_minute = 5).await;
    let asset = origin.add_asset(1, None, Visibility::Public).await;
    let one = async |peer: &str| {
        let body = json!({ "asset": asset.to_string() });
        origin.send(from_peer(request(&As::Nobody, Method::POST, "/api/v1/plays", Some(body)), peer)).await
    };
    for _ in 0..5 {
        one("192.0.2.1").await.expect(201);
        one("[2001:db8::1]").await.expect(201);
    }
    let refused = one("192.0.2.1").await.expect_problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "60");
    one("[2001:db8::ffff:2]").await.expect_problem(429, "rate_limited");
    one("192.0.2.2").await.expect(201);
}

async fn viewers_are_those_who_are_heard_of(database: Database) {
    let origin = start(&database).await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let first = origin.add_asset(1, Some("ada"), Visibility::Public).await;
    let second = origin.add_asset(2, Some("ada"), Visibility::Public).await;
    let bobs = origin.add_asset(3, Some("bob"), Visibility::Public).await;
    let mut plays_of_first = Vec::new();
    for _ in 0..3 {
        plays_of_first.push(begin(&origin, &As::Nobody, first).await);
    }
    begin(&origin, &As::Nobody, second).await;
    begin(&origin, &As::Nobody, bobs).await;
    let viewers = async |who: &As| origin.get(who, "/api/v1/viewers").await.expect(200).json();
    let of = |asset: AssetId, many: u64| json!({ "asset": asset.to_string(), "viewers_now": many });
    assert_eq!(viewers(&ada).await, json!({ "viewers_now": 4, "assets": [of(first, 3), of(second, 1)] }));
    assert_eq!(viewers(&bob).await, json!({ "viewers_now": 1, "assets": [of(bobs, 1)] }));
    assert_eq!(viewers(&origin.admin()).await["viewers_now"], 5);
    let shown = origin.get(&ada, &format!("/api/v1/assets/{first}")).await.json();
    assert_eq!(shown["viewers_now"], 3);

    origin.hand.advance(limits::VIEWER_AROUND - SECOND);
    beat(&origin, &plays_of_first[0], json!({ "position_s": 5, "watched_s": 5 })).await.expect(204);
    beat(&origin, &plays_of_first[1], json!({ "position_s": 5, "watched_s": 5, "ended": true }))
        .await
        .expect(204);
    let touched = plays::flush(&origin.app).await.unwrap();
    assert_eq!(touched.into_iter().collect::<Vec<_>>(), [first]);
    assert_eq!(viewers(&ada).await["assets"], json!([of(first, 2), of(second, 1)]));
    origin.hand.advance(2 * SECOND);
    assert_eq!(viewers(&ada).await, json!({ "viewers_now": 1, "assets": [of(first, 1)] }));
    // Those who were not heard of have left, and that is news too.
    let mut left: Vec<_> = plays::flush(&origin.app).await.unwrap().into_iter().collect();
    left.sort_unstable();
    assert_eq!(left, [first, second, bobs]);
    assert!(plays::flush(&origin.app).await.unwrap().is_empty());
    origin.hand.advance(limits::VIEWER_AROUND);
    assert_eq!(viewers(&ada).await, json!({ "viewers_now": 0, "assets": [] }));
    origin.get(&As::Nobody, "/api/v1/viewers").await.expect_problem(401, "authentication_required");
}

async fn two_origins_count_one_play_once(database: Database) {
    let (one, other) = (start(&database).await, start(&database).await);
    let asset = one.add_asset(1, None, Visibility::Public).await;
    let play = begin(&one, &As::Nobody, asset).await;
    for round in 1..=5 {
        for origin in [&one, &other] {
            origin.hand.advance(2 * SECOND);
            beat(origin, &play, json!({ "position_s": round, "watched_s": round, "start_s": 0.5 }))
                .await
                .expect(204);
        }
        let (a, b) = tokio::join!(plays::flush(&one.app), plays::flush(&other.app));
        a.unwrap();
        b.unwrap();
    }
    let seen = statistics(&other, &one.admin(), asset).await;
    assert_eq!((&seen["views"], &seen["watched_s"]), (&json!(1), &json!(5.0)));
}

async fn a_report_of_an_edge_counts_once(database: Database) {
    let origin = start(&database).await;
    let ada = origin.token_of("ada").await;
    let asset = origin.add_asset(1, Some("ada"), Visibility::Public).await;
    let unknown = "0197a3c1-7d2e-7c31-9d1e-0242ac120002";
    let report = |instance: &str, seq: u64, requests: u64| {
        json!({
            "url": "http://edge:1", "purge_cursor": 0, "hit_ratio": null, "cached_bytes": 7, "version": "0.1.0",
            "memory_limit_bytes": 1 << 30, "memory_used_bytes": 5,
            "report": { "instance": instance, "seq": seq, "assets": [
                { "asset": asset.to_string(), "requests": requests, "hits": requests / 2, "bytes": requests * 1000 },
                { "asset": unknown, "requests": 1, "hits": 0, "bytes": 1 },
            ] },
        })
    };
    let heartbeat = "/internal/heartbeat";
    // The answers to some of these were lost, and the edge says it again.
    for (instance, seq, requests) in
        [("a", 1, 10), ("a", 1, 10), ("b", 1, 4), ("a", 2, 2), ("a", 1, 10), ("a", 2, 2), ("b", 1, 4)]
    {
        let answer =
            origin.post(&As::Fleet, heartbeat, report(instance, seq, requests)).await.expect(200).json();
        assert_eq!(answer["counted"], seq);
    }
    let seen = statistics(&origin, &ada, asset).await;
    assert_eq!((&seen["requests"], &seen["bytes"]), (&json!(16), &json!(16_000)));
    assert_eq!((&seen["hit_ratio"], &seen["views"]), (&json!(0.5), &json!(0)));
    for (bad, code) in [
        (report("", 3, 1), 422),
        (report("a b", 3, 1), 422),
        (report(&"x".repeat(65), 3, 1), 422),
        (json!({ "url": "http://edge:1", "report": {} }), 422),
    ] {
        assert_eq!(origin.post(&As::Fleet, heartbeat, bad).await.status, code);
    }
    origin.post(&ada, heartbeat, report("a", 9, 100)).await.expect_problem(403, "fleet_key_required");
    let edges = origin.get(&origin.admin(), "/api/v1/edges").await.expect(200).json();
    assert_eq!(edges["edges"][0]["memory_limit_bytes"], 1 << 30);
    assert_eq!(edges["edges"][0]["memory_used_bytes"], 5);
    assert_eq!(statistics(&origin, &ada, asset).await["requests"], 16);
}
