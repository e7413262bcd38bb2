//! The numbered purge log that edges follow (invariant 8).

use serde::{Deserialize, Serialize};

use crate::AssetId;

/// What to forget. All lists may be empty; a record with nothing in it forgets nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeTargets {
    /// Assets, with everything below `/media/{asset}/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetId>,
    /// Paths (with query, without host), exactly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Path prefixes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Groups, as objects name theirs in `Cache-Groups` (RFC 9875).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl PurgeTargets {
    /// Whether the record names nothing.
    pub fn is_empty(&self) -> bool {
        self.assets.is_empty() && self.urls.is_empty() && self.prefixes.is_empty() && self.tags.is_empty()
    }

    /// Whether an object cached under `path` (with query, grant stripped) is meant by its path.
    pub fn covers(&self, path: &str) -> bool {
        self.urls.iter().any(|url| url == path)
            || self.prefixes.iter().any(|prefix| path.starts_with(prefix.as_str()))
            || self.assets.iter().any(|asset| path.starts_with(&asset.media_prefix()))
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeRecord {
    /// Its number: from 1, without gaps, in the order in which the purges became visible.
    pub seq: u64,
    /// What to forget.
    #[serde(flatten)]
    pub targets: PurgeTargets,
}

/// `GET /internal/purges?after=N&wait=SECONDS`: what came after number N, at once if there is something, else when
/// something comes or the wait is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeFeed {
    /// The records after N, oldest first; a long log comes in pages, so go on while the last is below `head`.
    pub records: Vec<PurgeRecord>,
    /// The newest number in the log, 0 if it is empty.
    pub head: u64,
    /// The oldest number still kept. An edge whose cursor is below `oldest - 1` has missed some: it forgets all.
    pub oldest: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_covers_what_it_names_and_nothing_else() {
        let asset = AssetId::generate(1, [1; 10]);
        let other = AssetId::generate(1, [2; 10]);
        let targets = PurgeTargets {
            assets: vec![asset],
            urls: vec!["/a?b=1".into()],
            prefixes: vec!["/live/".into()],
            tags: vec!["/a".into()],
        };
        for path in [asset.source_path().as_str(), "/a?b=1", "/live/x"] {
            assert!(targets.covers(path), "{path}");
        }
        for path in [other.source_path().as_str(), "/a", "/a?b=12", "/liv"] {
            assert!(!targets.covers(path), "{path}");
        }
    }

    #[test]
    fn a_record_is_flat_json() {
        let record =
            PurgeRecord { seq: 3, targets: PurgeTargets { urls: vec!["/a".into()], ..Default::default() } };
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"seq":3,"urls":["/a"]}"#);
    }
}
