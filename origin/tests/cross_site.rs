//! What a page of another site can make a browser do with a session: nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::api::{As, Origin, PASSWORD, request};
use tidegate_origin::catalog::Visibility;

/// Every route that changes something, with what it takes.
fn changing_routes(asset: &str) -> Vec<(Method, String, Option<Value>)> {
    let text = |path: &str| path.to_owned();
    let name = || Some(json!({ "name": "x" }));
    let account = json!({ "username": "eve", "email": "eve@example.org", "password": PASSWORD });
    let passwords = json!({ "current_password": PASSWORD, "new_password": PASSWORD });
    vec![
        (Method::POST, text("/api/v1/accounts"), Some(account)),
        (Method::PATCH, text("/api/v1/accounts/x"), Some(json!({ "disabled": true }))),
        (Method::PUT, text("/api/v1/account/password"), Some(passwords)),
        (Method::POST, text("/api/v1/sessions"), Some(json!({ "login": "ada", "password": PASSWORD }))),
        (Method::DELETE, text("/api/v1/sessions"), None),
        (Method::DELETE, text("/api/v1/sessions/x"), None),
        (Method::POST, text("/api/v1/tokens"), name()),
        (Method::DELETE, text("/api/v1/tokens/x"), None),
        (Method::PATCH, format!("/api/v1/assets/{asset}"), name()),
        (Method::DELETE, format!("/api/v1/assets/{asset}"), None),
        (Method::POST, format!("/api/v1/assets/{asset}/grants"), Some(json!({ "minutes": 1 }))),
        (Method::PUT, format!("/api/v1/assets/{asset}/captions/en"), None),
        (Method::DELETE, format!("/api/v1/assets/{asset}/captions/en"), None),
        (Method::POST, text("/api/v1/purges"), Some(json!({ "urls": ["/a"] }))),
        (Method::POST, text("/api/v1/jobs/x/retry"), None),
        (Method::POST, text("/api/v1/whatever/comes"), None),
        (Method::POST, text("/files"), None),
        (Method::PUT, text("/files/a.txt"), None),
        (Method::PATCH, format!("/files/{asset}"), None),
        (Method::DELETE, format!("/files/{asset}"), None),
    ]
}

#[tokio::test]
async fn a_session_changes_nothing_for_another_site() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let asset = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    for (method, path, body) in changing_routes(&asset.to_string()) {
        for (field, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
        ] {
            let mut request = request(&ada, method.clone(), &path, body.clone());
            request.headers_mut().insert(field, value.parse().unwrap());
            if path.starts_with("/files") && method != Method::PUT {
                request.headers_mut().insert("tus-resumable", "1.0.0".parse().unwrap());
            }
            let answer = origin.send(request).await;
            assert_eq!(answer.outcome(), (403, "cross_site".to_owned()), "{method} {path} {field}: {value}");
        }
    }
    assert!(origin.asset(asset).await.is_some());
    origin.get(&ada, "/api/v1/account").await.expect(200);
}

#[tokio::test]
async fn a_method_in_a_field_does_not_get_around_it() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let asset = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    for method in [Method::POST, Method::GET] {
        let mut request = request(&ada, method, &format!("/files/{asset}"), None);
        request.headers_mut().insert("x-http-method-override", "DELETE".parse().unwrap());
        request.headers_mut().insert("tus-resumable", "1.0.0".parse().unwrap());
        request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
        let answer = origin.send(request).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
    assert!(origin.asset(asset).await.is_some());
}

#[tokio::test]
async fn answers_of_the_api_are_shown_in_no_frame_and_kept_by_nobody() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    for (who, path) in
        [(&ada, "/api/v1/account"), (&As::Nobody, "/api/v1/account"), (&As::Nobody, "/api/v1/nope")]
    {
        let answer = origin.get(who, path).await;
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}
