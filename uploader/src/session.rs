//! One part on its way: create it, ask where it stands, send, confirm; after a failure ask again and go on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Url;
use tidegate_serve::ambient::Entropy;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::body::FileBody;
use crate::digest::{Digester, Lane};
use crate::error::{Refusal, UploadError};
use crate::events::{Event, Reporter};
use crate::ledger::Ledger;
use crate::limits;
use crate::meter::PartMeter;
use crate::pace::Pace;
use crate::patience::{Heal, Patience};
use crate::plan::Part;
use crate::reader::Reading;
use crate::retry::{Failure, Operation};
use crate::source::Source;
use crate::transport::{NewUpload, Sending, Transport};
use crate::tus::Fields;

/// What all parts of one upload share.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) source: Arc<Source>,
    pub(crate) transport: Arc<Transport>,
    pub(crate) ledger: Ledger,
    pub(crate) digester: Arc<Digester>,
    pub(crate) meters: Vec<Arc<PartMeter>>,
    pub(crate) pace: Option<Arc<Pace>>,
    pub(crate) reporter: Reporter,
    pub(crate) entropy: Entropy,
    pub(crate) metadata: String,
    pub(crate) chunk: Option<u64>,
    pub(crate) give_up_after: Option<Duration>,
}

impl Job {
    pub(crate) fn patience(&self, part: usize) -> Patience {
        Patience::new(part, self.reporter.clone(), self.entropy.clone(), self.give_up_after)
    }

    /// Writes the journal; a disk that does not take it is worth a warning, not the upload.
    pub(crate) async fn record(&self, change: impl FnOnce(&mut crate::journal::Record)) {
        if let Err(error) = self.ledger.write(change).await {
            let message =
                format!("the journal cannot be written, a restart will not find this upload: {error}");
            self.reporter.warn("journal_unavailable", message).await;
        }
    }
}

/// Where the part is.
enum Step {
    Create { with_body: bool },
    Confirm(Url),
    Send(Url, u64),
    Done(Url, Box<Fields>),
}

/// One part's way to the server.
pub(crate) struct Session {
    job: Arc<Job>,
    index: usize,
    part: Part,
    /// One of several, joined at the end.
    partial: bool,
    meter: Arc<PartMeter>,
    lane: Option<Arc<Mutex<Lane>>>,
    prefix: Option<Prefix>,
    patience: Patience,
    acknowledged: u64,
    recorded_at: Instant,
    anew: u32,
}

/// The hashing of what an earlier process sent, beside the sending of the rest.
struct Prefix {
    task: AbortOnDropHandle<Result<(), UploadError>>,
    /// A blocking task cannot be aborted; it looks at this.
    _stop: tokio_util::sync::DropGuard,
}

impl Session {
    pub(crate) fn new(job: Arc<Job>, index: usize, part: Part, partial: bool) -> Self {
        let patience = job.patience(index);
        let meter = job.meters.get(index).cloned().unwrap_or_default();
        let acknowledged =
            job.ledger.look(|record| record.parts.get(index).map_or(0, |part| part.acknowledged));
        let recorded_at = Instant::now();
        Self {
            job,
            index,
            part,
            partial,
            meter,
            lane: None,
            prefix: None,
            patience,
            acknowledged,
            recorded_at,
            anew: 0,
        }
    }

    /// Uploads the part and hashes it. Returns its address and what the server said when it was complete.
    ///
    /// A cancelled call leaves the journal, with which a later one goes on.
    ///
    /// # Errors
    /// [`UploadError`]; whatever can heal is tried again inside.
    pub(crate) async fn run(mut self) -> Result<(Url, Fields), UploadError> {
        let small = !self.partial && (1..=limits::CREATE_WITH_BODY_MAX).contains(&self.part.len);
        let mut step = match self.job.ledger.url(self.index) {
            Some(url) => Step::Confirm(url),
            None => Step::Create { with_body: small },
        };
        loop {
            step = match step {
                Step::Create { with_body } => self.create(with_body).await?,
                Step::Confirm(url) => self.confirm(url).await?,
                Step::Send(url, offset) => self.send(url, offset).await?,
                Step::Done(url, fields) => {
                    self.hash_the_rest().await?;
                    return Ok((url, *fields));
                }
            }
        }
    }

