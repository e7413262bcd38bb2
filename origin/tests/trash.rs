//! The trash: what is deleted is gone for everyone at once, comes back whole, and goes for good in its time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use support::Database;
use support::api::{As, Origin, SECOND, request};
use support::worker::{
    beat, claim, claimed, do_all, do_job, done, part, probed, put, shown, source_info, store_part, upload,
};
use tidegate_origin::catalog::removals;
use tidegate_origin::{housekeeping, limits};
use tidegate_wire::AssetId;
use tidegate_wire::job::Report;

on_both_engines! {
    what_is_in_the_trash_is_nowhere_and_comes_back_whole,
    what_is_not_brought_back_goes_for_good_in_its_time,
    nothing_is_made_of_what_is_in_the_trash,
}

async fn start(database: &Database) -> Origin {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    Origin::start_in(folder, Some(&database.options), |_| {}).await
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

async fn restore(origin: &Origin, who: &As, id: AssetId) -> support::api::Answer {
    origin.call(who, Method::POST, &format!("/api/v1/assets/{id}/restore"), None).await
}

async fn head(origin: &Origin, who: &As, id: AssetId) -> u16 {
    let mut request = request(who, Method::HEAD, &format!("/files/{id}"), None);
    request.headers_mut().insert("tus-resumable", "1.0.0".parse().unwrap());
    origin.send(request).await.status.as_u16()
}

async fn listed(origin: &Origin, who: &As, query: &str) -> Vec<Value> {
    let list = origin.get(who, &format!("/api/v1/assets?{query}")).await.expect(200).json();
    assert_eq!(list["total"], list["assets"].as_array().unwrap().len());
    list["assets"].as_array().unwrap().clone()
}

async fn what_is_in_the_trash_is_nowhere_and_comes_back_whole(database: Database) {
    let origin = start(&database).await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let id = upload(&origin, &ada, "video/mp4").await;
    let path = format!("/api/v1/assets/{id}");
    origin.patch(&ada, &path, json!({ "visibility": "public", "title": "The sea" })).await.expect(200);
    let info = source_info(10_000);
    do_all(&origin, &info).await;
    let before = shown(&origin, &ada, id).await;
    assert_eq!(before["state"], "ready");
    let hls = before["playback"]["hls"].as_str().unwrap().to_owned();
    let grant =
        origin.post(&ada, &format!("{path}/grants"), json!({ "minutes": 5 })).await.expect(201).json();
    let granted = grant["path"].as_str().unwrap().to_owned();
    let stored = files(&origin.folder.path().join("blobs")).len();

    origin.delete(&bob, &path).await.expect_problem(404, "asset_not_found");
    let purged = origin.purges_after(0).await["head"].as_u64().unwrap();
    origin.delete(&ada, &path).await.expect(204);
    let news = origin.purges_after(purged).await;
    assert_eq!(news["records"][0]["assets"], json!([id.to_string()]));
    for who in [&ada, &origin.admin(), &As::Nobody, &As::Fleet] {
        for read in [&id.source_path(), &hls, &granted, &format!("/watch/{id}")] {
            origin.get(who, read).await.expect_problem(404, "asset_not_found");
        }
    }
    for who in [&ada, &origin.admin()] {
        for (method, at, body) in [
            (Method::GET, path.clone(), None),
            (Method::PATCH, path.clone(), Some(json!({ "title": "x" }))),
            (Method::DELETE, path.clone(), None),
            (Method::GET, format!("{path}/statistics"), None),
            (Method::POST, format!("{path}/grants"), Some(json!({ "minutes": 1 }))),
            (Method::POST, "/api/v1/plays".to_owned(), Some(json!({ "asset": id.to_string() }))),
        ] {
            let answer = origin.call(who, method.clone(), &at, body).await;
            assert_eq!(answer.outcome(), (404, "asset_not_found".to_owned()), "{method} {at}");
        }
    }
    assert_eq!(head(&origin, &ada, id).await, 410);
    assert!(listed(&origin, &ada, "").await.is_empty() && listed(&origin, &ada, "q=sea").await.is_empty());
    assert!(support::worker::jobs(&origin, &ada).await.is_empty());
    let trash = listed(&origin, &ada, "trashed=true&q=sea").await;
    assert_eq!((&trash[0]["id"], &trash[0]["title"]), (&json!(id.to_string()), &json!("The sea")));
    assert!(trash[0]["trashed_at"].is_string());
    assert!(listed(&origin, &bob, "trashed=true").await.is_empty());
    let storage = origin.get(&origin.admin(), "/api/v1/storage").await.expect(200).json();
    assert_eq!((&storage["assets"], &storage["assets_bytes"]), (&json!(0), &json!(0)));
    assert_eq!(storage["trash_bytes"], before["size_bytes"]);

    let account = origin.get(&ada, "/api/v1/account").await.expect(200).json();
    assert_eq!(account["used_bytes"], before["size_bytes"], "bytes that are still held count");

    restore(&origin, &bob, id).await.expect_problem(404, "asset_not_found");
    restore(&origin, &As::Nobody, id).await.expect_problem(401, "authentication_required");
    let mut back = restore(&origin, &ada, id).await.expect(200).json();
    assert_eq!(back, before);
    back = restore(&origin, &ada, id).await.expect(200).json();
    assert_eq!(back, before, "twice is no mistake");
    for read in [&id.source_path(), &hls, &granted] {
        origin.get(&As::Nobody, read).await.expect(200);
    }
    assert_eq!(head(&origin, &ada, id).await, 200);
    assert_eq!(files(&origin.folder.path().join("blobs")).len(), stored);
    origin.hand.advance(limits::TRASH_KEPT + SECOND);
    housekeeping::tidy_now(&origin.app).await.unwrap();
    assert_eq!(shown(&origin, &ada, id).await["state"], "ready", "out of the trash it is out of danger");
}

async fn what_is_not_brought_back_goes_for_good_in_its_time(database: Database) {
    let origin = start(&database).await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(10_000)).await;
    origin.delete(&ada, &format!("/api/v1/assets/{id}")).await.expect(204);
    origin.hand.advance(limits::TRASH_KEPT - SECOND);
    housekeeping::tidy_now(&origin.app).await.unwrap();
    assert_eq!(listed(&origin, &ada, "trashed=true").await.len(), 1);
    let purged = origin.purges_after(0).await["head"].clone();
    origin.hand.advance(2 * SECOND);
    housekeeping::tidy_now(&origin.app).await.unwrap();
    assert!(listed(&origin, &ada, "trashed=true").await.is_empty());
    restore(&origin, &ada, id).await.expect_problem(404, "asset_not_found");
    assert_eq!(files(&origin.folder.path().join("blobs")), Vec::<PathBuf>::new());
    assert!(removals::list(&origin.app.catalog, u64::MAX, 10).await.unwrap().is_empty());
    assert_eq!(origin.purges_after(0).await["head"], purged, "edges forgot it when it was deleted");
    assert_eq!(head(&origin, &ada, id).await, 410);
}

