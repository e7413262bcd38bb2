//! A new password for who has lost theirs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;

use http::Method;
use serde_json::json;
use support::Database;
use support::api::{Answer, As, Origin, PASSWORD, SECOND, from_peer, request};
use tidegate_origin::accounts::reset;
use tidegate_origin::audit::Actor;
use tidegate_origin::catalog::{Account, accounts, resets};
use tidegate_origin::limits;

const RESETS: &str = "/api/v1/password-resets";
const NEW: &str = "a new password";

on_both_engines! {
    a_reset_sets_the_password_once_and_ends_every_session,
    an_account_gets_only_a_few_resets_an_hour,
    a_reset_ends_in_time,
}

async fn start(database: &Database) -> Origin {
    Origin::start_in(Arc::new(tempfile::tempdir().unwrap()), Some(&database.options), |_| {}).await
}

async fn account(origin: &Origin, name: &str) -> Account {
    accounts::find_by_login(&origin.app.catalog, name).await.unwrap().unwrap().0
}

async fn given(origin: &Origin, name: &str) -> Option<String> {
    reset::give(&origin.app, &account(origin, name).await, &Actor::default()).await.unwrap()
}

async fn confirm(origin: &Origin, token: &str, password: &str) -> Answer {
    let body = json!({ "token": token, "new_password": password });
    origin.post(&As::Nobody, &format!("{RESETS}/confirm"), body).await
}

async fn logs_in(origin: &Origin, password: &str) -> bool {
    let credentials = json!({ "login": "ada", "password": password });
    origin.post(&As::Nobody, "/api/v1/sessions", credentials).await.status == 201
}

async fn a_reset_sets_the_password_once_and_ends_every_session(database: Database) {
    let origin = start(&database).await;
    let ada = origin.session_of("ada").await;
    let (first, second) = (given(&origin, "ada").await.unwrap(), given(&origin, "ada").await.unwrap());
    confirm(&origin, &first, "short").await.expect_problem(422, "invalid_field");
    confirm(&origin, &first, NEW).await.expect(204);
    origin.get(&ada, "/api/v1/account").await.expect_problem(401, "authentication_required");
    assert!(logs_in(&origin, NEW).await && !logs_in(&origin, PASSWORD).await);
    for used in [first, second] {
        confirm(&origin, &used, PASSWORD).await.expect_problem(403, "reset_invalid");
    }
    for made_up in ["", "x", "\0", &"x".repeat(1000)] {
        confirm(&origin, made_up, PASSWORD).await.expect_problem(403, "reset_invalid");
    }
    assert!(logs_in(&origin, NEW).await);
}

async fn an_account_gets_only_a_few_resets_an_hour(database: Database) {
    let origin = start(&database).await;
    origin.session_of("ada").await;
    origin.session_of("bob").await;
    for _ in 0..limits::RESETS_PER_ACCOUNT {
        assert!(given(&origin, "ada").await.is_some());
    }
    assert_eq!(given(&origin, "ada").await, None);
    assert!(given(&origin, "bob").await.is_some());
    origin.hand.advance(limits::RESET_TTL);
    assert!(given(&origin, "ada").await.is_some());
}

async fn a_reset_ends_in_time(database: Database) {
    let origin = start(&database).await;
    origin.session_of("ada").await;
    let token = given(&origin, "ada").await.unwrap();
    origin.hand.advance(limits::RESET_TTL);
    confirm(&origin, &token, NEW).await.expect_problem(403, "reset_invalid");
    assert_eq!(resets::forget(&origin.app.catalog, origin.app.clock.unix_ms()).await.unwrap(), 1);
    let token = given(&origin, "ada").await.unwrap();
    origin.hand.advance(limits::RESET_TTL - SECOND);
    confirm(&origin, &token, NEW).await.expect(204);
}

#[tokio::test]
async fn of_many_who_use_a_reset_at_once_one_does() {
    let origin = Origin::start().await;
    origin.session_of("ada").await;
    let token = given(&origin, "ada").await.unwrap();
    let tries = (0..4).map(|n| {
        let (router, token) = (origin.router.clone(), token.clone());
        let body = json!({ "token": token, "new_password": format!("password {n}") });
        let confirm = request(&As::Nobody, Method::POST, &format!("{RESETS}/confirm"), Some(body));
        tokio::spawn(
            async move { tower::ServiceExt::oneshot(router, confirm).await.unwrap().status().as_u16() },
        )
    });
    let mut statuses = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 403, 403, 403]);
}

#[tokio::test]
async fn who_asks_does_not_learn_which_addresses_have_accounts() {
    let origin = Origin::start_with(|config| config.accounts.rate_reset = "off".parse().unwrap()).await;
    origin.session_of("ada").await;
    let mut answers = Vec::new();
    for email in ["ada@example.org", "nobody@example.org"] {
        let answer = origin.post(&As::Nobody, RESETS, json!({ "email": email })).await.expect(202);
        answers.push((answer.text.clone(), answer.headers.keys().count()));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, "{}");
    for email in ["", "x", "a\0@b"] {
        let answer = origin.post(&As::Nobody, RESETS, json!({ "email": email })).await;
        answer.expect_problem(422, "invalid_field");
    }
}

#[tokio::test]
async fn an_address_asks_only_a_few_times_an_hour() {
    let origin = Origin::start().await;
    let ask = |peer: &str| {
        let body = json!({ "email": "nobody@example.org" });
        origin.send(from_peer(request(&As::Nobody, Method::POST, RESETS, Some(body)), peer))
    };
    for _ in 0..5 {
        ask("192.0.2.1").await.expect(202);
    }
    ask("192.0.2.1").await.expect_problem(429, "rate_limited");
    ask("192.0.2.2").await.expect(202);
}

#[tokio::test]
async fn a_disabled_account_gets_no_reset_and_uses_none() {
    let origin = Origin::start().await;
    origin.session_of("ada").await;
    let token = given(&origin, "ada").await.unwrap();
    let path = format!("/api/v1/accounts/{}", account(&origin, "ada").await.id);
    origin.patch(&origin.admin(), &path, json!({ "disabled": true })).await.expect(200);
    confirm(&origin, &token, NEW).await.expect_problem(403, "reset_invalid");
    assert_eq!(given(&origin, "ada").await, None);
}
