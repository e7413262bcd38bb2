//! What an origin sends by itself: deliveries to webhooks, and mail.

use tokio::sync::Notify;

use crate::config::TellingOptions;
use crate::mail::{Post, PostError};
use crate::webhooks::Sender;

/// The means of sending, and what wakes those who send.
pub struct Outgoing {
    /// Told when there may be deliveries to send.
    pub webhooks: Notify,
    /// Told when there may be mail to send.
    pub mail: Notify,
    /// Makes requests to receivers; `None` where TLS cannot be set up.
    pub sender: Option<Sender>,
    /// The mail server, if there is one.
    pub post: Option<Post>,
}

impl Outgoing {
    /// Sets it up; nothing is connected to yet.
    ///
    /// # Errors
    /// When mail is configured and cannot be sent.
    pub fn new(options: &TellingOptions) -> Result<Self, PostError> {
        let timeout = std::time::Duration::from_secs(u64::from(options.webhook_timeout));
        let sender = Sender::new(options.webhooks_allow_private, timeout).inspect_err(|error| {
            tracing::error!(error = error as &dyn std::error::Error, "webhooks.cannot_be_sent");
        });
        Ok(Self {
            webhooks: Notify::new(),
            mail: Notify::new(),
            sender: sender.ok(),
            post: Post::new(options)?,
        })
    }
}
