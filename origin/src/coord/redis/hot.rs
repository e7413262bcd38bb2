//! Hot offsets in Redis: `tidegate:offset:ID`.

use tidegate_wire::AssetId;

use super::link::Link;
use crate::coord::HotOffsets;
use crate::limits;
use crate::store::BoxFuture;

pub(super) struct RedisHotOffsets(Link);

impl RedisHotOffsets {
    pub(super) fn new(link: Link) -> Self {
        Self(link)
    }
}

fn key(id: AssetId) -> String {
    format!("tidegate:offset:{id}")
}

impl HotOffsets for RedisHotOffsets {
    fn set(&self, id: AssetId, offset: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut command = redis::cmd("SET");
            command.arg(key(id)).arg(offset).arg("EX").arg(limits::HOT_OFFSET_TTL.as_secs());
            if let Err(error) = self.0.query::<()>(&command).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "hot_offset.not_set");
            }
        })
    }

    fn get<'a>(&'a self, ids: &'a [AssetId]) -> BoxFuture<'a, Vec<Option<u64>>> {
        Box::pin(async move {
            if ids.is_empty() {
                return Vec::new();
            }
            let mut command = redis::cmd("MGET");
            ids.iter().for_each(|id| {
                command.arg(key(*id));
            });
            self.0.query(&command).await.unwrap_or_else(|_| vec![None; ids.len()])
        })
    }
}
