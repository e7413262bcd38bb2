//! A worker, the origin it works for as far as the protocol goes, and sources made by ffmpeg.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod ladder;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tempfile::TempDir;
use tidegate_serve::server::{self, ServerOptions};
use tidegate_serve::{Clock, Entropy};
use tidegate_transcoder::{ClaimMode, Worker, WorkerConfig};
use tidegate_wire::job::{
    Claim, ClaimRequest, Ending, Failure, Finish, Progress, Report, Source, SourceInfo, Work,
};
use tidegate_wire::track::TrackPart;
use tidegate_wire::{AssetId, Digest};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const FLEET_KEY: &str = "key-of-the-tests";
/// What waits for something in a test gives up after this.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct State {
    pub ready: Mutex<VecDeque<Claim>>,
    pub files: Mutex<BTreeMap<String, Bytes>>,
    pub progress: Mutex<Vec<(Uuid, Progress)>>,
    pub endings: Mutex<BTreeMap<Uuid, Ending>>,
    pub claims: Mutex<Vec<ClaimRequest>>,
    pub changed: Notify,
    /// Every call but a claim is answered with `job_taken_over`.
    pub taken_over: AtomicBool,
    /// So many files are refused with 503 before one is stored.
    pub busy: AtomicUsize,
    /// Files are refused with 507.
    pub full: AtomicBool,
    /// Answers with the source end after so many bytes.
    pub cut_after: AtomicUsize,
    pub source_requests: Mutex<Vec<HeaderMap>>,
    pub source: Mutex<Bytes>,
}

/// The origin's side of the protocol.
pub struct Origin {
    pub url: String,
    pub state: Arc<State>,
    pub store: PathBuf,
    shutdown: CancellationToken,
}

