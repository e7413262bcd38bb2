//! `/api/v1/assets`: what an account has uploaded.
//!
//! Another's asset and one that does not exist get the same answer.

mod list;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_wire::purge::PurgeTargets;
use tidegate_wire::{AssetId, Code, Digest};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Authenticated, Caller};
use super::error::ApiError;
use super::extract::{AssetPath, Json, given};
use super::playback::{self, Played};
use super::timestamp::Timestamp;
use super::{check_name, no_store};
use crate::access::{Operation, Verdict};
use crate::app::App;
use crate::audit::{self, Action};
use crate::catalog::{Account, AccountId, Asset, Visibility, accounts, assets, plays, purges};
use crate::deletion::{delete_asset, restore_asset};
use crate::events::{Kind, tell};
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(list::list))
        .routes(routes!(show, change, remove))
        .routes(routes!(restore))
}

/// An account as others see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Owner {
    #[schema(value_type = String)]
    id: AccountId,
    username: String,
}

impl Owner {
    /// Some accounts, whom the caller is most often one of.
    pub(super) async fn of_each(
        app: &App,
        caller: &Account,
        mut ids: Vec<AccountId>,
    ) -> Result<HashMap<AccountId, Self>, ApiError> {
        ids.retain(|id| *id != caller.id);
        let mut names = accounts::usernames(&app.catalog, ids).await?;
        names.insert(caller.id.clone(), caller.username.clone());
        Ok(names.into_iter().map(|(id, username)| (id.clone(), Self { id, username })).collect())
    }
}

/// An asset as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Asset, examples(json!({
    "id": "0197a3c1-7d2e-7c31-9d1e-0242ac120002", "name": "holiday.mp4", "title": "A day at the sea",
    "description": "", "tags": ["sea", "2026"], "metadata": { "project": "summer" }, "size_bytes": 10737418240_u64,
    "digest": "blake3:0707070707070707070707070707070707070707070707070707070707070707", "content_type": "video/mp4",
    "visibility": "unlisted", "created_at": "2026-05-28T20:26:40.000Z", "updated_at": "2026-05-28T20:26:40.000Z",
    "owner": { "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "username": "ada" },
    "state": "ready", "duration_s": 612.48, "width": 1920, "height": 1080, "error": null, "encrypted": false,
    "playback": {
        "hls": "/media/0197a3c1-7d2e-7c31-9d1e-0242ac120002/1/master.m3u8",
        "dash": "/media/0197a3c1-7d2e-7c31-9d1e-0242ac120002/1/manifest.mpd",
        "poster": "/media/0197a3c1-7d2e-7c31-9d1e-0242ac120002/1/poster.jpg",
        "storyboard": "/media/0197a3c1-7d2e-7c31-9d1e-0242ac120002/1/storyboard.vtt",
    },
    "progress": null, "viewers_now": 3,
})))]
pub(super) struct Shown {
    #[schema(value_type = String)]
    id: AssetId,
    name: String,
    /// What it is to be shown as, if that is not its name.
    title: Option<String>,
    description: String,
    tags: Vec<String>,
    /// Members of the owner's own.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    size_bytes: u64,
    /// Of its bytes: `blake3:` and hexadecimal digits.
    #[schema(value_type = String)]
    digest: Digest,
    /// SHA-256, where the client asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    content_type: String,
    visibility: Visibility,
    created_at: Timestamp,
    /// When what is said of it last changed.
    updated_at: Timestamp,
    /// Null for what was uploaded anonymously.
    owner: Option<Owner>,
    #[serde(flatten)]
    played: Played,
    /// How much is made of it, 0 to 1, while something is being made.
    progress: Option<f64>,
    /// How many watch it now.
    viewers_now: u64,
    /// Since when it is in the trash, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    trashed_at: Option<Timestamp>,
}

/// Gathers what is shown of some assets, in a few questions for all of them.
async fn present(app: &App, caller: &Account, found: Vec<Asset>) -> Result<Vec<Shown>, ApiError> {
    let ids: Vec<AssetId> = found.iter().map(|asset| asset.id).collect();
    let mut played = playback::of_each(app, &ids).await?;
    let viewers = plays::viewers_of(&app.catalog, &ids, app.clock.unix_ms()).await?;
    let owners =
        Owner::of_each(app, caller, found.iter().filter_map(|asset| asset.owner.clone()).collect()).await?;
    let show = |asset: Asset| {
        let played = played.remove(&asset.id).unwrap_or_default();
        Shown {
            id: asset.id,
            name: asset.name,
            title: asset.about.title,
            description: asset.about.description,
            tags: asset.about.tags,
            metadata: asset.about.metadata,
            size_bytes: asset.size_bytes,
            digest: asset.digest,
            sha256: asset.sha256,
            content_type: asset.content_type,
            visibility: asset.visibility,
            created_at: Timestamp(asset.created_at),
            updated_at: Timestamp(asset.updated_at),
            owner: asset.owner.and_then(|id| owners.get(&id).cloned()),
            progress: played.progress,
            viewers_now: viewers.get(&asset.id).copied().unwrap_or(0),
            played,
            trashed_at: asset.trashed_at.map(Timestamp),
        }
    };
    Ok(found.into_iter().map(show).collect())
}

