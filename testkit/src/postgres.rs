//! A throwaway PostgreSQL server: a cluster of its own in a temporary folder, durable as in production (fsync on),
//! on a loopback port that stays the same over restarts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use crate::supervise::{Recipe, Signal, Supervised};
use crate::wait::eventually;
use crate::{limits, ports};

/// One server. Dropping the last handle ends it and removes its folder.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    user: Option<&'static str>,
    folder: TempDir,
    port: u16,
    server: Mutex<Option<Supervised>>,
    databases: AtomicU32,
}

impl Postgres {
    /// A server of the test's own, for tests that stop or kill it.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Self {
        let programs = programs();
        // PostgreSQL refuses to run as root.
        let user = running_as_root().then_some("postgres");
        let folder =
            tempfile::Builder::new().prefix("tidegate-postgres-").tempdir().expect("a temporary folder");
        own(folder.path(), user);
        let postgres = Self {
            programs,
            user,
            folder,
            port: ports::free_port(),
            server: Mutex::new(None),
            databases: AtomicU32::new(0),
        };
        postgres.initialise();
        postgres.start_again();
        postgres
    }

    /// A server shared by the tests of this process that run at the same time. Each takes a [`Self::database`].
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start());
            *shared = Arc::downgrade(&started);
            started
        })
    }

    /// The URL of the maintenance database.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes a fresh, empty database and returns its URL.
    ///
    /// # Panics
    /// When the server does not make one.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        self.url_of(&name)
    }

    /// Runs a statement in the maintenance database and returns what it printed, unaligned.
    ///
    /// # Panics
    /// When the statement fails.
    pub fn sql(&self, statement: &str) -> String {
        let arguments = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &self.url(), "-c", statement];
        Recipe::new(self.programs.join("psql")).args(arguments).run()
    }

    /// Ends the server in order (clients are thrown out, everything is written).
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&self) {
        if let Some(mut server) = self.lock().take() {
            server.signal(Signal::Int);
            server.wait(limits::STOP);
        }
    }

    /// Kills the server; what it had not written it must recover from its log.
    pub fn kill(&self) {
        if let Some(mut server) = self.lock().take() {
            server.kill9();
        }
    }

    /// Starts it on its old port with its old data, after [`Self::stop`] or [`Self::kill`].
    ///
    /// # Panics
    /// When it does not answer in time.
    pub fn start_again(&self) {
        // After a kill the old server's children need a moment to notice; until then it refuses to start.
        let server = eventually("PostgreSQL to start", limits::START, || self.try_start());
        *self.lock() = Some(server);
    }

    /// [`Self::stop`] and [`Self::start_again`].
    ///
    /// # Panics
    /// As those.
    pub fn restart(&self) {
        self.stop();
        self.start_again();
    }

    fn try_start(&self) -> Option<Supervised> {
        let port = self.port.to_string();
        let settings =
            ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "max_connections=200"];
        // An immediate shutdown also puts the shared memory away that a kill would leave behind.
        let mut server = Recipe::with(self.programs.join("postgres").as_os_str(), Signal::Quit, self.user)
            .configure(|command| {
                command.args(["-p", &port, "-D"]).arg(self.data());
                command.args(settings.iter().flat_map(|setting| ["-c", setting]));
                command.current_dir(self.folder.path());
            })
            .start();
        eventually("PostgreSQL to answer", limits::START, || match server.ended() {
            Some(_) => Some(None),
            None => self.answers().then_some(Some(())),
        })
        .map(|()| server)
    }

    fn answers(&self) -> bool {
        let probe = ["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()];
        Command::new(self.programs.join("pg_isready"))
            .args(probe)
            .status()
            .is_ok_and(|status| status.success())
    }

    fn initialise(&self) {
        // `--no-sync` is for this empty cluster only: nothing of a test is in it yet.
        let arguments = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D"];
        Recipe::with(self.programs.join("initdb").as_os_str(), Signal::Kill, self.user)
            .args(arguments)
            .configure(|command| {
                command.arg(self.data()).current_dir(self.folder.path());
            })
            .run();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Supervised>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut server) = self.lock().take() {
            server.signal(Signal::Quit);
            if !std::thread::panicking() {
                server.wait(limits::STOP);
            }
        }
    }
}

/// The folder with the server's programs: Debian keeps them out of the search path, one folder per version.
fn programs() -> PathBuf {
    let version = |folder: &PathBuf| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|entry| entry.path().join("bin")).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders
        .into_iter()
        .find(|folder| {
            ["initdb", "postgres", "psql", "pg_isready"].iter().all(|name| folder.join(name).exists())
        })
        .expect("PostgreSQL is not installed: run scripts/install-test-tools.sh")
}

fn running_as_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn own(folder: &Path, user: Option<&str>) {
    if let Some(user) = user {
        let status = Command::new("chown").arg(user).arg(folder).status().expect("chown");
        assert!(status.success(), "there is no user {user}: run scripts/install-test-tools.sh");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_survive_a_restart_and_a_kill() {
        let postgres = Postgres::start();
        let first = postgres.database();
        assert_ne!(first, postgres.database());
        let tables = || postgres.sql("SELECT count(*) FROM kept");
        postgres.sql("CREATE TABLE kept (n int)");
        postgres.sql("INSERT INTO kept VALUES (1)");
        postgres.restart();
        assert_eq!(tables(), "1\n");
        postgres.kill();
        postgres.start_again();
        assert_eq!(tables(), "1\n");
    }
}
