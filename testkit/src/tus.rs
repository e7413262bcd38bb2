//! A small tus 1.0 client for tests: one request at a time, each of them visible.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::{Request, Response};

/// Where to upload, and as whom.
#[derive(Debug, Clone)]
pub struct Tus {
    /// The server.
    pub addr: SocketAddr,
    /// The API token, if one is sent.
    pub token: Option<String>,
}

impl Tus {
    /// A client of the server at `addr`.
    pub fn new(addr: SocketAddr, token: impl Into<Option<String>>) -> Self {
        Self { addr, token: token.into() }
    }

    /// A request with the version and the token.
    pub fn request(&self, method: &str, target: &str) -> Request {
        let request = Request::new(method, target).header("Tus-Resumable", "1.0.0");
        self.token.iter().fold(request, |request, token| request.bearer(token))
    }

    /// Creates an upload of this length and name and returns its path.
    ///
    /// # Panics
    /// When the server does not answer 201 with a Location.
    pub fn create(&self, length: u64, name: &str) -> String {
        let metadata = format!("filename {}", STANDARD.encode(name));
        let request = self
            .request("POST", "/files")
            .header("Upload-Length", length)
            .header("Upload-Metadata", metadata);
        path_of(&request.send(self.addr).expect(201))
    }

    /// Where the upload stands, by HEAD.
    ///
    /// # Panics
    /// When the server does not say.
    pub fn offset(&self, path: &str) -> u64 {
        let answer = self.request("HEAD", path).send(self.addr).expect(200);
        answer.number("upload-offset").unwrap_or_else(|| panic!("no Upload-Offset in {answer:?}"))
    }

    /// A PATCH of `bytes` at `offset`, to be changed or sent.
    pub fn patch(&self, path: &str, offset: u64, bytes: &[u8]) -> Request {
        self.request("PATCH", path)
            .header("Upload-Offset", offset)
            .header("Content-Type", "application/offset+octet-stream")
            .body(bytes)
    }

    /// The head of a PATCH that promises `length` bytes, for a test that sends the body by hand.
    pub fn patch_head(&self, path: &str, offset: u64, length: u64) -> Vec<u8> {
        self.patch(path, offset, &[]).header("Content-Length", length).to_bytes()
    }

    /// Uploads `bytes` in one piece and returns the upload's path.
    ///
    /// # Panics
    /// When the server does not take them.
    pub fn upload(&self, bytes: &[u8], name: &str) -> String {
        let path = self.create(bytes.len() as u64, name);
        if !bytes.is_empty() {
            let answer = self.patch(&path, 0, bytes).send(self.addr).expect(204);
            assert_eq!(answer.number("upload-offset"), Some(bytes.len() as u64));
        }
        path
    }
}

/// The path of the upload an answer names in `Location`.
///
/// # Panics
/// When there is none.
pub fn path_of(answer: &Response) -> String {
    let location = answer.header("location").unwrap_or_else(|| panic!("no Location in {answer:?}"));
    match location.split_once("://") {
        Some((_, rest)) => rest[rest.find('/').expect("a path")..].to_owned(),
        None => location.to_owned(),
    }
}

/// The id of the upload, and so of the asset, at this path.
pub fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
