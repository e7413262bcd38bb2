//! `/media/{asset}/{revision}/…`: who may read it, what may be kept of it, and what is no path.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use axum::body::{Body, to_bytes};
use http::{Method, Request};
use serde_json::json;
use support::api::{As, Origin, request};
use support::worker::{
    beat, claimed, do_all, do_job, part, probed, source_info, store_part, upload, upload_with,
};
use tidegate_wire::AssetId;
use tidegate_wire::grant::granted_path;
use tidegate_wire::job::Work;
use tower::ServiceExt as _;

const NOW_S: u32 = 1_780_000_000;

/// An origin with a video of ada's that is ready.
async fn ready() -> (Origin, As, AssetId) {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(10_000)).await;
    (origin, ada, id)
}

async fn set_visibility(origin: &Origin, owner: &As, id: AssetId, visibility: &str) {
    let change = json!({ "visibility": visibility });
    origin.patch(owner, &format!("/api/v1/assets/{id}"), change).await.expect(200);
}

#[tokio::test]
async fn invariant_9_what_was_made_of_a_private_video_takes_the_owner_a_grant_or_the_fleet() {
    let (origin, ada, id) = ready().await;
    let (bob, session) = (origin.token_of("bob").await, origin.log_in("ada").await);
    let other = upload(&origin, &ada, "video/mp4").await;
    let grant = |id: AssetId, expires| origin.app.grants.sign(&id.media_prefix(), expires);
    for name in
        ["master.m3u8", "v360.m3u8", "manifest.mpd", "poster.jpg", "2-1/v360/init.mp4", "2-1/v360/00000.m4s"]
    {
        let path = format!("/media/{id}/1/{name}");
        for visibility in ["private", "unlisted", "public"] {
            set_visibility(&origin, &ada, id, visibility).await;
            for (who, may) in [
                (As::Nobody, false),
                (bob.clone(), false),
                (origin.admin(), false),
                (ada.clone(), true),
                (session.clone(), true),
                (As::Fleet, true),
            ] {
                for method in [Method::GET, Method::HEAD] {
                    let answer = origin.call(&who, method.clone(), &path, None).await;
                    let expected = if may || visibility != "private" { 200 } else { 403 };
                    assert_eq!(answer.status, expected, "{who:?} {method} {visibility} {name}: {answer:?}");
                    let told = if matches!(who, As::Fleet) { visibility } else { "" };
                    assert_eq!(answer.header("tidegate-visibility"), told, "{who:?}");
                    assert_eq!(answer.header("cache-groups").is_empty(), told.is_empty(), "{who:?}");
                    assert_eq!(answer.header("access-control-allow-origin"), "*");
                }
            }
        }
        set_visibility(&origin, &ada, id, "private").await;
        for (grant, expected) in [
            (grant(id, NOW_S + 60), (200, "")),
            (grant(id, NOW_S), (403, "grant_expired")),
            (grant(other, NOW_S + 60), (403, "grant_mismatch")),
            ("x".to_owned(), (403, "grant_invalid")),
        ] {
            let answer = origin.get(&As::Nobody, &granted_path(&grant, &path)).await;
            assert_eq!(answer.outcome(), (expected.0, expected.1.to_owned()), "{name}");
        }
    }
}

