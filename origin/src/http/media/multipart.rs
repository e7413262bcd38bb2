//! Several ranges in one answer: `multipart/byteranges` (RFC 9110 section 14.6).

use std::sync::Arc;

use bytes::Bytes;
use tidegate_wire::ByteRange;

use super::content::Content;
use crate::http::blob_body::Piece;
use crate::store::BlobStore;

/// The ranges, with the text between them.
pub(super) fn pieces(
    what: &impl Content,
    store: &Arc<dyn BlobStore>,
    ranges: &[ByteRange],
    boundary: &str,
) -> Vec<Piece> {
    let content_type = what.content_type();
    let content_type = content_type.to_str().unwrap_or("application/octet-stream");
    let mut pieces = Vec::with_capacity(ranges.len() * 2 + 1);
    for range in ranges {
        let content_range = range.content_range(what.size());
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {content_range}\r\n\r\n"
        );
        pieces.push(Piece::Text(head.into()));
        pieces.push(what.piece(store, *range));
    }
    pieces.push(Piece::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
    pieces
}