    async fn create(&mut self, with_body: bool) -> Result<Step, UploadError> {
        let job = self.job.clone();
        let new = NewUpload {
            length: self.part.len,
            metadata: (!self.partial).then_some(job.metadata.as_str()),
            part_offset: self.partial.then_some(self.part.start),
        };
        // A file that changed since it was opened is not even begun.
        self.check_source().await?;
        let sending = if with_body { Some(self.body(0, self.part.len)) } else { None };
        let operation = if with_body { Operation::CreateWithBody } else { Operation::Create };
        match job.transport.create(new, sending, &self.meter).await {
            Ok((url, fields)) => {
                let text = url.to_string();
                self.acknowledged = 0;
                self.job
                    .record(|record| {
                        if let Some(part) = record.parts.get_mut(self.index) {
                            (part.url, part.acknowledged) = (Some(text), 0);
                        }
                    })
                    .await;
                self.say_created(&url).await;
                self.patience.progress();
                let offset = fields.offset.unwrap_or(0);
                self.arrived(url, offset, fields).await
            }
            Err(failure) => match self.patience.after(operation, failure).await? {
                // The answer may be lost with the asset complete: from here on the upload is made empty first, so
                // that what another lost answer leaves behind is empty too.
                Heal::Again | Heal::CreateEmpty | Heal::Anew => Ok(Step::Create { with_body: false }),
            },
        }
    }

    async fn confirm(&mut self, url: Url) -> Result<Step, UploadError> {
        match self.job.transport.confirm(&url).await {
            Ok((_, fields)) if fields.length.is_some_and(|length| length != self.part.len) => {
                self.begin_anew(&format!("what is at {url} has another length")).await
            }
            Ok((offset, fields)) => {
                if offset < self.acknowledged {
                    let lost = self.acknowledged - offset;
                    let message =
                        format!("the server lost {lost} bytes that it had confirmed; they are sent again");
                    self.job.reporter.warn("server_lost_bytes", message).await;
                    self.acknowledged = offset;
                }
                self.arrived(url, offset, fields).await
            }
            Err(failure) => self.heal(url, Operation::Confirm, failure).await,
        }
    }

    async fn send(&mut self, url: Url, offset: u64) -> Result<Step, UploadError> {
        let end =
            self.job.chunk.map_or(self.part.len, |chunk| offset.saturating_add(chunk).min(self.part.len));
        let sending = self.body(offset, end - offset);
        match self.job.transport.send(&url, offset, sending, &self.meter).await {
            Ok((now, _)) if now <= offset => {
                let failure = Failure::NotTus(format!(
                    "it took a request with {} bytes and none of them",
                    end - offset
                ));
                self.heal(url, Operation::Send, failure).await
            }
            Ok((now, fields)) => self.arrived(url, now, fields).await,
            Err(failure) => self.heal(url, Operation::Send, failure).await,
        }
    }

    /// The server says that it has everything below `offset`.
    async fn arrived(&mut self, url: Url, offset: u64, fields: Fields) -> Result<Step, UploadError> {
        if offset > self.part.len {
            let len = self.part.len;
            return Err(UploadError::Protocol(format!("it has {offset} bytes of an upload of {len}")));
        }
        self.start_lane(offset);
        self.meter.confirm(offset);
        if offset > self.acknowledged {
            self.acknowledged = offset;
            self.patience.progress();
            self.record_progress().await;
        }
        if offset == self.part.len {
            Ok(Step::Done(url, Box::new(fields)))
        } else {
            Ok(Step::Send(url, offset))
        }
    }

    async fn heal(&mut self, url: Url, operation: Operation, failure: Failure) -> Result<Step, UploadError> {
        let reason = failure.reason();
        match self.patience.after(operation, failure).await? {
            Heal::Again | Heal::CreateEmpty => Ok(Step::Confirm(url)),
            Heal::Anew => self.begin_anew(&reason).await,
        }
    }

