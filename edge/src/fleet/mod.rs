//! Membership of a fleet: the purge log, the keys of grants, and a sign of life, each followed in a task of its own.

pub(crate) mod gate;
pub(crate) mod heartbeat;
pub(crate) mod internal;
pub(crate) mod keys;
pub(crate) mod purges;

use http::HeaderValue;
use tidegate_serve::admin::Readiness;

use self::gate::PurgeGate;
use self::keys::Keys;

/// What a member knows.
pub(crate) struct Fleet {
    /// The fleet's secret.
    pub(crate) key: Option<HeaderValue>,
    pub(crate) gate: PurgeGate,
    pub(crate) keys: Keys,
    pub(crate) readiness: Readiness,
}

impl Fleet {
    /// A member that has heard nothing yet.
    pub(crate) fn new(key: Option<HeaderValue>, readiness: Readiness) -> Self {
        readiness.set_unready("purges", "the purge log has not been reached yet");
        readiness.set_unready("keys", "the keys of grants have not been fetched yet");
        Self { key, gate: PurgeGate::new(), keys: Keys::new(), readiness }
    }
}
