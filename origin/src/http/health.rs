//! `/healthz` on the public port: the process answers. Whether all it needs is there, `/readyz` of the admin port
//! says.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::header::CACHE_CONTROL;

use crate::app::App;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(async || ([(CACHE_CONTROL, "no-store")], "ok\n")))
}
