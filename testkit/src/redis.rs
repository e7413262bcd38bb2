//! A throwaway Redis server on a loopback port that stays the same over restarts.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::supervise::{Recipe, Signal, Supervised};
use crate::wait::eventually;
use crate::{limits, ports};

/// What a restart leaves of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Nothing: no snapshot, no append-only file.
    Forgets,
    /// Everything that reached the append-only file.
    Keeps,
}

/// One server. Dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Redis {
    folder: TempDir,
    port: u16,
    memory: Memory,
    server: Mutex<Option<Supervised>>,
}

impl Redis {
    /// A server that forgets everything when it stops: the hard case for who relies on it.
    ///
    /// # Panics
    /// When Redis is not installed or does not start.
    pub fn start() -> Self {
        Self::start_with(Memory::Forgets)
    }

    /// A server with a choice.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with(memory: Memory) -> Self {
        let folder =
            tempfile::Builder::new().prefix("tidegate-redis-").tempdir().expect("a temporary folder");
        let redis = Self { folder, port: ports::free_port(), memory, server: Mutex::new(None) };
        redis.start_again();
        redis
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Removes every key.
    ///
    /// # Panics
    /// When the server does not do it.
    pub fn flush(&self) {
        assert_eq!(self.command("FLUSHALL").as_deref(), Some("+OK\r\n"), "FLUSHALL");
    }

    /// Ends the server in order.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&self) {
        if let Some(mut server) = self.lock().take() {
            server.signal(Signal::Term);
            server.wait(limits::STOP);
        }
    }

    /// Kills the server.
    pub fn kill(&self) {
        if let Some(mut server) = self.lock().take() {
            server.kill9();
        }
    }

    /// Starts it on its old port, after [`Self::stop`] or [`Self::kill`].
    ///
    /// # Panics
    /// When it does not answer in time.
    pub fn start_again(&self) {
        let (port, append) = (self.port.to_string(), if self.memory == Memory::Keeps { "yes" } else { "no" });
        let mut server = Recipe::new("redis-server")
            .configure(|command| {
                command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", append]);
                command.args(["--daemonize", "no", "--dir"]).arg(self.folder.path());
            })
            .start();
        eventually("Redis to answer (scripts/install-test-tools.sh installs it)", limits::START, || {
            assert!(server.ended().is_none(), "Redis did not start\n{}", server.output());
            (self.command("PING").as_deref() == Some("+PONG\r\n")).then_some(())
        });
        *self.lock() = Some(server);
    }

    /// An inline command with a one-line answer.
    fn command(&self, line: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        stream.set_read_timeout(Some(limits::REQUEST)).ok()?;
        stream.write_all(format!("{line}\r\n").as_bytes()).ok()?;
        let (mut answer, mut chunk) = (Vec::new(), [0; 256]);
        while !answer.ends_with(b"\r\n") {
            match stream.read(&mut chunk).ok()? {
                0 => return None,
                read => answer.extend_from_slice(&chunk[..read]),
            }
        }
        String::from_utf8(answer).ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Supervised>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_forgets_and_the_other_keeps() {
        for (memory, after) in [(Memory::Forgets, ":0\r\n"), (Memory::Keeps, ":1\r\n")] {
            let redis = Redis::start_with(memory);
            assert_eq!(redis.command("SET a 1").as_deref(), Some("+OK\r\n"));
            redis.stop();
            assert_eq!(redis.command("PING"), None);
            redis.start_again();
            assert_eq!(redis.command("EXISTS a").as_deref(), Some(after), "{memory:?}");
            redis.flush();
            assert_eq!(redis.command("EXISTS a").as_deref(), Some(":0\r\n"));
            redis.kill();
            redis.start_again();
        }
    }
}
