//! The `tidegate-upload` command.

mod config;
mod console;
mod run;

pub use config::Config;
pub use run::run;
