//! An origin that listens.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use ::http::HeaderValue;
use ::http::header::CONNECTION;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tidegate_serve::server::{self, ServerOptions};
use tidegate_serve::{Clock, Entropy, admin, listen};
use tidegate_wire::Code;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::app::{App, StartError};
use crate::config::OriginConfig;
use crate::http::error::ApiError;
use crate::{events, housekeeping, http, limits};

/// An origin with its ports open, about to serve.
pub struct Server {
    app: Arc<App>,
    public: TcpListener,
    admin: Option<TcpListener>,
}

impl Server {
    /// Opens the ports and starts the application. Port 0 takes any free one. `shutdown` stops all of it.
    ///
    /// # Errors
    /// The first part that does not work.
    pub async fn start(config: OriginConfig, shutdown: CancellationToken) -> Result<Self, StartError> {
        let bind = |address: SocketAddr| {
            listen::bind(address, &config.listening).map_err(|source| StartError::Listen { address, source })
        };
        let public = bind(config.listen)?;
        let admin = config.admin_listen.map(bind).transpose()?;
        let app = App::start(config, Clock::system(), Entropy::system(), shutdown).await?;
        if !app.has_fleet_key() {
            tracing::warn!(hint = "--fleet-key", "fleet.no_key: no edge and no worker can connect");
        }
        Ok(Self { app, public, admin })
    }

    /// The application.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn public_address(&self) -> std::io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Notes why there is no worker beside this origin: the API says so of jobs that wait for one.
    pub fn has_no_worker(&self, why: &str) {
        self.app.has_no_worker(why.to_owned());
    }

    /// Where the admin port listens, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn admin_address(&self) -> std::io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Serves until the shutdown, then lets requests in flight end within the drain's limit and closes the
    /// catalogue.
    pub async fn run(self) {
        let Self { app, public, admin } = self;
        let shutdown = app.shutdown.clone();
        let router = http::router(app.clone());
        let options =
            ServerOptions { read_buffer_bytes: limits::READ_AHEAD_BYTES, ..ServerOptions::default() };
        let serving = server::serve(public, options, shutdown.clone(), |connection| {
            let router = router.clone();
            service_fn(move |request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(connection.clone());
                let router = router.clone();
                let framing = connection.framing.clone();
                async move {
                    let response = if framing.is_ambiguous() {
                        refuse_ambiguous()
                    } else {
                        router.oneshot(request).await.unwrap_or_else(|never| match never {})
                    };
                    framing.answered();
                    Ok::<_, Infallible>(response)
                }
            })
        });
        let admin = async {
            if let Some(listener) = admin {
                let (registry, readiness) = (app.metrics.registry.clone(), app.readiness.clone());
                admin::serve(listener, registry, readiness, shutdown).await;
            }
        };
        tokio::join!(serving, admin, housekeeping::run(app.clone()), events::run(app.clone()));
        // Their bodies have ended; what is left is to write down how far they came.
        app.tasks.close();
        if timeout(limits::TASKS_DRAIN, app.tasks.wait()).await.is_err() {
            tracing::warn!(
                tasks = app.tasks.len(),
                "drain.limit_reached: uploads go on from their last checkpoint"
            );
        }
        app.catalog.close().await;
    }
}

/// What came with both lengths is not looked at, and nothing more is read from where it came (RFC 9112 section 6.1).
fn refuse_ambiguous() -> Response {
    let mut response = ApiError::from(Code::AmbiguousLength).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
