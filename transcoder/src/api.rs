//! Calls to the origin: `/internal/jobs/…` and the bytes of sources.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, RANGE};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::Serialize;
use tidegate_serve::Entropy;
use tidegate_wire::Digest;
use tidegate_wire::headers::FLEET_KEY;
use tidegate_wire::job::{Claim, ClaimRequest, Finish, Progress};
use tidegate_wire::problem::ProblemBody;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::config::{ConfigError, OriginUrl};
use crate::failure::Fault;
use crate::limits;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// No answer, or one that says to come again.
    #[error("the origin is away: {0}")]
    Away(String),
    /// The attempt is not the newest, or the job is no more.
    #[error("the job was taken over")]
    TakenOver,
    /// The origin has no space.
    #[error("the origin's storage is full")]
    Full,
    /// Asking again will not help.
    #[error("the origin refused with {0} {1}")]
    Refused(StatusCode, String),
    /// An answer that makes no sense.
    #[error("the origin's answer makes no sense: {0}")]
    Nonsense(String),
}

impl CallError {
    /// What it means for an attempt that cannot go on without the call.
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Self::Away(_) => Fault::transient("origin_away", "The worker lost the origin."),
            Self::TakenOver => Fault::TakenOver,
            Self::Full => Fault::transient("storage_full", "There is no space left for the video."),
            Self::Refused(..) | Self::Nonsense(_) => {
                tracing::warn!(error = %self, "origin.refused");
                Fault::transient("origin_refused", "The origin did not take what the worker made.")
            }
        }
    }
}

/// The origin, as a worker sees it.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    origin: Url,
    entropy: Entropy,
}

