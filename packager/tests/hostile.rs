//! Whatever comes in: an error or segments, never a panic, never more memory than the limits say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use support::{audio, cut_video, rate, split, video};
use tidegate_packager::fragments::{BoxKind, Cut, Error, Options, Splitter};
use tidegate_packager::limits;

static VIDEO: LazyLock<Bytes> = LazyLock::new(|| video(rate(30, 1), "64x36", 0, 130, 60));
static AUDIO: LazyLock<Bytes> = LazyLock::new(|| audio("5", 2));

fn options(of_video: bool) -> (Options, &'static Bytes) {
    if of_video {
        (Options::new(cut_video(rate(30, 1), 60)), &VIDEO)
    } else {
        (Options::new(Cut::Audio { segment_ms: 4000 }), &AUDIO)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn flipped_bits_never_panic(
        of_video: bool,
        flips in prop::collection::vec((0_usize..4000, 0_u8..8), 1..6),
        piece in 1_usize..5000,
    ) {
        let (options, stream) = options(of_video);
        let mut bytes = stream.to_vec();
        let length = bytes.len();
        flips.into_iter().for_each(|(at, bit)| bytes[at % length] ^= 1 << bit);
        let _ = split(options, &bytes.into(), &[piece]);
    }

    #[test]
    fn overwritten_fields_never_panic(
        of_video: bool,
        at in 0_usize..4000,
        word in prop_oneof![Just(0_u32), Just(1), Just(u32::MAX), Just(0x7fff_ffff), Just(0x8000_0000), any::<u32>()],
        piece in 1_usize..5000,
    ) {
        let (options, stream) = options(of_video);
        let mut bytes = stream.to_vec();
        let at = at.min(bytes.len() - 4);
        bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
        let _ = split(options, &bytes.into(), &[piece]);
    }

    #[test]
    fn a_stream_cut_off_within_a_box_is_truncated(of_video: bool, at: prop::sample::Index, piece in 1_usize..5000) {
        let (options, stream) = options(of_video);
        let cut = at.index(stream.len());
        match split(options, &stream.slice(..cut), &[piece]) {
            Ok(_) | Err(Error::Truncated(_)) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50) {
        let _ = split(options(true).0, &bytes.into(), &[piece]);
    }

    #[test]
    fn noise_in_a_movie_header_never_panics(
        noise in prop::collection::vec(any::<u8>(), 1..64),
        at in 24_usize..900,
        of_video: bool,
    ) {
        let (options, stream) = options(of_video);
        let mut bytes = stream.to_vec();
        let end = (at + noise.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&noise[..end - at]);
        let _ = split(options, &bytes.into(), &[997]);
    }
}

#[test]
fn a_box_that_says_it_is_huge_is_refused_by_its_header() {
    for (kind, limit) in [
        (b"moov", limits::MAX_MOOV_BYTES),
        (b"moof", limits::MAX_MOOF_BYTES),
        (b"mdat", limits::MAX_MDAT_BYTES),
    ] {
        let mut bytes = vec![0, 0, 0, 1];
        bytes.extend_from_slice(kind);
        bytes.extend_from_slice(&(16 + limit + 1).to_be_bytes());
        let error = Splitter::new(options(true).0).push(bytes.into()).unwrap_err();
        assert!(matches!(error, Error::TooLarge { size, .. } if size == limit + 1), "{error}");
    }
}

#[test]
fn a_box_without_an_end_is_refused() {
    let error = Splitter::new(options(true).0).push(Bytes::from_static(b"\0\0\0\0mdat")).unwrap_err();
    assert!(matches!(error, Error::Malformed { kind: BoxKind(kind), .. } if &kind == b"mdat"));
}

#[test]
fn a_splitter_that_failed_stays_failed() {
    let mut splitter = Splitter::new(options(true).0);
    splitter.push(Bytes::from_static(b"\0\0\0\0mdat")).unwrap_err();
    assert_eq!(splitter.push(VIDEO.clone()).unwrap_err(), Error::Failed);
    assert_eq!(splitter.finish().unwrap_err(), Error::Failed);
}

#[test]
fn two_tracks_in_one_stream_are_refused() {
    let args = "-nostdin -v error -f lavfi -i testsrc2=s=64x36:r=30:d=1 -f lavfi -i sine=d=1 -c:v libx264 -c:a aac \
                -movflags +frag_keyframe+empty_moov+default_base_moof -f mp4 -";
    let stream = support::run("ffmpeg", &args.split_whitespace().collect::<Vec<_>>());
    let error = split(options(true).0, &stream.into(), &[999]).unwrap_err();
    assert!(matches!(error, Error::Malformed { kind: BoxKind(kind), .. } if &kind == b"trak"), "{error}");
}

#[test]
fn a_missing_fragment_is_a_gap() {
    let mut at = 0;
    let mut moofs = Vec::new();
    while at < VIDEO.len() {
        let size = u32::from_be_bytes(VIDEO[at..at + 4].try_into().unwrap()) as usize;
        if &VIDEO[at + 4..at + 8] == b"moof" {
            moofs.push(at);
        }
        at += size;
    }
    let without = [&VIDEO[..moofs[1]], &VIDEO[moofs[2]..]].concat();
    let error = split(options(true).0, &without.into(), &[999]).unwrap_err();
    assert_eq!(error, Error::Gap { expected: 60, found: 120 });
}
