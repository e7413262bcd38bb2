//! Room in an account's quota. Whoever decides by it holds the account's row until the decision is written, so that two
//! uploads never take the same room.

use tidegate_wire::Code;

use super::{Caller, IngestError};
use crate::catalog::uploads::{self, Upload};
use crate::catalog::{Catalog, CatalogError, Tx, accounts, usage};

/// Bytes that may still be added for `caller`; `None` where there is no limit.
///
/// # Errors
/// When the catalogue fails.
async fn room(tx: &mut Tx, caller: &Caller) -> Result<Option<u64>, CatalogError> {
    let Some(id) = caller else { return Ok(None) };
    // Without a quota there is nothing to hold the row for.
    if accounts::quota(tx, id).await?.is_none() {
        return Ok(None);
    }
    let account = accounts::get_locked(tx, id).await?;
    let Some(quota) = account.and_then(|account| account.quota_bytes) else { return Ok(None) };
    Ok(Some(quota.saturating_sub(usage::of_in(tx, id).await?.used_bytes)))
}

/// Lets an upload of `bytes` in, or one of unknown length while there is any room at all.
///
/// # Errors
/// `quota_exceeded`; the catalogue's.
pub(super) async fn admit(tx: &mut Tx, caller: &Caller, bytes: Option<u64>) -> Result<(), IngestError> {
    let fits = room(tx, caller).await?.is_none_or(|room| bytes.map_or(room > 0, |bytes| bytes <= room));
    if fits { Ok(()) } else { Err(Code::QuotaExceeded.into()) }
}

/// How far an upload may grow whose length was unknown so far, in bytes from its beginning; `None` where there is no
/// limit. A length that is declared now is written down, so that it counts from here on.
///
/// # Errors
/// `quota_exceeded` when the declared length does not fit; the catalogue's.
pub(super) async fn settle(
    catalog: &Catalog,
    upload: &Upload,
    declared: Option<u64>,
) -> Result<Option<u64>, IngestError> {
    let mut tx = catalog.begin().await?;
    let Some(room) = room(&mut tx, &upload.owner).await? else { return Ok(None) };
    // What it has is in the sum already, as far as the row knows.
    let end = room.saturating_add(upload.checkpoint_offset);
    let Some(length) = declared else { return Ok(Some(end)) };
    if length > end {
        return Err(Code::QuotaExceeded.into());
    }
    if !uploads::declare(&mut tx, upload, length).await? {
        return Err(IngestError::Fenced);
    }
    tx.commit().await?;
    Ok(Some(end))
}

/// Whether the upload's owner has more than it may by now. Where nobody can say, the upload goes on: the next to ask
/// will know.
pub(super) async fn is_over(catalog: &Catalog, upload: &Upload) -> bool {
    let over = async {
        let Some(owner) = &upload.owner else { return Ok::<_, CatalogError>(false) };
        let Some(account) = accounts::get(catalog, owner).await? else { return Ok(false) };
        let Some(quota) = account.quota_bytes else { return Ok(false) };
        Ok(usage::of(catalog, owner).await?.used_bytes > quota)
    };
    over.await.unwrap_or(false)
}
