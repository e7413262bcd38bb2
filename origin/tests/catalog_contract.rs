//! What the catalogue promises, on each engine it runs on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Database, add_account, asset_id, new_account, new_asset};
use tidegate_origin::catalog::accounts::{self, Inserted};
use tidegate_origin::catalog::keys::{self, GrantKey};
use tidegate_origin::catalog::purges;
use tidegate_origin::catalog::removals::{self, Removal};
use tidegate_origin::catalog::tokens::{self, Token};
use tidegate_origin::catalog::{AccountId, Asset, Catalog, Visibility, assets, edges};
use tidegate_wire::fleet::Heartbeat;
use tidegate_wire::purge::PurgeTargets;

on_both_engines! {
    names_are_unique_whatever_their_case,
    only_one_of_many_makes_the_first_account,
    tokens_are_found_by_their_hash_until_they_are_deleted,
    an_account_has_only_so_many_tokens,
    an_asset_reads_back_as_it_was_written,
    a_repeated_completion_changes_nothing,
    a_change_that_is_dropped_never_was,
    a_rename_and_a_deletion_are_seen,
    removals_wait_until_they_are_done,
    trimming_drops_a_front_and_says_so,
    heartbeats_replace_each_other_until_they_are_forgotten,
    a_rotated_key_stays_until_it_is_forgotten,
    large_numbers_and_odd_texts_survive,
}

fn token(account: &AccountId, name: &str) -> Token {
    Token {
        id: format!("token-{name}"),
        account_id: account.clone(),
        name: name.to_owned(),
        created_at: 9,
        last_used_at: None,
    }
}

async fn insert_asset(catalog: &Catalog, n: u8, owner: Option<&AccountId>) -> bool {
    let mut tx = catalog.begin().await.unwrap();
    let inserted = assets::insert(&mut tx, &new_asset(asset_id(n), owner.cloned())).await.unwrap();
    tx.commit().await.unwrap();
    inserted
}

async fn names_are_unique_whatever_their_case(database: Database) {
    let catalog = database.connect().await;
    let id = add_account(&catalog, "Ada").await;
    for (name, email, taken) in [
        ("ADA", "other@example.org", Inserted::UsernameTaken),
        ("other", "ada@EXAMPLE.org", Inserted::EmailTaken),
        ("ada", "ada@example.org", Inserted::UsernameTaken),
    ] {
        let mut new = new_account(name);
        new.account.id = AccountId::new(format!("second-{name}"));
        new.account.email = email.to_owned();
        let mut tx = catalog.begin().await.unwrap();
        assert_eq!(accounts::insert(&mut tx, &new).await.unwrap(), taken, "{name} {email}");
    }
    for login in ["ada", "ADA", "ada@example.org", "Ada@Example.ORG"] {
        let (account, hash) = accounts::find_by_login(&catalog, login).await.unwrap().unwrap();
        assert_eq!((account.id.clone(), hash.as_str()), (id.clone(), "hash of Ada"), "{login}");
        assert_eq!(account.username, "Ada");
    }
    assert_eq!(accounts::find_by_login(&catalog, "ad").await.unwrap(), None);
    let (_, hash) = accounts::find_by_login(&catalog, "ada").await.unwrap().unwrap();
    let mut tx = catalog.begin().await.unwrap();
    assert!(accounts::still_has_password(&mut tx, &id, &hash).await.unwrap());
    assert!(accounts::set_password(&mut tx, &id, "another").await.unwrap());
    assert!(!accounts::still_has_password(&mut tx, &id, &hash).await.unwrap(), "it was checked before that");
    drop(tx);
    assert_eq!(accounts::get(&catalog, &id).await.unwrap().unwrap().created_at, 5);
}

async fn only_one_of_many_makes_the_first_account(database: Database) {
    let catalog = database.connect().await;
    assert!(accounts::is_empty(&catalog).await.unwrap());
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..8 {
        let catalog = catalog.clone();
        tries.spawn(async move {
            let mut tx = catalog.begin().await.unwrap();
            let made = accounts::insert_first(&mut tx, &new_account(&format!("first{n}"))).await.unwrap();
            tx.commit().await.unwrap();
            made
        });
    }
    let made = tries.join_all().await.into_iter().filter(|&made| made).count();
    assert_eq!(made, 1);
    assert!(!accounts::is_empty(&catalog).await.unwrap());
}

