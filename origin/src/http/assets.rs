//! `/api/v1/assets`: what an account has uploaded.
//!
//! Another's asset and one that does not exist get the same answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_wire::purge::PurgeTargets;
use tidegate_wire::{AssetId, Code, Digest};

use super::auth::{Authenticated, Caller};
use super::error::ApiError;
use super::extract::{AssetPath, Json, Params};
use super::page::Page;
use super::playback::{self, Played};
use super::timestamp::Timestamp;
use super::{check_name, no_store};
use crate::access::Operation;
use crate::app::App;
use crate::audit::{self, Action};
use crate::catalog::{Asset, Visibility, assets, purges};
use crate::deletion::delete_asset;
use crate::limits;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/assets", get(list))
        .route("/api/v1/assets/{id}", get(show).patch(change).delete(remove))
}

/// An asset as the API shows it.
#[derive(Serialize)]
struct Shown {
    id: AssetId,
    name: String,
    size_bytes: u64,
    digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    content_type: String,
    visibility: Visibility,
    created_at: Timestamp,
    #[serde(flatten)]
    played: Played,
}

impl Shown {
    fn new(asset: Asset, played: Played) -> Self {
        Self {
            played,
            id: asset.id,
            name: asset.name,
            size_bytes: asset.size_bytes,
            digest: asset.digest,
            sha256: asset.sha256,
            content_type: asset.content_type,
            visibility: asset.visibility,
            created_at: Timestamp(asset.created_at),
        }
    }
}

#[derive(Serialize)]
struct List {
    assets: Vec<Shown>,
    next_cursor: Option<AssetId>,
}

async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Params(page): Params<Page>,
) -> Result<Response, ApiError> {
    caller.check(Operation::ListAssets)?;
    let page = page.read::<AssetId>(limits::PAGE_ASSETS, 1..=limits::PAGE_ASSETS_MAX)?;
    let mut found = assets::list(&app.catalog, &caller.id, page.before, page.to_look_for()).await?;
    let next_cursor = page.cut(&mut found, |asset| asset.id);
    let ids: Vec<AssetId> = found.iter().map(|asset| asset.id).collect();
    let mut played = playback::of_each(&app, &ids).await?;
    let show = |asset: Asset| {
        let played = played.remove(&asset.id).unwrap_or_default();
        Shown::new(asset, played)
    };
    let assets = found.into_iter().map(show).collect();
    Ok(no_store(axum::Json(List { assets, next_cursor })))
}

async fn show(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    let asset = permitted(assets::get(&app.catalog, id).await?, &caller, Operation::ReadAsset)?;
    let played = playback::of_one(&app, &asset).await?;
    Ok(no_store(axum::Json(Shown::new(asset, played))))
}

/// The asset, if it is there and the caller may do this to it.
pub(super) fn permitted(
    asset: Option<Asset>,
    caller: &Caller,
    operation: Operation,
) -> Result<Asset, ApiError> {
    let asset = asset.ok_or(Code::AssetNotFound)?;
    caller.check_on(operation, asset.owner.as_ref(), Code::AssetNotFound)?;
    Ok(asset)
}

/// Writes down what was done to someone else's asset.
async fn note(app: &App, caller: &Caller, asset: &Asset, action: Action) -> Result<(), ApiError> {
    if asset.owner.as_ref() != Some(&caller.id) {
        let detail = json!({ "name": asset.name, "account": asset.owner });
        audit::note_done(app, &caller.actor(), action, &asset.id.to_string(), &detail).await?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    visibility: Option<Visibility>,
}

async fn change(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    if let Some(name) = &change.name {
        check_name("name", name, limits::ASSET_NAME_CHARS)?;
    }
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let mut asset = permitted(assets::get_locked(&mut tx, id).await?, &caller, Operation::ChangeAsset)?;
    let is_published = asset.visibility == Visibility::Private
        && change.visibility.is_some_and(|wanted| wanted != Visibility::Private);
    if is_published {
        caller.check_on(Operation::PublishAsset, asset.owner.as_ref(), Code::AssetNotFound)?;
    }
    let before = (asset.name.clone(), asset.visibility);
    asset.name = change.name.unwrap_or(asset.name);
    asset.visibility = change.visibility.unwrap_or(asset.visibility);
    // Edges keep the visibility and the name (in Content-Disposition) with the object: they must forget it when it
    // narrows, and are told whenever it changes.
    let changed = before != (asset.name.clone(), asset.visibility);
    if changed {
        assets::update(&mut tx, id, &asset.name, asset.visibility, now_ms).await?;
        purges::append(&mut tx, &of_asset(id), Some(&caller.id), now_ms).await?;
    }
    tx.commit().await?;
    if changed {
        app.announce_purge();
        note(&app, &caller, &asset, Action::AssetChanged).await?;
    }
    let played = playback::of_one(&app, &asset).await?;
    Ok(no_store(axum::Json(Shown::new(asset, played))))
}

async fn remove(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    let asset = permitted(assets::get(&app.catalog, id).await?, &caller, Operation::DeleteAsset)?;
    if !delete_asset(&app, id, |found| found.owner == asset.owner).await? {
        return Err(Code::AssetNotFound.into());
    }
    note(&app, &caller, &asset, Action::AssetDeleted).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn of_asset(id: AssetId) -> PurgeTargets {
    PurgeTargets { assets: vec![id], ..PurgeTargets::default() }
}
