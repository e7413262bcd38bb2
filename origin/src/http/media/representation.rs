//! An asset as it is served: its fields, and bodies of its bytes.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, ETAG, LAST_MODIFIED};
use http::{HeaderName, HeaderValue, StatusCode};
use tidegate_serve::select::Validators;
use tidegate_wire::{ByteRange, headers};

use super::content::Content;
use super::gate::{AS_A_DOCUMENT, Reader};
use crate::catalog::{Asset, CatalogError, uploads};
use crate::http::blob_body::Piece;
use crate::store::{self, BlobStore, Segment};

/// An asset, ready to be answered with.
pub(super) struct Representation {
    asset: Asset,
    segments: Vec<Segment>,
    etag: HeaderValue,
    last_modified: HeaderValue,
    reader: Reader,
}

impl Representation {
    pub(super) fn of(asset: Asset, reader: Reader) -> Result<Self, CatalogError> {
        let segments = uploads::decode_segments(&asset.segments)?;
        // Hexadecimal digits and a date: both are always fields.
        let field = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        let modified = UNIX_EPOCH + Duration::from_secs(asset.created_at / 1000);
        let last_modified = field(httpdate::fmt_http_date(modified));
        Ok(Self { etag: field(asset.digest.etag()), last_modified, segments, asset, reader })
    }
}

impl Content for Representation {
    fn size(&self) -> u64 {
        self.asset.size_bytes
    }

    fn content_type(&self) -> HeaderValue {
        HeaderValue::try_from(self.asset.content_type.as_str())
            .unwrap_or(HeaderValue::from_static("application/octet-stream"))
    }

    fn validators(&self) -> Validators<'_> {
        Validators { etag: Some(&self.etag), last_modified: Some(&self.last_modified) }
    }

    fn bare(&self, status: StatusCode) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(ETAG, self.etag.clone());
        fields.insert(LAST_MODIFIED, self.last_modified.clone());
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::try_from(value) {
                fields.insert(name, value);
            }
        };
        put(CACHE_CONTROL, self.reader.keeps_for_ever());
        put(CONTENT_DISPOSITION, &disposition(&self.asset.name, plays_inline(&self.asset.content_type)));
        put(CONTENT_SECURITY_POLICY, AS_A_DOCUMENT);
        if self.reader == Reader::Fleet {
            put(HeaderName::from_static(headers::VISIBILITY), self.asset.visibility.as_str());
            let groups = format!("\"{}\", \"source\"", self.asset.id);
            put(HeaderName::from_static(headers::CACHE_GROUPS), &groups);
        }
        response
    }

    fn piece(&self, store: &Arc<dyn BlobStore>, range: ByteRange) -> Piece {
        Piece::from(store::reader(store.clone(), self.asset.id, self.segments.clone(), range))
    }
}

/// What a browser shows without running anything of it: pictures, sound and film, but for SVG, which has scripts.
fn plays_inline(content_type: &str) -> bool {
    let (kind, subtype) = content_type.split_once('/').unwrap_or_default();
    matches!(kind, "video" | "audio" | "image") && !subtype.starts_with("svg")
}

/// `Content-Disposition` (RFC 6266) with the name twice: in ASCII for the old, in UTF-8 for the others (RFC 8187).
fn disposition(name: &str, inline: bool) -> String {
    let kind = if inline { "inline" } else { "attachment" };
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let mut out = format!("{kind}; filename=\"{plain}\"");
    if plain != name {
        out.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_could_run_is_a_download() {
        for inline in ["video/mp4", "audio/mpeg", "image/png"] {
            assert!(plays_inline(inline), "{inline}");
        }
        for download in [
            "text/html",
            "image/svg+xml",
            "application/xml",
            "application/pdf",
            "text/javascript",
            "nonsense",
        ] {
            assert!(!plays_inline(download), "{download}");
        }
    }

    #[test]
    fn names_are_safe_in_a_field_and_whole_in_utf_8() {
        assert_eq!(disposition("film.mp4", true), "inline; filename=\"film.mp4\"");
        assert_eq!(
            disposition("a\"b\\ü.mp4", false),
            "attachment; filename=\"a_b__.mp4\"; filename*=UTF-8''a%22b%5C%C3%BC.mp4"
        );
    }
}
