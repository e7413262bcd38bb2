//! Who may read what (invariant 9), and what a browser is told about bytes it could run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use site::{FLEET_KEY, Origin, Site};
use tidegate_testkit::http::Request;
use tidegate_testkit::tus::{Tus, id_of, path_of};
use tidegate_wire::grant::GrantSigner;

const PASSWORD: &str = "a password of a test";

fn media(path: &str) -> String {
    format!("/media/{}/source", id_of(path))
}

fn set_visibility(origin: &Origin, token: &str, path: &str, visibility: &str) {
    let target = format!("/api/v1/assets/{}", id_of(path));
    let change = Request::new("PATCH", &target).bearer(token).json(&json!({ "visibility": visibility }));
    let _ = origin.send(&change).expect(200);
}

/// The path of a grant for an asset, as the API gives it.
fn grant(origin: &Origin, token: &str, path: &str) -> String {
    let target = format!("/api/v1/assets/{}/grants", id_of(path));
    let wish = Request::new("POST", &target).bearer(token).json(&json!({ "minutes": 5 }));
    origin.send(&wish).expect(201).json()["path"].as_str().unwrap().to_owned()
}

/// A grant that is genuine and runs until then.
fn granted(origin: &Origin, prefix: &str, expires_at: u64, path: &str) -> String {
    let grant = origin.app.grants.sign(prefix, u32::try_from(expires_at).unwrap());
    format!("/g/{grant}{}", media(path))
}

#[test]
fn invariant_9_every_reader_gets_what_the_visibility_allows_and_nothing_else() {
    let site = Site::embedded();
    let origin = site.start();
    let (owner, stranger) = (origin.account("owner"), origin.account("stranger"));
    let (own_cookie, other_cookie) =
        (origin.session("owner", PASSWORD), origin.session("stranger", PASSWORD));
    let path = Tus::new(origin.addr, owner.clone()).upload(b"hello", "a.txt");
    let other = Tus::new(origin.addr, owner.clone()).upload(b"other", "b.txt");
    let (good, foreign) = (grant(&origin, &owner, &path), grant(&origin, &owner, &other));
    let foreign = foreign.replace(id_of(&other), id_of(&path));
    let get = |target: &str| Request::get(target);
    let plain = get(&media(&path));
    // Reader, its request, and its status where the asset is private; and where it is not.
    let readers = [
        ("nobody", plain.clone(), 403, 200),
        ("the owner's token", plain.clone().bearer(&owner), 200, 200),
        ("the owner's cookie", plain.clone().header("Cookie", &own_cookie), 200, 200),
        ("a stranger's token", plain.clone().bearer(&stranger), 403, 200),
        ("a stranger's cookie", plain.clone().header("Cookie", &other_cookie), 403, 200),
        ("a cookie that is none", plain.clone().header("Cookie", "tidegate_session=x"), 403, 200),
        ("the administrator's token", plain.clone().bearer(&origin.token), 403, 200),
        ("a token that is none, on private", plain.clone().bearer("tg_x"), 401, 200),
        ("the fleet", plain.clone().header("tidegate-fleet-key", FLEET_KEY), 200, 200),
        ("a wrong fleet key", plain.header("tidegate-fleet-key", "x"), 403, 200),
        ("a grant", get(&good), 200, 200),
        ("a grant for another asset", get(&foreign), 403, 403),
    ];
    for visibility in ["private", "unlisted", "public"] {
        set_visibility(&origin, &owner, &path, visibility);
        for (reader, request, on_private, otherwise) in &readers {
            let expected = if visibility == "private" { *on_private } else { *otherwise };
            let answer = origin.send(request);
            assert_eq!(answer.status, expected, "{reader} reads what is {visibility}: {}", answer.text());
            let by_fleet = *reader == "the fleet";
            assert_eq!(answer.header("tidegate-visibility"), by_fleet.then_some(visibility), "{reader}");
            match expected {
                200 => assert_eq!(answer.body, b"hello"),
                _ => {
                    assert!(!answer.text().contains("hello"), "{reader}");
                    assert_eq!(answer.header("cache-control"), Some("no-store"), "{reader}");
                    assert_eq!(answer.header("etag"), None, "{reader}");
                }
            }
            if expected == 200 && !by_fleet {
                let shared = answer.header("cache-control").unwrap().contains("public");
                let by_permission = request.to_bytes().starts_with(b"GET /g/") || visibility == "private";
                assert_eq!(shared, !by_permission, "{reader}, {visibility}");
            }
        }
    }
}

