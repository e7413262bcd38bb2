//! What of a revision can be played while it is being made. Pure.

use tidegate_wire::track::TrackPart;

use super::plan::Outline;

/// The parts of a track that may be shown, in order: whole ones without a gap, and after them one that still grows.
pub fn contiguous<'a>(parts: &'a [TrackPart], track: &str) -> Vec<&'a TrackPart> {
    let mut of_track: Vec<&TrackPart> = parts.iter().filter(|part| part.track == track).collect();
    of_track.sort_by_key(|part| part.chunk);
    let mut shown = Vec::new();
    for (expected, part) in (0u32..).zip(of_track) {
        if part.chunk != expected {
            break;
        }
        let whole = part.whole;
        shown.push(part);
        if !whole {
            break;
        }
    }
    shown
}

/// Whether all of a track is there.
pub fn is_whole(parts: &[TrackPart], track: &str, chunks: u32) -> bool {
    let shown = contiguous(parts, track);
    shown.len() == chunks as usize && shown.iter().all(|part| part.whole)
}

/// Whether a track has anything to play.
fn has_begun(parts: &[TrackPart], track: &str) -> bool {
    contiguous(parts, track).iter().any(|part| !part.segments.is_empty())
}

/// Whether a player would find enough to begin: the lowest rung and every audio track that has anything in it.
pub fn can_begin(outline: &Outline, parts: &[TrackPart]) -> bool {
    let lowest = outline.rungs.first().is_none_or(|rung| has_begun(parts, &rung.track));
    let sound = outline.audio.iter().all(|track| has_begun(parts, track) || is_whole(parts, track, 1));
    let anything = outline
        .rungs
        .first()
        .map(|rung| &rung.track)
        .into_iter()
        .chain(&outline.audio)
        .any(|track| has_begun(parts, track));
    anything && lowest && sound
}

/// Whether what never changes again is enough to be played by itself: the lowest rung and all sound, whole.
pub fn can_stand(outline: &Outline, parts: &[TrackPart]) -> bool {
    can_begin(outline, parts)
        && outline.rungs.first().is_none_or(|rung| is_whole(parts, &rung.track, outline.chunks))
        && outline.audio.iter().all(|track| is_whole(parts, track, 1))
}

/// The tracks a growing presentation has: the lowest rung and sound from their first segment on, other rungs once
/// they are whole.
pub fn shown(outline: &Outline, parts: &[TrackPart]) -> Vec<String> {
    let mut tracks = Vec::new();
    for (n, rung) in outline.rungs.iter().enumerate() {
        let is_there = match n {
            0 => has_begun(parts, &rung.track),
            _ => is_whole(parts, &rung.track, outline.chunks) && has_begun(parts, &rung.track),
        };
        if is_there {
            tracks.push(rung.track.clone());
        }
    }
    tracks.extend(outline.audio.iter().filter(|track| has_begun(parts, track)).cloned());
    tracks
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tidegate_wire::job::Rung;
    use tidegate_wire::track::{Format, Media, Segment};

    use super::*;

    fn part(track: &str, chunk: u32, segments: usize, whole: bool) -> TrackPart {
        let segment = Segment { start_ticks: 0, duration_ticks: 1, size_bytes: 1, sync: Vec::new() };
        TrackPart {
            track: track.to_owned(),
            chunk,
            dir: format!("1-1/{track}"),
            format: Format {
                codecs: String::new(),
                timescale: NonZeroU32::MIN,
                language: None,
                label: None,
                media: Media::Audio { sample_rate: 1, channels: 1 },
            },
            init_size_bytes: 1,
            init_digest: String::new(),
            segments: vec![segment; segments],
            whole,
        }
    }

    fn outline(rungs: &[&str], audio: &[&str], chunks: u32) -> Outline {
        let rung =
            |track: &&str| Rung { track: (*track).to_owned(), width: 2, height: 2, bitrate_bps: 1 };
        Outline {
            rungs: rungs.iter().map(rung).collect(),
            audio: audio.iter().map(|track| (*track).to_owned()).collect(),
            texts: Vec::new(),
            chunks,
        }
    }

    #[test]
    fn a_video_plays_from_the_first_segment_of_its_lowest_rung_and_of_its_sound() {
        let outline = outline(&["v360", "v480"], &["a0"], 2);
        let lowest = part("v360", 0, 1, false);
        for (parts, begins, stands) in [
            (vec![], false, false),
            (vec![lowest.clone()], false, false),
            (vec![part("a0", 0, 1, false)], false, false),
            (vec![lowest.clone(), part("a0", 0, 1, false)], true, false),
            (vec![lowest.clone(), part("a0", 0, 0, true)], true, false),
            (vec![part("v360", 1, 9, true), part("a0", 0, 1, true)], false, false),
            (vec![part("v360", 0, 6, true), part("v360", 1, 3, false), part("a0", 0, 9, true)], true, false),
            (vec![part("v360", 0, 6, true), part("v360", 1, 4, true), part("a0", 0, 9, true)], true, true),
            (vec![part("v360", 0, 6, true), part("v360", 1, 4, true), part("a0", 0, 9, false)], true, false),
        ] {
            assert_eq!((can_begin(&outline, &parts), can_stand(&outline, &parts)), (begins, stands), "{parts:?}");
        }
    }

    #[test]
    fn sound_alone_plays_and_nothing_never_does() {
        let sound = outline(&[], &["a0", "a1"], 0);
        assert!(!can_begin(&sound, &[part("a0", 0, 1, false)]));
        assert!(can_begin(&sound, &[part("a0", 0, 1, false), part("a1", 0, 1, false)]));
        assert!(!can_begin(&sound, &[part("a0", 0, 0, true), part("a1", 0, 0, true)]));
        assert!(!can_begin(&outline(&[], &[], 0), &[]));
    }

    #[test]
    fn a_rung_shows_once_it_is_whole_and_the_lowest_from_its_beginning() {
        let outline = outline(&["v360", "v480", "v720"], &["a0"], 2);
        let parts = [
            part("v360", 0, 2, false),
            part("v360", 1, 6, true),
            part("v480", 0, 6, true),
            part("v480", 1, 1, true),
            part("v720", 0, 6, true),
            part("a0", 0, 1, false),
        ];
        assert_eq!(shown(&outline, &parts), ["v360", "v480", "a0"]);
        assert_eq!(contiguous(&parts, "v360").len(), 1, "what comes after a part that grows is not shown");
        assert_eq!(contiguous(&parts, "v480").len(), 2);
    }
}
