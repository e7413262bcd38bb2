//! What players say of their plays: taken in at once, written down together a moment later.
//!
//! A player says how far it has come in all, not what is new. What is said twice counts once, and what is lost with
//! this process is said again with the next heartbeat.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use tidegate_serve::client::ClientKey;
use tidegate_wire::AssetId;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::CatalogError;
use crate::catalog::plays::{self, Heard};
use crate::catalog::statistics::{self, Day, day_of};
use crate::limits;

/// Plays that were heard of and are still to be written down, and what bounds new ones.
pub struct Plays {
    waiting: Mutex<HashMap<Uuid, Heard>>,
    /// Plays that each address has begun in its current minute.
    begun: Cache<ClientKey, Arc<AtomicU32>>,
    per_minute: u32,
    /// Plays in the catalogue when they were last counted, and begun since.
    kept: AtomicU64,
    /// Up to when it was seen who is not heard of any more; milliseconds since 1970.
    seen_to: AtomicU64,
}

impl Plays {
    /// Nothing heard yet; an address may begin so many plays in a minute.
    pub fn new(per_minute: u32) -> Self {
        let begun =
            Cache::builder().max_capacity(limits::PLAY_ADDRESSES).time_to_live(limits::PLAYS_WINDOW).build();
        Self {
            waiting: Mutex::default(),
            begun,
            per_minute,
            kept: AtomicU64::new(0),
            seen_to: AtomicU64::new(0),
        }
    }

    /// Whether one more play may begin from this address: `false` when it has begun enough of them for a minute.
    pub fn may_begin(&self, address: IpAddr) -> bool {
        let begun = self.begun.get_with(ClientKey::of(address), Arc::default);
        begun.fetch_add(1, Ordering::Relaxed) < self.per_minute
    }

    /// Whether one more is kept.
    pub fn has_room(&self) -> bool {
        self.kept.fetch_add(1, Ordering::Relaxed) < limits::PLAYS_KEPT
    }

    /// Takes in what was heard of a play. What finds no room is said again with the next heartbeat.
    pub fn hear(&self, heard: &Heard) {
        let mut waiting = self.waiting();
        if waiting.len() < limits::PLAYS_WAITING || waiting.contains_key(&heard.id) {
            let known = waiting.entry(heard.id).or_insert_with(|| heard.clone());
            // What came earlier may hold what this one leaves out.
            *known = Heard {
                watched_ms: heard.watched_ms.max(known.watched_ms),
                stalls: heard.stalls.max(known.stalls),
                start_ms: known.start_ms.or(heard.start_ms),
                ..heard.clone()
            };
        }
    }

    /// Puts back what could not be written down, unless something newer has come.
    fn hear_again(&self, heard: &Heard) {
        let newer = self.waiting().remove(&heard.id);
        self.hear(heard);
        if let Some(newer) = newer {
            self.hear(&newer);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Uuid, Heard>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a play can have come that began so long ago: players may be quick, and clocks differ a little.
pub fn most_watched(began_ms: u64, now_ms: u64) -> u64 {
    let slack = u64::try_from(limits::PLAY_EVERY.as_millis()).unwrap_or(0);
    now_ms.saturating_sub(began_ms).saturating_add(slack).saturating_mul(limits::PLAY_SPEED)
}

/// Writes down what was heard since the last time; says which assets it was about, and which have lost viewers who were
/// not heard of.
///
/// # Errors
/// When the catalogue fails; what was not written down is tried again the next time.
pub async fn flush(app: &App) -> Result<HashSet<AssetId>, CatalogError> {
    let mut waiting: Vec<Heard> = std::mem::take(&mut *app.plays.waiting()).into_values().collect();
    // The same order for everyone: two origins that write of the same plays do not wait for each other in a circle.
    waiting.sort_unstable_by_key(|heard| heard.id);
    let mut touched = HashSet::new();
    for (n, chunk) in waiting.chunks(limits::PLAYS_PER_CHANGE).enumerate() {
        match write(app, chunk).await {
            Ok(assets) => touched.extend(assets),
            Err(error) => {
                for heard in waiting.iter().skip(n * limits::PLAYS_PER_CHANGE) {
                    app.plays.hear_again(heard);
                }
                return Err(error);
            }
        }
    }
    let now_ms = app.clock.unix_ms();
    let since_ms = app.plays.seen_to.swap(now_ms, Ordering::Relaxed);
    // Before the first look there is nothing to compare with.
    if since_ms > 0 {
        touched.extend(plays::left_between(&app.catalog, since_ms, now_ms).await?);
    }
    Ok(touched)
}

async fn write(app: &App, chunk: &[Heard]) -> Result<HashSet<AssetId>, CatalogError> {
    let mut tx = app.catalog.begin().await?;
    let mut sums: HashMap<(AssetId, u64), Day> = HashMap::new();
    let mut starts = Vec::new();
    for heard in chunk {
        let Some(added) = plays::hear(&mut tx, heard).await? else { continue };
        let day = day_of(heard.at_ms);
        sums.entry((added.asset, day)).or_default().add(&added.day);
        starts.extend(added.start_ms.map(|start_ms| (added.asset, day, start_ms)));
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by_key(|(key, _)| *key);
    starts.sort_unstable();
    for ((asset, day), sum) in &sums {
        statistics::add(&mut tx, *asset, *day, sum).await?;
    }
    for (asset, day, start_ms) in starts {
        statistics::add_start(&mut tx, asset, day, start_ms).await?;
    }
    tx.commit().await?;
    Ok(sums.into_iter().map(|((asset, _), _)| asset).collect())
}

/// Forgets what has ended long ago, and counts what is left.
///
/// # Errors
/// When the catalogue fails.
pub async fn tidy(app: &App) -> Result<(), CatalogError> {
    let now_ms = app.clock.unix_ms();
    let ago = |age: Duration| now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    plays::forget(&app.catalog, ago(limits::PLAY_KEPT)).await?;
    statistics::forget_reports(&app.catalog, ago(limits::EDGE_REPORT_KEPT)).await?;
    app.plays.kept.store(plays::count(&app.catalog).await?, Ordering::Relaxed);
    Ok(())
}
