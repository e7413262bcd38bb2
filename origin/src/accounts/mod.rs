//! Accounts: their passwords, what slows guessing, and the first of them.

pub mod first;
pub mod password;
pub mod secret;
pub mod throttle;
