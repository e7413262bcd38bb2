//! Passing news: short texts for all origins, of which none is missed if it is lost.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::limits;

/// Tells the other origins too.
type Publish = Arc<dyn Fn(Arc<str>) + Send + Sync>;

/// News of this process and of the other origins.
#[derive(Clone)]
pub struct News {
    heard: broadcast::Sender<Arc<str>>,
    publish: Option<Publish>,
}

impl News {
    /// For one process.
    pub fn local() -> Self {
        let (heard, _) = broadcast::channel(limits::PASSING_QUEUE);
        Self { heard, publish: None }
    }

    /// Also tells others, by `publish`; what they tell comes in by [`hear`](Self::hear).
    pub fn with_publish(publish: impl Fn(Arc<str>) + Send + Sync + 'static) -> Self {
        Self { publish: Some(Arc::new(publish)), ..Self::local() }
    }

    /// Tells everyone.
    pub fn tell(&self, text: impl Into<Arc<str>>) {
        let text = text.into();
        if let Some(publish) = &self.publish {
            publish(text.clone());
        }
        self.hear(text);
    }

    /// Something was told elsewhere.
    pub fn hear(&self, text: Arc<str>) {
        // An error says that nobody listens.
        let _ = self.heard.send(text);
    }

    /// What is told from now on. Who listens too slowly misses some.
    pub fn listen(&self) -> broadcast::Receiver<Arc<str>> {
        self.heard.subscribe()
    }
}
