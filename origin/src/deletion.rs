//! Deleting an asset: gone from the catalogue's eyes and from every edge at once; from the store when it has lain in
//! the trash for long enough.

use serde_json::json;
use tidegate_wire::AssetId;
use tidegate_wire::purge::PurgeTargets;

use crate::app::App;
use crate::catalog::{
    Asset, CatalogError, Tx, assets, purges, queue, removals, revisions, statistics, trees, uploads,
};
use crate::events::{Kind, tell};
use crate::limits;

/// Deletes the asset if `may` says so of it: nobody finds it any more, its upload and its jobs end and the purge is
/// written in one change; then edges are told. Its bytes, and those that were made of it, go at once where there is no
/// trash. `false` if there is none that may be deleted.
///
/// # Errors
/// When the catalogue fails. After [`CatalogError::Unavailable`] it may have been deleted all the same.
pub async fn delete_asset(
    app: &App,
    id: AssetId,
    may: impl FnOnce(&Asset) -> bool,
) -> Result<bool, CatalogError> {
    let may = |asset: &Asset| asset.trashed_at.is_none() && may(asset);
    if app.config.trash.is_zero() { remove(app, id, may).await } else { put_into_trash(app, id, may).await }
}

/// The asset, held together with its revisions. They come first, as wherever jobs change.
async fn locked(tx: &mut Tx, id: AssetId) -> Result<Option<Asset>, CatalogError> {
    revisions::lock_all(tx, id).await?;
    assets::get_locked_anywhere(tx, id).await
}

async fn purge(tx: &mut Tx, asset: &Asset, now_ms: u64) -> Result<(), CatalogError> {
    let targets = PurgeTargets { assets: vec![asset.id], ..PurgeTargets::default() };
    purges::append(tx, &targets, asset.owner.as_ref(), now_ms).await?;
    Ok(())
}

async fn tell_of(app: &App, tx: &mut Tx, kind: Kind, asset: &Asset) -> Result<(), CatalogError> {
    tell(app, tx, kind, asset.id, asset.owner.as_ref(), json!({ "name": asset.name })).await
}

async fn put_into_trash(
    app: &App,
    id: AssetId,
    may: impl FnOnce(&Asset) -> bool,
) -> Result<bool, CatalogError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let Some(asset) = locked(&mut tx, id).await?.filter(may) else { return Ok(false) };
    assets::set_trashed(&mut tx, id, Some(now_ms)).await?;
    uploads::terminate(&mut tx, id, now_ms).await?;
    // Attempts at work are refused from here on.
    queue::shelve(&mut tx, id, now_ms).await?;
    tell_of(app, &mut tx, Kind::AssetDeleted, &asset).await?;
    purge(&mut tx, &asset, now_ms).await?;
    tx.commit().await?;
    app.announce_purge();
    tracing::info!(asset.id = %id, "asset.trashed");
    Ok(true)
}

/// Takes an asset out of the trash, if `may` says so of it: what was being made of it goes on where it stood. One that
/// is not in the trash stays as it is. `None` if there is none that may be brought back.
///
/// # Errors
/// When the catalogue fails.
pub async fn restore_asset(
    app: &App,
    id: AssetId,
    may: impl FnOnce(&Asset) -> bool,
) -> Result<Option<Asset>, CatalogError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let Some(mut asset) = locked(&mut tx, id).await?.filter(may) else { return Ok(None) };
    if asset.trashed_at.take().is_none() {
        return Ok(Some(asset));
    }
    assets::set_trashed(&mut tx, id, None).await?;
    uploads::revive(&mut tx, id, now_ms).await?;
    queue::unshelve(&mut tx, id, now_ms).await?;
    tell_of(app, &mut tx, Kind::AssetRestored, &asset).await?;
    tx.commit().await?;
    app.announce_jobs();
    tracing::info!(asset.id = %id, "asset.restored");
    Ok(Some(asset))
}

/// Removes the asset, in the trash or not, if `may` says so of it: its row and everything about it goes in one change,
/// then the bytes.
async fn remove(app: &App, id: AssetId, may: impl FnOnce(&Asset) -> bool) -> Result<bool, CatalogError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let Some(asset) = locked(&mut tx, id).await?.filter(may) else { return Ok(false) };
    let segments = uploads::decode_segments(&asset.segments)?;
    let last_segment = segments.iter().map(|segment| segment.number).max().unwrap_or(0);
    assets::delete(&mut tx, id).await?;
    uploads::terminate(&mut tx, id, now_ms).await?;
    // Attempts at work are refused from here on: their jobs are gone.
    let tree = revisions::delete_all(&mut tx, id).await?.then(|| id.to_string());
    if let Some(tree) = &tree {
        trees::insert(&mut tx, tree, None, now_ms).await?;
    }
    statistics::forget(&mut tx, id).await?;
    let removal = removals::insert(&mut tx, id, last_segment, now_ms).await?;
    // What comes out of the trash was told of, and purged, when it went in.
    if asset.trashed_at.is_none() {
        tell_of(app, &mut tx, Kind::AssetDeleted, &asset).await?;
        purge(&mut tx, &asset, now_ms).await?;
    }
    tx.commit().await?;
    if asset.trashed_at.is_none() {
        app.announce_purge();
    }
    tracing::info!(asset.id = %id, "asset.deleted");
    app.remove_bytes(removal).await;
    if let Some(tree) = tree {
        app.remove_tree(&tree).await;
    }
    Ok(true)
}

/// Removes for good what has been in the trash for long enough.
///
/// # Errors
/// When the catalogue fails.
pub async fn empty_trash(app: &App) -> Result<(), CatalogError> {
    let kept_ms = u64::try_from(app.config.trash.as_millis()).unwrap_or(u64::MAX);
    let before_ms = app.clock.unix_ms().saturating_sub(kept_ms);
    for id in assets::trashed_before(&app.catalog, before_ms, limits::REMOVALS_PER_ROUND).await? {
        // Unless someone has brought it back meanwhile.
        remove(app, id, |asset| asset.trashed_at.is_some_and(|since| since < before_ms)).await?;
    }
    Ok(())
}
