//! Failures: which are tried again and when, which are not, and how an owner takes them up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use std::sync::Arc;

use serde_json::{Value, json};
use support::Database;
use support::api::{As, Origin, SECOND};
use support::worker::{beat, claim, claimed, do_all, end, fail, jobs, probed, shown, source_info, upload};
use tidegate_origin::limits;
use tidegate_wire::job::{Ending, Work};

const JOB_LEASE: Duration = Duration::from_secs(limits::JOB_LEASE_S as u64);

on_both_engines! {
    a_pause_is_kept_in_the_catalogue_and_grows,
    what_fails_for_good_takes_its_revision_along_until_it_is_taken_up_again,
}

/// The one job of this kind.
async fn of_kind(origin: &Origin, who: &As, kind: &str) -> Value {
    jobs(origin, who).await.into_iter().find(|job| job["kind"] == kind).unwrap()
}

async fn a_pause_is_kept_in_the_catalogue_and_grows(database: Database) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let start = async || Origin::start_in(folder.clone(), Some(&database.options), |_| {}).await;
    let mut origin = start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let mut advanced = std::time::Duration::ZERO;
    for attempt in 1..=limits::JOB_ATTEMPTS {
        let claim = claimed(&origin).await;
        assert_eq!(claim.attempt, attempt);
        fail(&origin, &claim, false).await.expect(204);
        // A restart forgets nothing.
        origin.shutdown.cancel();
        origin = start().await;
        origin.hand.advance(advanced);
        let job = of_kind(&origin, &ada, "probe").await;
        assert_eq!((&job["attempts"], &job["error"]["code"]), (&json!(attempt), &json!("made_up")));
        let last = attempt == limits::JOB_ATTEMPTS;
        assert_eq!(job["state"], if last { "failed" } else { "ready" });
        if job["next_try_at"].is_string() {
            assert!(support::worker::claim(&origin).await.is_none(), "it rests");
        }
        let most = limits::JOB_FIRST_PAUSE * 2u32.pow(attempt - 1);
        origin.hand.advance(most);
        advanced += most;
    }
    assert!(claim(&origin).await.is_none());
    let seen = shown(&origin, &ada, id).await;
    assert_eq!(
        (&seen["state"], &seen["error"]["message"]),
        (&json!("failed"), &json!("A failure of a test."))
    );
}

async fn what_fails_for_good_takes_its_revision_along_until_it_is_taken_up_again(database: Database) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let origin = Origin::start_in(folder, Some(&database.options), |_| {}).await;
    let (ada, bob, admin) = (origin.token_of("ada").await, origin.token_of("bob").await, origin.admin());
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    probed(&origin, &claimed(&origin).await, info.clone()).await;
    let (lowest, sound) = (claimed(&origin).await, claimed(&origin).await);
    fail(&origin, &lowest, true).await.expect(204);
    let seen = shown(&origin, &ada, id).await;
    assert_eq!(seen["error"], json!({ "code": "made_up", "message": "A failure of a test." }));
    assert_eq!((&seen["state"], &seen["playback"]["hls"]), (&json!("failed"), &json!(null)));
    beat(&origin, &sound, 0.5, vec![]).await.expect_problem(409, "job_taken_over");
    assert!(claim(&origin).await.is_none(), "nothing else of it is done");
    let states: Vec<_> = jobs(&origin, &ada).await.iter().map(|job| job["state"].clone()).collect();
    assert_eq!(states, ["done", "failed", "cancelled", "cancelled", "cancelled", "cancelled"]);

    let failed = of_kind(&origin, &ada, "rendition").await;
    let retry = format!("/api/v1/jobs/{}/retry", failed["id"].as_str().unwrap());
    assert_eq!(failed.get("log"), None, "the log is for operators");
    assert_eq!(of_kind(&origin, &admin, "rendition").await["log"], "the last line");
    origin.post(&bob, &retry, json!({})).await.expect_problem(404, "job_not_found");
    origin.post(&As::Nobody, &retry, json!({})).await.expect_problem(401, "authentication_required");
    origin.post(&ada, "/api/v1/jobs/x/retry", json!({})).await.expect_problem(404, "job_not_found");
    let cancelled = of_kind(&origin, &ada, "poster").await["id"].as_str().unwrap().to_owned();
    let other = format!("/api/v1/jobs/{cancelled}/retry");
    origin.post(&ada, &other, json!({})).await.expect_problem(409, "job_not_failed");

    origin.post(&ada, &retry, json!({})).await.expect(204);
    origin.post(&ada, &retry, json!({})).await.expect_problem(409, "job_not_failed");
    assert_eq!(shown(&origin, &ada, id).await["state"], "processing");
    // The numbers go on: what was cancelled in the middle stays refused.
    let again = (claimed(&origin).await, claimed(&origin).await);
    assert_eq!((again.0.job, again.0.attempt, again.1.job, again.1.attempt), (lowest.job, 2, sound.job, 2));
    beat(&origin, &sound, 0.5, vec![]).await.expect_problem(409, "job_taken_over");
    for again in [again.0, again.1] {
        support::worker::do_job(&origin, &again, &info).await;
    }
    assert_eq!(do_all(&origin, &info).await, 3);
    let seen = shown(&origin, &ada, id).await;
    assert_eq!((&seen["state"], &seen["error"]), (&json!("ready"), &json!(null)));
}

