//! Making accounts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use support::api::{As, Origin, PASSWORD, request};
use tidegate_origin::config::SignUp;

const ACCOUNTS: &str = "/api/v1/accounts";

fn account(username: &str, email: &str, password: &str) -> Value {
    json!({ "username": username, "email": email, "password": password })
}

#[tokio::test]
async fn an_account_is_made_once() {
    let origin = Origin::start().await;
    let answer = origin.post(&As::Nobody, ACCOUNTS, account("Ada", "ada@example.org", PASSWORD)).await;
    let made = answer.expect(201).json();
    assert_eq!(made["username"], "Ada");
    assert_eq!(made.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "username"]);
    for (username, email, code) in [
        ("ada", "other@example.org", "username_taken"),
        ("ADA", "ada@example.org", "username_taken"),
        ("bob", "ADA@example.org", "email_taken"),
    ] {
        let answer = origin.post(&As::Nobody, ACCOUNTS, account(username, email, PASSWORD)).await;
        answer.expect_problem(409, code);
    }
}

#[tokio::test]
async fn fields_that_are_not_allowed_are_named() {
    let origin = Origin::start().await;
    let long = "x".repeat(300);
    for (body, field) in [
        (account("a", "a@b", PASSWORD), "username"),
        (account("a@b", "a@b", PASSWORD), "username"),
        (account("nul\0", "a@b", PASSWORD), "username"),
        (account("ada", "nowhere", PASSWORD), "email"),
        (account("ada", "a\0@b", PASSWORD), "email"),
        (account("ada", "a@b", "short"), "password"),
        (account("ada", "a@b", &long), "password"),
        (json!({ "username": "ada", "email": "a@b" }), "password"),
        (json!({ "username": 7, "email": "a@b", "password": PASSWORD }), "string"),
        (json!({ "username": "ada", "email": "a@b", "password": PASSWORD, "is_admin": true }), "is_admin"),
        (json!([]), "expected"),
    ] {
        let answer = origin.post(&As::Nobody, ACCOUNTS, body).await.expect_problem(422, "invalid_field");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(field), "{detail} names {field}");
    }
}

#[tokio::test]
async fn bodies_that_are_not_json_are_told_apart() {
    let origin = Origin::start().await;
    let post = |content_type: Option<&str>, body: Vec<u8>| {
        let mut request = Request::builder().method(Method::POST).uri(ACCOUNTS);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        origin.send(request.body(Body::from(body)).unwrap())
    };
    post(Some("application/json"), b"{".to_vec()).await.expect_problem(400, "invalid_json");
    post(Some("application/json"), Vec::new()).await.expect_problem(400, "invalid_json");
    post(Some("application/json"), b"{}x".to_vec()).await.expect_problem(400, "invalid_json");
    post(Some("text/plain"), b"{}".to_vec()).await.expect_problem(415, "unsupported_media_type");
    post(Some("application/x-www-form-urlencoded"), b"a=b".to_vec()).await.expect(415);
    post(None, b"{}".to_vec()).await.expect(415);
    let large = vec![b' '; 300 * 1024];
    post(Some("application/json; charset=utf-8"), large).await.expect_problem(413, "body_too_large");
}

#[tokio::test]
async fn where_sign_up_is_closed_only_an_administrator_makes_accounts() {
    let origin = Origin::start_with(|config| config.signup = SignUp::Closed).await;
    let body = account("ada", "ada@example.org", PASSWORD);
    origin.post(&As::Nobody, ACCOUNTS, body.clone()).await.expect_problem(403, "forbidden");
    origin.post(&origin.admin(), ACCOUNTS, body).await.expect(201);
    let ada = origin.log_in("ada").await;
    let body = account("bob", "bob@example.org", PASSWORD);
    origin.post(&ada, ACCOUNTS, body).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn an_invalid_token_is_refused_also_where_none_is_needed() {
    let origin = Origin::start().await;
    let body = account("ada", "ada@example.org", PASSWORD);
    for token in ["tg_nonsense", "", "x", &"tg_".repeat(1000)] {
        let request = request(&As::Token(token.to_owned()), Method::POST, ACCOUNTS, Some(body.clone()));
        let answer = origin.send(request).await.expect_problem(401, "invalid_token");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}
