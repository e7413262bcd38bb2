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

use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::{AssetPath, Json, Params};
use super::page::Page;
use super::playback::{self, Played};
use super::timestamp::Timestamp;
use super::{check_name, no_store};
use crate::app::App;
use crate::catalog::{Account, Asset, Visibility, assets, purges};
use crate::deletion::delete_asset;
use crate::events::{Kind, tell};
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
    Authenticated(account): Authenticated,
    Params(page): Params<Page>,
) -> Result<Response, ApiError> {
    let page = page.read::<AssetId>(limits::PAGE_ASSETS, 1..=limits::PAGE_ASSETS_MAX)?;
    let mut found = assets::list(&app.catalog, &account.id, page.before, page.to_look_for()).await?;
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
    Authenticated(account): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    let asset = owned(assets::get(&app.catalog, id).await?, &account)?;
    let played = playback::of_one(&app, &asset).await?;
    Ok(no_store(axum::Json(Shown::new(asset, played))))
}

/// The asset, if it is there and the account's.
pub(super) fn owned(asset: Option<Asset>, account: &Account) -> Result<Asset, ApiError> {
    asset.filter(|asset| asset.owner.as_ref() == Some(&account.id)).ok_or_else(|| Code::AssetNotFound.into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    visibility: Option<Visibility>,
}

async fn change(
    State(app): State<Arc<App>>,
    Authenticated(account): Authenticated,
    AssetPath(id): AssetPath,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    if let Some(name) = &change.name {
        check_name("name", name, limits::ASSET_NAME_CHARS)?;
    }
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let mut asset = owned(assets::get_locked(&mut tx, id).await?, &account)?;
    let before = (asset.name.clone(), asset.visibility);
    asset.name = change.name.unwrap_or(asset.name);
    asset.visibility = change.visibility.unwrap_or(asset.visibility);
    // Edges keep the visibility and the name (in Content-Disposition) with the object: they must forget it when it
    // narrows, and are told whenever it changes.
    let changed = before != (asset.name.clone(), asset.visibility);
    if changed {
        assets::update(&mut tx, id, &asset.name, asset.visibility, now_ms).await?;
        let fields: Vec<&str> =
            [("name", before.0 != asset.name), ("visibility", before.1 != asset.visibility)]
                .into_iter()
                .filter_map(|(field, differs)| differs.then_some(field))
                .collect();
        let data = json!({ "name": asset.name, "visibility": asset.visibility, "fields": fields });
        tell(&app, &mut tx, Kind::AssetChanged, id, asset.owner.as_ref(), data).await?;
        purges::append(&mut tx, &of_asset(id), Some(&account.id), now_ms).await?;
    }
    tx.commit().await?;
    if changed {
        app.announce_purge();
    }
    let played = playback::of_one(&app, &asset).await?;
    Ok(no_store(axum::Json(Shown::new(asset, played))))
}

async fn remove(
    State(app): State<Arc<App>>,
    Authenticated(account): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    if !delete_asset(&app, id, |asset| asset.owner.as_ref() == Some(&account.id)).await? {
        return Err(Code::AssetNotFound.into());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn of_asset(id: AssetId) -> PurgeTargets {
    PurgeTargets { assets: vec![id], ..PurgeTargets::default() }
}
