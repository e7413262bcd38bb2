//! Who is asking: a token, a session cookie, or the fleet key.
//!
//! A token that is sent must be valid, also where none is needed: whoever sends one wants to know. A cookie may be
//! left over from another day and then counts as none.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use tidegate_wire::{Code, headers};

use super::error::ApiError;
use crate::accounts::secret;
use crate::app::App;
use crate::catalog::{Account, accounts, tokens};
use crate::coord::sessions::SessionKey;
use crate::limits;

/// The name of the session's cookie.
pub const SESSION_COOKIE: &str = "tidegate_session";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The account that asks; without one the answer is 401.
pub struct Authenticated(pub Account);

/// The account that asks, if any.
pub struct MaybeAuthenticated(pub Option<Account>);

/// An edge or a worker of this fleet asks; anyone else gets 403.
pub struct Fleet;

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        identify(app, parts).await?.map(Self).ok_or_else(|| Code::AuthenticationRequired.into())
    }
}

impl FromRequestParts<Arc<App>> for MaybeAuthenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        identify(app, parts).await.map(Self)
    }
}

impl FromRequestParts<Arc<App>> for Fleet {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        if is_fleet(app, &parts.headers) { Ok(Self) } else { Err(Code::FleetKeyRequired.into()) }
    }
}

/// Whether the request carries the fleet key.
pub fn is_fleet(app: &App, fields: &HeaderMap) -> bool {
    fields.get(headers::FLEET_KEY).and_then(|key| key.to_str().ok()).is_some_and(|key| app.is_fleet_key(key))
}

/// The account that a request comes from, by its token or else by its session.
///
/// # Errors
/// `invalid_token` for a token that is none; `cross_site` for a session used by another site's page to change
/// something; `unavailable` when nobody can say.
pub async fn identify(app: &App, parts: &Parts) -> Result<Option<Account>, ApiError> {
    if let Some(token) = bearer(&parts.headers) {
        return by_token(app, token).await.map(Some);
    }
    let Some(account) = by_session(app, &parts.headers).await? else { return Ok(None) };
    let is_safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !is_safe {
        check_same_site(app, parts)?;
    }
    Ok(Some(account))
}

async fn by_token(app: &App, token: &str) -> Result<Account, ApiError> {
    if token.len() > limits::CREDENTIAL_BYTES || !token.starts_with(secret::TOKEN_PREFIX) {
        return Err(Code::InvalidToken.into());
    }
    let found = tokens::find(&app.catalog, &secret::hash_hex(token)).await?;
    let (account, id, last_used_at) = found.ok_or(Code::InvalidToken)?;
    let now_ms = app.clock.unix_ms();
    let due = |last: u64| now_ms.saturating_sub(last) >= millis(limits::TOKEN_TOUCH_EVERY);
    if last_used_at.is_none_or(due)
        && let Err(error) = tokens::touch(&app.catalog, &id, now_ms).await
    {
        // Nobody is kept out because this could not be noted.
        tracing::warn!(error = &error as &dyn std::error::Error, token.id = %id, "token.use_not_noted");
    }
    Ok(account)
}

async fn by_session(app: &App, fields: &HeaderMap) -> Result<Option<Account>, ApiError> {
    let Some(key) = session_key(fields) else { return Ok(None) };
    let Some(session) = app.coord.sessions.get(&key).await? else { return Ok(None) };
    if app.clock.unix_ms() >= session.expires_at {
        return Ok(None);
    }
    Ok(accounts::get(&app.catalog, &session.account).await?)
}

/// Refuses what a page of another site sent: browsers say so, in one of two fields. Whoever sends neither is no
/// browser, and was not talked into sending the cookie along.
///
/// # Errors
/// `cross_site`.
pub fn check_same_site(app: &App, parts: &Parts) -> Result<(), ApiError> {
    let field = |name: HeaderName| parts.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    // `none` is a person's own doing: an address typed in, a bookmark.
    if let Some("same-origin" | "none") = field(SEC_FETCH_SITE) {
        return Ok(());
    }
    let is_ours = |origin: &str| {
        let (_, authority) = origin.split_once("://").unwrap_or(("", origin));
        let host = field(HOST).or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
        host == Some(authority)
            || app.config.public_url.as_deref().is_some_and(|url| origin_of(url) == origin)
    };
    match (field(ORIGIN), field(SEC_FETCH_SITE)) {
        (Some(origin), _) if is_ours(origin) => Ok(()),
        (None, None) => Ok(()),
        _ => Err(Code::CrossSite.into()),
    }
}

/// Scheme and authority of a URL.
pub fn origin_of(url: &str) -> &str {
    let authority_at = url.find("://").map_or(0, |at| at + 3);
    url[authority_at..].find('/').map_or(url, |end| &url[..authority_at + end])
}

fn bearer(fields: &HeaderMap) -> Option<&str> {
    let (scheme, token) = fields.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What the session of a request is kept by.
pub fn session_key(fields: &HeaderMap) -> Option<SessionKey> {
    let cookies = fields.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let id = cookies.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == SESSION_COOKIE).then_some(value)
    })?;
    (id.len() <= limits::CREDENTIAL_BYTES).then(|| secret::hash(id))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_whatever_the_scheme_is_written_like() {
        let bearer_of = |text: &str| {
            let mut fields = HeaderMap::new();
            fields.insert(AUTHORIZATION, text.parse().unwrap());
            bearer(&fields).map(str::to_owned)
        };
        assert_eq!(bearer_of("Bearer tg_x").as_deref(), Some("tg_x"));
        assert_eq!(bearer_of("bearer  tg_x ").as_deref(), Some("tg_x"));
        assert_eq!(bearer_of("Basic dXNlcg=="), None);
        assert_eq!(bearer_of("Bearer"), None);
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let key_of = |lines: &[&str]| {
            let mut fields = HeaderMap::new();
            for line in lines {
                fields.append(COOKIE, line.parse().unwrap());
            }
            session_key(&fields)
        };
        let expected = Some(secret::hash("abc"));
        assert_eq!(key_of(&["tidegate_session=abc"]), expected);
        assert_eq!(key_of(&["a=b; tidegate_session=abc; c=d"]), expected);
        assert_eq!(key_of(&["a=b", "tidegate_session=abc"]), expected);
        assert_eq!(key_of(&["xtidegate_session=abc", "tidegate_session"]), None);
        assert_eq!(key_of(&[&format!("tidegate_session={}", "x".repeat(1000))]), None);
    }

    #[test]
    fn the_origin_of_a_url_ends_at_its_path() {
        assert_eq!(origin_of("https://a.example/b/c"), "https://a.example");
        assert_eq!(origin_of("http://a:8080"), "http://a:8080");
    }
}
