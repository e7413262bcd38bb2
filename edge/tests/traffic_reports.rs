//! What was sent of each asset is told to the origin, again and again until it has counted it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use support::{Object, Origin, SLICE, TestEdge, random_bytes};
use tidegate_testkit::wait::eventually_true;
use tidegate_wire::AssetId;
use tidegate_wire::fleet::TrafficReport;

const SOON: Duration = Duration::from_secs(30);

fn reports(origin: &Origin) -> Vec<TrafficReport> {
    origin.beats().into_iter().filter_map(|beat| beat.report).collect()
}

#[test]
fn a_report_is_told_until_it_was_counted_and_holds_each_request_once() {
    let origin = Origin::start();
    let asset = AssetId::generate(1_700_000_000_000, [7; 10]);
    let bytes = random_bytes(1, 2 * SLICE);
    origin.put(&asset.source_path(), Object::new(bytes.clone(), "one"));
    origin.lose_answers(true);
    let edge = TestEdge::fleet(&origin);
    for _ in 0..4 {
        assert_eq!(edge.get(&asset.source_path()).expect(200).body.len(), bytes.len());
    }
    let _ = edge.range(&asset.source_path(), "bytes=0-9").expect(206);
    // Refusals are nobody's traffic.
    let unknown = AssetId::generate(1_700_000_000_001, [8; 10]);
    let _ = edge.get(&unknown.source_path()).expect(404);
    let _ = edge.get("/media/x/source").expect(404);
    eventually_true("the report to be told twice", SOON, || reports(&origin).len() > 2);
    let told = reports(&origin);
    let newest = told.last().unwrap();
    // The last of them were all the same.
    assert_eq!(&told[told.len() - 2], newest);
    origin.lose_answers(false);
    let of_first = |reports: &[TrafficReport], seq: u64| {
        let report = reports.iter().rev().find(|report| report.seq == seq).unwrap();
        report.assets.iter().find(|traffic| traffic.asset == asset).copied()
    };
    // Everything, in one report or in the one that follows it.
    let mut sum = (0, 0, 0);
    eventually_true("everything to be counted", SOON, || {
        let reports = reports(&origin);
        let newest = reports.last().map_or(0, |report| report.seq);
        sum = (1..=newest).filter_map(|seq| of_first(&reports, seq)).fold((0, 0, 0), |sum, traffic| {
            (sum.0 + traffic.requests, sum.1 + traffic.hits, sum.2 + traffic.bytes)
        });
        sum.0 == 5
    });
    assert_eq!(sum.2, 4 * bytes.len() as u64 + 10);
    assert!((3..=4).contains(&sum.1), "{sum:?}: all but the first, and perhaps its neighbour");
    let all = reports(&origin);
    assert!(all.iter().all(|report| report.assets.iter().all(|traffic| traffic.asset == asset)), "{all:?}");
    assert!(all.iter().all(|report| report.instance == all[0].instance));
    let beats = origin.beats();
    let memory = beats.last().unwrap();
    assert!(memory.memory_used_bytes.unwrap() > 0);
    assert!(memory.memory_used_bytes <= memory.memory_limit_bytes);
}
