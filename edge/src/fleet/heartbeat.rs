//! The sign of life by which the origin knows the edges of its fleet.

use std::sync::Arc;

use tidegate_wire::fleet::{Heartbeat, HeartbeatAck};
use tokio::time::{MissedTickBehavior, interval};

use super::internal;
use crate::limits;
use crate::node::Node;

/// Sends one every [`limits::HEARTBEAT`] for as long as it is polled. `url` is the edge's name in the fleet.
pub(crate) async fn beat(node: Arc<Node>, url: String) {
    let Some(fleet) = &node.fleet else { return };
    let mut beats = interval(limits::HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        let heartbeat = Heartbeat {
            url: url.clone(),
            purge_cursor: fleet.gate.cursor(),
            hit_ratio: node.metrics.hit_ratio(),
            cached_bytes: node.cache.slice_weight(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        match internal::post::<HeartbeatAck>(
            &node,
            "/internal/heartbeat",
            &heartbeat,
            limits::INTERNAL_TIMEOUT,
        )
        .await
        {
            // The log has moved and the poll has not come back with it.
            Ok(ack) if ack.purge_head > fleet.gate.cursor() => fleet.gate.wanted.notify_one(),
            Ok(_) => {}
            // The purge log says so already, and louder.
            Err(error) => tracing::debug!(%error, "heartbeat.failed"),
        }
    }
}
