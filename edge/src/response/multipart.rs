//! `multipart/byteranges` (RFC 9110 section 14.6).

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::Bytes;
use http::HeaderValue;
use tidegate_wire::ByteRange;

use super::stream::Piece;

/// A boundary that no content can be made to contain, as nobody can guess it.
pub(crate) fn boundary(random: [u8; 12]) -> String {
    random.iter().fold(String::with_capacity(24), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The parts with their framing.
pub(crate) fn pieces(
    ranges: &[ByteRange],
    size: u64,
    content_type: Option<&HeaderValue>,
    boundary: &str,
) -> VecDeque<Piece> {
    let mut pieces = VecDeque::with_capacity(2 * ranges.len() + 1);
    for (at, range) in ranges.iter().enumerate() {
        let mut head = Vec::with_capacity(160);
        if at > 0 {
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        if let Some(value) = content_type {
            head.extend_from_slice(b"content-type: ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(format!("content-range: {}\r\n\r\n", range.content_range(size)).as_bytes());
        pieces.push_back(Piece::Text(head.into()));
        pieces.push_back(Piece::Range(*range));
    }
    pieces.push_back(Piece::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_framing_is_that_of_the_rfc() {
        let content_type = HeaderValue::from_static("video/mp4");
        let ranges = [ByteRange::new(0, 1), ByteRange::new(5, 9)];
        let shown: String = pieces(&ranges, 10, Some(&content_type), "b")
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                Piece::Range(range) => format!("<{}..{}>", range.start, range.end),
            })
            .collect();
        assert_eq!(
            shown,
            "--b\r\ncontent-type: video/mp4\r\ncontent-range: bytes 0-0/10\r\n\r\n<0..1>\r\n\
             --b\r\ncontent-type: video/mp4\r\ncontent-range: bytes 5-8/10\r\n\r\n<5..9>\r\n--b--\r\n"
        );
        assert_eq!(boundary([0xab; 12]), "ab".repeat(12));
    }
}
