//! tus requests over reqwest: one method per request of the protocol, each ending in [`Fields`] or a [`Failure`].

use std::error::Error as _;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Body, Method, Response, Url};
use tidegate_serve::ambient::Clock;
use tidegate_wire::headers::PART_OFFSET;
use tidegate_wire::problem::ProblemBody;
use tokio::time::{Instant, sleep_until, timeout};

use crate::body::{Fault, FileBody};
use crate::error::{Refusal, UploadError};
use crate::limits;
use crate::meter::PartMeter;
use crate::retry::{Failure, retry_after};
use crate::target::Target;
use crate::token::Token;
use crate::tus::{self, Fields};

/// An upload to create.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewUpload<'a> {
    /// Its length.
    pub length: u64,
    /// `Upload-Metadata`.
    pub metadata: Option<&'a str>,
    /// For a partial upload: where it begins in the final file.
    pub part_offset: Option<u64>,
}

/// A request body and where it leaves what went wrong on our side.
pub(crate) type Sending = (FileBody, Fault);

/// The connection pool and what every request carries.
#[derive(Debug)]
pub(crate) struct Transport {
    client: reqwest::Client,
    target: Target,
    token: Option<Token>,
    stall: Duration,
    clock: Clock,
}

/// What a [`Transport`] is made from.
#[derive(Debug, Clone)]
pub(crate) struct TransportOptions {
    /// The server.
    pub target: Target,
    /// Sent to that server only.
    pub token: Option<Token>,
    /// No byte taken and no answer for this long is a failure.
    pub stall: Duration,
    /// PEM certificates trusted besides the system's.
    pub ca_certificates: Option<Vec<u8>>,
    /// Parts sent at once. Several get a connection each: sharing one HTTP/2 connection, they would share its fate.
    pub parallel: usize,
}

impl Transport {
    /// Builds the client. Installs ring as the process's TLS provider unless one is installed.
    ///
    /// # Errors
    /// [`UploadError::Usage`] when the CA certificates or the TLS settings do not work.
    pub(crate) fn new(options: TransportOptions, clock: Clock) -> Result<Self, UploadError> {
        // An error says that the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let usage =
            |error: reqwest::Error| UploadError::Usage(format!("cannot set up TLS: {}", cause(&error)));
        let extra = match &options.ca_certificates {
            Some(pem) => reqwest::Certificate::from_pem_bundle(pem).map_err(usage)?,
            None => Vec::new(),
        };
        let client = match builder(&options).tls_certs_merge(extra.clone()).build() {
            // A machine without CA certificates can still upload over plain http.
            Err(_) if !options.target.is_https() => builder(&options).tls_certs_only(extra).build(),
            other => other,
        };
        let TransportOptions { target, token, stall, .. } = options;
        Ok(Self { client: client.map_err(usage)?, target, token, stall, clock })
    }

