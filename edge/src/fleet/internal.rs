//! Calls to the origin's `/internal/…`.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::limits;
use crate::node::Node;
use crate::upstream::body::UpstreamBody;
use crate::upstream::{Failure, headers};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("the call took too long")]
    TimedOut,
    #[error("the origin answered {0}; is the fleet key right?")]
    Status(StatusCode),
    #[error("the answer is too long")]
    TooLong,
    #[error("not the JSON that was expected: {0}")]
    Json(#[from] serde_json::Error),
}

/// GETs `target`.
pub(crate) async fn get<T: DeserializeOwned>(
    node: &Node,
    target: &str,
    wait: Duration,
) -> Result<T, CallError> {
    call(node, Method::GET, target, UpstreamBody::Empty, wait).await
}

/// POSTs `message` to `target`.
pub(crate) async fn post<T: DeserializeOwned>(
    node: &Node,
    target: &str,
    message: &(impl Serialize + Sync),
    wait: Duration,
) -> Result<T, CallError> {
    let body = UpstreamBody::Own(Full::new(Bytes::from(serde_json::to_vec(message)?)));
    call(node, Method::POST, target, body, wait).await
}

async fn call<T: DeserializeOwned>(
    node: &Node,
    method: Method,
    target: &str,
    body: UpstreamBody,
    wait: Duration,
) -> Result<T, CallError> {
    let mut fields = headers::for_fleet(node.fleet.as_ref().and_then(|fleet| fleet.key.as_ref()));
    fields.insert(ACCEPT, JSON);
    if method == Method::POST {
        fields.insert(CONTENT_TYPE, JSON);
    }
    let request = node.upstream.request(method, target, fields, body)?;
    let answer = async {
        let mut exchange = node.upstream.send_now(request).await?;
        if !exchange.status.is_success() {
            return Err(CallError::Status(exchange.status));
        }
        let mut text = Vec::new();
        while let Some(piece) = exchange.next().await? {
            if text.len() + piece.len() > limits::INTERNAL_BODY_BYTES {
                return Err(CallError::TooLong);
            }
            text.extend_from_slice(&piece);
        }
        Ok(serde_json::from_slice(&text)?)
    };
    timeout(wait, answer).await.map_err(|_| CallError::TimedOut)?
}
