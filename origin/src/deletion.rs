//! Deleting an asset: gone from the catalogue, from every edge and from the store, in this order.

use serde_json::json;
use tidegate_wire::AssetId;
use tidegate_wire::purge::PurgeTargets;

use crate::app::App;
use crate::catalog::{Asset, CatalogError, assets, purges, removals, revisions, trees, uploads};
use crate::events::{Kind, tell};

/// Deletes the asset if `may` says so of it: the row goes, its upload and its jobs end and the purge is written in one
/// change; then edges are told, and the bytes removed, those that were made of it too. `false` if there is none that may be deleted.
///
/// # Errors
/// When the catalogue fails. After [`CatalogError::Unavailable`] it may have been deleted all the same.
pub async fn delete_asset(
    app: &App,
    id: AssetId,
    may: impl FnOnce(&Asset) -> bool,
) -> Result<bool, CatalogError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let Some(asset) = assets::get_locked(&mut tx, id).await?.filter(may) else { return Ok(false) };
    let segments = uploads::decode_segments(&asset.segments)?;
    let last_segment = segments.iter().map(|segment| segment.number).max().unwrap_or(0);
    assets::delete(&mut tx, id).await?;
    uploads::terminate(&mut tx, id, now_ms).await?;
    // Attempts at work are refused from here on: their jobs are gone.
    let tree = revisions::delete_all(&mut tx, id).await?.then(|| id.to_string());
    if let Some(tree) = &tree {
        trees::insert(&mut tx, tree, None, now_ms).await?;
    }
    tell(app, &mut tx, Kind::AssetDeleted, id, asset.owner.as_ref(), json!({ "name": asset.name })).await?;
    let removal = removals::insert(&mut tx, id, last_segment, now_ms).await?;
    let targets = PurgeTargets { assets: vec![id], ..PurgeTargets::default() };
    purges::append(&mut tx, &targets, asset.owner.as_ref(), now_ms).await?;
    tx.commit().await?;
    app.announce_purge();
    tracing::info!(asset.id = %id, "asset.deleted");
    app.remove_bytes(removal).await;
    if let Some(tree) = tree {
        app.remove_tree(&tree).await;
    }
    Ok(true)
}
