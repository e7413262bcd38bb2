//! What differs between PostgreSQL and SQLite; everything else is one text of SQL for both.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use clap::ValueEnum;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _};

use super::CatalogError;
use crate::config::DatabaseOptions;
use crate::limits;

/// The database engine behind the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `postgres://…`
    Postgres,
    /// `sqlite://PATH`
    Sqlite,
}

/// How far SQLite goes before it calls a transaction committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SqliteSynchronous {
    /// On the disk: survives a power cut.
    #[default]
    Full,
    /// In the kernel: survives a killed process; a power cut may take the last transactions, never the database.
    Normal,
}

impl Engine {
    /// The engine a database URL names.
    ///
    /// # Errors
    /// [`CatalogError::Url`] for any other scheme.
    pub fn of(url: &str) -> Result<Self, CatalogError> {
        match url.split(':').next() {
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("sqlite") => Ok(Self::Sqlite),
            _ => Err(CatalogError::Url),
        }
    }

    /// The statement a writing transaction begins with. SQLite takes its one write lock at once: a transaction that
    /// first read and then wants to write could not wait for it.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Postgres => "BEGIN",
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    pub(super) async fn open(self, options: &DatabaseOptions) -> Result<AnyPool, CatalogError> {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().acquire_timeout(limits::CATALOG_ACQUIRE_TIMEOUT);
        match self {
            Self::Postgres => {
                Ok(pool.max_connections(options.database_connections).connect(&options.database_url).await?)
            }
            Self::Sqlite => {
                if let Some(path) = sqlite_path(&options.database_url) {
                    let make = |source| CatalogError::File { path: path.to_owned(), source };
                    make_private(path, options.database_url.contains("mode=rwc")).map_err(make)?;
                }
                let pragmas = sqlite_pragmas(options.sqlite_synchronous);
                let connections = options.database_connections.min(limits::SQLITE_CONNECTIONS);
                let pool = pool.max_connections(connections).after_connect(move |connection, _| {
                    Box::pin(async move { connection.execute(pragmas).await.map(|_| ()) })
                });
                Ok(pool.connect(&options.database_url).await?)
            }
        }
    }

    /// Brings the schema up to date; of several origins that start at once one does it and the others wait.
    pub(super) async fn migrate(self, migrator: &Migrator, pool: &AnyPool) -> Result<(), CatalogError> {
        let mut connection = pool.acquire().await?;
        match self {
            // An advisory lock, taken by the migrator.
            Self::Postgres => Ok(migrator.run_direct(None, &mut *connection, false).await?),
            // The migrator has no lock there, but the whole of it fits in one transaction that holds the write lock.
            Self::Sqlite => {
                let mut tx = connection.begin_with(self.begin()).await?;
                migrator.run_direct::<AnyConnection>(None, &mut tx, false).await?;
                Ok(tx.commit().await?)
            }
        }
    }
}

/// WAL lets readers and the writer pass each other.
const fn sqlite_pragmas(synchronous: SqliteSynchronous) -> &'static str {
    // The time-out comes first: switching to WAL needs a lock that another process may hold.
    match synchronous {
        SqliteSynchronous::Full => {
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"
        }
        SqliteSynchronous::Normal => {
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON"
        }
    }
}

const _: () = assert!(limits::SQLITE_BUSY_TIMEOUT.as_millis() == 5000, "the pragmas say 5000");

/// The file a `sqlite:` URL names; `None` for one in memory.
fn sqlite_path(url: &str) -> Option<&Path> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest).split('?').next()?;
    (!path.is_empty() && path != ":memory:").then(|| Path::new(path))
}

/// Makes the file's folder, and the file where the URL asks for it: readable by nobody else, since password hashes
/// and grant keys are in it. SQLite gives the files beside it the same rights.
fn make_private(path: &Path, make_file: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    if make_file {
        std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_engine() {
        assert_eq!(Engine::of("postgres://a@b/c").unwrap(), Engine::Postgres);
        assert_eq!(Engine::of("postgresql://a@b/c").unwrap(), Engine::Postgres);
        assert_eq!(Engine::of("sqlite:///a/b.db?mode=rwc").unwrap(), Engine::Sqlite);
        assert!(Engine::of("mysql://a").is_err() && Engine::of("").is_err());
    }

    #[test]
    fn the_file_of_a_sqlite_url_is_found() {
        let path = |url| sqlite_path(url).map(Path::to_path_buf);
        assert_eq!(path("sqlite:///a/b.db?mode=rwc"), Some("/a/b.db".into()));
        assert_eq!(path("sqlite://data/b.db"), Some("data/b.db".into()));
        assert_eq!(path("sqlite:data/b.db"), Some("data/b.db".into()));
        assert_eq!(path("sqlite::memory:"), None);
    }
}
