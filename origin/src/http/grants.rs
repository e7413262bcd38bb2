//! `/api/v1/assets/{id}/grants`: permission to play a private asset for a while.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidegate_wire::{AssetId, grant};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::assets::permitted;
use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::{AssetPath, Json};
use super::no_store;
use super::playback::{self, Playback};
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::assets;
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(create))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGrant, examples(json!({ "minutes": 60 })))]
struct Create {
    /// How long it lasts: more than 0, at most a week.
    minutes: f64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Grant, examples(json!({
    "path": "/g/AQ…/media/0197a3c1-7d2e-7c31-9d1e-0242ac120002/source",
    "watch": "/g/AQ…/watch/0197a3c1-7d2e-7c31-9d1e-0242ac120002",
    "playback": {
        "hls": "/g/AQ…/media/0197a3c1-7d2e-7c31-9d1e-0242ac120002/1/master.m3u8",
        "dash": null, "poster": null, "storyboard": null,
    },
    "expires_at": "2026-05-28T21:26:40.000Z",
})))]
struct Created {
    /// Where the uploaded file is read.
    path: String,
    /// A page that plays it, on the origin.
    watch: String,
    /// Where what was made of it plays.
    playback: Playback,
    expires_at: Timestamp,
}

/// Permits to watch an asset for a while, whoever has the address.
#[utoipa::path(
    post, path = "/api/v1/assets/{id}/grants", tag = "assets", operation_id = "createGrant", request_body = Create,
    responses((status = 201, body = Created)), extensions(("x-problems" = json!(["asset_not_found"])))
)]
async fn create(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
    Json(create): Json<Create>,
) -> Result<Response, ApiError> {
    let lasts = duration(create.minutes)?;
    let asset = permitted(assets::get(&app.catalog, id).await?, &caller, Operation::MakeGrant)?;
    let played = playback::of_one(&app, &asset).await?;
    let (grant, expires_at) = sign(&app, id, lasts);
    let path = grant::granted_path(&grant, &id.source_path());
    let watch = grant::granted_path(&grant, &format!("/watch/{id}"));
    let playback = played.playback.granted(&grant);
    Ok(no_store((StatusCode::CREATED, axum::Json(Created { path, watch, playback, expires_at }))))
}

fn duration(minutes: f64) -> Result<Duration, ApiError> {
    let lasts = Duration::try_from_secs_f64(minutes * 60.0).unwrap_or_default();
    if lasts.is_zero() || lasts > limits::GRANT_LONGEST {
        let most = limits::GRANT_LONGEST.as_secs() / 60;
        return Err(ApiError::field(format!("minutes: more than 0, at most {most}")));
    }
    Ok(lasts)
}

/// The grant of a watch page. All of a step of time end together: a page that asks again has the same addresses, and
/// a browser what it has kept under them.
pub(super) fn for_watching(app: &App, id: AssetId) -> String {
    let step = limits::WATCH_GRANT_STEP.as_secs();
    let ends_s = (app.clock.unix_s() + limits::WATCH_GRANT.as_secs()).next_multiple_of(step);
    app.grants.sign(&id.media_prefix(), u32::try_from(ends_s).unwrap_or(u32::MAX))
}

/// A grant for everything of the asset, and until when. Grants expire on whole seconds: the next one after the time
/// asked for.
fn sign(app: &App, id: AssetId, lasts: Duration) -> (String, Timestamp) {
    let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    let expires_s = app.clock.unix_ms().saturating_add(lasts_ms).div_ceil(1000);
    let expires_s = u32::try_from(expires_s).unwrap_or(u32::MAX);
    (app.grants.sign(&id.media_prefix(), expires_s), Timestamp(u64::from(expires_s) * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_may_be_fractions_within_limits() {
        assert_eq!(duration(0.05).unwrap(), Duration::from_secs(3));
        assert_eq!(duration(10_080.0).unwrap(), limits::GRANT_LONGEST);
        for minutes in [0.0, -1.0, 10_081.0, 1e300, f64::INFINITY, f64::NAN] {
            assert!(duration(minutes).is_err(), "{minutes}");
        }
    }
}
