//! Assets: what finished uploads became. The bytes never change (invariant 4); what is said of them may.
//!
//! One that is in the trash is not there for anyone but [`get_trashed`] and what empties the trash. Whoever changes it
//! together with its revisions takes those first ([`super::revisions::lock_all`]).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use tidegate_wire::{AssetId, Digest};
use utoipa::ToSchema;

use super::{AccountId, Catalog, CatalogError, Tx, get_parsed, get_u64, get_u64_or_null, to_db};
use crate::about::About;

/// Who may read an asset. The order is from narrow to wide.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
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
#[derive(Debug, Clone, PartialEq)]
pub struct NewAsset {
    /// The id of the upload it was.
    pub id: AssetId,
    /// Whose it is; `None` for an anonymous upload.
    pub owner: Option<AccountId>,
    /// What people call it.
    pub name: String,
    /// What else is said of it.
    pub about: About,
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
#[derive(Debug, Clone, PartialEq)]
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
    /// When what is said of it, or its visibility, last changed; milliseconds since 1970.
    pub updated_at: u64,
    /// What else is said of it.
    pub about: About,
    /// How long it plays, once that is known.
    pub duration_ms: Option<u64>,
    /// Since when it is in the trash; milliseconds since 1970.
    pub trashed_at: Option<u64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, owner, name, size_bytes, digest, sha256, content_type, visibility, segments, created_at, ",
            "updated_at, title, description, tags, metadata, duration_ms, trashed_at FROM assets ",
            $rest
        )
    };
}
pub(super) use select;

/// Adds an asset; `false` if it is there already, as when a completion is repeated.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, new: &NewAsset) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "INSERT INTO assets (id, owner, name, size_bytes, digest, sha256, content_type, visibility, segments,
                             created_at, updated_at, title, description, tags, metadata, search_text, terms, title_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13, $14, $15, $16, $17)
         ON CONFLICT (id) DO NOTHING",
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
    .bind(new.about.title.clone())
    .bind(new.about.description.as_str())
    .bind(to_json(&new.about.tags))
    .bind(to_json(&new.about.metadata))
    .bind(new.about.search_text(&new.name))
    .bind(new.about.terms())
    .bind(new.about.title_key(&new.name))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The asset with this id.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, id: AssetId) -> Result<Option<Asset>, CatalogError> {
    let row = sqlx::query(select!("WHERE id = $1 AND trashed_at IS NULL"))
        .bind(id.to_string())
        .fetch_optional(catalog.pool());
    row.await?.as_ref().map(read).transpose()
}

/// The asset with this id as it lies in the trash.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_trashed(catalog: &Catalog, id: AssetId) -> Result<Option<Asset>, CatalogError> {
    let row = sqlx::query(select!("WHERE id = $1 AND trashed_at IS NOT NULL"))
        .bind(id.to_string())
        .fetch_optional(catalog.pool());
    row.await?.as_ref().map(read).transpose()
}

/// The asset with this id, which no other change touches until this one has ended.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_locked(tx: &mut Tx, id: AssetId) -> Result<Option<Asset>, CatalogError> {
    Ok(get_locked_anywhere(tx, id).await?.filter(|asset| asset.trashed_at.is_none()))
}

/// Like [`get_locked`], also where it is in the trash.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_locked_anywhere(tx: &mut Tx, id: AssetId) -> Result<Option<Asset>, CatalogError> {
    // What locks a row on both engines is writing it.
    sqlx::query("UPDATE assets SET updated_at = updated_at WHERE id = $1")
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    let row = sqlx::query(select!("WHERE id = $1")).bind(id.to_string()).fetch_optional(tx.connection());
    row.await?.as_ref().map(read).transpose()
}

