//! How attempts end when something goes wrong: taken over, stopped, stalled, an origin that is away or full.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use support::ladder::{rung, whole};
use support::{Origin, PATIENCE, ffmpeg, fleet, temporary, work};
use tidegate_transcoder::{ClaimMode, WorkerConfig};
use tidegate_wire::ByteSize;
use tidegate_wire::job::{Claim, Ending, Report, Work};
use tokio::net::TcpListener;
use tokio::time::timeout;

const FAST: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

/// Processes whose command line has `marker`: the source's path.
fn processes(marker: &Path) -> usize {
    let marker = marker.to_str().unwrap().as_bytes();
    let with_marker = |process: &fs::DirEntry| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        line.windows(marker.len()).any(|window| window == marker)
    };
    fs::read_dir("/proc").unwrap().flatten().filter(with_marker).count()
}

async fn nothing_runs(marker: &Path) {
    let gone = async {
        while processes(marker) > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("ffmpeg goes on");
}

/// A source that takes long to encode, and a job that encodes it.
async fn long_job(origin: &Origin, dir: &Path) -> (PathBuf, Work) {
    ffmpeg(dir, &format!("-f lavfi -i testsrc2=s=320x180:r=60:d=1 {FAST} short.mp4"));
    ffmpeg(dir, "-stream_loop 300 -i short.mp4 -c copy long.mp4");
    let source = dir.join("long.mp4");
    let video = origin.probe(&source).await.video.unwrap();
    (source, whole(&video, vec![rung("v", 1280, 720)]))
}

async fn encoding(origin: &Origin, claim: &Claim) {
    origin
        .until("a report of progress", |state| {
            state.progress.lock().unwrap().iter().any(|(job, _)| *job == claim.job).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_taken_over_kills_its_encoder_and_says_nothing() {
    let dir = temporary();
    let (origin, _working) = fleet(dir.path()).await;
    let (source, job) = long_job(&origin, dir.path()).await;
    let claim = origin.give_with(&source, job, |claim| claim.lease_s = 1);
    encoding(&origin, &claim).await;
    assert!(processes(&source) > 0);
    origin.state.taken_over.store(true, Ordering::SeqCst);
    nothing_runs(&source).await;
    origin.state.taken_over.store(false, Ordering::SeqCst);
    // The worker has a slot again, and goes on with other work.
    origin.probe(&source).await;
    assert!(!origin.state.endings.lock().unwrap().contains_key(&claim.job));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_gives_its_jobs_back() {
    let dir = temporary();
    let (origin, mut working) = fleet(dir.path()).await;
    let (source, job) = long_job(&origin, dir.path()).await;
    let claim = origin.give(&source, job);
    encoding(&origin, &claim).await;
    working.shutdown.cancel();
    timeout(PATIENCE, &mut working.task).await.expect("it does not stop").unwrap();
    assert_eq!(origin.ending(claim.job).await, Ending::Released);
    nothing_runs(&source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_leaves_no_encoder_behind() {
    let dir = temporary();
    let origin = Origin::start(dir.path()).await;
    let mut worker = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate-transcoder"))
        .args(["--origin", &origin.url, "--slots", "1", "--store"])
        .arg(dir.path())
        .env("TIDEGATE_FLEET_KEY", support::FLEET_KEY)
        .env("TMPDIR", dir.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let (source, job) = long_job(&origin, dir.path()).await;
    let claim = origin.give(&source, job);
    encoding(&origin, &claim).await;
    assert!(processes(&source) > 0);
    worker.kill().unwrap();
    worker.wait().unwrap();
    nothing_runs(&source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_stands_still_is_ended_with_all_of_its_group() {
    let dir = temporary();
    let origin = Origin::start(dir.path()).await;
    // It answers questions about itself, and sleeps in a child of its own when it is to encode.
    let script = "#!/bin/sh\ncase \"$*\" in *-filter_complex*) env > \"$(dirname \"$0\")/environment\"; \
                  sleep 4321 & wait;; *) exec ffmpeg \"$@\";; esac\n";
    let fake = dir.path().join("ffmpeg.sh");
    fs::write(&fake, script).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let _working = work(WorkerConfig { ffmpeg: Some(fake), ..origin.config() }).await;
    ffmpeg(dir.path(), &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=1 {FAST} a.mp4"));
    let source = dir.path().join("a.mp4");
    let video = origin.probe(&source).await.video.unwrap();
    let claim =
        origin.give_with(&source, whole(&video, vec![rung("v", 320, 180)]), |claim| claim.stall_s = 1);
    let Ending::Failed(failure) = origin.ending(claim.job).await else { panic!("it ended otherwise") };
    assert_eq!((failure.code.as_str(), failure.permanent), ("stalled", false));
    nothing_runs(&source).await;
    nothing_runs(Path::new("4321")).await;
    // Nothing the worker knows is handed to what reads a stranger's file.
    let environment = fs::read_to_string(dir.path().join("environment")).unwrap();
    let names: Vec<_> = environment.lines().filter_map(|line| line.split('=').next()).collect();
    let allowed = [
        "PATH",
        "LD_LIBRARY_PATH",
        "LANG",
        "AV_LOG_FORCE_NOCOLOR",
        "MALLOC_ARENA_MAX",
        "PWD",
        "OLDPWD",
        "_",
        "SHLVL",
    ];
    assert!(names.iter().all(|name| allowed.contains(name)), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_busy_is_asked_again_and_one_that_is_full_is_not() {
    let dir = temporary();
    let (origin, _working) = fleet(dir.path()).await;
    ffmpeg(dir.path(), &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=9 {FAST} a.mp4"));
    let source = dir.path().join("a.mp4");
    let video = origin.probe(&source).await.video.unwrap();
    origin.state.busy.store(4, Ordering::SeqCst);
    let parts = origin.encode(&source, whole(&video, vec![rung("v", 320, 180)])).await;
    assert_eq!(parts[0].segments.len(), 3);
    assert_eq!(origin.state.busy.load(Ordering::SeqCst), 0);
    origin.state.full.store(true, Ordering::SeqCst);
    let failure = origin.failure(&source, whole(&video, vec![rung("v", 320, 180)])).await;
    assert_eq!((failure.code.as_str(), failure.permanent), ("storage_full", false));
    nothing_runs(&source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_fetched_once_over_as_many_connections_as_it_takes() {
    let dir = temporary();
    let origin = Origin::start(dir.path()).await;
    ffmpeg(dir.path(), &format!("-f lavfi -i testsrc2=s=640x360:r=30:d=2 {FAST} a.mp4"));
    let source = dir.path().join("a.mp4");
    let size = source.metadata().unwrap().len();
    let scratch = dir.path().join("scratch");
    let config = WorkerConfig {
        store: None,
        scratch: Some(scratch.clone()),
        scratch_size: ByteSize(size * 2),
        ..origin.config()
    };
    let working = work(config).await;
    origin.state.cut_after.store(usize::try_from(size / 3).unwrap(), Ordering::SeqCst);
    let video = origin.probe(&source).await.video.unwrap();
    let requests = origin.state.source_requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 4, "{requests:?}");
    assert!(requests.iter().all(|headers| headers["if-match"].to_str().unwrap().starts_with("\"blake3-")));
    assert_eq!(requests[1]["range"], format!("bytes={}-", size / 3).as_str());
    origin.encode(&source, whole(&video, vec![rung("v", 320, 180)])).await;
    assert_eq!(origin.state.source_requests.lock().unwrap().len(), 4);
    let asset = origin.give(&source, Work::Probe).asset;
    let last = origin.until("a claim", |state| {
        let claims = state.claims.lock().unwrap();
        claims.last().filter(|claim| claim.holds == [asset]).cloned()
    });
    // What nobody uses would go for a new source.
    assert!(last.await.scratch_free_bytes >= size);

    let wrong = origin.give_with(&source, Work::Probe, |claim| {
        claim.asset = tidegate_wire::AssetId::generate(2, [9; 10]);
        claim.source.digest = format!("blake3:{}", "0".repeat(64));
    });
    let Ending::Failed(failure) = origin.ending(wrong.job).await else { panic!("it was believed") };
    assert_eq!((failure.code.as_str(), failure.permanent), ("source_mismatch", false));
    let large = origin.give_with(&source, Work::Probe, |claim| {
        claim.asset = tidegate_wire::AssetId::generate(3, [9; 10]);
        claim.source.size_bytes = size * 3;
    });
    let Ending::Failed(failure) = origin.ending(large.job).await else { panic!("there was room") };
    assert_eq!(failure.code, "disk_full");
    drop(working);
}

#[tokio::test(flavor = "multi_thread")]
async fn room_for_a_job_is_taken_before_the_next_one_is_asked_for() {
    let dir = temporary();
    let origin = Origin::start(dir.path()).await;
    ffmpeg(dir.path(), &format!("-f lavfi -i testsrc2=s=640x360:r=30:d=2 {FAST} a.mp4"));
    let source = dir.path().join("a.mp4");
    let size = source.metadata().unwrap().len();
    // It comes in pieces, so that the job is not over before the next claim.
    origin.state.cut_after.store(usize::try_from(size / 20).unwrap(), Ordering::SeqCst);
    let claim = origin.give(&source, Work::Probe);
    let config = WorkerConfig { store: None, scratch_size: ByteSize(size * 3), ..origin.config() };
    let _working = work(config).await;
    let free = origin
        .until("a second claim", |state| {
            let claims = state.claims.lock().unwrap();
            (claims.len() >= 2)
                .then(|| claims.iter().map(|claim| claim.scratch_free_bytes).collect::<Vec<_>>())
        })
        .await;
    assert_eq!(free[..2], [size * 3, size * 2]);
    assert!(matches!(origin.ending(claim.job).await, Ending::Done { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_are_garbage_fail_for_good() {
    let dir = temporary();
    let (origin, _working) = fleet(dir.path()).await;
    ffmpeg(dir.path(), &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=2 {FAST} -movflags faststart a.mp4"));
    let source = dir.path().join("a.mp4");
    let video = origin.probe(&source).await.video.unwrap();
    let mut bytes = fs::read(&source).unwrap();
    let data = bytes.windows(4).position(|window| window == b"mdat").unwrap() + 4;
    bytes[data..].fill(0x55);
    let garbage = dir.path().join("garbage.mp4");
    fs::write(&garbage, bytes).unwrap();
    let failure = origin.failure(&garbage, whole(&video, vec![rung("v", 320, 180)])).await;
    assert_eq!((failure.code.as_str(), failure.permanent), ("decode_failed", true), "{failure:?}");
    assert!(!failure.log.contains(dir.path().to_str().unwrap()), "{}", failure.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_its_origin_and_pulls_where_it_is_told_to() {
    let dir = temporary();
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let claim = ClaimMode::Poll(Duration::from_secs(1));
    let config = WorkerConfig { claim, ..WorkerConfig::new(format!("http://{address}").parse().unwrap()) };
    let lonely = work(WorkerConfig { fleet_key: Some(support::FLEET_KEY.into()), ..config.clone() }).await;
    lonely.shutdown.cancel();
    let mut lonely = lonely;
    timeout(PATIENCE, &mut lonely.task).await.expect("it does not stop without its origin").unwrap();

    let origin = Origin::start(dir.path()).await;
    let _working = work(WorkerConfig { claim, ..origin.config() }).await;
    ffmpeg(dir.path(), &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=1 {FAST} a.mp4"));
    let report = origin.report(&dir.path().join("a.mp4"), Work::Probe).await;
    assert!(matches!(report, Report::Probed { .. }));
    assert!(origin.state.claims.lock().unwrap().iter().all(|claim| claim.wait_s == 0));
}

/// Else it would not be ready before the origin has something to do, or is tired of holding the question.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_question_of_a_worker_is_answered_at_once_and_the_next_is_held() {
    let dir = temporary();
    let origin = Origin::start(dir.path()).await;
    let _working = work(origin.config()).await;
    let waits = origin.until("two questions", |state| {
        let waits: Vec<u32> = state.claims.lock().unwrap().iter().map(|claim| claim.wait_s).collect();
        (waits.len() >= 2).then_some(waits)
    });
    let waits = waits.await;
    assert!(matches!(waits[..], [0, held, ..] if held > 0), "{waits:?}");
}
