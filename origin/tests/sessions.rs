//! Where an account is logged in, and the end of that.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use support::Database;
use support::api::{As, Origin, PASSWORD, SECOND, from_peer, request};
use tidegate_origin::limits;

const SESSIONS: &str = "/api/v1/sessions";
const ASSETS: &str = "/api/v1/assets";

on_both_engines! {
    a_session_outlives_the_origin,
    an_account_sees_its_sessions_and_ends_them,
    with_one_session_too_many_the_oldest_ends,
    what_has_ended_is_forgotten,
}

async fn start(database: &Database) -> Origin {
    Origin::start_in(Arc::new(tempfile::tempdir().unwrap()), Some(&database.options), |_| {}).await
}

async fn listed(origin: &Origin, who: &As) -> Vec<Value> {
    let list = origin.get(who, SESSIONS).await.expect(200).json();
    list["sessions"].as_array().unwrap().clone()
}

async fn a_session_outlives_the_origin(database: Database) {
    let first = start(&database).await;
    let ada = first.session_of("ada").await;
    first.app.catalog.close().await;
    let second = start(&database).await;
    second.get(&ada, ASSETS).await.expect(200);
}

async fn an_account_sees_its_sessions_and_ends_them(database: Database) {
    let origin = start(&database).await;
    let first = origin.session_of("ada").await;
    let bob = origin.session_of("bob").await;
    origin.hand.advance(SECOND);
    let credentials = json!({ "login": "ada", "password": PASSWORD });
    let mut login = from_peer(request(&As::Nobody, Method::POST, SESSIONS, Some(credentials)), "192.0.2.7");
    login.headers_mut().insert("user-agent", "Mozilla/5.0 (a test)".parse().unwrap());
    let cookie = origin.send(login).await.expect(201).header("set-cookie").to_owned();
    let second = As::Cookie(cookie.split(';').next().unwrap().to_owned());

    let seen = listed(&origin, &second).await;
    let current: Vec<_> = seen.iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [true, false], "newest first, and only ada's");
    let shown = json!({
        "id": seen[0]["id"], "created_at": "2026-05-28T20:26:41.000Z", "last_seen_at": "2026-05-28T20:26:41.000Z",
        "expires_at": "2026-06-11T20:26:41.000Z", "address": "192.0.2.7", "user_agent": "Mozilla/5.0 (a test)",
        "current": true,
    });
    assert_eq!(seen[0], shown);
    assert!(
        !seen.iter().any(|session| cookie.contains(session["id"].as_str().unwrap())),
        "ids are no secrets"
    );

    let path = format!("{SESSIONS}/{}", seen[1]["id"].as_str().unwrap());
    origin.delete(&bob, &path).await.expect_problem(404, "not_found");
    origin.get(&first, ASSETS).await.expect(200);
    origin.delete(&second, &path).await.expect(204);
    origin.get(&first, ASSETS).await.expect_problem(401, "authentication_required");
    origin.delete(&second, &path).await.expect_problem(404, "not_found");
    for odd in ["x", "%00", "%ff", "'"] {
        origin.delete(&second, &format!("{SESSIONS}/{odd}")).await.expect_problem(404, "not_found");
    }
    let own = format!("{SESSIONS}/{}", seen[0]["id"].as_str().unwrap());
    let answer = origin.delete(&second, &own).await.expect(204);
    assert!(answer.header("set-cookie").starts_with("tidegate_session=; Path=/; Max-Age=0;"));
    origin.get(&second, ASSETS).await.expect_problem(401, "authentication_required");
}

async fn with_one_session_too_many_the_oldest_ends(database: Database) {
    let origin = start(&database).await;
    let oldest = origin.session_of("ada").await;
    let others = limits::SESSIONS_PER_ACCOUNT - 1;
    for _ in 0..others {
        origin.hand.advance(SECOND);
        origin.log_in("ada").await;
    }
    origin.get(&oldest, ASSETS).await.expect(200);
    origin.hand.advance(SECOND);
    let newest = origin.log_in("ada").await;
    origin.get(&oldest, ASSETS).await.expect_problem(401, "authentication_required");
    assert_eq!(listed(&origin, &newest).await.len(), limits::SESSIONS_PER_ACCOUNT as usize);
}

