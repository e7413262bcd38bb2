//! What an account uses: its assets, what its unfinished uploads have announced, and parts that nothing was made of.
//! Counted whenever it is asked for, from indexes that hold the numbers.

use sqlx::any::AnyRow;

use super::{AccountId, Catalog, CatalogError, Tx, get_u64};

/// What an account has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that count against its quota, those in the trash among them: they are still held.
    pub used_bytes: u64,
    /// Assets outside the trash.
    pub assets: u64,
}

/// The sums that [`read`] reads, for the account named by `$account`.
macro_rules! sums {
    ($account:literal) => {
        concat!(
            "CAST((SELECT COALESCE(SUM(size_bytes), 0) FROM assets WHERE owner = ",
            $account,
            ") + (SELECT COALESCE(SUM(COALESCE(length, checkpoint_offset)), 0) FROM uploads WHERE owner = ",
            $account,
            " AND (state = 'open' OR (state = 'complete' AND kind = 'partial' AND joined = 0))) AS BIGINT) ",
            "AS used_bytes, (SELECT COUNT(*) FROM assets WHERE owner = ",
            $account,
            " AND trashed_at IS NULL) AS assets"
        )
    };
}

pub(super) use sums;

/// What an account has.
///
/// # Errors
/// When the catalogue fails.
pub async fn of(catalog: &Catalog, account: &AccountId) -> Result<Usage, CatalogError> {
    let row = sqlx::query(concat!("SELECT ", sums!("$1"))).bind(account.as_str()).fetch_one(catalog.pool());
    read(&row.await?)
}

/// What an account has as far as this change sees.
///
/// # Errors
/// When the catalogue fails.
pub async fn of_in(tx: &mut Tx, account: &AccountId) -> Result<Usage, CatalogError> {
    let row = sqlx::query(concat!("SELECT ", sums!("$1"))).bind(account.as_str()).fetch_one(tx.connection());
    read(&row.await?)
}

pub(super) fn read(row: &AnyRow) -> Result<Usage, CatalogError> {
    Ok(Usage { used_bytes: get_u64(row, "used_bytes")?, assets: get_u64(row, "assets")? })
}
