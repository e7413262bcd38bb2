//! The numbers of the purge log under concurrent writers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use support::Database;
use tidegate_origin::catalog::{Catalog, purges};
use tidegate_wire::purge::PurgeTargets;

on_both_engines! { invariant_8_numbers_have_no_gaps_and_become_visible_in_order }

const WRITERS: u64 = 6;
const PURGES: u64 = 25;

/// Every third purge is rolled back.
async fn write(catalog: Catalog, writer: u64) -> u64 {
    let mut committed = 0;
    for n in 0..PURGES {
        let targets = PurgeTargets { urls: vec![format!("/{writer}/{n}")], ..PurgeTargets::default() };
        let mut tx = catalog.begin().await.unwrap();
        purges::append(&mut tx, &targets, None, 1).await.unwrap();
        // Others get their chance to overtake between append and commit.
        tokio::task::yield_now().await;
        if n % 3 != 2 {
            tx.commit().await.unwrap();
            committed += 1;
        }
    }
    committed
}

/// Follows the log as an edge does, and fails if a number is ever skipped, also one that appears later.
async fn follow(catalog: Catalog, done: Arc<AtomicBool>) -> u64 {
    let mut cursor = 0;
    loop {
        let last = done.load(Ordering::SeqCst);
        let feed = purges::feed(&catalog, cursor, 7).await.unwrap();
        for record in &feed.records {
            assert_eq!(record.seq, cursor + 1, "a gap");
            cursor = record.seq;
        }
        assert!(feed.head >= cursor);
        assert!(!feed.records.is_empty() || feed.head == cursor, "a head without its records");
        if last && cursor == feed.head {
            return cursor;
        }
    }
}

async fn invariant_8_numbers_have_no_gaps_and_become_visible_in_order(database: Database) {
    // Two handles, as two origins have.
    let catalogs = [database.connect().await, database.connect().await];
    let done = Arc::new(AtomicBool::new(false));
    let followers: Vec<_> =
        catalogs.iter().map(|catalog| tokio::spawn(follow(catalog.clone(), done.clone()))).collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| tokio::spawn(write(catalogs[usize::try_from(n).unwrap() % 2].clone(), n)))
        .collect();
    let mut committed = 0;
    for writer in writers {
        committed += writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    for follower in followers {
        assert_eq!(follower.await.unwrap(), committed);
    }
}
