//! One writer per upload (invariant 3): the newer request gets it, and its bytes are never mixed with the older's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod faulty;
mod site;

use std::time::Duration;

use faulty::FaultyStore;
use site::Site;
use tidegate_testkit::files::random_bytes;
use tidegate_testkit::http::Connection;
use tidegate_testkit::tus::id_of;
use tidegate_testkit::wait::eventually_true;

const SIZE: usize = 700_000;
const SENT: usize = 200_003;

/// The older request is told so, or its connection is gone: it never hears that its bytes were taken.
fn assert_gave_way(connection: &mut Connection) {
    if let Ok(answer) = connection.response("PATCH") {
        assert_eq!((answer.status, &*answer.problem()), (423, "upload_taken_over"));
    }
}

fn invariant_3_a_second_request_takes_over_from_one_that_hangs(site: &Site) {
    let origin = site.start();
    let (tus, bytes) = (origin.tus(), random_bytes(1, SIZE));
    let path = tus.create(SIZE as u64, "film.mp4");
    let mut first = origin.hanging_patch(&path, 0, SIZE as u64, &bytes[..SENT]);
    origin.wait_received(SENT as u64);
    let second = origin.send(&tus.patch(&path, SENT as u64, &bytes[SENT..])).expect(204);
    assert_eq!(second.number("upload-offset"), Some(SIZE as u64));
    assert_gave_way(&mut first);
    origin.assert_is(&path, &bytes);
    assert_eq!(origin.app.metrics.uploads.takeovers.get(), 0, "it stopped when it was asked to");
}

fn invariant_3_head_stops_a_request_that_hangs_and_its_answer_holds(site: &Site) {
    let origin = site.start();
    let (tus, bytes) = (origin.tus(), random_bytes(2, SIZE));
    let path = tus.create(SIZE as u64, "film.mp4");
    let mut first = origin.hanging_patch(&path, 0, SIZE as u64, &bytes[..SENT]);
    origin.wait_received(SENT as u64);
    assert_eq!(tus.offset(&path), SENT as u64);
    // What the old client still sends is not the upload's any more.
    let _ = first.send(&random_bytes(3, 50_000));
    assert_gave_way(&mut first);
    assert_eq!(tus.offset(&path), SENT as u64);
    let _ = origin.send(&tus.patch(&path, SENT as u64, &bytes[SENT..])).expect(204);
    origin.assert_is(&path, &bytes);
}

fn invariant_3_an_old_client_that_trickles_other_bytes_spoils_nothing(site: &Site) {
    let origin = site.start();
    let (tus, bytes) = (origin.tus(), random_bytes(4, SIZE));
    let path = tus.create(SIZE as u64, "film.mp4");
    let mut old = origin.hanging_patch(&path, 0, SIZE as u64, &bytes[..SENT]);
    origin.wait_received(SENT as u64);
    let mut new = origin.hanging_patch(&path, SENT as u64, (SIZE - SENT) as u64, &[]);
    // The new one has it as soon as bytes of its own have come in.
    new.send(&bytes[SENT..SENT + 10_000]).unwrap();
    origin.wait_received((SENT + 10_000) as u64);
    let rubbish = random_bytes(5, 5_000);
    for piece in bytes[SENT + 10_000..].chunks(50_000) {
        let _ = old.send(&rubbish);
        new.send(piece).unwrap();
    }
    let _ = new.response("PATCH").unwrap().expect(204);
    assert_gave_way(&mut old);
    origin.assert_is(&path, &bytes);
}

fn an_upload_is_terminated_while_a_request_hangs_on_it(site: &Site) {
    let origin = site.start();
    let (tus, bytes) = (origin.tus(), random_bytes(6, SIZE));
    let path = tus.create(SIZE as u64, "film.mp4");
    let mut first = origin.hanging_patch(&path, 0, SIZE as u64, &bytes[..SENT]);
    origin.wait_received(SENT as u64);
    let _ = origin.send(&tus.request("DELETE", &path)).expect(204);
    assert_gave_way(&mut first);
    let _ = origin.send(&tus.request("HEAD", &path)).expect(410);
    assert_eq!(site.stored().len(), 0);
}

on_both_columns!(
    invariant_3_a_second_request_takes_over_from_one_that_hangs,
    invariant_3_head_stops_a_request_that_hangs_and_its_answer_holds,
    invariant_3_an_old_client_that_trickles_other_bytes_spoils_nothing,
    an_upload_is_terminated_while_a_request_hangs_on_it,
);

