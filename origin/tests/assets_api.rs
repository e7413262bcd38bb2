//! Assets through the API: who sees them, pages, changes, deletion.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use http::Method;
use serde_json::json;
use support::api::{As, Origin};
use tidegate_origin::catalog::{Visibility, removals};

const ASSETS: &str = "/api/v1/assets";

#[tokio::test]
async fn an_asset_is_shown_as_documented() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Unlisted).await;
    let shown = origin.get(&ada, &format!("{ASSETS}/{id}")).await.expect(200).json();
    assert_eq!(
        shown,
        json!({
            "id": id.to_string(),
            "name": "holiday.mp4",
            "title": null,
            "description": "",
            "tags": [],
            "metadata": {},
            "size_bytes": 12_345_678_901_u64,
            "digest": format!("blake3:{}", "07".repeat(32)),
            "content_type": "video/mp4",
            "visibility": "unlisted",
            "created_at": "2023-11-14T22:13:20.123Z",
            "updated_at": "2023-11-14T22:13:20.123Z",
            "owner": { "id": shown["owner"]["id"], "username": "ada" },
            "progress": null,
            "viewers_now": 0,
            "state": "uploaded",
            "duration_s": null,
            "width": null,
            "height": null,
            "error": null,
            "encrypted": false,
            "playback": { "hls": null, "dash": null, "poster": null, "storyboard": null },
        })
    );
}

/// Invariant 9, for the catalogue's side: visibility opens the bytes, never the record; an administrator has the
/// record in hand, never the bytes.
#[tokio::test]
async fn invariant_9_only_the_owner_and_administrators_see_or_change_the_record() {
    let origin = Origin::start().await;
    let (owner, other) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let owner_session = origin.log_in("ada").await;
    let all = [Visibility::Private, Visibility::Unlisted, Visibility::Public];
    for (n, visibility) in (1..).zip(all) {
        let id = origin.add_asset(n, Some("ada"), visibility).await;
        let path = format!("{ASSETS}/{id}");
        let grants = format!("{path}/grants");
        for (who, expected) in [
            (As::Nobody, Some((401, "authentication_required"))),
            (As::Token("tg_wrong".to_owned()), Some((401, "invalid_token"))),
            (As::Fleet, Some((401, "authentication_required"))),
            (other.clone(), Some((404, "asset_not_found"))),
            (owner.clone(), None),
            (owner_session.clone(), None),
        ] {
            for (method, path, body, success) in [
                (Method::GET, &path, None, 200),
                (Method::PATCH, &path, Some(json!({ "name": "x" })), 200),
                (Method::POST, &grants, Some(json!({ "minutes": 1 })), 201),
            ] {
                let answer = origin.call(&who, method.clone(), path, body).await;
                let expected = expected.unwrap_or((success, ""));
                assert_eq!(
                    answer.outcome(),
                    (expected.0, expected.1.to_owned()),
                    "{who:?} {method} {visibility}"
                );
            }
            if let Some((status, code)) = expected {
                origin.delete(&who, &path).await.expect_problem(status, code);
            }
        }
        assert!(origin.asset(id).await.is_some());
        let admin = origin.admin();
        assert_eq!(origin.get(&admin, &path).await.expect(200).json()["owner"]["username"], "ada");
        origin.patch(&admin, &path, json!({ "title": "by the admin" })).await.expect(200);
        origin.post(&admin, &grants, json!({ "minutes": 1 })).await.expect_problem(403, "forbidden");
        if visibility == Visibility::Private {
            let media = format!("/media/{id}/source");
            origin.get(&admin, &media).await.expect_problem(403, "grant_required");
            let publish = json!({ "visibility": "unlisted" });
            origin.patch(&admin, &path, publish).await.expect_problem(403, "forbidden");
        }
    }
    let anonymous = origin.add_asset(9, None, Visibility::Unlisted).await;
    let anonymous = format!("{ASSETS}/{anonymous}");
    origin.get(&owner, &anonymous).await.expect_problem(404, "asset_not_found");
    assert_eq!(origin.get(&origin.admin(), &anonymous).await.expect(200).json()["owner"], json!(null));
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let mut expected = Vec::new();
    for n in 1..=7 {
        expected.insert(0, origin.add_asset(n, Some("ada"), Visibility::Private).await.to_string());
    }
    let mut seen = Vec::new();
    let mut path = format!("{ASSETS}?limit=3");
    loop {
        let page = origin.get(&ada, &path).await.expect(200).json();
        let assets = page["assets"].as_array().unwrap();
        assert!(assets.len() <= 3);
        seen.extend(assets.iter().map(|asset| asset["id"].as_str().unwrap().to_owned()));
        // What arrives meanwhile is newer than the first page and changes none of the others.
        origin.add_asset(100 + u8::try_from(seen.len()).unwrap(), Some("ada"), Visibility::Private).await;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{ASSETS}?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, expected);
    for query in ["limit=0", "limit=201", "limit=x", "limit=-1", "cursor=x", "cursor=%00", "offset=3"] {
        origin.get(&ada, &format!("{ASSETS}?{query}")).await.expect_problem(422, "invalid_field");
    }
}

