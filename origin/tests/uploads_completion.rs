//! Uploads whose last step was lost: the process died between the bytes and the record of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use std::io::Write as _;

use site::Site;
use tidegate_testkit::files::{digest_of, random_bytes};
use tidegate_testkit::tus::id_of;

const SIZE: usize = 500_000;

/// What a crash leaves between the sync and the commit: bytes in the segment that the row does not know of.
fn leave_bytes(site: &Site, path: &str, bytes: &[u8]) {
    let segment = site.segment(id_of(path), 1);
    std::fs::OpenOptions::new().create(true).append(true).open(segment).unwrap().write_all(bytes).unwrap();
}

fn head_completes_an_upload_whose_last_answer_was_lost(site: &Site) {
    let bytes = random_bytes(1, SIZE);
    let origin = site.start();
    let path = origin.tus().create(SIZE as u64, "film.mp4");
    let _ = origin.send(&origin.tus().patch(&path, 0, &bytes[..123_456])).expect(204);
    origin.crash();
    leave_bytes(site, &path, &bytes[123_456..]);
    let origin = site.start();
    let head = origin.send(&origin.tus().request("HEAD", &path)).expect(200);
    assert_eq!(head.number("upload-offset"), Some(SIZE as u64));
    assert_eq!(head.header("tidegate-digest"), Some(&*digest_of(&bytes)));
    origin.assert_is(&path, &bytes);
}

fn invariant_2_the_bytes_on_disk_are_the_truth_not_the_record(site: &Site) {
    let bytes = random_bytes(2, SIZE);
    let origin = site.start();
    let path = origin.tus().create(SIZE as u64, "film.mp4");
    origin.crash();
    leave_bytes(site, &path, &bytes[..222_222]);
    let origin = site.start();
    assert_eq!(origin.tus().offset(&path), 222_222);
    let _ = origin.send(&origin.tus().patch(&path, 222_222, &bytes[222_222..])).expect(204);
    origin.assert_is(&path, &bytes);
}

on_both_columns!(
    head_completes_an_upload_whose_last_answer_was_lost,
    invariant_2_the_bytes_on_disk_are_the_truth_not_the_record
);

#[test]
fn an_empty_patch_completes_an_upload_whose_last_answer_was_lost() {
    let (site, bytes) = (Site::embedded(), random_bytes(3, SIZE));
    let origin = site.start();
    let path = origin.tus().create(SIZE as u64, "film.mp4");
    leave_bytes(&site, &path, &bytes);
    let answer = origin.send(&origin.tus().patch(&path, SIZE as u64, b"")).expect(204);
    assert_eq!(answer.header("tidegate-digest"), Some(&*digest_of(&bytes)));
    origin.assert_is(&path, &bytes);
}

#[test]
fn a_part_whose_last_answer_was_lost_is_completed_by_head() {
    let (site, bytes) = (Site::embedded(), random_bytes(4, SIZE));
    let origin = site.start();
    let tus = origin.tus();
    let part = tus.request("POST", "/files").header("Upload-Concat", "partial").header("Upload-Length", SIZE);
    let part = tidegate_testkit::tus::path_of(&origin.send(&part).expect(201));
    leave_bytes(&site, &part, &bytes);
    assert_eq!(tus.offset(&part), SIZE as u64);
    let whole = tus.request("POST", "/files").header("Upload-Concat", format!("final;{part}"));
    let whole = origin.send(&whole).expect(201);
    origin.assert_is(&tidegate_testkit::tus::path_of(&whole), &bytes);
}

/// A store that has lost acknowledged bytes is a fault to be seen, not a smaller offset to go on from.
#[test]
fn invariant_1_acknowledged_bytes_that_are_gone_are_an_error_and_no_smaller_offset() {
    let site = Site::embedded();
    let origin = site.start();
    let path = origin.tus().create(10, "a");
    let _ = origin.send(&origin.tus().patch(&path, 0, b"01234")).expect(204);
    std::fs::OpenOptions::new().write(true).open(site.segment(id_of(&path), 1)).unwrap().set_len(3).unwrap();
    let head = origin.send(&origin.tus().request("HEAD", &path)).expect(500);
    assert_eq!(head.header("upload-offset"), None);
}
