//! The worker: turns an uploaded file into an adaptive ladder with ffmpeg.
//!
//! The modules follow the way of a job: `worker` claims it, `attempt` does it within its lease, `source` has the
//! file at hand; then one module for each kind: `probe`, `encode`, `poster`, `captions`, `package`. `process` and
//! `log` keep children within bounds, `api` speaks with the origin, `pulse` is what it is told meanwhile.

pub mod config;
pub mod limits;
pub mod tools;

mod api;
mod attempt;
mod captions;
mod encode;
mod failure;
mod ffmpeg;
mod litter;
mod log;
mod metrics;
mod package;
mod poster;
mod probe;
mod process;
mod progress;
mod pulse;
mod small;
mod source;
mod worker;

pub use config::{ClaimMode, Cli, ConfigError, OriginUrl, WorkerConfig};
pub use worker::{Worker, WorkerError};
