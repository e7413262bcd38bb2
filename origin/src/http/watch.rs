//! `/watch/{asset}`: a page that plays it, through an edge where there is one; beside it `state.json`, which the page
//! asks again while there is more to come. `/embed/{asset}` is the same for the pages of other sites: the video alone,
//! and nobody's session counts there.

mod page;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use sha2::{Digest as _, Sha256};
use tidegate_wire::{AssetId, Code, grant};

use self::page::Use;
use super::auth::{Caller, MaybeAuthenticated};
use super::edges::is_alive;
use super::error::ApiError;
use super::extract::AssetPath;
use super::{grants, no_store};
use crate::access::{Operation, Verdict};
use crate::app::App;
use crate::catalog::revisions::{self, Revision};
use crate::catalog::{Asset, Visibility, assets, edges};
use crate::limits;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/watch/{id}", get(watch))
        .route("/watch/{id}/state.json", get(watch_state))
        .route("/g/{grant}/watch/{id}", get(granted_watch))
        .route("/g/{grant}/watch/{id}/state.json", get(granted_watch_state))
        .route("/embed/{id}", get(embed))
        .route("/embed/{id}/state.json", get(embed_state))
        .route("/g/{grant}/embed/{id}", get(granted_embed))
        .route("/g/{grant}/embed/{id}/state.json", get(granted_watch_state))
}

/// A viewer who may watch an asset.
struct View {
    asset: Asset,
    /// What is made of it.
    revision: Option<Revision>,
    /// The path of the page.
    path: String,
    /// The grant under which the bytes are read, where one is needed.
    grant: Option<String>,
    /// Edges that are alive, the asset's own first; at most [`limits::WATCH_EDGES`].
    edges: Vec<String>,
}

async fn watch(
    State(app): State<Arc<App>>,
    MaybeAuthenticated(caller): MaybeAuthenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    let view = View::of(&app, caller, id).await?;
    page::render(&view, &state::State::of(&app, &view).await?, Use::Watch)
}

async fn watch_state(
    State(app): State<Arc<App>>,
    MaybeAuthenticated(caller): MaybeAuthenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    let view = View::of(&app, caller, id).await?;
    Ok(no_store(axum::Json(state::State::of(&app, &view).await?)))
}

async fn granted_watch(
    State(app): State<Arc<App>>,
    Path((grant, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let view = View::granted(&app, grant, &id, Use::Watch).await?;
    page::render(&view, &state::State::of(&app, &view).await?, Use::Watch)
}

async fn granted_watch_state(
    State(app): State<Arc<App>>,
    Path((grant, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let view = View::granted(&app, grant, &id, Use::Watch).await?;
    Ok(no_store(axum::Json(state::State::of(&app, &view).await?)))
}

/// A page of another site shows what anyone may watch, or what its address gives permission for. The viewer's session
/// stays out of it: what someone may see must not depend on whose page they happen to be on.
async fn embed(State(app): State<Arc<App>>, AssetPath(id): AssetPath) -> Result<Response, ApiError> {
    let view = View { path: format!("/embed/{id}"), ..View::of(&app, None, id).await? };
    page::render(&view, &state::State::of(&app, &view).await?, Use::Embed)
}

async fn embed_state(State(app): State<Arc<App>>, AssetPath(id): AssetPath) -> Result<Response, ApiError> {
    let view = View::of(&app, None, id).await?;
    Ok(no_store(axum::Json(state::State::of(&app, &view).await?)))
}

async fn granted_embed(
    State(app): State<Arc<App>>,
    Path((grant, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let view = View::granted(&app, grant, &id, Use::Embed).await?;
    page::render(&view, &state::State::of(&app, &view).await?, Use::Embed)
}

impl View {
    /// Anyone may watch what is unlisted or public. A private asset plays for its owner, through a grant in the
    /// address; so does one that is encrypted, since its key is for the owner alone.
    async fn of(app: &App, caller: Option<Caller>, id: AssetId) -> Result<Self, ApiError> {
        let asset = assets::get(&app.catalog, id).await?.ok_or(Code::AssetNotFound)?;
        let verdict = caller.map(|caller| caller.verdict(Operation::ReadPrivateBytes, asset.owner.as_ref()));
        let is_owner = verdict == Some(Verdict::Allowed);
        if asset.visibility == Visibility::Private && !is_owner {
            return Err(Code::AssetNotFound.into());
        }
        let revision = revisions::newest(&app.catalog, id).await?;
        let is_encrypted = revision.as_ref().is_some_and(|revision| revision.aes_key.is_some());
        let needs_grant = is_owner && (asset.visibility == Visibility::Private || is_encrypted);
        let grant = needs_grant.then(|| grants::for_watching(app, id));
        Ok(Self { path: format!("/watch/{id}"), asset, revision, grant, edges: pick_edges(app, id).await? })
    }

    /// Whoever has a grant for the asset's bytes may watch them on a page: a link to share.
    async fn granted(app: &App, grant: String, id: &str, made_for: Use) -> Result<Self, ApiError> {
        let id: AssetId = id.parse().map_err(|_| Code::AssetNotFound)?;
        app.grants.verify(&grant, &id.source_path()).await?;
        let asset = assets::get(&app.catalog, id).await?.ok_or(Code::AssetNotFound)?;
        let page = if made_for == Use::Embed { "embed" } else { "watch" };
        let path = grant::granted_path(&grant, &format!("/{page}/{id}"));
        let revision = revisions::newest(&app.catalog, id).await?;
        Ok(Self { path, asset, revision, grant: Some(grant), edges: pick_edges(app, id).await? })
    }

    /// What people call it.
    fn title(&self) -> &str {
        let title = self.asset.about.title.as_deref().filter(|title| !title.is_empty());
        title.unwrap_or(&self.asset.name)
    }

    /// The file itself is for everyone only where what was made of it is not encrypted.
    fn may_read_source(&self) -> bool {
        let is_encrypted = self.revision.as_ref().is_some_and(|revision| revision.aes_key.is_some());
        self.grant.is_some() || !is_encrypted
    }

    /// What the addresses of all bytes begin with: the edge, and the grant.
    fn base(&self) -> String {
        let edge = self.edges.first().map(String::as_str).unwrap_or_default();
        let grant = self.grant.as_ref().map(|grant| grant::granted_path(grant, "")).unwrap_or_default();
        format!("{edge}{grant}")
    }
}

/// The edges that are alive, in an order that is the asset's own and stays while the fleet stays the same (rendezvous
/// hashing): its slices then fill one cache.
async fn pick_edges(app: &App, id: AssetId) -> Result<Vec<String>, ApiError> {
    let now_ms = app.clock.unix_ms();
    let alive = edges::list(&app.catalog).await?.into_iter().filter(|edge| is_alive(edge, now_ms));
    let mut urls: Vec<String> = alive.map(|edge| edge.heartbeat.url).collect();
    urls.sort_by_cached_key(|url| std::cmp::Reverse(Sha256::digest(format!("{id} {url}"))));
    urls.truncate(limits::WATCH_EDGES);
    Ok(urls)
}
