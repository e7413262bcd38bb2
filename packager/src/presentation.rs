//! A title as far as it is there, and the manifests over it.

use bytes::Bytes;
use tidegate_wire::job::{PackageWork, TextTrack};
use tidegate_wire::track::TrackPart;

use crate::check::{self, Run, Track};
use crate::{dash, hls};

/// Content type of an HLS playlist (RFC 8216 section 10).
pub const HLS_TYPE: &str = "application/vnd.apple.mpegurl";
/// Content type of a DASH manifest (ISO/IEC 23009-1 annex C).
pub const DASH_TYPE: &str = "application/dash+xml";

/// A file to serve at the revision's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name there.
    pub name: String,
    /// What it is served as.
    pub content_type: &'static str,
    /// All of it.
    pub bytes: Bytes,
}

/// What can be played of a title. Everything in it has at least one segment.
#[derive(Debug, Clone)]
pub struct Presentation<'a> {
    /// Rungs, smallest first.
    pub video: Vec<Track<'a>>,
    /// Audio tracks; the first one is the default.
    pub audio: Vec<Track<'a>>,
    /// Subtitles.
    pub texts: &'a [TextTrack],
    /// Whether the segments are encrypted as a whole. Then there are no I-frame playlists, as no byte range can be
    /// decrypted alone, and no DASH, which has no word for it that players share.
    pub encrypted: bool,
}

impl<'a> Presentation<'a> {
    /// Of everything that was made.
    ///
    /// # Errors
    /// As [`check::tracks`].
    pub fn whole(work: &'a PackageWork) -> Result<Self, check::Error> {
        let tracks = check::tracks(work)?;
        if let Some(bad) =
            work.texts.iter().flat_map(|text| [&text.track, &text.path]).find(|it| !check::is_plain(it))
        {
            return Err(check::Error::Name(bad.clone()));
        }
        Ok(Self::of(tracks, &work.texts, work.encrypted))
    }

    /// Of what was made so far, in any order: from the beginning to the first gap. A rung is in it when it is whole;
    /// the smallest one as soon as it has a segment, and so an audio track. Parts that do not fit are left out, for
    /// [`Presentation::whole`] to complain about. `chunks` is how many parts a video track will have.
    ///
    /// It knows nothing of tracks that have no segment yet: whoever serves it holds it back until every audio track
    /// there will be has one, as players do not look for new tracks.
    pub fn growing(parts: &'a [TrackPart], texts: &'a [TextTrack], chunks: u32, encrypted: bool) -> Self {
        let mut tracks: Vec<_> = check::by_track(parts)
            .into_iter()
            .filter_map(|(name, parts)| beginning(name, &parts, chunks))
            .collect();
        let smallest = tracks.iter().filter_map(Track::picture).min();
        tracks.retain(|track| track.whole || track.picture().is_none() || track.picture() == smallest);
        Self::of(tracks, texts, encrypted)
    }

    fn of(tracks: Vec<Track<'a>>, texts: &'a [TextTrack], encrypted: bool) -> Self {
        let (mut video, audio): (Vec<_>, Vec<_>) =
            tracks.into_iter().partition(|track| track.picture().is_some());
        video.sort_by_key(Track::picture);
        Self { video, audio, texts, encrypted }
    }

    /// Whether there is nothing to play.
    pub fn is_empty(&self) -> bool {
        self.video.is_empty() && self.audio.is_empty()
    }

    /// Where the longest track ends, in microseconds.
    pub fn end_us(&self) -> u64 {
        self.video.iter().chain(&self.audio).map(Track::end_us).max().unwrap_or(0)
    }

    /// Names of all the manifests there are now.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        if self.is_empty() {
            return names;
        }
        names.push("master.m3u8".to_owned());
        names.extend(self.video.iter().chain(&self.audio).map(|track| format!("{}.m3u8", track.name)));
        names.extend(self.iframes().map(|track| format!("{}-iframes.m3u8", track.name)));
        names.extend(self.texts.iter().map(|text| format!("{}.m3u8", text.track)));
        if self.has_dash() {
            names.push("manifest.mpd".to_owned());
        }
        names
    }

    /// The manifest of this name, written now; `None` where there is none.
    pub fn manifest(&self, name: &str) -> Option<Manifest> {
        if self.is_empty() {
            return None;
        }
        let hls = |text: String| (HLS_TYPE, text);
        let (content_type, text) = match name {
            "master.m3u8" => hls(hls::master(self)),
            "manifest.mpd" if self.has_dash() => (DASH_TYPE, dash::manifest(self)),
            _ => hls(self.playlist(name.strip_suffix(".m3u8")?)?),
        };
        Some(Manifest { name: name.to_owned(), content_type, bytes: text.into() })
    }

    /// All of them.
    pub fn manifests(&self) -> Vec<Manifest> {
        self.names().iter().filter_map(|name| self.manifest(name)).collect()
    }

    fn playlist(&self, stem: &str) -> Option<String> {
        if let Some(track) = self.video.iter().chain(&self.audio).find(|track| track.name == stem) {
            return Some(hls::media(track, self.encrypted));
        }
        if let Some(text) = self.texts.iter().find(|text| text.track == stem) {
            return Some(hls::text(text, self.end_us()));
        }
        let name = stem.strip_suffix("-iframes")?;
        let track = self.iframes().find(|track| track.name == name)?;
        Some(hls::iframes(track))
    }

    /// Tracks that have an I-frame playlist.
    pub(crate) fn iframes(&self) -> impl Iterator<Item = &Track<'a>> {
        let listed = |track: &&Track<'a>| track.whole && track.segments().all(|(_, it)| !it.sync.is_empty());
        self.video.iter().filter(|_| !self.encrypted).filter(listed)
    }

    /// A static MPD says how long everything is: all sound has to be there, and one rung.
    pub(crate) fn has_dash(&self) -> bool {
        let rungs = self.video.is_empty() || self.video.iter().any(|track| track.whole);
        !self.encrypted && !self.is_empty() && rungs && self.audio.iter().all(|track| track.whole)
    }
}

/// Everything the job `package` stores.
///
/// # Errors
/// As [`check::tracks`].
pub fn manifests(work: &PackageWork) -> Result<Vec<Manifest>, check::Error> {
    Presentation::whole(work).map(|presentation| presentation.manifests())
}

/// A track from its beginning to where the first piece is missing.
fn beginning<'a>(name: &'a str, parts: &[&'a TrackPart], chunks: u32) -> Option<Track<'a>> {
    let of_video = matches!(parts.first()?.format.media, tidegate_wire::track::Media::Video { .. });
    let chunks = if of_video { chunks.max(1) } else { 1 };
    let (mut run, mut next) = (Run::default(), 0);
    for part in parts {
        if part.chunk != next || run.add(part).is_err() {
            break;
        }
        if !part.whole {
            break;
        }
        next += 1;
    }
    let whole = next == chunks;
    (!run.parts.is_empty()).then_some(Track { name, parts: run.parts, whole })
}
