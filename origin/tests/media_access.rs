//! Who may read the bytes (invariant 9): every kind of caller, every visibility, with and without a grant.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use axum::body::Body;
use http::{Method, Request};
use serde_json::json;
use support::api::{As, Origin, request};
use tidegate_origin::catalog::Visibility;
use tidegate_wire::AssetId;
use tidegate_wire::grant::{GrantSigner, granted_path};

const BYTES: &str = "bytes of a video that is not one";
/// [`NOW_MS`] in seconds, as grants have it.
const NOW_S: u32 = 1_780_000_000;

/// Uploads for real, and sets the visibility through the API.
async fn upload(origin: &Origin, owner: &As, visibility: Visibility) -> AssetId {
    let mut upload = request(owner, Method::POST, "/files", None);
    *upload.body_mut() = Body::from(BYTES);
    upload.headers_mut().insert("content-type", "video/mp4".parse().unwrap());
    upload.headers_mut().insert("content-length", BYTES.len().into());
    let answer = origin.send(upload).await.expect(201);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let change = json!({ "visibility": visibility.as_str() });
    origin.patch(owner, &format!("/api/v1/assets/{id}"), change).await.expect(200);
    id.parse().unwrap()
}

#[tokio::test]
async fn invariant_9_private_bytes_take_the_owner_a_grant_or_the_fleet() {
    let origin = Origin::start().await;
    let (owner, other) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let owner_session = origin.log_in("ada").await;
    let all = [Visibility::Private, Visibility::Unlisted, Visibility::Public];
    for visibility in all {
        let id = upload(&origin, &owner, visibility).await;
        for (who, may) in [
            (As::Nobody, false),
            (As::Cookie("tidegate_session=made-up".to_owned()), false),
            (other.clone(), false),
            (origin.admin(), false),
            (owner.clone(), true),
            (owner_session.clone(), true),
            (As::Fleet, true),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let answer = origin.call(&who, method.clone(), &id.source_path(), None).await;
                let seen = format!("{who:?} {method} {visibility}: {answer:?}");
                if may || visibility != Visibility::Private {
                    assert_eq!(answer.status, 200, "{seen}");
                    assert_eq!(answer.text, if method == Method::GET { BYTES } else { "" }, "{seen}");
                } else {
                    assert_eq!(answer.status, 403, "{seen}");
                    assert!(!answer.text.contains(BYTES), "{seen}");
                }
                let told = answer.header("tidegate-visibility");
                let expected = if matches!(who, As::Fleet) { visibility.as_str() } else { "" };
                assert_eq!(told, expected, "{who:?}");
            }
        }
    }
}

#[tokio::test]
async fn invariant_9_a_grant_opens_what_it_names_and_only_if_it_is_ours() {
    let origin = Origin::start().await;
    let owner = origin.token_of("ada").await;
    let id = upload(&origin, &owner, Visibility::Private).await;
    let other = upload(&origin, &owner, Visibility::Private).await;
    let source = id.source_path();
    let good = origin.app.grants.sign(&id.media_prefix(), NOW_S + 60);
    let expired = origin.app.grants.sign(&id.media_prefix(), NOW_S);
    let for_other = origin.app.grants.sign(&other.media_prefix(), NOW_S + 60);
    let pkcs8 = GrantSigner::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let foreign = GrantSigner::from_pkcs8(&pkcs8).unwrap().sign(&id.media_prefix(), NOW_S + 60);
    let mut tampered = good.clone().into_bytes();
    tampered[20] = if tampered[20] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    for (grant, status, code) in [
        (good.as_str(), 200, ""),
        (&expired, 403, "grant_expired"),
        (&for_other, 403, "grant_mismatch"),
        (&foreign, 403, "grant_invalid"),
        (&tampered, 403, "grant_invalid"),
        ("x", 403, "grant_invalid"),
        (&"A".repeat(1000), 403, "grant_invalid"),
    ] {
        let answer = origin.get(&As::Nobody, &granted_path(grant, &source)).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{grant}");
    }
}

#[tokio::test]
async fn deleted_bytes_are_gone_for_everyone_and_from_the_disk() {
    let origin = Origin::start_with(|config| config.trash = std::time::Duration::ZERO).await;
    let owner = origin.token_of("ada").await;
    let id = upload(&origin, &owner, Visibility::Public).await;
    let grant = origin.app.grants.sign(&id.media_prefix(), NOW_S + 60);
    origin.delete(&owner, &format!("/api/v1/assets/{id}")).await.expect(204);
    for who in [&As::Nobody, &owner, &As::Fleet] {
        origin.get(who, &id.source_path()).await.expect_problem(404, "asset_not_found");
    }
    let granted = granted_path(&grant, &id.source_path());
    origin.get(&As::Nobody, &granted).await.expect_problem(404, "asset_not_found");
    let blobs = std::fs::read_dir(origin.folder.path().join("blobs")).unwrap();
    let left: Vec<_> =
        blobs.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().flatten()).collect();
    assert!(left.is_empty(), "{left:?}");
    let upload = Request::head(format!("/files/{id}")).header("tus-resumable", "1.0.0");
    let As::Token(token) = &owner else { unreachable!() };
    let upload = upload.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
    assert_eq!(origin.send(upload).await.status, 410);
}
