//! The origin dies, or is stopped, in the middle of uploads (invariant 2).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use site::Site;
use tidegate_testkit::files::random_bytes;

const SIZE: usize = 1_500_000;

fn invariant_2_an_upload_goes_on_over_crashes_at_any_byte(site: &Site) {
    let bytes = random_bytes(1, SIZE);
    let mut origin = site.start();
    let path = origin.tus().create(SIZE as u64, "film.mp4");
    let (mut at, mut acknowledged) = (0, 0);
    for step in [65_536usize, 1, 300_000, 131_071, 250_000] {
        let hanging = origin.hanging_patch(&path, at as u64, (SIZE - at) as u64, &bytes[at..at + step]);
        origin.wait_received(step as u64);
        origin.crash();
        drop(hanging);
        origin = site.start();
        let offset = origin.tus().offset(&path);
        assert!(offset >= acknowledged, "{offset} after {acknowledged}");
        assert!(offset <= (at + step) as u64);
        acknowledged = offset;
        at = usize::try_from(offset).unwrap();
    }
    let _ = origin.send(&origin.tus().patch(&path, at as u64, &bytes[at..])).expect(204);
    origin.assert_is(&path, &bytes);
    origin.crash();
    site.start().assert_is(&path, &bytes);
}

fn a_sha_256_that_was_asked_for_is_made_over_resumes_and_crashes(site: &Site) {
    let bytes = random_bytes(2, SIZE);
    let origin = site.start();
    let tus = origin.tus();
    let create = tus.request("POST", "/files").header("Upload-Length", SIZE);
    let create = create.header("Want-Repr-Digest", "sha-512=3, sha-256=10");
    let path = tidegate_testkit::tus::path_of(&origin.send(&create).expect(201));
    let _ = origin.send(&tus.patch(&path, 0, &bytes[..100_001])).expect(204);
    let _ = origin.send(&tus.patch(&path, 100_001, &bytes[100_001..100_050])).expect(204);
    let hanging = origin.hanging_patch(&path, 100_050, (SIZE - 100_050) as u64, &bytes[100_050..700_000]);
    origin.wait_received(700_000);
    origin.crash();
    drop(hanging);
    let origin = site.start();
    let at = usize::try_from(origin.tus().offset(&path)).unwrap();
    assert!(at >= 100_050);
    let last = origin.send(&origin.tus().patch(&path, at as u64, &bytes[at..])).expect(204);
    let expected = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
    assert_eq!(last.header("repr-digest"), Some(&*expected));
    let head = origin.send(&origin.tus().request("HEAD", &path)).expect(200);
    assert_eq!(head.header("repr-digest"), Some(&*expected));
    assert_eq!(origin.asset(&path)["sha256"], tidegate_wire::digest::to_hex(&Sha256::digest(&bytes)));
    origin.assert_is(&path, &bytes);
}

fn a_stopping_origin_keeps_what_came_and_says_so(site: &Site) {
    let bytes = random_bytes(3, SIZE);
    let origin = site.start();
    let path = origin.tus().create(SIZE as u64, "film.mp4");
    let mut hanging = origin.hanging_patch(&path, 0, SIZE as u64, &bytes[..400_000]);
    origin.wait_received(400_000);
    origin.stop();
    let answer = hanging.response("PATCH").unwrap();
    assert_eq!((answer.status, &*answer.problem()), (503, "shutting_down"), "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let origin = site.start();
    assert_eq!(origin.tus().offset(&path), 400_000);
    let again = origin.app.metrics.uploads.rehashed_bytes.get();
    assert!(again <= 65_536, "{again} bytes were read again after an orderly stop");
    let _ = origin.send(&origin.tus().patch(&path, 400_000, &bytes[400_000..])).expect(204);
    origin.assert_is(&path, &bytes);
}

on_both_columns!(
    invariant_2_an_upload_goes_on_over_crashes_at_any_byte,
    a_sha_256_that_was_asked_for_is_made_over_resumes_and_crashes,
    a_stopping_origin_keeps_what_came_and_says_so,
);

#[test]
fn a_sha_256_with_weight_0_is_not_made() {
    let site = Site::embedded();
    let origin = site.start();
    let create = origin.tus().request("POST", "/files").header("Upload-Length", 0);
    let answer = origin.send(&create.header("Want-Repr-Digest", "sha-256=0")).expect(201);
    assert_eq!(answer.header("repr-digest"), None);
}
