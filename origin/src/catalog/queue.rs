//! The queue: which job is given out next, and how jobs change hands.
//!
//! Between accounts it is fair by start-time fair queueing on the estimated work: the queue has a clock of its own,
//! each account a place on it up to where it has had its share, and the account whose next job would start earliest
//! gets its turn. Who comes after a pause starts at the clock's time, neither punished nor paid for it. Within an
//! account: class, short before long, first come.

use sqlx::Row as _;
use tidegate_wire::AssetId;
use uuid::Uuid;

use super::jobs::{Ended, Job, JobState};
use super::revisions::RevisionId;
use super::{Catalog, CatalogError, LockName, Tx, get_parsed, get_u64, get_u64_or_null, jobs, to_db};

/// Who asks for a job.
#[derive(Debug, Clone)]
pub struct Asker<'a> {
    /// Its name.
    pub worker: &'a str,
    /// The room it has.
    pub scratch_free_bytes: u64,
    /// Sources it has at hand, whose jobs need none.
    pub holds: &'a [AssetId],
}

impl Asker<'_> {
    /// Ids have one form and one length, so a text of them is searched without doubt.
    fn held(&self) -> String {
        self.holds.iter().map(AssetId::to_string).collect::<Vec<_>>().join(",")
    }
}

/// Whether there is a job to claim now, and if not, when the next pause ends: cheap, and holds nobody up.
///
/// # Errors
/// When the catalogue fails.
pub async fn look(catalog: &Catalog, asker: &Asker<'_>) -> Result<Option<u64>, CatalogError> {
    let row = sqlx::query(
        "SELECT MIN(run_after) AS next FROM jobs
         WHERE state = 'ready' AND (needs_bytes <= $1 OR $2 LIKE '%' || asset_id || '%')",
    )
    .bind(to_db(asker.scratch_free_bytes))
    .bind(asker.held())
    .fetch_one(catalog.pool())
    .await?;
    get_u64_or_null(&row, "next")
}

/// Gives out the job whose turn it is, if there is one: its attempt is raised, its lease runs to `lease_until`, its
/// account's share is charged. Only one claim at a time is decided, so no job is given out twice.
///
/// # Errors
/// When the catalogue fails.
pub async fn claim(
    tx: &mut Tx,
    asker: &Asker<'_>,
    now_ms: u64,
    lease_until: u64,
) -> Result<Option<Job>, CatalogError> {
    tx.lock(LockName::Claims).await?;
    let clock = sqlx::query("SELECT until_ms FROM shares WHERE account = ':'").fetch_one(tx.connection());
    let clock = get_u64(&clock.await?, "until_ms")?;
    let next = sqlx::query(
        "SELECT jobs.id AS id, jobs.account AS account, jobs.cost_ms AS cost_ms, shares.until_ms AS until_ms
         FROM jobs LEFT JOIN shares ON shares.account = jobs.account
         WHERE jobs.state = 'ready' AND jobs.run_after <= $1
           AND (jobs.needs_bytes <= $2 OR $3 LIKE '%' || jobs.asset_id || '%')
         ORDER BY CASE WHEN COALESCE(shares.until_ms, 0) > $4 THEN shares.until_ms ELSE $4 END,
                  jobs.class, jobs.length_ms, jobs.created_at, jobs.asset_id, jobs.seq
         LIMIT 1",
    )
    .bind(to_db(now_ms))
    .bind(to_db(asker.scratch_free_bytes))
    .bind(asker.held())
    .bind(to_db(clock))
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = next else { return Ok(None) };
    let id: Uuid = get_parsed(&row, "id")?;
    let account: String = row.try_get("account")?;
    let start = get_u64_or_null(&row, "until_ms")?.unwrap_or(0).max(clock);
    if !take(tx, id, asker.worker, now_ms, lease_until).await? {
        // Cancelled or deleted since it was read.
        return Ok(None);
    }
    charge(tx, ":", start).await?;
    charge(tx, &account, start + get_u64(&row, "cost_ms")?).await?;
    jobs::get_in(tx, id).await
}

