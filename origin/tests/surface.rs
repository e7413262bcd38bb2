//! What holds for every answer, and the answers for what is not there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use http::{Method, Request};
use support::api::{As, Origin, PASSWORD, request};
use tidegate_origin::config::DatabaseOptions;
use tidegate_testkit::Postgres;

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let origin = Origin::start().await;
    for path in ["/nope", "/api", "/api/v1", "/api/v2/assets", "/watch", "/watch/", "/internal", "//"] {
        origin.get(&As::Nobody, path).await.expect_problem(404, "not_found");
    }
    for (method, path, allow) in [
        (Method::PUT, "/api/v1/accounts", "POST,GET,HEAD"),
        (Method::GET, "/api/v1/password-resets", "POST"),
        (Method::POST, "/healthz", "GET,HEAD"),
        (Method::POST, "/internal/keys", "GET,HEAD"),
    ] {
        let answer = origin.call(&As::Nobody, method, path, None).await;
        assert_eq!(answer.expect_problem(405, "method_not_allowed").header("allow"), allow, "{path}");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_and_leaks_nothing() {
    let origin = Origin::start().await;
    for path in ["/healthz", "/nope", "/api/v1/assets", "/internal/keys"] {
        let answer = origin.get(&As::Nobody, path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
    }
    for (given, kept) in [("abc-123_x.y", true), ("", false), ("a b", false), (&"x".repeat(65), false)] {
        let request = Request::builder().uri("/healthz").header("x-request-id", given);
        let answer = origin.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.header("x-request-id") == given, kept, "{given:?}");
    }
}

#[tokio::test]
async fn a_head_request_is_answered_like_a_get_without_the_body() {
    let origin = Origin::start().await;
    let answer = origin.call(&As::Nobody, Method::HEAD, "/healthz", None).await.expect(200);
    assert!(answer.text.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_a_passing_problem() {
    let postgres = Postgres::start();
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let database = DatabaseOptions::new(postgres.database());
    let origin = Origin::start_in(folder, Some(&database), |_| {}).await;
    let admin = origin.admin();
    let session = origin.log_in("admin").await;
    postgres.stop();
    let credentials = serde_json::json!({ "login": "admin", "password": PASSWORD });
    let login = request(&As::Nobody, Method::POST, "/api/v1/sessions", Some(credentials));
    let assets = |who: &As| request(who, Method::GET, "/api/v1/assets", None);
    let keys = request(&As::Fleet, Method::GET, "/internal/keys", None);
    let (a, b, c, keys) = tokio::join!(
        origin.send(assets(&admin)),
        origin.send(assets(&session)),
        origin.send(login),
        origin.send(keys),
    );
    for answer in [a, b, c] {
        let answer = answer.expect_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "2");
        assert!(!answer.text.contains("sql") && !answer.text.contains("pool"), "{}", answer.text);
    }
    // Invariant 10: edges can go on checking grants.
    keys.expect(200);

    postgres.start_again();
    origin.get(&admin, "/api/v1/assets").await.expect(200);
    origin.get(&session, "/api/v1/assets").await.expect(200);
}