#[tokio::test]
async fn a_job_that_is_given_back_is_not_charged_with_it() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    for attempt in 1..=2 * limits::JOB_ATTEMPTS {
        let claim = claimed(&origin).await;
        assert_eq!(claim.attempt, attempt);
        end(&origin, &claim, Ending::Released).await.expect(204);
    }
    assert_eq!(shown(&origin, &ada, id).await["state"], "processing");
}

#[tokio::test]
async fn a_job_that_loses_every_worker_is_given_up() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    for attempt in 1..=limits::JOB_ATTEMPTS {
        assert_eq!(claimed(&origin).await.attempt, attempt);
        origin.hand.advance(JOB_LEASE + SECOND);
    }
    assert!(claim(&origin).await.is_none());
    assert_eq!(shown(&origin, &ada, id).await["error"]["code"], "worker_lost");
}

#[tokio::test]
async fn what_does_not_move_says_why() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let why = async |kind: &str| of_kind(&origin, &ada, kind).await["waiting_for"].clone();
    assert_eq!(why("probe").await, "no worker has asked for jobs");
    assert!(support::worker::claim_as(&origin, "small", 1, &[], 0).await.is_none());
    assert_eq!(why("probe").await, "no worker has room for it");
    let probe = claimed(&origin).await;
    assert_eq!(why("probe").await, Value::Null);
    assert!(matches!(probe.work, Work::Probe));
    probed(&origin, &probe, source_info(10_000)).await;
    assert_eq!(why("poster").await, "its turn");
    assert_eq!(why("package").await, "other jobs of this video");
    origin.hand.advance(limits::WORKER_AROUND + SECOND);
    assert_eq!(why("poster").await, "no worker has asked for jobs");

    // Everyone sees their own, the administrator all, page by page.
    let bob = origin.token_of("bob").await;
    assert!(jobs(&origin, &bob).await.is_empty());
    origin.get(&As::Nobody, "/api/v1/jobs").await.expect_problem(401, "authentication_required");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page =
            origin.get(&origin.admin(), &format!("/api/v1/jobs?limit=2{cursor}")).await.expect(200).json();
        seen.extend(page["jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), 6);
    assert_eq!(jobs(&origin, &ada).await[0]["asset"], id.to_string());
    for query in ["limit=0", "limit=201", "cursor=x", "x=1"] {
        let path = format!("/api/v1/jobs?{query}");
        origin.get(&ada, &path).await.expect_problem(422, "invalid_field");
    }
}
