//! Redis loses everything, Redis goes away and comes back, PostgreSQL is restarted and killed, all in the middle of
//! uploads: nothing acknowledged is lost, and every upload finishes (invariant 2).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use tidegate_testkit::files::{digest_of, random_bytes};
use tidegate_testkit::proxy::{FaultProxy, Faults, Plan};
use tidegate_testkit::stubborn;
use tidegate_testkit::tus::id_of;
use tidegate_testkit::wait::eventually_true;
use tidegate_testkit::{Backing, Random, Scene, limits};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 24 * MIB;

/// Uploads a file; `disturb` runs when a third of it has gone through the proxy, and may let the client try on for a
/// while in the middle of what it does.
fn upload_while(seed: u64, disturb: impl Fn(&Scene, &dyn Fn()) + Sync) {
    let scene = Scene::new(Backing::Cluster);
    let origin = scene.origin();
    let proxy =
        FaultProxy::start(origin.addr, Plan { to_server: Faults::throttle(16 * MIB), ..Plan::default() });
    let tus = scene.tus(proxy.addr());
    let bytes = random_bytes(seed, usize::try_from(SIZE).unwrap());
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually_true("a third of the file", limits::RUN, || proxy.counts().to_server > SIZE / 3);
            // It sends on, or it fails and connects again.
            let while_the_client_tries = || {
                let before = proxy.counts();
                eventually_true("the client to try on", limits::RUN, || {
                    let now = proxy.counts();
                    now.to_server > before.to_server + 2 * MIB || now.connections > before.connections + 2
                });
            };
            disturb(&scene, &while_the_client_tries);
        });
        stubborn::upload(&tus, &bytes, &(MIB / 4..=MIB), &mut Random::seeded(seed), limits::RUN)
    });
    println!("{} acknowledged, {} failures", outcome.acknowledged, outcome.failures);
    let api = scene.api(origin.addr);
    let id = id_of(&outcome.path);
    assert_eq!(api.asset_eventually(id)["digest"], digest_of(&bytes));
    assert_eq!(digest_of(&api.source(id).expect(200).body), digest_of(&bytes));
}

#[test]
fn invariant_2_redis_loses_everything_in_the_middle_of_an_upload() {
    upload_while(31, |scene, _| scene.redis.as_ref().unwrap().flush());
}

#[test]
fn invariant_2_redis_goes_away_and_comes_back_empty_in_the_middle_of_an_upload() {
    upload_while(32, |scene, while_the_client_tries| {
        let redis = scene.redis.as_ref().unwrap();
        redis.stop();
        while_the_client_tries();
        redis.start_again();
    });
}

#[test]
fn invariant_2_postgresql_is_restarted_in_the_middle_of_an_upload() {
    upload_while(33, |scene, _| scene.postgres.as_ref().unwrap().restart());
}

#[test]
fn invariant_2_postgresql_goes_away_and_comes_back_in_the_middle_of_an_upload() {
    upload_while(34, |scene, while_the_client_tries| {
        let postgres = scene.postgres.as_ref().unwrap();
        postgres.stop();
        while_the_client_tries();
        postgres.start_again();
    });
}

#[test]
fn invariant_2_both_are_killed_in_the_middle_of_an_upload() {
    upload_while(35, |scene, while_the_client_tries| {
        let (postgres, redis) = (scene.postgres.as_ref().unwrap(), scene.redis.as_ref().unwrap());
        redis.kill();
        postgres.kill();
        while_the_client_tries();
        postgres.start_again();
        redis.start_again();
    });
}