async fn nothing_is_made_of_what_is_in_the_trash(database: Database) {
    let origin = start(&database).await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let path = format!("/api/v1/assets/{id}");
    let info = source_info(10_000);
    probed(&origin, &claimed(&origin).await, info.clone()).await;
    let poster = claimed(&origin).await;
    let job = claimed(&origin).await;
    let whole = part(&job, &support::worker::tracks(&job)[0], 3, true);
    store_part(&origin, &job, &whole).await;
    origin.delete(&ada, &path).await.expect(204);
    // Its worker learns it with whatever it says next.
    beat(&origin, &job, 0.5, vec![]).await.expect_problem(409, "job_taken_over");
    put(&origin, &job, "v360/00009.m4s", "late").await.expect_problem(409, "job_taken_over");
    done(&origin, &job, Report::Encoded { parts: vec![whole] }).await.expect_problem(409, "job_taken_over");
    assert!(claim(&origin).await.is_none());
    for answer in [
        origin.call(&ada, Method::POST, &format!("/api/v1/jobs/{}/retry", poster.job), None).await,
        origin.call(&ada, Method::POST, &format!("/api/v1/jobs/{}/cancel", job.job), None).await,
    ] {
        answer.expect_problem(404, "job_not_found");
    }
    origin.hand.advance(Duration::from_secs(u64::from(limits::JOB_LEASE_S) * 3));
    housekeeping::tidy_now(&origin.app).await.unwrap();

    // It goes on where it stood; the attempts of before stay refused.
    restore(&origin, &ada, id).await.expect(200);
    beat(&origin, &job, 0.5, vec![]).await.expect_problem(409, "job_taken_over");
    let again = claimed(&origin).await;
    assert_eq!((again.job, again.attempt), (poster.job, 2));
    do_job(&origin, &again, &info).await;
    do_all(&origin, &info).await;
    let after = shown(&origin, &ada, id).await;
    assert_eq!((&after["state"], &after["progress"]), (&json!("ready"), &json!(null)));
}

#[tokio::test]
async fn captions_that_come_too_late_take_nothing_along() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(10_000)).await;
    let before = files(&origin.folder.path().join("blobs/packages")).len();
    let language = tidegate_origin::jobs::captions::Language::parse("en").unwrap();
    origin.delete(&ada, &format!("/api/v1/assets/{id}")).await.expect(204);
    // Past the handler's own look, as when the deletion comes in between.
    let late =
        tidegate_origin::jobs::captions::put(&origin.app, id, &language, "English", "WEBVTT\n".into()).await;
    assert!(late.is_err());
    assert_eq!(files(&origin.folder.path().join("blobs/packages")).len(), before);
    restore(&origin, &ada, id).await.expect(200);
    let hls = shown(&origin, &ada, id).await["playback"]["hls"].as_str().unwrap().to_owned();
    origin.get(&ada, &hls).await.expect(200);
}

#[tokio::test]
async fn deleting_and_restoring_at_once_ends_in_one_of_the_two() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let path = format!("/api/v1/assets/{id}");
    for _ in 0..10 {
        let (a, b) = tokio::join!(origin.delete(&ada, &path), restore(&origin, &ada, id));
        assert!(matches!(a.status.as_u16(), 204 | 404) && b.status == 200, "{a:?} {b:?}");
        restore(&origin, &ada, id).await.expect(200);
    }
    do_all(&origin, &source_info(10_000)).await;
    assert_eq!(shown(&origin, &ada, id).await["state"], "ready");
}