    async fn begin_anew(&mut self, reason: &str) -> Result<Step, UploadError> {
        self.anew += 1;
        if self.anew > limits::ANEW_MAX {
            let detail = Some(format!("it loses the upload again and again; the last time: {reason}"));
            return Err(UploadError::Refused(Refusal { status: 404, code: None, detail }));
        }
        let what = if self.partial { format!("part {} ", self.index) } else { String::new() };
        let message = format!("the server does not have the upload any more, {what}begins anew: {reason}");
        self.job.reporter.warn("upload_lost", message).await;
        self.meter.confirm(0);
        if self.anew > 1 {
            // Not at full speed against a server that answers 404 to what it has just created.
            let failure = Failure::NotTus(reason.to_owned());
            self.patience.after(Operation::Confirm, failure).await?;
        }
        Ok(Step::Create { with_body: false })
    }

    fn body(&mut self, offset: u64, len: u64) -> Sending {
        let lane = self.start_lane(offset);
        let reading = Reading { source: self.job.source.clone(), lane, pace: self.job.pace.clone() };
        let begin = self.part.start + offset;
        FileBody::new(reading.start(begin..begin + len), self.meter.clone(), offset, len)
    }

    /// Begins to hash: what is sent from here on while it is sent, what was sent before beside it. The first call
    /// decides where the two meet.
    fn start_lane(&mut self, offset: u64) -> Arc<Mutex<Lane>> {
        if let Some(lane) = &self.lane {
            return lane.clone();
        }
        let job = &self.job;
        let meet = job.digester.boundary(self.part.start + offset).min(self.part.end());
        let meet = if offset == 0 { self.part.start } else { meet };
        if meet > self.part.start {
            self.prefix = Some(hash_prefix(job, self.part.start, meet));
        }
        let lane = Arc::new(Mutex::new(Lane::new(job.digester.clone(), meet)));
        self.lane = Some(lane.clone());
        lane
    }

    async fn hash_the_rest(&mut self) -> Result<(), UploadError> {
        let failed =
            |error: tokio::task::JoinError| UploadError::Internal(format!("hashing failed: {error}"));
        if let Some(prefix) = self.prefix.take() {
            prefix.task.await.map_err(failed)??;
        }
        // A server that has more than was sent from here leaves a stretch that no body has passed.
        let (lane, source, end) = (self.start_lane(self.part.len), self.job.source.clone(), self.part.end());
        let rest = tokio::task::spawn_blocking(move || {
            let mut lane = lane.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            lane.catch_up(source.file(), end, || true).map_err(|error| source.read_error(error))
        });
        rest.await.map_err(failed)?
    }

    async fn check_source(&self) -> Result<(), UploadError> {
        let source = self.job.source.clone();
        let check = tokio::task::spawn_blocking(move || source.unchanged()).await;
        check.map_err(|error| UploadError::Internal(format!("looking at the file failed: {error}")))?
    }

    async fn record_progress(&mut self) {
        let (index, acknowledged) = (self.index, self.acknowledged);
        let change = |record: &mut crate::journal::Record| {
            if let Some(part) = record.parts.get_mut(index) {
                part.acknowledged = acknowledged;
            }
        };
        if self.recorded_at.elapsed() < limits::JOURNAL_EVERY {
            self.job.ledger.change(change);
        } else {
            self.job.record(change).await;
            self.recorded_at = Instant::now();
        }
    }

    async fn say_created(&self, url: &Url) {
        let reporter = &self.job.reporter;
        let event = Event::Created {
            file: reporter.file(),
            url: url.to_string(),
            part: self.index,
            parts: self.job.meters.len(),
            size_bytes: self.job.source.size(),
        };
        reporter.say(event).await;
    }
}

fn hash_prefix(job: &Job, start: u64, end: u64) -> Prefix {
    let (digester, source, stop) = (job.digester.clone(), job.source.clone(), CancellationToken::new());
    let stopped = stop.clone();
    let task = tokio::task::spawn_blocking(move || {
        let mut lane = Lane::new(digester, start);
        lane.catch_up(source.file(), end, || !stopped.is_cancelled())
            .map_err(|error| source.read_error(error))
    });
    Prefix { task: AbortOnDropHandle::new(task), _stop: stop.drop_guard() }
}