async fn what_has_ended_is_forgotten(database: Database) {
    let origin = start(&database).await;
    let ada = origin.session_of("ada").await;
    origin.hand.advance(limits::SESSION_TTL);
    origin.get(&ada, ASSETS).await.expect_problem(401, "authentication_required");
    let again = origin.log_in("ada").await;
    assert_eq!(listed(&origin, &again).await.len(), 1, "what has ended is not listed");
    let now_ms = origin.app.clock.unix_ms();
    tidegate_origin::housekeeping::tidy_now(&origin.app).await.unwrap();
    assert_eq!(tidegate_origin::catalog::sessions::forget(&origin.app.catalog, now_ms).await.unwrap(), 0);
    origin.get(&again, ASSETS).await.expect(200);
}

#[tokio::test]
async fn the_use_of_a_session_is_noted_to_the_minute_with_where_from() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let seen_from = async |peer: &str| {
        let answer = origin.send(from_peer(request(&ada, Method::GET, SESSIONS, None), peer)).await;
        let session = answer.expect(200).json()["sessions"][0].clone();
        (
            session["last_seen_at"].as_str().unwrap().to_owned(),
            session["address"].as_str().unwrap().to_owned(),
        )
    };
    let start = ("2026-05-28T20:26:40.000Z".to_owned(), "0.0.0.0".to_owned());
    assert_eq!(seen_from("192.0.2.1").await, start);
    origin.hand.advance(limits::SESSION_TOUCH_EVERY - SECOND);
    assert_eq!(seen_from("192.0.2.1").await, start);
    origin.hand.advance(SECOND);
    assert_eq!(seen_from("192.0.2.1").await, ("2026-05-28T20:27:40.000Z".to_owned(), "192.0.2.1".to_owned()));
}

/// Session fixation: whoever planted a cookie knows nothing of the session that begins with it.
#[tokio::test]
async fn every_log_in_begins_a_session_of_its_own_and_ends_the_one_before() {
    let origin = Origin::start().await;
    origin.session_of("ada").await;
    let log_in = async |who: &As| {
        let credentials = json!({ "login": "ada", "password": PASSWORD });
        let answer = origin.post(who, SESSIONS, credentials).await.expect(201);
        assert_eq!(answer.json()["role"], "uploader");
        As::Cookie(answer.header("set-cookie").split(';').next().unwrap().to_owned())
    };
    let planted = As::Cookie("tidegate_session=planted-by-someone".to_owned());
    let first = log_in(&planted).await;
    origin.get(&planted, ASSETS).await.expect(401);
    let second = log_in(&first).await;
    origin.get(&first, ASSETS).await.expect_problem(401, "authentication_required");
    origin.get(&second, ASSETS).await.expect(200);
}

#[tokio::test]
async fn what_a_client_calls_itself_is_kept_within_bounds() {
    let origin = Origin::start().await;
    origin.session_of("ada").await;
    let credentials = json!({ "login": "ada", "password": PASSWORD });
    let mut login = request(&As::Nobody, Method::POST, SESSIONS, Some(credentials));
    login.headers_mut().insert("user-agent", "<script>\tx".repeat(1000).parse().unwrap());
    let answer = origin.send(login).await.expect(201);
    let ada = As::Cookie(answer.header("set-cookie").split(';').next().unwrap().to_owned());
    let sessions = listed(&origin, &ada).await;
    let current = sessions.iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(current["user_agent"].as_str().unwrap().chars().count(), limits::USER_AGENT_CHARS);
    origin.hand.advance(Duration::from_secs(1));
    origin.get(&As::Nobody, SESSIONS).await.expect_problem(401, "authentication_required");
}