/// The disk of the first writer hangs in the middle of a write and finishes it after the second has taken over: the
/// late bytes land behind the seal, and the late commit finds the fence raised.
#[test]
fn invariant_3_a_writer_that_hangs_in_a_write_is_pushed_aside_and_its_late_bytes_are_nowhere() {
    let site = Site::embedded();
    let faulty = FaultyStore::around(site.folder());
    let origin = site.start_changed(|app| app.store = faulty.clone());
    let (tus, bytes) = (origin.tus(), random_bytes(7, SIZE));
    let path = tus.create(SIZE as u64, "film.mp4");
    let _ = origin.send(&tus.patch(&path, 0, &bytes[..SENT])).expect(204);

    faulty.hold_appends();
    let rest = (SIZE - SENT) as u64;
    let mut old = origin.hanging_patch(&path, SENT as u64, rest, &random_bytes(8, SIZE - SENT));
    faulty.wait_held(1);
    faulty.let_new_appends_pass();
    assert_eq!(tus.offset(&path), SENT as u64, "nothing of what hangs counts");
    let _ = origin.send(&tus.patch(&path, SENT as u64, &bytes[SENT..400_000])).expect(204);
    faulty.release();
    assert_gave_way(&mut old);
    eventually_true("the late bytes to be written", Duration::from_secs(30), || {
        std::fs::metadata(site.segment(id_of(&path), 1)).unwrap().len() > SENT as u64
    });
    let _ = origin.send(&tus.patch(&path, 400_000, &bytes[400_000..])).expect(204);
    origin.assert_is(&path, &bytes);
    assert_eq!(origin.app.metrics.uploads.takeovers.get(), 1);
}

/// A disk that fails to make bytes durable has perhaps lost them, whatever a second try says.
#[test]
fn invariant_1_bytes_whose_sync_failed_are_not_acknowledged_and_are_taken_again() {
    let site = Site::embedded();
    let faulty = FaultyStore::around(site.folder());
    let origin = site.start_changed(|app| app.store = faulty.clone());
    let (tus, bytes) = (origin.tus(), random_bytes(9, SIZE));
    let path = tus.create(SIZE as u64, "film.mp4");
    let _ = origin.send(&tus.patch(&path, 0, &bytes[..SENT])).expect(204);
    // In the middle, and where it would have been the last of the file.
    for end in [400_000, SIZE] {
        faulty.fail_next_sync();
        let answer = origin.send(&tus.patch(&path, SENT as u64, &bytes[SENT..end]));
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert_eq!(tus.offset(&path), SENT as u64);
    }
    let _ = origin.send(&tus.patch(&path, SENT as u64, &bytes[SENT..])).expect(204);
    origin.assert_is(&path, &bytes);
}

#[test]
fn a_full_disk_keeps_what_fitted_and_the_upload_goes_on_when_there_is_room() {
    let site = Site::embedded();
    let faulty = FaultyStore::around(site.folder());
    let origin = site.start_changed(|app| app.store = faulty.clone());
    let (tus, bytes) = (origin.tus(), random_bytes(10, SIZE));
    let path = tus.create(SIZE as u64, "film.mp4");
    faulty.room_for(Some(300_000));
    let answer = origin.send(&tus.patch(&path, 0, &bytes));
    assert_eq!((answer.status, &*answer.problem()), (507, "storage_full"), "{answer:?}");
    let offset = usize::try_from(tus.offset(&path)).unwrap();
    assert!((1..=300_000).contains(&offset), "{offset} bytes were kept");
    faulty.room_for(None);
    let _ = origin.send(&tus.patch(&path, offset as u64, &bytes[offset..])).expect(204);
    origin.assert_is(&path, &bytes);
}

/// Two origins; Redis forgets in the middle that the first one writes.
#[test]
fn invariant_3_redis_forgets_a_writer_and_another_origin_takes_over() {
    let site = Site::cluster();
    let (one, two) = (site.start(), site.start());
    let (tus, bytes) = (two.tus(), random_bytes(11, SIZE));
    let path = tus.create(SIZE as u64, "film.mp4");
    let mut old = one.hanging_patch(&path, 0, SIZE as u64, &bytes[..SENT]);
    one.wait_received(SENT as u64);
    site.redis.as_ref().unwrap().flush();
    let offset = usize::try_from(tus.offset(&path)).unwrap();
    assert!(offset <= SENT);
    // The old one does not know yet and goes on to its end, with bytes of its own.
    let _ = old.send(&random_bytes(12, SIZE - SENT));
    assert_gave_way(&mut old);
    assert_eq!(tus.offset(&path), offset as u64);
    let _ = two.send(&tus.patch(&path, offset as u64, &bytes[offset..])).expect(204);
    two.assert_is(&path, &bytes);
}

#[test]
fn invariant_3_another_origin_takes_over_from_one_that_hangs() {
    let site = Site::cluster();
    let (one, two) = (site.start(), site.start());
    let (tus, bytes) = (two.tus(), random_bytes(13, SIZE));
    let path = tus.create(SIZE as u64, "film.mp4");
    let mut old = one.hanging_patch(&path, 0, SIZE as u64, &bytes[..SENT]);
    one.wait_received(SENT as u64);
    let _ = two.send(&tus.patch(&path, SENT as u64, &bytes[SENT..])).expect(204);
    assert_gave_way(&mut old);
    two.assert_is(&path, &bytes);
    one.assert_is(&path, &bytes);
    assert_eq!(two.app.metrics.uploads.takeovers.get(), 0, "the other origin stopped when it was asked to");
}
