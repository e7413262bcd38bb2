//! An asset as it is served: its fields, and bodies of its bytes.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, ETAG, LAST_MODIFIED};
use http::{HeaderName, HeaderValue, StatusCode};
use tidegate_serve::select::Validators;
use tidegate_wire::{AssetId, ByteRange, headers};

use super::Reader;
use crate::catalog::{Asset, CatalogError, uploads};
use crate::http::blob_body;
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

    pub(super) fn size(&self) -> u64 {
        self.asset.size_bytes
    }

    pub(super) fn id(&self) -> AssetId {
        self.asset.id
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(super) fn content_type(&self) -> HeaderValue {
        HeaderValue::try_from(self.asset.content_type.as_str())
            .unwrap_or(HeaderValue::from_static("application/octet-stream"))
    }

    pub(super) fn validators(&self) -> Validators<'_> {
        Validators { etag: Some(&self.etag), last_modified: Some(&self.last_modified) }
    }

    /// An answer with the fields that 200, 206 and 304 have in common, without a body.
    pub(super) fn bare(&self, status: StatusCode) -> Response {
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
        put(CACHE_CONTROL, self.cache_control());
        put(CONTENT_DISPOSITION, &disposition(&self.asset.name, plays_inline(&self.asset.content_type)));
        // Whatever the bytes are, as a document they may run and load nothing.
        put(
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
        );
        if self.reader == Reader::Fleet {
            put(HeaderName::from_static(headers::VISIBILITY), self.asset.visibility.as_str());
        }
        response
    }

    /// The bytes never change, so whoever may keep them may do so for ever; a purge ends it where that reaches.
    const fn cache_control(&self) -> &'static str {
        match self.reader {
            Reader::Fleet => "public, max-age=31536000, immutable",
            // A copy in a browser or in someone's proxy is out of a purge's reach: it is to be asked about soon.
            Reader::Everyone => "public, max-age=60",
            Reader::Permitted => "private, no-cache",
        }
    }

    /// A body of the bytes of `range`.
    pub(super) fn body(&self, store: &Arc<dyn BlobStore>, range: ByteRange) -> Body {
        Body::new(blob_body::BlobBody::new(store::reader(
            store.clone(),
            self.asset.id,
            self.segments.clone(),
            range,
        )))
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
