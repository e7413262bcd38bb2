//! From an uploaded file to what plays, job by job, on each engine of the catalogue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;

use http::Method;
use serde_json::json;
use support::Database;
use support::api::{As, Origin, request};
use support::worker::{
    beat, claim, claimed, do_all, do_job, done, part, probed, shown, source_info, store_part, tracks, upload,
    with_subtitles,
};
use tidegate_origin::{housekeeping, limits};
use tidegate_wire::job::{Kind, Report, Work};

on_both_engines! {
    a_video_becomes_playable_with_its_first_segments_and_ready_with_its_package,
    a_long_video_is_cut_and_its_chunks_come_in_any_order,
    only_video_and_sound_get_jobs,
    what_is_ready_forgets_its_jobs_after_a_while_and_takes_captions_all_the_same,
}

async fn origin_on(database: &Database) -> Origin {
    Origin::start_in(Arc::new(tempfile::tempdir().unwrap()), Some(&database.options), |_| {}).await
}

async fn a_video_becomes_playable_with_its_first_segments_and_ready_with_its_package(database: Database) {
    let origin = origin_on(&database).await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let state = async |expected: &str| {
        let seen = shown(&origin, &ada, id).await;
        assert_eq!(seen["state"], expected, "{seen}");
        seen
    };
    let seen = state("processing").await;
    assert_eq!((&seen["duration_s"], &seen["playback"]["hls"]), (&json!(null), &json!(null)));

    let probe = claimed(&origin).await;
    assert_eq!((probe.attempt, probe.revision, probe.dir.as_str()), (1, 1, "1-1"));
    assert_eq!(probe.work, Work::Probe);
    assert_eq!(probe.source.path, id.source_path());
    assert_eq!(probe.source.size_bytes, support::worker::FILM.len() as u64);
    // A worker on the same disk finds the very bytes.
    let store = origin.folder.path().join("blobs");
    let bytes: Vec<u8> =
        probe.source.stored_as.iter().flat_map(|name| std::fs::read(store.join(name)).unwrap()).collect();
    assert_eq!(bytes, support::worker::FILM.as_bytes());
    assert!(claim(&origin).await.is_none(), "nothing else is known yet");
    probed(&origin, &probe, with_subtitles(source_info(10_000))).await;
    let seen = state("processing").await;
    assert_eq!(
        (&seen["duration_s"], &seen["width"], &seen["height"]),
        (&json!(10.0), &json!(1920), &json!(1080))
    );

    // The lowest rung and the sound come first.
    let (lowest, sound) = (claimed(&origin).await, claimed(&origin).await);
    assert_eq!((tracks(&lowest), tracks(&sound)), (vec!["v360".to_owned()], vec!["a0".to_owned()]));
    let growing = part(&lowest, "v360", 1, false);
    store_part(&origin, &lowest, &growing).await;
    beat(&origin, &lowest, 0.3, vec![growing]).await.expect(204);
    state("processing").await;
    let growing = part(&sound, "a0", 1, false);
    store_part(&origin, &sound, &growing).await;
    beat(&origin, &sound, 0.3, vec![growing]).await.expect(204);
    let seen = state("playable").await;
    assert_eq!(seen["playback"]["hls"], format!("/media/{id}/1/master.m3u8"));
    assert_eq!(seen["playback"]["dash"], json!(null));

    let read = async |name: &str| origin.get(&As::Fleet, &format!("/media/{id}/1/{name}")).await;
    let master = read("master.m3u8").await.expect(200);
    assert_eq!(master.header("content-type"), "application/vnd.apple.mpegurl");
    assert_eq!(master.header("cache-control"), "public, max-age=1, stale-while-revalidate=4");
    assert!(master.text.contains("v360.m3u8") && !master.text.contains("v480.m3u8"), "{}", master.text);
    let media = read("v360.m3u8").await.expect(200);
    assert!(media.text.contains("2-1/v360/00000.m4s") && !media.text.contains("ENDLIST"), "{}", media.text);
    let grown = part(&lowest, "v360", 2, false);
    store_part(&origin, &lowest, &grown).await;
    beat(&origin, &lowest, 0.6, vec![grown]).await.expect(204);
    let longer = read("v360.m3u8").await.expect(200);
    assert!(longer.text.contains("00001.m4s"), "{}", longer.text);
    assert_ne!(longer.header("etag"), media.header("etag"));

    let info = with_subtitles(source_info(10_000));
    do_job(&origin, &lowest, &info).await;
    do_job(&origin, &sound, &info).await;
    let seen = state("playable").await;
    assert_eq!(seen["playback"]["dash"], format!("/media/{id}/1/manifest.mpd"), "the lowest rung is whole");
    read("manifest.mpd").await.expect(200);

    let mut kinds = Vec::new();
    while let Some(claim) = claim(&origin).await {
        kinds.push(claim.work.kind());
        if let Work::Package(work) = &claim.work {
            assert_eq!((work.parts.len(), work.chunks, work.encrypted), (5, 1, false));
            assert_eq!(work.texts[0].label, "Deutsch");
            assert!(work.texts[0].path.ends_with("/t0.vtt"), "{:?}", work.texts);
        }
        do_job(&origin, &claim, &info).await;
    }
    assert_eq!(kinds, [Kind::Poster, Kind::Captions, Kind::Rendition, Kind::Package]);
    let seen = state("ready").await;
    for (name, path) in [
        ("hls", "master.m3u8"),
        ("dash", "manifest.mpd"),
        ("poster", "poster.jpg"),
        ("storyboard", "storyboard.vtt"),
    ] {
        assert_eq!(seen["playback"][name], format!("/media/{id}/1/{path}"));
        let answer = read(path).await.expect(200);
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable", "{path}");
    }
    let whole = read("v1080.m3u8").await.expect(200);
    assert!(whole.text.contains("ENDLIST"), "{}", whole.text);
    let metrics = &origin.app.metrics.jobs;
    assert_eq!((metrics.playable.get_sample_count(), metrics.ready.get_sample_count()), (1, 1));
    assert_eq!(metrics.attempts.with_label_values(&["rendition", "done"]).get(), 2);
    assert_eq!(metrics.waited.with_label_values(&["package"]).get_sample_count(), 1);
    let list = origin.get(&ada, "/api/v1/assets").await.expect(200).json();
    assert_eq!(list["assets"][0], seen);

    let grants = format!("/api/v1/assets/{id}/grants");
    let granted = origin.post(&ada, &grants, json!({ "minutes": 5 })).await.expect(201).json();
    for name in ["hls", "dash", "poster", "storyboard"] {
        let path = granted["playback"][name].as_str().unwrap();
        assert!(path.starts_with("/g/"), "{path}");
        origin.get(&As::Nobody, path).await.expect(200);
    }
}

