//! The document of the dashboard's pages, and the page for other sites' frames.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use http::Method;
use serde_json::json;
use support::api::{As, Origin};
use tidegate_origin::catalog::Visibility;

const PAGES: &[&str] = &[
    "/",
    "/login",
    "/signup",
    "/forgot",
    "/reset",
    "/library",
    "/library/anything",
    "/upload",
    "/settings",
    "/settings/tokens",
    "/admin",
    "/admin/queue",
    "/docs",
];

#[tokio::test]
async fn every_page_is_one_document_that_runs_nothing_but_ours_and_stands_in_no_frame() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    let first = origin.get(&As::Nobody, "/").await.expect(200);
    for path in PAGES {
        for who in [&As::Nobody, &ada] {
            let page = origin.get(who, path).await.expect(200);
            assert_eq!(page.text, first.text, "{path}: it says nothing of anyone");
            let policy = page.header("content-security-policy");
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
                "{policy}"
            );
            assert!(policy.ends_with("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
            assert_eq!(page.header("referrer-policy"), "no-referrer");
            assert_eq!(page.header("x-content-type-options"), "nosniff");
            assert_eq!(page.header("cache-control"), "no-cache");
        }
    }
    assert_eq!(first.text.matches("<script").count(), 1, "{}", first.text);
    assert!(!first.text.contains(" style=") && !first.text.contains(" on"), "{}", first.text);
    for file in first.text.split('"').filter(|text| text.starts_with("/web/")) {
        origin.get(&As::Nobody, file).await.expect(200);
    }
    origin.get(&As::Nobody, "/library/a/b").await.expect_problem(404, "not_found");
    origin.call(&As::Nobody, Method::POST, "/login", None).await.expect_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn the_document_names_the_edges_of_the_moment() {
    let origin = Origin::start().await;
    let heartbeat = json!({
        "url": "http://edge.example:8081", "purge_cursor": 0, "hit_ratio": null, "cached_bytes": 0, "version": "0.1.0",
    });
    origin.post(&As::Fleet, "/internal/heartbeat", heartbeat).await.expect(200);
    let page = origin.get(&As::Nobody, "/library").await.expect(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("connect-src 'self' blob: http://edge.example:8081;"), "{policy}");
    assert!(page.text.contains("data-edges=\"http://edge.example:8081\""), "{}", page.text);
}

#[tokio::test]
async fn invariant_9_a_frame_shows_what_everyone_may_see_or_what_its_address_permits() {
    let origin = Origin::start().await;
    let ada = origin.session_of("ada").await;
    for (n, visibility, everyone) in
        [(1, Visibility::Private, false), (2, Visibility::Unlisted, true), (3, Visibility::Public, true)]
    {
        let id = origin.add_asset(n, Some("ada"), visibility).await;
        // Whose session the browser has makes no difference.
        for who in [&As::Nobody, &ada] {
            for path in [format!("/embed/{id}"), format!("/embed/{id}/state.json")] {
                let answer = origin.get(who, &path).await;
                if everyone {
                    assert!(!answer.expect(200).text.contains("/g/"), "{who:?} {path}");
                } else {
                    answer.expect_problem(404, "asset_not_found");
                }
            }
        }
        let grant = origin.post(&ada, &format!("/api/v1/assets/{id}/grants"), json!({ "minutes": 5 })).await;
        let path = grant.expect(201).json()["watch"].as_str().unwrap().replace("/watch/", "/embed/");
        let page = origin.get(&As::Nobody, &path).await.expect(200);
        assert!(page.header("content-security-policy").ends_with("frame-ancestors *"));
        assert!(page.text.contains("<source src=\"/g/"), "{}", page.text);
        assert!(page.text.contains(&format!("data-state-url=\"{path}/state.json\"")), "{}", page.text);
        origin.get(&As::Nobody, &format!("{path}/state.json")).await.expect(200);
        // The watch page stays out of other sites' frames.
        let watch = origin.get(&ada, &format!("/watch/{id}")).await.expect(200);
        assert!(watch.header("content-security-policy").ends_with("frame-ancestors 'self'"));
    }
}
