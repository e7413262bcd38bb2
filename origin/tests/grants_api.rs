//! Playback grants and the keys behind them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::api::{As, NOW_MS, Origin};
use tidegate_origin::catalog::Visibility;
use tidegate_origin::config::DatabaseOptions;
use tidegate_origin::grants::GrantKeys;
use tidegate_origin::limits;
use tidegate_wire::fleet::KeySet;
use tidegate_wire::grant::{GrantError, KeyRing, split_path};

const NOW_S: u64 = NOW_MS / 1000;

async fn edge_ring(origin: &Origin) -> KeyRing {
    let text = origin.get(&As::Fleet, "/internal/keys").await.expect(200).text;
    KeyRing::new(&serde_json::from_str::<KeySet>(&text).unwrap().keys)
}

#[tokio::test]
async fn a_grant_opens_the_asset_on_an_edge_until_it_expires() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    let other = origin.add_asset(2, Some("ada"), Visibility::Private).await;
    let ring = edge_ring(&origin).await;
    for (minutes, expires_at, seconds) in [
        (json!(5), "2026-05-28T20:31:40.000Z", 300),
        (json!(0.05), "2026-05-28T20:26:43.000Z", 3),
        (json!(10080), "2026-06-04T20:26:40.000Z", 604_800),
    ] {
        let grants = format!("/api/v1/assets/{id}/grants");
        let made = origin.post(&ada, &grants, json!({ "minutes": minutes })).await.expect(201).json();
        assert_eq!(made["expires_at"], expires_at);
        let (grant, path) = split_path(made["path"].as_str().unwrap()).unwrap();
        assert_eq!(path, id.source_path());
        assert!(ring.verify(grant, path, NOW_S + seconds - 1).is_ok());
        assert_eq!(ring.verify(grant, path, NOW_S + seconds), Err(GrantError::Expired));
        assert_eq!(ring.verify(grant, &other.source_path(), NOW_S), Err(GrantError::OutsidePrefix));
        assert!(origin.app.grants.verify(grant, path).await.is_ok());
    }
}

#[tokio::test]
async fn a_grant_lasts_more_than_nothing_and_less_than_too_long() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    for body in [
        json!({ "minutes": 0 }),
        json!({ "minutes": -1 }),
        json!({ "minutes": 10081 }),
        json!({ "minutes": 1e300 }),
        json!({ "minutes": "5" }),
        json!({}),
        json!({ "minutes": 5, "x": 1 }),
    ] {
        let answer = origin.post(&ada, &format!("/api/v1/assets/{id}/grants"), body).await;
        answer.expect_problem(422, "invalid_field");
    }
}

#[tokio::test]
async fn grants_of_a_retired_key_run_until_they_expire_and_other_origins_see_the_new_key() {
    let first = Origin::start().await;
    let id = first.add_asset(1, None, Visibility::Private).await;
    let path = id.source_path();
    let url = format!("sqlite://{}?mode=rwc", first.folder.path().join("catalog.db").display());
    let database = DatabaseOptions::new(url);
    let second = Origin::start_in(first.folder.clone(), Some(&database), |_| {}).await;

    let lasts = u32::try_from(NOW_S + limits::GRANT_LONGEST.as_secs()).unwrap();
    let old = first.app.grants.sign(&id.media_prefix(), lasts);
    GrantKeys::rotate(&first.app.catalog, &first.app.clock).await.unwrap();
    first.app.grants.refresh().await.unwrap();
    let new = first.app.grants.sign(&id.media_prefix(), lasts);

    let ring = edge_ring(&second).await;
    assert!(ring.verify(&old, &path, NOW_S).is_ok());
    assert!(ring.verify(&new, &path, NOW_S).is_ok());
    assert!(second.app.grants.verify(&old, &path).await.is_ok());
    assert!(second.app.grants.verify(&new, &path).await.is_ok());
    assert_eq!(ring.verify(&new, "/media/", NOW_S), Err(GrantError::OutsidePrefix));

    // Once the last grant it can have signed is over, the old key is forgotten.
    first.hand.advance(limits::GRANT_LONGEST + Duration::from_secs(3600));
    first.app.grants.refresh().await.unwrap();
    assert_eq!(first.app.grants.verify(&old, &path).await, Err(GrantError::UnknownKey));
    tidegate_origin::housekeeping::tidy_now(&first.app).await.unwrap();
    assert_eq!(first.app.grants.key_set().keys.len(), 1);
}
