//! What can be played while the rest is still being made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::parts::{part, pictures, sound};
use tidegate_packager::Presentation;
use tidegate_wire::track::TrackPart;

fn small(chunk: u32) -> TrackPart {
    part("v360", chunk, pictures(640, 360), u64::from(chunk) * 240, &[(120, 9), (120, 9)])
}

fn large(chunk: u32) -> TrackPart {
    part("v720", chunk, pictures(1280, 720), u64::from(chunk) * 240, &[(120, 9), (120, 9)])
}

fn names(parts: &[TrackPart]) -> Vec<String> {
    Presentation::growing(parts, &[], 2, false).names()
}

fn playlist(parts: &[TrackPart], name: &str) -> String {
    let manifest = Presentation::growing(parts, &[], 2, false).manifest(name).unwrap();
    String::from_utf8(manifest.bytes.to_vec()).unwrap()
}

#[test]
fn there_is_nothing_before_the_first_segment() {
    assert!(names(&[]).is_empty());
    let mut first = small(0);
    first.segments.clear();
    first.whole = false;
    assert!(Presentation::growing(&[first], &[], 2, false).is_empty());
}

#[test]
fn the_smallest_rung_grows_as_an_event_from_its_first_segment() {
    let mut first = small(0);
    first.segments.truncate(1);
    first.whole = false;
    assert_eq!(names(std::slice::from_ref(&first)), ["master.m3u8", "v360.m3u8"]);
    let early = playlist(&[first], "v360.m3u8");
    assert!(early.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n") && !early.contains("ENDLIST"));
    let later = playlist(&[small(0)], "v360.m3u8");
    assert!(later.starts_with(&early), "only lines are added:\n{early}\n{later}");
    assert!(!later.contains("ENDLIST"), "one chunk of two");
    let whole = playlist(&[small(1), small(0)], "v360.m3u8");
    assert!(whole.starts_with(&later) && !whole.contains("VOD"), "its type is what it was:\n{whole}");
    assert!(whole.ends_with("11-1/v360/00001.m4s\n#EXT-X-ENDLIST\n"));
}

#[test]
fn a_chunk_that_comes_before_its_turn_waits() {
    assert!(names(&[small(1)]).is_empty());
    let mut first = small(0);
    first.whole = false;
    let text = playlist(&[first, small(1)], "v360.m3u8");
    assert!(!text.contains("11-1/"));
}

#[test]
fn a_larger_rung_comes_in_when_all_its_chunks_are_there() {
    let parts = [small(0), large(0)];
    assert_eq!(names(&parts), ["master.m3u8", "v360.m3u8"]);
    let parts = [small(0), large(0), large(1)];
    assert_eq!(names(&parts), ["master.m3u8", "v360.m3u8", "v720.m3u8", "v720-iframes.m3u8", "manifest.mpd"]);
    let mpd = playlist(&parts, "manifest.mpd");
    assert!(mpd.contains("v720") && !mpd.contains("v360"), "only what is whole");
}

#[test]
fn dash_waits_for_the_sound() {
    let mut tone = part("a0", 0, sound(None, None), 0, &[(192_000, 9)]);
    tone.whole = false;
    let mut parts = vec![small(0), small(1), tone];
    assert_eq!(names(&parts), ["master.m3u8", "v360.m3u8", "a0.m3u8", "v360-iframes.m3u8"]);
    parts[2].whole = true;
    assert!(names(&parts).contains(&"manifest.mpd".to_owned()));
}

#[test]
fn a_part_that_does_not_fit_ends_the_track_before_it() {
    let mut odd = small(1);
    odd.init_digest.push('x');
    let text = playlist(&[small(0), odd], "v360.m3u8");
    assert!(!text.contains("11-1/") && !text.contains("ENDLIST"));
}

#[test]
fn there_is_no_manifest_of_another_name() {
    let parts = [small(0), small(1)];
    let presentation = Presentation::growing(&parts, &[], 2, false);
    for name in ["v720.m3u8", "v360", "v360.mpd", "x-iframes.m3u8", "", ".m3u8", "../v360.m3u8"] {
        assert!(presentation.manifest(name).is_none(), "{name}");
    }
    assert_eq!(presentation.manifests().len(), presentation.names().len());
}
