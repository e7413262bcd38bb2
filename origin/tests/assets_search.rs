//! Describing and finding assets through the API: what may be said of them, what lists refuse, whose they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use http::Method;
use serde_json::{Value, json};
use support::Database;
use support::api::{As, Origin, request};
use support::worker::{claimed, fail, probed, shown, source_info, upload, upload_with};
use tidegate_origin::catalog::Visibility;

const ASSETS: &str = "/api/v1/assets";

on_both_engines! {
    pages_in_any_order_carry_on_where_they_ended,
    filters_and_searches_go_together,
}

async fn start(database: &Database) -> Origin {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    Origin::start_in(folder, Some(&database.options), |_| {}).await
}

async fn list(origin: &Origin, who: &As, query: &str) -> Value {
    origin.get(who, &format!("{ASSETS}?{query}")).await.expect(200).json()
}

async fn names(origin: &Origin, who: &As, query: &str) -> Vec<String> {
    let list = list(origin, who, query).await;
    let names: Vec<String> = list["assets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|asset| asset["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(list["total"], names.len(), "{query}");
    names
}

#[tokio::test]
async fn a_list_that_makes_no_sense_is_refused_and_says_why() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    for n in 1..=3 {
        origin.add_asset(n, Some("ada"), Visibility::Private).await;
    }
    let cursor = list(&origin, &ada, "limit=1&sort=size").await["next_cursor"].as_str().unwrap().to_owned();
    for (query, named) in [
        ("sort=", "sort"),
        ("sort=name", "sort"),
        ("sort=created_at%20DESC%3B%20DROP%20TABLE%20assets", "sort"),
        ("sort=--created", "sort"),
        ("cursor=x", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=0197a3c1-7d2e-7c31-9d1e-0242ac120002", "cursor"),
        (&format!("cursor={cursor}"), "cursor"),
        (&format!("sort=title&cursor={cursor}"), "cursor"),
        (&format!("sort=-size&cursor={cursor}"), "cursor"),
        (&format!("sort=size&cursor={cursor}A"), "cursor"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=1&limit=2", "limit"),
        ("q=%00", "q:"),
        ("q=a%1fb", "q:"),
        (&format!("q={}", "x".repeat(201)), "q:"),
        ("state=done", "state"),
        ("visibility=secret", "visibility"),
        ("all=1", "all"),
        ("trashed=yes", "trashed"),
        ("metadata.=x", "metadata"),
        ("metadata.a=%00", "metadata"),
        ("tag=%00", "tag"),
        (&(0..11).map(|n| format!("tag=t{n}&")).collect::<String>(), "tag"),
        ("owner=ada", "query"),
        ("metadata=x", "query"),
        ("Q=x", "query"),
    ] {
        let answer =
            origin.get(&ada, &format!("{ASSETS}?{query}")).await.expect_problem(422, "invalid_field");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(named), "{query}: {detail}");
    }
    origin.get(&ada, &format!("{ASSETS}?all=true")).await.expect_problem(403, "forbidden");
    origin.get(&As::Nobody, &format!("{ASSETS}?all=x")).await.expect_problem(401, "authentication_required");
}

#[tokio::test]
async fn another_s_cursor_opens_nothing() {
    let origin = Origin::start().await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    for n in 1..=4 {
        origin.add_asset(n, Some("ada"), Visibility::Public).await;
    }
    origin.add_asset(9, Some("bob"), Visibility::Public).await;
    let cursor = list(&origin, &ada, "limit=2").await["next_cursor"].as_str().unwrap().to_owned();
    let page = list(&origin, &bob, &format!("cursor={cursor}")).await;
    assert!(
        page["assets"].as_array().unwrap().iter().all(|asset| asset["owner"]["username"] == "bob"),
        "{page}"
    );
    assert_eq!(page["total"], 1);
}

#[tokio::test]
async fn hostile_descriptions_are_refused_or_stay_texts() {
    let origin = Origin::start().await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let id = origin.add_asset(1, Some("ada"), Visibility::Public).await;
    let path = format!("{ASSETS}/{id}");
    let before = origin.asset(id).await;
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    for change in [
        json!({ "title": "" }),
        json!({ "title": "a\u{0}b" }),
        json!({ "title": 5 }),
        json!({ "title": "x".repeat(201) }),
        json!({ "description": null, "title": "a\nb" }),
        json!({ "description": "a\u{1f}b" }),
        json!({ "description": "x".repeat(5001) }),
        json!({ "tags": "sea" }),
        json!({ "tags": ["a", "A"] }),
        json!({ "tags": [""] }),
        json!({ "tags": ["a\u{1f}#b"] }),
        json!({ "tags": vec!["x"; 31] }),
        json!({ "metadata": [] }),
        json!({ "metadata": "x" }),
        json!({ "metadata": { "a b": 1 } }),
        json!({ "metadata": { "__proto__ ": 1 } }),
        json!({ "metadata": { "a": "x".repeat(9000) } }),
        json!({ "metadata": { "a": deep } }),
        json!({ "owner": "bob" }),
        json!({ "title": "ok", "state": "ready" }),
    ] {
        let answer = origin.patch(&ada, &path, change.clone()).await;
        assert!(matches!(answer.outcome().0, 400 | 422), "{change}: {answer:?}");
    }
    assert_eq!(origin.asset(id).await, before, "nothing of them was kept");
    origin.patch(&bob, &path, json!({ "title": "mine" })).await.expect_problem(404, "asset_not_found");

    let script = "<script>alert(1)</script>\"'&\u{202e}";
    let change = json!({
        "title": script, "description": format!("{script}\n"), "tags": [script],
        "metadata": { "a": script, "constructor": { "x": [null, true, 1.5] } },
    });
    let seen = origin.patch(&ada, &path, change.clone()).await.expect(200).json();
    for member in ["title", "description", "tags", "metadata"] {
        assert_eq!(seen[member], change[member]);
    }
    let again = origin.get(&ada, &path).await;
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(again.json(), seen);
    let seen = origin
        .patch(&ada, &path, json!({ "title": null, "tags": [], "metadata": {} }))
        .await
        .expect(200)
        .json();
    assert_eq!((&seen["title"], &seen["tags"], &seen["metadata"]), (&json!(null), &json!([]), &json!({})));
    assert_eq!(seen["description"], change["description"], "what is not named stays");
    assert_eq!(origin.purges_after(0).await["head"], 0, "edges have nothing of it");
}

#[tokio::test]
async fn an_upload_says_what_it_is_and_who_may_watch_it() {
    let origin = Origin::start().await;
    let ada = origin.token_of("ada").await;
    let said = [
        ("title", "A day"),
        ("description", "at\nthe sea"),
        ("tags", "sea, Sea, 2026"),
        ("visibility", "unlisted"),
    ];
    let id = upload_with(&origin, &ada, &said).await;
    let seen = shown(&origin, &ada, id).await;
    assert_eq!((&seen["title"], &seen["description"]), (&json!("A day"), &json!("at\nthe sea")));
    assert_eq!((&seen["tags"], &seen["visibility"]), (&json!(["sea", "2026"]), &json!("unlisted")));
    origin.get(&As::Nobody, &id.source_path()).await.expect(200);
    // Nobody guesses who was meant.
    for value in ["cHVibGlj,visibility cHVibGlj", "UHVibGlj", "eA==", ""] {
        let mut create = request(&ada, Method::POST, "/files", None);
        let fields = create.headers_mut();
        fields.insert("tus-resumable", "1.0.0".parse().unwrap());
        fields.insert("upload-length", "5".parse().unwrap());
        fields.insert("upload-metadata", format!("visibility {value}").trim().parse().unwrap());
        origin.send(create).await.expect_problem(400, "upload_metadata_invalid");
    }
    let private = upload_with(&origin, &ada, &[("title", "x")]).await;
    assert_eq!(shown(&origin, &ada, private).await["visibility"], "private");
}

#[tokio::test]
async fn what_came_without_an_owner_is_unlisted_whatever_it_says() {
    let origin = Origin::start_with(|config| config.anonymous_uploads = true).await;
    for visibility in ["private", "public"] {
        let id = upload_with(&origin, &As::Nobody, &[("visibility", visibility)]).await;
        assert_eq!(origin.asset(id).await.unwrap().visibility, Visibility::Unlisted);
    }
}

async fn pages_in_any_order_carry_on_where_they_ended(database: Database) {
    let origin = start(&database).await;
    let (ada, admin) = (origin.token_of("ada").await, origin.admin());
    for n in 1..=7 {
        let id = origin.add_asset(n, Some("ada"), Visibility::Private).await;
        let change = json!({ "name": format!("{}.mp4", n % 3), "title": if n == 4 { json!("Zoo") } else { json!(null) } });
        origin.patch(&ada, &format!("{ASSETS}/{id}"), change).await.expect(200);
    }
    origin.add_asset(8, None, Visibility::Unlisted).await;
    for sort in ["created", "-created", "title", "-title", "size", "-size", "duration", "-duration"] {
        for (who, all, total) in [(&ada, "", 7), (&admin, "&all=true", 8)] {
            let whole = list(&origin, who, &format!("sort={sort}{all}")).await;
            assert_eq!((whole["assets"].as_array().unwrap().len(), &whole["total"]), (total, &json!(total)));
            let (mut seen, mut query) = (Vec::new(), format!("limit=2&sort={sort}{all}"));
            loop {
                let page = list(&origin, who, &query).await;
                assert_eq!(page["total"], total);
                seen.extend(page["assets"].as_array().unwrap().iter().cloned());
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                query = format!("limit=2&sort={sort}{all}&cursor={cursor}");
            }
            assert_eq!(json!(seen), whole["assets"], "{sort}");
        }
    }
    let titles = list(&origin, &ada, "sort=title").await;
    assert_eq!(titles["assets"][6]["title"], "Zoo");
    assert_eq!(list(&origin, &ada, "").await, list(&origin, &ada, "sort=-created").await);
    assert!(names(&origin, &admin, "").await.is_empty(), "an administrator's own are its own");
}

async fn filters_and_searches_go_together(database: Database) {
    let origin = start(&database).await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    let film = upload(&origin, &ada, "video/mp4").await;
    let broken = upload(&origin, &ada, "video/mp4").await;
    let first = claimed(&origin).await;
    let (probe, other) = (first, claimed(&origin).await);
    let (probe, other) = if probe.asset == film { (probe, other) } else { (other, probe) };
    probed(&origin, &probe, source_info(10_000)).await;
    fail(&origin, &other, true).await.expect(204);
    let plain = origin.add_asset(3, Some("ada"), Visibility::Public).await;
    for (id, change) in [
        (
            film,
            json!({ "name": "film", "title": "Été à la mer", "tags": ["Sea"], "metadata": { "client": "ACME" } }),
        ),
        (
            broken,
            json!({ "name": "broken", "tags": ["sea", "100%"], "metadata": { "client": "other", "n": 2 } }),
        ),
        (plain, json!({ "name": "plain", "description": "by the sea" })),
    ] {
        origin.patch(&ada, &format!("{ASSETS}/{id}"), change).await.expect(200);
    }
    for (query, found) in [
        ("sort=title", &["broken", "plain", "film"][..]),
        ("sort=-duration&limit=200", &["film", "plain", "broken"]),
        ("q=SEA&sort=title", &["broken", "plain", "film"]),
        ("q=%C3%89T%C3%89", &["film"]),
        ("q=%20%20&sort=title", &["broken", "plain", "film"]),
        ("q=%25", &["broken"]),
        ("q=acme", &[]),
        ("tag=sea&sort=title", &["broken", "film"]),
        ("tag=SEA&tag=100%25", &["broken"]),
        ("tag=se", &[]),
        ("state=failed", &["broken"]),
        ("state=processing", &["film"]),
        ("state=uploaded", &["plain"]),
        ("state=ready", &[]),
        ("visibility=public", &["plain"]),
        ("metadata.client=ACME", &["film"]),
        ("metadata.client=acme", &["film"]),
        ("metadata.client=acm", &[]),
        ("metadata.n=2&metadata.client=other", &["broken"]),
        ("metadata.n=2&metadata.client=ACME", &[]),
        ("state=failed&q=sea&tag=sea&visibility=private", &["broken"]),
    ] {
        let mut names = names(&origin, &ada, query).await;
        if query.contains("duration") {
            // Those that do not play are equal.
            names[1..].sort_by(|a, b| b.cmp(a));
        }
        assert_eq!(names, found, "{query}");
    }
    let seen = shown(&origin, &ada, film).await;
    assert_eq!((&seen["state"], &seen["duration_s"]), (&json!("processing"), &json!(10.0)));
    assert!(seen["progress"].as_f64().unwrap() < 0.5, "{seen}");
    assert_eq!(shown(&origin, &ada, plain).await["progress"], json!(null));
    assert!(names(&origin, &bob, "q=sea").await.is_empty());
    assert_eq!(
        names(&origin, &origin.admin(), "all=true&q=sea&sort=title").await,
        ["broken", "plain", "film"]
    );
}

#[tokio::test]
async fn uploads_are_listed_with_their_owner_and_everyone_s_for_administrators() {
    let origin = Origin::start().await;
    let (ada, bob) = (origin.token_of("ada").await, origin.token_of("bob").await);
    for who in [&ada, &bob] {
        let mut create = request(who, Method::POST, "/files", None);
        create.headers_mut().insert("tus-resumable", "1.0.0".parse().unwrap());
        create.headers_mut().insert("upload-length", "5".parse().unwrap());
        origin.send(create).await.expect(201);
    }
    let owners = async |who: &As, query: &str| {
        let list = origin.get(who, &format!("/api/v1/uploads{query}")).await.expect(200).json();
        let uploads = list["uploads"].as_array().unwrap().clone();
        assert!(uploads.iter().all(|upload| upload["updated_at"].is_string() && upload["length_bytes"] == 5));
        uploads
            .iter()
            .map(|upload| upload["owner"]["username"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(owners(&ada, "").await, ["ada"]);
    let mut all = owners(&origin.admin(), "?all=true").await;
    all.sort();
    assert_eq!(all, ["ada", "bob"]);
    assert!(owners(&origin.admin(), "?all=false").await.is_empty());
    origin.get(&ada, "/api/v1/uploads?all=true").await.expect_problem(403, "forbidden");
    origin.get(&ada, "/api/v1/uploads?all=x").await.expect_problem(422, "invalid_field");
    origin.get(&ada, "/api/v1/storage").await.expect_problem(403, "forbidden");
    let storage = origin.get(&origin.admin(), "/api/v1/storage").await.expect(200).json();
    assert!(storage["free_bytes"].as_u64().unwrap() <= storage["total_bytes"].as_u64().unwrap());
}
