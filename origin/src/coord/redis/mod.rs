//! Coordination through Redis. Every key begins with `tidegate:` and has an expiry.

mod hot;
mod leases;
mod link;

use std::sync::Arc;

use redis::IntoConnectionInfo as _;
use tidegate_serve::Entropy;
use tokio_util::sync::CancellationToken;

use self::link::Heard;
use super::{CoordError, Coordination};

/// Connects to Redis at `url`. It need not be up: what needs it fails until it is, and everything else goes on.
/// `shutdown` ends the tasks that listen and renew.
///
/// # Errors
/// When `url` is not a Redis URL.
pub fn connect(
    url: &str,
    entropy: &Entropy,
    shutdown: &CancellationToken,
) -> Result<Coordination, CoordError> {
    let info = url.into_connection_info().map_err(CoordError::new)?;
    let link = link::Link::open(info, entropy)?;
    let leases = leases::RedisLeases::new(link.clone());
    let wakeups = link.wakeups();
    let news = link.news();
    let heard = Heard { leases: leases.clone(), wakeups: wakeups.clone(), news: news.clone() };
    tokio::spawn(link.clone().listen(heard, shutdown.clone()));
    tokio::spawn(leases.clone().renew(shutdown.clone()));
    Ok(Coordination {
        leases: Arc::new(leases),
        hot: Arc::new(hot::RedisHotOffsets::new(link)),
        wakeups,
        news,
    })
}
