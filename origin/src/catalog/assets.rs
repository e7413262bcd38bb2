//! Assets: what finished uploads became. The bytes never change (invariant 4); name and visibility may.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use tidegate_wire::{AssetId, Digest};

use super::{AccountId, Catalog, CatalogError, Tx, get_parsed, get_u64, to_db};

/// Who may read an asset. The order is from narrow to wide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Its owner, and who has a grant.
    #[default]
    Private,
    /// Everyone who knows its address.
    Unlisted,
    /// Everyone.
    Public,
}

impl Visibility {
    /// As it stands in the API, in the catalogue and in the fleet's header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Unlisted => "unlisted",
            Self::Public => "public",
        }
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no visibility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a visibility is private, unlisted or public")]
pub struct InvalidVisibility;

impl FromStr for Visibility {
    type Err = InvalidVisibility;

    fn from_str(text: &str) -> Result<Self, InvalidVisibility> {
        let all = [Self::Private, Self::Unlisted, Self::Public];
        all.into_iter().find(|visibility| visibility.as_str() == text).ok_or(InvalidVisibility)
    }
}

/// An asset as it enters the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAsset {
    /// The id of the upload it was.
    pub id: AssetId,
    /// Whose it is; `None` for an anonymous upload.
    pub owner: Option<AccountId>,
    /// What people call it.
    pub name: String,
    /// Its length.
    pub size_bytes: u64,
    /// Of its bytes.
    pub digest: Digest,
    /// SHA-256 in lower-case hexadecimal digits, if the client asked for it.
    pub sha256: Option<String>,
    /// The media type it is served with.
    pub content_type: String,
    /// Who may read it.
    pub visibility: Visibility,
    /// Where its bytes are, in the store's own words (JSON).
    pub segments: String,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// An asset of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The id of the upload it was.
    pub id: AssetId,
    /// Whose it is; `None` for an anonymous upload.
    pub owner: Option<AccountId>,
    /// What people call it.
    pub name: String,
    /// Its length.
    pub size_bytes: u64,
    /// Of its bytes.
    pub digest: Digest,
    /// SHA-256 in lower-case hexadecimal digits, if the client asked for it.
    pub sha256: Option<String>,
    /// The media type it is served with.
    pub content_type: String,
    /// Who may read it.
    pub visibility: Visibility,
    /// Where its bytes are, in the store's own words (JSON).
    pub segments: String,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// When name or visibility last changed; milliseconds since 1970.
    pub updated_at: u64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, owner, name, size_bytes, digest, sha256, content_type, visibility, segments, ",
            "created_at, updated_at FROM assets ",
            $rest
        )
    };
}

/// Adds an asset; `false` if it is there already, as when a completion is repeated.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, new: &NewAsset) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "INSERT INTO assets (id, owner, name, size_bytes, digest, sha256, content_type, visibility, segments,
                             created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.to_string())
    .bind(new.owner.as_ref().map(|owner| owner.as_str().to_owned()))
    .bind(new.name.as_str())
    .bind(to_db(new.size_bytes))
    .bind(new.digest.to_string())
    .bind(new.sha256.clone())
    .bind(new.content_type.as_str())
    .bind(new.visibility.as_str())
    .bind(new.segments.as_str())
    .bind(to_db(new.created_at))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The asset with this id.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, id: AssetId) -> Result<Option<Asset>, CatalogError> {
    let row = sqlx::query(select!("WHERE id = $1")).bind(id.to_string()).fetch_optional(catalog.pool());
    row.await?.as_ref().map(read).transpose()
}

/// The asset with this id, which no other change touches until this one has ended.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_locked(tx: &mut Tx, id: AssetId) -> Result<Option<Asset>, CatalogError> {
    // What locks a row on both engines is writing it.
    sqlx::query("UPDATE assets SET updated_at = updated_at WHERE id = $1")
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    let row = sqlx::query(select!("WHERE id = $1")).bind(id.to_string()).fetch_optional(tx.connection());
    row.await?.as_ref().map(read).transpose()
}

/// At most `limit` assets of an owner, newest first, those older than `before` if it is given.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(
    catalog: &Catalog,
    owner: &AccountId,
    before: Option<AssetId>,
    limit: u32,
) -> Result<Vec<Asset>, CatalogError> {
    // Every id sorts before this.
    let before = before.map_or_else(|| "g".to_owned(), |id| id.to_string());
    let rows = sqlx::query(select!("WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3"))
        .bind(owner.as_str())
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(catalog.pool())
        .await?;
    rows.iter().map(read).collect()
}

/// Sets name and visibility; `false` if there is no such asset.
///
/// # Errors
/// When the catalogue fails.
pub async fn update(
    tx: &mut Tx,
    id: AssetId,
    name: &str,
    visibility: Visibility,
    now_ms: u64,
) -> Result<bool, CatalogError> {
    let done = sqlx::query("UPDATE assets SET name = $1, visibility = $2, updated_at = $3 WHERE id = $4")
        .bind(name)
        .bind(visibility.as_str())
        .bind(to_db(now_ms))
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the asset's row out; `false` if there was none. Its bytes are another matter: see [`super::removals`].
///
/// # Errors
/// When the catalogue fails.
pub async fn delete(tx: &mut Tx, id: AssetId) -> Result<bool, CatalogError> {
    let done =
        sqlx::query("DELETE FROM assets WHERE id = $1").bind(id.to_string()).execute(tx.connection()).await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<Asset, CatalogError> {
    Ok(Asset {
        id: get_parsed(row, "id")?,
        owner: row.try_get::<Option<String>, _>("owner")?.map(AccountId::new),
        name: row.try_get("name")?,
        size_bytes: get_u64(row, "size_bytes")?,
        digest: get_parsed(row, "digest")?,
        sha256: row.try_get("sha256")?,
        content_type: row.try_get("content_type")?,
        visibility: get_parsed(row, "visibility")?,
        segments: row.try_get("segments")?,
        created_at: get_u64(row, "created_at")?,
        updated_at: get_u64(row, "updated_at")?,
    })
}
