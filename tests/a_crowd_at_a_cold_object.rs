//! A crowd asks two edges for one cold object: the origin is asked for each slice at most once per edge
//! (invariant 6).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::collections::HashMap;
use std::sync::Barrier;

use tidegate_testkit::files::{digest_of, random_bytes};
use tidegate_testkit::http::Request;
use tidegate_testkit::proxy::{FaultProxy, Faults, Plan};
use tidegate_testkit::tus::id_of;
use tidegate_testkit::{Backing, Scene};

const VIEWERS: usize = 200;
const SLICE: u64 = 256 << 10;
const SIZE: usize = 4 * (256 << 10) + 12_345;
/// Bytes a second from the origin to each edge: slow enough that the whole crowd is there before a slice is.
const RATE: u64 = 1 << 20;

#[test]
fn invariant_6_two_hundred_viewers_at_each_of_two_edges_cost_one_fetch_of_each_slice_per_edge() {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let bytes = random_bytes(51, SIZE);
    let path = scene.tus(origin.addr).upload(&bytes, "tide.bin");
    let id = id_of(&path);
    let api = scene.api(origin.addr);
    let digest = api.asset_eventually(id)["digest"].as_str().unwrap().to_owned();
    let granted = api.grant(id, 10.0).path;

    // One recording proxy before the origin for each edge, so that each edge's questions are told apart.
    let plan = Plan { record: true, to_client: Faults::throttle(RATE), ..Plan::default() };
    let proxies = [FaultProxy::start(origin.addr, plan.clone()), FaultProxy::start(origin.addr, plan)];
    let edges = proxies.each_ref().map(|proxy| scene.edge(proxy.addr(), &["--slice", "256KiB"]));

    let together = Barrier::new(VIEWERS * edges.len());
    std::thread::scope(|scope| {
        for edge in &edges {
            for _ in 0..VIEWERS {
                scope.spawn(|| {
                    together.wait();
                    let answer = Request::get(&granted).send(edge.addr).expect(200);
                    assert!(answer.whole);
                    assert_eq!(digest_of(&answer.body), digest);
                });
            }
        }
    });

    for proxy in &proxies {
        let asked = slices_asked(&proxy.recorded());
        println!("slices asked: {asked:?}");
        assert_eq!(asked.len(), 5);
        assert!(asked.values().all(|times| *times == 1), "{asked:?}");
    }
}

/// How often each slice of a media object was asked for. A question without a Range asks for all of them.
fn slices_asked(connections: &[Vec<u8>]) -> HashMap<u64, u32> {
    let mut asked = HashMap::new();
    for connection in connections {
        let text = String::from_utf8_lossy(connection);
        // A head may stand right behind the body of the question before it.
        for head in
            text.split("\r\n\r\n").filter_map(|piece| piece.find("GET /media/").map(|at| &piece[at..]))
        {
            let range = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("range")
                    .then(|| value.trim().trim_start_matches("bytes=").to_owned())
            });
            let (first, last) = match range.as_deref().and_then(|range| range.split_once('-')) {
                Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap_or(SIZE as u64 - 1)),
                None => (0, SIZE as u64 - 1),
            };
            for slice in first / SLICE..=last.min(SIZE as u64 - 1) / SLICE {
                *asked.entry(slice).or_default() += 1;
            }
        }
    }
    asked
}