#[tokio::test]
async fn what_never_changes_is_kept_for_ever_by_edges_and_asked_about_by_everyone_else() {
    let (origin, ada, id) = ready().await;
    set_visibility(&origin, &ada, id, "public").await;
    let granted = origin.app.grants.sign(&id.media_prefix(), NOW_S + 60);
    for name in ["master.m3u8", "2-1/v360/00000.m4s"] {
        let path = format!("/media/{id}/1/{name}");
        for (who, path, expected) in [
            (&As::Fleet, path.clone(), "public, max-age=31536000, immutable"),
            (&As::Nobody, path.clone(), "public, max-age=60"),
            (&As::Nobody, granted_path(&granted, &path), "private, no-cache"),
        ] {
            assert_eq!(origin.get(who, &path).await.expect(200).header("cache-control"), expected);
        }
    }
    let types = [
        ("master.m3u8", "application/vnd.apple.mpegurl"),
        ("manifest.mpd", "application/dash+xml"),
        ("poster.jpg", "image/jpeg"),
        ("storyboard.vtt", "text/vtt; charset=utf-8"),
        ("2-1/v360/init.mp4", "video/mp4"),
        ("2-1/v360/00000.m4s", "video/mp4"),
        ("3-1/a0/00000.m4s", "audio/mp4"),
    ];
    for (name, expected) in types {
        let answer = origin.get(&As::Fleet, &format!("/media/{id}/1/{name}")).await.expect(200);
        assert_eq!(answer.header("content-type"), expected, "{name}");
        assert!(answer.header("content-security-policy").contains("sandbox"), "{name}");
        let kind = match expected {
            "image/jpeg" => "pictures",
            "text/vtt; charset=utf-8" => "texts",
            "video/mp4" | "audio/mp4" => "segments",
            _ => "manifests",
        };
        assert_eq!(answer.header("cache-groups"), format!("\"{id}\", \"{kind}\""), "{name}");
    }
}

#[tokio::test]
async fn the_last_segment_of_a_chunk_names_the_first_of_the_next() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(90_000)).await;
    let folder = format!("/media/{id}/1/");
    let playlist = origin.get(&As::Fleet, &format!("{folder}v360.m3u8")).await.expect(200).text;
    let segments: Vec<&str> = playlist.lines().filter(|line| line.ends_with(".m4s")).collect();
    let joint = segments.windows(2).find(|two| two[1].ends_with("/00000.m4s")).unwrap();
    let last = origin.get(&As::Fleet, &format!("{folder}{}", joint[0])).await.expect(200);
    assert_eq!(last.header("link"), format!("<../../{}>; rel=\"next\"", joint[1]));
    let end = origin.get(&As::Fleet, &format!("{folder}{}", segments.last().unwrap())).await.expect(200);
    assert_eq!(end.header("link"), "", "there is none after it");
}

#[tokio::test]
async fn segments_have_ranges_conditions_and_name_the_next_one() {
    let (origin, _, id) = ready().await;
    let path = format!("/media/{id}/1/2-1/v360/00001.m4s");
    let whole = origin.get(&As::Fleet, &path).await.expect(200);
    assert_eq!(whole.text, "segment 1 of v360");
    assert_eq!(whole.header("link"), "<00002.m4s>; rel=\"next\"");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let etag = whole.header("etag").to_owned();
    assert!(etag.starts_with('"'), "strong: {etag}");
    let with = async |name: &str, value: &str| {
        let mut ask = request(&As::Fleet, Method::GET, &path, None);
        ask.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        origin.send(ask).await
    };
    let part = with("range", "bytes=8-8").await.expect(206);
    assert_eq!((part.text.as_str(), part.header("content-range")), ("1", "bytes 8-8/17"));
    let parts = with("range", "bytes=0-1,8-8").await.expect(206);
    assert!(parts.header("content-type").starts_with("multipart/byteranges"));
    assert!(parts.text.contains("\r\n\r\nse\r\n") && parts.text.contains("\r\n\r\n1\r\n"), "{}", parts.text);
    assert_eq!(with("range", "bytes=17-").await.status, 416);
    assert_eq!(with("if-none-match", &etag).await.status, 304);
    assert_eq!(with("if-match", "\"other\"").await.status, 412);
    let last = origin.get(&As::Fleet, &format!("/media/{id}/1/2-1/v360/00002.m4s")).await.expect(200);
    assert_eq!(last.header("link"), "", "there is none after it");
    assert_ne!(last.header("etag"), etag);
    let post = origin.call(&As::Fleet, Method::POST, &path, None).await;
    assert_eq!(post.expect_problem(405, "method_not_allowed").header("allow"), "GET, HEAD, OPTIONS");
    let ask = Request::options(&path).header("origin", "https://elsewhere.example");
    let ask = ask.header("access-control-request-method", "GET").body(Body::empty()).unwrap();
    let preflight = origin.send(ask).await.expect(204);
    assert!(preflight.header("access-control-allow-headers").contains("Range"));
}

