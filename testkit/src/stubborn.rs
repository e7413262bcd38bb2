//! A client that never gives up, and the watch over what a server acknowledged.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::http::{Connection, Response};
use crate::limits;
use crate::random::Random;
use crate::tus::{Tus, path_of};

/// The highest offset that was ever acknowledged (invariant 1: it never goes down).
#[derive(Debug, Default)]
pub struct Watermark(AtomicU64);

impl Watermark {
    /// Notes the offset of an answer to a request that was sent when the mark stood at `before`.
    ///
    /// # Panics
    /// When the offset is lower than that: something acknowledged was lost.
    pub fn note(&self, before: u64, offset: u64) {
        assert!(offset >= before, "the offset went back from {before} to {offset}");
        self.0.fetch_max(offset, Ordering::SeqCst);
    }

    /// The mark; to be read before a request is sent.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// How a stubborn upload went.
#[derive(Debug)]
pub struct Outcome {
    /// The upload's path.
    pub path: String,
    /// Requests that failed and were made up for.
    pub failures: u64,
    /// Offsets acknowledged.
    pub acknowledged: u64,
}

/// Uploads `bytes` in chunks of a drawn size, whatever happens to the server meanwhile.
///
/// Each acknowledgement is noted in `mark`, and after each failure the server must stand at or past it.
///
/// # Panics
/// When something acknowledged is lost, the server answers what a client cannot heal (404, say), or `limit` is over.
pub fn upload(
    tus: &Tus,
    bytes: &[u8],
    chunk: &RangeInclusive<u64>,
    random: &mut Random,
    limit: Duration,
    on_created: impl FnOnce(&str, &Arc<Watermark>),
) -> Outcome {
    let mark = Arc::new(Watermark::default());
    let mut client = Client { tus, connection: None, failures: 0, deadline: Instant::now() + limit };
    let path = client.create(bytes.len() as u64);
    on_created(&path, &mark);
    let mut acknowledged = 0;
    let mut offset = 0;
    while offset < bytes.len() as u64 {
        let end = (offset + random.within(chunk)).min(bytes.len() as u64);
        let part =
            &bytes[usize::try_from(offset).expect("an offset")..usize::try_from(end).expect("an offset")];
        match client.attempt(&tus.patch(&path, offset, part), "PATCH") {
            Some(answer) if answer.status == 204 => {
                assert_eq!(answer.number("upload-offset"), Some(end), "{answer:?}");
                mark.note(offset, end);
                acknowledged += 1;
                offset = end;
            }
            answer => {
                client.heal(answer.as_ref());
                offset = client.offset(&path, &mark);
            }
        }
    }
    assert_eq!(client.offset(&path, &mark), bytes.len() as u64);
    Outcome { path, failures: client.failures, acknowledged }
}

struct Client<'a> {
    tus: &'a Tus,
    connection: Option<Connection>,
    failures: u64,
    deadline: Instant,
}

impl Client<'_> {
    /// One request on the open connection, or on a new one; `None` when the connection failed.
    fn attempt(&mut self, request: &crate::http::Request, method: &str) -> Option<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.tus.addr).ok()?,
        };
        // The server may have answered and closed before it read everything.
        let _ = connection.send(&request.to_bytes());
        let answer = connection.response(method).ok()?;
        if answer.status < 400 && answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Some(answer)
    }

    /// Counts a failure, waits a moment, and ends the test on one that no waiting heals.
    fn heal(&mut self, answer: Option<&Response>) {
        self.failures += 1;
        if let Some(answer) = answer {
            let heals = answer.status >= 500 || matches!(answer.status, 408 | 409 | 423);
            assert!(heals, "no client goes on after {} {}", answer.status, answer.text());
        }
        assert!(Instant::now() < self.deadline, "the upload did not come to its end; last: {answer:?}");
        std::thread::sleep(limits::POLL);
    }

    fn create(&mut self, length: u64) -> String {
        let request = self.tus.request("POST", "/files").header("Upload-Length", length);
        loop {
            match self.attempt(&request, "POST") {
                Some(answer) if answer.status == 201 => return path_of(&answer),
                answer => self.heal(answer.as_ref()),
            }
        }
    }

    fn offset(&mut self, path: &str, mark: &Watermark) -> u64 {
        loop {
            let before = mark.get();
            match self.attempt(&self.tus.request("HEAD", path), "HEAD") {
                Some(answer) if answer.status == 200 => {
                    let offset = answer.number("upload-offset").expect("Upload-Offset");
                    mark.note(before, offset);
                    return offset;
                }
                answer => self.heal(answer.as_ref()),
            }
        }
    }
}

/// Asks for the offset of one upload over and over, on a thread of its own, until it is dropped or told to end.
#[derive(Debug)]
pub struct Observer {
    ending: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Observer {
    /// Begins to watch the upload at `path`; every answer must stand at or past `mark`.
    pub fn start(tus: Tus, path: &str, mark: Arc<Watermark>) -> Self {
        let (path, ending) = (path.to_owned(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let ending = Arc::clone(&ending);
            move || {
                let mut answers = 0;
                while !ending.load(Ordering::SeqCst) {
                    let before = mark.get();
                    if let Ok(answer) =
                        tus.request("HEAD", &path).header("Connection", "close").try_send(tus.addr)
                    {
                        assert!(
                            answer.status == 200 || answer.status >= 500 || answer.status == 423,
                            "HEAD {path}: {answer:?}"
                        );
                        if let Some(offset) = answer.number("upload-offset") {
                            mark.note(before, offset);
                            answers += 1;
                        }
                    }
                    std::thread::sleep(limits::POLL);
                }
                answers
            }
        });
        Self { ending, thread: Some(thread) }
    }

    /// Ends the watch; how many offsets were seen.
    ///
    /// # Panics
    /// When one of them lay below the mark.
    pub fn finish(mut self) -> u64 {
        self.ending.store(true, Ordering::SeqCst);
        let thread = self.thread.take().expect("finished once");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
    }
}
