//! The library's front: options in, events out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidegate_serve::ambient::{Clock, Entropy};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use crate::error::UploadError;
use crate::events::{Event, Events, Finished, Playable, Reporter};
use crate::pace::Pace;
use crate::session::Job;
use crate::target::Target;
use crate::token::Token;
use crate::transport::{Transport, TransportOptions};
use crate::upload::{self, Plant};
use crate::{journal, limits, playable};

/// How to upload.
#[derive(Debug, Clone)]
pub struct UploadOptions {
    /// The server: its base address (`http://host:8080`) or its creation endpoint (`http://host:8080/files`).
    pub to: String,
    /// The API token, sent to that server only.
    pub token: Option<Token>,
    /// Parts of one file sent at once, at most [`limits::PARTS_MAX`].
    pub parallel: usize,
    /// Bytes in one request at most; `None` sends the rest of a part in one.
    pub chunk: Option<u64>,
    /// Bytes per second over all parts, at least [`limits::RATE_MIN`].
    pub limit_rate: Option<u64>,
    /// Where journals are kept; `None` keeps none: a later process then begins anew.
    pub journal: Option<PathBuf>,
    /// Time without progress after which to give up; `None` never does.
    pub give_up_after: Option<Duration>,
    /// No byte taken and no answer for this long is a failure.
    pub stall: Duration,
    /// The name the server is told; `None` takes the file's.
    pub name: Option<String>,
    /// Asks for what is made of a video for playing to be encrypted (HLS AES-128).
    pub encrypt: bool,
    /// PEM certificates trusted besides the system's.
    pub ca_certificates: Option<Vec<u8>>,
    /// Randomness of the delays between attempts.
    pub entropy: Entropy,
    /// For `Retry-After` dates.
    pub clock: Clock,
}

impl UploadOptions {
    /// The defaults, for the server at `to`.
    pub fn new(to: impl Into<String>) -> Self {
        Self {
            to: to.into(),
            token: None,
            parallel: 1,
            chunk: None,
            limit_rate: None,
            journal: journal::default_dir(),
            give_up_after: None,
            stall: limits::STALL_TIMEOUT,
            name: None,
            encrypt: false,
            ca_certificates: None,
            entropy: Entropy::system(),
            clock: Clock::system(),
        }
    }
}

/// Uploads files to one server.
#[derive(Debug)]
pub struct Uploader {
    plant: Plant,
}

impl Uploader {
    /// Checks the options and sets the connection pool up; nothing is sent yet. To be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`UploadError::Usage`] for options that cannot work.
    pub fn new(options: UploadOptions) -> Result<Self, UploadError> {
        if options.chunk == Some(0) {
            return Err(UploadError::Usage("a chunk has at least one byte".into()));
        }
        let transport = TransportOptions {
            target: Target::parse(&options.to)?,
            token: options.token,
            stall: options.stall,
            ca_certificates: options.ca_certificates,
            parallel: options.parallel,
        };
        let transport = Transport::new(transport, options.clock)?;
        Ok(Self {
            plant: Plant {
                transport: Arc::new(transport),
                journal: options.journal,
                parallel: options.parallel,
                chunk: options.chunk,
                pace: options.limit_rate.map(|rate| Arc::new(Pace::new(rate))),
                give_up_after: options.give_up_after,
                name: options.name,
                encrypt: options.encrypt,
                entropy: options.entropy,
            },
        })
    }

    /// Uploads the file at `path`, going on where an earlier call or process stopped, and tells `events`. The last
    /// event is [`Event::Finished`] or [`Event::Failed`], as the result.
    ///
    /// Cancel-safe: when the future is dropped, requests under way are cut, the server keeps the bytes that
    /// arrived, and the journal stays, so that a later call goes on. Readers of the file end shortly after. Without
    /// a journal a later call begins anew, and what this one created is left for the server to expire.
    ///
    /// # Errors
    /// [`UploadError`]. What can heal is tried again inside, for as long as `give_up_after` allows.
    pub async fn upload(&self, path: &Path, events: &mut impl Events) -> Result<Finished, UploadError> {
        let file = path.display().to_string();
        let result = self.drive(path, file.clone(), events).await;
        match &result {
            Ok(finished) => events.event(&Event::Finished(finished.clone())),
            Err(error) => events.event(&Event::Failed {
                file,
                code: error.code(),
                exit_code: error.exit_code() as u8,
                message: error.to_string(),
            }),
        }
        result
    }

