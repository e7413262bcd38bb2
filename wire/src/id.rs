//! Ids of uploads and assets; an asset has its upload's id.
//!
//! An id is a UUIDv7 (RFC 9562 section 5.7): 48 bits of time in front keep the catalogue's indexes in order of
//! arrival, the 74 bits behind come whole from the system's randomness. No counter stands in for part of them, as
//! many generators do: two ids of one millisecond then differ in a few guessable bits. 74 random bits are what
//! keeps an `unlisted` asset from being found; a private one does not rest on its id at all.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The id of an upload and of the asset it becomes: 36 characters, lower case, with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssetId(Uuid);

/// A text that is not an id in its one canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUIDv7 in lower case with hyphens")]
pub struct InvalidId;

impl AssetId {
    /// Makes an id of `unix_ms` milliseconds since 1970 and ten random bytes (74 bits of them are used).
    pub fn generate(unix_ms: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
    }

    /// Where the asset's uploaded bytes are served.
    pub fn source_path(&self) -> String {
        format!("/media/{self}/source")
    }

    /// The path prefix of everything served for the asset; a grant for the asset permits this.
    pub fn media_prefix(&self) -> String {
        format!("/media/{self}/")
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AssetId {
    type Err = InvalidId;

    /// Only the canonical form is an id, so that one asset has one URL and one cache key.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
        let id = Self(uuid);
        if text.len() == 36 && uuid.get_version_num() == 7 && id.to_string() == text {
            Ok(id)
        } else {
            Err(InvalidId)
        }
    }
}

impl Serialize for AssetId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AssetId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let early = AssetId::generate(1_700_000_000_000, [255; 10]);
        let late = AssetId::generate(1_700_000_000_001, [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn tricks_are_not_ids() {
        let id = AssetId::generate(1_700_000_000_000, [7; 10]).to_string();
        let upper = id.to_uppercase();
        let bare = id.replace('-', "");
        for text in [
            "",
            "..",
            "../../etc/passwd",
            "%2e%2e",
            &upper,
            &bare,
            &format!("{{{id}}}"),
            &format!("{id}/"),
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert_eq!(text.parse::<AssetId>(), Err(InvalidId), "{text}");
        }
    }
}
