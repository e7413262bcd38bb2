//! The origin is killed at random moments while uploads run: every one of them finishes, the digests are right, and
//! no acknowledged offset ever goes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_testkit::files::{digest_of, random_bytes, random_file};
use tidegate_testkit::proxy::{FaultProxy, Faults, Plan};
use tidegate_testkit::scene::Service;
use tidegate_testkit::stubborn;
use tidegate_testkit::tus::id_of;
use tidegate_testkit::wait::eventually_true;
use tidegate_testkit::{Backing, Random, Scene, Upload, limits};

const KILLS: u32 = 25;
const MIB: u64 = 1 << 20;
/// Bytes a second that reach the origin: slow enough that a kill nearly always falls into an upload.
const RATE: u64 = 24 * MIB;

#[test]
fn invariants_1_and_2_hold_over_25_kills_on_sqlite() {
    kill_while_uploading(Backing::Embedded, 21);
}

#[test]
fn invariants_1_and_2_hold_over_25_kills_on_postgresql_and_redis() {
    kill_while_uploading(Backing::Cluster, 22);
}

fn kill_while_uploading(backing: Backing, seed: u64) {
    let scene = Scene::new(backing);
    let origin = scene.origin();
    let proxy = FaultProxy::start(origin.addr, Plan { to_server: Faults::throttle(RATE), ..Plan::default() });
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let own = scope.spawn(|| upload_by_hand(&scene, &origin, &proxy, seed, &done));
        let program = scope.spawn(|| upload_by_program(&scene, &proxy, seed, &done));
        let stop = Stop(&done);
        let mut random = Random::seeded(seed);
        for _ in 0..KILLS {
            // The moment is drawn in bytes that have passed, so that it nearly always falls into an upload.
            let moment = proxy.counts().to_server + random.within(&(MIB / 8..=8 * MIB));
            eventually_true("the moment of the kill", limits::RUN, || {
                assert!(!own.is_finished() && !program.is_finished(), "an upload failed");
                proxy.counts().to_server >= moment
            });
            origin.process.kill9();
            origin.process.start_again();
        }
        drop(stop);
        let (files, failures) = own.join().unwrap();
        let programs = program.join().unwrap();
        println!(
            "{backing:?}: {KILLS} kills, {files} uploads by hand with {failures} failures, {programs} by tidegate-upload"
        );
        assert!(failures > 0, "no kill fell into an upload");
    });
}

/// Raised when the kills are over, also by a failed assertion, so that the uploading threads come to an end.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Uploads files in small requests, so that there are many acknowledgements to keep.
fn upload_by_hand(
    scene: &Scene,
    origin: &Service,
    proxy: &FaultProxy,
    seed: u64,
    done: &AtomicBool,
) -> (u64, u64) {
    let (tus, mut random) = (scene.tus(proxy.addr()), Random::seeded(seed + 1));
    let (mut files, mut failures) = (0, 0);
    while !done.load(Ordering::SeqCst) {
        let bytes = random_bytes(seed + files, usize::try_from(random.within(&(MIB..=8 * MIB))).unwrap());
        let outcome = stubborn::upload(&tus, &bytes, &(1..=MIB), &mut random, limits::RUN);
        check(scene, origin, id_of(&outcome.path), &digest_of(&bytes));
        files += 1;
        failures += outcome.failures;
    }
    (files, failures)
}

fn upload_by_program(scene: &Scene, proxy: &FaultProxy, seed: u64, done: &AtomicBool) -> u64 {
    let (file, journal) = (scene.folder().join("file"), scene.folder().join("journal"));
    let mut files = 0;
    while !done.load(Ordering::SeqCst) {
        let digest = random_file(&file, seed << 32 | files, 6 * MIB + files);
        // Whole files in one request, in chunks, and in parallel parts, in turns.
        let more: &[&str] = match files % 3 {
            0 => &[],
            1 => &["--chunk", "2MiB"],
            _ => &["--parallel", "3"],
        };
        let finished = Upload::start(&file, &proxy.url(), &scene.token_file(), &journal, more).finish();
        assert_eq!(finished.digest, digest);
        files += 1;
    }
    files
}

/// The bytes are there, whole and with the right digest, as soon as the origin is up again.
fn check(scene: &Scene, origin: &Service, id: &str, digest: &str) {
    let api = scene.api(origin.addr);
    assert_eq!(api.asset_eventually(id)["digest"], digest);
    let read = tidegate_testkit::eventually("the asset's bytes", limits::START, || {
        let request = tidegate_testkit::http::Request::get(&format!("/media/{id}/source")).bearer(&api.token);
        request.try_send(origin.addr).ok().filter(|answer| answer.status == 200 && answer.whole)
    });
    assert_eq!(digest_of(&read.body), digest);
}
