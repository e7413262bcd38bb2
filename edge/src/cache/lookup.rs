//! From a request's target to an object, or to the decision that there is none to be stored.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Entry;
use super::key::{self, Key};
use super::learn::Job;
use super::object::Object;
use super::opening::{First, Opening, Relay, Verdict, Waiting};
use crate::limits;
use crate::node::Node;
use crate::outcome::Outcome;
use crate::upstream::{Ask, Failure};

/// What a lookup came to.
pub(crate) enum Found {
    /// An object. The third value keeps its first fill going until the viewer has joined it.
    Object(Arc<Object>, Outcome, Option<Waiting>),
    /// Nothing storable: the request is to be passed on, or has been answered by the relay.
    Pass(Outcome, Option<Box<Relay>>),
}

/// The object of `path`, at once, if there is one that does not vary and need not wait for the origin.
pub(crate) fn at_hand(node: &Node, path: &str, now_s: u64) -> Option<(Arc<Object>, Outcome)> {
    match node.cache.entry(path)? {
        Entry::Object(object) if object.freshness.is_fresh(now_s) => Some((object, Outcome::Hit)),
        Entry::Object(object) if object.freshness.is_usable_while_asking(now_s) => {
            Some((object, Outcome::StaleWhileAsking))
        }
        _ => None,
    }
}

/// Finds the object of `ask`, asking the origin if need be.
///
/// # Errors
/// Why the origin's answer could not be had. Cancelling it leaves the question to the origin running for others.
pub(crate) async fn find(node: &Arc<Node>, ask: &Arc<Ask>, first: First) -> Result<Found, Failure> {
    for _ in 0..limits::RESTARTS {
        let (key, prior) = match known(node, ask) {
            Known::Fresh(object) => return Ok(Found::Object(object, Outcome::Hit, None)),
            Known::Marked => return Ok(Found::Pass(Outcome::Marked, None)),
            Known::Not(key, prior) => (key, prior),
        };
        let (mut waiting, lead) = node.cache.openings.join(&key);
        let mut relay = match lead {
            Some(opening) => match lead_on(node, ask, first, opening, &key, prior) {
                Some(relay) => Some(relay),
                None => continue,
            },
            None => None,
        };
        let verdict = match waiting.wait_for(Option::is_some).await {
            Ok(verdict) => verdict.clone(),
            // Whoever was to ask found that it need not.
            Err(_) => None,
        };
        let relay = relay.as_mut().map(|relay| relay.try_recv());
        let led = relay.is_some();
        let answer = relay.and_then(Result::ok).map(Box::new);
        match verdict {
            Some(Verdict::Object { object, outcome, .. }) if led || selects(&object, ask) => {
                let outcome = if !led && outcome == Outcome::Miss { Outcome::Collapsed } else { outcome };
                return Ok(Found::Object(object, outcome, Some(waiting)));
            }
            Some(Verdict::Pass(reason)) => return Ok(Found::Pass(Outcome::Bypass(reason), answer)),
            Some(Verdict::Failed(failure)) if answer.is_none() => return Err(failure),
            _ => {
                if let Some(relay) = answer {
                    return Ok(Found::Pass(Outcome::Bypass(relay.reason), Some(relay)));
                }
            }
        }
    }
    // It changes faster than it can be learned.
    Ok(Found::Pass(Outcome::Marked, None))
}

enum Known {
    Fresh(Arc<Object>),
    Marked,
    Not(Key, Option<Arc<Object>>),
}

fn known(node: &Node, ask: &Ask) -> Known {
    let cache = &node.cache;
    let (key, entry): (Key, _) = match cache.entry(&ask.target) {
        Some(Entry::Varies(names)) => {
            let key = key::variant(&ask.target, &names, &ask.headers);
            let entry = cache.entry(&key);
            (key, entry)
        }
        entry => (ask.target.as_ref().into(), entry),
    };
    match entry {
        Some(Entry::Object(object)) if object.freshness.is_fresh(node.clock.unix_s()) => Known::Fresh(object),
        Some(Entry::Object(object)) => Known::Not(key, Some(object)),
        Some(Entry::Pass { until_ms }) if node.clock.unix_ms() < until_ms => Known::Marked,
        _ => Known::Not(key, None),
    }
}

/// Begins the opening this request is to lead, unless what it would learn has been learned since it looked.
fn lead_on(
    node: &Arc<Node>,
    ask: &Arc<Ask>,
    first: First,
    opening: Arc<Opening>,
    key: &Key,
    prior: Option<Arc<Object>>,
) -> Option<oneshot::Receiver<Relay>> {
    let unchanged = match known(node, ask) {
        Known::Not(now, entry) => now == *key && same(entry.as_ref(), prior.as_ref()),
        Known::Fresh(_) | Known::Marked => false,
    };
    if !unchanged {
        node.cache.openings.close(key, &opening);
        return None;
    }
    let (send, receive) = oneshot::channel();
    let job = Job { node: node.clone(), key: key.clone(), ask: ask.clone(), first, prior, opening };
    node.tasks.spawn(job.run(send));
    Some(receive)
}

fn same(one: Option<&Arc<Object>>, other: Option<&Arc<Object>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// Whether `object` is the variant that `ask` selects.
fn selects(object: &Object, ask: &Ask) -> bool {
    object.varies_by.is_empty() || key::variant(&ask.target, &object.varies_by, &ask.headers) == object.key
}
