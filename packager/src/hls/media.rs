//! Media playlists.

use tidegate_wire::job::TextTrack;

use super::attributes::Tag;
use crate::check::Track;
use crate::rates::{Rates, micros, seconds, whole_seconds};

/// The segments of a track, from its first to the last there is. It is an `EVENT` also when it has ended: a playlist
/// that players read while it grew must not change its type (RFC 8216 section 6.2.1).
///
/// Numbers start at 0, so that the number of a segment in its track is its initialisation vector. The key comes behind
/// the initialisation segment, which is not encrypted. Its URI is relative: below a grant it stays there.
pub(crate) fn media(track: &Track<'_>, encrypted: bool) -> String {
    let mut out = head(Rates::of(track).target_duration);
    out.push_str("#EXT-X-PLAYLIST-TYPE:EVENT\n");
    out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    map(track, &mut out);
    if encrypted {
        Tag::new("EXT-X-KEY").plain("METHOD", "AES-128").quoted("URI", "key").end(&mut out);
    }
    let mut clock = Clock::new(track);
    for (path, segment) in track.segments() {
        out.push_str(&format!("#EXTINF:{},\n{path}\n", clock.next(segment.duration_ticks)));
    }
    if track.whole {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    out
}

/// The pictures of a whole track that decode alone, as byte ranges.
pub(crate) fn iframes(track: &Track<'_>) -> String {
    let scale = track.format().timescale;
    let all = || track.segments().flat_map(|(_, segment)| &segment.sync);
    let longest = all().map(|sync| micros(sync.duration_ticks, scale)).max().unwrap_or(0);
    let mut out = head(whole_seconds(longest));
    out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-I-FRAMES-ONLY\n");
    map(track, &mut out);
    let mut clock = Clock::new(track);
    for (path, segment) in track.segments() {
        for sync in &segment.sync {
            let (duration, size, offset) =
                (clock.next(sync.duration_ticks), sync.size_bytes, sync.offset_bytes);
            out.push_str(&format!("#EXTINF:{duration},\n#EXT-X-BYTERANGE:{size}@{offset}\n{path}\n"));
        }
    }
    out.push_str("#EXT-X-ENDLIST\n");
    out
}

/// Subtitles: one file of WebVTT for the whole title.
pub(crate) fn text(text: &TextTrack, end_us: u64) -> String {
    let mut out = head(whole_seconds(end_us));
    let (duration, path) = (seconds(end_us), &text.path);
    out.push_str(&format!("#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:{duration},\n{path}\n#EXT-X-ENDLIST\n"));
    out
}

fn head(target_duration: u64) -> String {
    format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target_duration}\n#EXT-X-MEDIA-SEQUENCE:0\n")
}

/// All parts of a track have the same one.
fn map(track: &Track<'_>, out: &mut String) {
    Tag::new("EXT-X-MAP").quoted("URI", &track.parts[0].init_path()).end(out);
}

/// Durations as differences of rounded times: their sum never strays from the real time by more than half a
/// microsecond.
struct Clock {
    scale: std::num::NonZeroU32,
    ticks: u64,
}

impl Clock {
    fn new(track: &Track<'_>) -> Self {
        Self { scale: track.format().timescale, ticks: 0 }
    }

    fn next(&mut self, duration: u64) -> String {
        let start = micros(self.ticks, self.scale);
        self.ticks += duration;
        seconds(micros(self.ticks, self.scale) - start)
    }
}
