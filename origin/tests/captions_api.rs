//! Captions that an owner puts beside a video, before and after it is ready.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;

use axum::body::Body;
use http::Method;
use support::Database;
use support::api::{Answer, As, Origin, SECOND, request};
use support::worker::{claim, claimed, do_all, do_job, fail, probed, shown, source_info, upload};
use tidegate_origin::catalog::queue::{self, Asker};
use tidegate_origin::{housekeeping, limits};
use tidegate_wire::AssetId;
use tidegate_wire::job::Work;

on_both_engines! {
    captions_that_come_while_a_package_is_claimed_are_not_lost,
}

const VTT: &str = "WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n";

async fn send(origin: &Origin, who: &As, id: AssetId, language: &str, body: impl Into<Body>) -> Answer {
    let mut put = request(who, Method::PUT, &format!("/api/v1/assets/{id}/captions/{language}"), None);
    *put.body_mut() = body.into();
    origin.send(put).await
}

#[tokio::test]
async fn captions_that_come_early_are_in_the_package() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    send(&origin, &ada, id, "pt-BR?label=Portugu%C3%AAs", VTT).await.expect(204);
    let vtt = origin.get(&ada, &format!("/media/{id}/1/c-pt-br.vtt")).await.expect(200);
    assert_eq!(vtt.text, VTT);
    assert_eq!(do_all(&origin, &source_info(10_000)).await, 6, "no job more than without");
    let master = origin.get(&ada, &format!("/media/{id}/1/master.m3u8")).await.expect(200).text;
    assert!(master.contains("c-pt-br.m3u8") && master.contains("Português"), "{master}");
    origin.get(&ada, &format!("/media/{id}/1/c-pt-br.m3u8")).await.expect(200);
}

#[tokio::test]
async fn captions_that_come_late_have_the_manifests_written_anew_and_edges_told() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    do_all(&origin, &info).await;
    let path = format!("/media/{id}/1/master.m3u8");
    let before = origin.get(&As::Fleet, &path).await.expect(200);
    send(&origin, &ada, id, "en", VTT).await.expect(204);
    let package = claimed(&origin).await;
    // More come while the package is made: it is made once more, and not at the same time.
    send(&origin, &ada, id, "en", "WEBVTT\n").await.expect(204);
    send(&origin, &ada, id, "de", VTT).await.expect(204);
    assert!(support::worker::claim(&origin).await.is_none());
    assert_eq!(shown(&origin, &ada, id).await["state"], "ready");
    do_job(&origin, &package, &info).await;
    assert_eq!(do_all(&origin, &info).await, 1);
    let after = origin.get(&As::Fleet, &path).await.expect(200);
    assert!(after.text.contains("c-en.m3u8") && after.text.contains("c-de.m3u8"), "{}", after.text);
    assert_ne!(before.header("etag"), after.header("etag"));
    assert_eq!(origin.get(&ada, &format!("/media/{id}/1/c-en.vtt")).await.expect(200).text, "WEBVTT\n");
    let told = origin.purges_after(0).await.to_string();
    assert!(told.contains(&path) && told.contains("c-en.vtt"), "{told}");

    let captions = format!("/api/v1/assets/{id}/captions/de");
    origin.delete(&ada, &captions).await.expect(204);
    origin.delete(&ada, &captions).await.expect_problem(404, "not_found");
    assert_eq!(do_all(&origin, &info).await, 1);
    let master = origin.get(&ada, &path).await.expect(200).text;
    assert!(!master.contains("c-de"), "{master}");
    origin.get(&ada, &format!("/media/{id}/1/c-de.vtt")).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn captions_are_web_vtt_of_ones_own_video_in_a_language() {
    let origin = Origin::start().await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let id = upload(&origin, &ada, "video/mp4").await;
    probed(&origin, &claimed(&origin).await, source_info(10_000)).await;
    let picture = upload(&origin, &ada, "image/png").await;
    send(&origin, &bob, id, "en", VTT).await.expect_problem(404, "asset_not_found");
    send(&origin, &As::Nobody, id, "en", VTT).await.expect_problem(401, "authentication_required");
    send(&origin, &ada, picture, "en", VTT).await.expect_problem(409, "not_a_video");
    for body in ["", "1\n00:00:00,000 --> 00:00:01,000\nHello", "<script>", "WEBVTTX"] {
        send(&origin, &ada, id, "en", body).await.expect_problem(422, "captions_invalid");
    }
    send(&origin, &ada, id, "en", vec![b'W'; limits::CAPTIONS_BYTES + 1])
        .await
        .expect_problem(413, "body_too_large");
    for language in ["e", "en_US", "..", "en-", "%2e%2e%2fx", "x".repeat(40).as_str()] {
        let answer = send(&origin, &ada, id, language, VTT).await;
        assert!(matches!(answer.status.as_u16(), 404 | 422), "{language}: {answer:?}");
    }
    send(&origin, &ada, id, "en?label=%0a", VTT).await.expect_problem(422, "invalid_field");
}