async fn answer(app: &App, caller: &Account, asset: Asset) -> Result<Response, ApiError> {
    let shown = present(app, caller, vec![asset]).await?.pop();
    Ok(no_store(axum::Json(shown)))
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

/// Shows an asset.
#[utoipa::path(
    get, path = "/api/v1/assets/{id}", tag = "assets", operation_id = "getAsset", responses((status = 200, body = Shown)),
    extensions(("x-problems" = json!(["forbidden", "asset_not_found"])))
)]
async fn show(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    let asset = permitted(assets::get(&app.catalog, id).await?, &caller, Operation::ReadAsset)?;
    answer(&app, &caller, asset).await
}

/// What is to be another; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AssetChange, examples(json!({ "title": "A day at the sea", "tags": ["sea"], "visibility": "public" })))]
struct Change {
    name: Option<String>,
    /// At most 200 characters; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    title: Option<Option<String>>,
    /// At most 5,000 characters, in as many lines as it takes.
    description: Option<String>,
    /// At most 30, each of at most 50 characters; all of them anew.
    tags: Option<Vec<String>>,
    /// An object of at most 50 members and 8 KiB; all of it anew.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    visibility: Option<Visibility>,
}

impl Change {
    /// Changes the asset as far as something is given.
    fn apply(self, asset: &mut Asset) -> Result<(), ApiError> {
        if let Some(name) = self.name {
            check_name("name", &name, limits::ASSET_NAME_CHARS)?;
            asset.name = name;
        }
        let about = &mut asset.about;
        about.title = self.title.unwrap_or_else(|| about.title.take());
        about.description = self.description.unwrap_or_else(|| std::mem::take(&mut about.description));
        about.tags = self.tags.unwrap_or_else(|| std::mem::take(&mut about.tags));
        about.metadata = self.metadata.unwrap_or_else(|| std::mem::take(&mut about.metadata));
        about.check().map_err(ApiError::field)?;
        asset.visibility = self.visibility.unwrap_or(asset.visibility);
        Ok(())
    }
}

/// Changes what is said of an asset, and who may watch it. Its bytes never change.
#[utoipa::path(
    patch, path = "/api/v1/assets/{id}", tag = "assets", operation_id = "changeAsset", request_body = Change,
    responses((status = 200, body = Shown)), extensions(("x-problems" = json!(["forbidden", "asset_not_found"])))
)]
async fn change(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let before = permitted(assets::get_locked(&mut tx, id).await?, &caller, Operation::ChangeAsset)?;
    let mut asset = before.clone();
    change.apply(&mut asset)?;
    if before.visibility == Visibility::Private && asset.visibility != Visibility::Private {
        caller.check_on(Operation::PublishAsset, before.owner.as_ref(), Code::AssetNotFound)?;
    }
    // Edges keep the visibility and the name (in Content-Disposition) with the object: they must forget it when it
    // narrows, and are told whenever it changes.
    let edges_know = (&before.name, before.visibility) != (&asset.name, asset.visibility);
    let changed = asset != before;
    if changed {
        asset.updated_at = now_ms;
        assets::update(&mut tx, &asset, now_ms).await?;
        let data = json!({
            "name": asset.name, "title": asset.about.title, "visibility": asset.visibility,
            "fields": differing(&before, &asset),
        });
        tell(&app, &mut tx, Kind::AssetChanged, id, asset.owner.as_ref(), data).await?;
    }
    if edges_know {
        purges::append(&mut tx, &of_asset(id), Some(&caller.id), now_ms).await?;
    }
    tx.commit().await?;
    if edges_know {
        app.announce_purge();
    }
    if changed {
        note(&app, &caller, &asset, Action::AssetChanged).await?;
    }
    answer(&app, &caller, asset).await
}

/// What of an asset is another now.
fn differing(before: &Asset, after: &Asset) -> Vec<&'static str> {
    let fields = [
        ("name", before.name != after.name),
        ("title", before.about.title != after.about.title),
        ("description", before.about.description != after.about.description),
        ("tags", before.about.tags != after.about.tags),
        ("metadata", before.about.metadata != after.about.metadata),
        ("visibility", before.visibility != after.visibility),
    ];
    fields.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect()
}

/// Deletes an asset: from now on nobody can read it anywhere. It lies in the trash for a while, from where it can be
/// brought back.
#[utoipa::path(
    delete, path = "/api/v1/assets/{id}", tag = "assets", operation_id = "deleteAsset", responses((status = 204)),
    extensions(("x-problems" = json!(["forbidden", "asset_not_found"])))
)]
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

/// Brings an asset back from the trash; what was being made of it goes on. One that is not there stays as it is.
#[utoipa::path(
    post, path = "/api/v1/assets/{id}/restore", tag = "assets", operation_id = "restoreAsset",
    responses((status = 200, body = Shown)), extensions(("x-problems" = json!(["forbidden", "asset_not_found"])))
)]
async fn restore(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    let may =
        |asset: &Asset| caller.verdict(Operation::RestoreAsset, asset.owner.as_ref()) == Verdict::Allowed;
    let restored = restore_asset(&app, id, may).await?.ok_or(Code::AssetNotFound)?;
    note(&app, &caller, &restored, Action::AssetRestored).await?;
    answer(&app, &caller, restored).await
}

fn of_asset(id: AssetId) -> PurgeTargets {
    PurgeTargets { assets: vec![id], ..PurgeTargets::default() }
}