    /// Waits until what was uploaded can be played, and tells `events`. The last event is [`Event::Playable`] or
    /// [`Event::Failed`], as the result. Takes a token: the server tells an asset's state to its owner.
    ///
    /// Cancel-safe: nothing is changed by waiting.
    ///
    /// # Errors
    /// [`UploadError::NotPlayable`] and what the server refuses. What can heal is tried again inside, for as long as
    /// `give_up_after` allows.
    pub async fn wait(&self, finished: &Finished, events: &mut impl Events) -> Result<Playable, UploadError> {
        let waited = playable::wait(&self.plant.transport, finished, self.plant.give_up_after, events).await;
        match &waited {
            Ok(playable) => events.event(&Event::Playable(playable.clone())),
            Err(error) => events.event(&Event::Failed {
                file: finished.file.clone(),
                code: error.code(),
                exit_code: error.exit_code() as u8,
                message: error.to_string(),
            }),
        }
        waited
    }

    async fn drive(
        &self,
        path: &Path,
        file: String,
        events: &mut impl Events,
    ) -> Result<Finished, UploadError> {
        let (reporter, mut queue) = Reporter::new(file.clone());
        let job = {
            let mut preparing = std::pin::pin!(upload::prepare(&self.plant, path, reporter));
            loop {
                tokio::select! {
                    job = &mut preparing => break job?,
                    Some(event) = queue.recv() => events.event(&event),
                }
            }
        };
        let mut work = AbortOnDropHandle::new(tokio::spawn(upload::run(job.clone())));
        let mut tick = interval(limits::PROGRESS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rate = Rate::default();
        let ended = loop {
            tokio::select! {
                biased;
                Some(event) = queue.recv() => events.event(&event),
                ended = &mut work => break ended,
                _ = tick.tick() => events.event(&rate.progress(&job, &file)),
            }
        };
        while let Ok(event) = queue.try_recv() {
            events.event(&event);
        }
        let result =
            ended.map_err(|error| UploadError::Internal(format!("the upload's task failed: {error}")))?;
        if result.is_ok() {
            events.event(&rate.progress(&job, &file));
        }
        result
    }
}

/// The recent rate: an average that forgets half of the past each few seconds.
#[derive(Debug, Default)]
struct Rate {
    last: Option<(Instant, u64)>,
    weighted: f64,
    /// How much of the average is made of what was measured; without it the beginning would count as standstill.
    weight: f64,
}

impl Rate {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people; positive and far below 2^53"
    )]
    fn progress(&mut self, job: &Job, file: &str) -> Event {
        let sum =
            |of: fn(&crate::meter::PartMeter) -> u64| job.meters.iter().map(|meter| of(meter)).sum::<u64>();
        let (sent, confirmed, size) = (sum(|m| m.position()), sum(|m| m.confirmed()), job.source.size());
        let now = Instant::now();
        if let Some((then, before)) = self.last {
            let seconds = (now - then).as_secs_f64().max(1e-3);
            let current = sent.saturating_sub(before) as f64 / seconds;
            let share = 1.0 - (-seconds / 3.0).exp();
            self.weighted += (current - self.weighted) * share;
            self.weight += (1.0 - self.weight) * share;
        }
        self.last = Some((now, sent));
        let bytes_per_second = if self.weight > 0.0 { self.weighted / self.weight } else { 0.0 };
        let left = size.saturating_sub(sent) as f64 / bytes_per_second;
        Event::Progress {
            file: file.to_owned(),
            sent_bytes: sent,
            confirmed_bytes: confirmed,
            size_bytes: size,
            bytes_per_second: bytes_per_second as u64,
            seconds_left: (left.is_finite() && left < 1e9).then_some(left.ceil() as u64),
        }
    }
}
