//! The public keys grants are checked with, and the grants already checked.

use std::sync::{Arc, PoisonError, RwLock};

use moka::policy::EvictionPolicy;
use tidegate_wire::fleet::KeySet;
use tidegate_wire::grant::{Grant, GrantError, KeyRing};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::internal;
use crate::limits;
use crate::node::Node;

/// The ring of keys.
pub(crate) struct Keys {
    ring: RwLock<Arc<KeyRing>>,
    /// Grants whose signature was found right, by their text. Never shown, and gone when the keys change.
    verified: moka::sync::Cache<Box<str>, Arc<Grant>>,
    wanted: Notify,
    fetches: watch::Sender<u64>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let verified = moka::sync::Cache::builder()
            .max_capacity(limits::VERIFIED_GRANTS)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { ring: RwLock::default(), verified, wanted: Notify::new(), fetches: watch::channel(0).0 }
    }

    /// Whether `text` opens `path` at `now_s` (seconds since 1970). A grant of an unknown key makes the keys be
    /// fetched again, within limits, and is checked once more.
    pub(crate) async fn check(&self, text: &str, path: &str, now_s: u64) -> Result<(), GrantError> {
        if let Some(grant) = self.verified.get(text) {
            return still_opens(&grant, path, now_s);
        }
        match self.verify(text, path, now_s) {
            Err(GrantError::UnknownKey) => {
                self.fetch().await;
                self.verify(text, path, now_s)
            }
            other => other,
        }
    }

    fn verify(&self, text: &str, path: &str, now_s: u64) -> Result<(), GrantError> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner).clone();
        let grant = ring.verify(text, path, now_s)?;
        self.verified.insert(text.into(), Arc::new(grant));
        Ok(())
    }

    async fn fetch(&self) {
        let deadline = Instant::now() + limits::KEY_WAIT;
        let mut fetches = self.fetches.subscribe();
        self.wanted.notify_one();
        // Without new keys the grant is checked with those there are.
        let _ = timeout_at(deadline, fetches.changed()).await;
    }

    fn replace(&self, set: &KeySet) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(KeyRing::new(&set.keys));
        self.verified.invalidate_all();
        self.fetches.send_modify(|count| *count += 1);
    }
}

/// What may have changed since the signature was checked.
fn still_opens(grant: &Grant, path: &str, now_s: u64) -> Result<(), GrantError> {
    if now_s >= u64::from(grant.expires_at) {
        Err(GrantError::Expired)
    } else if path.starts_with(grant.prefix.as_str()) {
        Ok(())
    } else {
        Err(GrantError::OutsidePrefix)
    }
}

/// Keeps the ring current for as long as it is polled.
pub(crate) async fn follow(node: Arc<Node>) {
    let Some(fleet) = &node.fleet else { return };
    let mut lost = false;
    loop {
        let begun = Instant::now();
        let next = match internal::get::<KeySet>(&node, "/internal/keys", limits::INTERNAL_TIMEOUT).await {
            Ok(set) => {
                fleet.keys.replace(&set);
                fleet.readiness.set_ready("keys");
                lost = false;
                begun + limits::KEY_REFRESH
            }
            Err(error) => {
                if !std::mem::replace(&mut lost, true) {
                    tracing::warn!(%error, "keys.unreachable");
                }
                begun + limits::KEY_REFRESH_MIN
            }
        };
        // At most one fetch in this time, however many grants ask for it.
        sleep_until(begun + limits::KEY_REFRESH_MIN).await;
        tokio::select! {
            () = sleep_until(next) => {}
            () = fleet.keys.wanted.notified() => {}
        }
    }
}
