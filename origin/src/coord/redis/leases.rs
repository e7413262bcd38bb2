//! Leases in Redis. `tidegate:lease:ID` is `h:HOLDER` while held, and `f:FENCE` after a holder stopped in order;
//! `tidegate:newest:ID` names the newest who wanted it, and stays when that one has got it: whoever waited before
//! must not take it back.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use redis::Script;
use tidegate_wire::AssetId;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::link::{Link, YIELD_CHANNEL};
use crate::coord::CoordError;
use crate::coord::leases::{Attempt, Holder, Leases};
use crate::limits;
use crate::store::BoxFuture;

/// Takes the lease if it is free or `force` is set. Answers `superseded`, `held`, or `taken` and the fence of a
/// holder that stopped in order.
static ATTEMPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local newest = redis.call('GET', KEYS[2])
        if newest and newest ~= ARGV[1] then return {'superseded', ''} end
        local state = redis.call('GET', KEYS[1])
        local fence = ''
        if state and string.sub(state, 1, 2) == 'h:' then
            redis.call('PUBLISH', ARGV[4], ARGV[5] .. ' ' .. string.sub(state, 3))
            if ARGV[2] == '0' then return {'held', ''} end
        elseif state then
            fence = string.sub(state, 3)
        end
        redis.call('SET', KEYS[1], 'h:' .. ARGV[1], 'PX', ARGV[3])
        return {'taken', fence}
        ",
    )
});

/// Ends a hold that is still ours: with a fence the key says so, without it is gone.
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('GET', KEYS[1]) ~= 'h:' .. ARGV[1] then return 0 end
        if ARGV[2] == '' then redis.call('DEL', KEYS[1])
        else redis.call('SET', KEYS[1], 'f:' .. ARGV[2], 'EX', ARGV[3]) end
        return 1
        ",
    )
});

/// Prolongs a hold; one that Redis forgot is written again. 0 when it is someone else's.
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local state = redis.call('GET', KEYS[1])
        if state and state ~= 'h:' .. ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], 'h:' .. ARGV[1], 'PX', ARGV[2])
        return 1
        ",
    )
});

/// Leases among all origins on one Redis.
#[derive(Clone)]
pub(super) struct RedisLeases {
    link: Link,
    /// What this process holds, or has asked for.
    held: Arc<Mutex<HashMap<Holder, Hold>>>,
}

#[derive(Clone)]
struct Hold {
    id: AssetId,
    wanted: CancellationToken,
    /// It was granted; what was only asked for is not there to be prolonged.
    taken: bool,
}

fn lease_key(id: AssetId) -> String {
    format!("tidegate:lease:{id}")
}

fn newest_key(id: AssetId) -> String {
    format!("tidegate:newest:{id}")
}

impl RedisLeases {
    pub(super) fn new(link: Link) -> Self {
        Self { link, held: Arc::default() }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Holder, Hold>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Someone wants what `holder` holds.
    pub(super) fn yield_asked(&self, id: &str, holder: &str) {
        let Ok(holder) = holder.parse::<Holder>() else { return };
        if let Some(hold) = self.held().get(&holder)
            && hold.id.to_string() == id
        {
            hold.wanted.cancel();
        }
    }

    /// Prolongs what this process holds until `shutdown` is given and nothing is held any more. A hold that was
    /// taken by someone else is ended; while Redis is away holders go on, because the fence protects what they write.
    pub(super) async fn renew(self, shutdown: CancellationToken) {
        let mut ticks = interval(limits::LEASE_RENEW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let held: Vec<_> = self.held().iter().map(|(holder, hold)| (*holder, hold.clone())).collect();
            if held.is_empty() && shutdown.is_cancelled() {
                return;
            }
            for (holder, Hold { id, wanted, .. }) in held.into_iter().filter(|(_, hold)| hold.taken) {
                let ttl_ms = u64::try_from(limits::LEASE_TTL.as_millis()).unwrap_or(u64::MAX);
                let renewed: Result<u8, _> =
                    self.link.invoke(RENEW.key(lease_key(id)).arg(holder).arg(ttl_ms)).await;
                if matches!(renewed, Ok(0)) {
                    wanted.cancel();
                }
            }
        }
    }

    async fn end(&self, id: AssetId, holder: Holder, clean_at: Option<u64>) -> Result<(), CoordError> {
        self.held().remove(&holder);
        let fence = clean_at.map(|fence| fence.to_string()).unwrap_or_default();
        let ttl_s = limits::CLEAN_LEASE_TTL.as_secs();
        let _: u8 = self.link.invoke(RELEASE.key(lease_key(id)).arg(holder).arg(fence).arg(ttl_s)).await?;
        Ok(())
    }
}

impl Leases for RedisLeases {
    fn offer(&self, id: AssetId, fence: u64) -> BoxFuture<'_, Result<(), CoordError>> {
        Box::pin(async move {
            let mut command = redis::cmd("SET");
            command
                .arg(lease_key(id))
                .arg(format!("f:{fence}"))
                .arg("EX")
                .arg(limits::CLEAN_LEASE_TTL.as_secs());
            self.link.query(&command).await
        })
    }

    fn announce(&self, id: AssetId, holder: Holder) -> BoxFuture<'_, Result<(), CoordError>> {
        Box::pin(async move {
            let mut command = redis::cmd("SET");
            command.arg(newest_key(id)).arg(holder).arg("EX").arg(limits::LEASE_TTL.as_secs());
            self.link.query(&command).await
        })
    }

    fn attempt(
        &self,
        id: AssetId,
        holder: Holder,
        force: bool,
    ) -> BoxFuture<'_, Result<Attempt, CoordError>> {
        Box::pin(async move {
            let ttl_ms = u64::try_from(limits::LEASE_TTL.as_millis()).unwrap_or(u64::MAX);
            // Known here before it is taken there: a request to stop may come at once.
            let wanted = CancellationToken::new();
            self.held().insert(holder, Hold { id, wanted: wanted.clone(), taken: false });
            let mut attempt = ATTEMPT.key(lease_key(id));
            attempt
                .key(newest_key(id))
                .arg(holder)
                .arg(u8::from(force))
                .arg(ttl_ms)
                .arg(YIELD_CHANNEL)
                .arg(id.to_string());
            let outcome = self.link.invoke::<(String, String)>(&attempt).await;
            if !matches!(&outcome, Ok((state, _)) if state == "taken") {
                self.held().remove(&holder);
            } else if let Some(hold) = self.held().get_mut(&holder) {
                hold.taken = true;
            }
            Ok(match outcome? {
                (state, fence) if state == "taken" => Attempt::Taken { clean_at: fence.parse().ok(), wanted },
                (state, _) if state == "superseded" => Attempt::Superseded,
                _ => Attempt::Held,
            })
        })
    }

    fn release(
        &self,
        id: AssetId,
        holder: Holder,
        clean_at: Option<u64>,
    ) -> BoxFuture<'_, Result<(), CoordError>> {
        Box::pin(self.end(id, holder, clean_at))
    }

    fn abandon(&self, id: AssetId, holder: Holder) {
        let leases = self.clone();
        tokio::spawn(async move {
            // If this fails too the hold runs out by itself.
            let _ = leases.end(id, holder, None).await;
        });
    }

    fn forget(&self, id: AssetId) -> BoxFuture<'_, Result<(), CoordError>> {
        Box::pin(async move {
            self.held().retain(|_, hold| hold.id != id);
            let mut command = redis::cmd("DEL");
            command.arg(lease_key(id)).arg(newest_key(id));
            self.link.query(&command).await
        })
    }
}
