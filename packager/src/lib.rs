//! Packaging: from an encoder's fragmented MP4 to CMAF segments, and from what the segments hold to HLS and DASH.
//!
//! Nothing here does IO, starts a process or reads a clock: bytes come in and bytes go out. A worker feeds
//! [`fragments::Splitter`] with what ffmpeg writes, puts each segment through [`encryption::Key::encrypt`] where the
//! asset wants it, and stores the bytes; what it tells of them becomes a [`Presentation`], which writes manifests while
//! parts are still coming in and when all are there.

pub mod check;
mod dash;
pub mod encryption;
pub mod fragments;
mod hls;
mod language;
pub mod limits;
mod presentation;
mod rates;

pub use check::Track;
pub use presentation::{DASH_TYPE, HLS_TYPE, Manifest, Presentation, manifests};
