//! Lists of assets on both engines: every order, from any place on, and what filters find.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use serde_json::json;
use support::{Database, add_account, asset_id, new_asset};
use tidegate_origin::about::{self, About};
use tidegate_origin::catalog::asset_list::{Order, Place, Wanted};
use tidegate_origin::catalog::{AccountId, Catalog, NewAsset, Visibility, assets};
use tidegate_wire::AssetId;

fn wanted(owner: Option<&AccountId>, sort: &str) -> Wanted {
    Wanted {
        owner: owner.cloned(),
        trashed: false,
        text: None,
        terms: Vec::new(),
        state: None,
        visibility: None,
        order: Order::named(sort).unwrap(),
    }
}

async fn add(catalog: &Catalog, new: NewAsset) -> AssetId {
    let mut tx = catalog.begin().await.unwrap();
    assert!(assets::insert(&mut tx, &new).await.unwrap());
    tx.commit().await.unwrap();
    new.id
}

/// All pages of a list, each place written down and read again as clients do.
async fn all(catalog: &Catalog, wanted: &Wanted, limit: u32) -> Vec<AssetId> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = wanted.page(catalog, after.as_ref(), limit).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Place::decode(&Place::behind(last, wanted.order).encode(), wanted.order);
        assert!(after.is_some());
        seen.extend(page.iter().map(|asset| asset.id));
    }
    seen
}

async fn every_order_has_each_asset_once_whatever_the_pages(database: Database) {
    let catalog = database.connect().await;
    let (ada, bob) = (add_account(&catalog, "ada").await, add_account(&catalog, "bob").await);
    // Many that are equal, so that only the id tells them apart.
    for n in 1..=23 {
        let title = [None, Some("zebra"), Some("Äpfel"), Some("apple")][usize::from(n % 4)];
        let about = About { title: title.map(str::to_owned), ..About::default() };
        let (size_bytes, created_at) = (u64::from(n % 3) << 40, 1_700_000_000_000 + u64::from(n % 5));
        add(
            &catalog,
            NewAsset { about, size_bytes, created_at, ..new_asset(asset_id(n), Some(ada.clone())) },
        )
        .await;
    }
    add(&catalog, new_asset(asset_id(50), Some(bob.clone()))).await;
    add(&catalog, new_asset(asset_id(51), None)).await;
    for (sort, _) in Order::NAMES {
        let of_ada = wanted(Some(&ada), sort);
        let whole = all(&catalog, &of_ada, 100).await;
        assert_eq!(whole.len(), 23, "{sort}");
        for limit in [1, 2, 7] {
            assert_eq!(all(&catalog, &of_ada, limit).await, whole, "{sort} by {limit}");
        }
        assert_eq!(of_ada.total(&catalog).await.unwrap(), 23);
        assert_eq!(all(&catalog, &wanted(None, sort), 4).await.len(), 25, "{sort}: everyone's");
        assert_eq!(all(&catalog, &wanted(Some(&bob), sort), 4).await, [asset_id(50)]);
        let back = Order::NAMES
            .iter()
            .find(|(name, _)| name.trim_start_matches('-') == sort.trim_start_matches('-') && *name != sort);
        let mut turned = all(&catalog, &wanted(Some(&ada), back.unwrap().0), 5).await;
        turned.reverse();
        assert_eq!(turned, whole, "{sort} is the other way round");
    }
}

async fn a_search_finds_pieces_of_text_as_they_stand(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    let say = |n, name: &str, title: Option<&str>, description: &str, tags: &[&str]| NewAsset {
        name: name.to_owned(),
        about: About {
            title: title.map(str::to_owned),
            description: description.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            metadata: json!({ "client": "ACME", "n": n, "done": true, "note": "100%_!" })
                .as_object()
                .unwrap()
                .clone(),
        },
        ..new_asset(asset_id(n), Some(ada.clone()))
    };
    add(&catalog, say(1, "IMG_0001.MP4", Some("Fête à la Mer"), "first line\nsecond line", &["Sea", "été"]))
        .await;
    add(&catalog, say(2, "100%.mov", None, "50_50", &["two words"])).await;
    add(&catalog, say(3, "plain.mov", None, "a!b", &[])).await;
    for (text, found) in [
        ("img_0001", &[1][..]),
        ("FÊTE", &[1]),
        ("second", &[1]),
        ("sea", &[1]),
        ("ÉTÉ", &[1]),
        (".mov", &[2, 3]),
        ("100%", &[2]),
        ("0%.", &[2]),
        ("%", &[2]),
        ("_", &[1, 2]),
        ("0_5", &[2]),
        ("0x5", &[]),
        ("a!b", &[3]),
        ("!", &[3]),
        ("acme", &[]),
        ("\\", &[]),
        ("' OR 1=1 --", &[]),
        ("\u{1f}", &[]),
    ] {
        let search = Wanted { text: Some(text.to_owned()), ..wanted(Some(&ada), "created") };
        let expected: Vec<AssetId> = found.iter().map(|n| asset_id(*n)).collect();
        assert_eq!(all(&catalog, &search, 10).await, expected, "{text:?}");
        assert_eq!(search.total(&catalog).await.unwrap(), expected.len() as u64);
    }
    for (term, found) in [
        (about::tag_term("sea"), &[1][..]),
        (about::tag_term("SEA"), &[1]),
        (about::tag_term("se"), &[]),
        (about::tag_term("%"), &[]),
        (about::tag_term("words"), &[]),
        (about::tag_term("Two Words"), &[2]),
        (about::member_term("client", "ACME").unwrap(), &[1, 2, 3]),
        (about::member_term("client", "AC%").unwrap(), &[]),
        (about::member_term("note", "100%_!").unwrap(), &[1, 2, 3]),
        (about::member_term("n", "2").unwrap(), &[2]),
        (about::member_term("done", "true").unwrap(), &[1, 2, 3]),
        (about::member_term("lient", "ACME").unwrap(), &[]),
    ] {
        let filter = Wanted { terms: vec![term.clone()], ..wanted(Some(&ada), "created") };
        let expected: Vec<AssetId> = found.iter().map(|n| asset_id(*n)).collect();
        assert_eq!(all(&catalog, &filter, 10).await, expected, "{term:?}");
    }
    let both = Wanted {
        terms: vec![about::tag_term("sea"), about::member_term("n", "2").unwrap()],
        ..wanted(Some(&ada), "created")
    };
    assert_eq!(both.total(&catalog).await.unwrap(), 0);
}

