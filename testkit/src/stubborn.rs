//! A client that never gives up and never forgets what a server acknowledged.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::http::{Connection, Response};
use crate::limits;
use crate::random::Random;
use crate::tus::{Tus, path_of};

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
/// After each failure the server must stand at or past what it acknowledged before (invariant 1).
///
/// # Panics
/// When something acknowledged is lost, the server answers what a client cannot heal (404, say), or `limit` is over.
pub fn upload(
    tus: &Tus,
    bytes: &[u8],
    chunk: &RangeInclusive<u64>,
    random: &mut Random,
    limit: Duration,
) -> Outcome {
    let mut client = Client { tus, connection: None, failures: 0, deadline: Instant::now() + limit };
    let path = client.create(bytes.len() as u64);
    let mut acknowledged = 0;
    let mut offset = 0;
    while offset < bytes.len() as u64 {
        let end = (offset + random.within(chunk)).min(bytes.len() as u64);
        let part =
            &bytes[usize::try_from(offset).expect("an offset")..usize::try_from(end).expect("an offset")];
        match client.attempt(&tus.patch(&path, offset, part), "PATCH") {
            Some(answer) if answer.status == 204 => {
                assert_eq!(answer.number("upload-offset"), Some(end), "{answer:?}");
                acknowledged += 1;
                offset = end;
            }
            answer => {
                client.heal(answer.as_ref());
                offset = client.offset(&path, offset);
            }
        }
    }
    assert_eq!(client.offset(&path, offset), bytes.len() as u64);
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

    /// Where the upload stands, which must be at or past what was acknowledged.
    fn offset(&mut self, path: &str, acknowledged: u64) -> u64 {
        loop {
            match self.attempt(&self.tus.request("HEAD", path), "HEAD") {
                Some(answer) if answer.status == 200 => {
                    let offset = answer.number("upload-offset").expect("Upload-Offset");
                    assert!(offset >= acknowledged, "the offset went back from {acknowledged} to {offset}");
                    return offset;
                }
                answer => self.heal(answer.as_ref()),
            }
        }
    }
}