async fn tokens_are_found_by_their_hash_until_they_are_deleted(database: Database) {
    let catalog = database.connect().await;
    let (ada, bob) = (add_account(&catalog, "ada").await, add_account(&catalog, "bob").await);
    let mut tx = catalog.begin().await.unwrap();
    assert!(tokens::insert(&mut tx, &token(&ada, "a"), "hash-a", 10).await.unwrap());
    assert!(tokens::insert(&mut tx, &token(&ada, "b"), "hash-b", 10).await.unwrap());
    tx.commit().await.unwrap();

    let (account, id, last_used_at) = tokens::find(&catalog, "hash-a").await.unwrap().unwrap();
    assert_eq!((account.username.as_str(), id.as_str(), last_used_at), ("ada", "token-a", None));
    tokens::touch(&catalog, &id, 77).await.unwrap();
    assert_eq!(tokens::find(&catalog, "hash-a").await.unwrap().unwrap().2, Some(77));
    let listed = tokens::list(&catalog, &ada).await.unwrap();
    assert_eq!(listed.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert!(tokens::list(&catalog, &bob).await.unwrap().is_empty());

    let mut tx = catalog.begin().await.unwrap();
    assert!(!tokens::delete(&mut tx, &bob, "token-a").await.unwrap(), "it is not his");
    assert!(tokens::delete(&mut tx, &ada, "token-a").await.unwrap());
    assert!(!tokens::delete(&mut tx, &ada, "token-a").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(tokens::find(&catalog, "hash-a").await.unwrap(), None);
}

async fn an_account_has_only_so_many_tokens(database: Database) {
    let catalog = database.connect().await;
    let (ada, bob) = (add_account(&catalog, "ada").await, add_account(&catalog, "bob").await);
    let mut tx = catalog.begin().await.unwrap();
    assert!(tokens::insert(&mut tx, &token(&ada, "1"), "1", 2).await.unwrap());
    assert!(tokens::insert(&mut tx, &token(&ada, "2"), "2", 2).await.unwrap());
    assert!(!tokens::insert(&mut tx, &token(&ada, "3"), "3", 2).await.unwrap());
    assert!(tokens::insert(&mut tx, &token(&bob, "4"), "4", 2).await.unwrap());
}

async fn an_asset_reads_back_as_it_was_written(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    let mut new = new_asset(asset_id(1), Some(ada));
    new.sha256 = Some("ab".repeat(32));
    new.segments = r#"[{"file":"a","bytes":1}]"#.to_owned();
    new.visibility = Visibility::Unlisted;
    let mut tx = catalog.begin().await.unwrap();
    assert!(assets::insert(&mut tx, &new).await.unwrap());
    assert!(assets::insert(&mut tx, &new_asset(asset_id(2), None)).await.unwrap(), "nobody's");
    tx.commit().await.unwrap();

    let asset = assets::get(&catalog, asset_id(1)).await.unwrap().unwrap();
    assert_eq!(asset.id, new.id);
    assert_eq!(asset.owner, new.owner);
    assert_eq!(asset.name, new.name);
    assert_eq!(asset.size_bytes, new.size_bytes);
    assert_eq!(asset.digest, new.digest);
    assert_eq!(asset.sha256, new.sha256);
    assert_eq!(asset.content_type, new.content_type);
    assert_eq!(asset.visibility, new.visibility);
    assert_eq!(asset.segments, new.segments);
    assert_eq!((asset.created_at, asset.updated_at), (new.created_at, new.created_at));
    let nobodys = assets::get(&catalog, asset_id(2)).await.unwrap().unwrap();
    assert_eq!((nobodys.owner, nobodys.sha256), (None, None));
    assert_eq!(assets::get(&catalog, asset_id(3)).await.unwrap(), None);
}

async fn a_repeated_completion_changes_nothing(database: Database) {
    let catalog = database.connect().await;
    assert!(insert_asset(&catalog, 1, None).await);
    let mut tx = catalog.begin().await.unwrap();
    let renamed = assets::get_locked(&mut tx, asset_id(1)).await.unwrap().unwrap();
    assets::update(&mut tx, &Asset { name: "new name".to_owned(), ..renamed }, 99).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!insert_asset(&catalog, 1, None).await);
    assert_eq!(assets::get(&catalog, asset_id(1)).await.unwrap().unwrap().name, "new name");
}

async fn a_change_that_is_dropped_never_was(database: Database) {
    let catalog = database.connect().await;
    let mut tx = catalog.begin().await.unwrap();
    assets::insert(&mut tx, &new_asset(asset_id(1), None)).await.unwrap();
    purges::append(&mut tx, &PurgeTargets::default(), None, 1).await.unwrap();
    drop(tx);
    assert_eq!(assets::get(&catalog, asset_id(1)).await.unwrap(), None);
    assert_eq!(purges::bounds(&catalog).await.unwrap(), (0, 1));
}

async fn a_rename_and_a_deletion_are_seen(database: Database) {
    let catalog = database.connect().await;
    insert_asset(&catalog, 1, None).await;
    let mut tx = catalog.begin().await.unwrap();
    let asset = assets::get_locked(&mut tx, asset_id(1)).await.unwrap().unwrap();
    let asset = Asset { name: "ü".to_owned(), visibility: Visibility::Public, ..asset };
    assets::update(&mut tx, &asset, 99).await.unwrap();
    assert_eq!(assets::get_locked(&mut tx, asset_id(1)).await.unwrap().unwrap().name, "ü");
    tx.commit().await.unwrap();
    let asset = assets::get(&catalog, asset_id(1)).await.unwrap().unwrap();
    assert_eq!((asset.name.as_str(), asset.visibility, asset.updated_at), ("ü", Visibility::Public, 99));

    let mut tx = catalog.begin().await.unwrap();
    assert!(assets::delete(&mut tx, asset_id(1)).await.unwrap());
    assert!(!assets::delete(&mut tx, asset_id(1)).await.unwrap());
    assert_eq!(assets::get_locked(&mut tx, asset_id(1)).await.unwrap(), None);
    tx.commit().await.unwrap();
    assert_eq!(assets::get(&catalog, asset_id(1)).await.unwrap(), None);
}

async fn removals_wait_until_they_are_done(database: Database) {
    let catalog = database.connect().await;
    let removal = |n| Removal { id: asset_id(n), last_segment: u64::from(n) };
    let mut tx = catalog.begin().await.unwrap();
    for (n, at) in [(1, 30), (2, 40), (3, 20), (2, 10)] {
        let noted = removals::insert(&mut tx, asset_id(n), u64::from(n), at).await.unwrap();
        assert_eq!(noted, removal(n));
    }
    tx.commit().await.unwrap();
    assert_eq!(removals::list(&catalog, 30, 10).await.unwrap(), [removal(2), removal(3)]);
    assert_eq!(removals::list(&catalog, 31, 1).await.unwrap(), [removal(2)]);
    removals::done(&catalog, asset_id(2)).await.unwrap();
    assert_eq!(removals::list(&catalog, 31, 10).await.unwrap(), [removal(3), removal(1)]);
    let mut tx = catalog.begin().await.unwrap();
    assert!(removals::withdraw(&mut tx, asset_id(3)).await.unwrap());
    assert!(!removals::withdraw(&mut tx, asset_id(3)).await.unwrap(), "it may have been carried out");
    tx.commit().await.unwrap();
    assert_eq!(removals::list(&catalog, 31, 10).await.unwrap(), [removal(1)]);
}

async fn trimming_drops_a_front_and_says_so(database: Database) {
    let catalog = database.connect().await;
    // The third was written by an origin whose clock is behind.
    for at in [10, 20, 5, 30] {
        let mut tx = catalog.begin().await.unwrap();
        purges::append(&mut tx, &PurgeTargets::default(), None, at).await.unwrap();
        tx.commit().await.unwrap();
    }
    let seqs = async |after| {
        let feed = purges::feed(&catalog, after, 100).await.unwrap();
        let seqs: Vec<u64> = feed.records.iter().map(|record| record.seq).collect();
        (seqs, feed.head, feed.oldest)
    };
    assert_eq!(seqs(0).await, (vec![1, 2, 3, 4], 4, 1));
    assert_eq!(purges::trim(&catalog, 15).await.unwrap(), 1);
    assert_eq!(seqs(0).await, (vec![2, 3, 4], 4, 2));
    assert_eq!(purges::trim(&catalog, 25).await.unwrap(), 2);
    assert_eq!(seqs(0).await, (vec![4], 4, 4));
    assert_eq!(purges::trim(&catalog, 1000).await.unwrap(), 1);
    assert_eq!(seqs(0).await, (vec![], 4, 5));
    assert_eq!(purges::get(&catalog, 4).await.unwrap(), None);
}

async fn heartbeats_replace_each_other_until_they_are_forgotten(database: Database) {
    let catalog = database.connect().await;
    let beat = |url: &str, cursor, hit_ratio| Heartbeat {
        url: url.to_owned(),
        purge_cursor: cursor,
        hit_ratio,
        cached_bytes: 1 << 40,
        version: "0.1.0".to_owned(),
        memory_limit_bytes: Some(1 << 30),
        memory_used_bytes: None,
        report: None,
    };
    edges::beat(&catalog, &beat("http://b", 1, None), 10).await.unwrap();
    edges::beat(&catalog, &beat("http://a", 2, Some(0.25)), 20).await.unwrap();
    edges::beat(&catalog, &beat("http://b", 3, Some(1.0)), 30).await.unwrap();
    let listed = edges::list(&catalog).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].heartbeat, beat("http://a", 2, Some(0.25)));
    assert_eq!((listed[1].heartbeat.clone(), listed[1].heartbeat_at), (beat("http://b", 3, Some(1.0)), 30));
    assert_eq!(edges::forget(&catalog, 30).await.unwrap(), 1);
    assert_eq!(edges::list(&catalog).await.unwrap().len(), 1);
}

