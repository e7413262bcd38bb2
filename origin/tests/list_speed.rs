//! How long a list takes with 10,000 assets: a measurement, run by hand.
//!
//! `cargo test --release -p tidegate-origin --test list_speed -- --ignored --nocapture`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use support::api::{NOW_MS, Origin, request};
use support::new_asset;
use tidegate_origin::about::About;
use tidegate_origin::catalog::{NewAsset, accounts, assets};
use tidegate_wire::AssetId;
use tokio::time::{Instant, MissedTickBehavior, interval};

const ASSETS: u64 = 10_000;
const RATE: u64 = 100;
const SECONDS: u64 = 10;

async fn fill(origin: &Origin) {
    let (ada, _) = accounts::find_by_login(&origin.app.catalog, "ada").await.unwrap().unwrap();
    let mut tx = origin.app.catalog.begin().await.unwrap();
    for n in 0..ASSETS {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let id = AssetId::generate(NOW_MS + n, random);
        let tags = vec![format!("tag{}", n % 50), "sea".to_owned()];
        let description = "A line about what is to be seen there, and when it was made. ".repeat(3);
        let about = About {
            title: Some(format!("Film {}", n * 7919 % ASSETS)),
            description,
            tags,
            ..About::default()
        };
        let new = NewAsset {
            about,
            size_bytes: n * 31 % 997,
            created_at: NOW_MS + n,
            ..new_asset(id, Some(ada.id.clone()))
        };
        assert!(assets::insert(&mut tx, &new).await.unwrap());
    }
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement; it takes a minute"]
async fn lists_of_ten_thousand_assets_at_a_hundred_requests_a_second() {
    let origin = Arc::new(Origin::start().await);
    let ada = origin.token_of("ada").await;
    fill(&origin).await;
    let mut far = String::new();
    for _ in 0..30 {
        let page = origin.get(&ada, &format!("/api/v1/assets?limit=200{far}")).await.expect(200).json();
        assert_eq!(page["total"], ASSETS);
        far = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
    }
    println!("{ASSETS} assets on SQLite, {RATE} requests/s, milliseconds: p50, p95, most");
    for (name, query) in [
        ("newest 50", "limit=50".to_owned()),
        ("far down", format!("limit=50{far}")),
        ("by title", "limit=50&sort=title".to_owned()),
        ("by duration", "limit=50&sort=-duration".to_owned()),
        ("state=uploaded", "limit=50&state=uploaded".to_owned()),
        ("tag=tag7", "limit=50&tag=tag7".to_owned()),
        ("q=film 77", "limit=50&q=film%2077".to_owned()),
        ("q that finds nothing", "limit=50&q=nowhere".to_owned()),
    ] {
        let mut ticks = interval(Duration::from_micros(1_000_000 / RATE));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..RATE * SECONDS {
            let due = ticks.tick().await;
            let (origin, request) =
                (origin.clone(), request(&ada, http::Method::GET, &format!("/api/v1/assets?{query}"), None));
            running.spawn(async move {
                origin.send(request).await.expect(200);
                // From when it was due: a server that cannot keep up is not spared.
                Instant::now() - due
            });
        }
        let mut took: Vec<f64> =
            running.join_all().await.iter().map(|took| took.as_secs_f64() * 1000.0).collect();
        took.sort_by(f64::total_cmp);
        let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
        println!("{name:22} {:6.1} {:6.1} {:6.1}", at(50), at(95), at(100));
    }
}
