//! The upload client: a library and the `tidegate-upload` command that survive the network.
//!
//! A file goes `plan` (file to parts) → `session` (offset, send, confirm) → `transport` (tus 1.0 over HTTP). Beside
//! that way stand the `journal` (what a restarted process needs), `retry` (what to do after a failure) and
//! [`events`] (what to show). It works against any tus 1.0 server; against Tidegate it also compares digests.
//!
//! ```no_run
//! # async fn example() -> Result<(), tidegate_uploader::UploadError> {
//! use tidegate_uploader::{Silent, UploadOptions, Uploader};
//!
//! let uploader = Uploader::new(UploadOptions::new("http://127.0.0.1:8080"))?;
//! let finished = uploader.upload("film.mp4".as_ref(), &mut Silent).await?;
//! println!("{} {}", finished.url, finished.digest);
//! # Ok(())
//! # }
//! ```

mod plan;
mod source;

mod session;
mod upload;
mod uploader;

mod playable;

mod body;
mod reader;
mod target;
mod transport;
mod tus;

mod digest;
mod journal;
mod ledger;
mod media_type;
mod meter;
mod pace;
mod patience;
mod retry;
mod token;

pub mod cli;
pub mod error;
pub mod events;
pub mod limits;

pub use error::{ExitCode, Refusal, UploadError};
pub use events::{Event, Events, Finished, Playable, Silent};
pub use token::Token;
pub use uploader::{UploadOptions, Uploader};
