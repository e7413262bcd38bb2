//! Children: started in a process group of their own under limits, killed as a group, their log kept short.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open,
    prlimit, setpriority_process, waitid,
};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::limits;
use crate::log::{Log, SharedLog};

/// What a child may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// Address space, in bytes.
    pub(crate) memory_bytes: u64,
    /// CPU seconds; `None` where progress is watched instead.
    pub(crate) cpu_s: Option<u64>,
    /// How far it stands back behind others for the CPU, 0 to 19.
    pub(crate) nice: i32,
}

impl Allowance {
    /// For a look at a file.
    pub(crate) const PROBE: Self =
        Self { memory_bytes: limits::PROBE_MEMORY_BYTES, cpu_s: Some(limits::PROBE_CPU_S), nice: 0 };

    /// For an encoder.
    pub(crate) fn encode(nice: i32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get) as u64;
        let memory_bytes = limits::ENCODE_MEMORY_BYTES + cores * limits::ENCODE_MEMORY_PER_CORE_BYTES;
        Self { memory_bytes, cpu_s: None, nice }
    }
}

/// A running child. Dropped, it is killed with all of its group.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    group: Group,
    log: SharedLog,
    reader: JoinHandle<()>,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Exit {
    /// Its status.
    pub(crate) status: ExitStatus,
    /// CPU seconds it took.
    pub(crate) cpu_s: f64,
    /// The last of what it said.
    pub(crate) log: Log,
}

/// A process group that is killed when this is dropped.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // The leader is not reaped yet, so the number is still its own.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Starts `program`, which reads nothing and writes its results to the pipe that is returned. `hide` are paths that
/// are not to stand in the log.
pub(crate) fn start(
    program: &Path,
    arguments: &[OsString],
    allowance: Allowance,
    directory: &Path,
    hide: Vec<PathBuf>,
) -> io::Result<(Running, ChildStdout)> {
    let mut command = Command::new(program);
    // The environment is not passed on: it has the fleet's key, and it is none of a decoder's business.
    command.env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
        .args(arguments)
        .env("LANG", "C")
        .env("AV_LOG_FORCE_NOCOLOR", "1")
        // Each arena of the allocator takes 64 MiB of the address space, and there are eight for a core.
        .env("MALLOC_ARENA_MAX", "4")
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let group = Group(pid);
    // Set from outside, right after the start. The child runs meanwhile, for as long as four system calls take, which
    // it needs to load its libraries. What it has mapped until then counts; what binds it, it cannot lift. Nothing
    // that must hold without exception rests on this: its privileges, its environment and its input are set before.
    restrict(pid, allowance)?;
    let missing = || io::Error::other("a pipe is missing");
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let mut stderr = child.stderr.take().ok_or_else(missing)?;
    let log = SharedLog::new(hide);
    let writer = log.clone();
    let reader = tokio::spawn(async move {
        let mut buffer = vec![0; limits::LOG_READ_BYTES];
        while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
            writer.write(&buffer[..count]);
        }
    });
    Ok((Running { child, group, log, reader }, stdout))
}

fn restrict(pid: Option<Pid>, allowance: Allowance) -> io::Result<()> {
    let set = |resource, value| {
        let limit = Rlimit { current: Some(value), maximum: Some(value) };
        match prlimit(pid, resource, limit) {
            // It is over already.
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => other.map(drop),
        }
    };
    if pid.is_none() {
        return Ok(());
    }
    if allowance.nice > 0 {
        // Its threads, which come later, take it over. That it cannot be had is no reason not to work.
        let _ = setpriority_process(pid, allowance.nice);
    }
    set(Resource::As, allowance.memory_bytes)?;
    set(Resource::Core, 0)?;
    // What it makes goes through pipes and sockets: it has no business writing files.
    set(Resource::Fsize, 0)?;
    if let Some(seconds) = allowance.cpu_s {
        set(Resource::Cpu, seconds)?;
    }
    Ok(())
}

impl Running {
    /// Its log, as far as it is.
    pub(crate) fn log(&self) -> &SharedLog {
        &self.log
    }

    /// Waits until it ends.
    pub(crate) async fn wait(mut self) -> io::Result<Exit> {
        let cpu_s = match self.group.0 {
            Some(pid) => ended(pid).await.unwrap_or(0.0),
            None => 0.0,
        };
        // What the group has left behind goes as well, while the leader's number cannot have been given away.
        drop(std::mem::replace(&mut self.group, Group(None)));
        let status = self.child.wait().await?;
        let _ = timeout(limits::LAST_WORDS, &mut self.reader).await;
        self.reader.abort();
        Ok(Exit { status, cpu_s, log: self.log.take() })
    }
}

/// Waits until `pid` has ended but is not reaped, and says the CPU seconds it took.
async fn ended(pid: Pid) -> io::Result<f64> {
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    // A thread of its own for as long as the child lives: what is dropped here is killed, so that ends as well.
    let waiting = spawn_blocking(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::PidFd(handle.as_fd()), options).map(drop)
    });
    waiting.await.map_err(io::Error::other)??;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))?;
    // The name, in parentheses, may hold anything; 14 and 15 counted from 1 are user and system time in ticks.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    #[allow(clippy::cast_precision_loss, reason = "it is 100")]
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Ok(ticks.sum::<f64>() / per_second)
}

/// Runs `program` to its end and returns what it wrote, killed after `time` or `output_bytes`.
///
/// # Errors
/// `TimedOut` after `time`; `FileTooLarge` after `output_bytes`; what the system says otherwise.
pub(crate) async fn output(
    program: &Path,
    arguments: &[OsString],
    allowance: Allowance,
    time: Duration,
    output_bytes: usize,
    hide: Vec<PathBuf>,
) -> io::Result<(Exit, Vec<u8>)> {
    let (running, stdout) = start(program, arguments, allowance, Path::new("/"), hide)?;
    let whole = async {
        let mut said = Vec::new();
        stdout.take(output_bytes as u64 + 1).read_to_end(&mut said).await?;
        if said.len() > output_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok((running.wait().await?, said))
    };
    timeout(time, whole).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