impl Origin {
    pub async fn start(store: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, shutdown) = (Arc::new(State::default()), CancellationToken::new());
        let (serving, stop) = (state.clone(), shutdown.clone());
        tokio::spawn(server::serve(listener, ServerOptions::default(), stop, move |_| {
            let state = serving.clone();
            service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(answer(&state, request).await) }
            })
        }));
        Self { url, state, store: store.to_owned(), shutdown }
    }

    /// Makes a job ready.
    pub fn give(&self, source: &Path, work: Work) -> Claim {
        self.give_with(source, work, |_| {})
    }

    pub fn give_with(&self, source: &Path, work: Work, change: impl FnOnce(&mut Claim)) -> Claim {
        let bytes = std::fs::read(source).unwrap();
        let asset = AssetId::generate(1, [7; 10]);
        let stored_as = vec![source.file_name().unwrap().to_str().unwrap().to_owned()];
        let digest = Digest::from_bytes(*blake3::hash(&bytes).as_bytes()).to_string();
        let mut claim = Claim {
            job: Uuid::from_u128(u128::from_le_bytes(Entropy::system().bytes())),
            attempt: 1,
            asset,
            revision: 1,
            dir: "12-1".into(),
            source: Source { path: asset.source_path(), stored_as, size_bytes: bytes.len() as u64, digest },
            work,
            lease_s: 3,
            stall_s: 30,
        };
        change(&mut claim);
        *self.state.source.lock().unwrap() = bytes.into();
        self.state.ready.lock().unwrap().push_back(claim.clone());
        self.state.changed.notify_waiters();
        claim
    }

    /// Waits until `look` sees something.
    pub async fn until<T>(&self, what: &str, look: impl Fn(&State) -> Option<T>) -> T {
        let seen = async {
            loop {
                let changed = self.state.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(seen) = look(&self.state) {
                    return seen;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    pub async fn ending(&self, job: Uuid) -> Ending {
        self.until("an ending", |state| state.endings.lock().unwrap().get(&job).cloned()).await
    }

    /// Has a job done.
    pub async fn report(&self, source: &Path, work: Work) -> Report {
        let claim = self.give(source, work);
        match self.ending(claim.job).await {
            Ending::Done { report } => report,
            other => panic!("{other:?}"),
        }
    }

    pub async fn failure(&self, source: &Path, work: Work) -> Failure {
        let claim = self.give(source, work);
        match self.ending(claim.job).await {
            Ending::Failed(failure) => failure,
            other => panic!("{}: {other:?}", source.display()),
        }
    }

    pub async fn probe(&self, source: &Path) -> SourceInfo {
        match self.report(source, Work::Probe).await {
            Report::Probed { info } => info,
            other => panic!("{other:?}"),
        }
    }

    pub async fn encode(&self, source: &Path, work: Work) -> Vec<TrackPart> {
        match self.report(source, work).await {
            Report::Encoded { parts } => parts,
            other => panic!("{other:?}"),
        }
    }

    pub fn file(&self, path: &str) -> Bytes {
        let files = self.state.files.lock().unwrap();
        files.get(path).unwrap_or_else(|| panic!("{path} is not among {:?}", files.keys())).clone()
    }

    /// A worker for this origin.
    pub fn config(&self) -> WorkerConfig {
        WorkerConfig {
            fleet_key: Some(FLEET_KEY.into()),
            claim: ClaimMode::Push,
            store: Some(self.store.clone()),
            ..WorkerConfig::new(self.url.parse().unwrap())
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A worker that works until it is dropped or stopped.
pub struct Working {
    pub shutdown: CancellationToken,
    pub task: JoinHandle<()>,
    pub registry: prometheus::Registry,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub async fn work(config: WorkerConfig) -> Working {
    let worker = Worker::new(config, Clock::system(), Entropy::system()).await.unwrap();
    let (shutdown, registry) = (CancellationToken::new(), worker.registry().clone());
    let task = tokio::spawn(worker.run(None, shutdown.clone()));
    Working { shutdown, task, registry }
}

/// An origin with a worker that reads from its store.
pub async fn fleet(store: &Path) -> (Origin, Working) {
    let origin = Origin::start(store).await;
    let working = work(origin.config()).await;
    (origin, working)
}

fn status(code: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

async fn answer(state: &State, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    assert_eq!(parts.headers["tidegate-fleet-key"], FLEET_KEY);
    let path = parts.uri.path().to_owned();
    if parts.method == Method::GET {
        return source(state, &parts.headers);
    }
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else { return status(400) };
    let words: Vec<&str> = path.strip_prefix("/internal/jobs/").unwrap().splitn(4, '/').collect();
    if words == ["claim"] {
        return claim(state, serde_json::from_slice(&body).unwrap()).await;
    }
    let job: Uuid = words[0].parse().unwrap();
    if state.taken_over.load(Ordering::SeqCst) {
        return status(409);
    }
    let code = match &words[1..] {
        ["heartbeat"] => {
            state.progress.lock().unwrap().push((job, serde_json::from_slice(&body).unwrap()));
            204
        }
        ["finish"] => {
            let finish: Finish = serde_json::from_slice(&body).unwrap();
            state.endings.lock().unwrap().insert(job, finish.ending);
            204
        }
        ["files", attempt, path] => {
            assert_eq!(*attempt, "1");
            put(state, path, body)
        }
        _ => 404,
    };
    state.changed.notify_waiters();
    status(code)
}

fn put(state: &State, path: &str, body: Bytes) -> u16 {
    if state.full.load(Ordering::SeqCst) {
        return 507;
    }
    if state.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        return 503;
    }
    state.files.lock().unwrap().insert(path.to_owned(), body);
    201
}

async fn claim(state: &State, request: ClaimRequest) -> Response<Full<Bytes>> {
    let wait = Duration::from_secs(u64::from(request.wait_s));
    state.claims.lock().unwrap().push(request);
    state.changed.notify_waiters();
    let ready = async {
        loop {
            let changed = state.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(claim) = state.ready.lock().unwrap().pop_front() {
                return claim;
            }
            changed.await;
        }
    };
    match tokio::time::timeout(wait, ready).await {
        Ok(claim) => Response::new(Full::new(serde_json::to_vec(&claim).unwrap().into())),
        Err(_) => status(204),
    }
}

fn source(state: &State, headers: &HeaderMap) -> Response<Full<Bytes>> {
    state.source_requests.lock().unwrap().push(headers.clone());
    let bytes = state.source.lock().unwrap().clone();
    let range = headers.get("range").map(|range| range.to_str().unwrap().to_owned());
    let from: usize = range.as_deref().map_or(0, |range| range[6..].trim_end_matches('-').parse().unwrap());
    let cut_after = state.cut_after.load(Ordering::SeqCst);
    let until = if cut_after > 0 { bytes.len().min(from + cut_after) } else { bytes.len() };
    let mut response = status(if range.is_some() { 206 } else { 200 });
    *response.body_mut() = Full::new(bytes.slice(from..until));
    response
}

/// Runs ffmpeg in `directory`.
pub fn ffmpeg(directory: &Path, words: &str) {
    let mut command = Command::new("ffmpeg");
    command.current_dir(directory).args(["-nostdin", "-v", "error", "-y"]).args(words.split_whitespace());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What ffprobe says about `file`, one line each.
pub fn ffprobe(file: &Path, words: &str) -> Vec<String> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-of", "csv=p=0"]).args(words.split_whitespace()).arg(file);
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{words}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

pub fn temporary() -> TempDir {
    tempfile::tempdir().unwrap()
}
