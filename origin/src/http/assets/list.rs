//! Lists of assets: what can be asked for, read from the query.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{Shown, present};
use crate::about;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::Visibility;
use crate::catalog::asset_list::{Order, Place, Wanted};
use crate::http::auth::{Authenticated, Caller};
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::no_store;
use crate::limits;

/// How far what is made of an asset can have come.
const STATES: [&str; 5] = ["uploaded", "processing", "playable", "ready", "failed"];

/// What the keys of filters by metadata begin with.
const METADATA: &str = "metadata.";

/// The query, as it is documented; [`Asked::read`] takes it, since some of its keys are the clients' own.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "for the document alone")]
pub(super) struct Query {
    /// Assets of a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, example = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before, with everything else as it was.
    cursor: Option<String>,
    /// A piece of the name, the title, a tag or the description, whatever its case; their first 500 characters together
    /// are searched. It is taken as it stands: there are no wildcards.
    #[param(max_length = 200, example = "sea")]
    q: Option<String>,
    /// A tag it must have, whatever the case; may stand several times.
    tag: Option<String>,
    /// `uploaded`, `processing`, `playable`, `ready` or `failed`.
    #[param(example = "ready")]
    state: Option<String>,
    visibility: Option<Visibility>,
    /// `created`, `title`, `size` or `duration`, with `-` before it for the largest first.
    #[param(default = "-created", example = "-created")]
    sort: Option<String>,
    /// Everyone's assets; for administrators.
    all: Option<bool>,
    /// Those in the trash rather than the others.
    trashed: Option<bool>,
    /// `metadata.KEY=VALUE`: the member it must have, being this text, number or truth value, whatever the case; for
    /// any key, and several times.
    #[param(rename = "metadata.KEY")]
    metadata: Option<String>,
}

/// A page that is asked for.
struct Asked {
    wanted: Wanted,
    after: Option<Place>,
    limit: u32,
}

impl Asked {
    fn read(pairs: Vec<(String, String)>, caller: &Caller) -> Result<Self, ApiError> {
        let mut limit = limits::PAGE_ASSETS;
        let (mut cursor, mut all) = (None, false);
        let order = Order { by: crate::catalog::asset_list::By::Created, descending: true };
        let mut wanted = Wanted {
            owner: Some(caller.id.clone()),
            trashed: false,
            text: None,
            terms: Vec::new(),
            state: None,
            visibility: None,
            order,
        };
        let mut seen: Vec<String> = Vec::new();
        for (key, value) in pairs {
            let may_repeat = key == "tag" || key.starts_with(METADATA);
            if !may_repeat && seen.contains(&key) {
                return Err(ApiError::field(format!("{key}: stands twice")));
            }
            match key.as_str() {
                "limit" => limit = read_limit(&value)?,
                "cursor" => cursor = Some(value),
                "q" => wanted.text = read_text(&value)?,
                "tag" => wanted.terms.push(about::tag_term(&value)),
                "state" => wanted.state = Some(read_state(value)?),
                "visibility" => {
                    let visibility: Result<Visibility, _> = value.parse();
                    wanted.visibility =
                        Some(visibility.map_err(|error| ApiError::field(format!("visibility: {error}")))?);
                }
                "sort" => wanted.order = read_order(&value)?,
                "all" => all = read_bool("all", &value)?,
                "trashed" => wanted.trashed = read_bool("trashed", &value)?,
                key if key.starts_with(METADATA) => wanted.terms.push(read_member(key, &value)?),
                _ => return Err(ApiError::field("there is a key in the query that this list does not know")),
            }
            seen.push(key);
        }
        if wanted.terms.len() > limits::LIST_TERMS || wanted.terms.iter().any(|term| term.contains('\0')) {
            return Err(ApiError::field(format!(
                "tag, metadata: at most {}, no control characters",
                limits::LIST_TERMS
            )));
        }
        caller.check(if all { Operation::ListAllAssets } else { Operation::ListAssets })?;
        if all {
            wanted.owner = None;
        }
        let place = |text: String| {
            Place::decode(&text, wanted.order).ok_or_else(|| {
                ApiError::field("cursor: take it from `next_cursor` of the page before, in the same order")
            })
        };
        let after = cursor.map(place).transpose()?;
        Ok(Self { wanted, after, limit })
    }
}

fn read_limit(value: &str) -> Result<u32, ApiError> {
    let most = limits::PAGE_ASSETS_MAX;
    let limit = value.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| ApiError::field(format!("limit: 1 to {most}")))
}

fn read_text(value: &str) -> Result<Option<String>, ApiError> {
    let most = limits::SEARCH_CHARS;
    if value.chars().count() > most || value.chars().any(char::is_control) {
        return Err(ApiError::field(format!("q: at most {most} characters, no control characters")));
    }
    Ok((!value.trim().is_empty()).then(|| value.trim().to_owned()))
}

fn read_state(value: String) -> Result<String, ApiError> {
    if STATES.contains(&value.as_str()) {
        return Ok(value);
    }
    Err(ApiError::field(format!("state: one of {}", STATES.join(", "))))
}

fn read_order(value: &str) -> Result<Order, ApiError> {
    Order::named(value).ok_or_else(|| {
        let names: Vec<&str> = Order::NAMES.iter().map(|(name, _)| *name).collect();
        ApiError::field(format!("sort: one of {}", names.join(", ")))
    })
}

fn read_bool(key: &str, value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| ApiError::field(format!("{key}: true or false")))
}

fn read_member(key: &str, value: &str) -> Result<String, ApiError> {
    let name = key.strip_prefix(METADATA).filter(|name| !name.is_empty() && !name.contains(char::is_control));
    name.and_then(|name| about::member_term(name, value)).ok_or_else(|| {
        let most = limits::ASSET_METADATA_TERM_CHARS;
        ApiError::field(format!("metadata.KEY: a value of at most {most} characters, no control characters"))
    })
}

#[derive(Serialize, ToSchema)]
#[schema(as = Assets, examples(json!({ "assets": [], "next_cursor": null, "total": 0 })))]
pub(super) struct List {
    assets: Vec<Shown>,
    /// For the next page; null on the last. It goes with the same `sort`.
    next_cursor: Option<String>,
    /// How many fit the filters, on all pages.
    total: u64,
}

/// Lists assets: the caller's, newest first, unless asked otherwise.
#[utoipa::path(
    get, path = "/api/v1/assets", tag = "assets", operation_id = "listAssets", params(Query),
    responses((status = 200, body = List)), extensions(("x-problems" = json!(["forbidden"])))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Params(pairs): Params<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let asked = Asked::read(pairs, &caller)?;
    let mut found = asked.wanted.page(&app.catalog, asked.after.as_ref(), asked.limit + 1).await?;
    let entries = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let next_cursor =
        (found.len() > entries).then(|| Place::behind(&found[entries - 1], asked.wanted.order).encode());
    found.truncate(entries);
    // A first page that is the last has them all.
    let total = match (&asked.after, &next_cursor) {
        (None, None) => found.len() as u64,
        _ => asked.wanted.total(&app.catalog).await?,
    };
    let assets = present(&app, &caller, found).await?;
    Ok(no_store(axum::Json(List { assets, next_cursor, total })))
}
