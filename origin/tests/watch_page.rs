//! The page that plays an asset.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use serde_json::json;
use support::api::{As, Origin};
use tidegate_origin::catalog::Visibility;
use tidegate_origin::limits;
use tidegate_wire::grant::{GrantError, split_path};

async fn beat(origin: &Origin, url: &str) {
    let heartbeat =
        json!({ "url": url, "purge_cursor": 0, "hit_ratio": null, "cached_bytes": 0, "version": "0.1.0" });
    origin.post(&As::Fleet, "/internal/heartbeat", heartbeat).await.expect(200);
}

fn source(page: &str) -> &str {
    let from = page.find("src=\"").expect("a source") + 5;
    &page[from..from + page[from..].find('"').unwrap()]
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
            if allowed {
                let answer = answer.expect(200);
                let has_grant = source(&answer.text).starts_with("/g/");
                assert_eq!(has_grant, visibility == Visibility::Private, "{who:?} {visibility}");
            } else {
                answer.expect_problem(404, "asset_not_found");
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
    origin.hand.advance(limits::WATCH_GRANT);
    assert_eq!(origin.app.grants.verify(grant, path).await, Err(GrantError::Expired));
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
            assert!(policy.contains(&format!("media-src 'self' {at};")), "{policy}");
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
    assert!(!page.text.contains("<script") && !page.text.contains("onerror=\""), "{}", page.text);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    assert!(page.text.contains("<video controls playsinline"));
    assert_eq!(page.text.matches("http").count(), 0, "no address but the media's");
}
