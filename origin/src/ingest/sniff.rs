//! What a finished file is, from what its client claims and from how it begins.

use tidegate_wire::{AssetId, ByteRange};

use super::IngestError;
use crate::app::App;
use crate::limits;
use crate::store::{self, Segment};

const UNKNOWN: &str = "application/octet-stream";

/// The media type to serve a blob with. Known magic numbers count for more than the client's word; where the bytes
/// say nothing, a well-formed claim is taken. What a browser could run is served as a download in either case.
pub(super) async fn content_type(
    app: &App,
    id: AssetId,
    segments: &[Segment],
    size: u64,
    claimed: Option<&str>,
) -> Result<String, IngestError> {
    let head = ByteRange::new(0, size.min(limits::SNIFF_BYTES));
    let mut reader = store::reader(app.store.clone(), id, segments.to_vec(), head);
    let mut bytes = Vec::new();
    while let Some(piece) = reader.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(decide(&bytes, claimed))
}

fn decide(head: &[u8], claimed: Option<&str>) -> String {
    let claimed = claimed.and_then(essence);
    match infer::get(head) {
        Some(kind) => kind.mime_type().to_owned(),
        None => claimed.unwrap_or_else(|| UNKNOWN.to_owned()),
    }
}

/// `type/subtype` in lower case without parameters; `None` unless both are tokens (RFC 9110 section 8.3.1).
fn essence(claimed: &str) -> Option<String> {
    let essence = claimed.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    let token = |text: &str| {
        !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    (token(kind) && token(subtype)).then_some(essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_for_more_than_claims() {
        let mp4 = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
        for (head, claimed, expected) in [
            (&mp4[..], Some("video/mp4"), "video/mp4"),
            (mp4, Some("text/html"), "video/mp4"),
            (mp4, None, "video/mp4"),
            (b"\x89PNG\r\n\x1a\n", Some("video/mp4"), "image/png"),
            (b"<!DOCTYPE html><script>", Some("video/mp4"), "text/html"),
            (b"nothing known", Some("video/mp4; codecs=avc1"), "video/mp4"),
            (b"nothing known", Some("Text/VTT"), "text/vtt"),
            (b"nothing known", Some("video/mp4\r\nX: y"), UNKNOWN),
            (b"nothing known", Some("nonsense"), UNKNOWN),
            (b"", None, UNKNOWN),
        ] {
            assert_eq!(decide(head, claimed), expected, "{claimed:?}");
        }
    }
}
