//! Redis loses everything, Redis goes away and comes back, PostgreSQL is restarted and killed, all in the middle of
//! uploads: nothing acknowledged is lost, and every upload finishes (invariant 2).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_testkit::files::{digest_of, random_bytes};
use tidegate_testkit::proxy::{FaultProxy, Faults, Plan};
use tidegate_testkit::stubborn::{self, Observer};
use tidegate_testkit::tus::{Tus, id_of};
use tidegate_testkit::wait::eventually_true;
use tidegate_testkit::{Backing, Random, Scene, limits};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 24 * MIB;

/// Uploads a file; `disturb` runs when a third of it has gone through the proxy.
fn upload_while(seed: u64, disturb: impl Fn(&Scene) + Sync) {
    let scene = Scene::new(Backing::Cluster);
    let origin = scene.origin();
    let proxy =
        FaultProxy::start(origin.addr, Plan { to_server: Faults::throttle(16 * MIB), ..Plan::default() });
    let tus = scene.tus(proxy.addr());
    let bytes = random_bytes(seed, usize::try_from(SIZE).unwrap());
    let seen = AtomicU64::new(0);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually_true("a third of the file", limits::RUN, || proxy.counts().to_server > SIZE / 3);
            disturb(&scene);
        });
        let mut observer = None;
        let mut random = Random::seeded(seed);
        let outcome =
            stubborn::upload(&tus, &bytes, &(MIB / 4..=MIB), &mut random, limits::RUN, |path, mark| {
                let direct = Tus::new(origin.addr, tus.token.clone());
                observer = Some(Observer::start(direct, path, mark.clone()));
            });
        seen.store(observer.unwrap().finish(), Ordering::SeqCst);
        outcome
    });
    println!(
        "{} acknowledged, {} failures, {} offsets seen",
        outcome.acknowledged,
        outcome.failures,
        seen.into_inner()
    );
    let api = scene.api(origin.addr);
    let id = id_of(&outcome.path);
    assert_eq!(api.asset_eventually(id)["digest"], digest_of(&bytes));
    assert_eq!(digest_of(&api.source(id).expect(200).body), digest_of(&bytes));
}

#[test]
fn invariant_2_redis_loses_everything_in_the_middle_of_an_upload() {
    upload_while(31, |scene| scene.redis.as_ref().unwrap().flush());
}

#[test]
fn invariant_2_redis_stops_and_comes_back_empty_in_the_middle_of_an_upload() {
    upload_while(32, |scene| {
        let redis = scene.redis.as_ref().unwrap();
        redis.stop();
        redis.start_again();
    });
}

#[test]
fn invariant_2_postgresql_is_restarted_in_the_middle_of_an_upload() {
    upload_while(33, |scene| scene.postgres.as_ref().unwrap().restart());
}

#[test]
fn invariant_2_postgresql_and_redis_are_killed_in_the_middle_of_an_upload() {
    upload_while(34, |scene| {
        let (postgres, redis) = (scene.postgres.as_ref().unwrap(), scene.redis.as_ref().unwrap());
        redis.kill();
        postgres.kill();
        postgres.start_again();
        redis.start_again();
    });
}
