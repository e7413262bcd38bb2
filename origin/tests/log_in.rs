//! Logging in and out, and what is told to those who cannot.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use http::Method;
use serde_json::json;
use support::api::{Answer, As, Origin, PASSWORD, SECOND, from_peer, request};
use tidegate_origin::limits;

const SESSIONS: &str = "/api/v1/sessions";
const ASSETS: &str = "/api/v1/assets";

async fn try_login(origin: &Origin, login: &str, password: &str, peer: &str) -> Answer {
    let credentials = json!({ "login": login, "password": password });
    let request = request(&As::Nobody, Method::POST, SESSIONS, Some(credentials));
    origin.send(from_peer(request, peer)).await
}

#[tokio::test]
async fn login_takes_either_name_in_any_case() {
    let origin = Origin::start().await;
    origin.session_of("Ada").await;
    for login in ["Ada", "ada", "ada@example.org", "ADA@EXAMPLE.ORG"] {
        let answer = try_login(&origin, login, PASSWORD, "1.1.1.1").await.expect(201);
        assert_eq!(answer.json()["username"], "Ada", "{login}");
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        origin.get(&As::Cookie(cookie), ASSETS).await.expect(200);
    }
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    for (public_url, secure) in [(None, false), (Some("http://a"), false), (Some("https://a"), true)] {
        let origin = Origin::start_with(|config| config.public_url = public_url.map(str::to_owned)).await;
        let answer = try_login(&origin, "admin", PASSWORD, "1.1.1.1").await.expect(201);
        let cookie = answer.header("set-cookie");
        let flags: Vec<&str> = cookie.split("; ").skip(1).collect();
        let mut expected = vec!["Path=/", "Max-Age=1209600", "HttpOnly", "SameSite=Lax"];
        if secure {
            expected.push("Secure");
        }
        assert_eq!(flags, expected);
        let value = cookie.split(';').next().unwrap().strip_prefix("tidegate_session=").unwrap();
        assert!(value.len() >= 43, "256 bits");
    }
}

#[tokio::test]
async fn an_unknown_login_takes_the_path_of_a_wrong_password() {
    let origin = Origin::start().await;
    origin.session_of("ada").await;
    let mut seen = Vec::new();
    for login in ["ada", "nobody", "nobody@example.org", "nul\0", ""] {
        let hashes = origin.app.metrics.password_hashes.get();
        let answer = try_login(&origin, login, "wrong password", "1.1.1.1").await;
        assert_eq!(origin.app.metrics.password_hashes.get(), hashes + 1, "{login:?} ran argon2 once");
        seen.push((answer.status, answer.text));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "one answer for all: {seen:?}");
    assert!(seen[0].1.contains("invalid_credentials"));
}

#[tokio::test]
async fn an_account_under_attack_is_slowed_for_everyone_but_not_for_long() {
    let origin = Origin::start().await;
    origin.session_of("ada").await;
    for n in 0..limits::ACCOUNT_FREE_FAILURES {
        let peer = format!("1.1.1.{n}");
        try_login(&origin, "ada", "wrong", &peer).await.expect_problem(401, "invalid_credentials");
    }
    let hashes = origin.app.metrics.password_hashes.get();
    // By either name: the account is counted, not what was typed.
    for login in ["ada", "ada@example.org"] {
        let answer = try_login(&origin, login, PASSWORD, "2.2.2.2").await;
        assert_eq!(answer.expect_problem(429, "too_many_attempts").header("retry-after"), "1");
    }
    assert_eq!(origin.app.metrics.password_hashes.get(), hashes, "no argon2 for a try that has to wait");
    origin.hand.advance(SECOND);
    try_login(&origin, "ada", PASSWORD, "2.2.2.2").await.expect(201);
}

