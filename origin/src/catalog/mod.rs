//! The catalogue: the record of accounts, uploads, assets, purges, edges and keys, on PostgreSQL or SQLite.
//!
//! One file a table. Reading functions take the [`Catalog`]; functions that belong into a larger change take the
//! transaction. A call that is dropped before its end leaves nothing behind: an uncommitted transaction rolls back.

pub mod accounts;
pub mod asset_list;
pub mod assets;
pub mod audit;
pub mod edges;
mod engine;
mod error;
mod job_states;
pub mod jobs;
pub mod keys;
pub mod plays;
pub mod published;
pub mod purges;
pub mod queue;
pub mod removals;
pub mod resets;
pub mod revisions;
pub mod sessions;
pub mod statistics;
pub mod texts;
pub mod tokens;
pub mod tracks;
pub mod trees;
pub mod uploads;
pub mod usage;
pub mod workers;

// What others are told
pub mod deliveries;
pub mod events;
pub mod mails;
pub mod webhooks;

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, Row as _, SqlSafeStr as _};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

pub use self::accounts::{Account, AccountId};
pub use self::assets::{Asset, NewAsset, Visibility};
pub use self::engine::{Engine, SqliteSynchronous};
pub use self::error::CatalogError;
use crate::config::DatabaseOptions;
use crate::limits;

/// The schema, step by step. A step that was released never changes.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "catalogue", include_str!("../../migrations/0001_catalogue.sql")),
    (2, "video", include_str!("../../migrations/0002_video.sql")),
    (3, "accounts", include_str!("../../migrations/0003_accounts.sql")),
    (4, "library", include_str!("../../migrations/0004_library.sql")),
    (5, "events", include_str!("../../migrations/0005_events.sql")),
];

/// A handle on the catalogue; clones share the connections.
#[derive(Debug, Clone)]
pub struct Catalog {
    pool: AnyPool,
    engine: Engine,
    /// Told when a change with events in it has committed.
    outbox: Arc<Notify>,
}

/// A change in the making. Dropped without a commit it never was.
pub struct Tx {
    tx: sqlx::Transaction<'static, Any>,
    outbox: Arc<Notify>,
    has_events: bool,
}

impl Tx {
    /// Makes the change durable and visible.
    ///
    /// # Errors
    /// When the database did not confirm it. After [`CatalogError::Unavailable`] the change may have been made all
    /// the same: look before doing it again.
    pub async fn commit(self) -> Result<(), CatalogError> {
        let committed = self.tx.commit().await;
        // Also when it is not known whether it was made: whoever looks finds out.
        if self.has_events {
            self.outbox.notify_one();
        }
        Ok(committed?)
    }

    /// There are events in this change: its commit wakes whoever numbers them.
    pub(crate) fn note_events(&mut self) {
        self.has_events = true;
    }

    /// What statements run on.
    pub(crate) fn connection(&mut self) -> &mut sqlx::AnyConnection {
        &mut self.tx
    }

    /// Holds every other transaction that locks `name` until this one has ended, whichever origin it runs in.
    pub(crate) async fn lock(&mut self, name: LockName) -> Result<(), CatalogError> {
        let statement = "UPDATE counters SET value = value + 1 WHERE name = $1";
        sqlx::query(statement).bind(name.as_str()).execute(self.connection()).await?;
        Ok(())
    }
}

/// The things only one transaction at a time may decide.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LockName {
    FirstAccount,
    GrantKeys,
    Claims,
    Admins,
}

impl LockName {
    const fn as_str(self) -> &'static str {
        match self {
            Self::FirstAccount => "first_account",
            Self::GrantKeys => "grant_keys",
            Self::Claims => "claims",
            Self::Admins => "admins",
        }
    }
}

impl Catalog {
    /// Connects and brings the schema up to date. Waits a while for a database that is still starting.
    ///
    /// # Errors
    /// When the URL names no known engine, or the database cannot be reached or migrated.
    pub async fn connect(options: &DatabaseOptions) -> Result<Self, CatalogError> {
        let engine = Engine::of(&options.database_url)?;
        let give_up = Instant::now() + limits::CATALOG_STARTUP_WAIT;
        let migrator = Migrator::with_migrations(
            MIGRATIONS
                .iter()
                .map(|&(version, name, sql)| {
                    Migration::new(
                        version,
                        Cow::Borrowed(name),
                        MigrationType::Simple,
                        sql.into_sql_str(),
                        false,
                    )
                })
                .collect(),
        );
        loop {
            let opened = match engine.open(options).await {
                Ok(pool) => engine.migrate(&migrator, &pool).await.map(|()| pool),
                Err(error) => Err(error),
            };
            match opened {
                Ok(pool) => return Ok(Self { pool, engine, outbox: Arc::default() }),
                Err(error) if error.is_unavailable() && Instant::now() < give_up => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "catalog.waiting");
                    sleep(limits::CATALOG_STARTUP_RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Begins a change.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`] when no connection is to be had in time.
    pub async fn begin(&self) -> Result<Tx, CatalogError> {
        let tx = self.pool.begin_with(self.engine.begin()).await?;
        Ok(Tx { tx, outbox: self.outbox.clone(), has_events: false })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// What it lacks.
    pub async fn ping(&self) -> Result<(), CatalogError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Told when a change with events in it has committed in this process.
    pub(crate) fn outbox(&self) -> &Notify {
        &self.outbox
    }

    /// Which engine it is on.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Connections open and idle, for metrics.
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// What statements outside a transaction run on.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Closes the connections; SQLite then folds its log into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A number as the databases keep it. Sizes and times stay far below 2^63; a larger one is cut to that.
pub(crate) fn to_db(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A column that is never negative.
pub(crate) fn get_u64(row: &AnyRow, column: &'static str) -> Result<u64, CatalogError> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| CatalogError::Unreadable { column })
}

/// A column that is never negative, or NULL.
pub(crate) fn get_u64_or_null(row: &AnyRow, column: &'static str) -> Result<Option<u64>, CatalogError> {
    let value = row.try_get::<Option<i64>, _>(column)?;
    value.map(|value| u64::try_from(value).map_err(|_| CatalogError::Unreadable { column })).transpose()
}

/// A text column read as a `T`.
pub(crate) fn get_parsed<T: std::str::FromStr>(
    row: &AnyRow,
    column: &'static str,
) -> Result<T, CatalogError> {
    row.try_get::<String, _>(column)?.parse().map_err(|_| CatalogError::Unreadable { column })
}
