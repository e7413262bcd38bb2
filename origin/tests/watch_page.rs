//! The page that plays an asset.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::api::{As, Origin, request};
use tidegate_origin::catalog::Visibility;
use tidegate_origin::limits;
use tidegate_wire::grant::{GrantError, split_path};

async fn beat(origin: &Origin, url: &str) {
    let heartbeat =
        json!({ "url": url, "purge_cursor": 0, "hit_ratio": null, "cached_bytes": 0, "version": "0.1.0" });
    origin.post(&As::Fleet, "/internal/heartbeat", heartbeat).await.expect(200);
}

/// What stands between these in a page.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let from = page.find(before).unwrap_or_else(|| panic!("no {before} in {page}")) + before.len();
    &page[from..from + page[from..].find(after).unwrap()]
}

fn source(page: &str) -> &str {
    between(page, "<source src=\"", "\"")
}

/// What the page's script is told.
fn state(page: &str) -> Value {
    serde_json::from_str(&between(page, "data-state=\"", "\"").replace("&quot;", "\"")).unwrap()
}

#[tokio::test]
async fn invariant_9_a_page_plays_for_whom_it_may() {
    let origin = Origin::start().await;
    let (owner, other) = (origin.session_of("ada").await, origin.session_of("bob").await);
    let token = origin.token_of("eve").await;
    for (n, visibility, everyone) in
        [(1, Visibility::Private, false), (2, Visibility::Unlisted, true), (3, Visibility::Public, true)]
    {
        let id = origin.add_asset(n, Some("ada"), visibility).await;
        let path = format!("/watch/{id}");
        for (who, allowed) in [
            (&owner, true),
            (&other, everyone),
            (&token, everyone),
            (&As::Nobody, everyone),
            (&As::Fleet, everyone),
        ] {
            let answer = origin.get(who, &path).await;
            let beside = origin.get(who, &format!("{path}/state.json")).await;
            if allowed {
                let (answer, beside) = (answer.expect(200), beside.expect(200));
                let has_grant = source(&answer.text).starts_with("/g/");
                assert_eq!(has_grant, visibility == Visibility::Private, "{who:?} {visibility}");
                assert_eq!(beside.json(), state(&answer.text));
                assert_eq!(beside.json()["source"], source(&answer.text));
                assert_eq!(beside.header("cache-control"), "no-store");
            } else {
                answer.expect_problem(404, "asset_not_found");
                beside.expect_problem(404, "asset_not_found");
            }
        }
    }
}

#[tokio::test]
async fn a_private_asset_plays_through_a_grant_that_runs_out() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    let page = origin.get(&ada, &format!("/watch/{id}")).await.expect(200);
    assert_eq!(page.header("cache-control"), "private, no-store");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let (grant, path) = split_path(source(&page.text)).unwrap();
    assert_eq!(path, id.source_path());
    assert!(origin.app.grants.verify(grant, path).await.is_ok());
    origin.hand.advance(limits::WATCH_GRANT - support::api::SECOND);
    assert!(origin.app.grants.verify(grant, path).await.is_ok());
    origin.hand.advance(limits::WATCH_GRANT_STEP + support::api::SECOND);
    assert_eq!(origin.app.grants.verify(grant, path).await, Err(GrantError::Expired));
}

#[tokio::test]
async fn a_page_that_asks_again_has_the_same_addresses_for_a_while() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    let base = async || {
        origin.get(&ada, &format!("/watch/{id}/state.json")).await.expect(200).json()["base"].to_string()
    };
    let first = base().await;
    origin.hand.advance(support::api::SECOND);
    assert_eq!(base().await, first);
    origin.hand.advance(limits::WATCH_GRANT_STEP);
    assert_ne!(base().await, first);
}

#[tokio::test]
async fn a_link_to_share_gives_its_page_and_state_the_same_grant() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    let grants = format!("/api/v1/assets/{id}/grants");
    let made = origin.post(&ada, &grants, json!({ "minutes": 1 })).await.expect(201).json();
    let page = origin.get(&As::Nobody, made["watch"].as_str().unwrap()).await.expect(200);
    assert_eq!(source(&page.text), made["path"]);
    let beside = between(&page.text, "data-state-url=\"", "\"");
    let said = origin.get(&As::Nobody, beside).await.expect(200).json();
    assert_eq!(said["source"], made["path"]);
    assert_eq!((&said["state"], &said["progress"]), (&json!("uploaded"), &Value::Null));
    origin.hand.advance(support::api::SECOND * 61);
    origin.get(&As::Nobody, beside).await.expect_problem(403, "grant_expired");
}