#[tokio::test]
async fn an_unknown_login_is_slowed_as_a_known_one_is() {
    let origin = Origin::start().await;
    for n in 0..limits::ACCOUNT_FREE_FAILURES {
        let peer = format!("1.1.1.{n}");
        try_login(&origin, "nobody", "wrong", &peer).await.expect_problem(401, "invalid_credentials");
    }
    let answer = try_login(&origin, "nobody", "wrong", "2.2.2.2").await;
    assert_eq!(answer.expect_problem(429, "too_many_attempts").header("retry-after"), "1");
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_is_slowed() {
    let origin = Origin::start().await;
    origin.session_of("ada").await;
    for n in 0..limits::ADDRESS_FREE_FAILURES {
        try_login(&origin, &format!("user{n}"), "wrong", "1.1.1.1").await.expect(401);
    }
    try_login(&origin, "ada", PASSWORD, "1.1.1.1").await.expect_problem(429, "too_many_attempts");
    try_login(&origin, "ada", PASSWORD, "2.2.2.2").await.expect(201);
}

#[tokio::test]
async fn an_ipv6_client_does_not_get_a_new_count_with_each_address_of_its_network() {
    let origin = Origin::start().await;
    for n in 0..limits::ADDRESS_FREE_FAILURES {
        let peer = format!("[2001:db8::{n:x}]");
        try_login(&origin, &format!("user{n}"), "wrong", &peer).await.expect(401);
    }
    try_login(&origin, "other", "wrong", "[2001:db8::ffff]").await.expect(429);
    try_login(&origin, "other", "wrong", "[2001:db8:0:1::1]").await.expect(401);
}

#[tokio::test]
async fn logging_out_ends_the_session_and_may_be_repeated() {
    let origin = Origin::start().await;
    let (ada, other) = (origin.session_of("ada").await, origin.log_in("ada").await);
    for _ in 0..2 {
        let answer = origin.delete(&ada, SESSIONS).await.expect(204);
        assert!(answer.header("set-cookie").starts_with("tidegate_session=; Path=/; Max-Age=0;"));
    }
    origin.get(&ada, ASSETS).await.expect_problem(401, "authentication_required");
    origin.get(&other, ASSETS).await.expect(200);
    origin.delete(&As::Nobody, SESSIONS).await.expect(204);
}

#[tokio::test]
async fn a_session_ends_in_time() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    origin.hand.advance(limits::SESSION_TTL - SECOND);
    origin.get(&ada, ASSETS).await.expect(200);
    origin.hand.advance(SECOND);
    origin.get(&ada, ASSETS).await.expect_problem(401, "authentication_required");
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_with_the_session() {
    let origin =
        Origin::start_with(|config| config.public_url = Some("https://media.example".to_owned())).await;
    let (ada, token) = (origin.session_of("ada").await, origin.token_of("bob").await);
    for (fields, allowed) in [
        (&[][..], true),
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("origin", "http://origin.test:8080")], true),
        (&[("origin", "https://media.example")], true),
        (&[("origin", "https://media.example"), ("sec-fetch-site", "same-site")], true),
        (&[("origin", "http://origin.test:8081")], false),
        (&[("origin", "https://evil.example")], false),
        (&[("origin", "null")], false),
        (&[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")], false),
    ] {
        let send = |who: &As, method: Method, path: &str, body| {
            let mut request = request(who, method, path, body);
            for (name, value) in fields {
                request.headers_mut().insert(*name, value.parse().unwrap());
            }
            origin.send(request)
        };
        let name = || Some(json!({ "name": "x" }));
        let by_session = send(&ada, Method::POST, "/api/v1/tokens", name()).await.outcome();
        let refused = (403, "cross_site".to_owned());
        assert_eq!(by_session != refused, allowed, "{fields:?} {by_session:?}");
        // A token is not sent by a browser on its own; reading changes nothing.
        send(&token, Method::POST, "/api/v1/tokens", name()).await.expect(201);
        send(&ada, Method::GET, ASSETS, None).await.expect(200);
        let credentials = Some(json!({ "login": "ada", "password": PASSWORD }));
        let login = send(&As::Nobody, Method::POST, SESSIONS, credentials).await.outcome();
        assert_eq!(login != refused, allowed, "{fields:?} {login:?}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_no_session_counts_as_none() {
    let origin = Origin::start().await;
    for value in ["tidegate_session=", "tidegate_session=made-up", "other=1"] {
        let who = As::Cookie(value.to_owned());
        origin.get(&who, ASSETS).await.expect_problem(401, "authentication_required");
    }
}
