//! The connection to Redis: one for commands, which heals itself, and one that listens.

use std::sync::Arc;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, ConnectionInfo, FromRedisValue, RedisResult};
use tidegate_serve::Entropy;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::leases::RedisLeases;
use crate::coord::{CoordError, News, Topic, Wakeups};
use crate::limits;

/// Channel on which holders are asked to stop: `ID HOLDER`.
pub(super) const YIELD_CHANNEL: &str = "tidegate:yield";
/// Channel of wake-ups: `SENDER TOPIC`.
const WAKE_CHANNEL: &str = "tidegate:wake";
/// Channel of passing news: `SENDER TEXT`.
const NEWS_CHANNEL: &str = "tidegate:news";

/// Who is told what other origins say.
pub(super) struct Heard {
    pub(super) leases: RedisLeases,
    pub(super) wakeups: Wakeups,
    pub(super) news: News,
}

/// Shared by everything that talks to Redis.
#[derive(Clone)]
pub(super) struct Link {
    client: Client,
    manager: ConnectionManager,
    /// Tells our own wake-ups, which have been given already, from others'.
    sender: Arc<str>,
}

impl Link {
    pub(super) fn open(info: ConnectionInfo, entropy: &Entropy) -> Result<Self, CoordError> {
        let client = Client::open(info).map_err(CoordError::new)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(limits::REDIS_TIMEOUT))
            .set_response_timeout(Some(limits::REDIS_TIMEOUT))
            .set_number_of_retries(limits::REDIS_RECONNECTS)
            .set_max_delay(limits::REDIS_RECONNECT_DELAY);
        let manager =
            ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(CoordError::new)?;
        let sender = tidegate_wire::digest::to_hex(&entropy.bytes::<8>()).into();
        Ok(Self { client, manager, sender })
    }

    /// Runs one command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, CoordError> {
        let mut manager = self.manager.clone();
        bounded(command.query_async(&mut manager)).await
    }

    /// Runs a script.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        script: &redis::ScriptInvocation<'_>,
    ) -> Result<T, CoordError> {
        let mut manager = self.manager.clone();
        bounded(script.invoke_async(&mut manager)).await
    }

    /// Wake-ups that reach the other origins.
    pub(super) fn wakeups(&self) -> Wakeups {
        let link = self.clone();
        Wakeups::with_broadcast(move |topic| {
            let link = link.clone();
            tokio::spawn(async move {
                let mut command = redis::cmd("PUBLISH");
                command.arg(WAKE_CHANNEL).arg(format!("{} {}", link.sender, topic.as_str()));
                // Waiters look again by themselves when their wait is over.
                if let Err(error) = link.query::<()>(&command).await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "wakeup.not_sent");
                }
            });
        })
    }

    /// News that reach the other origins.
    pub(super) fn news(&self) -> News {
        let link = self.clone();
        News::with_publish(move |text| {
            let link = link.clone();
            tokio::spawn(async move {
                let mut command = redis::cmd("PUBLISH");
                command.arg(NEWS_CHANNEL).arg(format!("{} {text}", link.sender));
                // Newer news follow.
                if let Err(error) = link.query::<()>(&command).await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "news.not_sent");
                }
            });
        })
    }

    /// Passes on what other origins say, until `shutdown`.
    pub(super) async fn listen(self, to: Heard, shutdown: CancellationToken) {
        let mut was_up = true;
        loop {
            let heard = tokio::select! {
                () = shutdown.cancelled() => return,
                heard = self.listen_once(&to, &mut was_up) => heard,
            };
            if was_up {
                let error =
                    heard.err().map_or_else(|| "connection closed".to_owned(), |error| error.0.to_string());
                tracing::warn!(error, "redis.away");
                was_up = false;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(limits::REDIS_RECONNECT_DELAY) => {}
            }
        }
    }

    async fn listen_once(&self, to: &Heard, was_up: &mut bool) -> Result<(), CoordError> {
        let mut pubsub: PubSub = bounded(self.client.get_async_pubsub()).await?;
        bounded(pubsub.subscribe(&[YIELD_CHANNEL, WAKE_CHANNEL, NEWS_CHANNEL][..])).await?;
        if !std::mem::replace(was_up, true) {
            tracing::info!("redis.back");
        }
        // Something may have been said while nobody listened.
        Topic::ALL.into_iter().for_each(|topic| to.wakeups.wake_local(topic));
        let (mut sink, mut stream) = pubsub.split();
        loop {
            let message = match timeout(limits::REDIS_PING, next(&mut stream)).await {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                // A quiet channel and a dead connection look alike until one asks.
                Err(_) => {
                    let _: redis::Value = bounded(sink.ping()).await?;
                    continue;
                }
            };
            let Ok(payload) = message.get_payload::<String>() else { continue };
            let Some((first, second)) = payload.split_once(' ') else { continue };
            match message.get_channel_name() {
                YIELD_CHANNEL => to.leases.yield_asked(first, second),
                NEWS_CHANNEL if first != &*self.sender => to.news.hear(second.into()),
                WAKE_CHANNEL if first != &*self.sender => {
                    if let Some(topic) = Topic::from_name(second) {
                        to.wakeups.wake_local(topic);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The stream's next item.
async fn next<S: futures_core::Stream<Item = redis::Msg> + Unpin>(stream: &mut S) -> Option<redis::Msg> {
    std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_next(cx)).await
}

async fn bounded<T>(operation: impl Future<Output = RedisResult<T>>) -> Result<T, CoordError> {
    match timeout(limits::REDIS_TIMEOUT, operation).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(CoordError::new(error)),
        Err(elapsed) => Err(CoordError::new(elapsed)),
    }
}
