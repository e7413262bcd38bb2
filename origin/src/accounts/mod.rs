//! Accounts: their passwords and how to get a new one, what slows guessing, and the first of them.

pub mod first;
pub mod password;
pub mod recovery;
pub mod reset;
pub mod secret;
pub mod throttle;
