//! Waking those who wait for something to happen, in this process and in the other origins.

use std::sync::Arc;

use tokio::sync::watch;

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The purge log has grown.
    Purges,
    /// There may be jobs to claim.
    Jobs,
    /// The event log has grown.
    Events,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 3] = [Self::Purges, Self::Jobs, Self::Events];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purges => "purges",
            Self::Jobs => "jobs",
            Self::Events => "events",
        }
    }

    /// The topic of a name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == name)
    }
}

/// Tells the other origins too.
type Broadcast = Arc<dyn Fn(Topic) + Send + Sync>;

/// Counters that waiters watch. A wake-up says "look again", never what there is to see, so one may be spurious,
/// and after an interruption all are given once.
#[derive(Clone)]
pub struct Wakeups {
    purges: Arc<watch::Sender<u64>>,
    jobs: Arc<watch::Sender<u64>>,
    events: Arc<watch::Sender<u64>>,
    broadcast: Option<Broadcast>,
}

impl Wakeups {
    /// For one process.
    pub fn local() -> Self {
        let counter = || Arc::new(watch::Sender::new(0));
        Self { purges: counter(), jobs: counter(), events: counter(), broadcast: None }
    }

    /// Also tells others, by `broadcast`; what they tell comes in by [`wake_local`](Self::wake_local).
    pub fn with_broadcast(broadcast: impl Fn(Topic) + Send + Sync + 'static) -> Self {
        Self { broadcast: Some(Arc::new(broadcast)), ..Self::local() }
    }

    /// Something happened here, and has been committed.
    pub fn notify(&self, topic: Topic) {
        self.wake_local(topic);
        if let Some(broadcast) = &self.broadcast {
            broadcast(topic);
        }
    }

    /// Something happened elsewhere.
    pub fn wake_local(&self, topic: Topic) {
        self.counter(topic).send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A receiver that sees every change from now on: subscribe first, then look, then wait.
    pub fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        self.counter(topic).subscribe()
    }

    fn counter(&self, topic: Topic) -> &watch::Sender<u64> {
        match topic {
            Topic::Purges => &self.purges,
            Topic::Jobs => &self.jobs,
            Topic::Events => &self.events,
        }
    }
}
