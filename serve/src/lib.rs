//! What both services need around a router: clock and randomness, listener, connection serving and drain, the admin
//! listener, telemetry. The services differ in what they answer, not in how they listen.

pub mod admin;
pub mod ambient;
pub mod client;
pub mod limits;
pub mod listen;
pub mod problem;
pub mod select;
pub mod server;
pub mod signals;
pub mod stream;
pub mod telemetry;

pub use ambient::{Clock, Entropy};
