//! Attempts and their leases: whoever was thought dead cannot publish over whoever came after.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use support::api::{As, Origin, SECOND};
use support::worker::{
    beat, claim, claimed, do_all, do_job, done, end, fail, part, probed, put, shown, source_info, store_part,
    upload,
};
use tidegate_origin::config::DatabaseOptions;
use tidegate_origin::{housekeeping, limits};
use tidegate_testkit::Postgres;
use tidegate_wire::job::{Claim, Ending, Report};

const JOB_LEASE: Duration = Duration::from_secs(limits::JOB_LEASE_S as u64);

/// An origin with a video that has been probed.
async fn probed_origin() -> (Origin, As, tidegate_wire::AssetId) {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    probed(&origin, &claimed(&origin).await, source_info(10_000)).await;
    (origin, ada, id)
}

fn after_the_lease(origin: &Origin) {
    origin.hand.advance(JOB_LEASE + SECOND);
}

#[tokio::test]
async fn an_attempt_that_was_given_away_is_refused_whatever_it_says() {
    let (origin, ada, id) = probed_origin().await;
    let old = claimed(&origin).await;
    let grown = part(&old, "v360", 2, false);
    store_part(&origin, &old, &grown).await;
    after_the_lease(&origin);
    let new = claimed(&origin).await;
    assert_eq!((new.job, new.attempt, new.dir.as_str()), (old.job, 2, "2-2"));
    let whole = part(&old, "v360", 3, true);
    beat(&origin, &old, 0.9, vec![grown]).await.expect_problem(409, "job_taken_over");
    put(&origin, &old, "v360/00009.m4s", "late").await.expect_problem(409, "job_taken_over");
    let report = || Report::Encoded { parts: vec![whole.clone()] };
    done(&origin, &old, report()).await.expect_problem(409, "job_taken_over");
    fail(&origin, &old, true).await.expect_problem(409, "job_taken_over");
    end(&origin, &old, Ending::Released).await.expect_problem(409, "job_taken_over");
    // Nor can the new one pass the old one's files off as its own.
    done(&origin, &new, report()).await.expect_problem(422, "invalid_field");

    let info = source_info(10_000);
    do_job(&origin, &new, &info).await;
    do_all(&origin, &info).await;
    assert_eq!(shown(&origin, &ada, id).await["state"], "ready");
    let media = origin.get(&ada, &format!("/media/{id}/1/v360.m3u8")).await.expect(200).text;
    assert!(media.contains("2-2/v360/00000.m4s") && !media.contains("2-1/"), "{media}");
    done(&origin, &old, report()).await.expect_problem(409, "job_taken_over");

    // What the old one left goes, but not under the feet of who still plays it.
    let left = format!("/media/{id}/1/2-1/v360/00000.m4s");
    origin.get(&ada, &left).await.expect(200);
    origin.hand.advance(limits::REMOVAL_GRACE + SECOND);
    housekeeping::tidy_now(&origin.app).await.unwrap();
    origin.get(&ada, &left).await.expect_problem(404, "not_found");
    origin.get(&ada, &format!("/media/{id}/1/2-2/v360/00000.m4s")).await.expect(200);
}

#[tokio::test]
async fn a_heartbeat_keeps_the_lease_and_so_does_every_file() {
    let (origin, _, _) = probed_origin().await;
    let held = claimed(&origin).await;
    let most_of_it = JOB_LEASE - SECOND;
    for n in 0..3 {
        origin.hand.advance(most_of_it);
        beat(&origin, &held, 0.1, vec![]).await.expect(204);
        origin.hand.advance(most_of_it);
        put(&origin, &held, &format!("v360/0000{n}.m4s"), "x").await.expect(201);
    }
    let others: Vec<Claim> = vec![claimed(&origin).await, claimed(&origin).await, claimed(&origin).await];
    assert!(others.iter().all(|other| other.job != held.job));
    assert!(claim(&origin).await.is_none());
}

