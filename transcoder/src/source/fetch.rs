//! Fetching a source: gone on with where it stopped, hashed as it comes, checked when whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::IntCounter;
use tidegate_wire::Digest;
use tidegate_wire::job::Source;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use crate::api::{Api, CallError};
use crate::failure::Fault;
use crate::limits;
use crate::pulse::Pulse;

use super::scratch_fault;

/// How much of a source is there. The bytes before `written` are on the disk and in the hasher; a fetch that was
/// dropped between the two leaves bytes behind `written`, which the next one writes over.
#[derive(Debug)]
pub(super) struct Fetched {
    path: PathBuf,
    written: u64,
    hasher: blake3::Hasher,
    whole: Arc<AtomicBool>,
}

impl Fetched {
    /// Nothing yet.
    pub(super) fn new(path: PathBuf, whole: Arc<AtomicBool>) -> Self {
        Self { path, written: 0, hasher: blake3::Hasher::new(), whole }
    }

    /// Whether all of it is there, and right.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Acquire)
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(false).open(&self.path)?;
        file.set_len(self.written)?;
        file.seek(SeekFrom::Start(self.written))?;
        Ok(file)
    }

    /// Takes the next bytes. Into the page cache: this does not wait for the disk.
    fn take(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Fetches what is missing, over as many connections as it takes.
    pub(super) async fn fetch(
        &mut self,
        api: &Api,
        source: &Source,
        pulse: &Pulse,
        fetched_bytes: &IntCounter,
    ) -> Result<(), Fault> {
        let digest = digest(source)?;
        let (mut failures, mut since) = (0, Instant::now());
        while self.written < source.size_bytes {
            let before = self.written;
            match self.go_on(api, source, &digest, pulse).await {
                Ok(()) => {}
                Err(Stop::Call(CallError::Away(why))) => {
                    tracing::debug!(why, offset = self.written, "source.interrupted");
                    if self.written > before {
                        (failures, since) = (0, Instant::now());
                    } else if since.elapsed() >= limits::ORIGIN_PATIENCE {
                        return Err(CallError::Away(why).into_fault());
                    }
                    pulse.moved();
                    api.pause(failures).await;
                    failures += 1;
                }
                Err(Stop::Call(error)) => return Err(error.into_fault()),
                Err(Stop::Disk(error)) => return Err(scratch_fault(&error)),
            }
            fetched_bytes.inc_by(self.written - before);
        }
        self.check(&digest)
    }

    /// One connection's worth.
    async fn go_on(
        &mut self,
        api: &Api,
        source: &Source,
        digest: &Digest,
        pulse: &Pulse,
    ) -> Result<(), Stop> {
        let mut file = self.open().map_err(Stop::Disk)?;
        let mut response = api.source(&source.path, self.written, digest).await.map_err(Stop::Call)?;
        while self.written < source.size_bytes {
            let piece = timeout(limits::FETCH_STALL, response.chunk()).await;
            let piece = piece.map_err(|_| CallError::Away("no byte".into()))?;
            let piece = piece.map_err(|error| CallError::Away(error.without_url().to_string()))?;
            let piece = piece.ok_or_else(|| CallError::Away("it ended before its time".into()))?;
            if self.written + piece.len() as u64 > source.size_bytes {
                return Err(CallError::Nonsense("the source is longer than was said".into()).into());
            }
            self.take(&mut file, &piece).map_err(Stop::Disk)?;
            pulse.moved();
        }
        Ok(())
    }

    /// Puts the source together from its files in the store.
    pub(super) async fn copy(
        &mut self,
        parts: &[PathBuf],
        source: &Source,
        pulse: &Pulse,
    ) -> Result<(), Fault> {
        let digest = digest(source)?;
        self.begin_anew();
        let mut file = self.open().map_err(|error| scratch_fault(&error))?;
        let mut buffer = vec![0; limits::COPY_BYTES];
        for part in parts {
            let mut part = File::open(part).map_err(|error| scratch_fault(&error))?;
            loop {
                let count = part.read(&mut buffer).map_err(|error| scratch_fault(&error))?;
                if count == 0 {
                    break;
                }
                self.take(&mut file, &buffer[..count]).map_err(|error| scratch_fault(&error))?;
                pulse.moved();
                yield_now().await;
            }
        }
        self.check(&digest)
    }

    fn begin_anew(&mut self) {
        self.written = 0;
        self.hasher.reset();
    }

    fn check(&mut self, digest: &Digest) -> Result<(), Fault> {
        if self.hasher.finalize().as_bytes() == digest.as_bytes() {
            self.whole.store(true, Ordering::Release);
            return Ok(());
        }
        self.begin_anew();
        tracing::error!(%digest, "source.digest_mismatch");
        Err(Fault::transient("source_mismatch", "What the worker fetched is not what was uploaded."))
    }
}

enum Stop {
    Call(CallError),
    Disk(io::Error),
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

fn digest(source: &Source) -> Result<Digest, Fault> {
    let nonsense = |_| CallError::Nonsense("the source's digest is none".into()).into_fault();
    source.digest.parse().map_err(nonsense)
}
