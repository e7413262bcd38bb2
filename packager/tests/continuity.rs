//! Parts that do not make up whole tracks are told apart from those that do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::parts::{part, pictures, sound};
use tidegate_packager::check::{Error, ends, tracks};
use tidegate_wire::job::PackageWork;
use tidegate_wire::track::TrackPart;

fn good() -> Vec<TrackPart> {
    vec![
        part("v360", 1, pictures(640, 360), 240, &[(60, 9)]),
        part("v360", 0, pictures(640, 360), 0, &[(120, 9), (120, 9)]),
        part("a0", 0, sound(None, None), 0, &[(480_000, 9)]),
    ]
}

type Spoil<'a> = &'a dyn Fn(&mut Vec<TrackPart>);

fn judge(parts: Vec<TrackPart>, chunks: u32) -> Result<(), Error> {
    let work = PackageWork { parts, texts: Vec::new(), chunks, encrypted: false };
    tracks(&work).and_then(|tracks| ends(&tracks))
}

#[test]
fn whole_tracks_are_whole_in_any_order_of_their_parts() {
    assert_eq!(judge(good(), 2), Ok(()));
}

#[test]
fn a_chunk_behind_the_end_of_the_source_may_be_empty() {
    let mut parts = good();
    parts.push(part("v360", 2, pictures(640, 360), 300, &[]));
    // It never saw a frame, so it cannot know the format.
    parts[3].init_digest = String::new();
    assert_eq!(judge(parts, 3), Ok(()));
}

#[test]
fn each_fault_has_a_name() {
    let track = || "v360".to_owned();
    let broken = |spoil: Spoil<'_>| {
        let mut parts = good();
        spoil(&mut parts);
        judge(parts, 2)
    };
    let cases: [(Spoil<'_>, Error); 13] = [
        (&|parts| parts.clear(), Error::NoTrack),
        (&|parts| drop(parts.remove(0)), Error::Missing { track: track(), chunk: 1 }),
        (&|parts| drop(parts.remove(1)), Error::Missing { track: track(), chunk: 0 }),
        (&|parts| parts.push(parts[0].clone()), Error::Unexpected { track: track(), chunk: 1 }),
        (&|parts| parts[0].whole = false, Error::Unfinished { track: track(), chunk: 1 }),
        (&|parts| parts[1].segments.clear(), Error::Empty { track: track(), chunk: 0 }),
        (
            &|parts| parts[0].segments[0].start_ticks = 241,
            Error::Gap { track: track(), chunk: 1, expected: 240, found: 241 },
        ),
        (
            &|parts| parts[1].segments[1].start_ticks = 119,
            Error::Gap { track: track(), chunk: 0, expected: 120, found: 119 },
        ),
        (&|parts| parts[0].segments[0].duration_ticks = 0, Error::Nothing { track: track(), chunk: 1 }),
        (&|parts| parts[0].init_digest.push('x'), Error::Format { track: track(), chunk: 1 }),
        (&|parts| parts[0].format.codecs.push('x'), Error::Format { track: track(), chunk: 1 }),
        (&|parts| parts[0].dir = "../x".into(), Error::Name("../x".into())),
        (
            &|parts| parts.push(part("v720", 0, pictures(1280, 720), 0, &[(120, 9), (120, 9), (59, 9)])),
            Error::Missing { track: "v720".into(), chunk: 1 },
        ),
    ];
    for (spoil, error) in cases {
        assert_eq!(broken(spoil), Err(error));
    }
}

#[test]
fn rungs_that_are_not_aligned_are_no_ladder() {
    let mut parts = good();
    parts.push(part("v720", 0, pictures(1280, 720), 0, &[(120, 9), (120, 9)]));
    parts.push(part("v720", 1, pictures(1280, 720), 240, &[(59, 9)]));
    assert_eq!(judge(parts, 2), Err(Error::Misaligned { track: "v720".into(), other: "v360".into() }));
}

#[test]
fn sound_that_ends_a_segment_too_soon_is_told() {
    let mut parts = good();
    parts[2].segments[0].duration_ticks = 6 * 48_000;
    assert_eq!(judge(parts.clone(), 2), Ok(()));
    parts[2].segments[0].duration_ticks = 5 * 48_000;
    let expected = Error::Ends { track: "a0".into(), other: "v360".into(), apart_ms: 5000 };
    assert_eq!(judge(parts, 2), Err(expected));
}

#[test]
fn times_that_overflow_are_a_fault_too() {
    let mut parts = good();
    parts[2].segments =
        part("a0", 0, sound(None, None), 0, &[(u64::MAX, 9), (1, 9)].map(|it| (it.0 / 2, it.1))).segments;
    parts[2].segments[1] = parts[2].segments[0].clone();
    parts[2].segments[1].start_ticks = u64::MAX / 2;
    parts[2].segments[1].duration_ticks = u64::MAX;
    assert_eq!(judge(parts, 2), Err(Error::Nothing { track: "a0".into(), chunk: 0 }));
}
