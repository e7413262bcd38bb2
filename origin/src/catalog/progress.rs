//! How far what is made of an asset is.

use sqlx::Row as _;
use tidegate_wire::AssetId;
use uuid::Uuid;

use super::{Catalog, CatalogError, get_parsed, get_u64};

/// What is being made of an asset, taken together.
#[derive(Debug, Clone, PartialEq)]
pub struct Around {
    /// Of which.
    pub asset: AssetId,
    /// Whose it is; empty for what nobody owns.
    pub account: String,
    /// 0 to 1, by the work of all jobs that are known.
    pub progress: f64,
}

/// How far the revision of this job is.
///
/// # Errors
/// When the catalogue fails.
#[allow(clippy::cast_precision_loss, reason = "a share for people")]
pub async fn around(catalog: &Catalog, job: Uuid) -> Result<Option<Around>, CatalogError> {
    let row = sqlx::query(
        "SELECT this.asset_id AS asset_id, this.account AS account, CAST(SUM(each.cost_ms) AS BIGINT) AS cost,
                CAST(SUM(each.cost_ms * (each.progress_ppm / 1000)) AS BIGINT) AS done
         FROM jobs AS this JOIN jobs AS each ON each.asset_id = this.asset_id AND each.revision = this.revision
         WHERE this.id = $1 GROUP BY this.asset_id, this.account",
    )
    .bind(job.to_string())
    .fetch_optional(catalog.pool())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (cost, done) = (get_u64(&row, "cost")?, get_u64(&row, "done")?);
    let progress = done as f64 / (cost.max(1) as f64 * 1000.0);
    Ok(Some(Around {
        asset: get_parsed(&row, "asset_id")?,
        account: row.try_get("account")?,
        progress: progress.clamp(0.0, 1.0),
    }))
}