async fn take(
    tx: &mut Tx,
    id: Uuid,
    worker: &str,
    now_ms: u64,
    lease_until: u64,
) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE jobs SET state = 'running', attempt = attempt + 1, ending = NULL, worker = $1, claimed_at = $2,
                         lease_until = $3, progress_ppm = 0, updated_at = $2
         WHERE id = $4 AND state = 'ready'",
    )
    .bind(worker)
    .bind(to_db(now_ms))
    .bind(to_db(lease_until))
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn charge(tx: &mut Tx, account: &str, until_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO shares (account, until_ms) VALUES ($1, $2)
         ON CONFLICT (account) DO UPDATE SET until_ms = excluded.until_ms",
    )
    .bind(account)
    .bind(to_db(until_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Forgets the shares of accounts that have had no job for longer than the clock: they start at its time anyway.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget_shares(catalog: &Catalog) -> Result<u64, CatalogError> {
    let done = sqlx::query(
        "DELETE FROM shares WHERE account <> ':'
         AND until_ms <= (SELECT clock.until_ms FROM shares AS clock WHERE clock.account = ':')",
    );
    Ok(done.execute(catalog.pool()).await?.rows_affected())
}

/// Something was heard of an attempt: its lease is prolonged. `false` when the attempt does not have the job.
///
/// # Errors
/// When the catalogue fails.
pub async fn beat(
    catalog: &Catalog,
    id: Uuid,
    attempt: u32,
    progress_ppm: Option<u64>,
    now_ms: u64,
    lease_until: u64,
) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE jobs SET lease_until = $1, progress_ppm = COALESCE($2, progress_ppm), updated_at = $3
         WHERE id = $4 AND attempt = $5 AND state = 'running'",
    )
    .bind(to_db(lease_until))
    .bind(progress_ppm.map(to_db))
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .bind(i64::from(attempt))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How an attempt leaves its job.
#[derive(Debug, Clone)]
pub struct Leaving<'a> {
    /// How it ended.
    pub ended: Ended,
    /// What the job is then.
    pub state: JobState,
    /// Attempts that count against it from now on.
    pub failures: u32,
    /// Not to be given out before.
    pub run_after: u64,
    /// Code, sentence and log of a failure.
    pub error: Option<(&'a str, &'a str, &'a str)>,
}

/// Ends the attempt of a job whose revision is locked. `false` when the attempt does not have the job any more.
///
/// # Errors
/// When the catalogue fails.
pub async fn leave(tx: &mut Tx, job: &Job, leaving: &Leaving<'_>, now_ms: u64) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE jobs SET state = $1, ending = $2, failures = $3, run_after = $4, lease_until = NULL,
                         error_code = COALESCE($5, error_code), error = COALESCE($6, error), log = COALESCE($7, log),
                         progress_ppm = CASE WHEN $1 = 'done' THEN 1000000 ELSE progress_ppm END, updated_at = $8
         WHERE id = $9 AND attempt = $10 AND state = 'running'",
    )
    .bind(leaving.state.as_str())
    .bind(leaving.ended.as_str())
    .bind(i64::from(leaving.failures))
    .bind(to_db(leaving.run_after))
    .bind(leaving.error.map(|(code, _, _)| code.to_owned()))
    .bind(leaving.error.map(|(_, message, _)| message.to_owned()))
    .bind(leaving.error.map(|(_, _, log)| log.to_owned()))
    .bind(to_db(now_ms))
    .bind(job.id.to_string())
    .bind(i64::from(job.attempt))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// One job less is missing for `id`, which is ready when it was the last.
///
/// # Errors
/// When the catalogue fails.
pub async fn unblock(tx: &mut Tx, id: Uuid, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE jobs SET missing = missing - 1, run_after = $1, updated_at = $1,
                         state = CASE WHEN missing = 1 AND state = 'waiting' THEN 'ready' ELSE state END
         WHERE id = $2 AND missing > 0",
    )
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Lets `next`, and nothing else, wait for a job of a locked revision.
///
/// # Errors
/// When the catalogue fails.
pub async fn let_unblock(tx: &mut Tx, id: Uuid, next: Option<Uuid>) -> Result<(), CatalogError> {
    sqlx::query("UPDATE jobs SET unblocks = $1 WHERE id = $2")
        .bind(next.map(|next| next.to_string()))
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// So many jobs more are missing for one of a locked revision that has not begun.
///
/// # Errors
/// When the catalogue fails.
pub async fn wait_for(tx: &mut Tx, id: Uuid, many: u32) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE jobs SET missing = missing + $1,
                         state = CASE WHEN state = 'ready' AND $1 > 0 THEN 'waiting' ELSE state END
         WHERE id = $2",
    )
    .bind(i64::from(many))
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Makes ready again whatever of a locked revision makes tracks and is done, for `next` to wait for; says how many
/// those are.
///
/// # Errors
/// When the catalogue fails.
pub async fn make_again(tx: &mut Tx, id: RevisionId, next: Uuid, now_ms: u64) -> Result<u32, CatalogError> {
    let done = sqlx::query(
        "UPDATE jobs SET state = 'ready', failures = 0, run_after = $1, progress_ppm = 0, updated_at = $1, unblocks = $2
         WHERE asset_id = $3 AND revision = $4 AND kind IN ('rendition', 'audio') AND state = 'done'",
    )
    .bind(to_db(now_ms))
    .bind(next.to_string())
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .execute(tx.connection())
    .await?;
    Ok(u32::try_from(done.rows_affected()).unwrap_or(u32::MAX))
}

/// Cancels whatever of a locked revision is still to be done; attempts at work are refused from then on.
///
/// # Errors
/// When the catalogue fails.
pub async fn cancel(tx: &mut Tx, id: RevisionId, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE jobs SET state = 'cancelled', lease_until = NULL, updated_at = $1,
                         ending = CASE WHEN state = 'running' THEN 'cancelled' ELSE ending END
         WHERE asset_id = $2 AND revision = $3 AND state IN ('waiting', 'ready', 'running')",
    )
    .bind(to_db(now_ms))
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Cancels whatever of an asset is still to be done, until it comes back from the trash ([`unshelve`]). The change must
/// hold its revisions.
///
/// # Errors
/// When the catalogue fails.
pub async fn shelve(tx: &mut Tx, asset: AssetId, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE jobs SET state = 'cancelled', shelved = 1, lease_until = NULL, updated_at = $1,
                         ending = CASE WHEN state = 'running' THEN 'cancelled' ELSE ending END
         WHERE asset_id = $2 AND state IN ('waiting', 'ready', 'running')",
    )
    .bind(to_db(now_ms))
    .bind(asset.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes up again what [`shelve`] cancelled, with nothing held against it.
///
/// # Errors
/// When the catalogue fails.
pub async fn unshelve(tx: &mut Tx, asset: AssetId, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE jobs SET state = CASE WHEN missing = 0 THEN 'ready' ELSE 'waiting' END, shelved = 0, run_after = $1,
                         progress_ppm = 0, updated_at = $1
         WHERE asset_id = $2 AND shelved = 1 AND state = 'cancelled'",
    )
    .bind(to_db(now_ms))
    .bind(asset.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Gives up a job of a locked revision that no attempt has; `false` when one has it, or it has ended.
///
/// # Errors
/// When the catalogue fails.
pub async fn give_up(
    tx: &mut Tx,
    id: Uuid,
    (code, message): (&str, &str),
    now_ms: u64,
) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE jobs SET state = 'failed', error_code = $1, error = $2, updated_at = $3
         WHERE id = $4 AND state IN ('waiting', 'ready')",
    )
    .bind(code)
    .bind(message)
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes up again whatever of a locked revision was cancelled, or has failed and something waits for it, with nothing
/// held against it. What the revision does without stays as it is.
///
/// # Errors
/// When the catalogue fails.
pub async fn take_up(tx: &mut Tx, id: RevisionId, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE jobs SET state = CASE WHEN missing = 0 THEN 'ready' ELSE 'waiting' END, failures = 0, run_after = $1,
                         progress_ppm = 0, updated_at = $1
         WHERE asset_id = $2 AND revision = $3
           AND (state = 'cancelled' OR (state = 'failed'
                AND (unblocks IS NOT NULL OR kind NOT IN ('poster', 'captions', 'audio'))))",
    )
    .bind(to_db(now_ms))
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes up again one job of a locked revision, with nothing held against it.
///
/// # Errors
/// When the catalogue fails.
pub async fn take_up_one(tx: &mut Tx, id: Uuid, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE jobs SET state = CASE WHEN missing = 0 THEN 'ready' ELSE 'waiting' END, failures = 0, run_after = $1,
                         progress_ppm = 0, updated_at = $1
         WHERE id = $2 AND state IN ('failed', 'cancelled')",
    )
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// At most `limit` jobs whose lease has run out, the longest overdue first.
///
/// # Errors
/// When the catalogue fails.
pub async fn overdue(catalog: &Catalog, now_ms: u64, limit: u32) -> Result<Vec<Uuid>, CatalogError> {
    let rows = sqlx::query(
        "SELECT id FROM jobs WHERE state = 'running' AND lease_until < $1 ORDER BY lease_until LIMIT $2",
    )
    .bind(to_db(now_ms))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(|row| get_parsed(row, "id")).collect()
}
