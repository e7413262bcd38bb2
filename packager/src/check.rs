//! Whether parts that were made apart make up whole tracks.

use std::collections::BTreeMap;

use tidegate_wire::job::PackageWork;
use tidegate_wire::track::{Format, Media, TrackPart};

/// What is wrong with a set of parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is neither picture nor sound.
    #[error("there is no track")]
    NoTrack,
    /// A track's name is not one that can be part of a URL as it is.
    #[error("`{0}` is no name for a track or its directory")]
    Name(String),
    /// A part is not there.
    #[error("track {track} has no chunk {chunk}")]
    Missing {
        /// Of which track.
        track: String,
        /// Which.
        chunk: u32,
    },
    /// A part is there that nobody asked for, or twice.
    #[error("track {track} has a chunk {chunk} too many")]
    Unexpected {
        /// Of which track.
        track: String,
        /// Which.
        chunk: u32,
    },
    /// A part is still being made.
    #[error("chunk {chunk} of track {track} is not whole")]
    Unfinished {
        /// Of which track.
        track: String,
        /// Which.
        chunk: u32,
    },
    /// A track has no segments, or a chunk in its middle has none.
    #[error("chunk {chunk} of track {track} is empty")]
    Empty {
        /// Of which track.
        track: String,
        /// Which.
        chunk: u32,
    },
    /// A segment does not start where the one before ends.
    #[error("a segment in chunk {chunk} of track {track} starts at {found} ticks instead of {expected}")]
    Gap {
        /// Of which track.
        track: String,
        /// In which part.
        chunk: u32,
        /// Where it has to start.
        expected: u64,
        /// Where it does.
        found: u64,
    },
    /// A segment that lasts no time or has no bytes.
    #[error("a segment in chunk {chunk} of track {track} holds nothing")]
    Nothing {
        /// Of which track.
        track: String,
        /// In which part.
        chunk: u32,
    },
    /// Parts of a track that a decoder has to be set up for anew.
    #[error("chunk {chunk} of track {track} has another format or initialisation segment than those before")]
    Format {
        /// Of which track.
        track: String,
        /// Which differs from the first.
        chunk: u32,
    },
    /// A player could not change from one rung to the other between segments.
    #[error("segments of {track} do not start and end with those of {other}")]
    Misaligned {
        /// One track.
        track: String,
        /// Another.
        other: String,
    },
    /// Tracks of very different lengths.
    #[error("track {track} ends {apart_ms} ms away from the end of {other}")]
    Ends {
        /// One track.
        track: String,
        /// The longest.
        other: String,
        /// How far from each other they end.
        apart_ms: u64,
    },
}

/// One track's parts, in order, those without segments left out.
#[derive(Debug, Clone)]
pub struct Track<'a> {
    /// Its name.
    pub name: &'a str,
    /// At least one, each with at least one segment.
    pub parts: Vec<&'a TrackPart>,
    /// Whether nothing will be added.
    pub whole: bool,
}

impl<'a> Track<'a> {
    /// What a decoder has to know.
    pub fn format(&self) -> &'a Format {
        &self.parts[0].format
    }

    /// Where it ends, in ticks.
    pub fn end_ticks(&self) -> u64 {
        self.parts.last().and_then(|part| part.end_ticks()).unwrap_or(0)
    }

    /// Where it ends, in microseconds.
    pub fn end_us(&self) -> u64 {
        crate::rates::micros(self.end_ticks(), self.format().timescale)
    }

    /// Lines of a picture and its columns; `None` for sound.
    pub(crate) fn picture(&self) -> Option<(u32, u32)> {
        match self.format().media {
            Media::Video { width, height, .. } => Some((height, width)),
            Media::Audio { .. } => None,
        }
    }

    /// Its segments with the paths they are stored under.
    pub fn segments(&self) -> impl Iterator<Item = (String, &'a tidegate_wire::track::Segment)> + '_ {
        self.parts.iter().flat_map(|part| {
            part.segments.iter().enumerate().map(|(index, segment)| (part.segment_path(index), segment))
        })
    }
}

/// Whether every track is there from beginning to end: all chunks, each starting where the one before ends, with one
/// format and one initialisation segment, and rungs aligned. Chunks behind the real end of the source are empty.
///
/// # Errors
/// The first thing that is wrong.
pub fn tracks(work: &PackageWork) -> Result<Vec<Track<'_>>, Error> {
    let mut tracks = Vec::new();
    for (name, parts) in by_track(&work.parts) {
        let of_video = parts.iter().any(|part| matches!(part.format.media, Media::Video { .. }));
        tracks.push(track(name, &parts, if of_video { work.chunks.max(1) } else { 1 })?);
    }
    if tracks.is_empty() {
        return Err(Error::NoTrack);
    }
    aligned(&tracks)?;
    Ok(tracks)
}