#[tokio::test]
async fn a_player_does_not_see_the_end_come_nearer_when_a_worker_is_lost() {
    let (origin, ada, id) = probed_origin().await;
    let (lowest, sound) = (claimed(&origin).await, claimed(&origin).await);
    do_job(&origin, &sound, &source_info(10_000)).await;
    let grown = part(&lowest, "v360", 2, false);
    store_part(&origin, &lowest, &grown).await;
    beat(&origin, &lowest, 0.5, vec![grown]).await.expect(204);
    after_the_lease(&origin);
    let again = claimed(&origin).await;
    assert_eq!((again.job, again.attempt), (lowest.job, 2));
    let listed = async || {
        let media = origin.get(&ada, &format!("/media/{id}/1/v360.m3u8")).await.expect(200).text;
        let mut lines: Vec<_> =
            media.lines().filter(|line| line.ends_with(".m4s")).map(str::to_owned).collect();
        (lines.len(), lines.pop().unwrap())
    };
    // What was listed keeps its address, and what comes goes on beside it.
    for (segments, expected) in
        [(1, (2, "2-1/v360/00001.m4s")), (2, (2, "2-1/v360/00001.m4s")), (3, (3, "2-1/v360/00002.m4s"))]
    {
        let grown = part(&again, "v360", segments, false);
        store_part(&origin, &again, &grown).await;
        beat(&origin, &again, 0.5, vec![grown]).await.expect(204);
        assert_eq!(listed().await, (expected.0, expected.1.to_owned()), "{segments}");
    }
    let read = async |path: &str| origin.get(&ada, &format!("/media/{id}/1/{path}")).await;
    assert_eq!(read("2-1/v360/00002.m4s").await.expect(200).text, "segment 2 of v360");
    let before = read("v360.m3u8").await.expect(200).text;
    let info = source_info(10_000);
    do_job(&origin, &again, &info).await;
    do_all(&origin, &info).await;
    origin.hand.advance(limits::REMOVAL_GRACE + SECOND);
    housekeeping::tidy_now(&origin.app).await.unwrap();
    let after = read("v360.m3u8").await.expect(200).text;
    let paths = |text: &str| text.lines().filter(|line| line.contains("-1/v360/")).count();
    assert_eq!((paths(&before), paths(&after), after.contains("2-2/")), (4, 4, false), "{after}");
    for name in ["init.mp4", "00000.m4s", "00002.m4s"] {
        read(&format!("2-1/v360/{name}")).await.expect(200);
        read(&format!("2-2/v360/{name}")).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn an_attempt_that_makes_something_else_does_not_go_on_with_what_was_shown() {
    let (origin, ada, id) = probed_origin().await;
    let (lowest, sound) = (claimed(&origin).await, claimed(&origin).await);
    do_job(&origin, &sound, &source_info(10_000)).await;
    let grown = part(&lowest, "v360", 1, false);
    store_part(&origin, &lowest, &grown).await;
    beat(&origin, &lowest, 0.5, vec![grown]).await.expect(204);
    // It had come one further, with bytes of its own, and could not say so any more.
    put(&origin, &lowest, "v360/00001.m4s", "another").await.expect(201);
    after_the_lease(&origin);
    let again = claimed(&origin).await;
    let other_decoder =
        tidegate_wire::track::TrackPart { init_digest: "cd".repeat(32), ..part(&again, "v360", 1, false) };
    store_part(&origin, &again, &other_decoder).await;
    let listed = async || origin.get(&ada, &format!("/media/{id}/1/v360.m3u8")).await.expect(200).text;
    assert!(listed().await.contains("2-1/v360/00000.m4s"));
    let longer = part(&again, "v360", 2, false);
    store_part(&origin, &again, &longer).await;
    beat(&origin, &again, 0.6, vec![longer]).await.expect(204);
    assert!(listed().await.contains("2-2/v360/00001.m4s") && !listed().await.contains("2-1/"));
    after_the_lease(&origin);
    let third = claimed(&origin).await;
    let other =
        tidegate_wire::track::TrackPart { init_digest: "cd".repeat(32), ..part(&third, "v360", 3, true) };
    store_part(&origin, &third, &other).await;
    done(&origin, &third, Report::Encoded { parts: vec![other] }).await.expect(204);
    assert!(listed().await.contains("2-3/v360/00000.m4s") && !listed().await.contains("2-2/"));
    // Who has an older list finds what it speaks of until the video is ready.
    origin.hand.advance(limits::REMOVAL_GRACE * 2);
    housekeeping::tidy_now(&origin.app).await.unwrap();
    for old in ["2-1/v360/00000.m4s", "2-2/v360/00001.m4s"] {
        origin.get(&ada, &format!("/media/{id}/1/{old}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_worker_that_outlived_its_origin_keeps_its_job() {
    let (origin, ada, _) = probed_origin().await;
    let held = claimed(&origin).await;
    origin.shutdown.cancel();
    let away = JOB_LEASE * 3;
    let again = Origin::start_at(origin.folder.clone(), away).await;
    let other = claimed(&again).await;
    assert_ne!(other.job, held.job, "nobody could have heard of it");
    beat(&again, &held, 0.5, vec![]).await.expect(204);
    again.hand.advance(JOB_LEASE + SECOND);
    assert_eq!(claimed(&again).await.job, held.job, "but now somebody would have");
    assert_eq!(support::worker::jobs(&again, &ada).await[1]["attempts"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_outlived_the_catalogue_keeps_its_job() {
    let postgres = Arc::new(Postgres::start());
    let mut options = DatabaseOptions::new(postgres.database());
    options.database_connections = 2;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let origin = Origin::start_in(folder, Some(&options), |_| {}).await;
    let ada = origin.token_of("ada").await;
    upload(&origin, &ada, "video/mp4").await;
    probed(&origin, &claimed(&origin).await, source_info(10_000)).await;
    origin.hand.advance(JOB_LEASE * 2);
    let held = claimed(&origin).await;
    let sweeping = async || tidegate_origin::jobs::sweep::take_back(&origin.app).await;
    postgres.kill();
    let answer = beat(&origin, &held, 0.1, vec![]).await;
    assert_eq!(answer.status, 503, "nobody hears it: {answer:?}");
    origin.hand.advance(JOB_LEASE * 3);
    sweeping().await.unwrap_err();
    postgres.start_again();
    assert_eq!(sweeping().await.unwrap(), 0);
    assert_ne!(claimed(&origin).await.job, held.job);
    beat(&origin, &held, 0.5, vec![]).await.expect(204);
    origin.hand.advance(JOB_LEASE + SECOND);
    assert_eq!(sweeping().await.unwrap(), 2, "but now both would have been heard");
}

#[tokio::test]
async fn an_ending_said_again_changes_nothing_and_another_one_is_refused() {
    let (origin, ada, _) = probed_origin().await;
    let (first, second, third) = (claimed(&origin).await, claimed(&origin).await, claimed(&origin).await);
    do_job(&origin, &first, &source_info(10_000)).await;
    let whole = part(&first, "v360", 3, true);
    done(&origin, &first, Report::Encoded { parts: vec![whole] }).await.expect(204);
    fail(&origin, &first, true).await.expect_problem(409, "job_taken_over");
    for _ in 0..2 {
        fail(&origin, &second, false).await.expect(204);
        end(&origin, &third, Ending::Released).await.expect(204);
    }
    done(&origin, &second, Report::Encoded { parts: vec![] }).await.expect_problem(409, "job_taken_over");
    let attempts: Vec<_> =
        support::worker::jobs(&origin, &ada).await.iter().map(|job| job["attempts"].clone()).collect();
    assert_eq!(attempts, [1, 1, 1, 1, 0, 0], "{attempts:?}");
}

#[tokio::test]
async fn a_report_has_to_be_what_the_job_brings() {
    let (origin, _, _) = probed_origin().await;
    let (lowest, sound) = (claimed(&origin).await, claimed(&origin).await);
    let mut nowhere = part(&lowest, "v360", 1, true);
    nowhere.dir = "../../1/v360".to_owned();
    let mut elsewhere = part(&lowest, "v360", 1, true);
    elsewhere.dir = "9-1/v360".to_owned();
    let unfinished = part(&lowest, "v360", 1, false);
    store_part(&origin, &lowest, &unfinished).await;
    for report in [
        Report::Probed { info: source_info(1) },
        Report::Stored { files: vec!["master.m3u8".to_owned()] },
        Report::Encoded { parts: vec![] },
        Report::Encoded { parts: vec![nowhere] },
        Report::Encoded { parts: vec![elsewhere] },
        Report::Encoded { parts: vec![unfinished] },
        Report::Encoded { parts: vec![part(&sound, "a0", 1, true)] },
        Report::Encoded { parts: vec![part(&lowest, "v360", 3, true)] },
    ] {
        let seen = format!("{report:?}");
        let answer = done(&origin, &lowest, report).await;
        assert_eq!(answer.outcome(), (422, "invalid_field".to_owned()), "{seen}");
    }
    // It is still at it.
    do_job(&origin, &lowest, &source_info(10_000)).await;
}

#[tokio::test]
async fn files_are_stored_once_below_their_attempt_and_nowhere_else() {
    let (origin, _, id) = probed_origin().await;
    let job = claimed(&origin).await;
    put(&origin, &job, "v360/init.mp4", "bytes").await.expect(201);
    put(&origin, &job, "v360/init.mp4", "bytes").await.expect(201);
    put(&origin, &job, "v360/init.mp4", "other").await.expect_problem(409, "file_exists");
    put(&origin, &job, "v360/init.mp4", "longer bytes").await.expect_problem(409, "file_exists");
    let stored = origin.get(&As::Fleet, &format!("/media/{id}/1/2-1/v360/init.mp4")).await.expect(200);
    assert_eq!(stored.text, "bytes");
    for path in [
        "..%2f..%2f..%2fescaped",
        "%2e%2e/escaped",
        ".hidden",
        "a/.hidden",
        "A.mp4",
        "a%00b",
        "a/b/c/d",
        "a//b",
        "a%20b",
        "v360/",
        "%2fetc%2fpasswd",
        "a%5cb",
    ] {
        let answer = put(&origin, &job, path, "x").await;
        assert!(matches!(answer.status.as_u16(), 404 | 422), "{path}: {answer:?}");
    }
    let mut files = Vec::new();
    let mut folders = vec![origin.folder.path().join("blobs/packages")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert_eq!(files.len(), 1, "and nothing half-made: {files:?}");
    let large = http::Request::put(format!("/internal/jobs/{}/files/1/large", job.job))
        .header("tidegate-fleet-key", support::api::FLEET_KEY)
        .header("content-length", limits::PACKAGE_FILE_BYTES + 1)
        .body(axum::body::Body::empty());
    origin.send(large.unwrap()).await.expect_problem(413, "body_too_large");
}

#[tokio::test]
async fn only_the_fleet_works() {
    let (origin, ada, _) = probed_origin().await;
    let job = claimed(&origin).await;
    for who in [As::Nobody, ada, origin.admin()] {
        let ask = json!({ "worker": "w", "wait_s": 0, "scratch_free_bytes": 1 });
        origin.post(&who, "/internal/jobs/claim", ask).await.expect_problem(403, "fleet_key_required");
        for call in ["heartbeat", "finish"] {
            let path = format!("/internal/jobs/{}/{call}", job.job);
            origin.post(&who, &path, json!({})).await.expect_problem(403, "fleet_key_required");
        }
        let path = format!("/internal/jobs/{}/files/1/x", job.job);
        let answer = origin.call(&who, http::Method::PUT, &path, None).await;
        answer.expect_problem(403, "fleet_key_required");
    }
    for ask in [
        json!({ "worker": "", "wait_s": 0, "scratch_free_bytes": 1 }),
        json!({ "worker": "x".repeat(101), "wait_s": 0, "scratch_free_bytes": 1 }),
        json!({ "worker": "w", "wait_s": 61, "scratch_free_bytes": 1 }),
    ] {
        origin.post(&As::Fleet, "/internal/jobs/claim", ask).await.expect_problem(422, "invalid_field");
    }
}
