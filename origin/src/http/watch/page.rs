//! The document: what stands on the page before a script runs, and what it may load.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::View;
use super::state::State;
use crate::http::error::ApiError;
use crate::http::web;

/// What a browser without scripts knows HLS by.
const HLS: &str = "application/vnd.apple.mpegurl";

/// The page of a view.
///
/// # Errors
/// When an edge has called itself something that is no field.
pub(super) fn render(view: &View, state: &State) -> Result<Response, ApiError> {
    let policy = HeaderValue::try_from(policy(&view.edges)).map_err(ApiError::internal)?;
    let html = document(view, state)?;
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy),
        // The grant in it is the viewer's own, and the edge may be another tomorrow.
        (CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    Ok((fields, html).into_response())
}

/// Scripts and styles are files of ours; bytes come from edges, and are pictures or put together by the player in the
/// page (`blob:`).
/// Pictures in the player's style, and the empty text track it begins with, are part of it (`data:`).
fn policy(edges: &[String]) -> String {
    let edges = edges.iter().map(|edge| format!(" {edge}")).collect::<String>();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         media-src 'self' blob: data:{edges}; connect-src 'self' blob:{edges}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'self'"
    )
}

fn document(view: &View, state: &State) -> Result<String, ApiError> {
    let page = web::page("watch").ok_or_else(|| ApiError::internal(NoPage))?;
    let next: String =
        page.next.iter().map(|name| format!("<link rel=\"modulepreload\" href=\"/web/{name}\">\n")).collect();
    let name = escape(&view.asset.name);
    let path = escape(&view.path);
    let source = escape(&state.source);
    let (file, download) = match source.is_empty() {
        true => (String::new(), String::new()),
        false => (
            format!("<source src=\"{source}\">"),
            format!("<p class=\"facts\"><a href=\"{source}\" download>Download the file</a></p>\n"),
        ),
    };
    let hls = state.played.playback.hls.as_deref();
    let hls = hls.map(|hls| format!("<source src=\"{}\" type=\"{HLS}\">", escape(hls))).unwrap_or_default();
    let state = escape(&serde_json::to_string(state).map_err(ApiError::internal)?);
    let (script, style, icon) = (page.script, page.style, web::icon());
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name}</title>\n\
         <link rel=\"icon\" href=\"/web/{icon}\">\n<link rel=\"stylesheet\" href=\"/web/{style}\">\n{next}\
         <script type=\"module\" src=\"/web/{script}\"></script>\n</head>\n<body>\n\
         <main data-state-url=\"{path}/state.json\" data-state=\"{state}\">\n\
         <div class=\"stage\">\
         <video controls playsinline crossorigin=\"anonymous\" preload=\"none\">{hls}{file}</video></div>\n\
         <p class=\"notice\" id=\"notice\" role=\"status\" hidden></p>\n\
         <h1>{name}</h1>\n{download}{KEYS}\
         </main>\n</body>\n</html>\n"
    ))
}

/// What someone without a mouse would like to know.
const KEYS: &str = "<details class=\"keys\"><summary>Keys</summary><dl>\
    <dt><kbd>space</kbd>, <kbd>k</kbd></dt><dd>play, pause</dd>\
    <dt><kbd>←</kbd> <kbd>→</kbd>, <kbd>j</kbd> <kbd>l</kbd></dt><dd>5 or 10 seconds back and forward</dd>\
    <dt><kbd>0</kbd>–<kbd>9</kbd></dt><dd>to so many tenths</dd>\
    <dt><kbd>,</kbd> <kbd>.</kbd></dt><dd>one frame</dd>\
    <dt><kbd>&lt;</kbd> <kbd>&gt;</kbd></dt><dd>slower, faster</dd>\
    <dt><kbd>↑</kbd> <kbd>↓</kbd>, <kbd>m</kbd></dt><dd>louder, quieter, mute</dd>\
    <dt><kbd>c</kbd></dt><dd>captions</dd>\
    <dt><kbd>f</kbd>, <kbd>p</kbd></dt><dd>full screen, picture in picture</dd></dl></details>\n";

/// The build lacks the page: a mistake of whoever built it.
#[derive(Debug, thiserror::Error)]
#[error("web/dist has no watch page")]
struct NoPage;

/// Text that stays text between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place() {
        let name = "\"><script>alert('&')</script>";
        assert_eq!(escape(name), "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;");
    }

    #[test]
    fn only_what_is_named_is_loaded() {
        let policy = policy(&["http://a:1".to_owned(), "http://b:2".to_owned()]);
        assert!(policy.contains("connect-src 'self' blob: http://a:1 http://b:2;"), "{policy}");
        assert!(policy.contains("media-src 'self' blob: data: http://a:1 http://b:2;"), "{policy}");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    }
}