impl Api {
    /// A client of `origin`. Installs ring as the process's TLS provider unless one is installed.
    pub(crate) fn new(origin: &OriginUrl, key: Option<&str>, entropy: Entropy) -> Result<Self, ConfigError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key).map_err(|_| ConfigError::FleetKey)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(FLEET_KEY), value);
        }
        let builder = || {
            Client::builder()
                .default_headers(headers.clone())
                .connect_timeout(limits::CONNECT_TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
        };
        let client = match builder().build() {
            // A machine without CA certificates can still work for an origin over plain http.
            Err(_) if origin.0.scheme() == "http" => builder().tls_certs_only(Vec::new()).build(),
            other => other,
        };
        let client = client.map_err(|error| ConfigError::Client(error.to_string()))?;
        Ok(Self { client, origin: origin.0.clone(), entropy })
    }

    /// Asks for a job.
    pub(crate) async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>, CallError> {
        let wait = Duration::from_secs(u64::from(request.wait_s)) + limits::CLAIM_GRACE;
        let response =
            self.post("internal/jobs/claim", request, wait).await.map_err(|error| match error {
                CallError::TakenOver => CallError::Nonsense("it knows nothing of jobs".into()),
                other => other,
            })?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let body = timeout(limits::CALL_TIMEOUT, read(response)).await;
        let body = body.map_err(|_| CallError::Away("the answer does not end".into()))??;
        serde_json::from_slice(&body).map(Some).map_err(|error| CallError::Nonsense(error.to_string()))
    }

    /// Says how far an attempt is.
    pub(crate) async fn heartbeat(&self, job: Uuid, progress: &Progress) -> Result<(), CallError> {
        let path = format!("internal/jobs/{job}/heartbeat");
        self.post(&path, progress, limits::CALL_TIMEOUT).await.map(drop)
    }

    /// Says how an attempt ended, again and again until it is heard or patience ends.
    pub(crate) async fn finish(&self, job: Uuid, finish: &Finish) -> Result<(), CallError> {
        let path = format!("internal/jobs/{job}/finish");
        self.patiently(|| self.post(&path, finish, limits::CALL_TIMEOUT)).await.map(drop)
    }

    /// Stores a file of an attempt; it is durable when this returns. Tries again until patience ends: the same bytes
    /// may be sent any number of times.
    pub(crate) async fn store(
        &self,
        job: Uuid,
        attempt: u32,
        path: &str,
        body: Bytes,
    ) -> Result<(), CallError> {
        let target = self.url(&format!("internal/jobs/{job}/files/{attempt}/{path}"))?;
        let send = || async {
            let request = self.client.put(target.clone()).timeout(limits::STORE_TIMEOUT).body(body.clone());
            check(request.send().await.map_err(away)?).await
        };
        self.patiently(send).await.map(drop)
    }

    /// The bytes of a source from `offset` on; only those of the file with `digest`.
    pub(crate) async fn source(
        &self,
        path: &str,
        offset: u64,
        digest: &Digest,
    ) -> Result<Response, CallError> {
        let mut request = self.client.get(self.url(path)?).header(IF_MATCH, digest.etag());
        if offset > 0 {
            request = request.header(RANGE, format!("bytes={offset}-"));
        }
        let answer = timeout(limits::FETCH_STALL, request.send()).await;
        let response = answer.map_err(|_| CallError::Away("no answer".into()))?.map_err(away)?;
        let response = check(response).await?;
        let expected = if offset > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        if response.status() != expected {
            return Err(CallError::Nonsense(format!("{} to a range", response.status())));
        }
        Ok(response)
    }

    async fn post(&self, path: &str, body: &impl Serialize, wait: Duration) -> Result<Response, CallError> {
        let request = self.client.request(Method::POST, self.url(path)?).json(body);
        // Not reqwest's timeout: that one would go on over the body, which has its own.
        let answer = timeout(wait, request.send()).await.map_err(|_| CallError::Away("no answer".into()))?;
        check(answer.map_err(away)?).await
    }

    /// Calls again while the origin is away, with growing random pauses, until patience ends.
    async fn patiently<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let since = Instant::now();
        let mut failures = 0;
        loop {
            match call().await {
                Err(CallError::Away(why)) if since.elapsed() < limits::ORIGIN_PATIENCE => {
                    tracing::debug!(why, failures, "origin.away");
                    self.pause(failures).await;
                    failures += 1;
                }
                other => return other,
            }
        }
    }

    /// Waits before the next try: a random part of a time that doubles.
    pub(crate) async fn pause(&self, failures: u32) {
        sleep(backoff(failures).mul_f64(self.entropy.unit())).await;
    }

    fn url(&self, path: &str) -> Result<Url, CallError> {
        self.origin.join(path).map_err(|error| CallError::Nonsense(error.to_string()))
    }
}

/// The longest wait after so many failures in a row.
fn backoff(failures: u32) -> Duration {
    limits::RETRY_FIRST.saturating_mul(1 << failures.min(10)).min(limits::RETRY_LONGEST)
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn away(error: reqwest::Error) -> CallError {
    CallError::Away(cause(&error))
}

/// The innermost cause: that the connection was refused says more than that sending failed.
fn cause(error: &dyn std::error::Error) -> String {
    let innermost = std::iter::successors(error.source(), |error| error.source()).last();
    innermost.map_or_else(|| error.to_string(), ToString::to_string)
}

/// Sorts answers: which are good, which heal, which do not.
async fn check(response: Response) -> Result<Response, CallError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = timeout(limits::CALL_TIMEOUT, read(response)).await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    let code = serde_json::from_slice::<ProblemBody>(&body).map(|problem| problem.code).unwrap_or_default();
    Err(match status.as_u16() {
        404 | 409 | 410 => CallError::TakenOver,
        507 => CallError::Full,
        408 | 425 | 429 | 500.. => CallError::Away(format!("{status} {code}")),
        _ => CallError::Refused(status, code),
    })
}

async fn read(mut response: Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(away)? {
        if body.len() + piece.len() > limits::ANSWER_BYTES {
            return Err(CallError::Nonsense("the answer is too long".into()));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        assert_eq!(backoff(0), limits::RETRY_FIRST);
        assert_eq!(backoff(2), limits::RETRY_FIRST * 4);
        assert_eq!(backoff(u32::MAX), limits::RETRY_LONGEST);
    }
}
