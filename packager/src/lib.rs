//! Packaging: from an encoder's fragmented MP4 to CMAF segments, and from what the segments hold to HLS and DASH.
//!
//! Nothing here does IO, starts a process or reads a clock: bytes come in and bytes go out. A worker feeds
//! [`fragments::Splitter`] with what ffmpeg writes.

pub mod fragments;
pub mod limits;
