//! Invariant 8: a purge reaches every edge, also one that was stopped, was killed, or lost its origin.
#![allow(clippy::disallowed_methods, reason = "a test's thread may sleep and look at the time")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use support::{
    ChildEdge, Gate, Object, Origin, SLICE, TestEdge, cache_status, open, random_bytes, read_rest,
};
use tidegate_testkit::FaultProxy;
use tidegate_testkit::http::Request;
use tidegate_testkit::wait::eventually_true;
use tidegate_wire::AssetId;
use tidegate_wire::purge::PurgeTargets;

fn asset() -> AssetId {
    AssetId::generate(1_700_000_000_000, [7; 10])
}

fn origin_with_asset() -> (Origin, String) {
    let origin = Origin::start();
    let path = asset().source_path();
    origin.put(&path, Object::new(random_bytes(1, 3 * SLICE), "one"));
    (origin, path)
}

fn delete(origin: &Origin, path: &str) {
    origin.remove(path);
    origin.purge_asset(asset());
}

#[test]
fn invariant_8_a_running_edge_forgets_within_two_seconds() {
    let (origin, path) = origin_with_asset();
    let edge = TestEdge::fleet(&origin);
    assert_eq!(edge.get(&path).status, 200);
    assert_eq!(cache_status(&edge.get(&path)), "tidegate; hit");
    delete(&origin, &path);
    eventually_true("the purge to be applied", Duration::from_secs(2), || edge.get(&path).status == 404);
    assert_eq!(edge.metric("tidegate_edge_purge_cursor", &[]), 1.0);
    eventually_true("its slices to be gone", Duration::from_secs(2), || {
        edge.metric("tidegate_edge_memory_bytes", &["use=\"cache\""]) == 0.0
    });
}

#[test]
fn a_purge_by_tag_forgets_the_group_and_nothing_else() {
    let origin = Origin::start();
    let path = |n: u8| AssetId::generate(1_700_000_000_000, [n; 10]).source_path();
    for (n, groups) in [(1, "\"source\", \"one\""), (2, "\"source\", \"two\""), (3, "\"other\"")] {
        let object = Object::new(random_bytes(u64::from(n), SLICE), "one");
        origin.put(&path(n), object.field("cache-groups", groups));
    }
    let edge = TestEdge::fleet(&origin);
    for n in 1..=3 {
        assert_eq!(
            edge.get(&path(n)).expect(200).header("cache-groups"),
            None,
            "it is the fleet's own affair"
        );
    }
    origin.purge(PurgeTargets { tags: vec!["two".into(), "other".into()], ..PurgeTargets::default() });
    eventually_true("the purge to be applied", Duration::from_secs(2), || {
        edge.metric("tidegate_edge_purge_cursor", &[]) == 1.0
    });
    assert_eq!(cache_status(&edge.get(&path(1))), "tidegate; hit");
    for n in [2, 3] {
        assert!(cache_status(&edge.get(&path(n))).contains("uri-miss"), "{n}");
    }
}

#[test]
fn invariant_8_a_stopped_process_asks_before_it_serves_again() {
    let (origin, path) = origin_with_asset();
    let edge = ChildEdge::start(&origin, &[]);
    assert_eq!(edge.get(&path).status, 200);
    assert_eq!(cache_status(&edge.get(&path)), "tidegate; hit");
    edge.process.sigstop();
    // The poll that was waiting is answered "nothing" meanwhile, and that answer lies in the socket; so do the
    // requests when the process goes on.
    std::thread::sleep(tidegate_edge::limits::PURGE_WAIT + Duration::from_millis(300));
    delete(&origin, &path);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| edge.get(&path).status)).collect();
        std::thread::sleep(Duration::from_millis(100));
        edge.process.sigcont();
        for answer in waiting {
            assert_eq!(answer.join().unwrap(), 404, "the very first answers know of the purge");
        }
    });
}

#[test]
fn invariant_8_a_killed_process_remembers_nothing() {
    let (origin, path) = origin_with_asset();
    let edge = ChildEdge::start(&origin, &[]);
    assert_eq!(edge.get(&path).status, 200);
    edge.process.kill9();
    delete(&origin, &path);
    edge.process.start_again();
    assert_eq!(edge.get(&path).status, 404);
}

#[test]
fn invariant_8_an_edge_that_lost_its_origin_asks_when_it_is_back() {
    let (origin, path) = origin_with_asset();
    let link = FaultProxy::start(origin.addr, Default::default());
    let mut config = support::config(&origin);
    config.origin = format!("http://{}", link.addr()).parse().unwrap();
    let edge = TestEdge::start(config, tidegate_serve::Clock::system());
    edge.wait_ready();
    assert_eq!(edge.get(&path).status, 200);
    link.blackout();
    delete(&origin, &path);
    // Longer than a proof is believed: every request now asks first, and finds nobody.
    std::thread::sleep(Duration::from_millis(4500));
    assert_eq!(cache_status(&edge.get(&path).expect(200)), "tidegate; hit", "invariant 10");
    link.heal();
    eventually_true("the purge to be applied", Duration::from_secs(2), || edge.get(&path).status == 404);
}

#[test]
fn invariant_8_a_log_trimmed_below_the_cursor_means_forget_everything() {
    let (origin, path) = origin_with_asset();
    let edge = ChildEdge::start(&origin, &[]);
    assert_eq!(edge.get(&path).status, 200);
    edge.process.sigstop();
    delete(&origin, &path);
    origin.purge(PurgeTargets { urls: vec!["/elsewhere".into()], ..PurgeTargets::default() });
    origin.trim_log();
    std::thread::sleep(Duration::from_millis(800));
    edge.process.sigcont();
    assert_eq!(edge.get(&path).status, 404);
}

#[test]
fn invariant_8_what_was_being_fetched_when_the_purge_came_is_not_stored() {
    let (origin, path) = origin_with_asset();
    let gate = Gate::shut();
    let old = random_bytes(1, SLICE);
    origin.put(&path, Object::new(old.clone(), "old").behind(&gate));
    let edge = TestEdge::fleet(&origin);
    gate.let_through(1);
    let (mut connection, _) = open(edge.addr, &Request::get(&path).header("Connection", "close"));
    origin.put(&path, Object::new(random_bytes(2, SLICE), "new"));
    origin.purge_asset(asset());
    eventually_true("the purge to be applied", Duration::from_secs(10), || {
        edge.metric("tidegate_edge_purge_cursor", &[]) == 1.0
    });
    gate.open();
    assert!(read_rest(&mut connection) == old, "who asked before the purge gets what it asked for");
    let answer = edge.get(&path).expect(200);
    assert_eq!(
        (answer.header("etag"), cache_status(&answer)),
        (Some("\"new\""), "tidegate; fwd=uri-miss; stored")
    );
}

#[test]
fn a_long_log_is_read_page_by_page() {
    let (origin, path) = origin_with_asset();
    let edge = ChildEdge::start(&origin, &[]);
    assert_eq!(edge.get(&path).status, 200);
    edge.process.sigstop();
    for n in 0..9 {
        origin.purge(PurgeTargets { urls: vec![format!("/{n}")], ..PurgeTargets::default() });
    }
    delete(&origin, &path);
    std::thread::sleep(Duration::from_millis(800));
    edge.process.sigcont();
    assert_eq!(edge.get(&path).status, 404, "the last of ten records, two a page");
    let beats = origin.beats();
    assert!(beats.iter().any(|beat| beat.url == format!("http://{}", edge.addr)), "{beats:?}");
}
