//! `/web/{file}`: scripts, styles and pictures of the pages, built from `web/` and embedded here. A file's name changes
//! with its bytes, so whoever has it may keep it for ever.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tidegate_serve::select::{self, Selection, Validators};
use tidegate_wire::Code;

use super::error::ApiError;
use super::extract::Segment;
use crate::app::App;
use crate::html::escape;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/web/{file}", get(file))
}

/// What the build made.
struct Web {
    icon: &'static str,
    files: &'static [File],
    pages: &'static [(&'static str, Page)],
}

struct File {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    /// The same compressed, where that is worth it.
    gzip: Option<&'static [u8]>,
}

/// What a page's document names.
pub(super) struct Page {
    /// Its script.
    script: &'static str,
    /// Its styles, in their order.
    styles: &'static [&'static str],
    /// Scripts that its script asks for at once.
    next: &'static [&'static str],
}

impl Page {
    /// The head of its document, closed.
    pub(super) fn head(&self, title: &str) -> String {
        let styles =
            self.styles.iter().map(|name| format!("<link rel=\"stylesheet\" href=\"/web/{name}\">\n"));
        let next =
            self.next.iter().map(|name| format!("<link rel=\"modulepreload\" href=\"/web/{name}\">\n"));
        let links: String = styles.chain(next).collect();
        let (title, icon, script) = (escape(title), WEB.icon, self.script);
        format!(
            "<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <link rel=\"icon\" href=\"/web/{icon}\">\n{links}\
             <script type=\"module\" src=\"/web/{script}\"></script>\n</head>\n"
        )
    }
}

static WEB: Web = include!("../../../web/dist/table.rs");

/// A page of the build.
///
/// # Errors
/// When the build lacks it: a mistake of whoever built it.
pub(super) fn page(name: &'static str) -> Result<&'static Page, ApiError> {
    let page = WEB.pages.iter().find(|(page, _)| *page == name).map(|(_, page)| page);
    page.ok_or_else(|| ApiError::internal(NoPage(name)))
}

#[derive(Debug, thiserror::Error)]
#[error("web/dist has no page {0}")]
struct NoPage(&'static str);

async fn file(Segment(name): Segment, method: Method, asked: HeaderMap) -> Result<Response, ApiError> {
    let file = WEB.files.iter().find(|file| file.name == name).ok_or(Code::NotFound)?;
    let zipped = file.gzip.filter(|_| takes_gzip(&asked));
    let (bytes, suffix) = zipped.map_or((file.bytes, ""), |zipped| (zipped, "-gz"));
    // The two encodings are two representations, each with a tag of its own.
    let etag = HeaderValue::try_from(format!("\"{}{suffix}\"", file.name)).map_err(ApiError::internal)?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let validators = Validators { etag: Some(&etag), last_modified: None };
    // Ranges of files this small are not worth an answer of their own.
    let mut response = match select::select(&method, &asked, validators, size) {
        Selection::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Selection::PreconditionFailed => return Err(Code::PreconditionFailed.into()),
        _ => Body::from(Bytes::from_static(bytes)).into_response(),
    };
    let is_whole = response.status() == StatusCode::OK;
    let fields = response.headers_mut();
    fields.insert(ETAG, etag);
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    fields.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_whole {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
        fields.insert(CONTENT_LENGTH, HeaderValue::from(size));
        if zipped.is_some() {
            fields.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    Ok(response)
}

/// Whether `Accept-Encoding` (RFC 9110 section 12.5.3) takes gzip. By its name alone: `*` is left out of account.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let fields = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|list| list.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        is_gzip && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_whom_takes_it() {
        for (field, takes) in [
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("gzip;q=x", false),
            ("xgzip", false),
            ("", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(ACCEPT_ENCODING, HeaderValue::from_static(field));
            assert_eq!(takes_gzip(&asked), takes, "{field}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_a_page_names_is_there() {
        for name in ["app", "watch"] {
            let page = page(name).unwrap();
            let names =
                [WEB.icon, page.script].into_iter().chain(page.styles.iter().chain(page.next).copied());
            for name in names {
                assert!(WEB.files.iter().any(|file| file.name == name), "{name}");
            }
        }
    }
}
