//! Everyone's accounts, and what is written down of what is done to them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::Database;
use support::api::{As, Origin, PASSWORD};
use tidegate_origin::catalog::{Visibility, accounts, audit};
use tidegate_origin::limits;

const ACCOUNTS: &str = "/api/v1/accounts";

on_both_engines! {
    accounts_are_listed_with_what_they_use,
    a_disabled_account_is_locked_out_at_once_until_it_is_enabled,
    the_last_administrator_stays_one,
    of_two_administrators_that_demote_each_other_one_stays,
    administrative_acts_are_written_down,
}

async fn start(database: &Database) -> Origin {
    Origin::start_in(Arc::new(tempfile::tempdir().unwrap()), Some(&database.options), |_| {}).await
}

async fn id_of(origin: &Origin, name: &str) -> String {
    let found = accounts::find_by_login(&origin.app.catalog, name).await.unwrap().unwrap();
    found.0.id.to_string()
}

async fn path_of(origin: &Origin, name: &str) -> String {
    format!("{ACCOUNTS}/{}", id_of(origin, name).await)
}

fn names(list: &Value) -> Vec<&str> {
    list["accounts"].as_array().unwrap().iter().map(|account| account["username"].as_str().unwrap()).collect()
}

async fn accounts_are_listed_with_what_they_use(database: Database) {
    let origin = start(&database).await;
    let admin = origin.admin();
    for name in ["ada", "b_b", "Carl", "bob"] {
        origin.hand.advance(support::api::SECOND);
        origin.session_of(name).await;
    }
    origin.add_asset(1, Some("bob"), Visibility::Private).await;
    origin.add_asset(2, Some("bob"), Visibility::Private).await;
    let list = origin.get(&admin, ACCOUNTS).await.expect(200).json();
    assert_eq!(names(&list), ["bob", "Carl", "b_b", "ada", "admin"], "newest first");
    assert_eq!(list["next_cursor"], Value::Null);
    let expected = json!({
        "id": id_of(&origin, "bob").await, "username": "bob", "email": "bob@example.org", "role": "uploader",
        "quota_bytes": null, "used_bytes": 2 * 12_345_678_901_u64, "assets": 2,
        "created_at": "2026-05-28T20:26:44.000Z", "disabled": false,
    });
    assert_eq!(list["accounts"][0], expected);
    for (q, found) in [
        ("carl", &["Carl"][..]),
        ("CARL%40EXAMPLE", &["Carl"]),
        ("b", &["bob", "b_b"]),
        ("_", &["b_b"]),
        ("%25", &[]),
        ("!", &[]),
        ("'", &[]),
    ] {
        // Every address ends in what none of them is looked for by.
        let list = origin.get(&admin, &format!("{ACCOUNTS}?q={q}")).await.expect(200).json();
        assert_eq!(names(&list), found, "{q}");
    }
    let mut seen = Vec::new();
    let mut path = format!("{ACCOUNTS}?limit=2");
    loop {
        let page = origin.get(&admin, &path).await.expect(200).json();
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{ACCOUNTS}?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["bob", "Carl", "b_b", "ada", "admin"]);
    for query in ["limit=0", "limit=201", "cursor=x", "cursor=%00", "q=%00", "x=1"] {
        origin.get(&admin, &format!("{ACCOUNTS}?{query}")).await.expect_problem(422, "invalid_field");
    }
}

async fn a_disabled_account_is_locked_out_at_once_until_it_is_enabled(database: Database) {
    let origin = start(&database).await;
    let admin = origin.admin();
    let (session, token) = (origin.session_of("ada").await, origin.token_of("bob").await);
    for (who, name, code) in [(&session, "ada", "authentication_required"), (&token, "bob", "invalid_token")]
    {
        let path = path_of(&origin, name).await;
        origin.get(who, "/api/v1/account").await.expect(200);
        let shown = origin.patch(&admin, &path, json!({ "disabled": true })).await.expect(200).json();
        assert_eq!(shown["disabled"], true);
        origin.get(who, "/api/v1/account").await.expect_problem(401, code);
        let right = json!({ "login": name, "password": PASSWORD });
        origin.post(&As::Nobody, "/api/v1/sessions", right).await.expect_problem(403, "account_disabled");
        // Who does not know the password is told nothing.
        let wrong = json!({ "login": name, "password": "wrong" });
        origin.post(&As::Nobody, "/api/v1/sessions", wrong).await.expect_problem(401, "invalid_credentials");
        origin.patch(&admin, &path, json!({ "disabled": false })).await.expect(200);
        origin.log_in(name).await;
    }
    // A session of before is over; a token is the account's to use again.
    origin.get(&session, "/api/v1/account").await.expect_problem(401, "authentication_required");
    origin.get(&token, "/api/v1/account").await.expect(200);
}

async fn the_last_administrator_stays_one(database: Database) {
    let origin = start(&database).await;
    let (admin, path) = (origin.admin(), path_of(&origin, "admin").await);
    for change in [json!({ "role": "uploader" }), json!({ "role": "viewer" }), json!({ "disabled": true })] {
        origin.patch(&admin, &path, change).await.expect_problem(409, "last_admin");
    }
    let ada = origin.session_of("ada").await;
    origin.patch(&admin, &path_of(&origin, "ada").await, json!({ "role": "admin" })).await.expect(200);
    origin.patch(&ada, &path, json!({ "role": "viewer" })).await.expect(200);
    origin.get(&admin, ACCOUNTS).await.expect_problem(403, "forbidden");
    let own = path_of(&origin, "ada").await;
    origin.patch(&ada, &own, json!({ "role": "uploader" })).await.expect_problem(409, "last_admin");
}

