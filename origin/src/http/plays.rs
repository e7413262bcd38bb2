//! `/api/v1/plays`: a player says that it plays; `/api/v1/viewers`: who does.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use tidegate_wire::{AssetId, Code, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Authenticated, Caller, MaybeAuthenticated, client_address};
use super::error::ApiError;
use super::extract::{Json, Segment};
use super::no_store;
use crate::access::{Operation, Verdict};
use crate::app::App;
use crate::catalog::plays::{self, Heard};
use crate::catalog::{Visibility, assets};
use crate::limits;
use crate::plays::most_watched;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(begin)).routes(routes!(beat)).routes(routes!(viewers))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPlay, examples(json!({ "asset": "0197a3c1-7d2e-7c31-9d1e-0242ac120002" })))]
struct Begin {
    #[schema(value_type = String)]
    asset: AssetId,
    /// What stands in the address of the page or of the bytes, where they are read under a grant.
    grant: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Play, examples(json!({ "id": "0197a3c2-11aa-7d0e-8c51-0242ac120002", "every_s": 10 })))]
struct Begun {
    #[schema(value_type = String)]
    id: Uuid,
    /// How often to say how far it is, in seconds.
    every_s: u64,
}

/// Begins a play. It counts as a view when a heartbeat says that something was watched.
///
/// Whoever may watch the asset may do this: anyone where it is unlisted or public, else its owner or the holder of a
/// grant. One play is one view, however long it pauses; who has not been heard of for six hours begins another.
#[utoipa::path(
    post, path = "/api/v1/plays", tag = "plays", operation_id = "beginPlay", request_body = Begin,
    security((), ("cookie" = []), ("bearer" = [])), responses((status = 201, body = Begun)),
    extensions(("x-problems" = json!([
        "asset_not_found", "grant_invalid", "grant_expired", "grant_mismatch", "overloaded",
    ])))
)]
async fn begin(
    State(app): State<Arc<App>>,
    MaybeAuthenticated(caller): MaybeAuthenticated,
    parts: Parts,
    Json(begin): Json<Begin>,
) -> Result<Response, ApiError> {
    check_may_watch(&app, caller.as_ref(), &begin).await?;
    if !app.plays.may_begin(client_address(&app, &parts)) {
        let window_s = u32::try_from(limits::PLAYS_WINDOW.as_secs()).unwrap_or(u32::MAX);
        return Err(Problem::from(Code::RateLimited).retry_after(window_s).into());
    }
    if !app.plays.has_room() {
        return Err(Problem::from(Code::Overloaded).retry_after(limits::OVERLOADED_RETRY_S).into());
    }
    let now_ms = app.clock.unix_ms();
    // Whoever knows it may speak for the play.
    let id = uuid::Builder::from_random_bytes(app.entropy.bytes()).into_uuid();
    plays::begin(&app.catalog, id, begin.asset, now_ms, now_ms + millis(limits::VIEWER_AROUND)).await?;
    let every_s = limits::PLAY_EVERY.as_secs();
    Ok(no_store((StatusCode::CREATED, axum::Json(Begun { id, every_s }))))
}

/// The rule of the watch page: what is not private is for everyone, the rest for its owner and under a grant.
async fn check_may_watch(app: &App, caller: Option<&Caller>, begin: &Begin) -> Result<(), ApiError> {
    if let Some(grant) = &begin.grant {
        app.grants.verify(grant, &begin.asset.source_path()).await?;
    }
    let asset = assets::get(&app.catalog, begin.asset).await?.ok_or(Code::AssetNotFound)?;
    let verdict = caller.map(|caller| caller.verdict(Operation::ReadPrivateBytes, asset.owner.as_ref()));
    let is_owner = verdict == Some(Verdict::Allowed);
    if begin.grant.is_some() || is_owner || asset.visibility != Visibility::Private {
        return Ok(());
    }
    Err(Code::AssetNotFound.into())
}

/// How far a play has come, in all: what is said twice counts once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlayHeartbeat, examples(json!({ "position_s": 63.2, "watched_s": 61.0, "start_s": 0.34, "stalls": 0 })))]
struct Beat {
    /// Where in the video it is.
    #[allow(dead_code, reason = "checked, and for those who come to look at where people stop")]
    position_s: Seconds,
    /// Watched so far in this play, without pauses.
    watched_s: Seconds,
    /// From the wish to play to the first picture.
    start_s: Option<Seconds>,
    /// Interruptions so far.
    stalls: Option<u32>,
    /// Nothing more is to come.
    ended: Option<bool>,
}

/// A span in seconds that a clock can show.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(try_from = "f64")]
#[schema(value_type = f64)]
struct Seconds(Duration);

impl TryFrom<f64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        let most = limits::LONGEST_SOURCE_MS / 1000 * 30;
        let span = Duration::try_from_secs_f64(seconds).ok().filter(|span| span.as_secs() < most);
        span.map(Self).ok_or("a number of seconds, from 0")
    }
}

/// Says how far a play has come. Whoever began it knows its id, and needs nothing else.
#[utoipa::path(
    post, path = "/api/v1/plays/{id}", tag = "plays", operation_id = "beatPlay", request_body = Beat, security(()),
    responses((status = 204, description = "Taken in; statistics show it within seconds.")),
    extensions(("x-problems" = json!(["play_not_found"])))
)]
async fn beat(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    Json(beat): Json<Beat>,
) -> Result<Response, ApiError> {
    let id: Uuid = id.parse().map_err(|_| Code::PlayNotFound)?;
    let began_ms = plays::started_at(&app.catalog, id).await?.ok_or(Code::PlayNotFound)?;
    let now_ms = app.clock.unix_ms();
    let start = beat.start_s.map(|start| millis(start.0)).filter(|ms| *ms <= millis(limits::PLAY_START_MOST));
    app.plays.hear(&Heard {
        id,
        at_ms: now_ms,
        viewer_until: if beat.ended == Some(true) { 0 } else { now_ms + millis(limits::VIEWER_AROUND) },
        watched_ms: millis(beat.watched_s.0).min(most_watched(began_ms, now_ms)),
        stalls: beat.stalls.map_or(0, u64::from).min(limits::PLAY_STALLS_MOST),
        start_ms: start,
    });
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Serialize, ToSchema)]
#[schema(as = ViewersOfAsset)]
struct OfAsset {
    #[schema(value_type = String)]
    asset: AssetId,
    viewers_now: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Viewers, examples(json!({
    "viewers_now": 3, "assets": [{ "asset": "0197a3c1-7d2e-7c31-9d1e-0242ac120002", "viewers_now": 3 }],
})))]
struct Viewers {
    /// Of all of them.
    viewers_now: u64,
    /// Those with viewers, the most first.
    assets: Vec<OfAsset>,
}

/// Says how many watch the caller's assets now, or anyone's for an administrator.
#[utoipa::path(
    get, path = "/api/v1/viewers", tag = "plays", operation_id = "getViewers", responses((status = 200, body = Viewers)),
    extensions(("x-problems" = json!(["forbidden"])))
)]
async fn viewers(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    caller.check(Operation::ListViewers)?;
    let whose = (!caller.may(Operation::ListAllViewers)).then_some(&caller.id);
    let now_ms = app.clock.unix_ms();
    let (viewers_now, found) = plays::viewers(&app.catalog, whose, now_ms, limits::VIEWED_ASSETS).await?;
    let assets = found.into_iter().map(|(asset, viewers_now)| OfAsset { asset, viewers_now }).collect();
    Ok(no_store(axum::Json(Viewers { viewers_now, assets })))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
