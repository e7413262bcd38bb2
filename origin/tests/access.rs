//! The table of access (`src/access.rs`), as the real router holds it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use support::api::{As, Origin, request};
use support::worker;
use tidegate_origin::catalog::{Visibility, accounts};

/// An administrator, the owner of things, another uploader, a viewer, and nobody: with sessions, as pages have.
struct Cast {
    origin: Origin,
    admin: As,
    owner: As,
    other: As,
    viewer: As,
}

impl Cast {
    async fn gather() -> Self {
        let origin = Origin::start().await;
        let admin = origin.log_in("admin").await;
        let owner = origin.session_of("owner").await;
        let other = origin.session_of("other").await;
        let viewer = origin.session_of("viewer").await;
        let id = accounts::find_by_login(&origin.app.catalog, "viewer").await.unwrap().unwrap().0.id;
        let path = format!("/api/v1/accounts/{id}");
        origin.patch(&admin, &path, json!({ "role": "viewer" })).await.expect(200);
        Self { origin, admin, owner, other, viewer }
    }

    /// What admin, owner, other, viewer and nobody are answered, in this order.
    async fn answers(&self, method: &Method, path: &str, body: Option<&Value>) -> [u16; 5] {
        let mut statuses = [0; 5];
        let cast = [&self.admin, &self.owner, &self.other, &self.viewer, &As::Nobody];
        for (status, who) in statuses.iter_mut().zip(cast) {
            let answer = self.origin.call(who, method.clone(), path, body.cloned()).await;
            *status = answer.status.as_u16();
        }
        statuses
    }
}

fn read(path: &str) -> (Method, String, Option<Value>) {
    (Method::GET, path.to_owned(), None)
}

#[tokio::test]
async fn what_is_nobodys_in_particular_goes_by_the_role() {
    let cast = Cast::gather().await;
    let everyone = [200, 200, 200, 200, 401];
    let admins = [200, 403, 403, 403, 401];
    for (path, expected) in [
        ("/api/v1/account", everyone),
        ("/api/v1/sessions", everyone),
        ("/api/v1/tokens", everyone),
        ("/api/v1/assets", everyone),
        ("/api/v1/uploads", everyone),
        ("/api/v1/jobs", everyone),
        ("/api/v1/viewers", everyone),
        ("/api/v1/assets?all=true", admins),
        ("/api/v1/uploads?all=true", admins),
        ("/api/v1/storage", admins),
        ("/api/v1/server", [200; 5]),
        ("/api/v1/accounts", admins),
        ("/api/v1/audit", admins),
        ("/api/v1/edges", admins),
    ] {
        let (method, path, body) = read(path);
        assert_eq!(cast.answers(&method, &path, body.as_ref()).await, expected, "{path}");
    }
    let purge = json!({ "urls": ["/a"] });
    let made = cast.answers(&Method::POST, "/api/v1/purges", Some(&purge)).await;
    assert_eq!(made, [202, 403, 403, 403, 401]);
    assert_eq!(cast.answers(&Method::GET, "/api/v1/purges/1", None).await, admins);
    let id = accounts::find_by_login(&cast.origin.app.catalog, "other").await.unwrap().unwrap().0.id;
    let path = format!("/api/v1/accounts/{id}");
    assert_eq!(cast.answers(&Method::PATCH, &path, Some(&json!({}))).await, admins);
}

#[tokio::test]
async fn an_asset_is_its_owners_and_its_record_the_administrators_too() {
    let cast = Cast::gather().await;
    let origin = &cast.origin;
    let id = origin.add_asset(1, Some("owner"), Visibility::Private).await;
    let asset = format!("/api/v1/assets/{id}");
    let minutes = json!({ "minutes": 1 });
    let name = json!({ "name": "x" });
    for (method, path, body, expected) in [
        (Method::GET, asset.clone(), None, [200, 200, 404, 404, 401]),
        (Method::GET, format!("{asset}/statistics"), None, [200, 200, 404, 404, 401]),
        (Method::PATCH, asset.clone(), Some(&name), [200, 200, 404, 404, 401]),
        // Invariant 9: no permission to read another's bytes comes from an administrator.
        (Method::POST, format!("{asset}/grants"), Some(&minutes), [403, 201, 404, 404, 401]),
        // Nor does making them public, but for taking them down.
        (Method::PATCH, asset.clone(), Some(&json!({ "visibility": "public" })), [403, 200, 404, 404, 401]),
        (Method::PATCH, asset.clone(), Some(&json!({ "visibility": "private" })), [200, 200, 404, 404, 401]),
        (Method::GET, format!("/watch/{id}"), None, [404, 200, 404, 404, 404]),
    ] {
        assert_eq!(cast.answers(&method, &path, body).await, expected, "{method} {path}");
    }
    let answers =
        [(&cast.admin, 409), (&cast.owner, 409), (&cast.other, 404), (&cast.viewer, 404), (&As::Nobody, 401)];
    for (who, status) in answers {
        let mut captions = request(who, Method::PUT, &format!("{asset}/captions/en"), None);
        *captions.body_mut() = Body::from("WEBVTT\n");
        let answer = origin.send(captions).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "it is no video, which only those learn who may ask: {who:?}"
        );
    }
    for who in [&cast.other, &cast.viewer] {
        origin.delete(who, &asset).await.expect_problem(404, "asset_not_found");
    }
    origin.delete(&cast.admin, &asset).await.expect(204);
    let restore = format!("{asset}/restore");
    for (who, status) in [(&cast.viewer, 404), (&cast.other, 404), (&cast.owner, 200)] {
        assert_eq!(origin.post(who, &restore, json!({})).await.status.as_u16(), status);
    }
    let play = json!({ "asset": id });
    let plays = cast.answers(&Method::POST, "/api/v1/plays", Some(&play)).await;
    assert_eq!(plays, [404, 201, 404, 404, 404], "it is private again");
}

