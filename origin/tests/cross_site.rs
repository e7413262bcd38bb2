//! What a page of another site can make a browser do with a session: nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use http::Method;
use support::api::{As, Origin, request};
use tidegate_origin::catalog::Visibility;

/// Every route that changes something: those of the API, as its document has them, and those of uploads.
async fn changing_routes(origin: &Origin, asset: &str) -> Vec<(Method, String)> {
    let document = origin.get(&As::Nobody, "/api/v1/openapi.json").await.expect(200).json();
    let mut routes = vec![
        (Method::POST, "/api/v1/whatever/comes".to_owned()),
        (Method::POST, "/files".to_owned()),
        (Method::PUT, "/files/a.txt".to_owned()),
        (Method::PATCH, format!("/files/{asset}")),
        (Method::DELETE, format!("/files/{asset}")),
    ];
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|method| *method != "get");
        let path = path.replace("{id}", asset).replace("{lang}", "en");
        routes.extend(methods.map(|method| (method.to_uppercase().parse().unwrap(), path.clone())));
    }
    assert!(routes.len() > 20, "{routes:?}");
    routes
}

#[tokio::test]
async fn a_session_changes_nothing_for_another_site() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let asset = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    for (method, path) in changing_routes(&origin, &asset.to_string()).await {
        for (field, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
        ] {
            let mut request = request(&ada, method.clone(), &path, None);
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
