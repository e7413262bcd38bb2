//! The sign of life by which the origin knows the edges of its fleet.

use std::sync::Arc;

use tidegate_wire::digest;
use tidegate_wire::fleet::{Heartbeat, HeartbeatAck, TrafficReport};
use tokio::time::{MissedTickBehavior, interval};

use super::internal;
use crate::limits;
use crate::node::Node;

/// Sends one every [`limits::HEARTBEAT`] for as long as it is polled. `url` is the edge's name in the fleet.
pub(crate) async fn beat(node: Arc<Node>, url: String) {
    let Some(fleet) = &node.fleet else { return };
    let mut beats = interval(limits::HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let instance = digest::to_hex(&node.entropy.bytes::<8>());
    let mut seq = 0;
    // Told again, as it is, until the origin has it: that counts each once.
    let mut untold: Option<TrafficReport> = None;
    loop {
        beats.tick().await;
        let report = untold.take().or_else(|| {
            let assets = node.tally.take(limits::REPORT_ASSETS);
            seq += u64::from(!assets.is_empty());
            (!assets.is_empty()).then(|| TrafficReport { instance: instance.clone(), seq, assets })
        });
        let heartbeat = Heartbeat {
            url: url.clone(),
            purge_cursor: fleet.gate.cursor(),
            hit_ratio: node.metrics.hit_ratio(),
            cached_bytes: node.cache.slice_weight(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            memory_limit_bytes: Some(node.memory),
            memory_used_bytes: Some(node.cache.budget.used() + node.cache.object_weight()),
            report,
        };
        let answer = internal::post::<HeartbeatAck>(
            &node,
            "/internal/heartbeat",
            &heartbeat,
            limits::INTERNAL_TIMEOUT,
        )
        .await;
        let counted = answer.as_ref().ok().and_then(|ack| ack.counted);
        untold = heartbeat.report.filter(|report| counted.is_none_or(|counted| counted < report.seq));
        match answer {
            // The log has moved and the poll has not come back with it.
            Ok(ack) if ack.purge_head > fleet.gate.cursor() => fleet.gate.wanted.notify_one(),
            Ok(_) => {}
            // The purge log says so already, and louder.
            Err(error) => tracing::debug!(%error, "heartbeat.failed"),
        }
    }
}