async fn of_two_administrators_that_demote_each_other_one_stays(database: Database) {
    let origin = start(&database).await;
    let admin = origin.admin();
    origin.session_of("ada").await;
    let (first, second) = (path_of(&origin, "admin").await, path_of(&origin, "ada").await);
    for _ in 0..5 {
        origin.patch(&admin, &second, json!({ "role": "admin" })).await.expect(200);
        let demote = json!({ "role": "uploader" });
        let (a, b) = tokio::join!(
            origin.patch(&admin, &first, demote.clone()),
            origin.patch(&admin, &second, demote.clone()),
        );
        let statuses = (a.status.as_u16(), b.status.as_u16());
        let log = format!("{statuses:?}");
        let rows = accounts::list(&origin.app.catalog, None, "", 10).await.unwrap();
        let admins = rows.iter().filter(|(account, _)| account.role == tidegate_origin::access::Role::Admin);
        assert_eq!(admins.count(), 1, "{log}");
        tidegate_origin::accounts::recovery::make_admin(
            &origin.app.catalog,
            &origin.app.clock,
            &origin.app.entropy,
            "admin",
        )
        .await
        .unwrap();
    }
}

async fn administrative_acts_are_written_down(database: Database) {
    let origin = start(&database).await;
    let admin = origin.log_in("admin").await;
    let ada = origin.session_of("ada").await;
    let asset = origin.add_asset(1, Some("ada"), Visibility::Private).await;
    origin.hand.advance(support::api::SECOND);
    let path = path_of(&origin, "ada").await;
    origin.patch(&admin, &path, json!({ "role": "viewer", "quota_bytes": 7 })).await.expect(200);
    origin.hand.advance(support::api::SECOND);
    origin.patch(&admin, &path, json!({ "quota_bytes": 7 })).await.expect(200);
    origin.post(&admin, "/api/v1/purges", json!({ "urls": ["/a"] })).await.expect(202);
    origin.hand.advance(support::api::SECOND);
    origin.delete(&admin, &format!("/api/v1/assets/{asset}")).await.expect(204);

    let log = origin.get(&admin, "/api/v1/audit?limit=3").await.expect(200).json();
    let entries = log["entries"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["asset.deleted", "purge.made", "account.changed"], "what changes nothing is no act");
    let expected = json!({
        "id": entries[2]["id"], "at": "2026-05-28T20:26:41.000Z",
        "actor": { "id": id_of(&origin, "admin").await, "username": "admin" },
        "action": "account.changed", "subject": id_of(&origin, "ada").await, "address": "0.0.0.0",
        "detail": {
            "role": { "from": "uploader", "to": "viewer" }, "quota_bytes": { "from": null, "to": 7 },
        },
    });
    assert_eq!(entries[2], expected);
    assert_eq!(entries[0]["detail"]["name"], "holiday.mp4");
    let cursor = log["next_cursor"].as_str().unwrap();
    let rest = origin.get(&admin, &format!("/api/v1/audit?cursor={cursor}")).await.expect(200).json();
    let mut actions: Vec<_> =
        rest["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["account.made", "session.begun", "session.begun"]);
    origin.get(&ada, "/api/v1/audit").await.expect_problem(403, "forbidden");
    assert!(!log.to_string().contains("tg_"), "no secrets");

    origin.hand.advance(limits::AUDIT_KEPT);
    tidegate_origin::housekeeping::tidy_now(&origin.app).await.unwrap();
    assert_eq!(
        audit::list(&origin.app.catalog, None, 10).await.unwrap().len(),
        1,
        "the last is just young enough"
    );
}

#[tokio::test]
async fn a_change_that_is_not_allowed_changes_nothing() {
    let origin = Origin::start().await;
    let admin = origin.admin();
    origin.session_of("ada").await;
    let path = path_of(&origin, "ada").await;
    for change in [
        json!({ "role": "root" }),
        json!({ "quota_bytes": -1 }),
        json!({ "quota_bytes": u64::MAX }),
        json!({ "quota_bytes": "1GiB" }),
        json!({ "role": "admin", "email": "x@y" }),
        json!([]),
    ] {
        origin.patch(&admin, &path, change).await.expect_problem(422, "invalid_field");
    }
    let shown = origin.patch(&admin, &path, json!({})).await.expect(200).json();
    assert_eq!((&shown["role"], &shown["quota_bytes"]), (&json!("uploader"), &Value::Null));
    let change = json!({ "quota_bytes": 5 });
    assert_eq!(origin.patch(&admin, &path, change).await.expect(200).json()["quota_bytes"], 5);
    let change = json!({ "quota_bytes": null });
    assert_eq!(origin.patch(&admin, &path, change).await.expect(200).json()["quota_bytes"], Value::Null);
    for id in ["x", "%00", "%ff", "'"] {
        let outcome = origin.patch(&admin, &format!("{ACCOUNTS}/{id}"), json!({})).await.outcome();
        assert_eq!(outcome.0, 404, "{id}");
    }
}