#[tokio::test]
async fn a_change_is_kept_and_told_to_the_edges() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Public).await;
    let path = format!("{ASSETS}/{id}");
    let mut purges = 0;
    for (change, name, visibility, purged) in [
        (json!({}), "holiday.mp4", "public", false),
        (json!({ "visibility": "public" }), "holiday.mp4", "public", false),
        (json!({ "visibility": "private" }), "holiday.mp4", "private", true),
        (json!({ "visibility": "unlisted", "name": "ü 🎬" }), "ü 🎬", "unlisted", true),
        (json!({ "name": "b" }), "b", "unlisted", true),
    ] {
        let shown = origin.patch(&ada, &path, change.clone()).await.expect(200).json();
        assert_eq!((shown["name"].as_str(), shown["visibility"].as_str()), (Some(name), Some(visibility)));
        assert_eq!(origin.get(&ada, &path).await.json(), shown);
        purges += u64::from(purged);
        assert_eq!(origin.purges_after(0).await["head"], purges, "{change}");
    }
    let last = &origin.purges_after(purges - 1).await["records"][0];
    assert_eq!(last, &json!({ "seq": purges, "assets": [id.to_string()] }));
}

#[tokio::test]
async fn a_change_that_is_not_allowed_changes_nothing() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Public).await;
    let before = origin.asset(id).await;
    for change in [
        json!({ "visibility": "secret" }),
        json!({ "name": "" }),
        json!({ "name": "a\0b" }),
        json!({ "name": "x".repeat(256) }),
        json!({ "content_type": "text/html" }),
        json!({ "name": "ok", "digest": "blake3:00" }),
        json!({ "name": "ok", "visibility": 1 }),
    ] {
        let answer = origin.patch(&ada, &format!("{ASSETS}/{id}"), change).await;
        answer.expect_problem(422, "invalid_field");
    }
    assert_eq!(origin.asset(id).await, before);
    assert_eq!(origin.purges_after(0).await["head"], 0);
}

#[tokio::test]
async fn a_deletion_purges_everywhere_and_leaves_no_bytes() {
    let origin = Origin::start_with(|config| config.trash = Duration::ZERO).await;
    let ada = origin.token_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Public).await;
    let path = format!("{ASSETS}/{id}");
    origin.delete(&ada, &path).await.expect(204);
    origin.delete(&ada, &path).await.expect_problem(404, "asset_not_found");
    origin.get(&ada, &path).await.expect_problem(404, "asset_not_found");
    let feed = origin.purges_after(0).await;
    assert_eq!(feed["records"], json!([{ "seq": 1, "assets": [id.to_string()] }]));
    assert!(removals::list(&origin.app.catalog, u64::MAX, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_removal_that_was_interrupted_is_finished_later() {
    let origin = Origin::start().await;
    let id = origin.add_asset(1, None, Visibility::Public).await;
    // As after a kill between the commit and the removal.
    let mut tx = origin.app.catalog.begin().await.unwrap();
    removals::insert(&mut tx, id, 3, support::api::NOW_MS).await.unwrap();
    tx.commit().await.unwrap();
    tidegate_origin::housekeeping::tidy_now(&origin.app).await.unwrap();
    assert_eq!(removals::list(&origin.app.catalog, u64::MAX, 10).await.unwrap().len(), 1, "too fresh");
    origin.hand.advance(tidegate_origin::limits::REMOVAL_GRACE + support::api::SECOND);
    tidegate_origin::housekeeping::tidy_now(&origin.app).await.unwrap();
    assert!(removals::list(&origin.app.catalog, u64::MAX, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_an_id_is_no_asset() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    for id in ["x", "..", "%2e%2e", "%00", "%ff", "..%2f..%2fetc", "00000000-0000-0000-0000-000000000000"] {
        for path in [format!("{ASSETS}/{id}"), format!("/watch/{id}")] {
            let (status, code) = origin.get(&ada, &path).await.outcome();
            assert_eq!(status, 404, "{path} {code}");
        }
    }
}
