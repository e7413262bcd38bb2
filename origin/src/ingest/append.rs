//! Appending a body to an upload.

use std::sync::Arc;

use tidegate_wire::{AssetId, Code, Problem};
use tokio_util::sync::CancellationToken;

use super::commit::commit;
use super::finish::resume_digest;
use super::open::{Found, OpenUpload, open};
use super::pump::{End, Pump, Pumped, Stops, brings_bytes, drain};
use super::{Caller, IngestError, Progress, quota};
use crate::app::App;
use crate::catalog::uploads;
use crate::limits;
use crate::protocol::UploadView;
use crate::protocol::decide::{AppendPlan, decide_append};
use crate::protocol::tus::{Append, Create, CreateKind};
use crate::store::{Segment, SegmentWriter, StoreError, total_bytes};

/// A request body.
pub type Body = axum::body::Body;

/// Appends `body` to an upload and completes it if that was the last of it. What arrives is kept whatever happens
/// to the request; an error tells why it ended early.
///
/// # Errors
/// The rules' refusals (nothing is changed then), `upload_taken_over`, `shutting_down`, `upload_interrupted`,
/// `storage_full`, and what the catalogue and the store say.
pub async fn append(
    app: &Arc<App>,
    id: AssetId,
    caller: Caller,
    append: Append,
    body: Body,
    closing: CancellationToken,
) -> Result<Progress, IngestError> {
    let task = Task { app: app.clone(), id, caller, append, closing, ends_upload: false };
    super::outcome(app.tasks.spawn(task.run(body))).await
}

/// Makes an upload that is this body and nothing else, complete when the body ends. If it does not end well nothing
/// of it stays, also when nobody waits for the answer any more.
///
/// # Errors
/// As [`create`](super::create()) and [`append`].
pub async fn plain(
    app: &Arc<App>,
    caller: Caller,
    create: Create,
    mut body: Body,
    closing: CancellationToken,
) -> Result<Progress, IngestError> {
    let app = app.clone();
    let tasks = app.tasks.clone();
    let task = async move {
        let id = match super::create(&app, &caller, &create).await {
            Ok(id) => id,
            Err(error) => {
                drain(&mut body).await;
                return Err(error);
            }
        };
        let body_length = match create.kind {
            CreateKind::Single { length } => length,
            CreateKind::Partial { .. } | CreateKind::Final { .. } => None,
        };
        let append = Append { offset: 0, body_length, upload_length: None };
        let task = Task { app: app.clone(), id, caller: caller.clone(), append, closing, ends_upload: true };
        let outcome = task.run(body).await;
        if outcome.is_err()
            && let Err(left) = super::terminate::end(&app, id, &caller).await
        {
            tracing::debug!(error = &left as &dyn std::error::Error, upload.id = %id, "upload.left_behind");
        }
        outcome
    };
    super::outcome(tasks.spawn(task)).await
}

struct Task {
    app: Arc<App>,
    id: AssetId,
    caller: Caller,
    append: Append,
    closing: CancellationToken,
    /// Whether the end of the body is the end of the upload.
    ends_upload: bool,
}

impl Task {
    async fn run(self, mut body: Body) -> Result<Progress, IngestError> {
        let (mut open, plan, short_of_quota) = match self.admit().await {
            Ok(Admitted::Write(open, plan, short_of_quota)) => (open, plan, short_of_quota),
            Ok(Admitted::Nothing(progress)) => {
                if brings_bytes(&mut body).await {
                    drain(&mut body).await;
                    return Err(Code::UploadBodyTooLong.into());
                }
                return Ok(progress);
            }
            Err(error) => {
                drain(&mut body).await;
                return Err(error);
            }
        };
        open.upload.length = plan.length;
        if open.offset > 0 {
            self.app.metrics.uploads.resumes.inc();
        }
        self.app.metrics.uploads.active.inc();
        let pumped = self.pump(&mut open, &mut body, plan, short_of_quota).await;
        self.app.metrics.uploads.active.dec();
        self.settle(open, pumped?, &mut body, short_of_quota).await
    }

