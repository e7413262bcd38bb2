//! Invariant 7: cache, fills in flight and what clients hold stay under what was configured, whatever the load.
//!
//! The bound stated here: resident memory stays below the ceiling and [`PROGRAM`], which is the program itself, its
//! threads and the allocator's own.
#![allow(clippy::disallowed_methods, reason = "a test's thread may sleep and look at the time")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use support::{ChildEdge, Object, Origin, open, random_bytes};
use tidegate_testkit::Random;
use tidegate_testkit::http::Request;
use tidegate_testkit::wait::eventually;

const MIB: usize = 1 << 20;
const CEILING: u64 = 64 << 20;
const PROGRAM: u64 = 24 << 20;
const OBJECTS: usize = 8;
const OBJECT: usize = 64 * MIB;

fn origin() -> (Origin, Bytes) {
    let origin = Origin::start();
    let bytes = Bytes::from(random_bytes(7, OBJECT));
    for object in 0..OBJECTS {
        origin.put(&format!("/film-{object}"), Object::new(bytes.clone(), &format!("e{object}")));
    }
    (origin, bytes)
}

#[test]
fn invariant_7_half_a_gigabyte_of_ranges_passes_through_64_mib_beside_slow_readers() {
    let (origin, bytes) = origin();
    let edge = ChildEdge::start(&origin, &["--forward", "all", "--memory", "64MiB"]);
    let idle = edge.process.resident_bytes();
    let slow: Vec<_> = (0..6).map(|n| open(edge.addr, &Request::get(&format!("/film-{n}")))).collect();
    let (highest, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                highest.fetch_max(edge.process.resident_bytes(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let readers: Vec<_> = (0..OBJECTS)
            .map(|object| {
                let (edge, bytes) = (&edge, &bytes);
                scope.spawn(move || {
                    let mut random = Random::seeded(object as u64);
                    for slice in 0..OBJECT / MIB {
                        // Every slice once, and ranges that lie across two.
                        let start = (slice * MIB + usize::try_from(random.within(&(0..=1000))).unwrap())
                            .min(OBJECT - MIB);
                        let range = format!("bytes={start}-{}", start + MIB - 1);
                        let request = Request::get(&format!("/film-{object}")).header("Range", range);
                        let answer = request.send(edge.addr).expect(206);
                        assert!(answer.whole && answer.body == bytes[start..start + MIB]);
                    }
                })
            })
            .collect();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let highest = highest.into_inner();
    println!("resident: idle {} MiB, highest {} MiB", idle >> 20, highest >> 20);
    assert!(highest < CEILING + PROGRAM, "{} MiB", highest >> 20);
    drop(slow);
}

#[test]
fn invariant_7_what_slow_clients_hold_counts_and_newcomers_are_refused_rather_than_the_ceiling_passed() {
    let (origin, _) = origin();
    let edge = ChildEdge::start(&origin, &["--forward", "all", "--memory", "16MiB"]);
    // Each holds a slice that it does not take, once the sockets in between are full.
    let slow: Vec<_> = (0..48)
        .map(|n| {
            let range = format!("bytes={}-", (n / OBJECTS) * 8 * MIB);
            let mut connection = tidegate_testkit::http::Connection::open(edge.addr).unwrap();
            let request = Request::get(&format!("/film-{}", n % OBJECTS)).header("Range", range);
            connection.send(&request.to_bytes()).unwrap();
            connection
        })
        .collect();
    let refused = eventually("a newcomer to be refused", Duration::from_secs(60), || {
        let answer = Request::get("/film-0").header("Range", "bytes=60000000-60000009").send(edge.addr);
        assert!(matches!(answer.status, 206 | 503), "{}", answer.status);
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(refused.problem(), "overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let resident = edge.process.resident_bytes();
    println!("resident with everything held: {} MiB", resident >> 20);
    assert!(resident < (16 << 20) + PROGRAM, "{} MiB", resident >> 20);
    drop(slow);
    eventually("room again", Duration::from_secs(30), || {
        let answer = Request::get("/film-0").header("Range", "bytes=60000000-60000009").send(edge.addr);
        (answer.status == 206).then_some(())
    });
}
