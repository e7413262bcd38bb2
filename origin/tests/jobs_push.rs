//! Push: a worker that waits is woken the moment there is a job, wherever it was made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;
use support::Database;
use support::api::{As, Origin, request};
use support::worker::{claim, claimed, end, fail, probed, source_info, upload};
use tidegate_origin::catalog::jobs;
use tidegate_origin::limits;
use tidegate_testkit::Redis;
use tidegate_wire::job::{Claim, Ending, Kind};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far longer than any of this takes, far shorter than a wait that nobody ends.
const SOON: Duration = Duration::from_secs(20);

/// A worker that waits for a job at this origin.
fn waiting(origin: &Origin) -> JoinHandle<Option<Claim>> {
    let body = json!({ "worker": "w", "wait_s": 60, "scratch_free_bytes": 1_u64 << 50 });
    let ask = request(&As::Fleet, Method::POST, "/internal/jobs/claim", Some(body));
    let router = origin.router.clone();
    tokio::spawn(async move {
        let answer = tower::ServiceExt::oneshot(router, ask).await.unwrap();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        match body.is_empty() {
            true => None,
            false => Some(serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{body:?}"))),
        }
    })
}

async fn got(waiting: JoinHandle<Option<Claim>>) -> Claim {
    timeout(SOON, waiting).await.expect("woken").unwrap().expect("a job")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_worker_gets_each_job_as_it_becomes_ready() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let worker = waiting(&origin);
    let id = upload(&origin, &ada, "video/mp4").await;
    let probe = got(worker).await;
    assert_eq!((probe.asset, probe.work.kind()), (id, Kind::Probe));
    let workers = [waiting(&origin), waiting(&origin), waiting(&origin), waiting(&origin)];
    probed(&origin, &probe, source_info(10_000)).await;
    let mut given = Vec::new();
    for worker in workers {
        given.push(got(worker).await);
    }
    let worker = waiting(&origin);
    end(&origin, &given[0], Ending::Released).await.expect(204);
    assert_eq!(got(worker).await.job, given[0].job, "given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_worker_is_woken_when_a_pause_ends() {
    // On the real clock: it is the origin's own timer that ends the wait.
    let folder = tempfile::tempdir().unwrap();
    let mut config = tidegate_origin::config::OriginConfig::embedded(folder.path());
    config.fleet_key = Some(tidegate_origin::config::Secret::new(support::api::FLEET_KEY));
    let (clock, entropy) = (tidegate_serve::Clock::system(), tidegate_serve::Entropy::system());
    let shutdown = tokio_util::sync::CancellationToken::new();
    let app = tidegate_origin::app::App::start(config, clock, entropy, shutdown.clone()).await.unwrap();
    let (_, hand) = tidegate_serve::Clock::manual(0);
    let router = tidegate_origin::http::router(app.clone());
    let origin = Origin { app, router, hand, shutdown, folder: Arc::new(folder) };
    upload(&origin, &origin.admin(), "video/mp4").await;
    let first = claimed(&origin).await;
    fail(&origin, &first, false).await.expect(204);
    let again = got(waiting(&origin)).await;
    assert_eq!((again.job, again.attempt), (first.job, 2));
    let row = jobs::get(&origin.app.catalog, first.job).await.unwrap().unwrap();
    assert!(row.claimed_at.unwrap() >= row.run_after, "not before its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_at_one_origin_wakes_a_worker_that_waits_at_the_other() {
    let (redis, database) = (Redis::start(), Database::postgres());
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let url = redis.url();
    let start = || {
        let url = url.clone();
        Origin::start_in(folder.clone(), Some(&database.options), |config| config.redis_url = Some(url))
    };
    let (first, second) = (start().await, start().await);
    let admin = first.admin();
    for _ in 0..3 {
        let worker = waiting(&second);
        let id = upload(&first, &admin, "video/mp4").await;
        assert_eq!(got(worker).await.asset, id);
    }
    // Without Redis nobody is woken, but the queue is looked at all the same.
    let given = {
        upload(&first, &admin, "audio/mpeg").await;
        claimed(&first).await
    };
    redis.stop();
    let worker = waiting(&second);
    end(&first, &given, Ending::Released).await.expect(204);
    assert_eq!(got(worker).await.job, given.job);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_empty_when_it_is_over_and_when_the_origin_stops() {
    let origin = Origin::start().await;
    assert!(claim(&origin).await.is_none());
    let worker = waiting(&origin);
    origin.shutdown.cancel();
    assert!(timeout(SOON, worker).await.expect("let go").unwrap().is_none());
    assert!(limits::CLAIM_WAIT > SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_floods_does_not_keep_another_waiting() {
    let origin = Origin::start().await;
    let (flood, ada) = (origin.token_of("flood").await, origin.token_of("ada").await);
    for _ in 0..200 {
        upload(&origin, &flood, "video/mp4").await;
    }
    for _ in 0..10 {
        claimed(&origin).await;
    }
    let id = upload(&origin, &ada, "video/mp4").await;
    let info = source_info(10_000);
    // Every second turn is the other account's until its video plays: probe, lowest rung, sound.
    let mut turns = 0;
    while support::worker::shown(&origin, &ada, id).await["state"] != "playable" {
        let claim = claimed(&origin).await;
        turns += 1;
        if claim.asset == id {
            support::worker::do_job(&origin, &claim, &info).await;
        }
    }
    assert!(turns <= 12, "{turns} jobs were given out before it could be played");
}