    /// The lease, and the rules' word on what was asked.
    async fn admit(&self) -> Result<Admitted, IngestError> {
        let max = self.app.config.max_upload.0;
        match open(&self.app, self.id, &self.caller).await? {
            Found::Complete(upload) => {
                let size = upload.length.unwrap_or(0);
                let view = UploadView { kind: upload.kind, offset: size, length: Some(size) };
                decide_append(&view, &self.append, max)?;
                // A repeated last request without bytes: say again what it became.
                Ok(Admitted::Nothing(super::status::of_complete(&self.app, &upload).await?))
            }
            Found::Open(open) => {
                let decided = decide_append(&open.view(), &self.append, max);
                let outcome = match decided {
                    Ok(plan) => self.ask_quota(&open, plan).await,
                    Err(problem) => Err(problem.into()),
                };
                match outcome {
                    Ok((plan, short_of_quota)) => Ok(Admitted::Write(open, plan, short_of_quota)),
                    Err(error) => {
                        let fence = open.upload.fence;
                        open.lease.release(fence).await;
                        Err(error)
                    }
                }
            }
        }
    }

    /// Where the length was not known so far: the quota's word on how much may come, and whether it is the quota that
    /// ends the room.
    async fn ask_quota(
        &self,
        open: &OpenUpload,
        mut plan: AppendPlan,
    ) -> Result<(AppendPlan, bool), IngestError> {
        if open.upload.length.is_some() || open.upload.owner.is_none() {
            return Ok((plan, false));
        }
        let end = quota::settle(&self.app.catalog, &open.upload, plan.length).await?;
        let room = end.map_or(u64::MAX, |end| end.saturating_sub(open.offset));
        if plan.length.is_some() || room >= plan.room {
            return Ok((plan, false));
        }
        if self.append.body_length.is_some_and(|body| body > room) {
            return Err(Code::QuotaExceeded.into());
        }
        plan.room = room;
        Ok((plan, true))
    }

