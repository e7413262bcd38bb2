//! Packaged files: small, named, written once, never changed. They lie beside the uploads' segments, below
//! `packages/`, by asset, revision and the attempt that made them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_wire::{AssetId, ByteRange};

use super::{BoxFuture, Segment, StoreError};
use crate::limits;

/// A path below a revision: one to four names of `a-z 0-9 . _ -`, none of which begins with a dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilePath(String);

/// A text that is no such path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path is one to four names of a-z, 0-9, dot, underscore and hyphen that do not begin with a dot")]
pub struct InvalidPath;

impl FilePath {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The last of its names.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl FromStr for FilePath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let name = |name: &str| {
            (1..=limits::FILE_NAME_BYTES).contains(&name.len())
                && !name.starts_with('.')
                && name.bytes().all(plain)
        };
        let fits = text.split('/').count() <= limits::FILE_PATH_NAMES && text.split('/').all(name);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidPath) }
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A packaged file's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName {
    /// Whose.
    pub asset: AssetId,
    /// Of which revision.
    pub revision: u32,
    /// Below the revision.
    pub path: FilePath,
}

/// Files that go together: everything of an asset (`ASSET`), or below one directory of a revision
/// (`ASSET/REVISION/DIR`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Whose.
    pub asset: AssetId,
    /// Which directory, by the number of its revision and its path below that; `None` for all.
    pub below: Option<(u32, FilePath)>,
}

impl FromStr for Tree {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let (asset, below) = text.split_once('/').map_or((text, None), |(asset, rest)| (asset, Some(rest)));
        let below = below.map(|below| {
            let (revision, path) = below.split_once('/').ok_or(InvalidPath)?;
            Ok((revision.parse().map_err(|_| InvalidPath)?, path.parse()?))
        });
        Ok(Self { asset: asset.parse().map_err(|_| InvalidPath)?, below: below.transpose()? })
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.below {
            Some((revision, path)) => write!(f, "{}/{revision}/{path}", self.asset),
            None => write!(f, "{}", self.asset),
        }
    }
}

/// How a file came to be in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It was not there before.
    New,
    /// It was there with the same bytes.
    Same,
    /// One of that name with other bytes was there, and still is.
    Different,
}

/// Keeps packaged files.
pub trait FileStore: Send + Sync + 'static {
    /// Begins a file. Its place is made now: if the tree is removed before the file is whole, it does not come to be.
    fn create(&self, name: FileName) -> BoxFuture<'_, Result<Box<dyn FileWriter>, StoreError>>;

    /// Opens a whole file. What was opened can be read although it is removed meanwhile.
    fn open(&self, name: FileName) -> BoxFuture<'_, Result<Arc<dyn StoredFile>, StoreError>>;

    /// Gives a whole file a second name, if that is free; from then on neither goes with the other.
    fn link(&self, from: FileName, to: FileName) -> BoxFuture<'_, Result<Kept, StoreError>>;

    /// Removes a tree. What is not there is removed already.
    fn remove_tree(&self, tree: Tree) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Where a worker on the same disk finds the segments of an upload, below the store's directory. Empty where
    /// they are no files, or a file has more bytes than belong to the upload.
    fn source_files(&self, id: AssetId, segments: Vec<Segment>) -> BoxFuture<'_, Vec<String>>;
}

/// Writes one file; dropped before its end it leaves nothing.
pub trait FileWriter: Send {
    /// Appends.
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Makes the file durable under its name.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Kept, StoreError>>;
}

/// A file that is open for reading.
pub trait StoredFile: Send + Sync {
    /// Its bytes.
    fn size_bytes(&self) -> u64;

    /// Reads one piece, which the caller keeps small.
    fn read(&self, range: ByteRange) -> BoxFuture<'static, Result<Bytes, StoreError>>;
}

/// Yields the bytes of a range of a file in pieces of at most [`limits::READ_PIECE_BYTES`].
pub struct FileReader {
    file: Arc<dyn StoredFile>,
    rest: ByteRange,
}

impl FileReader {
    /// Reads `range` of `file`.
    pub fn new(file: Arc<dyn StoredFile>, range: ByteRange) -> Self {
        Self { file, rest: range }
    }

    /// Bytes still to come.
    pub const fn remaining(&self) -> u64 {
        self.rest.len()
    }

    /// The next piece; `None` at the end of the range.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the file is shorter than the range.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let end = self.rest.start + self.rest.len().min(limits::READ_PIECE_BYTES);
        let piece = self.file.read(ByteRange::new(self.rest.start, end)).await?;
        self.rest.start = end;
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_are_no_paths() {
        for path in ["master.m3u8", "12-1/v720/00000.m4s", "a/b/c/d", "a_b-c.0"] {
            assert_eq!(path.parse::<FilePath>().unwrap().as_str(), path);
        }
        let long = "x".repeat(limits::FILE_NAME_BYTES + 1);
        for path in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/..",
            ".a",
            "a/.b",
            "A",
            "a b",
            "a%2fb",
            "%2e%2e/a",
            "a\\b",
            "a\0",
            "a/b/c/d/e",
            "ä",
            "a?b",
            "a#b",
            "~",
            &long,
        ] {
            assert!(path.parse::<FilePath>().is_err(), "{path}");
        }
    }

    #[test]
    fn trees_read_back() {
        let asset = AssetId::generate(1_700_000_000_000, [7; 10]);
        for text in [asset.to_string(), format!("{asset}/1/12-1"), format!("{asset}/2/c-ab/t0")] {
            assert_eq!(text.parse::<Tree>().unwrap().to_string(), text);
        }
        for text in [
            String::new(),
            format!("{asset}/"),
            format!("{asset}/1"),
            format!("{asset}/1/.."),
            "../x".to_owned(),
        ] {
            assert!(text.parse::<Tree>().is_err(), "{text}");
        }
    }
}
