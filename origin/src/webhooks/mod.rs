//! Webhooks: events sent to addresses that accounts name, by the Standard Webhooks scheme.
//!
//! `deliver` finds what is due and keeps the record, `sender` makes one request, `address` says which addresses
//! may be connected to, `signature` signs. `pause` says when to try again. The last three are pure.

pub mod address;
mod deliver;
pub mod pause;
mod sender;
pub mod signature;

pub use deliver::{run, send_due};
pub use sender::{Sender, SenderError, read_url};

use crate::limits;

/// What a test is called.
pub const TEST_KIND: &str = "webhook.test";

/// How long a delivery is tried, in milliseconds.
pub fn give_up_ms() -> u64 {
    u64::try_from(limits::WEBHOOK_GIVE_UP.as_millis()).unwrap_or(u64::MAX)
}
