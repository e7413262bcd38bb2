//! Jobs as rows: what is to be done for a revision, by whom, and how that went.

use std::collections::HashMap;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use tidegate_wire::AssetId;
use tidegate_wire::job::{Kind, Work};
use uuid::Uuid;

pub use super::job_states::{Ended, InvalidName, JobState, KINDS, kind_name};
use super::revisions::{RevisionId, get_u32, places};
use super::{Catalog, CatalogError, Tx, get_parsed, get_u64, get_u64_or_null, to_db};

/// A job as it enters the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its id.
    pub id: Uuid,
    /// For what.
    pub revision: RevisionId,
    /// Its number in the revision, from 1.
    pub seq: u32,
    /// Whose share of the workers it is done with.
    pub account: String,
    /// What is to be done. Parts of it are filled in when it is given out.
    pub work: Work,
    /// What goes first within an account: the lowest.
    pub class: u32,
    /// How long the source is, in milliseconds.
    pub length_ms: u64,
    /// Estimated work, in milliseconds.
    pub cost_ms: u64,
    /// Room a worker needs for it.
    pub needs_bytes: u64,
    /// Jobs that must be done first.
    pub missing: u32,
    /// The job that waits for this one.
    pub unblocks: Option<Uuid>,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// A job of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// For what.
    pub revision: RevisionId,
    /// Its number in the revision, from 1.
    pub seq: u32,
    /// Whose share of the workers it is done with.
    pub account: String,
    /// What is to be done.
    pub work: Work,
    /// What its account's share is charged.
    pub cost_ms: u64,
    /// Room a worker needs for it.
    pub needs_bytes: u64,
    /// Where it is in its life.
    pub state: JobState,
    /// Jobs that must be done first and are not.
    pub missing: u32,
    /// The job that waits for this one.
    pub unblocks: Option<Uuid>,
    /// The newest attempt; 0 before the first.
    pub attempt: u32,
    /// How the newest attempt ended, in [`Ended`]'s words.
    pub ending: Option<String>,
    /// Attempts that count against it.
    pub failures: u32,
    /// Not to be given out before.
    pub run_after: u64,
    /// Who has or had the newest attempt.
    pub worker: Option<String>,
    /// When the newest attempt began.
    pub claimed_at: Option<u64>,
    /// Until when something must be heard of it.
    pub lease_until: Option<u64>,
    /// How much of it is done, in parts per million.
    pub progress_ppm: u64,
    /// Why the last attempt that failed did: a stable code and a sentence.
    pub error: Option<(String, String)>,
    /// The last lines of its log.
    pub log: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Milliseconds since 1970.
    pub updated_at: u64,
}

impl Job {
    /// The directory of an attempt below the revision.
    pub fn dir(&self, attempt: u32) -> String {
        format!("{}-{attempt}", self.seq)
    }

    /// Whether it has been given out, so that what changes now is too late for it.
    pub fn has_begun(&self) -> bool {
        !matches!(self.state, JobState::Waiting | JobState::Ready)
    }

    /// Whether `attempt` has it now.
    pub fn is_run_by(&self, attempt: u32) -> bool {
        self.state == JobState::Running && self.attempt == attempt
    }
}

/// Adds a job; it is ready at once when nothing is missing.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, new: &NewJob) -> Result<(), CatalogError> {
    let work = serde_json::to_string(&new.work).map_err(|_| CatalogError::Unreadable { column: "work" })?;
    let state = if new.missing == 0 { JobState::Ready } else { JobState::Waiting };
    sqlx::query(
        "INSERT INTO jobs (id, asset_id, revision, seq, account, kind, class, length_ms, cost_ms, needs_bytes, work,
                           state, missing, unblocks, attempt, failures, run_after, progress_ppm, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0, $15, 0, $15, $15)",
    )
    .bind(new.id.to_string())
    .bind(new.revision.asset.to_string())
    .bind(i64::from(new.revision.number))
    .bind(i64::from(new.seq))
    .bind(new.account.as_str())
    .bind(kind_name(new.work.kind()))
    .bind(i64::from(new.class))
    .bind(to_db(new.length_ms))
    .bind(to_db(new.cost_ms))
    .bind(to_db(new.needs_bytes))
    .bind(work)
    .bind(state.as_str())
    .bind(i64::from(new.missing))
    .bind(new.unblocks.map(|id| id.to_string()))
    .bind(to_db(new.created_at))
    .execute(tx.connection())
    .await?;
    Ok(())
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, asset_id, revision, seq, account, cost_ms, needs_bytes, work, state, missing, unblocks, ",
            "attempt, ending, failures, run_after, worker, claimed_at, lease_until, progress_ppm, error_code, error, ",
            "log, created_at, updated_at FROM jobs ",
            $rest
        )
    };
}

