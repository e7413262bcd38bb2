//! A file goes up through a proxy that breaks the connection again and again: it arrives whole, and what is sent
//! twice is bounded by what the sockets on the way can hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use tidegate_testkit::files::{digest_of, random_file};
use tidegate_testkit::proxy::{Fault, FaultProxy, Faults, Plan};
use tidegate_testkit::{Backing, Scene, Upload};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 64 * MIB;
/// Head fields and whatever else is not the file, per connection and direction, in bytes; generously.
const OVERHEAD: u64 = 16 * 1024;
/// What the uploader itself has read ahead of its socket, in bytes; generously.
const UPLOADER_AHEAD: u64 = MIB;

struct Sent {
    resent: u64,
    /// Bytes the proxy gave to the origin beyond the file.
    twice_at_origin: u64,
    cuts: u64,
    connections: u64,
    most_per_cut: u64,
}

fn upload_through(fault: Fault, seed: u64, more: &[&str]) -> Sent {
    let scene = Scene::new(Backing::Embedded);
    let origin = scene.origin();
    let to_server = Faults::every(MIB..=3 * MIB, fault);
    let plan = Plan { seed, to_server, socket_buffer: Some(64 * 1024), ..Plan::default() };
    let proxy = FaultProxy::start(origin.addr, plan);
    let file = scene.folder().join("file");
    let digest = random_file(&file, seed, SIZE);

    let upload =
        Upload::start(&file, &proxy.url(), &scene.token_file(), &scene.folder().join("journal"), more);
    let finished = upload.finish();

    assert_eq!((&finished.digest, finished.size_bytes), (&digest, SIZE));
    assert_eq!(digest_of(&scene.api(origin.addr).source(&finished.id).expect(200).body), digest);
    let counts = proxy.counts();
    let sent = Sent {
        resent: finished.resent_bytes,
        twice_at_origin: counts.to_server - SIZE,
        cuts: counts.cuts,
        connections: counts.connections,
        most_per_cut: system_buffer("wmem") + UPLOADER_AHEAD + proxy.most_held_to_server().unwrap(),
    };
    println!(
        "{fault:?}: {SIZE} bytes, {} cuts, {} connections: sent twice by the client {} bytes ({} a cut, bound {}), \
         of them twice to the origin {}",
        sent.cuts,
        sent.connections,
        sent.resent,
        sent.resent / sent.cuts,
        sent.most_per_cut,
        sent.twice_at_origin
    );
    assert!(sent.cuts >= SIZE / (3 * MIB), "{} cuts", sent.cuts);
    assert!(sent.resent <= sent.cuts * sent.most_per_cut);
    sent
}

/// The largest buffer the system gives a TCP socket: `tcp_wmem` to send, `tcp_rmem` to receive.
fn system_buffer(which: &str) -> u64 {
    let limits = std::fs::read_to_string(format!("/proc/sys/net/ipv4/tcp_{which}")).unwrap();
    limits.split_whitespace().nth(2).unwrap().parse().unwrap()
}

#[test]
fn a_closed_connection_loses_no_byte_that_reached_the_origin() {
    let sent = upload_through(Fault::Close, 11, &[]);
    // The proxy closed after it had passed everything on: the origin keeps as many bytes as arrived.
    assert!(sent.twice_at_origin <= sent.connections * OVERHEAD, "{} bytes", sent.twice_at_origin);
}

#[test]
fn a_reset_connection_costs_at_most_what_its_sockets_held() {
    let sent = upload_through(Fault::Reset, 12, &[]);
    let most = sent.cuts * (sent.most_per_cut + system_buffer("rmem")) + sent.connections * OVERHEAD;
    assert!(sent.twice_at_origin <= most, "{} bytes", sent.twice_at_origin);
}

#[test]
fn parallel_parts_arrive_whole_through_the_same_cuts() {
    upload_through(Fault::Close, 13, &["--parallel", "4"]);
}
