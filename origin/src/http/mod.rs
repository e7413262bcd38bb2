//! The HTTP surface, one file a noun; each begins with its router.

pub mod client;