/// Whether tracks end within the length of a segment of each other. A player holds still at the end of a track that
/// is shorter, so sound is to be made as long as the picture; but a title with such an end is still worth showing.
///
/// # Errors
/// [`Error::Ends`] for the track farthest from the longest.
pub fn ends(tracks: &[Track<'_>]) -> Result<(), Error> {
    let Some(longest) = tracks.iter().max_by_key(|track| track.end_us()) else { return Ok(()) };
    let Some(shortest) = tracks.iter().min_by_key(|track| track.end_us()) else { return Ok(()) };
    let scale = longest.format().timescale;
    let segment =
        longest.segments().map(|(_, segment)| crate::rates::micros(segment.duration_ticks, scale)).max();
    let apart = longest.end_us() - shortest.end_us();
    if apart > segment.unwrap_or(0) {
        let (track, other) = (shortest.name.to_owned(), longest.name.to_owned());
        return Err(Error::Ends { track, other, apart_ms: apart / 1000 });
    }
    Ok(())
}

/// The parts of each track in order of chunks; tracks in order of names, `a2` before `a10`.
pub(crate) fn by_track(parts: &[TrackPart]) -> Vec<(&str, Vec<&TrackPart>)> {
    let mut tracks = BTreeMap::<_, Vec<_>>::new();
    for part in parts {
        tracks.entry((part.track.len(), part.track.as_str())).or_default().push(part);
    }
    let sorted = tracks.into_iter().map(|((_, name), mut parts)| {
        parts.sort_by_key(|part| part.chunk);
        (name, parts)
    });
    sorted.collect()
}

fn track<'a>(name: &'a str, parts: &[&'a TrackPart], chunks: u32) -> Result<Track<'a>, Error> {
    let track = || name.to_owned();
    let mut run = Run::default();
    for (part, chunk) in parts.iter().zip(0..) {
        if part.chunk > chunk && chunk < chunks {
            return Err(Error::Missing { track: track(), chunk });
        }
        if part.chunk < chunk || chunk >= chunks {
            return Err(Error::Unexpected { track: track(), chunk: part.chunk });
        }
        if !part.whole {
            return Err(Error::Unfinished { track: track(), chunk });
        }
        run.add(part)?;
    }
    let came = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    if came < chunks {
        return Err(Error::Missing { track: track(), chunk: came });
    }
    if run.parts.is_empty() {
        return Err(Error::Empty { track: track(), chunk: 0 });
    }
    Ok(Track { name, parts: run.parts, whole: true })
}

/// Parts that follow on each other.
#[derive(Default)]
pub(crate) struct Run<'a> {
    pub(crate) parts: Vec<&'a TrackPart>,
    end: u64,
    empty: Option<u32>,
}

impl<'a> Run<'a> {
    /// Adds the next chunk, if it goes on where the last one ended.
    pub(crate) fn add(&mut self, part: &'a TrackPart) -> Result<(), Error> {
        let (track, chunk) = (|| part.track.clone(), part.chunk);
        if let Some(bad) = [&part.track, &part.dir].into_iter().find(|name| !is_plain(name)) {
            return Err(Error::Name(bad.clone()));
        }
        if part.segments.is_empty() {
            self.empty.get_or_insert(chunk);
            return Ok(());
        }
        if let Some(chunk) = self.empty {
            return Err(Error::Empty { track: track(), chunk });
        }
        let first = self.parts.first();
        if first.is_some_and(|first| first.format != part.format || first.init_digest != part.init_digest) {
            return Err(Error::Format { track: track(), chunk });
        }
        let mut expected = self.end;
        for segment in &part.segments {
            if segment.start_ticks != expected {
                return Err(Error::Gap { track: track(), chunk, expected, found: segment.start_ticks });
            }
            if segment.duration_ticks == 0 || segment.size_bytes == 0 {
                return Err(Error::Nothing { track: track(), chunk });
            }
            expected = expected
                .checked_add(segment.duration_ticks)
                .ok_or(Error::Nothing { track: track(), chunk })?;
        }
        self.end = expected;
        self.parts.push(part);
        Ok(())
    }
}

/// What needs no escaping anywhere: in a URL, an attribute, a template.
pub(crate) fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    !name.is_empty() && name.bytes().all(plain) && !name.starts_with(['/', '.']) && !name.contains("/.")
}

fn aligned(tracks: &[Track<'_>]) -> Result<(), Error> {
    let mut pictures = tracks.iter().filter(|track| track.picture().is_some());
    let Some(first) = pictures.next() else { return Ok(()) };
    let times = |track: &Track<'_>| -> Vec<_> {
        let of = |it: &tidegate_wire::track::Segment| (it.start_ticks, it.duration_ticks);
        track.segments().map(|(_, segment)| of(segment)).collect()
    };
    let expected = times(first);
    for other in pictures {
        if other.format().timescale != first.format().timescale || times(other) != expected {
            return Err(Error::Misaligned { track: other.name.to_owned(), other: first.name.to_owned() });
        }
    }
    Ok(())
}