#[tokio::test]
async fn the_source_is_on_an_edge_that_is_alive() {
    let origin = Origin::start().await;
    let ids: Vec<_> = {
        let mut ids = Vec::new();
        for n in 1..=16 {
            ids.push(origin.add_asset(n, None, Visibility::Public).await);
        }
        ids
    };
    let sources = async || {
        let mut sources = Vec::new();
        for id in &ids {
            let page = origin.get(&As::Nobody, &format!("/watch/{id}")).await.expect(200);
            let at = source(&page.text).strip_suffix(&id.source_path()).unwrap().to_owned();
            let policy = page.header("content-security-policy");
            for field in ["media-src 'self' blob: data:", "connect-src 'self' blob:"] {
                let given = between(policy, field, ";");
                assert!(at.is_empty() || given.split(' ').any(|edge| edge == at), "{policy}");
            }
            sources.push(at);
        }
        sources
    };
    assert!(sources().await.iter().all(String::is_empty), "without an edge the origin serves itself");

    beat(&origin, "http://edge-a:8081").await;
    beat(&origin, "http://edge-b:8082").await;
    let spread = sources().await;
    assert_eq!(spread, sources().await, "an asset stays on its edge");
    for edge in ["http://edge-a:8081", "http://edge-b:8082"] {
        assert!(spread.iter().any(|at| at == edge), "{edge} has a share: {spread:?}");
    }

    origin.hand.advance(limits::EDGE_ALIVE + support::api::SECOND);
    beat(&origin, "http://edge-b:8082").await;
    assert!(sources().await.iter().all(|at| at == "http://edge-b:8082"));
}

#[tokio::test]
async fn a_name_cannot_become_markup_and_nothing_else_is_loaded() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let id = origin.add_asset(1, Some("ada"), Visibility::Public).await;
    let name = "</title><script>alert(1)</script>\" onerror=\"x' & more";
    origin.patch(&ada, &format!("/api/v1/assets/{id}"), json!({ "name": name })).await.expect(200);
    let page = origin.get(&As::Nobody, &format!("/watch/{id}")).await.expect(200);
    assert_eq!(page.text.matches("<script").count(), 1, "only ours");
    assert!(!page.text.contains("onerror=\""), "{}", page.text);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    assert!(page.text.contains("<video controls playsinline"));
    assert_eq!(page.text.matches("http").count(), 0, "no address of another site");
}

#[tokio::test]
async fn what_the_page_loads_may_be_kept_for_ever_and_comes_compressed() {
    let origin = Origin::start().await;
    let id = origin.add_asset(1, None, Visibility::Public).await;
    let page = origin.get(&As::Nobody, &format!("/watch/{id}")).await.expect(200);
    let mut files: Vec<&str> = page.text.split('"').filter(|text| text.starts_with("/web/")).collect();
    files.sort_unstable();
    assert!(files.len() >= 4, "a script, the player, a style, an icon: {files:?}");
    for file in files {
        let plain = origin.get(&As::Nobody, file).await.expect(200);
        assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(plain.header("x-content-type-options"), "nosniff");
        assert_eq!(plain.header("content-length"), plain.text.len().to_string());
        let (_, ending) = file.rsplit_once('.').unwrap();
        let kind = match ending {
            "js" => "text/javascript",
            "css" => "text/css",
            _ => "image/svg+xml",
        };
        assert!(plain.header("content-type").starts_with(kind), "{file}");
        let etag = plain.header("etag").to_owned();
        let mut again = request(&As::Nobody, Method::GET, file, None);
        again.headers_mut().insert("if-none-match", etag.parse().unwrap());
        origin.send(again).await.expect(304);

        let mut zipped = request(&As::Nobody, Method::HEAD, file, None);
        zipped.headers_mut().insert("accept-encoding", "gzip, br".parse().unwrap());
        let zipped = origin.send(zipped).await.expect(200);
        assert_eq!(zipped.header("vary"), "accept-encoding");
        if plain.text.len() > 2000 {
            assert_eq!(zipped.header("content-encoding"), "gzip", "{file}");
            assert_ne!(zipped.header("etag"), etag);
            assert!(zipped.header("content-length").parse::<usize>().unwrap() < plain.text.len());
        }
    }
    origin.get(&As::Nobody, "/web/table.rs").await.expect_problem(404, "not_found");
}
