//! One run of ffmpeg: what it makes comes over a socket for each output, how far it is over standard output.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::pin;
use tokio::task::{JoinError, JoinSet};

use crate::attempt::Attempt;
use crate::failure::{Fault, local};
use crate::log::Log;
use crate::process::{self, Allowance, Exit};
use crate::progress::{self, Total};

/// Why the bytes of an output could not be used.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Reason enough to stop.
    Fault(Fault),
    /// The bytes end too early or make no sense, which is what a dying ffmpeg leaves: its end says more.
    Bytes(String),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Bytes(error.to_string())
    }
}

/// A run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// What ffmpeg is told; its outputs are `unix:NAME`.
    pub(crate) arguments: Vec<OsString>,
    /// The names of its outputs.
    pub(crate) outputs: Vec<String>,
    /// The file it reads, which is not to stand in a log.
    pub(crate) source: &'a Path,
    /// What counts as all of it.
    pub(crate) total: Total,
    /// What is made, for the metrics.
    pub(crate) made: String,
    /// How far it stands back behind others for the CPU: what nobody waits for lets by what is waited for.
    pub(crate) nice: i32,
}

/// What came of a run that ended well.
#[derive(Debug)]
pub(crate) struct Made<T> {
    /// What the sinks have made of the outputs, in their order.
    pub(crate) outputs: Vec<T>,
    /// The last of what ffmpeg said.
    pub(crate) log: Log,
}

/// Runs ffmpeg and gives each of its outputs, by number, to `sink`.
///
/// # Errors
/// A sink's own fault at once; else what the end of ffmpeg means.
///
/// # Cancellation
/// Kills ffmpeg's process group and ends the sinks.
pub(crate) async fn run<T, F>(
    attempt: &Attempt,
    run: Run<'_>,
    sink: impl Fn(usize, UnixStream) -> F + Send + Sync + 'static,
) -> Result<Made<T>, Fault>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Broken>> + Send + 'static,
{
    let sockets = Sockets::bind(attempt.worker.sockets.path(), &run.outputs)
        .map_err(|error| local("sockets", &error))?;
    let directory = sockets.directory.path();
    let hide = vec![run.source.to_owned(), directory.to_owned()];
    let ffmpeg = &attempt.worker.tools.ffmpeg;
    let started = process::start(ffmpeg, &run.arguments, Allowance::encode(run.nice), directory, hide);
    let (running, stdout) = started.map_err(|error| local("ffmpeg", &error))?;

    let mut following = JoinSet::new();
    following.spawn(progress::follow(stdout, run.total, running.log().clone(), attempt.pulse.clone()));
    let (mut sinks, sink) = (JoinSet::new(), Arc::new(sink));
    for (number, listener) in sockets.listeners.into_iter().enumerate() {
        let sink = sink.clone();
        sinks.spawn(async move {
            let (stream, _) = listener.accept().await?;
            sink(number, stream).await.map(|made| (number, made))
        });
    }

    let (mut made, mut broken) = (Vec::with_capacity(run.outputs.len()), None);
    let mut ends = |sunk: Result<Result<(usize, T), Broken>, JoinError>| match sunk {
        Ok(Ok(sunk)) => {
            made.push(sunk);
            Ok(())
        }
        Ok(Err(Broken::Bytes(why))) => {
            broken.get_or_insert(why);
            Ok(())
        }
        Ok(Err(Broken::Fault(fault))) => Err(fault),
        Err(error) => Err(local("sink", &io::Error::other(error))),
    };
    let exit = running.wait();
    pin!(exit);
    let exit = loop {
        tokio::select! {
            biased;
            Some(sunk) = sinks.join_next(), if !sinks.is_empty() => ends(sunk)?,
            exit = &mut exit => break exit.map_err(|error| local("ffmpeg", &error))?,
        }
    };
    attempt.worker.metrics.cpu(
        &format!("{:?}", attempt.claim.work.kind()).to_lowercase(),
        &run.made,
        exit.cpu_s,
    );
    if !exit.status.success() {
        return Err(match broken.filter(|_| exit.log.says("Broken pipe")) {
            Some(why) => unusable(&why, &exit),
            None => judge(&exit),
        });
    }
    // It has ended well, so each output was connected and closed: what is left is to store the rest.
    while let Some(sunk) = sinks.join_next().await {
        ends(sunk)?;
    }
    if let Some(why) = broken {
        return Err(unusable(&why, &exit));
    }
    made.sort_by_key(|(number, _)| *number);
    Ok(Made { outputs: made.into_iter().map(|(_, made)| made).collect(), log: exit.log })
}

/// Sockets named after the outputs, in a directory nobody else can enter.
#[derive(Debug)]
struct Sockets {
    directory: TempDir,
    listeners: Vec<UnixListener>,
}

impl Sockets {
    fn bind(home: &Path, names: &[String]) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("").tempdir_in(home)?;
        let bind = |name: &String| UnixListener::bind(directory.path().join(name));
        let listeners = names.iter().map(bind).collect::<io::Result<_>>()?;
        Ok(Self { directory, listeners })
    }
}

fn unusable(why: &str, exit: &Exit) -> Fault {
    tracing::warn!(why, "ffmpeg.unusable");
    Fault::transient("encoder_output", "What the encoder made cannot be used.")
        .log(format!("{why}\n{}", exit.log.text()))
}

/// Words of ffmpeg that blame the file.
const BLAMES_THE_FILE: [&str; 10] = [
    "Invalid data found",
    "Error while decoding",
    "Error decoding",
    "moov atom not found",
    "matches no streams",
    "does not contain any stream",
    "could not find codec parameters",
    "Decoder (",
    "Error opening input",
    "Not yet implemented",
];

/// What it means that ffmpeg failed: only what it says about the file itself is held against the file.
fn judge(exit: &Exit) -> Fault {
    let says = |words: &str| exit.log.says(words);
    let fault = if let Some(signal) = exit.status.signal() {
        tracing::warn!(signal, "ffmpeg.killed");
        Fault::transient("encoder_killed", "The encoder was ended from outside.")
    } else if says("No space left on device") {
        Fault::transient("disk_full", "The worker's disk is full.")
    } else if says("Cannot allocate memory") {
        Fault::transient("out_of_memory", "The encoder ran out of memory.")
    } else if BLAMES_THE_FILE.into_iter().any(says) {
        Fault::permanent("decode_failed", "The file cannot be decoded.")
    } else {
        Fault::transient("encoder_failed", "The encoder failed.")
    };
    fault.log(exit.log.text())
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;
    use crate::log::SharedLog;

    fn exit(status: i32, said: &str) -> Exit {
        let log = SharedLog::new(Vec::new());
        log.write(said.as_bytes());
        Exit { status: ExitStatus::from_raw(status), cpu_s: 0.0, log: log.take() }
    }

    #[test]
    fn only_what_is_said_about_the_file_is_held_against_it() {
        for (status, said, permanent, code) in [
            (9, "[error] Invalid data found when processing input", false, "encoder_killed"),
            (256, "[error] file:SOURCE: Invalid data found when processing input", true, "decode_failed"),
            (256, "[error] av_interleaved_write_frame(): No space left on device", false, "disk_full"),
            (256, "[fatal] Cannot allocate memory", false, "out_of_memory"),
            (256, "[error] something else", false, "encoder_failed"),
        ] {
            let Fault::Failed(failure) = judge(&exit(status, said)) else { panic!("{said}") };
            assert_eq!((failure.permanent, failure.code.as_str()), (permanent, code), "{said}");
            assert_eq!(failure.log, said);
        }
    }
}
