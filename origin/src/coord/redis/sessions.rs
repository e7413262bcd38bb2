//! Sessions in Redis: `tidegate:session:` and the key in hexadecimal digits; JSON.

use tidegate_wire::digest::to_hex;

use super::link::Link;
use crate::coord::sessions::{Session, SessionKey, Sessions};
use crate::coord::{BoxFuture, CoordError};
use crate::limits;

pub(super) struct RedisSessions(Link);

impl RedisSessions {
    pub(super) fn new(link: Link) -> Self {
        Self(link)
    }
}

fn name(key: &SessionKey) -> String {
    format!("tidegate:session:{}", to_hex(key))
}

impl Sessions for RedisSessions {
    fn put<'a>(&'a self, key: &'a SessionKey, session: Session) -> BoxFuture<'a, Result<(), CoordError>> {
        Box::pin(async move {
            let text = serde_json::to_string(&session).map_err(CoordError::new)?;
            let mut command = redis::cmd("SET");
            command.arg(name(key)).arg(text).arg("EX").arg(limits::SESSION_TTL.as_secs());
            self.0.query(&command).await
        })
    }

    fn get<'a>(&'a self, key: &'a SessionKey) -> BoxFuture<'a, Result<Option<Session>, CoordError>> {
        Box::pin(async move {
            let text: Option<String> = self.0.query(redis::cmd("GET").arg(name(key))).await?;
            // What another version wrote is no session of ours: log in again.
            Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
        })
    }

    fn delete<'a>(&'a self, key: &'a SessionKey) -> BoxFuture<'a, Result<(), CoordError>> {
        Box::pin(async move { self.0.query(redis::cmd("DEL").arg(name(key))).await })
    }
}
