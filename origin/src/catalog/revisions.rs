//! Revisions: what is made of an asset for playing, and how far that has come.
//!
//! Whoever changes jobs of a revision takes its row first ([`get_locked`]): two jobs that end at once see each other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use tidegate_wire::AssetId;
use tidegate_wire::job::SourceInfo;

use super::{Catalog, CatalogError, Tx, assets, get_parsed, get_u64, get_u64_or_null, to_db, trees};
use crate::jobs::plan::Outline;

/// How far a revision has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RevisionState {
    /// Nothing of it can be played yet.
    Processing,
    /// The lowest rung plays, as far as it is there.
    Playable,
    /// All of it is there and never changes again.
    Ready,
    /// It was given up; see its error.
    Failed,
}

impl RevisionState {
    /// As it stands in the catalogue and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Playable => "playable",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for RevisionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a revision")]
pub struct InvalidRevisionState;

impl FromStr for RevisionState {
    type Err = InvalidRevisionState;

    fn from_str(text: &str) -> Result<Self, InvalidRevisionState> {
        let all = [Self::Processing, Self::Playable, Self::Ready, Self::Failed];
        all.into_iter().find(|state| state.as_str() == text).ok_or(InvalidRevisionState)
    }
}

/// A revision's name: its asset and its number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RevisionId {
    /// Of what.
    pub asset: AssetId,
    /// Which.
    pub number: u32,
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.asset, self.number)
    }
}

/// A revision of the catalogue.
#[derive(Clone, PartialEq)]
pub struct Revision {
    /// Its name.
    pub id: RevisionId,
    /// Whose share of the workers it is made with; empty for what nobody owns.
    pub account: String,
    /// How far it has come.
    pub state: RevisionState,
    /// The key its segments are encrypted with, in hexadecimal digits.
    pub aes_key: Option<String>,
    /// What the probe found.
    pub info: Option<SourceInfo>,
    /// What was planned from it.
    pub plan: Option<Outline>,
    /// Jobs made for it so far.
    pub jobs: u32,
    /// Times its parts were made anew since they did not fit together.
    pub remakes: u32,
    /// Why it failed: a stable code and a sentence.
    pub error: Option<(String, String)>,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Since when it can be played.
    pub playable_at: Option<u64>,
    /// Since when all of it is there.
    pub ready_at: Option<u64>,
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({} {})", self.id, self.state)
    }
}

/// Adds revision `id` in its first state, with `jobs` jobs.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(
    tx: &mut Tx,
    id: RevisionId,
    account: &str,
    aes_key: Option<String>,
    jobs: u32,
    now_ms: u64,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO revisions (asset_id, revision, account, state, aes_key, jobs, remakes, created_at)
         VALUES ($1, $2, $3, 'processing', $4, $5, 0, $6)",
    )
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .bind(account)
    .bind(aes_key)
    .bind(i64::from(jobs))
    .bind(to_db(now_ms))
    .execute(tx.connection())
    .await?;
    assets::mirror(tx, id.asset, RevisionState::Processing.as_str(), None).await
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT asset_id, revision, account, state, aes_key, info, plan, jobs, remakes, error_code, error, ",
            "created_at, playable_at, ready_at FROM revisions ",
            $rest
        )
    };
}

/// The revision with this name.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, id: RevisionId) -> Result<Option<Revision>, CatalogError> {
    let row = sqlx::query(select!("WHERE asset_id = $1 AND revision = $2"))
        .bind(id.asset.to_string())
        .bind(i64::from(id.number))
        .fetch_optional(catalog.pool());
    row.await?.as_ref().map(read).transpose()
}

/// The revision with this name, which no other change touches until this one has ended; none where its asset is in the
/// trash.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_locked(tx: &mut Tx, id: RevisionId) -> Result<Option<Revision>, CatalogError> {
    sqlx::query("UPDATE revisions SET jobs = jobs WHERE asset_id = $1 AND revision = $2")
        .bind(id.asset.to_string())
        .bind(i64::from(id.number))
        .execute(tx.connection())
        .await?;
    let row = sqlx::query(select!(
        "WHERE asset_id = $1 AND revision = $2
           AND NOT EXISTS (SELECT 1 FROM assets WHERE assets.id = $1 AND assets.trashed_at IS NOT NULL)"
    ))
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .fetch_optional(tx.connection());
    row.await?.as_ref().map(read).transpose()
}

/// Holds the revisions of an asset until this change has ended, so that no other changes them or their jobs.
///
/// # Errors
/// When the catalogue fails.
pub async fn lock_all(tx: &mut Tx, asset: AssetId) -> Result<(), CatalogError> {
    let statement = "UPDATE revisions SET jobs = jobs WHERE asset_id = $1";
    sqlx::query(statement).bind(asset.to_string()).execute(tx.connection()).await?;
    Ok(())
}

/// The newest revision of an asset, held with all others of it.
///
/// # Errors
/// When the catalogue fails.
pub async fn newest_locked(tx: &mut Tx, asset: AssetId) -> Result<Option<Revision>, CatalogError> {
    lock_all(tx, asset).await?;
    let row = sqlx::query(select!("WHERE asset_id = $1 ORDER BY revision DESC LIMIT 1"))
        .bind(asset.to_string())
        .fetch_optional(tx.connection());
    row.await?.as_ref().map(read).transpose()
}

