//! Invariant 9: nobody reads a private byte without a grant; no edge can mint one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use support::{ChildEdge, Object, Origin, SLICE, TestEdge, cache_status, config, random_bytes};
use tidegate_serve::Clock;
use tidegate_testkit::http::Request;
use tidegate_wire::grant::{GrantSigner, granted_path};
use tidegate_wire::{AssetId, headers as own};

const NOW_MS: u64 = 1_700_000_000_000;
const SOON: u32 = 1_700_000_060;

fn asset(n: u8) -> AssetId {
    AssetId::generate(NOW_MS, [n; 10])
}

fn private(bytes: &[u8]) -> Object {
    Object::new(bytes.to_vec(), "one").field(own::VISIBILITY, "private")
}

fn signer() -> GrantSigner {
    let pkcs8 = GrantSigner::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    GrantSigner::from_pkcs8(&pkcs8).unwrap()
}

#[test]
fn invariant_9_a_private_asset_takes_a_grant_that_is_right() {
    let origin = Origin::start();
    let bytes = random_bytes(1, 3 * SLICE);
    let (mine, other) = (asset(1), asset(2));
    origin.put(&mine.source_path(), private(&bytes));
    let (clock, hand) = Clock::manual(NOW_MS);
    let edge = TestEdge::start(config(&origin), clock);
    edge.wait_ready();
    let good = origin.granted(mine, SOON);
    let answer = edge.get(&good).expect(200);
    assert!(answer.body == bytes);
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    assert_eq!(answer.header(own::VISIBILITY), None);
    assert_eq!(cache_status(&edge.get(&good)), "tidegate; hit");

    let grant = |path: &str| path.split('/').nth(2).unwrap().to_owned();
    let good_grant = grant(&good);
    let middle = good_grant.len() / 2;
    let tampered: String = good_grant
        .char_indices()
        .map(|(at, c)| if at == middle { if c == 'A' { 'B' } else { 'A' } } else { c })
        .collect();
    let foreign = signer().sign(&mine.media_prefix(), SOON);
    let expired = origin.signer.sign(&mine.media_prefix(), 1_699_999_999);
    let source = mine.source_path();
    for (target, code) in [
        (source.clone(), "grant_required"),
        (granted_path(&tampered, &source), "grant_invalid"),
        (granted_path(&foreign, &source), "grant_invalid"),
        (granted_path("nonsense", &source), "grant_invalid"),
        (granted_path(&expired, &source), "grant_expired"),
        (granted_path(&grant(&origin.granted(other, SOON)), &source), "grant_mismatch"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer =
                Request::new(method, &target).header("Range", "bytes=0-9").send(edge.addr).expect(403);
            assert_eq!(cache_status(&answer), format!("tidegate; detail={code}"), "{target}");
            assert!(method == "HEAD" || answer.problem() == code);
            assert!(!answer.body.windows(8).any(|eight| eight == &bytes[..8]));
        }
    }
    // A path that climbs out of the grant's prefix is no path at all.
    for climbing in [
        format!("/g/{good_grant}/media/{mine}/../{other}/source"),
        format!("/g/{good_grant}/media/{mine}/%2e%2e/{other}/source"),
    ] {
        assert_eq!(edge.get(&climbing).status, 404);
    }
    hand.advance(Duration::from_secs(60));
    assert_eq!(edge.get(&good).expect(403).problem(), "grant_expired", "also one that was checked before");
    // Nothing of a grant has reached the origin.
    assert!(origin.asked().iter().all(|asked| asked.target == source && asked.header(own::FLEET_KEY) == support::origin::FLEET_KEY));
}

#[test]
fn invariant_9_what_is_passed_on_uncached_is_guarded_too() {
    let origin = Origin::start();
    let mine = asset(1);
    origin.put(&mine.source_path(), private(b"secret").field("cache-control", "no-store"));
    origin.put("/media/nothing-said/source", Object::bare(&b"secret"[..]));
    let edge = TestEdge::fleet(&origin);
    for _ in 0..3 {
        assert_eq!(edge.get(&mine.source_path()).expect(403).problem(), "grant_required");
        assert_eq!(edge.get("/media/nothing-said/source").expect(403).problem(), "grant_required");
        assert_eq!(Request::new("HEAD", &mine.source_path()).send(edge.addr).status, 403);
    }
    assert_eq!(edge.get(&origin.granted(mine, u32::MAX)).expect(200).body, b"secret");
}

#[test]
fn a_rotated_key_is_fetched_when_a_grant_names_it() {
    let origin = Origin::start();
    let mine = asset(1);
    origin.put(&mine.source_path(), private(b"secret"));
    let edge = TestEdge::fleet(&origin);
    let new = signer();
    origin.set_keys(vec![origin.signer.public_key(), new.public_key()]);
    let path = granted_path(&new.sign(&mine.media_prefix(), u32::MAX), &mine.source_path());
    tidegate_testkit::wait::eventually_true("the new key to be known", Duration::from_secs(30), || {
        edge.get(&path).status == 200
    });
    origin.set_keys(vec![new.public_key()]);
}

#[test]
fn a_grant_is_in_no_log_line_and_no_metric() {
    let origin = Origin::start();
    let mine = asset(1);
    origin.put(&mine.source_path(), private(b"secret"));
    let edge = ChildEdge::verbose(&origin);
    let path = origin.granted(mine, u32::MAX);
    let grant = path.split('/').nth(2).unwrap();
    assert_eq!(edge.get(&path).body, b"secret");
    assert_eq!(edge.get(&format!("{path}x")).status, 404);
    let metrics = Request::get("/metrics").send(edge.admin).expect(200).text();
    let (_, output) = edge.process.terminate();
    assert!(output.contains("request.answered") && output.contains(&mine.source_path()), "{output}");
    for text in [&output, &metrics] {
        assert!(!text.contains(&grant[..20]) && !text.contains(support::origin::FLEET_KEY));
    }
}

#[test]
fn only_media_is_served_and_pages_of_other_sites_may_read_it() {
    let origin = Origin::start();
    origin.put("/media/a/source", Object::new(&b"bytes"[..], "one"));
    origin.put("/secret", Object::new(&b"no"[..], "one"));
    let edge = TestEdge::fleet(&origin);
    for target in
        ["/", "/secret", "/internal/keys", "/files", "/api/v1/assets", "/media/../secret", "/media//a"]
    {
        assert_eq!(edge.get(target).status, 404, "{target}");
    }
    assert_eq!(origin.count(), 0);
    let refused = Request::new("POST", "/media/a/source").send(edge.addr).expect(405);
    assert_eq!(
        (refused.problem().as_str(), refused.header("allow")),
        ("method_not_allowed", Some("GET, HEAD, OPTIONS"))
    );
    let preflight = Request::new("OPTIONS", "/media/a/source")
        .header("Origin", "https://player.example")
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "range")
        .send(edge.addr)
        .expect(204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("Range"));
    let answer = edge.get("/media/a/source").expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("Content-Range"));
    assert_eq!(edge.get("/healthz").text(), "ok\n");
}
