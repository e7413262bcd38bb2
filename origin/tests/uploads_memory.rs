//! What uploads cost in memory: the origin as a process of its own, at its peak as the kernel has counted it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use tidegate_testkit::files::{digest_of, random_bytes};
use tidegate_testkit::http::{Connection, Request};
use tidegate_testkit::process::Process;
use tidegate_testkit::tus::{Tus, id_of};
use tidegate_testkit::{Backing, Scene};

const UPLOADS: usize = 16;
const MOST_OVER_IDLE: u64 = 64 << 20;

fn peak_bytes(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

/// Runs `upload` this many times at once and returns by how much the peak has grown.
fn growth(scene: &Scene, uploads: usize, upload: impl Fn(&Tus) + Sync) -> u64 {
    let origin = scene.origin();
    let tus = scene.tus(origin.addr);
    let _ = tus.upload(b"hello", "first");
    let before = peak_bytes(&origin.process);
    std::thread::scope(|threads| {
        for _ in 0..uploads {
            threads.spawn(|| upload(&tus));
        }
    });
    peak_bytes(&origin.process) - before
}

#[test]
fn sixteen_uploads_side_by_side_stay_below_64_mib_over_idle() {
    let scene = Scene::new(Backing::Embedded);
    let bytes = random_bytes(1, 24 << 20);
    let grown = growth(&scene, UPLOADS, |tus| {
        let path = tus.upload(&bytes, "film.mp4");
        let api = scene.api(tus.addr);
        assert_eq!(api.asset(id_of(&path))["digest"], digest_of(&bytes));
    });
    eprintln!("{grown} bytes over idle");
    assert!(grown < MOST_OVER_IDLE, "{grown} bytes over idle");
}

/// Chunks of one byte are the dearest way to say something: every one is a piece of its own until it is written.
#[test]
fn bodies_in_chunks_of_one_byte_cost_no_more_than_others() {
    const CHUNKS: usize = 130_000;
    let scene = Scene::new(Backing::Embedded);
    let grown = growth(&scene, 2, |tus| {
        let path = tus.create(CHUNKS as u64, "film.mp4");
        let head = tus.patch(&path, 0, &[]).header("Transfer-Encoding", "chunked").to_bytes();
        let mut connection = Connection::open(tus.addr).unwrap();
        connection.send(&head).unwrap();
        connection.send(&b"1\r\nx\r\n".repeat(CHUNKS)).unwrap();
        connection.send(b"0\r\n\r\n").unwrap();
        let _ = connection.response("PATCH").unwrap().expect(204);
        assert_eq!(scene.api(tus.addr).asset(id_of(&path))["digest"], digest_of(&[b'x'; CHUNKS]));
    });
    eprintln!("{grown} bytes over idle");
    assert!(grown < 6 << 20, "{grown} bytes over idle");
}

/// Viewers that take nothing: each holds a piece, not the file.
#[test]
fn viewers_that_do_not_read_hold_little() {
    let scene = Scene::new(Backing::Embedded);
    let bytes = random_bytes(2, 24 << 20);
    let origin = scene.origin();
    let path = scene.tus(origin.addr).upload(&bytes, "film.mp4");
    let before = peak_bytes(&origin.process);
    let request = Request::get(&format!("/media/{}/source", id_of(&path))).bearer(&scene.token());
    let mut viewers: Vec<_> = (0..UPLOADS).map(|_| Connection::open(origin.addr).unwrap()).collect();
    for viewer in &mut viewers {
        viewer.send(&request.to_bytes()).unwrap();
    }
    for viewer in &mut viewers {
        assert_eq!(viewer.head().unwrap().status, 200);
    }
    let grown = peak_bytes(&origin.process) - before;
    eprintln!("{grown} bytes over idle");
    assert!(grown < MOST_OVER_IDLE, "{grown} bytes over idle");
}
