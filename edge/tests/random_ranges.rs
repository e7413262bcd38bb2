//! Many random ranges, read by several clients under constant eviction, byte for byte as the origin has them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Object, Origin, TestEdge, config, random_bytes};
use tidegate_edge::{EdgeConfig, Forward};
use tidegate_serve::Clock;
use tidegate_testkit::Random;
use tidegate_testkit::http::{Connection, Request};
use tidegate_wire::ByteSize;

const SLICE: usize = 256 << 10;

#[test]
fn every_range_is_right_while_everything_is_evicted_again_and_again() {
    let origin = Origin::start();
    // Three times what the cache holds.
    let objects: Vec<Vec<u8>> =
        (0..6).map(|n| random_bytes(n, 6 * (1 << 20) + 4321 * usize::try_from(n).unwrap())).collect();
    for (n, bytes) in objects.iter().enumerate() {
        origin.put(&format!("/o{n}"), Object::new(bytes.clone(), &format!("e{n}")));
    }
    let small = EdgeConfig {
        forward: Forward::All,
        memory: ByteSize(16 << 20),
        slice: ByteSize(SLICE as u64),
        ..config(&origin)
    };
    let edge = TestEdge::start(small, Clock::system());
    std::thread::scope(|scope| {
        for client in 0..6u64 {
            let (edge, objects) = (&edge, &objects);
            scope.spawn(move || {
                let mut random = Random::seeded(client);
                let mut connection = Connection::open(edge.addr).unwrap();
                for step in 0..150 {
                    let n = usize::try_from(random.within(&(0..=5))).unwrap();
                    let bytes = &objects[n];
                    let last = bytes.len() as u64 - 1;
                    let start = random.within(&(0..=last));
                    let most =
                        [10, 5000, 400_000, 2 << 20][usize::try_from(random.within(&(0..=3))).unwrap()];
                    let end = (start + random.within(&(0..=most))).min(last);
                    // Now and then a client leaves in the middle.
                    if step % 10 == 9 {
                        let mut leaver = Connection::open(edge.addr).unwrap();
                        let request =
                            Request::get(&format!("/o{n}")).header("Range", format!("bytes={start}-"));
                        leaver.send(&request.to_bytes()).unwrap();
                        let _ = leaver.read_some(1000);
                    }
                    let request =
                        Request::get(&format!("/o{n}")).header("Range", format!("bytes={start}-{end}"));
                    let answer = connection.exchange(&request).unwrap().expect(206);
                    let expected = &bytes[usize::try_from(start).unwrap()..=usize::try_from(end).unwrap()];
                    assert!(answer.whole && answer.body == expected, "/o{n} {start}-{end}");
                }
            });
        }
    });
    assert!(edge.metric("tidegate_edge_evictions_total", &[]) > 50.0, "there was eviction");
    let budget = edge.metric("tidegate_edge_memory_budget_bytes", &[]);
    let used = edge.metric("tidegate_edge_memory_bytes", &["use=\"cache\""])
        + edge.metric("tidegate_edge_memory_bytes", &["use=\"held\""]);
    assert!(used <= budget, "{used} of {budget}");
}
