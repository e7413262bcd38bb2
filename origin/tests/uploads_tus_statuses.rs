//! The statuses and fields of tus 1.0: core, creation, creation-with-upload, creation-defer-length, termination.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use site::Site;
use tidegate_testkit::http::Request;
use tidegate_testkit::tus::path_of;

const TYPE: (&str, &str) = ("Content-Type", "application/offset+octet-stream");

#[test]
fn options_tells_versions_extensions_and_the_largest_size_without_asking_who_it_is() {
    let origin = Site::embedded();
    let origin = (origin.start_with(|config| config.max_upload.0 = 1000), origin).0;
    for target in ["/files", "/files/", "/files/anything"] {
        let answer = origin.send(&Request::new("OPTIONS", target)).expect(204);
        assert_eq!(answer.header("tus-version"), Some("1.0.0"));
        assert_eq!(answer.header("tus-max-size"), Some("1000"));
        let extensions: Vec<_> = answer.header("tus-extension").unwrap().split(',').collect();
        for extension in
            ["creation", "creation-with-upload", "creation-defer-length", "concatenation", "termination"]
        {
            assert!(extensions.contains(&extension), "{extension}");
        }
    }
}

#[test]
fn an_upload_is_created_asked_for_filled_and_complete() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let field = "filename ZmlsbS5tcDQ=,note";
    let create = tus.request("POST", "/files").header("Upload-Length", 10).header("Upload-Metadata", field);
    let created = origin.send(&create).expect(201);
    assert_eq!(created.header("tus-resumable"), Some("1.0.0"));
    assert_eq!(created.header("upload-offset"), Some("0"));
    let path = path_of(&created);

    let head = origin.send(&tus.request("HEAD", &path)).expect(200);
    assert_eq!(head.header("upload-offset"), Some("0"));
    assert_eq!(head.header("upload-length"), Some("10"));
    assert_eq!(head.header("upload-metadata"), Some(field));
    assert_eq!(head.header("cache-control"), Some("no-store"));
    assert_eq!(head.header("tus-resumable"), Some("1.0.0"));
    assert_eq!(head.header("upload-defer-length"), None);

    let first = origin.send(&tus.patch(&path, 0, b"01234")).expect(204);
    assert_eq!(first.header("upload-offset"), Some("5"));
    assert_eq!(first.header("tidegate-digest"), None);
    assert_eq!(origin.send(&tus.patch(&path, 4, b"45678")).expect(409).problem(), "upload_offset_mismatch");
    let last = origin.send(&tus.patch(&path, 5, b"56789")).expect(204);
    assert_eq!(last.header("upload-offset"), Some("10"));
    assert_eq!(last.header("tus-resumable"), Some("1.0.0"));
    assert_eq!(last.header("tidegate-digest"), Some(&*tidegate_testkit::files::digest_of(b"0123456789")));
    origin.assert_is(&path, b"0123456789");

    let head = origin.send(&tus.request("HEAD", &path)).expect(200);
    assert_eq!((head.number("upload-offset"), head.number("upload-length")), (Some(10), Some(10)));
    // A last PATCH said again without bytes is answered as the first time: its answer may have been lost.
    let again = origin.send(&tus.patch(&path, 10, b"")).expect(204);
    assert_eq!(again.header("tidegate-digest"), last.header("tidegate-digest"));
}

#[test]
fn another_version_or_none_is_refused_with_the_versions_there_are_and_changes_nothing() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let path = tus.create(5, "a");
    for version in [None, Some("0.2.2"), Some("1.0.1")] {
        for (method, target) in [("POST", "/files"), ("HEAD", &*path), ("PATCH", &path), ("DELETE", &path)] {
            let mut request = Request::new(method, target).bearer(&origin.token);
            request =
                version.iter().fold(request, |request, version| request.header("Tus-Resumable", version));
            if method == "POST" {
                request = request.header("Upload-Length", 5);
            }
            if method == "PATCH" {
                request = request.headers([TYPE, ("Upload-Offset", "0")]).body("hello");
            }
            let answer = origin.send(&request).expect(412);
            assert_eq!(answer.header("tus-version"), Some("1.0.0"), "{method}");
        }
    }
    assert_eq!(tus.offset(&path), 0);
}

#[test]
fn the_method_can_stand_in_a_field() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let path = tus.create(5, "a");
    let patch = tus
        .request("POST", &path)
        .headers([TYPE, ("Upload-Offset", "0"), ("X-HTTP-Method-Override", "PATCH")])
        .body("hel");
    assert_eq!(origin.send(&patch).expect(204).number("upload-offset"), Some(3));
    let head = tus.request("POST", &path).header("X-HTTP-Method-Override", "HEAD");
    assert_eq!(origin.send(&head).expect(200).number("upload-offset"), Some(3));
    let delete = tus.request("POST", &path).header("X-HTTP-Method-Override", "DELETE");
    let _ = origin.send(&delete).expect(204);
    let _ = origin.send(&tus.request("HEAD", &path)).expect(410);
    let options = Request::new("POST", "/files").header("X-HTTP-Method-Override", "OPTIONS");
    assert!(origin.send(&options).expect(204).header("tus-extension").is_some());
}

