//! Dev-only: what a test needs to use the real thing. Throwaway PostgreSQL and Redis servers, a TCP proxy that
//! breaks connections on a seeded schedule, our binaries as child processes, and small clients that say exactly
//! what goes over the wire.
//!
//! Everything here blocks and needs no runtime, so that it serves threaded and async tests alike. What a test cannot
//! do without, it gets or it panics with what to install: a test that skips itself proves nothing.
//!
//! Every child process dies with the test process, also when that is killed: see [`supervise`].

// A scene that cannot be set ends the test there and then, and the waits here are on real processes and real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

pub mod binaries;
pub mod files;
pub mod http;
pub mod limits;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod random;
pub mod receiver;
pub mod redis;
pub mod scene;
pub mod stubborn;
pub mod supervise;
pub mod tus;
pub mod upload;
pub mod video;
pub mod wait;

pub use postgres::Postgres;
pub use process::Process;
pub use proxy::FaultProxy;
pub use random::Random;
pub use receiver::Receiver;
pub use redis::Redis;
pub use scene::{Backing, Scene};
pub use upload::Upload;
pub use wait::eventually;
