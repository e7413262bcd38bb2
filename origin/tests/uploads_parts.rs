//! Files made of parts (tus 1.0, concatenation).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use site::{Origin, Site};
use tidegate_testkit::files::{digest_of, random_bytes};
use tidegate_testkit::http::{Request, Response};
use tidegate_testkit::tus::{Tus, path_of};

const GROUP: u64 = 64 * 1024;

fn partial(tus: &Tus, length: usize, offset: Option<usize>) -> Request {
    let request =
        tus.request("POST", "/files").header("Upload-Concat", "partial").header("Upload-Length", length);
    offset.iter().fold(request, |request, offset| request.header("Upload-Part-Offset", offset))
}

fn create_part(origin: &Origin, length: usize, offset: Option<usize>) -> String {
    path_of(&origin.send(&partial(&origin.tus(), length, offset)).expect(201))
}

fn whole(origin: &Origin, parts: &[String]) -> Response {
    let field = format!("final;{}", parts.join(" "));
    origin.send(&origin.tus().request("POST", "/files").header("Upload-Concat", field))
}

/// Cuts `bytes` at these places and uploads the pieces side by side, each in two requests.
fn upload_side_by_side(origin: &Origin, bytes: &[u8], cuts: &[usize], hints: bool) -> Vec<String> {
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let pieces: Vec<_> = starts.zip(ends).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = pieces
            .into_iter()
            .map(|(from, to)| {
                scope.spawn(move || {
                    let (tus, piece) = (origin.tus(), &bytes[from..to]);
                    let path = create_part(origin, piece.len(), hints.then_some(from));
                    let half = piece.len() / 3;
                    let _ = origin.send(&tus.patch(&path, 0, &piece[..half])).expect(204);
                    let _ = origin.send(&tus.patch(&path, half as u64, &piece[half..])).expect(204);
                    path
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Invariant 4: with the places known, only the groups that straddle two parts are read again, and the one a resume
/// began in.
fn invariant_4_parts_that_say_where_they_belong_are_not_read_again(site: &Site) {
    let (origin, bytes) = (site.start(), random_bytes(1, 5_000_000));
    let parts = upload_side_by_side(&origin, &bytes, &[1_234_567, 2_097_152, 2_097_153, 4_000_000], true);
    let before = origin.app.metrics.uploads.rehashed_bytes.get();
    assert!(before <= 5 * GROUP, "{before} bytes were read again to resume");
    let answer = whole(&origin, &parts).expect(201);
    assert_eq!(answer.header("tidegate-digest"), Some(&*digest_of(&bytes)));
    let again = origin.app.metrics.uploads.rehashed_bytes.get() - before;
    assert!(again <= 4 * GROUP, "{again} bytes were read again to combine");
    origin.assert_is(&path_of(&answer), &bytes);
}

fn parts_that_do_not_say_where_they_belong_make_the_same_file(site: &Site) {
    let (origin, bytes) = (site.start(), random_bytes(2, 3_000_000));
    let parts = upload_side_by_side(&origin, &bytes, &[1_000_001, 1_000_002], false);
    let answer = whole(&origin, &parts).expect(201);
    origin.assert_is(&path_of(&answer), &bytes);
}

on_both_columns!(
    invariant_4_parts_that_say_where_they_belong_are_not_read_again,
    parts_that_do_not_say_where_they_belong_make_the_same_file
);

#[test]
fn a_whole_tells_its_parts_and_takes_no_bytes() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let parts = upload_side_by_side(&origin, b"hello world", &[5], true);
    let head = origin.send(&tus.request("HEAD", &parts[0])).expect(200);
    assert_eq!((head.header("upload-concat"), head.number("upload-offset")), (Some("partial"), Some(5)));
    assert_eq!(head.header("tidegate-digest"), None, "a part is no asset");

    let field = format!("final;http://{}{} {}", origin.addr, parts[0], parts[1]);
    let name = format!("filename {}", STANDARD.encode("a.txt"));
    let create =
        tus.request("POST", "/files").header("Upload-Concat", &field).header("Upload-Metadata", &name);
    let path = path_of(&origin.send(&create).expect(201));
    let head = origin.send(&tus.request("HEAD", &path)).expect(200);
    assert_eq!(head.header("upload-concat"), Some(&*field));
    assert_eq!(head.header("upload-metadata"), Some(&*name));
    assert_eq!((head.number("upload-offset"), head.number("upload-length")), (Some(11), Some(11)));
    assert_eq!(origin.send(&tus.patch(&path, 11, b"")).expect(403).problem(), "upload_final");
    assert_eq!(origin.asset(&path)["name"], "a.txt");
    origin.assert_is(&path, b"hello world");
}

#[test]
fn parts_are_used_again_in_any_order_and_a_wrong_place_does_no_harm() {
    let site = Site::embedded();
    let (origin, bytes) = (site.start(), random_bytes(3, 900_000));
    let parts = upload_side_by_side(&origin, &bytes, &[300_000], true);
    let (a, b) = bytes.split_at(300_000);
    for (order, expected) in [
        (vec![0, 1], [a, b].concat()),
        (vec![1, 0], [b, a].concat()),
        (vec![0, 0, 1], [a, a, b].concat()),
        (vec![1], b.to_vec()),
    ] {
        let list: Vec<_> = order.iter().map(|&n: &usize| parts[n].clone()).collect();
        let path = path_of(&whole(&origin, &list).expect(201));
        origin.assert_is(&path, &expected);
    }
}

#[test]
fn empty_and_tiny_parts_are_parts() {
    let site = Site::embedded();
    let origin = site.start();
    let parts =
        [create_part(&origin, 0, None), create_part(&origin, 1, Some(0)), create_part(&origin, 0, Some(1))];
    let _ = origin.send(&origin.tus().patch(&parts[1], 0, b"x")).expect(204);
    origin.assert_is(&path_of(&whole(&origin, &parts).expect(201)), b"x");
    origin.assert_is(&path_of(&whole(&origin, &parts[..1]).expect(201)), b"");
}

#[test]
fn what_is_no_finished_part_of_ones_own_is_refused_and_leaves_nothing() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let done = upload_side_by_side(&origin, b"hello", &[], true).remove(0);
    let unfinished = create_part(&origin, 10, None);
    let _ = origin.send(&tus.patch(&unfinished, 0, b"01234")).expect(204);
    let single = tus.upload(b"hello", "a");
    let gone = create_part(&origin, 0, None);
    let _ = origin.send(&tus.request("DELETE", &gone)).expect(204);
    let stranger = Tus::new(origin.addr, origin.account("stranger"));
    let foreign = path_of(&origin.send(&partial(&stranger, 0, None)).expect(201));
    let unknown = "/files/01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
    let files = site.stored().len();
    for (part, code) in [
        (unfinished, "upload_part_unfinished"),
        (single, "upload_part_unknown"),
        (gone, "upload_part_unknown"),
        (foreign, "upload_part_unknown"),
        (unknown, "upload_part_unknown"),
        ("/files/..".to_owned(), "upload_part_unknown"),
    ] {
        let answer = whole(&origin, &[done.clone(), part.clone()]).expect(400);
        assert_eq!(answer.problem(), code, "{part}");
    }
    assert_eq!(whole(&origin, &[]).expect(400).problem(), "upload_concat_invalid");
    assert_eq!(site.stored().len(), files);
}

#[test]
fn parts_and_wholes_are_ended_each_by_itself() {
    let site = Site::embedded();
    let (origin, bytes) = (site.start(), random_bytes(4, 300_000));
    let tus = origin.tus();
    let parts = upload_side_by_side(&origin, &bytes, &[100_000], true);
    let first = path_of(&whole(&origin, &parts).expect(201));
    let second = path_of(&whole(&origin, &parts).expect(201));
    let _ = origin.send(&tus.request("DELETE", &first)).expect(204);
    origin.assert_is(&second, &bytes);
    for part in &parts {
        let _ = origin.send(&tus.request("DELETE", part)).expect(204);
    }
    origin.assert_is(&second, &bytes);
    let _ = origin.send(&tus.request("DELETE", &second)).expect(204);
    assert_eq!(site.stored().len(), 0, "nothing is left: {:?}", site.stored());
}

#[test]
fn a_sha_256_of_a_whole_is_made_when_it_is_asked_for() {
    let site = Site::embedded();
    let (origin, bytes) = (site.start(), random_bytes(5, 300_000));
    let parts = upload_side_by_side(&origin, &bytes, &[100_000], true);
    let field = format!("final;{}", parts.join(" "));
    let create = origin.tus().request("POST", "/files").header("Upload-Concat", field);
    let answer = origin.send(&create.header("Want-Repr-Digest", "sha-256=1")).expect(201);
    let expected = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
    assert_eq!(answer.header("repr-digest"), Some(&*expected));
}

#[test]
fn a_whole_larger_than_allowed_is_refused() {
    let site = Site::embedded();
    let origin = site.start_with(|config| config.max_upload.0 = 1000);
    let parts = upload_side_by_side(&origin, &[7; 600], &[], false);
    let answer = whole(&origin, &[parts[0].clone(), parts[0].clone()]).expect(413);
    assert_eq!(answer.problem(), "upload_too_large");
    let beyond = origin.send(&partial(&origin.tus(), 600, Some(500))).expect(413);
    assert_eq!(beyond.problem(), "upload_too_large");
}