async fn a_rotated_key_stays_until_it_is_forgotten(database: Database) {
    let catalog = database.connect().await;
    let key = |id: &str, created_at| GrantKey {
        id: id.to_owned(),
        pkcs8: format!("secret of {id}"),
        created_at,
        retired_at: None,
    };
    let mut tx = catalog.begin().await.unwrap();
    assert!(keys::insert_first(&mut tx, &key("a", 1)).await.unwrap());
    assert!(!keys::insert_first(&mut tx, &key("b", 2)).await.unwrap());
    keys::rotate(&mut tx, &key("c", 3)).await.unwrap();
    tx.commit().await.unwrap();
    let listed = keys::list(&catalog).await.unwrap();
    let seen: Vec<_> = listed.iter().map(|key| (key.id.as_str(), key.retired_at)).collect();
    assert_eq!(seen, [("c", None), ("a", Some(3))]);
    assert_eq!(keys::forget(&catalog, 3).await.unwrap(), 0);
    assert_eq!(keys::forget(&catalog, 4).await.unwrap(), 1);
    assert_eq!(keys::list(&catalog).await.unwrap().len(), 1);
}

async fn large_numbers_and_odd_texts_survive(database: Database) {
    let catalog = database.connect().await;
    let mut new = new_asset(asset_id(1), None);
    new.size_bytes = i64::MAX as u64;
    new.name = "'; DROP TABLE assets; -- \"$1\" \u{1F3AC} \\ %_".to_owned();
    let mut tx = catalog.begin().await.unwrap();
    assets::insert(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    let asset = assets::get(&catalog, asset_id(1)).await.unwrap().unwrap();
    assert_eq!((asset.size_bytes, asset.name), (new.size_bytes, new.name));
}
