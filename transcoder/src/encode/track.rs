//! One output of the encoder on its way to the origin: cut into segments, stored as they become whole, written down
//! in a [`TrackPart`] in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;
use tidegate_packager::encryption::Key;
use tidegate_packager::fragments::{Init, Options, Output, Segment, Splitter};
use tidegate_wire::track::{self, TrackPart};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};

use crate::attempt::Attempt;
use crate::failure::{Fault, local};
use crate::ffmpeg::Broken;
use crate::limits;

/// What is to become of an output.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The track's name.
    pub(super) track: String,
    /// Which part of it this is.
    pub(super) chunk: u32,
    /// How it is cut.
    pub(super) options: Options,
    /// Whether the origin wants to know of each segment.
    pub(super) live: bool,
    /// Encrypts segments.
    pub(super) key: Option<Key>,
}

/// Reads an output to its end; the part it has become, `None` where the encoder wrote nothing at all.
pub(super) async fn sink(
    attempt: Attempt,
    plan: Plan,
    stores: Arc<Semaphore>,
    mut stream: UnixStream,
) -> Result<Option<TrackPart>, Broken> {
    let mut splitter = Splitter::new(plan.options.clone());
    let mut track =
        Track { attempt, plan, stores, part: None, cut: 0, storing: JoinSet::new(), ahead: BTreeMap::new() };
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(limits::OUTPUT_READ_BYTES);
        let count = tokio::select! {
            count = stream.read_buf(&mut buffer) => count?,
            Some(stored) = track.storing.join_next(), if !track.storing.is_empty() => {
                track.stored(stored)?;
                continue;
            }
        };
        if count == 0 {
            break;
        }
        track.attempt.pulse.moved();
        let outputs = splitter.push(buffer.split().freeze());
        for output in outputs.map_err(|error| Broken::Bytes(error.to_string()))? {
            track.take(output).await?;
        }
    }
    for output in splitter.finish().map_err(|error| Broken::Bytes(error.to_string()))? {
        track.take(output).await?;
    }
    Ok(track.finish().await?)
}

/// A segment that is stored: its place in the part, and what stands in the part about it.
type Stored = (usize, track::Segment);

struct Track {
    attempt: Attempt,
    plan: Plan,
    /// Shared by the outputs of a job: no more files than this many are on their way.
    stores: Arc<Semaphore>,
    part: Option<TrackPart>,
    /// Segments cut so far.
    cut: usize,
    storing: JoinSet<Result<Stored, Fault>>,
    /// Stored before one that comes before it.
    ahead: BTreeMap<usize, track::Segment>,
}

impl Track {
    async fn take(&mut self, output: Output) -> Result<(), Fault> {
        match output {
            Output::Init(init) => self.begin(init).await,
            Output::Segment(segment) => self.store(segment).await,
        }
    }

    async fn begin(&mut self, init: Init) -> Result<(), Fault> {
        let track = &self.plan.track;
        let part = TrackPart {
            track: track.clone(),
            chunk: self.plan.chunk,
            dir: format!("{}/{track}", self.attempt.claim.dir),
            format: init.format,
            init_size_bytes: init.bytes.len() as u64,
            init_digest: blake3::hash(&init.bytes).to_hex().to_string(),
            segments: Vec::new(),
            whole: false,
        };
        self.attempt.store(&format!("{track}/init.mp4"), init.bytes).await?;
        self.part = Some(part);
        Ok(())
    }

    /// Sends a segment on its way, once there is room on it. The encoder waits as long.
    async fn store(&mut self, segment: Segment) -> Result<(), Fault> {
        let permit = self.permit().await?;
        let segment = self.plan.key.as_ref().map(|key| key.encrypt(&segment)).unwrap_or(segment);
        let index = self.cut;
        self.cut += 1;
        let (attempt, path) = (self.attempt.clone(), format!("{}/{index:05}.m4s", self.plan.track));
        self.storing.spawn(async move {
            attempt.store(&path, segment.to_bytes()).await?;
            drop(permit);
            Ok((index, segment.entry))
        });
        Ok(())
    }

    async fn permit(&mut self) -> Result<OwnedSemaphorePermit, Fault> {
        loop {
            tokio::select! {
                permit = self.stores.clone().acquire_owned() => {
                    return permit.map_err(|error| local("permit", &std::io::Error::other(error)));
                }
                Some(stored) = self.storing.join_next(), if !self.storing.is_empty() => self.stored(stored)?,
            }
        }
    }

    fn stored(&mut self, stored: Result<Result<Stored, Fault>, JoinError>) -> Result<(), Fault> {
        let (index, entry) = stored.map_err(|error| local("store", &std::io::Error::other(error)))??;
        self.ahead.insert(index, entry);
        let Some(part) = &mut self.part else { return Ok(()) };
        let before = part.segments.len();
        while let Some(entry) = self.ahead.remove(&part.segments.len()) {
            part.segments.push(entry);
        }
        if self.plan.live && part.segments.len() > before {
            self.attempt.pulse.grown(part.clone());
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Option<TrackPart>, Fault> {
        while let Some(stored) = self.storing.join_next().await {
            self.stored(stored)?;
        }
        if let Some(part) = &mut self.part {
            part.whole = true;
        }
        Ok(self.part)
    }
}
