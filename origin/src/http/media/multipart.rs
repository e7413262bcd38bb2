//! Several ranges in one answer: `multipart/byteranges` (RFC 9110 section 14.6).

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use tidegate_wire::{AssetId, ByteRange};

use super::Representation;
use crate::http::blob_body::{BlobBody, Piece};
use crate::store::{self, BlobStore, Segment};

/// The parts, with the text between them made ahead, so that the length is known.
pub(super) struct Multipart {
    id: AssetId,
    segments: Vec<Segment>,
    parts: Vec<(Bytes, ByteRange)>,
    end: Bytes,
}

impl Multipart {
    pub(super) fn new(what: &Representation, ranges: &[ByteRange], boundary: &str) -> Self {
        let content_type = what.content_type();
        let content_type = content_type.to_str().unwrap_or("application/octet-stream");
        let head = |range: &ByteRange| {
            let content_range = range.content_range(what.size());
            Bytes::from(format!(
                "\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {content_range}\r\n\r\n"
            ))
        };
        Self {
            id: what.id(),
            segments: what.segments().to_vec(),
            parts: ranges.iter().map(|range| (head(range), *range)).collect(),
            end: Bytes::from(format!("\r\n--{boundary}--\r\n")),
        }
    }

    /// Bytes of the whole body.
    pub(super) fn len(&self) -> u64 {
        self.parts.iter().map(|(head, range)| head.len() as u64 + range.len()).sum::<u64>()
            + self.end.len() as u64
    }

    pub(super) fn body(self, store: &Arc<dyn BlobStore>) -> Body {
        let mut pieces = Vec::with_capacity(self.parts.len() * 2 + 1);
        for (head, range) in self.parts {
            pieces.push(Piece::Text(head));
            pieces.push(Piece::Blob(store::reader(store.clone(), self.id, self.segments.clone(), range)));
        }
        pieces.push(Piece::Text(self.end));
        Body::new(BlobBody::of(pieces))
    }
}