    /// The server.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// OPTIONS: what the server can do.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn discover(&self) -> Result<Fields, Failure> {
        let request = self.request(Method::OPTIONS, self.target.endpoint());
        let response = self.exchange(request, None, self.stall).await?;
        Ok(self.read(response).await?.1)
    }

    /// POST: creates an upload, with `sending` as its first bytes.
    ///
    /// # Errors
    /// See [`Failure`]. After a lost answer an upload may exist that nobody knows of; the server expires it.
    pub(crate) async fn create(
        &self,
        new: NewUpload<'_>,
        sending: Option<Sending>,
        meter: &PartMeter,
    ) -> Result<(Url, Fields), Failure> {
        let mut request =
            self.request(Method::POST, self.target.endpoint()).header("upload-length", new.length);
        if let Some(metadata) = new.metadata {
            request = request.header("upload-metadata", metadata);
        }
        if let Some(offset) = new.part_offset {
            request = request.header("upload-concat", "partial").header(PART_OFFSET, offset);
        }
        let response = match sending {
            Some((body, fault)) => {
                let request = request.header(CONTENT_TYPE, tus::OFFSET_STREAM).body(Body::wrap(body));
                self.exchange(request, Some((meter, &fault)), self.stall).await?
            }
            None => self.exchange(request.header(CONTENT_LENGTH, 0), None, self.stall).await?,
        };
        self.created(response).await
    }

    /// POST: joins complete parts, in order.
    ///
    /// # Errors
    /// See [`Failure`]. After a lost answer the final upload may exist already.
    pub(crate) async fn concatenate(&self, parts: &[Url], metadata: &str) -> Result<(Url, Fields), Failure> {
        let request = self
            .request(Method::POST, self.target.endpoint())
            .header("upload-concat", tus::concat_final(parts))
            .header("upload-metadata", metadata)
            .header(CONTENT_LENGTH, 0);
        let response = self.exchange(request, None, self.stall.max(limits::CONCAT_TIMEOUT)).await?;
        self.created(response).await
    }

    /// HEAD: where an upload stands. The offset is there.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn confirm(&self, url: &Url) -> Result<(u64, Fields), Failure> {
        let response = self.exchange(self.request(Method::HEAD, url), None, self.stall).await?;
        self.standing(response).await
    }

    /// PATCH: sends bytes at `offset`. The new offset is there.
    ///
    /// # Errors
    /// See [`Failure`]. Any part of the bytes may have arrived; [`Transport::confirm`] tells.
    pub(crate) async fn send(
        &self,
        url: &Url,
        offset: u64,
        (body, fault): Sending,
        meter: &PartMeter,
    ) -> Result<(u64, Fields), Failure> {
        let request = self
            .request(Method::PATCH, url)
            .header(CONTENT_TYPE, tus::OFFSET_STREAM)
            .header("upload-offset", offset)
            .body(Body::wrap(body));
        let response = self.exchange(request, Some((meter, &fault)), self.stall).await?;
        self.standing(response).await
    }

    /// GET below the server's API: the head of a success, its body still to come.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn get(&self, path: &str, accept: &'static str) -> Result<Response, Failure> {
        let url = self.target.api_url(path);
        let mut request = self.client.get(url.clone()).header(ACCEPT, accept);
        if let Some(token) = self.token.as_ref().filter(|_| self.target.trusts(&url)) {
            request = request.header(AUTHORIZATION, token.header());
        }
        let response = self.exchange(request, None, self.stall).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.read(response).await.err().unwrap_or_else(|| Failure::NotTus("no answer".to_owned())))
    }

    /// The body of a small answer.
    pub(crate) async fn text(&self, response: Response) -> Vec<u8> {
        drain_up_to(limits::ASSET_MAX, response).await
    }

    fn request(&self, method: Method, url: &Url) -> reqwest::RequestBuilder {
        // OPTIONS does not take Tus-Resumable (tus 1.0, section Requests).
        let discovering = method == Method::OPTIONS;
        let mut request = self.client.request(method, url.clone());
        if !discovering {
            request = request.header("tus-resumable", tus::VERSION);
        }
        match &self.token {
            Some(token) if self.target.trusts(url) => request.header(AUTHORIZATION, token.header()),
            _ => request,
        }
    }

    /// Sends and waits for the head of the answer, as long as something moves.
    async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
        sending: Option<(&PartMeter, &Fault)>,
        patience: Duration,
    ) -> Result<Response, Failure> {
        let meter = sending.map(|(meter, _)| meter);
        let answer = while_moving(request.send(), || meter.map_or(0, PartMeter::activity), patience).await;
        // What went wrong with the file explains whatever became of the request.
        if let Some(error) = sending.and_then(|(_, fault)| fault.take()) {
            return Err(Failure::Local(error));
        }
        match answer {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => Err(failure(&error)),
            None => Err(Failure::Stalled(patience)),
        }
    }

    /// The fields of a success, or the failure the answer is.
    async fn read(&self, mut response: Response) -> Result<(u16, Fields), Failure> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        if status.is_success() {
            drain(response).await;
            return Ok((status.as_u16(), Fields::read(&headers, &self.target)));
        }
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after(value, self.clock.unix_s()));
        let body = drain(response).await;
        Err(Failure::Status { refusal: refusal(status.as_u16(), &headers, &body), retry_after })
    }

    async fn created(&self, response: Response) -> Result<(Url, Fields), Failure> {
        let (status, mut fields) = self.read(response).await?;
        match fields.location.take() {
            Some(url) => Ok((url, fields)),
            None => {
                Err(Failure::NotTus(format!("it answered a creation with {status} and no usable Location")))
            }
        }
    }

    async fn standing(&self, response: Response) -> Result<(u64, Fields), Failure> {
        let (status, fields) = self.read(response).await?;
        match fields.offset {
            Some(offset) => Ok((offset, fields)),
            None => Err(Failure::NotTus(format!("it answered {status} without Upload-Offset"))),
        }
    }
}

fn builder(options: &TransportOptions) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("tidegate-upload/", env!("CARGO_PKG_VERSION")))
        // A redirected body cannot be sent again unseen, and a token must not wander.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(limits::CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(limits::TCP_KEEPALIVE)
        .tcp_keepalive_interval(limits::TCP_KEEPALIVE)
        .tcp_user_timeout(limits::TCP_USER_TIMEOUT.min(options.stall))
        .http2_keep_alive_interval(limits::TCP_KEEPALIVE)
        .http2_keep_alive_timeout(limits::TCP_USER_TIMEOUT)
        .pool_idle_timeout(limits::POOL_IDLE)
        .pool_max_idle_per_host(options.parallel.max(1));
    if options.parallel > 1 { builder.http1_only() } else { builder }
}

/// Waits for `work` as long as `activity` changes at least once in `patience`; `None` when it did not.
async fn while_moving<T>(
    work: impl Future<Output = T>,
    activity: impl Fn() -> u64,
    patience: Duration,
) -> Option<T> {
    let mut work = pin!(work);
    let (mut seen, mut since) = (activity(), Instant::now());
    loop {
        // Asked four times in `patience`, so a stall is noticed at most a quarter late.
        let ask_at = Instant::now() + patience / 4;
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = sleep_until(ask_at) => {}
        }
        let now = activity();
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() >= patience {
            return None;
        }
    }
}

