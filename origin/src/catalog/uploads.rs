//! Uploads. A row changes only under its fence: a writer that was pushed aside changes nothing (invariant 3).

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tidegate_wire::AssetId;

use super::{AccountId, Catalog, CatalogError, Tx, get_parsed, get_u64, get_u64_or_null, to_db};
use crate::digest::Checkpoint;
use crate::protocol::UploadKind;
use crate::store::Segment;

/// Where an upload is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadState {
    /// It takes bytes.
    Open,
    /// It is finished; its asset, unless it is a part, is in the catalogue.
    Complete,
    /// It was ended by its owner; the bytes are gone.
    Terminated,
}

/// An upload of the catalogue.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Its id, and that of the asset it becomes.
    pub id: AssetId,
    /// Whose it is; `None` for an anonymous one.
    pub owner: Option<AccountId>,
    /// Bytes in all, if known.
    pub length: Option<u64>,
    /// `Upload-Metadata` as received.
    pub metadata: Option<String>,
    /// What kind.
    pub kind: UploadKind,
    /// `Upload-Concat` as received.
    pub concat: Option<String>,
    /// Where a part begins in its file, if the client said so.
    pub part_offset: Option<u64>,
    /// Whether a SHA-256 is made too.
    pub want_sha256: bool,
    /// Raised when a writer is pushed aside; also the number of the segment being written.
    pub fence: u64,
    /// Segments that are not written any more, in order.
    pub segments: Vec<Segment>,
    /// Bytes that were kept when the row was last written; the disk may have more, never less.
    pub checkpoint_offset: u64,
    /// The digest so far.
    pub checkpoint: Checkpoint,
    /// Where it is in its life.
    pub state: UploadState,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// When it was last written to; milliseconds since 1970.
    pub updated_at: u64,
}

/// An upload as it enters the catalogue.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Its id.
    pub id: AssetId,
    /// Whose it is.
    pub owner: Option<AccountId>,
    /// Bytes in all, if known.
    pub length: Option<u64>,
    /// `Upload-Metadata` as received.
    pub metadata: Option<String>,
    /// What kind.
    pub kind: UploadKind,
    /// `Upload-Concat` as received.
    pub concat: Option<String>,
    /// Where a part begins in its file, if the client said so.
    pub part_offset: Option<u64>,
    /// Whether a SHA-256 is made too.
    pub want_sha256: bool,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// The fence of an upload nobody was ever pushed aside from.
pub const FIRST_FENCE: u64 = 1;

const fn kind_name(kind: UploadKind) -> &'static str {
    match kind {
        UploadKind::Single => "single",
        UploadKind::Partial => "partial",
        UploadKind::Final => "final",
    }
}

/// Adds an open upload without bytes.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, new: &NewUpload) -> Result<(), CatalogError> {
    let start = Checkpoint::at(new.part_offset.unwrap_or(0));
    insert_row(tx, new, "open", &[], &start).await
}

/// Adds an upload that is complete from the start: one made of parts.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert_complete(tx: &mut Tx, new: &NewUpload, segments: &[Segment]) -> Result<(), CatalogError> {
    insert_row(tx, new, "complete", segments, &Checkpoint::at(crate::store::total_bytes(segments))).await
}

async fn insert_row(
    tx: &mut Tx,
    new: &NewUpload,
    state: &'static str,
    segments: &[Segment],
    checkpoint: &Checkpoint,
) -> Result<(), CatalogError> {
    // The fence allows for every segment there is: what is removed later goes by it.
    let fence = segments.iter().map(|segment| segment.number).max().unwrap_or(FIRST_FENCE);
    sqlx::query(
        "INSERT INTO uploads (id, owner, length, metadata, kind, concat, part_offset, want_sha256, fence, segments,
                              checkpoint_offset, checkpoint, state, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
    )
    .bind(new.id.to_string())
    .bind(new.owner.as_ref().map(|owner| owner.as_str().to_owned()))
    .bind(new.length.map(to_db))
    .bind(new.metadata.clone())
    .bind(kind_name(new.kind))
    .bind(new.concat.clone())
    .bind(new.part_offset.map(to_db))
    .bind(i64::from(new.want_sha256))
    .bind(to_db(fence))
    .bind(encode_segments(segments))
    .bind(to_db(crate::store::total_bytes(segments)))
    .bind(checkpoint.encode())
    .bind(state)
    .bind(to_db(new.created_at))
    .execute(tx.connection())
    .await?;
    Ok(())
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, owner, length, metadata, kind, concat, part_offset, want_sha256, fence, segments, ",
            "checkpoint_offset, checkpoint, state, created_at, updated_at FROM uploads ",
            $rest
        )
    };
}

/// The upload with this id.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, id: AssetId) -> Result<Option<Upload>, CatalogError> {
    let row = sqlx::query(select!("WHERE id = $1")).bind(id.to_string()).fetch_optional(catalog.pool());
    row.await?.as_ref().map(read).transpose()
}

