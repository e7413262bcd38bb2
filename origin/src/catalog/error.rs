//! What can go wrong with the catalogue, told apart by who has to act.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

/// Why the catalogue did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database is away, starting, stopping or too busy. The same call may succeed later.
    #[error("the catalogue is not available")]
    Unavailable(#[source] sqlx::Error),
    /// A row like it exists already.
    #[error("the catalogue has such a row already")]
    Conflict(#[source] sqlx::Error),
    /// A statement the database refuses for good: a fault of ours, or of its set-up.
    #[error("the catalogue refused a statement")]
    Failed(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the catalogue's schema could not be brought up to date")]
    Migration(#[source] MigrateError),
    /// A row holds something that this version cannot read.
    #[error("the catalogue has an unreadable `{column}`")]
    Unreadable {
        /// Where.
        column: &'static str,
    },
    /// Not a database URL of a known kind.
    #[error("a database URL begins with postgres:// or sqlite://")]
    Url,
    /// The SQLite file cannot be made.
    #[error("cannot make the database file {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl CatalogError {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Conflict(error),
            sqlx::Error::Database(database) if database.code().is_some_and(|code| passes(&code)) => {
                Self::Unavailable(error)
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Failed(error),
        }
    }
}

impl From<MigrateError> for CatalogError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            error => Self::Migration(error),
        }
    }
}

/// Codes of states that pass by themselves. PostgreSQL has five characters (its appendix A), SQLite a number
/// (sqlite.org/rescode.html).
fn passes(code: &str) -> bool {
    if code.len() == 5 {
        // 08: connection; 40: serialisation, deadlock; 53: resources; 57P: shut down, starting; 55P03: lock wait.
        // 25006 is a server in recovery that has not taken over yet.
        return ["08", "40", "53", "57P"].iter().any(|class| code.starts_with(class))
            || matches!(code, "55P03" | "25006");
    }
    // The low byte of an extended code is the primary one: BUSY, LOCKED, IOERR, FULL, CANTOPEN.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_stays() {
        for code in ["08006", "40001", "40P01", "53300", "57P01", "57P02", "57P03", "5", "517", "13"] {
            assert!(passes(code), "{code}");
        }
        for code in ["23505", "42P01", "42601", "57014", "1", "19", "2067", ""] {
            assert!(!passes(code), "{code}");
        }
    }
}
