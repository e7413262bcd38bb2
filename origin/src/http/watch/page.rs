//! The documents: what stands on a page before a script runs, and what it may load.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::View;
use super::state::State;
use crate::html::escape;
use crate::http::error::ApiError;
use crate::http::web;

/// What a browser without scripts knows HLS by.
const HLS: &str = "application/vnd.apple.mpegurl";

/// What the page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// To be watched here: the video, and what there is to say of it.
    Watch,
    /// To stand in a page of another site: the video alone.
    Embed,
}

/// The page of a view.
///
/// # Errors
/// When an edge has called itself something that is no field.
pub(super) fn render(view: &View, state: &State, made_for: Use) -> Result<Response, ApiError> {
    let policy = HeaderValue::try_from(policy(&view.edges, made_for)).map_err(ApiError::internal)?;
    let html = document(view, state, made_for)?;
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
fn policy(edges: &[String], made_for: Use) -> String {
    let edges = edges.iter().map(|edge| format!(" {edge}")).collect::<String>();
    let ancestors = if made_for == Use::Embed { "*" } else { "'self'" };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         media-src 'self' blob: data:{edges}; connect-src 'self' blob:{edges}; base-uri 'none'; form-action 'none'; \
         frame-ancestors {ancestors}"
    )
}

fn document(view: &View, state: &State, made_for: Use) -> Result<String, ApiError> {
    let title = view.title();
    let head = web::page("watch")?.head(title);
    let name = escape(title);
    let (path, asset) = (escape(&view.path), view.asset.id);
    let source = escape(&state.source);
    let file = match source.is_empty() {
        true => String::new(),
        false => format!("<source src=\"{source}\">"),
    };
    let hls = state.played.playback.hls.as_deref();
    let hls = hls.map(|hls| format!("<source src=\"{}\" type=\"{HLS}\">", escape(hls))).unwrap_or_default();
    let below = match made_for {
        Use::Watch => below(view, &name, &source),
        Use::Embed => format!("<h1 class=\"unseen\">{name}</h1>\n"),
    };
    let class = if made_for == Use::Embed { " class=\"bare\"" } else { "" };
    let state = escape(&serde_json::to_string(state).map_err(ApiError::internal)?);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"{class}>\n{head}<body>\n\
         <main data-state-url=\"{path}/state.json\" data-asset=\"{asset}\" data-state=\"{state}\">\n\
         <div class=\"stage\">\
         <video controls playsinline crossorigin=\"anonymous\" preload=\"none\">{hls}{file}</video></div>\n\
         <p class=\"notice\" id=\"notice\" role=\"status\" hidden></p>\n{below}\
         </main>\n</body>\n</html>\n"
    ))
}

/// What stands below the video.
fn below(view: &View, name: &str, source: &str) -> String {
    let description = match view.asset.about.description.as_str() {
        "" => String::new(),
        text => format!("<p class=\"description\">{}</p>\n", escape(text)),
    };
    let download = match source.is_empty() {
        true => String::new(),
        false => format!("<p class=\"facts\"><a href=\"{source}\" download>Download the file</a></p>\n"),
    };
    format!("<h1>{name}</h1>\n{description}{download}{KEYS}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_loaded() {
        let policy = policy(&["http://a:1".to_owned(), "http://b:2".to_owned()], Use::Watch);
        assert!(policy.contains("connect-src 'self' blob: http://a:1 http://b:2;"), "{policy}");
        assert!(policy.contains("media-src 'self' blob: data: http://a:1 http://b:2;"), "{policy}");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn another_site_frames_only_what_is_made_for_it() {
        assert!(policy(&[], Use::Watch).ends_with("frame-ancestors 'self'"));
        assert!(policy(&[], Use::Embed).ends_with("frame-ancestors *"));
    }
}
