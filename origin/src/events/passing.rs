//! Events that are not kept: how far uploads and videos are, and who watches. They reach the streams of all origins, as
//! far as these hear of each other; one that is lost is followed by a better one.

use std::time::Duration;

use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidegate_wire::AssetId;
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::uploads::Upload;
use crate::catalog::{AccountId, CatalogError, assets, jobs, plays};
use crate::limits;
use crate::protocol::UploadKind;

/// A passing event on its way between origins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Passing {
    /// Whose it is; `None` for what nobody owns.
    pub account: Option<AccountId>,
    /// Its type.
    pub kind: String,
    /// What is told (a JSON object).
    pub body: String,
}

/// Lets one report of a thing pass in so long.
pub struct Throttle(Cache<AssetId, Instant>);

impl Throttle {
    /// One in `every`.
    pub fn new(every: Duration) -> Self {
        Self(Cache::builder().max_capacity(limits::PROGRESS_TRACKED).time_to_live(every).build())
    }

    /// Whether nothing was told of `id` for that long; it counts as told now.
    pub fn lets(&self, id: AssetId) -> bool {
        self.0.entry(id).or_insert_with(Instant::now).is_fresh()
    }
}

/// What a passing event is about: an asset, or an upload.
#[derive(Debug, Clone, Copy)]
pub enum About {
    /// An asset.
    Asset(AssetId),
    /// An upload.
    Upload(AssetId),
}

/// Tells everyone who may know.
pub fn tell(app: &App, kind: &str, account: Option<&AccountId>, about: About, data: &Value) {
    let about = match about {
        About::Asset(id) => (Some(id), None),
        About::Upload(id) => (None, Some(id)),
    };
    let body = super::body(kind, app.clock.unix_ms(), account, about, data);
    let passing = Passing { account: account.cloned(), kind: kind.to_owned(), body };
    // Texts cannot fail to serialise.
    app.coord.news.tell(serde_json::to_string(&passing).unwrap_or_default());
}

/// How far an upload has come, now and then. Parts are not told of.
pub fn upload(app: &App, upload: &Upload, offset: u64) {
    if upload.kind == UploadKind::Partial || !app.upload_progress.lets(upload.id) {
        return;
    }
    let data = json!({ "offset_bytes": offset, "length_bytes": upload.length });
    tell(app, "upload.progress", upload.owner.as_ref(), About::Upload(upload.id), &data);
}

/// How far a video is, now and then, after something was heard of one of its jobs.
pub async fn asset(app: &App, job: Uuid) {
    if let Err(error) = tell_of_asset(app, job).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "asset_progress.not_told");
    }
}

async fn tell_of_asset(app: &App, job: Uuid) -> Result<(), CatalogError> {
    let Some(job) = jobs::get(&app.catalog, job).await? else { return Ok(()) };
    let asset = job.revision.asset;
    if !app.asset_progress.lets(asset) {
        return Ok(());
    }
    let data = json!({ "progress": jobs::progress(&app.catalog, job.revision).await? });
    let account = (!job.account.is_empty()).then(|| AccountId::new(job.account));
    tell(app, "asset.progress", account.as_ref(), About::Asset(asset), &data);
    Ok(())
}

/// How many watch some assets, after something was heard of plays of them.
///
/// # Errors
/// When the catalogue fails.
pub async fn viewers(app: &App, assets: impl IntoIterator<Item = AssetId>) -> Result<(), CatalogError> {
    let ids: Vec<AssetId> = assets.into_iter().collect();
    let viewers = plays::viewers_of(&app.catalog, &ids, app.clock.unix_ms()).await?;
    for id in ids {
        let Some(asset) = assets::get(&app.catalog, id).await? else { continue };
        let data = json!({ "viewers_now": viewers.get(&id).copied().unwrap_or(0) });
        tell(app, "viewers", asset.owner.as_ref(), About::Asset(id), &data);
    }
    Ok(())
}
