//! What the edge fetches before a viewer has to wait for it: an object that is about to be out of date, and the one
//! that comes after another.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;

use crate::cache::lookup::{self, Found};
use crate::cache::object::Object;
use crate::cache::opening::First;
use crate::limits;
use crate::node::Node;
use crate::outcome::Outcome;
use crate::response::{Rendered, Rendering};
use crate::upstream::Ask;

/// Asks the origin whether a stale object still holds, once however many viewers are given it meanwhile.
pub(crate) fn ask_again(node: &Arc<Node>, object: &Arc<Object>, ask: impl FnOnce() -> Arc<Ask>) {
    if object.asked.swap(true, Ordering::Relaxed) {
        return;
    }
    let (node, object, ask) = (node.clone(), object.clone(), ask());
    node.tasks.clone().spawn(async move {
        // What it learns takes this object's place. If it learns nothing the next viewer has it asked again.
        let _ = lookup::find(&node, &ask, First::Slice(0)).await;
        object.asked.store(false, Ordering::Relaxed);
    });
}

/// Fetches what comes after an object, the first time a viewer reads it. One step only: the viewer who goes on to the
/// next has the one after that fetched.
pub(crate) fn fetch_next(node: &Arc<Node>, object: &Object) {
    let (Some(next), Some(fleet)) = (&object.next, &node.fleet) else { return };
    if next.is_taken() || node.cache.entry(&next.target).is_some() {
        return;
    }
    // With none free it stays to be fetched for the next viewer.
    let Ok(permit) = node.prefetches.clone().try_acquire_owned() else { return };
    if !next.take() {
        return;
    }
    let ask = Arc::new(Ask::fleet(&next.target, fleet.key.as_ref()));
    let node = node.clone();
    node.tasks.clone().spawn(async move {
        tokio::select! {
            () = fetch(&node, &ask) => {}
            () = node.stopping.cancelled() => {}
        }
        drop(permit);
    });
}

/// Reads an object as a viewer would, and shows it to nobody.
async fn fetch(node: &Arc<Node>, ask: &Arc<Ask>) {
    let Ok(Found::Object(object, outcome, joined)) = lookup::find(node, ask, First::Slice(0)).await else {
        return;
    };
    if outcome == Outcome::Hit || object.generation.size > limits::PREFETCH_BYTES {
        return;
    }
    let (method, headers, now_s) = (&Method::GET, &HeaderMap::new(), node.clock.unix_s());
    let rendering = Rendering { node, object, method, headers, outcome, now_s };
    let Ok(Rendered::Response(response, _)) = rendering.render(|| ask.clone()).await else { return };
    drop(joined);
    node.metrics.prefetches.inc();
    let mut body = response.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}