#[test]
fn invariant_9_grants_that_are_tampered_with_expired_or_foreign_are_refused_each_with_its_code() {
    let site = Site::embedded();
    let origin = site.start();
    let path = origin.tus().upload(b"hello", "a.txt");
    let now = origin.app.clock.unix_s();
    let prefix = format!("/media/{}/", id_of(&path));
    assert_eq!(
        origin.send(&Request::get(&granted(&origin, &prefix, now + 60, &path))).expect(200).body,
        b"hello"
    );

    let genuine = origin.app.grants.sign(&prefix, u32::try_from(now + 60).unwrap());
    let target = |grant: &str| format!("/g/{grant}{}", media(&path));
    let check = |grant: &str, code: &str| {
        let answer = origin.send(&Request::get(&target(grant)).bearer(&origin.token)).expect(403);
        assert_eq!(answer.problem(), code, "{grant}");
    };
    check(&origin.app.grants.sign(&prefix, u32::try_from(now - 1).unwrap()), "grant_expired");
    check(
        &origin.app.grants.sign("/media/01890a5d-ac96-774b-bcce-b302099a8057/", u32::MAX),
        "grant_mismatch",
    );
    let pkcs8 = GrantSigner::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    check(&GrantSigner::from_pkcs8(&pkcs8).unwrap().sign(&prefix, u32::MAX), "grant_invalid");
    check("nonsense", "grant_invalid");
    check(&"A".repeat(600), "grant_invalid");
    // Every byte of it counts.
    let raw = URL_SAFE_NO_PAD.decode(&genuine);
    for n in 0..genuine.len() {
        let mut changed = genuine.clone().into_bytes();
        changed[n] = if changed[n] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        if raw.is_ok() && URL_SAFE_NO_PAD.decode(&changed) == raw {
            continue;
        }
        let answer = origin.send(&Request::get(&target(&changed)));
        assert_eq!(answer.status, 403, "byte {n}");
    }
    let _ = origin.send(&Request::get(&target(&genuine))).expect(200);
}

#[test]
fn a_grant_opens_ranges_and_head_and_ends_with_the_asset() {
    let site = Site::embedded();
    let origin = site.start();
    let path = origin.tus().upload(b"hello", "a.txt");
    let target = grant(&origin, &origin.token, &path);
    let part = origin.send(&Request::get(&target).header("Range", "bytes=1-2")).expect(206);
    assert_eq!((&*part.body, part.header("cache-control")), (&b"el"[..], Some("private, no-cache")));
    let _ = origin.send(&Request::new("HEAD", &target)).expect(200);
    let _ = origin.send(&origin.tus().request("DELETE", &path)).expect(204);
    let _ = origin.send(&Request::get(&target)).expect(404);
}

/// What is uploaded is never a page of this site.
#[test]
fn what_a_browser_could_run_is_a_download_and_everything_is_fenced_in() {
    let site = Site::embedded();
    let origin = site.start();
    let svg = r#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    let html = "<!DOCTYPE html><script>alert(1)</script>";
    let png = "\u{89}PNG";
    for (bytes, claimed, kind, inline) in [
        (html, "text/html", Some("text/html"), false),
        (html, "video/mp4", Some("text/html"), false),
        (html, "", Some("text/html"), false),
        (svg, "image/svg+xml", None, false),
        (svg, "image/png", None, true),
        ("plain", "application/xhtml+xml", Some("application/xhtml+xml"), false),
        ("plain", "text/javascript", Some("text/javascript"), false),
        ("plain", "video/mp4", Some("video/mp4"), true),
        (png, "x/y\u{7f}z", Some("application/octet-stream"), false),
    ] {
        let tus = origin.tus();
        let metadata = format!(
            "filename {},filetype {}",
            STANDARD.encode("ev\"il\u{fc}.html"),
            STANDARD.encode(claimed)
        );
        let create = tus.request("POST", "/files").header("Upload-Length", bytes.len());
        let path = path_of(&origin.send(&create.header("Upload-Metadata", metadata.trim_end())).expect(201));
        let _ = origin.send(&tus.patch(&path, 0, bytes.as_bytes())).expect(204);
        let answer = origin.send(&Request::get(&media(&path)).bearer(&origin.token)).expect(200);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
        if let Some(kind) = kind {
            assert_eq!(answer.header("content-type"), Some(kind), "{claimed:?}");
        }
        let disposition = answer.header("content-disposition").unwrap();
        // Shown in place only as what cannot run: with nosniff the type is the last word.
        let is_safe = answer.header("content-type").is_some_and(|kind| {
            ["video/", "audio/", "image/"].iter().any(|safe| kind.starts_with(safe)) && !kind.contains("svg")
        });
        assert_eq!(disposition.starts_with("inline"), inline && is_safe, "{claimed:?}: {disposition}");
        assert!(disposition.contains("filename=\"ev_il_.html\""), "{disposition}");
        assert!(disposition.contains("filename*=UTF-8''ev%22il%C3%BC.html"), "{disposition}");
    }
}
