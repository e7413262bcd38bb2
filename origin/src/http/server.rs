//! `/api/v1/server`: what this server offers, for pages that nobody has logged in to yet.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::ApiError;
use super::no_store;
use crate::accounts::reset;
use crate::app::App;
use crate::catalog::workers;
use crate::config::SignUp;
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(show))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Server, examples(json!({
    "version": "0.1.0", "signup": "open", "mail": true, "max_upload_bytes": 1099511627776_u64, "transcoding": true,
})))]
struct Shown {
    version: &'static str,
    /// Who may make an account: `open` for anyone, `closed` for administrators alone.
    signup: &'static str,
    /// Whether mail is sent, for lost passwords among others.
    mail: bool,
    /// The largest upload taken.
    max_upload_bytes: u64,
    /// Whether workers are there that make videos play.
    transcoding: bool,
}

/// Says what this server offers, to anyone.
#[utoipa::path(
    get, path = "/api/v1/server", tag = "server", operation_id = "getServer", security(()),
    responses((status = 200, body = Shown))
)]
async fn show(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let around_ms = u64::try_from(limits::WORKER_AROUND.as_millis()).unwrap_or(u64::MAX);
    let around = workers::around(&app.catalog, app.clock.unix_ms().saturating_sub(around_ms)).await?;
    Ok(no_store(axum::Json(Shown {
        version: env!("CARGO_PKG_VERSION"),
        signup: match app.config.signup {
            SignUp::Open => "open",
            SignUp::Closed => "closed",
        },
        mail: reset::is_possible(&app),
        max_upload_bytes: app.config.max_upload.0,
        transcoding: around.workers > 0 || around.running > 0,
    })))
}
