//! Getting to know an object, once for all viewers that ask for it at the same time: who waits for whom, and what they
//! are told. What is done meanwhile stands in [`learn`](super::learn).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::watch;

use super::NoStoreReason;
use super::flight::FlightReader;
use super::key::Key;
use super::object::Object;
use crate::locked;
use crate::outcome::Outcome;
use crate::upstream::{Exchange, Failure};

/// How the first request is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// For this slice: the one the viewer needs first.
    Slice(u64),
    /// Without a range: the origin finds no range in it.
    Whole,
    /// HEAD: the viewer wants no bytes, or the last ones of an object whose size is not known.
    Head {
        /// Whether to ask for the first slice when HEAD teaches nothing.
        then_get: bool,
    },
}

/// What an opening comes to, for all who wait for it.
#[derive(Clone)]
pub(crate) enum Verdict {
    /// An object.
    Object {
        object: Arc<Object>,
        /// How it was had.
        outcome: Outcome,
        /// Keeps its first fill going until the viewers have joined it.
        _first_fill: Option<Arc<FlightReader>>,
    },
    /// Not storable: each passes its own request on.
    Pass(NoStoreReason),
    /// Learned nothing that concerns others than the one who asked.
    Again,
    /// No answer.
    Failed(Failure),
}

/// An answer for the viewer who caused the opening, to be passed on to it alone.
pub(crate) struct Relay {
    /// Why it is not stored.
    pub(crate) reason: NoStoreReason,
    /// What has been read of the body already.
    pub(crate) prefix: Bytes,
    /// The rest.
    pub(crate) exchange: Exchange,
}

/// An opening under way.
pub(crate) struct Opening {
    verdict: watch::Sender<Option<Verdict>>,
    /// A purge came: what is learned is not kept.
    void: AtomicBool,
}

/// All openings under way, by key.
#[derive(Default)]
pub(crate) struct Openings(Mutex<HashMap<Key, Arc<Opening>>>);

/// Waits for a verdict.
pub(crate) type Waiting = watch::Receiver<Option<Verdict>>;

impl Opening {
    /// Tells all who wait.
    pub(super) fn tell(&self, verdict: Verdict) {
        // Nobody may be waiting any more.
        let _ = self.verdict.send(Some(verdict));
    }

    /// Whether a purge has come.
    pub(super) fn is_void(&self) -> bool {
        self.void.load(Ordering::Acquire)
    }
}

impl Openings {
    /// Joins the opening of `key`; the second value is there for whoever must begin it.
    pub(crate) fn join(&self, key: &Key) -> (Waiting, Option<Arc<Opening>>) {
        let mut table = locked(&self.0);
        if let Some(opening) = table.get(key) {
            return (opening.verdict.subscribe(), None);
        }
        let (verdict, waiting) = watch::channel(None);
        let opening = Arc::new(Opening { verdict, void: AtomicBool::new(false) });
        table.insert(key.clone(), opening.clone());
        (waiting, Some(opening))
    }

    /// Openings of keys that are meant keep nothing, and whoever comes from now on begins anew.
    pub(crate) fn void_where(&self, is_meant: impl Fn(&str) -> bool) {
        locked(&self.0).retain(|key, opening| {
            let meant = is_meant(key);
            if meant {
                opening.void.store(true, Ordering::Release);
            }
            !meant
        });
    }

    /// Runs `keep` unless the opening is void, and no purge can come in between.
    pub(super) fn unless_void(&self, opening: &Opening, keep: impl FnOnce()) {
        let _table = locked(&self.0);
        if !opening.void.load(Ordering::Acquire) {
            keep();
        }
    }

    /// Takes an opening off the table.
    pub(super) fn close(&self, key: &Key, opening: &Arc<Opening>) {
        let mut table = locked(&self.0);
        if table.get(key).is_some_and(|now| Arc::ptr_eq(now, opening)) {
            table.remove(key);
        }
    }
}
