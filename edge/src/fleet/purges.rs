//! Following the purge log from the edge's own cursor (invariant 8).

use std::sync::Arc;
use std::time::Duration;

use tidegate_wire::purge::PurgeFeed;
use tokio::time::{Instant, interval, sleep};

use super::Fleet;
use super::internal::{self, CallError};
use crate::limits;
use crate::node::Node;

/// What is to be done with an answer of the log, given the cursor it was asked with.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Apply its records; the cursor moves to this number.
    Apply(u64),
    /// What is cached may have missed a purge: forget all of it; the cursor moves to this number.
    ForgetAll(u64),
}

fn step(cursor: Option<u64>, feed: &PurgeFeed) -> Step {
    let Some(cursor) = cursor else { return Step::ForgetAll(feed.head) };
    // Trimmed below us, or another log than the one we followed.
    if cursor.saturating_add(1) < feed.oldest || cursor > feed.head {
        return Step::ForgetAll(feed.head);
    }
    Step::Apply(feed.records.last().map_or(cursor, |record| record.seq.max(cursor)))
}

/// Shows, tick by tick, that the process runs.
pub(crate) async fn tick(node: Arc<Node>) {
    let Some(fleet) = &node.fleet else { return };
    let mut ticks = interval(limits::TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        fleet.gate.tick(Instant::now());
    }
}

/// Follows the log for as long as it is polled.
pub(crate) async fn follow(node: Arc<Node>) {
    let Some(fleet) = &node.fleet else { return };
    let mut cursor = None;
    let mut at_once = true;
    let mut lost = false;
    loop {
        let sent = Instant::now();
        at_once |= cursor.is_none() || fleet.gate.is_due(sent);
        let answer = tokio::select! {
            answer = poll(&node, cursor, at_once) => answer,
            // A request cannot wait for news; whether there was a purge is to be known now.
            () = fleet.gate.wanted.notified(), if !at_once => {
                at_once = true;
                continue;
            }
        };
        match answer {
            Ok(feed) => {
                let next = apply(&node, fleet, &mut cursor, &feed, sent);
                if matches!(next, Next::Pause) {
                    sleep(limits::PURGE_RETRY).await;
                }
                at_once = !matches!(next, Next::Wait);
                if std::mem::take(&mut lost) {
                    tracing::info!(purge.cursor = cursor, "purges.reached_again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut lost, true) {
                    tracing::warn!(%error, "purges.unreachable");
                }
                fleet.gate.failed(sent);
                at_once = true;
                tokio::select! {
                    () = sleep(limits::PURGE_RETRY) => {}
                    () = fleet.gate.wanted.notified() => {}
                }
            }
        }
    }
}

async fn poll(node: &Node, cursor: Option<u64>, at_once: bool) -> Result<PurgeFeed, CallError> {
    let wait = if at_once { Duration::ZERO } else { limits::PURGE_WAIT };
    let target = match cursor {
        None => "/internal/purges".to_owned(),
        Some(cursor) => format!("/internal/purges?after={cursor}&wait={}", wait.as_secs()),
    };
    internal::get(node, &target, wait + limits::PURGE_SLACK).await
}

/// When to poll again.
enum Next {
    /// For news.
    Wait,
    /// For the next page.
    AtOnce,
    /// After a pause.
    Pause,
}

/// Applies an answer.
fn apply(node: &Node, fleet: &Fleet, cursor: &mut Option<u64>, feed: &PurgeFeed, sent: Instant) -> Next {
    let first = cursor.is_none();
    let now = match step(*cursor, feed) {
        Step::ForgetAll(head) => {
            node.cache.forget_all();
            if !first {
                tracing::warn!(purge.cursor = *cursor, purge.head = head, "purges.missed_so_all_forgotten");
            }
            head
        }
        Step::Apply(last) => {
            if !feed.records.is_empty() {
                let targets: Vec<_> = feed.records.iter().map(|record| record.targets.clone()).collect();
                node.cache.purge(&targets);
                node.metrics.purges.inc_by(targets.len() as u64);
                tracing::info!(purge.cursor = last, purge.records = targets.len(), "purges.applied");
            }
            last
        }
    };
    let moved = *cursor != Some(now);
    *cursor = Some(now);
    let complete = now >= feed.head;
    fleet.gate.polled(sent, now, complete);
    if complete {
        fleet.readiness.set_ready("purges");
    } else if !moved {
        // Not a log: asked again at once, it would say the same for ever.
        tracing::warn!(purge.cursor = now, purge.head = feed.head, "purges.page_without_records");
        return Next::Pause;
    }
    if complete { Next::Wait } else { Next::AtOnce }
}

#[cfg(test)]
mod tests {
    use tidegate_wire::purge::{PurgeRecord, PurgeTargets};

    use super::*;

    fn feed(records: &[u64], oldest: u64, head: u64) -> PurgeFeed {
        let records =
            records.iter().map(|&seq| PurgeRecord { seq, targets: PurgeTargets::default() }).collect();
        PurgeFeed { records, head, oldest }
    }

    #[test]
    fn a_cursor_moves_over_what_it_has_seen_and_forgets_all_when_it_has_not() {
        for (cursor, feed, expected) in [
            (None, feed(&[], 1, 9), Step::ForgetAll(9)),
            (Some(4), feed(&[5, 6], 1, 9), Step::Apply(6)),
            (Some(9), feed(&[], 1, 9), Step::Apply(9)),
            (Some(0), feed(&[], 1, 0), Step::Apply(0)),
            (Some(0), feed(&[], 0, 0), Step::Apply(0)),
            (Some(4), feed(&[5], 5, 5), Step::Apply(5)),
            (Some(4), feed(&[6], 6, 6), Step::ForgetAll(6)),
            (Some(9), feed(&[], 1, 3), Step::ForgetAll(3)),
        ] {
            assert_eq!(step(cursor, &feed), expected, "{cursor:?} {feed:?}");
        }
    }
}
