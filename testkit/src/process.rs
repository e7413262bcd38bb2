//! Our binaries as real processes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::binaries::binary;
use crate::http::Request;
use crate::limits;
use crate::supervise::{Recipe, Signal, Supervised};
use crate::wait::eventually;

/// A service of ours that can be killed and started again with the same arguments.
#[derive(Debug)]
pub struct Process {
    name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Where it says that it is ready.
    ready: (SocketAddr, &'static str),
    running: Mutex<Option<Supervised>>,
}

impl Process {
    /// Starts `binary` with these arguments and waits until `GET path` on `addr` answers 200.
    ///
    /// # Panics
    /// When it was not built, ends, or is not ready in time; with its output.
    pub fn start<A: AsRef<str>>(binary: &str, arguments: &[A], addr: SocketAddr, path: &'static str) -> Self {
        Self::start_with(binary, arguments, &[], addr, path)
    }

    /// The same with environment variables.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with<A: AsRef<str>>(
        binary: &str,
        arguments: &[A],
        environment: &[(&str, &str)],
        addr: SocketAddr,
        path: &'static str,
    ) -> Self {
        let process = Self {
            name: binary.to_owned(),
            arguments: arguments.iter().map(|argument| argument.as_ref().to_owned()).collect(),
            environment: environment
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            ready: (addr, path),
            running: Mutex::new(None),
        };
        process.start_again();
        process
    }

    /// Starts it once more, after it ended or was killed, and waits until it is ready.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_again(&self) {
        self.start_unready();
        self.wait_ready();
    }

    /// Starts it once more and does not wait.
    ///
    /// # Panics
    /// When it was not built.
    pub fn start_unready(&self) {
        let child = recipe(&self.name, &self.arguments)
            .configure(|command| {
                command.envs(self.environment.iter().map(|(name, value)| (name, value)));
            })
            .start();
        *self.lock() = Some(child);
    }

    /// Waits until it answers 200 where it says that it is ready.
    ///
    /// # Panics
    /// When it ends or does not in time; with its output.
    pub fn wait_ready(&self) {
        let (addr, path) = self.ready;
        eventually(&format!("{} to be ready", self.name), limits::START, || {
            if let Some(child) = self.lock().as_mut() {
                let ended = child.ended();
                assert!(ended.is_none(), "{} ended with {ended:?}\n{}", self.name, child.output());
            }
            let answer = Request::get(path).header("Connection", "close").try_send(addr).ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pid(&self) -> u32 {
        self.lock().as_ref().map(Supervised::pid).expect("a running process")
    }

    /// Kills it without a word and waits until it is gone.
    pub fn kill9(&self) {
        if let Some(mut child) = self.lock().take() {
            child.kill9();
        }
    }

    /// Freezes it.
    pub fn sigstop(&self) {
        self.signal(Signal::Stop);
    }

    /// Lets it go on.
    pub fn sigcont(&self) {
        self.signal(Signal::Cont);
    }

    /// Asks it to end (SIGTERM) and does not wait.
    pub fn ask_to_end(&self) {
        self.signal(Signal::Term);
    }

    /// Asks it to end and waits; returns its exit code and what it wrote.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn terminate(&self) -> (Option<i32>, String) {
        self.ask_to_end();
        self.wait_end(limits::STOP)
    }

    /// Waits for its end; returns its exit code and what it wrote.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait_end(&self, limit: Duration) -> (Option<i32>, String) {
        let mut child = self.lock().take().expect("a running process");
        let status = child.wait(limit);
        (status.code(), child.output())
    }

    /// What it wrote since it was last started.
    pub fn output(&self) -> String {
        self.lock().as_ref().map(Supervised::output).unwrap_or_default()
    }

    /// Its resident memory in bytes, as the kernel counts it; 0 when it does not run.
    pub fn resident_bytes(&self) -> u64 {
        let pid = self.lock().as_ref().map(Supervised::pid);
        let status = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kibibytes.unwrap_or(0) * 1024
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = self.lock().as_mut() {
            child.signal(signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Supervised>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of our binaries as something to start: for programs that run to an end.
///
/// # Panics
/// When it was not built.
pub fn recipe<A: AsRef<str>>(name: &str, arguments: &[A]) -> Recipe {
    Recipe::new(binary(name))
        .configure(|command| {
            // What the developer has set for a service of their own must not reach a test's.
            let ours = |name: &str| {
                name.starts_with("TIDEGATE_") || name.starts_with("AWS_") || name.starts_with("S3_")
            };
            for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
                command.env_remove(name);
            }
            command.env_remove("DATABASE_URL").env_remove("REDIS_URL").env("NO_COLOR", "1");
        })
        .args(arguments.iter().map(AsRef::as_ref))
}

/// A sample of a Prometheus page: the sum over the series of `name` whose labels contain all of `labels`.
///
/// # Panics
/// When the page cannot be had.
pub fn metric(admin: SocketAddr, name: &str, labels: &[&str]) -> f64 {
    let page = Request::get("/metrics").send(admin).expect(200).text();
    let samples = page.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, rest) = series.split_once('{').unwrap_or((series, ""));
        let wanted = found == name && labels.iter().all(|label| rest.contains(label));
        wanted.then(|| value.parse::<f64>().ok()).flatten()
    });
    samples.sum()
}

/// Loopback with this port.
pub fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
