//! How often who may ask, and how they are told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use http::Method;
use serde_json::json;
use support::api::{Answer, As, Origin, PASSWORD, from_peer, request};
use tidegate_origin::config::OriginConfig;
use tidegate_origin::rates::Rate;

const ACCOUNT: &str = "/api/v1/account";

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

async fn get_from(origin: &Origin, who: &As, path: &str, peer: &str) -> Answer {
    origin.send(from_peer(request(who, Method::GET, path, None), peer)).await
}

#[tokio::test]
async fn an_account_has_one_allowance_wherever_it_asks_from() {
    let origin = Origin::start_with(|config| config.accounts.rate_api = rate("5/1h")).await;
    let ada = origin.session_of("ada").await;
    for (left, peer) in [(4, "192.0.2.1"), (3, "192.0.2.2"), (2, "192.0.2.3")] {
        let answer = get_from(&origin, &ada, ACCOUNT, peer).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), "\"api\";q=5;w=3600");
        assert!(answer.header("ratelimit").starts_with(&format!("\"api\";r={left};t=")), "{answer:?}");
    }
    // A token is the account's too.
    let made = origin.post(&ada, "/api/v1/tokens", json!({ "name": "x" })).await.expect(201).json();
    let token = As::Token(made["token"].as_str().unwrap().to_owned());
    origin.get(&token, ACCOUNT).await.expect(200);
    let refused = get_from(&origin, &token, ACCOUNT, "192.0.2.4").await.expect_problem(429, "rate_limited");
    assert_eq!(refused.header("ratelimit-policy"), "\"api\";q=5;w=3600");
    assert_eq!(refused.header("ratelimit"), format!("\"api\";r=0;t={}", refused.header("retry-after")));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=720).contains(&wait), "{wait}");
    // Others go on.
    origin.get(&origin.admin(), ACCOUNT).await.expect(200);
    let bob = origin.session_of("bob").await;
    get_from(&origin, &bob, ACCOUNT, "192.0.2.4").await.expect(200);
}

