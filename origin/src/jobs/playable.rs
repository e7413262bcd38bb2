//! When there is enough of a revision to play. Pure.

use tidegate_wire::track::TrackPart;

use super::plan::Outline;

/// The first part of a track.
fn first<'a>(parts: &'a [TrackPart], track: &str) -> Option<&'a TrackPart> {
    parts.iter().find(|part| part.track == track && part.chunk == 0)
}

/// Whether a track has anything to play.
fn has_begun(parts: &[TrackPart], track: &str) -> bool {
    first(parts, track).is_some_and(|part| !part.segments.is_empty())
}

/// Whether a track turned out to have nothing in it.
fn is_empty(parts: &[TrackPart], track: &str) -> bool {
    first(parts, track).is_some_and(|part| part.whole && part.segments.is_empty())
}

/// Whether a player would find enough to begin: the lowest rung and every audio track that has anything in it.
pub fn can_begin(outline: &Outline, parts: &[TrackPart]) -> bool {
    let lowest = outline.rungs.first().is_none_or(|rung| has_begun(parts, &rung.track));
    let sound = outline.audio.iter().all(|track| has_begun(parts, track) || is_empty(parts, track));
    let anything = outline
        .rungs
        .first()
        .map(|rung| &rung.track)
        .into_iter()
        .chain(&outline.audio)
        .any(|track| has_begun(parts, track));
    anything && lowest && sound
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
        let rung = |track: &&str| Rung {
            track: (*track).to_owned(),
            width: 2,
            height: 2,
            bitrate_bps: 1,
            preset: String::new(),
        };
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
        for (parts, begins) in [
            (vec![], false),
            (vec![lowest.clone()], false),
            (vec![part("a0", 0, 1, false)], false),
            (vec![lowest.clone(), part("a0", 0, 1, false)], true),
            (vec![lowest.clone(), part("a0", 0, 0, true)], true),
            (vec![lowest, part("a0", 0, 0, false)], false),
            (vec![part("v360", 1, 9, true), part("a0", 0, 1, true)], false),
            (vec![part("v480", 0, 9, true), part("a0", 0, 1, true)], false),
            (vec![part("v360", 0, 6, true), part("v360", 1, 3, false), part("a0", 0, 9, true)], true),
        ] {
            assert_eq!(can_begin(&outline, &parts), begins, "{parts:?}");
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
}
