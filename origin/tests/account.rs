//! The account that asks: what it is told of itself, and its password.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::api::{As, Origin, PASSWORD, SECOND};
use tidegate_origin::accounts::recovery;
use tidegate_origin::catalog::Visibility;
use tidegate_origin::config::{SignUp, SignUpRole};
use tidegate_origin::limits;
use tidegate_serve::Entropy;

const ACCOUNT: &str = "/api/v1/account";
const NEW: &str = "a new password";

async fn set_password(origin: &Origin, who: &As, current: &str, new: &str) -> support::api::Answer {
    let body = json!({ "current_password": current, "new_password": new });
    origin.call(who, Method::PUT, "/api/v1/account/password", Some(body)).await
}

async fn logs_in(origin: &Origin, password: &str) -> bool {
    let credentials = json!({ "login": "ada", "password": password });
    origin.post(&As::Nobody, "/api/v1/sessions", credentials).await.status == 201
}

#[tokio::test]
async fn an_account_is_told_what_it_is_and_has() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let shown = origin.get(&ada, ACCOUNT).await.expect(200).json();
    let expected = json!({
        "id": shown["id"], "username": "ada", "email": "ada@example.org", "role": "uploader", "quota_bytes": null,
        "used_bytes": 0, "created_at": "2026-05-28T20:26:40.000Z",
    });
    assert_eq!(shown, expected);
    origin.add_asset(1, Some("ada"), Visibility::Private).await;
    assert_eq!(origin.get(&ada, ACCOUNT).await.json()["used_bytes"], 12_345_678_901_u64);
    assert_eq!(origin.get(&origin.admin(), ACCOUNT).await.json()["role"], "admin");
    origin.get(&As::Nobody, ACCOUNT).await.expect_problem(401, "authentication_required");
}

#[tokio::test]
async fn a_new_account_is_what_the_operator_says() {
    let origin = Origin::start_with(|config| {
        config.accounts.signup_role = SignUpRole::Viewer;
        config.accounts.default_quota = Some("5GiB".parse().unwrap());
    })
    .await;
    let shown = origin.get(&origin.session_of("ada").await, ACCOUNT).await.expect(200).json();
    assert_eq!((&shown["role"], &shown["quota_bytes"]), (&json!("viewer"), &json!(5_u64 << 30)));
    let admin = origin.get(&origin.admin(), ACCOUNT).await.json();
    assert_eq!((&admin["role"], &admin["quota_bytes"]), (&json!("admin"), &Value::Null));
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let origin = Origin::start().await;
    let (here, there) = (origin.session_of("ada").await, origin.log_in("ada").await);
    let token = origin.post(&here, "/api/v1/tokens", json!({ "name": "x" })).await.expect(201).json();
    let token = As::Token(token["token"].as_str().unwrap().to_owned());
    set_password(&origin, &here, PASSWORD, NEW).await.expect(204);
    origin.get(&here, ACCOUNT).await.expect(200);
    origin.get(&there, ACCOUNT).await.expect_problem(401, "authentication_required");
    origin.get(&token, ACCOUNT).await.expect(200);
    assert!(logs_in(&origin, NEW).await && !logs_in(&origin, PASSWORD).await);
    // Whoever comes with a token has no session that could stay.
    set_password(&origin, &token, NEW, PASSWORD).await.expect(204);
    origin.get(&here, ACCOUNT).await.expect(401);
}

#[tokio::test]
async fn a_password_is_not_changed_by_who_does_not_know_it() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let wrong = "not her password";
    for current in ["", "x", PASSWORD.to_uppercase().as_str(), &"x".repeat(1000)] {
        set_password(&origin, &ada, current, NEW).await.expect_problem(403, "wrong_password");
    }
    for new in ["", "short", &"x".repeat(257)] {
        set_password(&origin, &ada, PASSWORD, new).await.expect_problem(422, "invalid_field");
    }
    set_password(&origin, &As::Nobody, PASSWORD, NEW).await.expect_problem(401, "authentication_required");
    // With a stolen session a password is guessed no faster than without.
    for _ in 0..limits::ACCOUNT_FREE_FAILURES {
        set_password(&origin, &ada, wrong, NEW).await;
    }
    let answer = set_password(&origin, &ada, PASSWORD, NEW).await.expect_problem(429, "too_many_attempts");
    assert!(!answer.header("retry-after").is_empty());
    origin.hand.advance(60 * SECOND);
    assert!(logs_in(&origin, PASSWORD).await);
}

#[tokio::test]
async fn a_server_says_what_it_offers_to_anyone() {
    let origin = Origin::start().await;
    let shown = origin.get(&As::Nobody, "/api/v1/server").await.expect(200).json();
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"), "signup": "open", "mail": false, "max_upload_bytes": 1_u64 << 40,
        "transcoding": false,
    });
    assert_eq!(shown, expected);
    let closed = Origin::start_with(|config| config.signup = SignUp::Closed).await;
    assert_eq!(closed.get(&As::Nobody, "/api/v1/server").await.json()["signup"], "closed");
}

#[tokio::test]
async fn a_lost_password_is_replaced_on_the_command_line() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let (catalog, clock, entropy) = (&origin.app.catalog, &origin.app.clock, Entropy::system());
    let password = recovery::new_password(catalog, clock, &entropy, "ada@example.org").await.unwrap();
    origin.get(&ada, ACCOUNT).await.expect(401);
    assert!(logs_in(&origin, &password).await && !logs_in(&origin, PASSWORD).await);
    assert!(recovery::new_password(catalog, clock, &entropy, "nobody").await.is_err());
    recovery::make_admin(catalog, clock, &entropy, "ada").await.unwrap();
    let credentials = json!({ "login": "ada", "password": password });
    let answer = origin.post(&As::Nobody, "/api/v1/sessions", credentials).await.expect(201);
    assert_eq!(answer.json()["role"], "admin");
    let log = origin.get(&origin.admin(), "/api/v1/audit").await.expect(200).json();
    let actions: Vec<_> = log["entries"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert!(actions.contains(&&json!("password.changed")) && actions.contains(&&json!("account.changed")));
}