#[tokio::test]
async fn tricks_are_no_paths() {
    let (origin, _, id) = ready().await;
    std::fs::write(origin.folder.path().join("blobs/secret"), "secret").unwrap();
    for rest in [
        "1/..",
        "1/../../../../secret",
        "1/%2e%2e/%2e%2e/secret",
        "1/..%2f..%2fsecret",
        "1/2-1/../2-1/v360/init.mp4",
        "1/2-1//v360/init.mp4",
        "1/2-1/v360/init.mp4/",
        "1/2-1/v360",
        "1/2-1",
        "1/./master.m3u8",
        "1/master.m3u8%00",
        "1/%6daster.m3u8",
        "01/master.m3u8",
        "+1/master.m3u8",
        "2/master.m3u8",
        "0/master.m3u8",
        "4294967297/master.m3u8",
        "1/Master.m3u8",
        "1/.master.m3u8",
        "1/key",
        "1/nothing.m3u8",
        "x/master.m3u8",
        "1/2-1%2fv360%2finit.mp4",
    ] {
        let answer = origin.get(&As::Fleet, &format!("/media/{id}/{rest}")).await;
        assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{rest}");
    }
    for id in ["x", &id.to_string().to_uppercase(), "%2e%2e"] {
        let answer = origin.get(&As::Fleet, &format!("/media/{id}/1/master.m3u8")).await;
        answer.expect_problem(404, "asset_not_found");
    }
}

#[tokio::test]
async fn what_is_growing_is_for_those_alone_who_may_and_is_never_kept_for_long() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let master = format!("/media/{id}/1/master.m3u8");
    origin.get(&ada, &master).await.expect_problem(404, "not_found");
    probed(&origin, &claimed(&origin).await, source_info(10_000)).await;
    let (lowest, sound) = (claimed(&origin).await, claimed(&origin).await);
    do_job(&origin, &sound, &source_info(10_000)).await;
    origin.get(&ada, &master).await.expect_problem(404, "not_found");
    let grown = part(&lowest, "v360", 1, false);
    store_part(&origin, &lowest, &grown).await;
    beat(&origin, &lowest, 0.1, vec![grown]).await.expect(204);
    origin.get(&As::Nobody, &master).await.expect_problem(403, "grant_required");
    assert_eq!(origin.get(&ada, &master).await.expect(200).header("cache-control"), "private, no-cache");
    set_visibility(&origin, &ada, id, "unlisted").await;
    for who in [&As::Nobody, &As::Fleet] {
        let answer = origin.get(who, &master).await.expect(200);
        assert_eq!(answer.header("cache-control"), "public, max-age=1, stale-while-revalidate=4");
        let mut again = request(who, Method::GET, &master, None);
        again.headers_mut().insert("if-none-match", answer.header("etag").parse().unwrap());
        assert_eq!(origin.send(again).await.status, 304);
    }
}

/// The status and the bytes, which need not be text.
async fn raw(origin: &Origin, who: &As, path: &str) -> (u16, Vec<u8>, String) {
    let answer = origin.router.clone().oneshot(request(who, Method::GET, path, None)).await.unwrap();
    let kept = answer.headers()["cache-control"].to_str().unwrap().to_owned();
    let status = answer.status().as_u16();
    (status, to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec(), kept)
}

