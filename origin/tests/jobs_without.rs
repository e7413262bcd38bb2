//! What a video can do without does not take it along when it cannot be made, and may be tried once more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::Database;
use support::api::{As, Origin};
use support::worker::{
    beat, claim, claimed, do_all, do_job, fail, jobs, part, probed, shown, source_info, store_part, upload,
    with_subtitles,
};
use tidegate_origin::limits;
use tidegate_wire::AssetId;
use tidegate_wire::job::{Kind, Work};

on_both_engines! {
    a_video_becomes_ready_without_its_poster_its_captions_and_its_sound,
    sound_that_is_given_up_does_not_hold_up_what_plays,
    what_was_left_out_can_be_tried_once_more_before_and_after_the_package,
}

async fn origin_on(database: &Database) -> Origin {
    Origin::start_in(Arc::new(tempfile::tempdir().unwrap()), Some(&database.options), |_| {}).await
}

/// An origin with a video of ada's that has been probed.
async fn probed_on(database: &Database) -> (Origin, As, AssetId) {
    let origin = origin_on(database).await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    probed(&origin, &claimed(&origin).await, with_subtitles(source_info(10_000))).await;
    (origin, ada, id)
}

fn is_beside(kind: Kind) -> bool {
    matches!(kind, Kind::Poster | Kind::Captions | Kind::Audio)
}

/// Does everything there is to do but for what stands beside the pictures, which fails for good.
async fn do_without(origin: &Origin) {
    while let Some(claim) = claim(origin).await {
        match is_beside(claim.work.kind()) {
            true => drop(fail(origin, &claim, true).await.expect(204)),
            false => do_job(origin, &claim, &source_info(10_000)).await,
        }
    }
}

async fn retry(origin: &Origin, who: &As, kind: &str) {
    let job = jobs(origin, who).await.into_iter().find(|job| job["kind"] == kind).unwrap();
    let path = format!("/api/v1/jobs/{}/retry", job["id"].as_str().unwrap());
    origin.post(who, &path, json!({})).await.expect(204);
    origin.post(who, &path, json!({})).await.expect_problem(409, "job_not_failed");
}

async fn master(origin: &Origin, who: &As, id: AssetId) -> String {
    origin.get(who, &format!("/media/{id}/1/master.m3u8")).await.expect(200).text
}

async fn a_video_becomes_ready_without_its_poster_its_captions_and_its_sound(database: Database) {
    let (origin, ada, id) = probed_on(&database).await;
    do_without(&origin).await;
    let seen = shown(&origin, &ada, id).await;
    assert_eq!((&seen["state"], &seen["error"]), (&json!("ready"), &Value::Null));
    assert_eq!((&seen["playback"]["poster"], &seen["playback"]["storyboard"]), (&Value::Null, &Value::Null));
    let text = master(&origin, &ada, id).await;
    assert!(text.contains("v1080.m3u8") && !text.contains("a0.m3u8") && !text.contains("t0.m3u8"), "{text}");
    // That something is missing, and why, is there to be seen.
    for job in jobs(&origin, &origin.admin()).await {
        let beside = ["poster", "captions", "audio"].contains(&job["kind"].as_str().unwrap());
        let expected = if beside { ("failed", json!("made_up")) } else { ("done", Value::Null) };
        assert_eq!(
            (job["state"].as_str().unwrap(), &job["error"]["code"]),
            (expected.0, &expected.1),
            "{job}"
        );
        assert_eq!(job["log"], if beside { json!("the last line") } else { Value::Null });
    }
}

async fn sound_that_is_given_up_does_not_hold_up_what_plays(database: Database) {
    let (origin, ada, id) = probed_on(&database).await;
    let lowest = claimed(&origin).await;
    let grown = part(&lowest, "v360", 1, false);
    store_part(&origin, &lowest, &grown).await;
    beat(&origin, &lowest, 0.3, vec![grown]).await.expect(204);
    // It is lost in passing until its tries are used up; some of it has been shown by then.
    for attempt in 1..=limits::JOB_ATTEMPTS {
        let sound = claimed(&origin).await;
        assert!(matches!(sound.work, Work::Audio(_)) && sound.attempt == attempt, "{sound:?}");
        assert_eq!(shown(&origin, &ada, id).await["state"], "processing");
        fail(&origin, &sound, false).await.expect(204);
        for _ in 0..20 {
            origin.hand.advance(support::api::SECOND * 10);
            beat(&origin, &lowest, 0.3, vec![]).await.expect(204);
        }
    }
    assert_eq!(shown(&origin, &ada, id).await["state"], "playable");
    let text = master(&origin, &ada, id).await;
    assert!(text.contains("v360.m3u8") && !text.contains("a0"), "{text}");
    do_job(&origin, &lowest, &source_info(10_000)).await;
    do_all(&origin, &with_subtitles(source_info(10_000))).await;
    assert_eq!(shown(&origin, &ada, id).await["state"], "ready");
    assert_eq!(origin.app.metrics.jobs.playable.get_sample_count(), 1);

    // Of sound alone it is all there is.
    let alone = upload(&origin, &ada, "audio/mpeg").await;
    let mut info = source_info(10_000);
    info.video = None;
    probed(&origin, &claimed(&origin).await, info).await;
    fail(&origin, &claimed(&origin).await, true).await.expect(204);
    assert_eq!(shown(&origin, &ada, alone).await["state"], "failed");
}

async fn what_was_left_out_can_be_tried_once_more_before_and_after_the_package(database: Database) {
    let (origin, ada, id) = probed_on(&database).await;
    let info = with_subtitles(source_info(10_000));
    let (lowest, sound) = (claimed(&origin).await, claimed(&origin).await);
    fail(&origin, &sound, true).await.expect(204);
    do_job(&origin, &lowest, &info).await;
    retry(&origin, &ada, "audio").await;
    // The package waits for it again.
    let again = claimed(&origin).await;
    assert_eq!((again.job, again.attempt), (sound.job, 2));
    while let Some(claim) = claim(&origin).await {
        assert!(!matches!(claim.work, Work::Package(_)), "the sound is still being made");
        match is_beside(claim.work.kind()) {
            true => drop(fail(&origin, &claim, true).await.expect(204)),
            false => do_job(&origin, &claim, &info).await,
        }
    }
    fail(&origin, &again, true).await.expect(204);
    do_all(&origin, &info).await;
    assert!(!master(&origin, &ada, id).await.contains("a0.m3u8"));

    // The package is made anew where it speaks of what is there now.
    for (kind, also, jobs) in
        [("poster", None, 1), ("captions", Some("t0.m3u8"), 2), ("audio", Some("a0.m3u8"), 2)]
    {
        retry(&origin, &ada, kind).await;
        assert_eq!(do_all(&origin, &info).await, jobs, "{kind}");
        let seen = shown(&origin, &ada, id).await;
        assert_eq!(seen["state"], "ready");
        assert_ne!(seen["playback"]["poster"], Value::Null);
        let text = master(&origin, &ada, id).await;
        assert!(also.is_none_or(|name| text.contains(name)), "{text}");
    }
    let told = origin.purges_after(0).await.to_string();
    assert!(told.contains("poster.jpg"), "{told}");
}