async fn a_long_video_is_cut_and_its_chunks_come_in_any_order(database: Database) {
    let origin = origin_on(&database).await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(70_000);
    probed(&origin, &claimed(&origin).await, info.clone()).await;
    let mut first = Vec::new();
    for _ in 0..4 {
        first.push(claimed(&origin).await);
    }
    let (sound, mut lowest): (Vec<_>, Vec<_>) =
        first.into_iter().partition(|claim| matches!(claim.work, Work::Audio(_)));
    assert_eq!((sound.len(), lowest.len()), (1, 3));
    do_job(&origin, &sound[0], &info).await;
    // The last chunk is made first: nothing plays before the beginning is there.
    let last = lowest.pop().unwrap();
    do_job(&origin, &last, &info).await;
    assert_eq!(shown(&origin, &ada, id).await["state"], "processing");
    do_job(&origin, &lowest[0], &info).await;
    assert_eq!(shown(&origin, &ada, id).await["state"], "playable");
    let media = origin.get(&ada, &format!("/media/{id}/1/v360.m3u8")).await.expect(200).text;
    assert_eq!(media.matches(".m4s").count(), 6, "up to the gap: {media}");
    do_job(&origin, &lowest[1], &info).await;
    assert_eq!(do_all(&origin, &info).await, 5, "a poster, three chunks of the other rungs, the package");
    assert_eq!(shown(&origin, &ada, id).await["state"], "ready");
    let media = origin.get(&ada, &format!("/media/{id}/1/v1080.m3u8")).await.expect(200).text;
    assert_eq!(media.matches(".m4s").count(), 18, "{media}");
}

async fn only_video_and_sound_get_jobs(database: Database) {
    let origin = origin_on(&database).await;
    let ada = origin.token_of("ada").await;
    for content_type in ["image/png", "application/octet-stream", "text/plain"] {
        let id = upload(&origin, &ada, content_type).await;
        assert_eq!(shown(&origin, &ada, id).await["state"], "uploaded", "{content_type}");
    }
    assert!(claim(&origin).await.is_none());
    let sound = upload(&origin, &ada, "audio/mpeg").await;
    let probe = claimed(&origin).await;
    assert_eq!(probe.asset, sound);
    // What has neither picture nor sound is given up with its probe.
    let mut nothing = source_info(1000);
    (nothing.video, nothing.audio) = (None, Vec::new());
    done(&origin, &probe, Report::Probed { info: nothing }).await.expect(204);
    let seen = shown(&origin, &ada, sound).await;
    assert_eq!((&seen["state"], &seen["error"]["code"]), (&json!("failed"), &json!("no_streams")));
}

async fn what_is_ready_forgets_its_jobs_after_a_while_and_takes_captions_all_the_same(database: Database) {
    let origin = origin_on(&database).await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    do_all(&origin, &info).await;
    let given_up = upload(&origin, &ada, "video/mp4").await;
    support::worker::fail(&origin, &claimed(&origin).await, true).await.expect(204);
    let tidy = async || housekeeping::tidy_now(&origin.app).await.unwrap();
    origin.hand.advance(limits::JOBS_KEPT);
    tidy().await;
    assert_eq!(support::worker::jobs(&origin, &ada).await.len(), 7);
    origin.hand.advance(support::api::SECOND);
    tidy().await;
    let left = support::worker::jobs(&origin, &ada).await;
    assert_eq!((left.len(), &left[0]["asset"]), (1, &json!(given_up.to_string())), "it may still be retried");
    assert_eq!(shown(&origin, &ada, id).await["state"], "ready");

    let mut put = request(&ada, Method::PUT, &format!("/api/v1/assets/{id}/captions/en"), None);
    *put.body_mut() = "WEBVTT\n".into();
    origin.send(put).await.expect(204);
    assert_eq!(do_all(&origin, &info).await, 1);
    let master = origin.get(&ada, &format!("/media/{id}/1/master.m3u8")).await.expect(200).text;
    assert!(master.contains("c-en.m3u8"), "{master}");
}
