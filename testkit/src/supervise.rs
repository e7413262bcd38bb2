//! Child processes that cannot outlive the test process.
//!
//! Each child is started through `setpriv --pdeathsig`, so the kernel ends it when the thread that started it ends.
//! A test's thread ends with the test and a runtime's workers come and go, so one thread that lives as long as the
//! process starts them all. Children are signalled by process id, never by name.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::limits;
use crate::wait::eventually;

/// A signal, by the name `kill` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ask to end.
    Term,
    /// As from the keyboard.
    Int,
    /// End at once (PostgreSQL: immediate shutdown).
    Quit,
    /// End without a word.
    Kill,
    /// Freeze.
    Stop,
    /// Go on.
    Cont,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Term => "TERM",
            Signal::Int => "INT",
            Signal::Quit => "QUIT",
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Cont => "CONT",
        }
    }
}

/// What to start.
#[derive(Debug)]
pub struct Recipe {
    command: Command,
    name: String,
}

impl Recipe {
    /// A program to start, ended by `SIGKILL` should the test process die.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self::with(program.as_ref(), Signal::Kill, None)
    }

    /// The same for a program that has things to put away when it ends, or runs as another user when we are root.
    pub fn with(program: &OsStr, at_parent_death: Signal, user: Option<&str>) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", at_parent_death.name()]);
        if let Some(user) = user {
            command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups"]);
        }
        command.arg("--").arg(program);
        let name =
            std::path::Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        Self { command, name }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.configure(|command| {
            command.args(arguments);
        })
    }

    /// Sets the environment, the folder, or whatever else a command has.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Command)) -> Self {
        change(&mut self.command);
        self
    }

    /// Starts it with no input and its output collected.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut self) -> Supervised {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = self.name;
        let mut child = spawn(self.command).unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let (out, err) = (Output::default(), Output::default());
        out.collect(child.stdout.take());
        err.collect(child.stderr.take());
        Supervised { child, name, out, err }
    }

    /// Runs it to its end and returns what it printed.
    ///
    /// # Panics
    /// When it cannot be started, fails, or takes longer than [`limits::RUN`]; with its output.
    pub fn run(self) -> String {
        let mut child = self.start();
        let status = child.wait(limits::RUN);
        assert!(status.success(), "{} ended with {status}\n{}", child.name, child.output());
        child.out.text()
    }
}

fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static STARTER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in orders {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (reply, child) = channel();
    starter
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, reply))
        .map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    name: String,
    out: Output,
    err: Output,
}

impl Supervised {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; a process that has ended already is left alone.
    pub fn signal(&mut self, signal: Signal) {
        // Asking first also means that the id still is this child's: it is not reaped before.
        if self.ended().is_none() {
            signal_pid(self.pid(), signal);
        }
    }

    /// Its exit status, once it has ended.
    ///
    /// # Panics
    /// When the system cannot tell.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it still runs after `limit`, with its output.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                self.out.finish();
                self.err.finish();
                return status;
            }
            if Instant::now() >= deadline {
                let _ = self.child.kill();
                panic!("{} still ran after {limit:?}\n{}", self.name, self.output());
            }
            std::thread::sleep(limits::POLL);
        }
    }

    /// Kills it and waits until it is gone.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it wrote to its standard output so far.
    pub fn stdout(&self) -> String {
        self.out.text()
    }

    /// What it wrote to its standard error so far.
    pub fn stderr(&self) -> String {
        self.err.text()
    }

    /// Both, for a message.
    pub fn output(&self) -> String {
        format!("--- {} stdout\n{}\n--- {} stderr\n{}", self.name, self.stdout(), self.name, self.stderr())
    }

    /// Waits for a line on standard output that `pick` takes something from.
    ///
    /// # Panics
    /// When `limit` is over or the process ends without it, with its output.
    pub fn stdout_line<T>(&mut self, limit: Duration, pick: impl Fn(&str) -> Option<T>) -> T {
        eventually(&format!("a line of {}", self.name), limit, || {
            let ended = self.ended().is_some();
            if ended {
                self.out.finish();
            }
            let found = self.out.text().lines().find_map(&pick);
            assert!(found.is_some() || !ended, "{} ended without the line\n{}", self.name, self.output());
            found
        })
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("{}", tail(&self.output(), 16 * 1024));
        }
    }
}

fn tail(text: &str, bytes: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// Sends a signal by process id, through the shell's builtin: every Debian has one, and it needs no unsafe code.
pub(crate) fn signal_pid(pid: u32, signal: Signal) {
    let _ = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "kill", signal.name(), &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// What a child writes, collected by a thread of its own.
#[derive(Debug, Clone, Default)]
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Arc<Mutex<Option<std::thread::JoinHandle<()>>>>,
}

impl Output {
    fn collect(&self, pipe: Option<impl Read + Send + 'static>) {
        let Some(mut pipe) = pipe else { return };
        let bytes = Arc::clone(&self.bytes);
        let thread = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(read @ 1..) = pipe.read(&mut chunk) {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&chunk[..read]);
                if bytes.len() > 2 * limits::LOG_BYTES {
                    let old = bytes.len() - limits::LOG_BYTES;
                    bytes.drain(..old);
                }
            }
        });
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// Waits for the rest of the output of a child that has ended. Not for ever: children of its own may have the
    /// other end of the pipe and live on.
    fn finish(&self) {
        let deadline = Instant::now() + limits::LAST_OUTPUT;
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        while reader.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(limits::POLL);
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it_but_not_its_handle() {
        let mut child = std::thread::spawn(|| Recipe::new("sleep").args(["600"]).start()).join().unwrap();
        std::thread::sleep(limits::POLL);
        assert_eq!(child.ended(), None);
        let pid = child.pid();
        drop(child);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn signals_reach_it_and_its_output_is_kept() {
        let script = "trap 'echo asked; exit 3' TERM; echo up; while :; do sleep 0.01; done";
        let mut child = Recipe::new("sh").args(["-c", script]).start();
        child.stdout_line(limits::START, |line| (line == "up").then_some(()));
        child.signal(Signal::Term);
        assert_eq!(child.wait(limits::STOP).code(), Some(3));
        assert_eq!(child.stdout(), "up\nasked\n");
    }
}
