//! The dashboard: one document for all of its pages. It says nothing of anyone; what a page shows its script asks of
//! `/api/v1`, as anybody's script could.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::edges::is_alive;
use super::error::ApiError;
use super::web;
use crate::app::App;
use crate::catalog::edges;
use crate::html::escape;
use crate::limits;

/// The addresses of the pages. What is in the place of a parameter is the script's business.
const PAGES: &[&str] = &[
    "/",
    "/login",
    "/signup",
    "/forgot",
    "/reset",
    "/library",
    "/library/{id}",
    "/upload",
    "/settings",
    "/settings/{part}",
    "/admin",
    "/admin/{part}",
    "/docs",
];

pub(super) fn router() -> Router<Arc<App>> {
    PAGES.iter().fold(Router::new(), |router, page| router.route(page, get(shell)))
}

async fn shell(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let edges = alive(&app).await?;
    let policy = HeaderValue::try_from(policy(&edges)).map_err(ApiError::internal)?;
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy),
        // It names files of this build, and the edges of this moment.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    Ok((fields, document(&edges)?).into_response())
}

/// The edges that pages may turn to for pictures and for what plays.
async fn alive(app: &App) -> Result<Vec<String>, ApiError> {
    let now_ms = app.clock.unix_ms();
    let alive = edges::list(&app.catalog).await?.into_iter().filter(|edge| is_alive(edge, now_ms));
    Ok(alive.map(|edge| edge.heartbeat.url).take(limits::SHELL_EDGES).collect())
}

/// Nothing runs but files of ours; nobody may put the page into a frame and have its buttons pressed. Pictures and what
/// plays come from edges, or are put together in the page (`blob:`); the player's own are part of its style (`data:`).
fn policy(edges: &[String]) -> String {
    let edges = edges.iter().fold(String::new(), |mut all, edge| {
        let _ = write!(all, " {edge}");
        all
    });
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:{edges}; \
         media-src 'self' blob: data:{edges}; connect-src 'self' blob:{edges}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

fn document(edges: &[String]) -> Result<String, ApiError> {
    let head = web::page("app")?.head("Tidegate");
    let edges = escape(&edges.join(" "));
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n{head}<body>\n<div id=\"app\" data-edges=\"{edges}\"></div>\n\
         <noscript><p>These pages need JavaScript. Without it there are <code>tidegate-upload</code>, the API and the \
         pages that play a video.</p></noscript>\n</body>\n</html>\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_load_from_here_and_from_edges_and_stand_in_no_frame() {
        let policy = policy(&["http://a:1".to_owned(), "http://b:2".to_owned()]);
        assert!(policy.contains("connect-src 'self' blob: http://a:1 http://b:2;"), "{policy}");
        assert!(policy.contains("script-src 'self'; style-src 'self';"), "{policy}");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
    }

    #[test]
    fn what_an_edge_calls_itself_stays_in_its_place() {
        let page = document(&["http://a:1/\"><script>".to_owned()]).unwrap();
        assert!(page.contains("data-edges=\"http://a:1/&quot;&gt;&lt;script&gt;\""), "{page}");
    }
}
