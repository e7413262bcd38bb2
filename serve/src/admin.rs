//! The admin listener: `/metrics`, `/healthz`, `/readyz`. Not for the public.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use tidegate_wire::{Code, Problem};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::problem;
use crate::server::{self, ServerOptions};

/// What keeps a service from being ready, by part. Ready is when nothing does.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Readiness {
    /// Ready from the start.
    pub fn new() -> Self {
        Self::default()
    }

    /// `part` works.
    pub fn set_ready(&self, part: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
    }

    /// `part` does not work, and why, in words an operator can act on.
    pub fn set_unready(&self, part: &'static str, why: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part, why.into());
    }

    /// One line for each part that does not work; empty when ready.
    pub fn faults(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|(part, why)| format!("{part}: {why}")).collect()
    }
}

/// Serves the admin port until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    readiness: Readiness,
    shutdown: CancellationToken,
) {
    server::serve(listener, ServerOptions::default(), shutdown, move |_| {
        let (registry, readiness) = (registry.clone(), readiness.clone());
        service_fn(move |request: Request<Incoming>| {
            let response = answer(&request, &registry, &readiness);
            async move { Ok::<_, Infallible>(response) }
        })
    })
    .await;
}

fn answer(request: &Request<Incoming>, registry: &Registry, readiness: &Readiness) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return problem::response(&Problem::from(Code::MethodNotAllowed));
    }
    match request.uri().path() {
        "/metrics" => match TextEncoder::new().encode_to_string(&registry.gather()) {
            Ok(body) => text(StatusCode::OK, TEXT_FORMAT, body),
            Err(error) => {
                tracing::error!(%error, "metrics.encoding_failed");
                problem::response(&Problem::from(Code::Internal))
            }
        },
        "/healthz" => text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".into()),
        "/readyz" => match readiness.faults() {
            faults if faults.is_empty() => {
                text(StatusCode::OK, "text/plain; charset=utf-8", "ready\n".into())
            }
            faults => {
                text(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", faults.join("\n") + "\n")
            }
        },
        _ => problem::response(&Problem::from(Code::NotFound)),
    }
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
