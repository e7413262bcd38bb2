//! A file's whole way: open, plan or resume, send the parts, join them, compare digests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tidegate_serve::ambient::Entropy;
use tidegate_wire::Digest;
use tokio::task::JoinSet;

use crate::digest::Digester;
use crate::error::UploadError;
use crate::events::{Event, Finished, Reporter};
use crate::journal::{Found, Journal, JournalError, Record};
use crate::ledger::Ledger;
use crate::meter::PartMeter;
use crate::pace::Pace;
use crate::patience::Heal;
use crate::plan::{self, Part};
use crate::retry::Operation;
use crate::session::{Job, Session};
use crate::source::Source;
use crate::transport::Transport;
use crate::tus::{self, Fields};
use crate::{limits, media_type, target};

/// What does not change from file to file.
#[derive(Debug)]
pub(crate) struct Plant {
    pub(crate) transport: Arc<Transport>,
    pub(crate) journal: Option<PathBuf>,
    pub(crate) parallel: usize,
    pub(crate) chunk: Option<u64>,
    pub(crate) pace: Option<Arc<Pace>>,
    pub(crate) give_up_after: Option<Duration>,
    pub(crate) name: Option<String>,
    /// Whether what is made of it for playing is to be encrypted.
    pub(crate) encrypt: bool,
    pub(crate) entropy: Entropy,
}

/// Opens the file and its journal, and lays the job out.
pub(crate) async fn prepare(plant: &Plant, path: &Path, reporter: Reporter) -> Result<Arc<Job>, UploadError> {
    let path = path.to_owned();
    let source = blocking(move || Source::open(&path)).await??;
    let (journal, found) = open_journal(plant, &source, &reporter).await?;
    let endpoint = plant.transport.target().endpoint().as_str();
    let record = match found {
        Some(record) => record,
        None => {
            let parts = fresh_parts(plant, &source, &reporter).await?;
            Record::new(source.path(), endpoint, source.fingerprint(), &parts)
        }
    };
    let name = plant.name.clone().unwrap_or_else(|| {
        source.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    });
    let metadata = tus::metadata(&name, media_type::of(source.path()), plant.encrypt);
    Ok(Arc::new(Job {
        digester: Digester::new(source.size()),
        meters: record.parts.iter().map(|_| Arc::new(PartMeter::default())).collect(),
        source: Arc::new(source),
        transport: plant.transport.clone(),
        ledger: Ledger::new(record, journal),
        pace: plant.pace.clone(),
        reporter,
        entropy: plant.entropy.clone(),
        metadata,
        chunk: plant.chunk,
        give_up_after: plant.give_up_after,
    }))
}

/// Does the job.
pub(crate) async fn run(job: Arc<Job>) -> Result<Finished, UploadError> {
    let result = upload(&job).await;
    // A file that changed, or bytes that differ, will not be continued; everything else may be.
    if matches!(result, Ok(_) | Err(UploadError::Changed { .. } | UploadError::DigestMismatch { .. }))
        && let Err(error) = job.ledger.close().await
    {
        job.reporter.warn("journal_unavailable", format!("the journal cannot be removed: {error}")).await;
    }
    result
}

async fn upload(job: &Arc<Job>) -> Result<Finished, UploadError> {
    let resuming = job.ledger.look(|record| record.parts.iter().any(|part| part.url.is_some()));
    if resuming {
        let offset_bytes = job.ledger.look(|record| record.parts.iter().map(|part| part.acknowledged).sum());
        let (file, size_bytes) = (job.reporter.file(), job.source.size());
        job.reporter.say(Event::Resumed { file, offset_bytes, size_bytes }).await;
    }
    let (url, fields) = complete(job).await?;
    finish(job, url, fields).await
}

/// Brings every part up and joins them where there are several. When the server has lost a part by the time it
/// shall join them, that part is sent again.
async fn complete(job: &Arc<Job>) -> Result<(Url, Fields), UploadError> {
    let parts: Vec<Part> = job.ledger.look(|record| record.parts.iter().map(|part| part.part).collect());
    let mut patience = job.patience(0);
    for _ in 0..=limits::ANEW_MAX {
        let mut done = send_parts(job, &parts).await?;
        if parts.len() == 1 {
            return done.pop().ok_or_else(|| UploadError::Internal("a part ended without an answer".into()));
        }
        let urls: Vec<Url> = done.into_iter().map(|(url, _)| url).collect();
        loop {
            check_source(job).await?;
            job.record(|record| record.concatenating = true).await;
            // When the answer is lost the request is made again. A server that joins the same parts twice then has
            // two whole assets of the same bytes: one too many is safe, one too few is not, and the protocol has
            // no way to ask which finals a part belongs to.
            let failure = match job.transport.concatenate(&urls, &job.metadata).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let reason = failure.reason();
            if patience.after(Operation::Concatenate, failure).await? == Heal::Anew {
                let message = format!("the server cannot join the parts, they are checked again: {reason}");
                job.reporter.warn("parts_lost", message).await;
                break;
            }
        }
    }
    Err(UploadError::Protocol("it cannot join parts that it says are complete".into()))
}

/// All parts at once, each in its own task. The first that fails for good ends the others.
async fn send_parts(job: &Arc<Job>, parts: &[Part]) -> Result<Vec<(Url, Fields)>, UploadError> {
    let mut tasks = JoinSet::new();
    for (index, part) in parts.iter().enumerate() {
        let session = Session::new(job.clone(), index, *part, parts.len() > 1);
        tasks.spawn(async move { session.run().await.map(|done| (index, done)) });
    }
    let mut done: Vec<Option<(Url, Fields)>> = vec![None; parts.len()];
    while let Some(ended) = tasks.join_next().await {
        let (index, answer) =
            ended.map_err(|error| UploadError::Internal(format!("a part failed: {error}")))??;
        if let Some(slot) = done.get_mut(index) {
            *slot = Some(answer);
        }
    }
    let all: Option<Vec<_>> = done.into_iter().collect();
    all.ok_or_else(|| UploadError::Internal("a part ended without an answer".into()))
}

