//! An origin in process, called through its real router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tidegate_origin::app::App;
use tidegate_origin::catalog::{Asset, NewAsset, Visibility, accounts, assets};
use tidegate_origin::config::{DatabaseOptions, OriginConfig, Secret};
use tidegate_serve::ambient::ManualClock;
use tidegate_serve::server::ConnInfo;
use tidegate_serve::stream::Framing;
use tidegate_serve::{Clock, Entropy};
use tidegate_wire::AssetId;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

pub const FLEET_KEY: &str = "the fleet's key";
pub const NOW_MS: u64 = 1_780_000_000_000;
pub const PASSWORD: &str = "correct horse";

/// An origin, its clock, and the folder it lives in.
pub struct Origin {
    pub app: Arc<App>,
    pub router: Router,
    pub hand: ManualClock,
    pub shutdown: CancellationToken,
    pub folder: Arc<TempDir>,
}

/// Who sends a request.
#[derive(Clone, Debug)]
pub enum As {
    Nobody,
    Token(String),
    Cookie(String),
    Fleet,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The status, and the problem's code if it is one.
    pub fn outcome(&self) -> (u16, String) {
        let is_problem = self.header("content-type") == "application/problem+json";
        let code = if is_problem { self.json()["code"].as_str().unwrap().to_owned() } else { String::new() };
        (self.status.as_u16(), code)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!(self.outcome(), (status, code.to_owned()), "{self:?}");
        self
    }
}

impl Origin {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut OriginConfig)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::start_in(folder, None, change).await
    }

    /// An origin in `folder`, on SQLite there unless another database is given.
    pub async fn start_in(
        folder: Arc<TempDir>,
        database: Option<&DatabaseOptions>,
        change: impl FnOnce(&mut OriginConfig),
    ) -> Self {
        let mut config = OriginConfig::embedded(folder.path());
        config.fleet_key = Some(Secret::new(FLEET_KEY));
        config.admin_password = Some(Secret::new(PASSWORD));
        if let Some(database) = database {
            config.database = database.clone();
        }
        change(&mut config);
        let (clock, hand) = Clock::manual(NOW_MS);
        let shutdown = CancellationToken::new();
        let app = App::start(config, clock, Entropy::system(), shutdown.clone()).await.unwrap();
        Self { router: tidegate_origin::http::router(app.clone()), app, hand, shutdown, folder }
    }

    /// The origin of `folder` once more, so much later.
    pub async fn start_at(folder: Arc<TempDir>, later: Duration) -> Self {
        let mut config = OriginConfig::embedded(folder.path());
        config.fleet_key = Some(Secret::new(FLEET_KEY));
        let (clock, hand) = Clock::manual(NOW_MS);
        hand.advance(later);
        let shutdown = CancellationToken::new();
        let app = App::start(config, clock, Entropy::system(), shutdown.clone()).await.unwrap();
        Self { router: tidegate_origin::http::router(app.clone()), app, hand, shutdown, folder }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 1 << 24).await.unwrap();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub async fn call(&self, who: &As, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(request(who, method, path, body)).await
    }

    pub async fn get(&self, who: &As, path: &str) -> Answer {
        self.call(who, Method::GET, path, None).await
    }

    pub async fn post(&self, who: &As, path: &str, body: Value) -> Answer {
        self.call(who, Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, who: &As, path: &str, body: Value) -> Answer {
        self.call(who, Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, who: &As, path: &str) -> Answer {
        self.call(who, Method::DELETE, path, None).await
    }

    /// The first account's token, from its file.
    pub fn admin(&self) -> As {
        let text = std::fs::read_to_string(self.folder.path().join("admin.token")).unwrap();
        As::Token(text.trim().to_owned())
    }

    /// Signs up and logs in; returns the session.
    pub async fn session_of(&self, name: &str) -> As {
        let account = serde_json::json!({
            "username": name, "email": format!("{name}@example.org"), "password": PASSWORD,
        });
        self.post(&As::Nobody, "/api/v1/accounts", account).await.expect(201);
        self.log_in(name).await
    }

    pub async fn log_in(&self, login: &str) -> As {
        let credentials = serde_json::json!({ "login": login, "password": PASSWORD });
        let answer = self.post(&As::Nobody, "/api/v1/sessions", credentials).await.expect(201);
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        As::Cookie(cookie)
    }

    /// Signs up and makes a token.
    pub async fn token_of(&self, name: &str) -> As {
        let session = self.session_of(name).await;
        let answer = self.post(&session, "/api/v1/tokens", serde_json::json!({ "name": "test" })).await;
        As::Token(answer.expect(201).json()["token"].as_str().unwrap().to_owned())
    }

    /// Puts an asset into the catalogue as a finished upload does.
    pub async fn add_asset(&self, n: u8, owner: Option<&str>, visibility: Visibility) -> AssetId {
        let id = AssetId::generate(NOW_MS + u64::from(n), [n; 10]);
        let owner = match owner {
            Some(name) => {
                let (account, _) = accounts::find_by_login(&self.app.catalog, name).await.unwrap().unwrap();
                Some(account.id)
            }
            None => None,
        };
        let new = NewAsset { visibility, ..super::new_asset(id, owner) };
        let mut tx = self.app.catalog.begin().await.unwrap();
        assert!(assets::insert(&mut tx, &new).await.unwrap());
        tx.commit().await.unwrap();
        id
    }

    pub async fn asset(&self, id: AssetId) -> Option<Asset> {
        assets::get(&self.app.catalog, id).await.unwrap()
    }

    /// What edges are told after `after`.
    pub async fn purges_after(&self, after: u64) -> Value {
        self.get(&As::Fleet, &format!("/internal/purges?after={after}")).await.expect(200).json()
    }
}

pub fn request(who: &As, method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("host", "origin.test:8080");
    request = match who {
        As::Nobody => request,
        As::Token(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
        As::Cookie(cookie) => request.header(COOKIE, cookie),
        As::Fleet => request.header("tidegate-fleet-key", FLEET_KEY),
    };
    match body {
        Some(body) => {
            request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
        }
        None => request.body(Body::empty()).unwrap(),
    }
}

/// As if the request had come over a connection from `peer`.
pub fn from_peer(mut request: Request<Body>, peer: &str) -> Request<Body> {
    let peer: SocketAddr = format!("{peer}:1").parse().unwrap();
    request.extensions_mut().insert(ConnInfo {
        peer,
        framing: Framing::default(),
        closing: CancellationToken::new(),
    });
    request
}

pub const SECOND: Duration = Duration::from_secs(1);
