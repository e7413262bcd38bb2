//! API tokens.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use serde_json::json;
use support::api::{As, Origin, SECOND};
use tidegate_origin::limits;

const TOKENS: &str = "/api/v1/tokens";

#[tokio::test]
async fn a_token_is_shown_once_and_works_until_it_is_deleted() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let made = origin.post(&ada, TOKENS, json!({ "name": "cli" })).await.expect(201);
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.json();
    let token = As::Token(made["token"].as_str().unwrap().to_owned());
    assert!(made["token"].as_str().unwrap().starts_with("tg_"));

    let listed = origin.get(&token, TOKENS).await.expect(200);
    assert!(!listed.text.contains(made["token"].as_str().unwrap()));
    let listed = listed.json();
    assert_eq!(listed["tokens"][0]["id"], made["id"]);
    assert_eq!(listed["tokens"][0]["name"], "cli");
    assert_eq!(listed["tokens"][0]["created_at"], "2026-05-28T20:26:40.000Z");

    let path = format!("{TOKENS}/{}", made["id"].as_str().unwrap());
    let bob = origin.session_of("bob").await;
    origin.delete(&bob, &path).await.expect_problem(404, "not_found");
    origin.delete(&ada, &path).await.expect(204);
    origin.delete(&ada, &path).await.expect_problem(404, "not_found");
    origin.get(&token, TOKENS).await.expect_problem(401, "invalid_token");
}

#[tokio::test]
async fn the_use_of_a_token_is_noted_to_the_minute() {
    let origin = Origin::start().await;
    let token = origin.token_of("ada").await;
    let last_used = async || origin.get(&token, TOKENS).await.json()["tokens"][0]["last_used_at"].clone();
    assert_eq!(last_used().await, "2026-05-28T20:26:40.000Z");
    origin.hand.advance(limits::TOKEN_TOUCH_EVERY - SECOND);
    assert_eq!(last_used().await, "2026-05-28T20:26:40.000Z");
    origin.hand.advance(SECOND);
    assert_eq!(last_used().await, "2026-05-28T20:27:40.000Z");
}

#[tokio::test]
async fn tokens_need_a_name_and_are_not_without_number() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    for name in ["", "  ", "a\nb", "a\0", &"x".repeat(101)] {
        origin.post(&ada, TOKENS, json!({ "name": name })).await.expect_problem(422, "invalid_field");
    }
    for _ in 0..limits::TOKENS_PER_ACCOUNT {
        origin.post(&ada, TOKENS, json!({ "name": "x" })).await.expect(201);
    }
    origin.post(&ada, TOKENS, json!({ "name": "x" })).await.expect_problem(422, "invalid_field");
}

#[tokio::test]
async fn odd_ids_are_not_found() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    for id in ["x", "%00", "%ff", "..%2f..", "'"] {
        origin.delete(&ada, &format!("{TOKENS}/{id}")).await.expect_problem(404, "not_found");
    }
}