/// The package is claimed in a change that has not committed yet: it may or may not have seen the captions.
async fn captions_that_come_while_a_package_is_claimed_are_not_lost(database: Database) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let origin = Arc::new(Origin::start_in(folder, Some(&database.options), |_| {}).await);
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    for _ in 0..5 {
        do_job(&origin, &claimed(&origin).await, &info).await;
    }
    let now_ms = origin.app.clock.unix_ms();
    let mut claim = origin.app.catalog.begin().await.unwrap();
    let asker = Asker { worker: "w", scratch_free_bytes: 1 << 50, holds: &[] };
    let package = queue::claim(&mut claim, &asker, now_ms, now_ms + 30_000).await.unwrap().unwrap();
    assert!(matches!(package.work, Work::Package(_)));
    let sending = tokio::spawn({
        let (origin, ada) = (origin.clone(), ada.clone());
        async move { send(&origin, &ada, id, "en", VTT).await }
    });
    // As long as it takes to come to where the package is looked at; too short a time proves less, and fails nothing.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    claim.commit().await.unwrap();
    sending.await.unwrap().expect(204);
    // Whatever that one knew of them, another one comes after it.
    let released = serde_json::json!({ "attempt": package.attempt, "ending": { "ending": "released" } });
    origin.post(&As::Fleet, &format!("/internal/jobs/{}/finish", package.id), released).await.expect(204);
    assert_eq!(do_all(&origin, &info).await, 2, "the package is made once more");
    let master = origin.get(&ada, &format!("/media/{id}/1/master.m3u8")).await.expect(200).text;
    assert!(master.contains("c-en.m3u8"), "{master}");
}

#[tokio::test]
async fn old_captions_and_packages_stay_until_nothing_speaks_of_them() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    send(&origin, &ada, id, "en", VTT).await.expect(204);
    do_all(&origin, &info).await;
    let read = async |path: &str| origin.get(&ada, &format!("/media/{id}/1/{path}")).await;
    let listed = async || {
        let list = read("c-en.m3u8").await.expect(200).text;
        list.lines().find(|line| line.ends_with(".vtt")).unwrap().to_owned()
    };
    let later = async || {
        origin.hand.advance(limits::REMOVAL_GRACE + SECOND);
        housekeeping::tidy_now(&origin.app).await.unwrap();
    };
    let old = listed().await;
    send(&origin, &ada, id, "en", "WEBVTT\n\nnew").await.expect(204);
    send(&origin, &ada, id, "de", VTT).await.expect(204);
    later().await;
    assert_eq!(listed().await, old, "the package is not made yet");
    assert_eq!(read(&old).await.expect(200).text, VTT);
    assert_eq!(do_all(&origin, &info).await, 1);
    assert_ne!(listed().await, old);
    read(&old).await.expect(200);
    read("6-1/master.m3u8").await.expect(200);
    later().await;
    read(&old).await.expect_problem(404, "not_found");
    read("6-1/master.m3u8").await.expect_problem(404, "not_found");
    read("7-1/master.m3u8").await.expect(200);
    assert_eq!(read(&listed().await).await.expect(200).text, "WEBVTT\n\nnew");

    let captions = format!("/api/v1/assets/{id}/captions/de");
    let german = read("c-de.m3u8").await.expect(200).text;
    let german = german.lines().find(|line| line.ends_with(".vtt")).unwrap();
    origin.delete(&ada, &captions).await.expect(204);
    later().await;
    // Players that have its list ask for it.
    read(german).await.expect(200);
    do_all(&origin, &info).await;
    later().await;
    read(german).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn a_package_that_is_given_up_does_not_hold_up_the_next() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    do_all(&origin, &info).await;
    send(&origin, &ada, id, "en", VTT).await.expect(204);
    let package = claimed(&origin).await;
    send(&origin, &ada, id, "de", VTT).await.expect(204);
    assert!(claim(&origin).await.is_none(), "one after the other");
    fail(&origin, &package, true).await.expect(204);
    assert_eq!(do_all(&origin, &info).await, 1);
    let master = origin.get(&ada, &format!("/media/{id}/1/master.m3u8")).await.expect(200).text;
    assert!(master.contains("c-en.m3u8") && master.contains("c-de.m3u8"), "{master}");
    assert_eq!(shown(&origin, &ada, id).await["state"], "ready");
    // Nor can it come back and publish what is of yesterday.
    let retry = format!("/api/v1/jobs/{}/retry", package.job);
    origin.post(&ada, &retry, serde_json::json!({})).await.expect_problem(409, "job_not_failed");
}

#[tokio::test]
async fn a_video_has_room_for_so_many_captions() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    for n in 0..limits::CAPTIONS_PER_VIDEO {
        send(&origin, &ada, id, &format!("en-{n}"), VTT).await.expect(204);
    }
    send(&origin, &ada, id, "de", VTT).await.expect_problem(409, "too_many_captions");
    send(&origin, &ada, id, "EN-7", VTT).await.expect(204);
    origin.delete(&ada, &format!("/api/v1/assets/{id}/captions/en-8")).await.expect(204);
    send(&origin, &ada, id, "de", VTT).await.expect(204);
}