/// The job with this id.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, id: Uuid) -> Result<Option<Job>, CatalogError> {
    let row = sqlx::query(select!("WHERE id = $1")).bind(id.to_string()).fetch_optional(catalog.pool());
    row.await?.as_ref().map(read).transpose()
}

/// The job with this id as a change sees it that has locked its revision.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_in(tx: &mut Tx, id: Uuid) -> Result<Option<Job>, CatalogError> {
    let row = sqlx::query(select!("WHERE id = $1")).bind(id.to_string()).fetch_optional(tx.connection());
    row.await?.as_ref().map(read).transpose()
}

/// The newest job of a locked revision that makes its package, locked as well: until this change has ended nobody
/// claims it.
///
/// # Errors
/// When the catalogue fails.
pub async fn newest_package(tx: &mut Tx, id: RevisionId) -> Result<Option<Job>, CatalogError> {
    // Packages come only with the revision's lock. A claim that is under way is waited for here; what it has made of
    // the job is read afterwards.
    let row = sqlx::query(
        "UPDATE jobs SET seq = seq WHERE asset_id = $1 AND revision = $2 AND kind = 'package'
           AND seq = (SELECT MAX(seq) FROM jobs WHERE asset_id = $1 AND revision = $2 AND kind = 'package')
         RETURNING id",
    )
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .fetch_optional(tx.connection());
    match row.await? {
        Some(row) => get_in(tx, get_parsed(&row, "id")?).await,
        None => Ok(None),
    }
}

/// The jobs of a revision in their order.
///
/// # Errors
/// When the catalogue fails.
pub async fn of_revision(catalog: &Catalog, id: RevisionId) -> Result<Vec<Job>, CatalogError> {
    let rows = sqlx::query(select!("WHERE asset_id = $1 AND revision = $2 ORDER BY seq"))
        .bind(id.asset.to_string())
        .bind(i64::from(id.number))
        .fetch_all(catalog.pool());
    rows.await?.iter().map(read).collect()
}

/// How much of a revision's work is done, from 0 to 1, by what its jobs were estimated to take.
///
/// # Errors
/// When the catalogue fails.
pub async fn progress(catalog: &Catalog, id: RevisionId) -> Result<f64, CatalogError> {
    Ok(progress_of_each(catalog, &[id.asset]).await?.get(&id).copied().unwrap_or(0.0))
}

/// The same of every revision of some assets.
///
/// # Errors
/// When the catalogue fails.
pub async fn progress_of_each(
    catalog: &Catalog,
    ids: &[AssetId],
) -> Result<HashMap<RevisionId, f64>, CatalogError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = format!(
        "SELECT asset_id, revision, CAST(COALESCE(SUM(cost_ms), 0) AS BIGINT) AS whole,
                CAST(COALESCE(SUM(CASE state WHEN 'done' THEN cost_ms * 1000
                                             WHEN 'failed' THEN cost_ms * 1000
                                             WHEN 'running' THEN cost_ms * progress_ppm / 1000
                                             ELSE 0 END), 0) AS BIGINT) AS done
         FROM jobs WHERE asset_id IN ({}) AND state <> 'cancelled' GROUP BY asset_id, revision",
        places(ids)
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for id in ids {
        query = query.bind(id.to_string());
    }
    let mut found = HashMap::new();
    for row in &query.fetch_all(catalog.pool()).await? {
        let id = RevisionId { asset: get_parsed(row, "asset_id")?, number: get_u32(row, "revision")? };
        let (whole, done) = (get_u64(row, "whole")?, get_u64(row, "done")?);
        // In thousandths: it is for people.
        let thousandths = done.checked_div(whole).unwrap_or(0).min(1000);
        found.insert(id, f64::from(u32::try_from(thousandths).unwrap_or(0)) / 1000.0);
    }
    Ok(found)
}

