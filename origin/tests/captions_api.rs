//! Captions that an owner puts beside a video, before and after it is ready.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use axum::body::Body;
use http::Method;
use support::api::{Answer, As, Origin, request};
use support::worker::{claimed, do_all, do_job, probed, shown, source_info, upload};
use tidegate_origin::limits;
use tidegate_wire::AssetId;

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