/// Writes what may change of a locked asset: its name, what else is said of it, who may read it.
///
/// # Errors
/// When the catalogue fails.
pub async fn update(tx: &mut Tx, asset: &Asset, now_ms: u64) -> Result<(), CatalogError> {
    let about = &asset.about;
    sqlx::query(
        "UPDATE assets SET name = $1, visibility = $2, updated_at = $3, title = $4, description = $5, tags = $6,
                           metadata = $7, search_text = $8, terms = $9, title_key = $10
         WHERE id = $11",
    )
    .bind(asset.name.as_str())
    .bind(asset.visibility.as_str())
    .bind(to_db(now_ms))
    .bind(about.title.clone())
    .bind(about.description.as_str())
    .bind(to_json(&about.tags))
    .bind(to_json(&about.metadata))
    .bind(about.search_text(&asset.name))
    .bind(about.terms())
    .bind(about.title_key(&asset.name))
    .bind(asset.id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes how far what is made of an asset has come, and how long that plays, for lists to go by. The change must hold
/// the revision it is about.
///
/// # Errors
/// When the catalogue fails.
pub(super) async fn mirror(
    tx: &mut Tx,
    id: AssetId,
    state: &'static str,
    duration_ms: Option<u64>,
) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE assets SET state = $1, duration_ms = $2 WHERE id = $3 AND (state <> $1 OR duration_ms <> $2)",
    )
    .bind(state)
    .bind(duration_ms.map_or(-1, to_db))
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Puts a locked asset into the trash, or takes it out again.
///
/// # Errors
/// When the catalogue fails.
pub async fn set_trashed(tx: &mut Tx, id: AssetId, since_ms: Option<u64>) -> Result<(), CatalogError> {
    let done = sqlx::query("UPDATE assets SET trashed_at = $1 WHERE id = $2").bind(since_ms.map(to_db));
    done.bind(id.to_string()).execute(tx.connection()).await?;
    Ok(())
}

/// At most `limit` assets that have been in the trash since before `before_ms`, the oldest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn trashed_before(
    catalog: &Catalog,
    before_ms: u64,
    limit: u32,
) -> Result<Vec<AssetId>, CatalogError> {
    let rows = sqlx::query(
        "SELECT id FROM assets WHERE trashed_at IS NOT NULL AND trashed_at < $1 ORDER BY trashed_at, id LIMIT $2",
    )
    .bind(to_db(before_ms))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool());
    rows.await?.iter().map(|row| get_parsed(row, "id")).collect()
}

/// Makes what searches and lists go by for at most `limit` assets that an older version has put there; says for how
/// many.
///
/// # Errors
/// When the catalogue fails.
pub async fn fill_in(catalog: &Catalog, limit: u32) -> Result<u32, CatalogError> {
    let rows = sqlx::query(select!("WHERE search_text = '' LIMIT $1")).bind(i64::from(limit));
    let rows = rows.fetch_all(catalog.pool()).await?;
    let assets = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut filled = 0;
    for asset in assets {
        let mut tx = catalog.begin().await?;
        let revision = super::revisions::newest_locked(&mut tx, asset.id).await?;
        let Some(asset) = get_locked_anywhere(&mut tx, asset.id).await? else { continue };
        update(&mut tx, &asset, asset.updated_at).await?;
        if let Some(revision) = revision {
            let duration_ms = revision.info.as_ref().map(|info| info.duration_ms);
            mirror(&mut tx, asset.id, revision.state.as_str(), duration_ms).await?;
        }
        tx.commit().await?;
        filled += 1;
    }
    Ok(filled)
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

impl Tx {
    /// Leaves an asset as a version before [`fill_in`] did, for tests.
    #[doc(hidden)]
    pub async fn forget_terms(&mut self, id: AssetId) -> Result<(), CatalogError> {
        let statement = "UPDATE assets SET search_text = '', terms = '', title_key = '' WHERE id = $1";
        sqlx::query(statement).bind(id.to_string()).execute(self.connection()).await?;
        Ok(())
    }
}

/// Lists and maps of texts cannot fail to serialise.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn from_json<T: serde::de::DeserializeOwned>(row: &AnyRow, column: &'static str) -> Result<T, CatalogError> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|_| CatalogError::Unreadable { column })
}

pub(super) fn read(row: &AnyRow) -> Result<Asset, CatalogError> {
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
        about: About {
            title: row.try_get("title")?,
            description: row.try_get("description")?,
            tags: from_json(row, "tags")?,
            metadata: from_json(row, "metadata")?,
        },
        // -1 is not known.
        duration_ms: u64::try_from(row.try_get::<i64, _>("duration_ms")?).ok(),
        trashed_at: get_u64_or_null(row, "trashed_at")?,
    })
}