/// The open uploads of an account, or everyone's, newest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list_open(
    catalog: &Catalog,
    owner: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<Upload>, CatalogError> {
    let query = match owner {
        Some(_) => sqlx::query(select!("WHERE owner = $1 AND state = 'open' ORDER BY id DESC LIMIT $2")),
        None => sqlx::query(select!("WHERE $1 = '' AND state = 'open' ORDER BY id DESC LIMIT $2")),
    };
    let owner = owner.map_or("", |owner| owner.as_str()).to_owned();
    let rows = query.bind(owner).bind(i64::from(limit)).fetch_all(catalog.pool()).await?;
    rows.iter().map(read).collect()
}

/// Raises the fence from `fence`: whoever wrote under it is pushed aside, and its segment counts for `sealed`.
///
/// `false` when someone else changed the upload first, or acknowledged bytes past what was sealed; look again.
///
/// # Errors
/// When the catalogue fails.
pub async fn raise_fence(
    catalog: &Catalog,
    id: AssetId,
    fence: u64,
    sealed: &[Segment],
    now_ms: u64,
) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE uploads SET fence = fence + 1, segments = $1, updated_at = $2
         WHERE id = $3 AND fence = $4 AND state = 'open' AND checkpoint_offset <= $5",
    )
    .bind(encode_segments(sealed))
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .bind(to_db(fence))
    .bind(to_db(crate::store::total_bytes(sealed)))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Sets an upload back to the end of its segments, which its writer has cut where its request began, and raises the
/// fence, so that nobody counts on what was cut off. `false` when the fence was raised meanwhile.
///
/// # Errors
/// When the catalogue fails.
pub async fn cut_back(catalog: &Catalog, upload: &Upload, now_ms: u64) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE uploads SET fence = fence + 1, segments = $1, checkpoint_offset = $2, checkpoint = $3, updated_at = $4
         WHERE id = $5 AND fence = $6 AND state = 'open'",
    )
    .bind(encode_segments(&upload.segments))
    .bind(to_db(crate::store::total_bytes(&upload.segments)))
    .bind(upload.checkpoint.encode())
    .bind(to_db(now_ms))
    .bind(upload.id.to_string())
    .bind(to_db(upload.fence))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes how far an upload has come. `false` when the fence was raised meanwhile: nothing may be acknowledged.
///
/// # Errors
/// When the catalogue fails.
pub async fn checkpoint(
    catalog: &Catalog,
    upload: &Upload,
    offset: u64,
    checkpoint: &Checkpoint,
    now_ms: u64,
) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE uploads SET checkpoint_offset = $1, checkpoint = $2, length = COALESCE($3, length), updated_at = $4
         WHERE id = $5 AND fence = $6 AND state = 'open'",
    )
    .bind(to_db(offset))
    .bind(checkpoint.encode())
    .bind(upload.length.map(to_db))
    .bind(to_db(now_ms))
    .bind(upload.id.to_string())
    .bind(to_db(upload.fence))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes an upload's length, as soon as it is declared. `false` when the fence was raised meanwhile.
