//! Transcoding, the origin's side: what is to be done for an uploaded video, who does it, what has come of it.
//!
//! The workers' side is the crate `transcoder`; what the two tell each other is in `tidegate_wire::job`.

pub mod plan;