/// Reads what there is of a body, within limits, so that the connection can be used again.
async fn drain(response: Response) -> Vec<u8> {
    drain_up_to(limits::ANSWER_BODY_MAX, response).await
}

async fn drain_up_to(most: usize, mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(piece)) = response.chunk().await {
            let room = most - body.len();
            body.extend_from_slice(&piece[..piece.len().min(room)]);
            if body.len() == most {
                break;
            }
        }
    };
    let _ = timeout(limits::ANSWER_BODY_TIMEOUT, reading).await;
    body
}

fn refusal(status: u16, headers: &HeaderMap, body: &[u8]) -> Refusal {
    if let Ok(problem) = serde_json::from_slice::<ProblemBody>(body) {
        let detail = problem.detail.unwrap_or(problem.title);
        return Refusal { status, code: Some(shortened(&problem.code)), detail: Some(shortened(&detail)) };
    }
    let location = headers.get(HeaderName::from_static("location")).and_then(|value| value.to_str().ok());
    let detail = match location {
        Some(to) if (300..400).contains(&status) => {
            format!("it redirects to {to}; give that address with --to")
        }
        _ => plain_text(headers, body),
    };
    Refusal { status, code: None, detail: Some(shortened(&detail)).filter(|detail| !detail.is_empty()) }
}

fn plain_text(headers: &HeaderMap, body: &[u8]) -> String {
    let is_plain = |value: &HeaderValue| value.as_bytes().starts_with(b"text/plain");
    match headers.get(CONTENT_TYPE) {
        Some(value) if is_plain(value) => String::from_utf8_lossy(body).into_owned(),
        _ => String::new(),
    }
}

/// One line of bounded length without control characters: a server's words go to a terminal.
fn shortened(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(limits::DETAIL_MAX).collect()
}

/// Tells an untrusted certificate from a network that does not work. Addresses stay out of the text.
fn failure(error: &reqwest::Error) -> Failure {
    let what = cause(error);
    if is_untrusted(error) {
        return Failure::Untrusted(what);
    }
    let during = match error {
        _ if error.is_dns() => "name lookup failed",
        _ if error.is_connect() => "cannot connect",
        _ if error.is_timeout() => "timed out",
        _ => "the connection broke",
    };
    Failure::Network(format!("{during}: {what}"))
}

fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An IO error's `source` is its content's source; the content itself, which may be another IO error, is
        // only here.
        let content = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match content {
            Some(content) => Some(content),
            None => error.source(),
        };
    }
    false
}

/// The innermost cause, which is the one that says something.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost = error.source();
    while let Some(next) = innermost.and_then(std::error::Error::source) {
        innermost = Some(next);
    }
    match innermost {
        Some(source) => shortened(&source.to_string()),
        None if error.is_timeout() => "no answer in time".to_owned(),
        None => "the request could not be made".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_moves_may_take_long() {
        let moved = AtomicU64::new(0);
        let work = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(7)).await;
                moved.fetch_add(1, Ordering::Relaxed);
            }
            "done"
        };
        let answer = while_moving(work, || moved.load(Ordering::Relaxed), Duration::from_secs(10)).await;
        assert_eq!(answer, Some("done"));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_stands_still_is_given_up() {
        let began = Instant::now();
        let answer = while_moving(std::future::pending::<()>(), || 0, Duration::from_secs(10)).await;
        assert_eq!(answer, None);
        assert!(began.elapsed() <= Duration::from_secs(13));
    }

    #[test]
    fn an_untrusted_certificate_is_found_below_other_errors() {
        let tls = |error| std::io::Error::other(std::io::Error::new(std::io::ErrorKind::InvalidData, error));
        assert!(is_untrusted(&tls(rustls::Error::InvalidCertificate(
            rustls::CertificateError::UnknownIssuer
        ))));
        assert!(!is_untrusted(&tls(rustls::Error::HandshakeNotComplete)));
        assert!(!is_untrusted(&std::io::Error::from_raw_os_error(111)));
    }

    #[test]
    fn a_problem_an_error_page_and_a_redirect_are_told_apart() {
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
        };
        let problem =
            tidegate_wire::Problem::from(tidegate_wire::Code::UploadTooLarge).detail("at most 5 bytes");
        let read = refusal(413, &HeaderMap::new(), problem.to_json().as_bytes());
        assert_eq!(read.to_string(), "413 upload_too_large: at most 5 bytes");
        let read = refusal(400, &headers("content-type", "text/plain"), b"ERR_X: \x1b[31mno\nsecond line");
        assert_eq!(read.to_string(), "400: ERR_X: [31mno");
        assert_eq!(refusal(502, &headers("content-type", "text/html"), b"<html>").to_string(), "502");
        let read = refusal(301, &headers("location", "https://h/files"), b"");
        assert_eq!(read.to_string(), "301: it redirects to https://h/files; give that address with --to");
    }
}
