//! Uploads by pages of other sites (the Fetch standard's CORS protocol).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use site::Site;
use tidegate_testkit::http::Request;

fn lists(field: Option<&str>, name: &str) -> bool {
    field.unwrap_or_default().split(',').any(|item| item.trim().eq_ignore_ascii_case(name))
}

#[test]
fn a_browser_that_asks_first_hears_what_it_may_send() {
    let site = Site::embedded();
    let origin = site.start();
    for target in ["/files", "/files/01890a5d-ac96-774b-bcce-b302099a8057"] {
        let ask = Request::new("OPTIONS", target)
            .header("Origin", "https://page.example")
            .header("Access-Control-Request-Method", "PATCH")
            .header("Access-Control-Request-Headers", "upload-offset,tus-resumable,authorization");
        let answer = origin.send(&ask).expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), None, "no cookie counts");
        for method in ["POST", "HEAD", "PATCH", "PUT", "DELETE"] {
            assert!(lists(answer.header("access-control-allow-methods"), method), "{method}");
        }
        for field in [
            "Authorization",
            "Content-Type",
            "Tus-Resumable",
            "Upload-Length",
            "Upload-Offset",
            "Upload-Metadata",
            "Upload-Defer-Length",
            "Upload-Concat",
            "Upload-Part-Offset",
            "X-HTTP-Method-Override",
            "X-Requested-With",
            "X-Request-ID",
            "Want-Repr-Digest",
        ] {
            assert!(lists(answer.header("access-control-allow-headers"), field), "{field}");
        }
        assert!(answer.number("access-control-max-age").is_some());
    }
}

#[test]
fn scripts_may_read_every_answer_also_the_refusals() {
    let site = Site::embedded();
    let origin = site.start();
    let (tus, nobody) = (origin.tus(), origin.nobody());
    let path = tus.create(5, "a");
    for (request, status) in [
        (tus.request("POST", "/files").header("Upload-Length", 5), 201),
        (tus.request("HEAD", &path), 200),
        (tus.patch(&path, 3, b"lo"), 409),
        (tus.patch(&path, 0, b"hello"), 204),
        (nobody.request("HEAD", &path), 401),
        (Request::new("PATCH", &path), 412),
        (tus.request("HEAD", "/files/nothing"), 404),
        (tus.request("TRACE", &path), 405),
    ] {
        let answer = origin.send(&request.header("Origin", "https://page.example")).expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{status}");
        for field in
            ["Location", "Upload-Offset", "Upload-Length", "Tus-Resumable", "Tus-Version", "Repr-Digest"]
        {
            assert!(lists(answer.header("access-control-expose-headers"), field), "{status} {field}");
        }
    }
}

/// A page of another site has no token; the browser would send the cookie along, and the origin does not count it.
#[test]
fn invariant_9_a_session_does_not_upload_or_delete_for_a_page_of_another_site() {
    let site = Site::embedded();
    let origin = site.start();
    let _ = origin.account("owner");
    let cookie = origin.session("owner", "a password of a test");
    let create = |field: &str, value: &str| {
        let request =
            Request::new("POST", "/files").header("Tus-Resumable", "1.0.0").header("Upload-Length", 5);
        origin.send(&request.header("Cookie", &cookie).header(field, value))
    };
    assert_eq!(create("Origin", "https://page.example").expect(403).problem(), "cross_site");
    assert_eq!(create("Sec-Fetch-Site", "cross-site").expect(403).problem(), "cross_site");
    let _ = create("Sec-Fetch-Site", "same-origin").expect(201);
    let _ = create("Origin", "http://localhost").expect(201);

    // The method that counts is the one that is meant.
    let path = tidegate_testkit::tus::path_of(&create("Sec-Fetch-Site", "same-origin"));
    let hidden = Request::get(&path)
        .header("Tus-Resumable", "1.0.0")
        .header("X-HTTP-Method-Override", "DELETE")
        .header("Cookie", &cookie)
        .header("Origin", "https://page.example");
    assert_eq!(origin.send(&hidden).expect(403).problem(), "cross_site");
}
