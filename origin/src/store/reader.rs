//! A range of a blob as a sequence of pieces.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_wire::{AssetId, ByteRange};

use super::{BlobStore, Segment, SegmentName, StoreError};
use crate::limits;

/// Yields the bytes of a range in pieces of at most [`limits::READ_PIECE_BYTES`].
pub struct BlobReader {
    store: Arc<dyn BlobStore>,
    id: AssetId,
    segments: Vec<Segment>,
    rest: ByteRange,
}

impl BlobReader {
    pub(super) fn new(
        store: Arc<dyn BlobStore>,
        id: AssetId,
        segments: Vec<Segment>,
        range: ByteRange,
    ) -> Self {
        Self { store, id, segments, rest: range }
    }

    /// Bytes still to come.
    pub const fn remaining(&self) -> u64 {
        self.rest.len()
    }

    /// The next piece; `None` at the end of the range.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the blob is shorter than the range: the bytes that a length was promised for
    /// never end early without an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (name, range) = self.locate().ok_or(StoreError::Missing)?;
        let piece = self.store.read(name, range).await?;
        self.rest.start += piece.len() as u64;
        Ok(Some(piece))
    }

    /// The segment that holds the next byte, and how much of it to read at once.
    fn locate(&self) -> Option<(SegmentName, ByteRange)> {
        let mut base = 0;
        for segment in &self.segments {
            let end = base + segment.size_bytes;
            if self.rest.start < end {
                let from = self.rest.start - base;
                let len = self.rest.len().min(segment.size_bytes - from).min(limits::READ_PIECE_BYTES);
                let name = SegmentName { id: self.id, number: segment.number };
                return Some((name, ByteRange::new(from, from + len)));
            }
            base = end;
        }
        None
    }
}