///
/// # Errors
/// When the catalogue fails.
pub async fn declare(tx: &mut Tx, upload: &Upload, length: u64) -> Result<bool, CatalogError> {
    let done = sqlx::query("UPDATE uploads SET length = $1 WHERE id = $2 AND fence = $3 AND state = 'open'")
        .bind(to_db(length))
        .bind(upload.id.to_string())
        .bind(to_db(upload.fence))
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that a file was made of this part: its bytes are counted with that file from here on.
///
/// # Errors
/// When the catalogue fails.
pub async fn join(tx: &mut Tx, id: AssetId) -> Result<(), CatalogError> {
    sqlx::query("UPDATE uploads SET joined = 1 WHERE id = $1 AND joined = 0")
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Makes an upload complete. `false` when the fence was raised meanwhile, or it was complete already.
///
/// # Errors
/// When the catalogue fails.
pub async fn complete(
    tx: &mut Tx,
    upload: &Upload,
    segments: &[Segment],
    checkpoint: &Checkpoint,
    now_ms: u64,
) -> Result<bool, CatalogError> {
    let size = to_db(crate::store::total_bytes(segments));
    let done = sqlx::query(
        "UPDATE uploads SET state = 'complete', length = $1, checkpoint_offset = $1, checkpoint = $2, segments = $3,
                            updated_at = $4
         WHERE id = $5 AND fence = $6 AND state = 'open'",
    )
    .bind(size)
    .bind(checkpoint.encode())
    .bind(encode_segments(segments))
    .bind(to_db(now_ms))
    .bind(upload.id.to_string())
    .bind(to_db(upload.fence))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Like [`terminate`] for an upload that has not become an asset; `false` also when it has.
///
/// # Errors
/// When the catalogue fails.
pub async fn terminate_unfinished(tx: &mut Tx, id: AssetId, now_ms: u64) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE uploads SET state = 'terminated', fence = fence + 1, updated_at = $1
         WHERE id = $2 AND (state = 'open' OR (state = 'complete' AND kind = 'partial'))",
    )
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets uploads that were ended before `before_ms` and whose bytes have been removed.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget_ended(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query(
        "DELETE FROM uploads WHERE state = 'terminated' AND updated_at < $1
         AND NOT EXISTS (SELECT 1 FROM removals WHERE removals.id = uploads.id)",
    )
    .bind(to_db(before_ms))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected())
}

/// At most `limit` uploads that were last written to before `before_ms` and are nothing by themselves: unfinished
/// ones, and parts, whatever was made of them.
///
/// # Errors
/// When the catalogue fails.
pub async fn list_idle(
    catalog: &Catalog,
    before_ms: u64,
    limit: u32,
) -> Result<Vec<(AssetId, u64)>, CatalogError> {
    let rows = sqlx::query(
        "SELECT id, fence FROM uploads
         WHERE updated_at < $1 AND (state = 'open' OR (state = 'complete' AND kind = 'partial'))
         ORDER BY updated_at LIMIT $2",
    )
    .bind(to_db(before_ms))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(|row| Ok((get_parsed(row, "id")?, get_u64(row, "fence")?))).collect()
}

/// Like [`terminate_unfinished`], unless the upload has been written to since `before_ms`.
///
/// # Errors
/// When the catalogue fails.
pub async fn expire(tx: &mut Tx, id: AssetId, before_ms: u64, now_ms: u64) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE uploads SET state = 'terminated', fence = fence + 1, updated_at = $1
         WHERE id = $2 AND updated_at < $3 AND (state = 'open' OR (state = 'complete' AND kind = 'partial'))",
    )
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .bind(to_db(before_ms))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends an upload for good, whatever its state; raises the fence, so that a writer that hangs commits nothing.
/// `false` when there is none, or it was ended before.
///
/// # Errors
/// When the catalogue fails.
pub async fn terminate(tx: &mut Tx, id: AssetId, now_ms: u64) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE uploads SET state = 'terminated', fence = fence + 1, updated_at = $1
         WHERE id = $2 AND state <> 'terminated'",
    )
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes back that an upload was ended with its asset: that is out of the trash again.
///
/// # Errors
/// When the catalogue fails.
pub async fn revive(tx: &mut Tx, id: AssetId, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE uploads SET state = 'complete', updated_at = $1
         WHERE id = $2 AND state = 'terminated' AND kind <> 'partial'",
    )
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Segments as the catalogue keeps them.
pub fn encode_segments(segments: &[Segment]) -> String {
    // Numbers in a list of structs cannot fail to serialise.
    serde_json::to_string(segments).unwrap_or_default()
}

/// Reads what [`encode_segments`] wrote.
///
/// # Errors
/// [`CatalogError::Unreadable`].
pub fn decode_segments(text: &str) -> Result<Vec<Segment>, CatalogError> {
    serde_json::from_str(text).map_err(|_| CatalogError::Unreadable { column: "segments" })
}

fn read(row: &AnyRow) -> Result<Upload, CatalogError> {
    let kind = match row.try_get::<String, _>("kind")?.as_str() {
        "single" => UploadKind::Single,
        "partial" => UploadKind::Partial,
        "final" => UploadKind::Final,
        _ => return Err(CatalogError::Unreadable { column: "kind" }),
    };
    let state = match row.try_get::<String, _>("state")?.as_str() {
        "open" => UploadState::Open,
        "complete" => UploadState::Complete,
        "terminated" => UploadState::Terminated,
        _ => return Err(CatalogError::Unreadable { column: "state" }),
    };
    let checkpoint = Checkpoint::decode(&row.try_get::<String, _>("checkpoint")?);
    Ok(Upload {
        id: get_parsed(row, "id")?,
        owner: row.try_get::<Option<String>, _>("owner")?.map(AccountId::new),
        length: get_u64_or_null(row, "length")?,
        metadata: row.try_get("metadata")?,
        kind,
        concat: row.try_get("concat")?,
        part_offset: get_u64_or_null(row, "part_offset")?,
        want_sha256: get_u64(row, "want_sha256")? != 0,
        fence: get_u64(row, "fence")?,
        segments: decode_segments(&row.try_get::<String, _>("segments")?)?,
        checkpoint_offset: get_u64(row, "checkpoint_offset")?,
        checkpoint: checkpoint.map_err(|_| CatalogError::Unreadable { column: "checkpoint" })?,
        state,
        created_at: get_u64(row, "created_at")?,
        updated_at: get_u64(row, "updated_at")?,
    })
}
