//! Two origins on one PostgreSQL, one Redis and one disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use support::Database;
use support::api::{As, Origin, request};
use tidegate_testkit::Redis;

struct Cluster {
    redis: Redis,
    origins: [Origin; 2],
    _database: Database,
}

async fn cluster() -> Cluster {
    let (redis, database) = (Redis::start(), Database::postgres());
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let url = redis.url();
    let start = || {
        let url = url.clone();
        Origin::start_in(folder.clone(), Some(&database.options), |config| config.redis_url = Some(url))
    };
    let origins = [start().await, start().await];
    Cluster { redis, origins, _database: database }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_one_origin_holds_and_ends_at_the_other() {
    let cluster = cluster().await;
    let [first, second] = &cluster.origins;
    let ada = first.session_of("ada").await;
    second.get(&ada, "/api/v1/assets").await.expect(200);
    second.delete(&ada, "/api/v1/sessions").await.expect(204);
    first.get(&ada, "/api/v1/assets").await.expect_problem(401, "authentication_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_tokens_and_sessions_go_on() {
    let cluster = cluster().await;
    let [first, second] = &cluster.origins;
    let (ada, token) = (first.session_of("ada").await, first.admin());
    cluster.redis.stop();
    first.get(&token, "/api/v1/assets").await.expect(200);
    first.get(&ada, "/api/v1/assets").await.expect(200);
    let again = first.log_in("ada").await;
    second.get(&again, "/api/v1/assets").await.expect(200);
    // A purge is in the log whether or not anyone can be woken for it.
    first.post(&token, "/api/v1/purges", json!({ "urls": ["/a"] })).await.expect(202);
    assert_eq!(first.purges_after(0).await["head"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_at_one_origin_reaches_an_edge_that_waits_at_the_other() {
    let cluster = cluster().await;
    let [first, second] = &cluster.origins;
    let admin = first.admin();
    for n in 0..3 {
        let waiting = request(&As::Fleet, Method::GET, &format!("/internal/purges?after={n}&wait=30"), None);
        let router = second.router.clone();
        let waiting = tokio::spawn(async move { tower::ServiceExt::oneshot(router, waiting).await.unwrap() });
        first.post(&admin, "/api/v1/purges", json!({ "urls": ["/a"] })).await.expect(202);
        let body = axum::body::to_bytes(waiting.await.unwrap().into_body(), 1 << 20).await.unwrap();
        let feed: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(feed["records"][0]["seq"], n + 1);
    }
}
