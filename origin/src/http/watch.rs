//! `/watch/{asset}`: a page that plays it, from an edge where there is one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use sha2::{Digest as _, Sha256};
use tidegate_wire::{AssetId, Code, grant};

use super::auth::MaybeAuthenticated;
use super::edges::is_alive;
use super::error::ApiError;
use super::extract::AssetPath;
use super::grants;
use crate::app::App;
use crate::catalog::{Asset, Visibility, assets, edges};
use crate::limits;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/watch/{id}", get(watch)).route("/g/{grant}/watch/{id}", get(granted_watch))
}

/// Anyone may watch what is unlisted or public. A private asset plays for its owner, through a grant in the address.
async fn watch(
    State(app): State<Arc<App>>,
    MaybeAuthenticated(caller): MaybeAuthenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    let asset = assets::get(&app.catalog, id).await?.ok_or(Code::AssetNotFound)?;
    let is_private = asset.visibility == Visibility::Private;
    if is_private && !caller.is_some_and(|caller| asset.owner.as_ref() == Some(&caller.id)) {
        return Err(Code::AssetNotFound.into());
    }
    let path = if is_private { grants::source_path(&app, id, limits::WATCH_GRANT) } else { id.source_path() };
    play(&app, &asset, &path).await
}

/// Whoever has a grant for the asset's bytes may watch them on a page: a link to share.
async fn granted_watch(
    State(app): State<Arc<App>>,
    Path((grant, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(|_| Code::AssetNotFound)?;
    let path = id.source_path();
    app.grants.verify(&grant, &path).await?;
    let asset = assets::get(&app.catalog, id).await?.ok_or(Code::AssetNotFound)?;
    play(&app, &asset, &grant::granted_path(&grant, &path)).await
}

/// The page that plays `path` from an edge, or from here where there is none.
async fn play(app: &App, asset: &Asset, path: &str) -> Result<Response, ApiError> {
    let edge = pick_edge(app, asset.id).await?;
    let source = format!("{}{path}", edge.as_deref().unwrap_or_default());
    page(asset, &source, edge.as_deref())
}

/// One of the edges that are alive, always the same one for an asset while the fleet stays the same (rendezvous
/// hashing): its slices then fill one cache.
async fn pick_edge(app: &App, id: AssetId) -> Result<Option<String>, ApiError> {
    let now_ms = app.clock.unix_ms();
    let alive = edges::list(&app.catalog).await?.into_iter().filter(|edge| is_alive(edge, now_ms));
    let weight = |url: &str| Sha256::digest(format!("{id} {url}"));
    Ok(alive.map(|edge| edge.heartbeat.url).max_by_key(|url| weight(url)))
}

const STYLE: &str = "body{margin:0;background:#111;color:#eee;font:16px/1.4 system-ui,sans-serif}\
main{max-width:72rem;margin:0 auto;padding:1rem}video{display:block;width:100%;max-height:80vh;background:#000}\
h1{font-size:1.1rem;font-weight:600;overflow-wrap:anywhere}a{color:#8cf}";

fn page(asset: &Asset, source: &str, edge: Option<&str>) -> Result<Response, ApiError> {
    let name = escape(&asset.name);
    let source = escape(source);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <video controls playsinline preload=\"metadata\" src=\"{source}\"></video>\n\
         <h1>{name}</h1>\n<p><a href=\"{source}\" download>Download</a></p>\n</main>\n</body>\n</html>\n"
    );
    // Nothing is loaded but the media; the one style is named by its hash.
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; media-src 'self' {}; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'self'",
        edge.unwrap_or_default()
    );
    let policy = HeaderValue::try_from(policy).map_err(ApiError::internal)?;
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy),
        // The grant in it is the viewer's own, and the edge may be another tomorrow.
        (CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    Ok((fields, html).into_response())
}

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
}
