//! HLS: RFC 8216 and draft-pantos-hls-rfc8216bis.
//!
//! Written plainly and not with `quick-m3u8`: that crate writes durations from floating-point numbers, puts quotes and
//! line ends of a name into the playlist as they are, and its licence is not among those this project takes. What is
//! needed is fifteen tags.

mod attributes;
mod master;
mod media;

pub(crate) use master::master;
pub(crate) use media::{iframes, media, text};