#[tokio::test]
async fn who_is_nobody_is_counted_by_address() {
    let origin = Origin::start_with(|config| {
        config.accounts.rate_api = rate("2/1h");
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let made_up = As::Token("tg_made_up".to_owned());
    get_from(&origin, &As::Nobody, ACCOUNT, "192.0.2.1").await.expect(401);
    get_from(&origin, &made_up, ACCOUNT, "192.0.2.1").await.expect_problem(401, "invalid_token");
    get_from(&origin, &made_up, ACCOUNT, "192.0.2.1").await.expect_problem(429, "rate_limited");
    get_from(&origin, &As::Nobody, "/api/v1/nope", "192.0.2.1").await.expect(429);
    get_from(&origin, &As::Nobody, ACCOUNT, "192.0.2.2").await.expect(401);
    // One IPv6 network is one client; what a proxy says counts where it is believed.
    for (peer, status) in [("[2001:db8::1]", 401), ("[2001:db8::2]", 401), ("[2001:db8::3]", 429)] {
        get_from(&origin, &As::Nobody, ACCOUNT, peer).await.expect(status);
    }
    for (client, status) in [("192.0.2.1", 429), ("192.0.2.9", 401)] {
        let mut request = request(&As::Nobody, Method::GET, ACCOUNT, None);
        request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        origin.send(from_peer(request, "10.0.0.1")).await.expect(status);
    }
}

#[tokio::test]
async fn an_allowance_comes_back_with_time() {
    let origin = Origin::start_with(|config| config.accounts.rate_api = rate("1/1s")).await;
    get_from(&origin, &As::Nobody, ACCOUNT, "192.0.2.1").await.expect(401);
    // However slow the machine is, it comes.
    let comes_back = async {
        while get_from(&origin, &As::Nobody, ACCOUNT, "192.0.2.1").await.status != 401 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), comes_back).await.expect("it comes back");
}

#[tokio::test]
async fn log_ins_and_sign_ups_have_limits_of_their_own() {
    let origin = Origin::start_with(|config| {
        config.accounts.rate_log_in = rate("2/1h");
        config.accounts.rate_sign_up = rate("1/1h");
    })
    .await;
    let post = |path: &str, body| {
        origin.send(from_peer(request(&As::Nobody, Method::POST, path, Some(body)), "192.0.2.1"))
    };
    let account =
        |name: &str| json!({ "username": name, "email": format!("{name}@b"), "password": PASSWORD });
    let answer = post("/api/v1/accounts", account("ada")).await.expect(201);
    assert!(answer.header("ratelimit").starts_with("\"sign-up\";r=0;"));
    post("/api/v1/accounts", account("bob")).await.expect_problem(429, "rate_limited");
    // An administrator who makes accounts is no crowd.
    for name in ["bob", "carl", "dave"] {
        origin.post(&origin.admin(), "/api/v1/accounts", account(name)).await.expect(201);
    }
    let credentials = json!({ "login": "ada", "password": PASSWORD });
    for _ in 0..2 {
        post("/api/v1/sessions", credentials.clone()).await.expect(201);
    }
    let answer = post("/api/v1/sessions", credentials).await.expect_problem(429, "rate_limited");
    assert_eq!(answer.header("ratelimit-policy"), "\"log-in\";q=2;w=3600");
    get_from(&origin, &As::Nobody, "/api/v1/server", "192.0.2.1").await.expect(200);
}

async fn begin_upload(origin: &Origin, who: &As) -> Answer {
    let mut create = request(who, Method::POST, "/files", None);
    create.headers_mut().insert("tus-resumable", "1.0.0".parse().unwrap());
    create.headers_mut().insert("upload-length", "5".parse().unwrap());
    origin.send(create).await
}

#[tokio::test]
async fn too_many_uploads_are_told_to_come_back_since_clients_give_up_at_429() {
    let origin = Origin::start_with(|config| config.accounts.rate_upload = Some(rate("2/1h"))).await;
    let admin = origin.admin();
    for left in [1, 0] {
        let answer = begin_upload(&origin, &admin).await.expect(201);
        assert!(answer.header("ratelimit").starts_with(&format!("\"upload\";r={left};")), "{answer:?}");
    }
    let refused = begin_upload(&origin, &admin).await.expect_problem(503, "uploads_rate_limited");
    assert!(!refused.header("retry-after").is_empty());
    assert!(refused.header("access-control-expose-headers").contains("RateLimit"));
    let mut plain = request(&admin, Method::PUT, "/files/a.txt", None);
    *plain.body_mut() = axum::body::Body::from("hello");
    origin.send(plain).await.expect_problem(503, "uploads_rate_limited");
    // The API is another matter.
    origin.get(&admin, "/api/v1/uploads").await.expect(200);
}

#[tokio::test]
async fn limits_can_be_off_and_uploads_of_nobody_have_none_unless_it_is_said() {
    let off = |config: &mut OriginConfig| {
        config.accounts.rate_api = Rate::OFF;
        config.accounts.rate_upload = Some(Rate::OFF);
    };
    let origin = Origin::start_with(off).await;
    let answer = get_from(&origin, &As::Nobody, "/api/v1/server", "192.0.2.1").await.expect(200);
    assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), ("", ""));
    let anonymous = Origin::start_with(|config| config.anonymous_uploads = true).await;
    assert_eq!(begin_upload(&anonymous, &As::Nobody).await.expect(201).header("ratelimit"), "");
    let limited = Origin::start_with(|config| {
        config.anonymous_uploads = true;
        config.accounts.rate_upload = Some(rate("1/1h"));
    })
    .await;
    begin_upload(&limited, &As::Nobody).await.expect(201);
    begin_upload(&limited, &As::Nobody).await.expect_problem(503, "uploads_rate_limited");
}

#[tokio::test]
async fn edges_workers_and_viewers_are_not_counted() {
    let origin = Origin::start_with(|config| config.accounts.rate_api = rate("1/1h")).await;
    for path in ["/internal/keys", "/healthz", "/media/x/source", "/watch/x"] {
        for _ in 0..3 {
            let answer = origin.get(&As::Fleet, path).await;
            assert!(answer.status != 429 && answer.header("ratelimit").is_empty(), "{path}");
        }
    }
}