/// Which jobs a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Whose; `None` for everyone's.
    pub account: Option<&'a str>,
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// For this asset.
    pub asset: Option<AssetId>,
}

/// At most `limit` jobs, newest first, those older than `before` if it is given; none of what is in the trash.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(
    catalog: &Catalog,
    filter: &Filter<'_>,
    before: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Job>, CatalogError> {
    // Every id sorts before this.
    let before = before.map_or_else(|| "g".to_owned(), |id| id.to_string());
    let mut values = vec![before];
    let mut conditions = String::new();
    let wanted = [
        ("account", filter.account.map(str::to_owned)),
        ("state", filter.state.map(|state| state.as_str().to_owned())),
        ("kind", filter.kind.map(|kind| kind_name(kind).to_owned())),
        ("asset_id", filter.asset.map(|asset| asset.to_string())),
    ];
    for (column, value) in wanted {
        if let Some(value) = value {
            values.push(value);
            conditions.push_str(&format!("AND {column} = ${} ", values.len()));
        }
    }
    let statement = format!(
        "{} {conditions} ORDER BY id DESC LIMIT ${}",
        select!(
            "WHERE id < $1 AND NOT EXISTS (SELECT 1 FROM assets WHERE assets.id = jobs.asset_id
                                             AND assets.trashed_at IS NOT NULL)"
        ),
        values.len() + 1
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for value in values {
        query = query.bind(value);
    }
    query.bind(i64::from(limit)).fetch_all(catalog.pool()).await?.iter().map(read).collect()
}

/// How many jobs there are of each kind in each state; those of none are left out.
///
/// # Errors
/// When the catalogue fails.
pub async fn counts(catalog: &Catalog) -> Result<Vec<(String, JobState, u64)>, CatalogError> {
    let rows = sqlx::query("SELECT kind, state, COUNT(*) AS many FROM jobs GROUP BY kind, state")
        .fetch_all(catalog.pool())
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("kind")?, get_parsed(row, "state")?, get_u64(row, "many")?)))
        .collect()
}

/// Forgets jobs that ended before `before_ms`, of revisions that are ready; says how many those were.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget_ended(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query(
        "DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND updated_at < $1
           AND EXISTS (SELECT 1 FROM revisions WHERE revisions.asset_id = jobs.asset_id
                         AND revisions.revision = jobs.revision AND revisions.state = 'ready')",
    );
    Ok(done.bind(to_db(before_ms)).execute(catalog.pool()).await?.rows_affected())
}

pub(super) fn read(row: &AnyRow) -> Result<Job, CatalogError> {
    let work: String = row.try_get("work")?;
    let unblocks: Option<String> = row.try_get("unblocks")?;
    let unblocks = unblocks.map(|id| id.parse()).transpose();
    let code: Option<String> = row.try_get("error_code")?;
    Ok(Job {
        id: get_parsed(row, "id")?,
        revision: RevisionId { asset: get_parsed(row, "asset_id")?, number: get_u32(row, "revision")? },
        seq: get_u32(row, "seq")?,
        account: row.try_get("account")?,
        work: serde_json::from_str(&work).map_err(|_| CatalogError::Unreadable { column: "work" })?,
        cost_ms: get_u64(row, "cost_ms")?,
        needs_bytes: get_u64(row, "needs_bytes")?,
        state: get_parsed(row, "state")?,
        missing: get_u32(row, "missing")?,
        unblocks: unblocks.map_err(|_| CatalogError::Unreadable { column: "unblocks" })?,
        attempt: get_u32(row, "attempt")?,
        ending: row.try_get("ending")?,
        failures: get_u32(row, "failures")?,
        run_after: get_u64(row, "run_after")?,
        worker: row.try_get("worker")?,
        claimed_at: get_u64_or_null(row, "claimed_at")?,
        lease_until: get_u64_or_null(row, "lease_until")?,
        progress_ppm: get_u64(row, "progress_ppm")?,
        error: code.zip(row.try_get("error")?),
        log: row.try_get("log")?,
        created_at: get_u64(row, "created_at")?,
        updated_at: get_u64(row, "updated_at")?,
    })
}