#[test]
fn methods_that_are_not_there_are_named_in_allow() {
    let site = Site::embedded();
    let origin = site.start();
    let answer = origin.send(&Request::get("/files").bearer(&origin.token)).expect(405);
    assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
    let path = origin.tus().create(5, "a");
    let answer = origin.send(&Request::get(&path).bearer(&origin.token)).expect(405);
    assert_eq!(answer.header("allow"), Some("HEAD, PATCH, DELETE, PUT, OPTIONS"));
}

#[test]
fn bytes_come_along_with_the_creation() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let create = |length: u64, body: &str| {
        let request = tus.request("POST", "/files").header("Upload-Length", length).headers([TYPE]);
        origin.send(&request.body(body))
    };
    let some = create(10, "01234").expect(201);
    assert_eq!(some.number("upload-offset"), Some(5));
    let path = path_of(&some);
    let _ = origin.send(&tus.patch(&path, 5, b"56789")).expect(204);
    origin.assert_is(&path, b"0123456789");

    let all = create(5, "hello").expect(201);
    assert_eq!(all.number("upload-offset"), Some(5));
    assert!(all.header("tidegate-digest").is_some());
    origin.assert_is(&path_of(&all), b"hello");

    // Refused, and yet its address is told, so that the client can go on or end it.
    let long = create(3, "hello").expect(413);
    assert_eq!(long.problem(), "upload_body_too_long");
    assert_eq!(tus.offset(&path_of(&long)), 0);

    let wrong = tus.request("POST", "/files").header("Upload-Length", 5).header("Content-Type", "text/plain");
    assert_eq!(origin.send(&wrong.body("hello")).expect(415).problem(), "unsupported_media_type");
}

#[test]
fn an_empty_file_is_complete_as_soon_as_it_is_created() {
    let site = Site::embedded();
    let origin = site.start();
    let path = origin.tus().create(0, "nothing");
    origin.assert_is(&path, b"");
}

#[test]
fn a_length_may_come_later_and_then_stays() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let created = origin.send(&tus.request("POST", "/files").header("Upload-Defer-Length", 1)).expect(201);
    let path = path_of(&created);
    let _ = origin.send(&tus.patch(&path, 0, b"01234")).expect(204);
    let head = origin.send(&tus.request("HEAD", &path)).expect(200);
    assert_eq!(head.header("upload-defer-length"), Some("1"));
    assert_eq!((head.header("upload-length"), head.number("upload-offset")), (None, Some(5)));
    let _ = origin.send(&tus.patch(&path, 5, b"56").header("Upload-Length", 10)).expect(204);
    let head = origin.send(&tus.request("HEAD", &path)).expect(200);
    assert_eq!((head.header("upload-defer-length"), head.number("upload-length")), (None, Some(10)));
    let other = origin.send(&tus.patch(&path, 7, b"7").header("Upload-Length", 11)).expect(400);
    assert_eq!(other.problem(), "upload_length_conflict");
    let _ = origin.send(&tus.patch(&path, 7, b"789").header("Upload-Length", 10)).expect(204);
    origin.assert_is(&path, b"0123456789");
}

#[test]
fn a_length_that_comes_with_no_more_bytes_completes() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let create = tus.request("POST", "/files").header("Upload-Defer-Length", 1).headers([TYPE]).body("hello");
    let path = path_of(&origin.send(&create).expect(201));
    let short = origin.send(&tus.patch(&path, 5, b"").header("Upload-Length", 4)).expect(400);
    assert_eq!(short.problem(), "upload_length_conflict");
    let last = origin.send(&tus.patch(&path, 5, b"").header("Upload-Length", 5)).expect(204);
    assert!(last.header("tidegate-digest").is_some());
    origin.assert_is(&path, b"hello");
}

#[test]
fn what_is_larger_than_allowed_is_refused_at_the_earliest() {
    let site = Site::embedded();
    let origin = site.start_with(|config| config.max_upload.0 = 1000);
    let tus = origin.tus();
    let create = tus.request("POST", "/files").header("Upload-Length", 1001);
    assert_eq!(origin.send(&create).expect(413).problem(), "upload_too_large");
    let path =
        path_of(&origin.send(&tus.request("POST", "/files").header("Upload-Defer-Length", 1)).expect(201));
    let _ = origin.send(&tus.patch(&path, 0, &[7; 900])).expect(204);
    let too_much = origin.send(&tus.patch(&path, 900, &[7; 101])).expect(413);
    assert_eq!(too_much.problem(), "upload_too_large");
    assert_eq!(tus.offset(&path), 900);
    let _ = origin.send(&tus.patch(&path, 900, &[7; 100]).header("Upload-Length", 1000)).expect(204);
}

#[test]
fn a_terminated_upload_is_gone_with_its_bytes() {
    let site = Site::embedded();
    let origin = site.start();
    let tus = origin.tus();
    let path = tus.create(10, "a");
    let _ = origin.send(&tus.patch(&path, 0, b"01234")).expect(204);
    assert_eq!(site.stored().len(), 1);
    let _ = origin.send(&tus.request("DELETE", &path)).expect(204);
    assert_eq!(site.stored().len(), 0);
    for request in [tus.request("HEAD", &path), tus.request("DELETE", &path), tus.patch(&path, 5, b"5")] {
        let answer = origin.send(&request).expect(410);
        assert_eq!(answer.header("upload-offset"), None);
    }
    let _ = origin.send(&tus.request("DELETE", "/files/01890a5d-ac96-774b-bcce-b302099a8057")).expect(404);
}