/// Invariant 9.
#[tokio::test]
async fn invariant_9_an_administrator_reads_nobody_elses_private_bytes() {
    let cast = Cast::gather().await;
    let id = worker::upload(&cast.origin, &cast.owner, "text/plain").await;
    let source = format!("/media/{id}/source");
    assert_eq!(cast.answers(&Method::GET, &source, None).await, [403, 200, 403, 403, 403]);
}

#[tokio::test]
async fn a_job_is_tried_again_by_its_owner_or_an_administrator() {
    let cast = Cast::gather().await;
    worker::upload(&cast.origin, &cast.owner, "video/mp4").await;
    let jobs = cast.origin.get(&cast.owner, "/api/v1/jobs").await.expect(200).json();
    let retry = format!("/api/v1/jobs/{}/retry", jobs["jobs"][0]["id"].as_str().unwrap());
    // It has not failed; whoever is told so may ask.
    let answers = cast.answers(&Method::POST, &retry, None).await;
    assert_eq!(answers, [409, 409, 404, 404, 401]);
    let cancel = retry.replace("/retry", "/cancel");
    let answers = cast.answers(&Method::POST, &cancel, None).await;
    assert_eq!(answers, [204, 409, 404, 404, 401], "an administrator gives it up, which then is done");
    let seen = cast.origin.get(&cast.other, "/api/v1/jobs").await.expect(200).json();
    assert_eq!(seen["jobs"], json!([]));
}

#[tokio::test]
async fn a_viewer_uploads_nothing_and_an_administrator_ends_what_others_began() {
    let cast = Cast::gather().await;
    let origin = &cast.origin;
    let tus = |who: &As, method: Method, path: &str| {
        let mut request = request(who, method, path, None);
        request.headers_mut().insert("tus-resumable", "1.0.0".parse().unwrap());
        request
    };
    let create = |who: &As| {
        let mut request = tus(who, Method::POST, "/files");
        request.headers_mut().insert("upload-length", "5".parse().unwrap());
        request
    };
    origin.send(create(&cast.viewer)).await.expect_problem(403, "forbidden");
    let mut plain: Request<Body> = request(&cast.viewer, Method::PUT, "/files/a.txt", None);
    *plain.body_mut() = Body::from("hello");
    origin.send(plain).await.expect_problem(403, "forbidden");
    let made = origin.send(create(&cast.owner)).await.expect(201);
    let path = made.header("location").to_owned();
    for (who, status, code) in [
        (&cast.viewer, 403, "forbidden"),
        (&cast.other, 404, "upload_not_found"),
        (&cast.admin, 404, "upload_not_found"),
    ] {
        let outcome = origin.send(tus(who, Method::HEAD, &path)).await;
        assert_eq!(outcome.status.as_u16(), status, "{code}");
    }
    origin.send(tus(&cast.viewer, Method::DELETE, &path)).await.expect_problem(403, "forbidden");
    origin.send(tus(&cast.other, Method::DELETE, &path)).await.expect_problem(404, "upload_not_found");
    origin.hand.advance(support::api::SECOND);
    origin.send(tus(&cast.admin, Method::DELETE, &path)).await.expect(204);
    origin.send(tus(&cast.owner, Method::HEAD, &path)).await.expect(410);
    let log = origin.get(&cast.admin, "/api/v1/audit?limit=1").await.expect(200).json();
    assert_eq!(log["entries"][0]["action"], "upload.ended");
}

#[tokio::test]
async fn a_role_that_changes_holds_from_the_next_request_on() {
    let cast = Cast::gather().await;
    let origin = &cast.origin;
    let id = origin.add_asset(1, Some("owner"), Visibility::Private).await;
    let owner = accounts::find_by_login(&origin.app.catalog, "owner").await.unwrap().unwrap().0.id;
    let path = format!("/api/v1/accounts/{owner}");
    origin.patch(&cast.admin, &path, json!({ "role": "viewer" })).await.expect(200);
    let asset = format!("/api/v1/assets/{id}");
    origin.get(&cast.owner, &asset).await.expect(200);
    origin.patch(&cast.owner, &asset, json!({ "name": "x" })).await.expect_problem(403, "forbidden");
    origin.delete(&cast.owner, &asset).await.expect_problem(403, "forbidden");
    origin.patch(&cast.admin, &path, json!({ "role": "admin" })).await.expect(200);
    origin.get(&cast.owner, "/api/v1/accounts").await.expect(200);
}

#[tokio::test]
async fn a_viewers_token_reads_its_account_and_nothing_else() {
    let cast = Cast::gather().await;
    let origin = &cast.origin;
    let made = origin.post(&cast.viewer, "/api/v1/tokens", json!({ "name": "x" })).await.expect(201).json();
    let token = As::Token(made["token"].as_str().unwrap().to_owned());
    origin.get(&token, "/api/v1/account").await.expect(200);
    for path in ["/api/v1/sessions", "/api/v1/tokens", "/api/v1/assets", "/api/v1/uploads", "/api/v1/jobs"] {
        origin.get(&token, path).await.expect_problem(403, "forbidden");
    }
    origin.post(&token, "/api/v1/tokens", json!({ "name": "x" })).await.expect_problem(403, "forbidden");
}
