//! What was sent of each asset since the origin was last told: requests, hits, bytes.
//!
//! A request takes one short lock of a shard to find its asset's counters; the rest are additions to those. What is
//! counted here is told with the heartbeat and gone then, so the table is as large as the set of assets watched in
//! between.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http::{Method, StatusCode, Uri};
use tidegate_wire::fleet::AssetTraffic;
use tidegate_wire::grant;

use crate::outcome::Outcome;
use crate::{limits, locked};

/// The text of an asset's id as it stands in a path; whether it is one is seen when it is told.
pub(crate) type Name = [u8; 36];

/// The counters of one asset.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    requests: AtomicU64,
    hits: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// Bytes of a body went out.
    pub(crate) fn sent(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The counters of all assets.
#[derive(Debug)]
pub(crate) struct Tally {
    shards: [Mutex<HashMap<Name, Arc<Traffic>>>; limits::TALLY_SHARDS],
}

impl Default for Tally {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Tally {
    /// The asset whose bytes a request is about.
    pub(crate) fn name(method: &Method, uri: &Uri) -> Option<Name> {
        if *method != Method::GET {
            return None;
        }
        let path = uri.path();
        let path = grant::split_path(path).map_or(path, |(_, rest)| rest);
        let (name, rest) = path.strip_prefix("/media/")?.as_bytes().split_first_chunk()?;
        rest.first().is_some_and(|after| *after == b'/').then_some(*name)
    }

    /// Counts a request that was answered with bytes of the asset, or with word that they are the same; gives what
    /// counts the bytes. Refusals do not count, so that nobody fills the table with names of nothing.
    pub(crate) fn count(&self, name: Name, status: StatusCode, outcome: Outcome) -> Option<Arc<Traffic>> {
        if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED) {
            return None;
        }
        // The end of an id is random.
        let shard = &self.shards[usize::from(name[35]) % limits::TALLY_SHARDS];
        let mut shard = locked(shard);
        let traffic = match shard.get(&name) {
            Some(known) => known.clone(),
            None if shard.len() >= limits::TALLY_ASSETS / limits::TALLY_SHARDS => return None,
            None => shard.entry(name).or_default().clone(),
        };
        drop(shard);
        traffic.requests.fetch_add(1, Ordering::Relaxed);
        if matches!(outcome, Outcome::Hit | Outcome::StaleWhileAsking | Outcome::StaleOnError) {
            traffic.hits.fetch_add(1, Ordering::Relaxed);
        }
        Some(traffic)
    }

    /// Takes what was counted, of at most so many assets; the rest waits for the next time.
    pub(crate) fn take(&self, most: usize) -> Vec<AssetTraffic> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = locked(shard);
            shard.retain(|name, traffic| {
                if taken.len() >= most {
                    return true;
                }
                let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
                let (requests, hits, bytes) =
                    (take(&traffic.requests), take(&traffic.hits), take(&traffic.bytes));
                let asset = std::str::from_utf8(name).ok().and_then(|text| text.parse().ok());
                if let Some(asset) = asset.filter(|_| requests + bytes > 0) {
                    taken.push(AssetTraffic { asset, requests, hits, bytes });
                }
                // A response that still runs counts on.
                Arc::strong_count(traffic) > 1
            });
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0197a3c1-7d2e-7c31-9d1e-0242ac120002";

    fn name(path: &str) -> Option<Name> {
        Tally::name(&Method::GET, &path.parse().unwrap())
    }

    #[test]
    fn an_asset_is_named_by_its_path_with_or_without_a_grant() {
        let expected = name(&format!("/media/{ID}/source"));
        assert_eq!(expected.unwrap(), *ID.as_bytes());
        assert_eq!(name(&format!("/g/GRANT/media/{ID}/1/v360/00001.m4s?x=1")), expected);
        for path in
            ["/", "/media/", "/media/x/source", &format!("/media/{ID}"), &format!("/media/{ID}0/source")]
        {
            assert_eq!(name(path), None, "{path}");
        }
        assert_eq!(Tally::name(&Method::HEAD, &format!("/media/{ID}/source").parse().unwrap()), None);
    }

    #[test]
    fn what_is_taken_is_what_was_counted_since() {
        let tally = Tally::default();
        let name = name(&format!("/media/{ID}/source")).unwrap();
        assert!(tally.count(name, StatusCode::NOT_FOUND, Outcome::Local).is_none());
        let first = tally.count(name, StatusCode::OK, Outcome::Miss).unwrap();
        tally.count(name, StatusCode::PARTIAL_CONTENT, Outcome::Hit).unwrap().sent(7);
        first.sent(5);
        let asset = ID.parse().unwrap();
        assert_eq!(tally.take(10), [AssetTraffic { asset, requests: 2, hits: 1, bytes: 12 }]);
        assert_eq!(tally.take(10), []);
        // The first response goes on.
        first.sent(3);
        assert_eq!(tally.take(10), [AssetTraffic { asset, requests: 0, hits: 0, bytes: 3 }]);
        drop(first);
        assert_eq!(tally.take(10), []);
        assert!(tally.shards.iter().all(|shard| locked(shard).is_empty()));
    }

    #[test]
    fn the_table_is_bounded_and_told_in_pieces() {
        let tally = Tally::default();
        let mut counted = 0;
        for n in 0..limits::TALLY_ASSETS + 1000 {
            let id = format!("0197a3c1-7d2e-7c31-9d1e-{n:012x}");
            let name = name(&format!("/media/{id}/source")).unwrap();
            counted += usize::from(tally.count(name, StatusCode::OK, Outcome::Hit).is_some());
        }
        assert!(counted <= limits::TALLY_ASSETS, "{counted}");
        let mut told = 0;
        loop {
            let piece = tally.take(100);
            assert!(piece.len() <= 100);
            told += piece.len();
            if piece.is_empty() {
                break;
            }
        }
        assert_eq!(told, counted);
    }
}