async fn the_longest_that_may_be_said_fits_into_every_index(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    // Letters that neither shrink nor repeat: PostgreSQL compresses what it puts into an index.
    let long =
        |many: u32| (0..many).filter_map(|n| char::from_u32(0x2_0000 + n * 37 % 40_000)).collect::<String>();
    let about = About {
        title: Some(long(200)),
        description: long(5000),
        tags: (0..30).map(|n| format!("{n}{}", long(48))).collect(),
        metadata: (0..50).map(|n| (format!("{n:064}"), json!(long(20)))).collect(),
    };
    assert_eq!(about.check(), Ok(()));
    let new = NewAsset { name: long(255), about: about.clone(), ..new_asset(asset_id(1), Some(ada.clone())) };
    let id = add(&catalog, new).await;
    for (sort, _) in Order::NAMES {
        let search = Wanted { text: Some(long(100)), ..wanted(Some(&ada), sort) };
        assert_eq!(all(&catalog, &search, 1).await, [id], "{sort}");
    }
    assert_eq!(assets::get(&catalog, id).await.unwrap().unwrap().about, about);
}

async fn what_an_older_version_has_put_there_is_found_once_it_was_looked_at(database: Database) {
    let catalog = database.connect().await;
    let id = add(&catalog, NewAsset { visibility: Visibility::Public, ..new_asset(asset_id(1), None) }).await;
    let mut tx = catalog.begin().await.unwrap();
    // As the older version left it.
    tx.forget_terms(id).await.unwrap();
    tx.commit().await.unwrap();
    let search = Wanted { text: Some("holiday".to_owned()), ..wanted(None, "title") };
    assert_eq!(search.total(&catalog).await.unwrap(), 0);
    assert_eq!(assets::fill_in(&catalog, 10).await.unwrap(), 1);
    assert_eq!(assets::fill_in(&catalog, 10).await.unwrap(), 0);
    assert_eq!(all(&catalog, &search, 10).await, [id]);
}

async fn what_is_in_the_trash_is_nowhere_else(database: Database) {
    let catalog = database.connect().await;
    let ada = add_account(&catalog, "ada").await;
    let [stays, goes] = [1, 2].map(asset_id);
    for id in [stays, goes] {
        add(&catalog, new_asset(id, Some(ada.clone()))).await;
    }
    let mut tx = catalog.begin().await.unwrap();
    assets::set_trashed(&mut tx, goes, Some(77)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(assets::get(&catalog, goes).await.unwrap(), None);
    assert_eq!(assets::get_trashed(&catalog, goes).await.unwrap().unwrap().trashed_at, Some(77));
    assert_eq!(assets::get_trashed(&catalog, stays).await.unwrap(), None);
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(assets::get_locked(&mut tx, goes).await.unwrap(), None);
    assert!(assets::get_locked_anywhere(&mut tx, goes).await.unwrap().is_some());
    drop(tx);
    for (sort, _) in Order::NAMES {
        for owner in [Some(&ada), None] {
            assert_eq!(all(&catalog, &wanted(owner, sort), 10).await, [stays]);
            let trash = Wanted { trashed: true, ..wanted(owner, sort) };
            assert_eq!(all(&catalog, &trash, 10).await, [goes]);
        }
    }
    assert_eq!(assets::trashed_before(&catalog, 77, 10).await.unwrap(), []);
    assert_eq!(assets::trashed_before(&catalog, 78, 10).await.unwrap(), [goes]);
}

on_both_engines! {
    the_longest_that_may_be_said_fits_into_every_index,
    every_order_has_each_asset_once_whatever_the_pages,
    a_search_finds_pieces_of_text_as_they_stand,
    what_an_older_version_has_put_there_is_found_once_it_was_looked_at,
    what_is_in_the_trash_is_nowhere_else,
}
