//! Whose uploads are whose, uploads of nobody, and the end of an asset by way of its upload.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use site::{FLEET_KEY, Site};
use tidegate_testkit::http::Request;
use tidegate_testkit::tus::{Tus, id_of, path_of};

#[test]
fn invariant_9_someone_elses_upload_is_not_there() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let path = tus.create(10, "a");
    let _ = origin.send(&tus.patch(&path, 0, b"01234")).expect(204);
    let stranger = Tus::new(origin.addr, origin.account("stranger"));
    for request in [
        stranger.request("HEAD", &path),
        stranger.patch(&path, 5, b"56789"),
        stranger.request("DELETE", &path),
    ] {
        let answer = origin.send(&request).expect(404);
        assert_eq!(answer.header("upload-offset"), None);
    }
    let nobody = origin.nobody();
    for request in
        [nobody.request("HEAD", &path), nobody.patch(&path, 5, b"5"), nobody.request("DELETE", &path)]
    {
        let _ = origin.send(&request).expect(401);
    }
    let _ = origin.send(&nobody.request("POST", "/files").header("Upload-Length", 5)).expect(401);
    assert_eq!(tus.offset(&path), 5);
}

#[test]
fn an_upload_of_nobody_is_taken_where_that_is_allowed_and_is_unlisted() {
    let site = Site::embedded();
    let origin = site.start_with(|config| config.anonymous_uploads = true);
    let nobody = origin.nobody();
    let path = nobody.upload(b"hello", "a.txt");
    let target = format!("/media/{}/source", id_of(&path));
    assert_eq!(origin.send(&Request::get(&target)).expect(200).body, b"hello");
    let fleet = origin.send(&Request::get(&target).header("tidegate-fleet-key", FLEET_KEY)).expect(200);
    assert_eq!(fleet.header("tidegate-visibility"), Some("unlisted"));
    // Whoever has an account uploads as that also here.
    let own = origin.tus().upload(b"hello", "b.txt");
    assert_eq!(origin.asset(&own)["visibility"], "private");
    // A token that is none is refused, not taken for nobody's.
    let wrong = Tus::new(origin.addr, "tg_nonsense".to_owned());
    let _ = origin.send(&wrong.request("POST", "/files").header("Upload-Length", 5)).expect(401);
}

#[test]
fn parts_of_nobody_make_a_whole_of_nobody() {
    let site = Site::embedded();
    let origin = site.start_with(|config| config.anonymous_uploads = true);
    let nobody = origin.nobody();
    let create =
        nobody.request("POST", "/files").header("Upload-Concat", "partial").header("Upload-Length", 5);
    let part = path_of(&origin.send(&create).expect(201));
    let _ = origin.send(&nobody.patch(&part, 0, b"hello")).expect(204);
    let create = nobody.request("POST", "/files").header("Upload-Concat", format!("final;{part}"));
    let path = path_of(&origin.send(&create).expect(201));
    let target = format!("/media/{}/source", id_of(&path));
    assert_eq!(origin.send(&Request::get(&target)).expect(200).body, b"hello");
}

/// Invariant 8 begins here: the purge is in the log with the deletion.
fn deleting_a_complete_upload_deletes_its_asset_and_purges_it(site: &Site) {
    let origin = site.start();
    let tus = origin.tus();
    let path = tus.upload(b"hello", "a.txt");
    let feed = |after: u64| {
        let target = format!("/internal/purges?after={after}&wait=0");
        origin.send(&Request::get(&target).header("tidegate-fleet-key", FLEET_KEY)).expect(200).json()
    };
    let head = feed(0)["head"].as_u64().unwrap();
    let _ = origin.send(&tus.request("DELETE", &path)).expect(204);
    let records = feed(head);
    assert!(records["records"].to_string().contains(id_of(&path)), "{records}");
    let media = Request::get(&format!("/media/{}/source", id_of(&path))).bearer(&origin.token);
    assert_eq!(origin.send(&media).expect(404).problem(), "asset_not_found");
    let asset = Request::get(&format!("/api/v1/assets/{}", id_of(&path))).bearer(&origin.token);
    let _ = origin.send(&asset).expect(404);
    let _ = origin.send(&tus.request("HEAD", &path)).expect(410);
    assert_eq!(site.stored().len(), 0);
}

on_both_columns!(deleting_a_complete_upload_deletes_its_asset_and_purges_it);