/// Compares digests and says where the asset is.
async fn finish(job: &Arc<Job>, url: Url, mut fields: Fields) -> Result<Finished, UploadError> {
    let local = job
        .digester
        .finish()
        .ok_or_else(|| UploadError::Internal("some bytes of the file were not hashed".into()))?;
    if fields.digest.is_none() || fields.asset.is_none() {
        fields = ask_again(job, &url, fields).await?;
    }
    let (id, shown) = match fields.asset {
        Some(id) => (id.clone(), job.transport.target().watch_url(&id)),
        None => (target::id_of(&url), url.to_string()),
    };
    compare(job, local, fields.digest, &url).await?;
    Ok(Finished {
        file: job.reporter.file(),
        id,
        url: shown,
        digest: local,
        size_bytes: job.source.size(),
        resent_bytes: job.meters.iter().map(|meter| meter.resent()).sum(),
        verified: fields.digest.is_some(),
    })
}

/// The answer that completed the upload may have passed through someone who drops fields, or may not have come.
async fn ask_again(job: &Job, url: &Url, known: Fields) -> Result<Fields, UploadError> {
    let mut patience = job.patience(0);
    loop {
        match job.transport.confirm(url).await {
            Ok((offset, _)) if offset != job.source.size() => {
                let size = job.source.size();
                return Err(UploadError::Protocol(format!(
                    "it has {offset} bytes of a complete upload of {size}"
                )));
            }
            Ok((_, fields)) => {
                let (digest, asset) = (fields.digest.or(known.digest), fields.asset.or(known.asset));
                return Ok(Fields { digest, asset, ..known });
            }
            // A server may forget an upload once it is complete; it said that it is.
            Err(failure) if is_answer(&failure) => return Ok(known),
            Err(failure) => {
                patience.after(Operation::Confirm, failure).await?;
            }
        }
    }
}

fn is_answer(failure: &crate::retry::Failure) -> bool {
    matches!(failure, crate::retry::Failure::Status { refusal, .. } if (400..500).contains(&refusal.status)
        && !matches!(refusal.status, 408 | 409 | 423 | 425 | 429))
}

async fn compare(job: &Job, local: Digest, remote: Option<Digest>, url: &Url) -> Result<(), UploadError> {
    match remote {
        Some(remote) if remote != local => {
            Err(UploadError::DigestMismatch { local, remote, url: url.to_string() })
        }
        Some(_) => Ok(()),
        None => {
            let message = "the server tells no digest; that it has the same bytes is not verified";
            job.reporter.warn("digest_unverified", message).await;
            Ok(())
        }
    }
}

async fn check_source(job: &Job) -> Result<(), UploadError> {
    let source = job.source.clone();
    blocking(move || source.unchanged()).await?
}

async fn open_journal(
    plant: &Plant,
    source: &Source,
    reporter: &Reporter,
) -> Result<(Option<Journal>, Option<Record>), UploadError> {
    let Some(dir) = plant.journal.clone() else { return Ok((None, None)) };
    let (path, file) = (source.path().to_owned(), source.fingerprint());
    let endpoint = plant.transport.target().endpoint().to_string();
    match blocking(move || Journal::open(&dir, &path, &endpoint, file)).await? {
        Ok((journal, Found::Nothing)) => Ok((Some(journal), None)),
        Ok((journal, Found::Unfinished(record))) => Ok((Some(journal), Some(record))),
        Ok((journal, Found::OtherContent(what))) => {
            let message = format!("the file is not the one whose upload was begun ({what}); it begins anew");
            reporter.warn("file_differs", message).await;
            Ok((Some(journal), None))
        }
        Ok((journal, Found::Corrupt(why))) => {
            let message = format!("{} is not a journal ({why}) and is ignored", journal.path().display());
            reporter.warn("journal_corrupt", message).await;
            Ok((Some(journal), None))
        }
        Err(JournalError::Busy(lock)) => Err(UploadError::Busy { path: source.path().to_owned(), lock }),
        Err(error) => {
            let message = format!("no journal can be kept, a restart will not find this upload: {error}");
            reporter.warn("journal_unavailable", message).await;
            Ok((None, None))
        }
    }
}

/// One part, or several where that was asked for and the server can join them.
async fn fresh_parts(plant: &Plant, source: &Source, reporter: &Reporter) -> Result<Vec<Part>, UploadError> {
    let parts = plan::parts(source.size(), plant.parallel);
    if parts.len() == 1 {
        return Ok(parts);
    }
    let mut patience =
        crate::patience::Patience::new(0, reporter.clone(), plant.entropy.clone(), plant.give_up_after);
    let fields = loop {
        match plant.transport.discover().await {
            Ok(fields) => break fields,
            Err(failure) => patience.after(Operation::Discover, failure).await?,
        };
    };
    // Each part may be below a limit that the whole is above; better to know now than when all is sent.
    if let Some(most) = fields.max_size.filter(|most| *most > 0 && source.size() > *most) {
        let detail = Some(format!("the file has {} bytes, the server takes {most}", source.size()));
        return Err(UploadError::Refused(crate::error::Refusal { status: 413, code: None, detail }));
    }
    if fields.extensions.iter().any(|extension| extension == "concatenation") {
        return Ok(parts);
    }
    reporter.warn("no_concatenation", "the server cannot join parts; the file is sent in one").await;
    Ok(plan::parts(source.size(), 1))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, UploadError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| UploadError::Internal(format!("a task failed: {error}")))
}
