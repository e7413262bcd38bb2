//! Bodies that end before their time or go on past it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use site::{Origin, Site};
use tidegate_testkit::files::random_bytes;
use tidegate_testkit::http::{Connection, Response};
use tidegate_testkit::tus::{id_of, path_of};

/// Sends a body in one chunk, without saying before how long it is.
fn send_chunked(origin: &Origin, path: &str, offset: u64, body: &[u8]) -> Response {
    let head = origin.tus().patch(path, offset, &[]).header("Transfer-Encoding", "chunked").to_bytes();
    let mut connection = Connection::open(origin.addr).unwrap();
    connection.send(&head).unwrap();
    let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
    let _ = connection.send(&chunk);
    connection.response("PATCH").unwrap()
}

/// Invariant 1: what is kept of a broken body is told by HEAD, is on disk, and is what was sent.
fn invariant_1_a_dropped_connection_keeps_what_arrived(site: &Site) {
    let origin = site.start();
    let (tus, bytes) = (origin.tus(), random_bytes(1, 1_000_000));
    let path = tus.create(bytes.len() as u64, "film.mp4");
    let first = origin.hanging_patch(&path, 0, 1_000_000, &bytes[..300_001]);
    origin.wait_received(300_001);
    drop(first);
    assert_eq!(tus.offset(&path), 300_001);
    assert_eq!(std::fs::read(site.segment(id_of(&path), 1)).unwrap(), &bytes[..300_001]);

    let head = tus.patch(&path, 300_001, &[]).header("Transfer-Encoding", "chunked").to_bytes();
    let mut second = Connection::open(origin.addr).unwrap();
    second.send(&head).unwrap();
    second.send(format!("{:x}\r\n", 600_000).as_bytes()).unwrap();
    second.send(&bytes[300_001..500_000]).unwrap();
    origin.wait_received(500_000);
    drop(second);
    assert_eq!(tus.offset(&path), 500_000);

    let _ = origin.send(&tus.patch(&path, 500_000, &bytes[500_000..])).expect(204);
    origin.assert_is(&path, &bytes);
}

fn a_chunked_body_past_the_length_changes_nothing(site: &Site) {
    let origin = site.start();
    let (tus, bytes) = (origin.tus(), random_bytes(2, 400_000));
    let path = tus.create(bytes.len() as u64, "film.mp4");
    let _ = origin.send(&tus.patch(&path, 0, &bytes[..100_000])).expect(204);
    let long = [&bytes[100_000..], b"one too many"].concat();
    for _ in 0..3 {
        let answer = send_chunked(&origin, &path, 100_000, &long).expect(413);
        assert_eq!(answer.problem(), "upload_body_too_long");
        assert_eq!(tus.offset(&path), 100_000);
    }
    let _ = send_chunked(&origin, &path, 100_000, &bytes[100_000..]).expect(204);
    origin.assert_is(&path, &bytes);
}

on_both_columns!(
    invariant_1_a_dropped_connection_keeps_what_arrived,
    a_chunked_body_past_the_length_changes_nothing
);

#[test]
fn a_body_past_a_length_it_brought_itself_changes_not_even_the_length() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let path =
        path_of(&origin.send(&tus.request("POST", "/files").header("Upload-Defer-Length", 1)).expect(201));
    let head =
        tus.patch(&path, 0, &[]).header("Upload-Length", 3).header("Transfer-Encoding", "chunked").to_bytes();
    let mut connection = Connection::open(origin.addr).unwrap();
    connection.send(&[&*head, b"5\r\nhello\r\n0\r\n\r\n"].concat()).unwrap();
    let answer = connection.response("PATCH").unwrap().expect(413);
    assert_eq!(answer.problem(), "upload_body_too_long");
    let head = origin.send(&tus.request("HEAD", &path)).expect(200);
    assert_eq!((head.number("upload-offset"), head.header("upload-defer-length")), (Some(0), Some("1")));
}

#[test]
fn a_body_without_a_length_past_the_largest_size_changes_nothing() {
    let site = Site::embedded();
    let origin = site.start_with(|config| config.max_upload.0 = 1000);
    let tus = origin.tus();
    let path =
        path_of(&origin.send(&tus.request("POST", "/files").header("Upload-Defer-Length", 1)).expect(201));
    assert_eq!(send_chunked(&origin, &path, 0, &[7; 1001]).expect(413).problem(), "upload_too_large");
    assert_eq!(tus.offset(&path), 0);
    let _ = send_chunked(&origin, &path, 0, &[7; 1000]).expect(204);
}

#[test]
fn bytes_for_a_complete_upload_are_refused_however_they_come() {
    let site = Site::embedded();
    let origin = site.start();
    let path = origin.tus().upload(b"hello", "a");
    let sized = origin.send(&origin.tus().patch(&path, 5, b"more")).expect(413);
    assert_eq!(sized.problem(), "upload_body_too_long");
    assert_eq!(send_chunked(&origin, &path, 5, b"more").expect(413).problem(), "upload_body_too_long");
    let _ = send_chunked(&origin, &path, 5, b"").expect(204);
    origin.assert_is(&path, b"hello");
}

#[test]
fn many_interruptions_leave_one_segment_and_read_little_again() {
    let site = Site::embedded();
    let origin = site.start();
    let (tus, bytes) = (origin.tus(), random_bytes(3, 2_000_000));
    let path = tus.create(bytes.len() as u64, "film.mp4");
    let mut at = 0;
    for step in [1, 65_535, 65_536, 65_537, 200_000, 131_072, 7, 400_001] {
        let to = at + step;
        drop(origin.hanging_patch(&path, at as u64, (bytes.len() - at) as u64, &bytes[at..to]));
        // The offset is asked only when the bytes have come, or it would rightly be smaller.
        origin.wait_received(to as u64);
        assert_eq!(tus.offset(&path), to as u64);
        at = to;
    }
    let _ = origin.send(&tus.patch(&path, at as u64, &bytes[at..])).expect(204);
    origin.assert_is(&path, &bytes);
    assert_eq!(site.stored().len(), 1, "a writer that stopped in order hands its segment on");
    let again = origin.app.metrics.uploads.rehashed_bytes.get();
    assert!(again <= 9 * 65_536, "{again} bytes were read again");
}
