//! Workers, the origin, Redis and PostgreSQL die while a video is made: no job is lost, and nothing is published twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::PathBuf;

use serde_json::Value;
use tidegate_testkit::http::Request;
use tidegate_testkit::scene::{Api, Service};
use tidegate_testkit::tus::id_of;
use tidegate_testkit::video::{ffprobe, made};
use tidegate_testkit::wait::{eventually, eventually_true};
use tidegate_testkit::{Backing, Scene, limits};

/// Seconds of the video: two chunks and a bit, so that there is something to take over.
const SECONDS: usize = 64;
const RATE: usize = 25;
/// Seconds after which a worker that says nothing has lost its job.
const LEASE: &str = "3";

fn video() -> PathBuf {
    made(
        "busy.mp4",
        &format!(
            "-f lavfi -i testsrc2=s=854x480:r={RATE}:d={SECONDS},noise=alls=10:allf=t -f lavfi -i sine=440:d={SECONDS} \
             -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac"
        ),
    )
}

struct Made {
    scene: Scene,
    origin: Service,
    api: Api,
    id: String,
}

fn begin(backing: Backing) -> Made {
    let scene = Scene::new(backing);
    let origin = scene.origin_with(&["--job-lease", LEASE]);
    let (tus, api) = (scene.tus(origin.addr), scene.api(origin.addr));
    let id = id_of(&tus.upload(&std::fs::read(video()).unwrap(), "busy.mp4")).to_owned();
    Made { scene, origin, api, id }
}

impl Made {
    fn jobs(&self) -> Vec<Value> {
        let answer = self.api.request("GET", "/jobs?limit=100").try_send(self.api.addr);
        let jobs =
            answer.ok().filter(|answer| answer.status == 200).map(|answer| answer.json()["jobs"].clone());
        jobs.and_then(|jobs| jobs.as_array().cloned()).unwrap_or_default()
    }

    /// Waits until this worker is in the middle of encoding pictures.
    fn encoding(&self, worker: &str) -> Value {
        eventually(&format!("{worker} to encode"), limits::RUN, || {
            self.jobs().into_iter().find(|job| {
                job["worker"] == worker
                    && job["kind"] == "rendition"
                    && job["state"] == "running"
                    && job["progress"].as_f64().is_some_and(|done| done > 0.05)
            })
        })
    }

    fn job(&self, id: &Value) -> Value {
        self.jobs().into_iter().find(|job| job["id"] == *id).unwrap()
    }

    /// The whole of the video is there, once, frame by frame, in every rung.
    fn is_made_right(&self) {
        let asset = self.api.asset_in_state(&self.id, &["ready", "failed"]);
        assert_eq!(asset["state"], "ready", "{asset:#}");
        let jobs = self.jobs();
        assert!(jobs.iter().all(|job| job["state"] == "done"), "{jobs:#?}");
        assert_eq!(jobs.iter().filter(|job| job["kind"] == "package").count(), 1);
        self.api.set_visibility(&self.id, "unlisted");
        let folder = format!("/media/{}/1", self.id);
        let master = Request::get(&format!("{folder}/master.m3u8")).send(self.origin.addr).expect(200).text();
        let playlists: Vec<_> =
            master.lines().filter(|line| line.starts_with('v') && line.ends_with(".m3u8")).collect();
        assert_eq!(playlists.len(), 2, "{master}");
        for playlist in playlists {
            let url = format!("{}{folder}/{playlist}", self.origin.url());
            let times = ffprobe(&url, "-select_streams v -show_entries packet=dts_time");
            assert_eq!(times.len(), SECONDS * RATE, "{playlist}");
            let times: Vec<f64> = times.iter().map(|time| time.parse().unwrap()).collect();
            assert!(times.windows(2).all(|two| (two[1] - two[0] - 0.04).abs() < 0.001), "{playlist}");
        }
    }
}

#[test]
fn a_worker_that_is_killed_in_mid_chunk_is_replaced_and_nothing_is_lost() {
    let made = begin(Backing::Embedded);
    let first = made.scene.worker(made.origin.addr, &["--name", "first", "--slots", "1"]);
    let job = made.encoding("first");
    first.process.kill9();
    let _second = made.scene.worker(made.origin.addr, &["--name", "second"]);
    made.is_made_right();
    let job = made.job(&job["id"]);
    assert_eq!((&job["attempts"], &job["worker"]), (&2.into(), &"second".into()), "{job:#}");
}

#[test]
fn a_worker_that_wakes_after_its_job_was_given_away_publishes_nothing() {
    let made = begin(Backing::Cluster);
    let sleeper = made.scene.worker(made.origin.addr, &["--name", "sleeper", "--slots", "1"]);
    let job = made.encoding("sleeper");
    sleeper.process.sigstop();
    let _other = made.scene.worker(made.origin.addr, &["--name", "other"]);
    eventually_true("the job to be given away", limits::RUN, || made.job(&job["id"])["worker"] == "other");
    // It wakes while the other is at it, and goes on as if nothing had been.
    sleeper.process.sigcont();
    made.is_made_right();
    let job = made.job(&job["id"]);
    assert_eq!(job["worker"], "other", "{job:#}");
    eventually_true("the sleeper to notice", limits::RUN, || {
        tidegate_testkit::process::metric(sleeper.admin, "tidegate_worker_jobs_total", &["taken_over"]) >= 1.0
    });
}

#[test]
fn a_worker_that_is_told_to_stop_gives_its_job_back_at_once() {
    let made = begin(Backing::Embedded);
    let first = made.scene.worker(made.origin.addr, &["--name", "first", "--slots", "1"]);
    let job = made.encoding("first");
    let _ = first.process.terminate();
    let released = made.job(&job["id"]);
    assert_ne!(released["state"], "running", "{released:#}");
    let _second = made.scene.worker(made.origin.addr, &["--name", "second"]);
    made.is_made_right();
}

#[test]
fn an_origin_that_is_killed_over_and_over_loses_no_job() {
    let made = begin(Backing::Embedded);
    let _worker = made.scene.worker(made.origin.addr, &["--name", "only"]);
    let _ = made.encoding("only");
    for _ in 0..5 {
        made.origin.process.kill9();
        made.origin.process.start_again();
        let before = made.jobs();
        eventually_true("work to go on", limits::RUN, || {
            let now = made.jobs();
            !now.is_empty() && (now != before || now.iter().all(|job| job["state"] == "done"))
        });
    }
    made.is_made_right();
}

#[test]
fn redis_and_postgresql_go_away_and_come_back_and_the_video_is_made() {
    let made = begin(Backing::Cluster);
    let _worker = made.scene.worker(made.origin.addr, &["--name", "only"]);
    let _ = made.encoding("only");
    let (redis, postgres) = (made.scene.redis.as_ref().unwrap(), made.scene.postgres.as_ref().unwrap());
    redis.kill();
    redis.start_again();
    postgres.kill();
    postgres.start_again();
    redis.flush();
    made.is_made_right();
}
