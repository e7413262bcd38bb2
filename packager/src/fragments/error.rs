//! What can be wrong with a stream of fragments.

use std::fmt;

/// The four characters a box is called by (ISO/IEC 14496-12 section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BoxKind(pub [u8; 4]);

impl fmt::Display for BoxKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for BoxKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// Why a stream was not cut. A splitter that has failed once fails for ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something is larger than `limits` lets it be.
    #[error("{what} of {size} is beyond the limit of {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How large it is, or says it is.
        size: u64,
        /// What is taken.
        limit: u64,
    },
    /// The input ended before it was whole.
    #[error("the stream ends inside {0}")]
    Truncated(&'static str),
    /// A box does not hold what it has to.
    #[error("box `{kind}` is malformed: {why}")]
    Malformed {
        /// Which.
        kind: BoxKind,
        /// How.
        why: &'static str,
    },
    /// Boxes in an order in which they mean nothing.
    #[error("box `{kind}` is out of place: {why}")]
    Misplaced {
        /// Which.
        kind: BoxKind,
        /// How.
        why: &'static str,
    },
    /// Right, perhaps, but not what is asked of an encoder here.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// A sample description nobody here knows.
    #[error("not supported: samples described by `{0}`")]
    UnknownCodec(BoxKind),
    /// The track is not of the kind that was announced.
    #[error("the stream's track is `{0}`")]
    WrongMedia(BoxKind),
    /// Decode times jump.
    #[error("a fragment starts at {found} ticks where the one before ended at {expected}")]
    Gap {
        /// Where it had to start.
        expected: u64,
        /// Where it does.
        found: u64,
    },
    /// The first picture is not shown at time zero.
    #[error("the first picture is shown at {0} ticks instead of 0")]
    FirstPicture(i64),
    /// A frame that does not last as long as all have to.
    #[error("a frame lasts {found} ticks of {timescale}, off the rate")]
    FrameDuration {
        /// How long it lasts.
        found: u32,
        /// Ticks a second.
        timescale: u32,
    },
    /// A fragment that begins with a picture which needs others.
    #[error("a fragment does not begin with a keyframe")]
    NoKeyframe,
    /// A keyframe that is not first in its fragment.
    #[error("frame {0} of a group is a keyframe too")]
    StrayKeyframe(usize),
    /// A group of pictures off the grid.
    #[error("a group of {found} frames where the grid has {expected}")]
    GroupLength {
        /// Frames in a group.
        expected: u32,
        /// Frames in this one.
        found: usize,
    },
    /// Asked to go on after an error.
    #[error("the stream was given up after an error")]
    Failed,
}
