//! Who is asking: a token, a session cookie, or the fleet key.
//!
//! A token that is sent must be valid, also where none is needed: whoever sends one wants to know. A cookie may be
//! left over from another day and then counts as none.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use tidegate_serve::client::{self, ClientKey};
use tidegate_serve::server::ConnInfo;
use tidegate_wire::{Code, headers};

use super::error::ApiError;
use crate::access::{self, Operation, Verdict};
use crate::accounts::secret;
use crate::app::App;
use crate::audit::Actor;
use crate::catalog::{Account, AccountId, sessions, tokens};
use crate::limits;
use crate::rates;

/// The name of the session's cookie.
pub const SESSION_COOKIE: &str = "tidegate_session";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The account that asks; without one the answer is 401.
pub struct Authenticated(pub Caller);

/// The account that asks, if any.
pub struct MaybeAuthenticated(pub Option<Caller>);

/// An edge or a worker of this fleet asks; anyone else gets 403.
pub struct Fleet;

/// By what an account is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The session with this id.
    Session(String),
    /// The token with this id.
    Token(String),
}

/// The account that asks, and how.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// By what it is known.
    pub credential: Credential,
    /// The client's address.
    pub address: IpAddr,
}

impl Deref for Caller {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}

impl Caller {
    /// Whether it may do this to something of `owner`.
    pub fn verdict(&self, operation: Operation, owner: Option<&AccountId>) -> Verdict {
        let verdict = access::allows(self.role, operation, owner == Some(&self.id));
        let by_token = matches!(self.credential, Credential::Token(_));
        if verdict == Verdict::Allowed && by_token && !access::token_reaches(self.role, operation) {
            return Verdict::Forbidden;
        }
        verdict
    }

    /// Whether it may do this to nothing in particular, or to its own.
    pub fn may(&self, operation: Operation) -> bool {
        self.verdict(operation, Some(&self.id)) == Verdict::Allowed
    }

    /// The same, as an answer.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check(&self, operation: Operation) -> Result<(), ApiError> {
        if self.may(operation) { Ok(()) } else { Err(Code::Forbidden.into()) }
    }

    /// Whether it may do this to something of `owner`, which to others is `missing`.
    ///
    /// # Errors
    /// `forbidden`, `missing`.
    pub fn check_on(
        &self,
        operation: Operation,
        owner: Option<&AccountId>,
        missing: Code,
    ) -> Result<(), ApiError> {
        match self.verdict(operation, owner) {
            Verdict::Allowed => Ok(()),
            Verdict::Forbidden => Err(Code::Forbidden.into()),
            Verdict::NotFound => Err(missing.into()),
        }
    }

    /// As the audit log has it.
    pub fn actor(&self) -> Actor {
        Actor { account: Some(self.id.clone()), address: Some(self.address) }
    }

    /// The id of the session it asks with.
    pub fn session(&self) -> Option<&str> {
        match &self.credential {
            Credential::Session(id) => Some(id),
            Credential::Token(_) => None,
        }
    }
}

/// Whom a request is counted for: the account, or else the client's address.
pub fn counted_as(caller: Option<&Caller>, address: IpAddr) -> rates::Key {
    match caller {
        Some(caller) => rates::Key::Account(caller.id.clone()),
        None => rates::Key::Address(ClientKey::of(address)),
    }
}

/// Who asks, where that was found out before the handler ran; an extension of the request.
#[derive(Clone)]
pub(super) struct Identified(pub(super) Option<Caller>);

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

/// The client's address. A request that came without a connection shares one with all its like.
pub fn client_address(app: &App, parts: &Parts) -> IpAddr {
    let connection = parts.extensions.get::<ConnInfo>();
    let peer = connection.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |connection| connection.peer.ip());
    client::address(peer, &parts.headers, &app.config.trusted_proxies)
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
pub async fn identify(app: &App, parts: &Parts) -> Result<Option<Caller>, ApiError> {
    if let Some(Identified(caller)) = parts.extensions.get::<Identified>() {
        return Ok(caller.clone());
    }
    identify_again(app, parts).await
}

/// The same, for a request that goes on for long: as things are now, whatever was found out when it began.
///
/// # Errors
/// As [`identify`].
pub async fn identify_again(app: &App, parts: &Parts) -> Result<Option<Caller>, ApiError> {
    let address = client_address(app, parts);
    if let Some(token) = bearer(&parts.headers) {
        return by_token(app, token, address).await.map(Some);
    }
    let Some(caller) = by_session(app, &parts.headers, address).await? else { return Ok(None) };
    let is_safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !is_safe {
        check_same_site(app, parts)?;
    }
    Ok(Some(caller))
}

async fn by_token(app: &App, token: &str, address: IpAddr) -> Result<Caller, ApiError> {
    if token.len() > limits::CREDENTIAL_BYTES || !token.starts_with(secret::TOKEN_PREFIX) {
        return Err(Code::InvalidToken.into());
    }
    let found = tokens::find(&app.catalog, &secret::hash_hex(token)).await?;
    let (account, id, last_used_at) = found.ok_or(Code::InvalidToken)?;
    let now_ms = app.clock.unix_ms();
    if last_used_at.is_none_or(|last| is_due(last, now_ms, limits::TOKEN_TOUCH_EVERY))
        && let Err(error) = tokens::touch(&app.catalog, &id, now_ms).await
    {
        // Nobody is kept out because this could not be noted.
        tracing::warn!(error = &error as &dyn std::error::Error, token.id = %id, "token.use_not_noted");
    }
    Ok(Caller { account, credential: Credential::Token(id), address })
}

async fn by_session(app: &App, fields: &HeaderMap, address: IpAddr) -> Result<Option<Caller>, ApiError> {
    let Some(hash) = session_hash(fields) else { return Ok(None) };
    let now_ms = app.clock.unix_ms();
    let found = sessions::find(&app.catalog, &hash, now_ms).await?;
    let Some((account, id, last_seen_at)) = found else { return Ok(None) };
    if is_due(last_seen_at, now_ms, limits::SESSION_TOUCH_EVERY)
        && let Err(error) = sessions::touch(&app.catalog, &id, &address.to_string(), now_ms).await
    {
        tracing::warn!(error = &error as &dyn std::error::Error, session.id = %id, "session.use_not_noted");
    }
    Ok(Some(Caller { account, credential: Credential::Session(id), address }))
}

fn is_due(last_ms: u64, now_ms: u64, every: Duration) -> bool {
    u128::from(now_ms.saturating_sub(last_ms)) >= every.as_millis()
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
pub fn session_hash(fields: &HeaderMap) -> Option<String> {
    let cookies = fields.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let id = cookies.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == SESSION_COOKIE).then_some(value)
    })?;
    (id.len() <= limits::CREDENTIAL_BYTES).then(|| secret::hash_hex(id))
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
            session_hash(&fields)
        };
        let expected = Some(secret::hash_hex("abc"));
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
