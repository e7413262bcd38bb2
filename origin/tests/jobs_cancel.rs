//! Cancelling a job: its worker is told, what needs it is given up, and it can be taken up again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::api::{Answer, As, Origin};
use support::worker::{beat, claim, claimed, do_all, do_job, jobs, probed, shown, source_info, upload};

async fn cancel(origin: &Origin, who: &As, job: &str) -> Answer {
    origin.call(who, Method::POST, &format!("/api/v1/jobs/{job}/cancel"), None).await
}

async fn retry(origin: &Origin, who: &As, job: &str) -> Answer {
    origin.call(who, Method::POST, &format!("/api/v1/jobs/{job}/retry"), None).await
}

async fn of_kind(origin: &Origin, who: &As, kind: &str) -> Value {
    jobs(origin, who).await.into_iter().find(|job| job["kind"] == kind).unwrap()
}

#[tokio::test]
async fn a_needed_job_takes_its_video_along_until_it_is_taken_up_again() {
    let origin = Origin::start().await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    let probe = claimed(&origin).await;
    let job = probe.job.to_string();
    for id in [job.as_str(), "x", "0197a3c1-8f00-7001-b1a2-0242ac120002"] {
        cancel(&origin, &bob, id).await.expect_problem(404, "job_not_found");
    }
    cancel(&origin, &As::Nobody, &job).await.expect_problem(401, "authentication_required");
    cancel(&origin, &ada, &job).await.expect(204);
    beat(&origin, &probe, 0.5, vec![]).await.expect_problem(409, "job_taken_over");
    cancel(&origin, &ada, &job).await.expect_problem(409, "job_ended");
    let seen = shown(&origin, &ada, id).await;
    assert_eq!((&seen["state"], &seen["error"]["code"]), (&json!("failed"), &json!("cancelled")));
    assert!(claim(&origin).await.is_none());

    retry(&origin, &ada, &job).await.expect(204);
    probed(&origin, &claimed(&origin).await, info.clone()).await;
    // One that waits, by an administrator: nothing of the rest is made either.
    let package = of_kind(&origin, &ada, "package").await;
    assert_eq!(package["state"], "waiting");
    let package = package["id"].as_str().unwrap();
    cancel(&origin, &origin.admin(), package).await.expect(204);
    assert!(claim(&origin).await.is_none());
    let states: Vec<Value> = jobs(&origin, &ada).await.into_iter().map(|job| job["state"].clone()).collect();
    assert!(
        states.iter().all(|state| matches!(state.as_str(), Some("done" | "cancelled" | "failed"))),
        "{states:?}"
    );
    retry(&origin, &ada, package).await.expect(204);
    do_all(&origin, &info).await;
    assert_eq!(shown(&origin, &ada, id).await["state"], "ready");
    cancel(&origin, &ada, package).await.expect_problem(409, "job_ended");
}

#[tokio::test]
async fn a_poster_that_is_cancelled_is_left_out() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    do_job(&origin, &claimed(&origin).await, &info).await;
    let poster = of_kind(&origin, &ada, "poster").await;
    cancel(&origin, &ada, poster["id"].as_str().unwrap()).await.expect(204);
    do_all(&origin, &info).await;
    let seen = shown(&origin, &ada, id).await;
    assert_eq!((&seen["state"], &seen["playback"]["poster"]), (&json!("ready"), &json!(null)));
    retry(&origin, &ada, poster["id"].as_str().unwrap()).await.expect(204);
    do_all(&origin, &info).await;
    assert!(shown(&origin, &ada, id).await["playback"]["poster"].is_string());
}

#[tokio::test]
async fn jobs_are_filtered_by_state_kind_and_asset() {
    let origin = Origin::start().await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let first = upload(&origin, &ada, "video/mp4").await;
    do_all(&origin, &source_info(10_000)).await;
    let second = upload(&origin, &ada, "video/mp4").await;
    let many = async |who: &As, query: &str| {
        let list = origin.get(who, &format!("/api/v1/jobs?{query}")).await.expect(200).json();
        list["jobs"].as_array().unwrap().len()
    };
    assert_eq!(many(&ada, "kind=probe").await, 2);
    assert_eq!(many(&ada, "kind=probe&state=ready").await, 1);
    assert_eq!(many(&ada, &format!("asset={second}")).await, 1);
    assert_eq!(many(&origin.admin(), &format!("asset={first}&state=done&kind=package")).await, 1);
    assert_eq!(many(&bob, &format!("asset={first}")).await, 0);
    assert_eq!(many(&ada, "state=failed").await, 0);
    for query in ["state=x", "kind=x", "asset=x", "asset=", "what=1", "limit=0", "cursor=x", "state="] {
        origin.get(&ada, &format!("/api/v1/jobs?{query}")).await.expect_problem(422, "invalid_field");
    }
}