#[tokio::test]
async fn invariant_9_a_key_is_for_its_owner_and_for_grants_also_where_the_video_is_public() {
    let origin = Origin::start().await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let session = origin.log_in("ada").await;
    let id = upload_with(&origin, &ada, &[("encrypt", "aes-128")]).await;
    let mut key = None;
    while let Some(claim) = support::worker::claim(&origin).await {
        let encryption = match &claim.work {
            Work::Rendition(work) => work.encryption.clone(),
            Work::Audio(work) => work.encryption.clone(),
            Work::Package(work) => {
                assert!(work.encrypted);
                None
            }
            _ => None,
        };
        key = encryption.map(|encryption| encryption.key).or(key);
        do_job(&origin, &claim, &source_info(10_000)).await;
    }
    let key = tidegate_wire::digest::from_hex(&key.unwrap()).unwrap();
    assert_eq!(key.len(), 16);
    let path = format!("/media/{id}/1/key");
    let granted = granted_path(&origin.app.grants.sign(&id.media_prefix(), NOW_S + 60), &path);
    let shown = support::worker::shown(&origin, &ada, id).await;
    assert_eq!((&shown["encrypted"], &shown["playback"]["dash"]), (&json!(true), &json!(null)));
    let media = origin.get(&ada, &format!("/media/{id}/1/v360.m3u8")).await.expect(200).text;
    assert!(media.contains("METHOD=AES-128") && media.contains("URI=\"key\""), "{media}");
    for visibility in ["private", "unlisted", "public"] {
        set_visibility(&origin, &ada, id, visibility).await;
        for (who, path, may) in [
            (&As::Nobody, &path, false),
            (&bob, &path, false),
            (&ada, &path, true),
            (&session, &path, true),
            (&As::Fleet, &path, true),
            (&As::Nobody, &granted, true),
        ] {
            let (status, bytes, kept) = raw(&origin, who, path).await;
            assert_eq!(kept, "no-store", "{who:?} {visibility}");
            assert_eq!((status == 200, bytes == key), (may, may), "{who:?} {visibility}");
        }
        let ask = request(&As::Fleet, Method::GET, &path, None);
        let answer = origin.router.clone().oneshot(ask).await.unwrap();
        assert_eq!(
            answer.headers()["tidegate-visibility"],
            "private",
            "an edge asks for a grant whatever the video is"
        );
    }
    let plain = upload(&origin, &ada, "video/mp4").await;
    origin.get(&ada, &format!("/media/{plain}/1/key")).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn invariant_9_the_file_behind_an_encrypted_video_is_private_whatever_the_video_is() {
    let origin = Origin::start().await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let id = upload_with(&origin, &ada, &[("encrypt", "aes-128")]).await;
    let open = upload_with(&origin, &ada, &[]).await;
    let (path, page) = (id.source_path(), format!("/watch/{id}"));
    let granted = granted_path(&origin.app.grants.sign(&id.media_prefix(), NOW_S + 60), &path);
    // As soon as it is there, and when all of it is made.
    for is_ready in [false, true] {
        for visibility in ["private", "unlisted", "public"] {
            set_visibility(&origin, &ada, id, visibility).await;
            set_visibility(&origin, &ada, open, visibility).await;
            for (who, path, may) in [
                (&As::Nobody, &path, false),
                (&bob, &path, false),
                (&ada, &path, true),
                (&As::Nobody, &granted, true),
            ] {
                let answer = origin.get(who, path).await;
                let expected = if may { (200, "") } else { (403, "grant_required") };
                assert_eq!(answer.outcome(), (expected.0, expected.1.to_owned()), "{who:?} {visibility}");
                assert!(!answer.header("cache-control").contains("public"), "{who:?} {visibility}");
            }
            let told = async |id: AssetId| origin.get(&As::Fleet, &id.source_path()).await.expect(200);
            assert_eq!(told(id).await.header("tidegate-visibility"), "private", "{visibility}");
            assert_eq!(told(open).await.header("tidegate-visibility"), visibility);
            if visibility != "private" {
                for who in [&As::Nobody, &bob] {
                    let seen = origin.get(who, &page).await.expect(200);
                    assert!(
                        !seen.text.contains(&path) && !seen.text.contains("<source src=\"\""),
                        "{}",
                        seen.text
                    );
                    let state = origin.get(who, &format!("{page}/state.json")).await.expect(200).json();
                    assert_eq!((&state["source"], &state["content_type"]), (&json!(""), &json!("")));
                }
            }
            let session = origin.log_in("ada").await;
            let seen = origin.get(&session, &page).await.expect(200).text;
            assert!(seen.contains(&format!("{path}\" download")), "its owner may: {seen}");
        }
        if !is_ready {
            do_all(&origin, &source_info(10_000)).await;
        }
    }
}