/// The newest revision of an asset.
///
/// # Errors
/// When the catalogue fails.
pub async fn newest(catalog: &Catalog, asset: AssetId) -> Result<Option<Revision>, CatalogError> {
    let row = sqlx::query(select!("WHERE asset_id = $1 ORDER BY revision DESC LIMIT 1"))
        .bind(asset.to_string())
        .fetch_optional(catalog.pool());
    row.await?.as_ref().map(read).transpose()
}

/// The revisions of some assets, each asset's in their order.
///
/// # Errors
/// When the catalogue fails.
pub async fn of_assets(catalog: &Catalog, ids: &[AssetId]) -> Result<Vec<Revision>, CatalogError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let statement = format!("{} ({}) ORDER BY asset_id, revision", select!("WHERE asset_id IN"), places(ids));
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for id in ids {
        query = query.bind(id.to_string());
    }
    query.fetch_all(catalog.pool()).await?.iter().map(read).collect()
}

/// Whether any revision of an asset is encrypted.
///
/// # Errors
/// When the catalogue fails.
pub async fn is_encrypted(catalog: &Catalog, asset: AssetId) -> Result<bool, CatalogError> {
    let row =
        sqlx::query("SELECT 1 AS one FROM revisions WHERE asset_id = $1 AND aes_key IS NOT NULL LIMIT 1")
            .bind(asset.to_string())
            .fetch_optional(catalog.pool());
    Ok(row.await?.is_some())
}

/// As many places for values as there are ids: `$1, $2, …`.
pub(super) fn places(ids: &[AssetId]) -> String {
    (1..=ids.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// Writes everything of a locked revision that may change.
///
/// # Errors
/// When the catalogue fails.
pub async fn update(tx: &mut Tx, revision: &Revision) -> Result<(), CatalogError> {
    let json = |column| move |_| CatalogError::Unreadable { column };
    let info = revision.info.as_ref().map(serde_json::to_string).transpose().map_err(json("info"))?;
    let plan = revision.plan.as_ref().map(serde_json::to_string).transpose().map_err(json("plan"))?;
    let (code, message) = revision.error.clone().unzip();
    sqlx::query(
        "UPDATE revisions SET state = $1, info = $2, plan = $3, jobs = $4, error_code = $5, error = $6,
                              playable_at = $7, ready_at = $8, remakes = $9
         WHERE asset_id = $10 AND revision = $11",
    )
    .bind(revision.state.as_str())
    .bind(info)
    .bind(plan)
    .bind(i64::from(revision.jobs))
    .bind(code)
    .bind(message)
    .bind(revision.playable_at.map(to_db))
    .bind(revision.ready_at.map(to_db))
    .bind(i64::from(revision.remakes))
    .bind(revision.id.asset.to_string())
    .bind(i64::from(revision.id.number))
    .execute(tx.connection())
    .await?;
    let duration_ms = revision.info.as_ref().map(|info| info.duration_ms);
    assets::mirror(tx, revision.id.asset, revision.state.as_str(), duration_ms).await
}

/// Takes out everything there is about an asset's revisions: jobs, parts, names, texts. `false` if there was nothing.
/// The files are another matter: see [`super::trees`], of which those of its directories are forgotten here.
///
/// # Errors
/// When the catalogue fails.
pub async fn delete_all(tx: &mut Tx, asset: AssetId) -> Result<bool, CatalogError> {
    // The revisions' rows go first: whoever holds one of them is waited for.
    let mut found = 0;
    for statement in [
        "DELETE FROM revisions WHERE asset_id = $1",
        "DELETE FROM jobs WHERE asset_id = $1",
        "DELETE FROM track_parts WHERE asset_id = $1",
        "DELETE FROM published WHERE asset_id = $1",
        "DELETE FROM texts WHERE asset_id = $1",
    ] {
        let done = sqlx::query(statement).bind(asset.to_string()).execute(tx.connection()).await?;
        found += done.rows_affected();
    }
    trees::forget_below(tx, &asset.to_string()).await?;
    Ok(found > 0)
}

fn read(row: &AnyRow) -> Result<Revision, CatalogError> {
    let code: Option<String> = row.try_get("error_code")?;
    Ok(Revision {
        id: RevisionId { asset: get_parsed(row, "asset_id")?, number: get_u32(row, "revision")? },
        account: row.try_get("account")?,
        state: get_parsed(row, "state")?,
        aes_key: row.try_get("aes_key")?,
        info: get_json(row, "info")?,
        plan: get_json(row, "plan")?,
        jobs: get_u32(row, "jobs")?,
        remakes: get_u32(row, "remakes")?,
        error: code.zip(row.try_get("error")?),
        created_at: get_u64(row, "created_at")?,
        playable_at: get_u64_or_null(row, "playable_at")?,
        ready_at: get_u64_or_null(row, "ready_at")?,
    })
}

/// A column that is never negative and small.
pub(crate) fn get_u32(row: &AnyRow, column: &'static str) -> Result<u32, CatalogError> {
    u32::try_from(get_u64(row, column)?).map_err(|_| CatalogError::Unreadable { column })
}

/// A column of JSON, or NULL.
fn get_json<T: serde::de::DeserializeOwned>(
    row: &AnyRow,
    column: &'static str,
) -> Result<Option<T>, CatalogError> {
    let text: Option<String> = row.try_get(column)?;
    let read = |text: String| serde_json::from_str(&text).map_err(|_| CatalogError::Unreadable { column });
    text.map(read).transpose()
}
