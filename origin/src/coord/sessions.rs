//! Sessions: who a cookie stands for. Kept by the SHA-256 of the cookie's value, never by the value.

use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use super::{BoxFuture, CoordError};
use crate::catalog::AccountId;
use crate::limits;

/// The SHA-256 of a cookie's value.
pub type SessionKey = [u8; 32];

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub account: AccountId,
    /// When it ends; milliseconds since 1970. Whoever reads it compares: the store may keep it longer.
    pub expires_at: u64,
}

/// Where sessions are kept for [`limits::SESSION_TTL`].
///
/// They may be lost at any time: people then log in again. They must not come back once deleted.
pub trait Sessions: Send + Sync {
    /// Keeps a session.
    fn put<'a>(&'a self, key: &'a SessionKey, session: Session) -> BoxFuture<'a, Result<(), CoordError>>;

    /// The session under this key.
    fn get<'a>(&'a self, key: &'a SessionKey) -> BoxFuture<'a, Result<Option<Session>, CoordError>>;

    /// Ends a session; one that is not there is fine.
    fn delete<'a>(&'a self, key: &'a SessionKey) -> BoxFuture<'a, Result<(), CoordError>>;
}

/// Sessions of this process; they end with it.
pub struct LocalSessions(Cache<SessionKey, Session>);

impl LocalSessions {
    /// No sessions yet.
    pub fn new() -> Self {
        let builder =
            Cache::builder().max_capacity(limits::SESSIONS_IN_PROCESS).time_to_live(limits::SESSION_TTL);
        Self(builder.build())
    }
}

impl Default for LocalSessions {
    fn default() -> Self {
        Self::new()
    }
}

impl Sessions for LocalSessions {
    fn put<'a>(&'a self, key: &'a SessionKey, session: Session) -> BoxFuture<'a, Result<(), CoordError>> {
        self.0.insert(*key, session);
        Box::pin(std::future::ready(Ok(())))
    }

    fn get<'a>(&'a self, key: &'a SessionKey) -> BoxFuture<'a, Result<Option<Session>, CoordError>> {
        Box::pin(std::future::ready(Ok(self.0.get(key))))
    }

    fn delete<'a>(&'a self, key: &'a SessionKey) -> BoxFuture<'a, Result<(), CoordError>> {
        self.0.invalidate(key);
        Box::pin(std::future::ready(Ok(())))
    }
}