    /// Moves the body into the segment, with a checkpoint now and then.
    async fn pump(
        &self,
        open: &mut OpenUpload,
        body: &mut Body,
        plan: AppendPlan,
        short_of_quota: bool,
    ) -> Result<Pumped, IngestError> {
        let app = &*self.app;
        let digest = resume_digest(app, open).await?;
        let writer = open.writer.take().ok_or(StoreError::Missing)?;
        let sealed = total_bytes(&open.upload.segments);
        let stops = Stops { wanted: open.lease.wanted.clone(), closing: self.closing.clone() };
        let mut pump = Pump::new(app, writer, digest, plan.room);
        let mut told = open.offset;
        loop {
            let ended = pump.run(body, &stops, limits::HOT_OFFSET_EVERY_BYTES).await;
            if let Some(end) = ended {
                return Ok(pump.into_pumped(end).await?);
            }
            let offset = sealed + pump.written();
            app.tell_offset(&open.upload, offset);
            if offset - told >= limits::CHECKPOINT_EVERY_BYTES {
                if let Err(error) = pump.sync().await {
                    return Ok(pump.into_pumped(End::Failed(error)).await?);
                }
                // All that was hashed is in the segment now, and not before.
                let offset = sealed + pump.written();
                told = offset;
                let timer = app.metrics.uploads.checkpoint_seconds.start_timer();
                let checkpoint = pump.digest().checkpoint();
                match uploads::checkpoint(
                    &app.catalog,
                    &open.upload,
                    offset,
                    &checkpoint,
                    app.clock.unix_ms(),
                )
                .await
                {
                    Ok(true) => {}
                    Ok(false) => return Err(IngestError::Fenced),
                    // The bytes are on disk, which is the truth; only a crash now would mean more hashing.
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "checkpoint.failed");
                    }
                }
                timer.observe_duration();
                // Others of the account may have taken the room meanwhile.
                if short_of_quota && quota::is_over(&app.catalog, &open.upload).await {
                    return Ok(pump.into_pumped(End::TooLong).await?);
                }
            }
        }
    }

    /// Commits what came, gives the lease back, and says how it went.
    async fn settle(
        &self,
        mut open: Box<OpenUpload>,
        pumped: Pumped,
        body: &mut Body,
        short_of_quota: bool,
    ) -> Result<Progress, IngestError> {
        let app = &*self.app;
        let Pumped { writer, digest, received, end } = pumped;
        let mut digest = Some(digest);
        let (writer, synced) = writer.sync().await;
        // A file that is longer than it said is not the file that was meant. Bytes that could not be made durable
        // are perhaps there and perhaps not.
        let nothing_counts = matches!(end, End::TooLong) || synced.is_err();
        let failed = failure(end, synced, &open, short_of_quota);
        let kept = if nothing_counts {
            self.take_back(open, writer, received).await
        } else {
            open.offset = total_bytes(&open.upload.segments) + writer.len();
            if self.ends_upload && failed.is_none() {
                open.upload.length = Some(open.offset);
            }
            if failed.as_ref().is_some_and(|error| matches!(error, IngestError::Store(_))) {
                // It has seen bytes that are not there; the next request makes it from the last checkpoint.
                digest = None;
            }
            commit(app, open, digest).await
        };
        let Some(failed) = failed else { return kept };
        let failed = match kept {
            // A refusal says that nothing has changed: not before that is so.
            Err(error) if nothing_counts => error,
            _ => failed,
        };
        drain(body).await;
        Err(failed)
    }

    /// The upload stands again where this request began; none of its bytes were acknowledged. Its segment is cut
    /// there by raising the fence, as if someone else had taken over: only then can nobody else have counted on
    /// what is cut off.
    async fn take_back(
        &self,
        open: Box<OpenUpload>,
        writer: Box<dyn SegmentWriter>,
        received: u64,
    ) -> Result<Progress, IngestError> {
        let app = &*self.app;
        let OpenUpload { mut upload, lease, offset, .. } = *open;
        let kept = offset - total_bytes(&upload.segments);
        if kept > 0 {
            upload.segments.push(Segment { number: upload.fence, size_bytes: kept });
        }
        if !uploads::cut_back(&app.catalog, &upload, app.clock.unix_ms()).await? {
            return Err(IngestError::Fenced);
        }
        app.metrics.uploads.discarded_bytes.inc_by(received);
        // Room for others; what cannot be cut off is behind the segment's end, where nobody reads.
        let (_, outcome) = writer.rewind(kept).await;
        if let Err(error) = outcome {
            tracing::warn!(error = &error as &dyn std::error::Error, upload.id = %self.id, "segment.not_cut");
        }
        lease.release(upload.fence + 1).await;
        let expires_at = Some(super::expiry(app, app.clock.unix_ms()));
        Ok(Progress { id: upload.id, offset, length: upload.length, expires_at, completed: None })
    }
}

/// What the client is told of a body that did not end well.
fn failure(
    end: End,
    synced: Result<(), StoreError>,
    open: &OpenUpload,
    short_of_quota: bool,
) -> Option<IngestError> {
    match (end, synced) {
        (End::Failed(error), _) | (_, Err(error)) => Some(error.into()),
        (End::TooLong, _) if short_of_quota => Some(Code::QuotaExceeded.into()),
        (End::TooLong, _) if open.upload.length.is_none() => Some(Code::UploadTooLarge.into()),
        (End::TooLong, _) => Some(Code::UploadBodyTooLong.into()),
        (End::Wanted, _) => Some(Code::UploadTakenOver.into()),
        (End::Closing, _) => Some(retry_soon(Code::ShuttingDown)),
        (End::Stalled | End::Broken, _) => Some(retry_soon(Code::UploadInterrupted)),
        (End::Finished, _) => None,
    }
}

enum Admitted {
    /// With whether it is the quota that ends the room.
    Write(Box<OpenUpload>, AppendPlan, bool),
    Nothing(Progress),
}

fn retry_soon(code: Code) -> IngestError {
    Problem::from(code).retry_after(limits::UPLOAD_RETRY_S).into()
}
