//! What comes out of the splitter is, sample for sample, what the encoder put in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use bytes::Bytes;
use support::{audio, cut_video, joined, packets, rate, split, video, video_with};
use tidegate_packager::fragments::{Cut, Error, Options};
use tidegate_wire::track::{Format, Media};

fn options(cut: Cut) -> Options {
    Options::new(cut)
}

#[test]
fn a_video_cut_into_segments_has_the_packets_of_the_uncut_one() {
    let dir = tempfile::tempdir().unwrap();
    let stream = video(rate(30, 1), "320x180", 0, 310, 60);
    let (init, segments) =
        split(options(cut_video(rate(30, 1), 60)), &stream, &[1, 7, 4096, 65_536, 3]).unwrap();
    let init = init.unwrap();
    assert_eq!(
        init.format,
        Format {
            codecs: "avc1.64000d".into(),
            timescale: rate(30, 1).num,
            language: None,
            label: None,
            media: Media::Video { width: 320, height: 180, frame_rate: rate(30, 1) },
        }
    );
    let times: Vec<_> = segments.iter().map(|it| (it.entry.start_ticks, it.entry.duration_ticks)).collect();
    assert_eq!(times, [(0, 120), (120, 120), (240, 70)]);
    let gops: Vec<_> = segments.iter().map(|it| it.entry.sync.len()).collect();
    assert_eq!(gops, [2, 2, 2]);

    let (whole, cut) = (dir.path().join("whole.mp4"), dir.path().join("cut.mp4"));
    std::fs::write(&whole, &stream).unwrap();
    std::fs::write(&cut, joined(&init, &segments)).unwrap();
    assert_eq!(packets(&cut, "v:0", &[]), packets(&whole, "v:0", &[]));
    assert_eq!(packets(&cut, "v:0", &[]).len(), 310);
}

#[test]
fn the_pieces_a_stream_comes_in_change_nothing() {
    let stream = video(rate(25, 1), "160x90", 0, 130, 50);
    let at_once = split(options(cut_video(rate(25, 1), 50)), &stream, &[usize::MAX]).unwrap();
    let joined_once = joined(&at_once.0.clone().unwrap(), &at_once.1);
    for pieces in [&[1][..], &[8], &[13, 1, 70_000], &[16_384]] {
        let (init, segments) = split(options(cut_video(rate(25, 1), 50)), &stream, pieces).unwrap();
        assert!(joined(&init.unwrap(), &segments) == joined_once, "{pieces:?}");
        let entries = |of: &[tidegate_packager::fragments::Segment]| -> Vec<_> {
            of.iter().map(|segment| segment.entry.clone()).collect()
        };
        assert_eq!(entries(&segments), entries(&at_once.1));
    }
}

#[test]
fn a_segment_comes_out_with_the_last_byte_of_its_last_group() {
    let stream = video(rate(30, 1), "160x90", 0, 240, 60);
    let mut splitter = tidegate_packager::fragments::Splitter::new(options(cut_video(rate(30, 1), 60)));
    let mut came_at = Vec::new();
    for (at, byte) in stream.iter().enumerate() {
        if !splitter.push(Bytes::copy_from_slice(&[*byte])).unwrap().is_empty() {
            came_at.push(at + 1);
        }
    }
    let size = |at: usize| u32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut ends) = (0, Vec::new());
    while at < stream.len() {
        let kind = &stream[at + 4..at + 8];
        at += size(at);
        if kind == b"moov" || kind == b"mdat" {
            ends.push(at);
        }
    }
    assert_eq!(came_at, [ends[0], ends[2], ends[4]]);
}

#[test]
fn sync_entries_point_at_fragments_whose_first_picture_decodes_alone() {
    let dir = tempfile::tempdir().unwrap();
    let stream = video(rate(30, 1), "320x180", 0, 150, 60);
    let (init, segments) = split(options(cut_video(rate(30, 1), 60)), &stream, &[5000]).unwrap();
    for segment in &segments {
        let bytes = segment.to_bytes();
        assert_eq!(bytes.len() as u64, segment.entry.size_bytes);
        let sum: u64 = segment.entry.sync.iter().map(|sync| sync.duration_ticks).sum();
        assert_eq!(sum, segment.entry.duration_ticks);
        for sync in &segment.entry.sync {
            let from = usize::try_from(sync.offset_bytes).unwrap();
            let to = from + usize::try_from(sync.size_bytes).unwrap();
            assert_eq!(&bytes[from + 4..from + 8], b"moof");
            let file = dir.path().join("one.mp4");
            std::fs::write(&file, [&init.clone().unwrap().bytes, &bytes[from..to]].concat()).unwrap();
            let first = packets(&file, "v:0", &[]).into_iter().next().unwrap();
            assert!(first.ends_with(",K_"), "{first}");
            let args = ["-v", "error", "-i", file.to_str().unwrap(), "-frames:v", "1", "-f", "framemd5", "-"];
            let text = String::from_utf8(support::run("ffmpeg", &args)).unwrap();
            assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1);
        }
    }
}

#[test]
fn chunks_encoded_apart_join_with_exact_timestamps_and_one_init() {
    let dir = tempfile::tempdir().unwrap();
    let ntsc = rate(30_000, 1001);
    let whole = video(ntsc, "320x180", 0, 400, 60);
    let (whole_init, whole_segments) = split(options(cut_video(ntsc, 60)), &whole, &[10_000]).unwrap();
    let mut all = Vec::new();
    for (first, frames) in [(0, 240), (240, 160)] {
        let mut options = options(cut_video(ntsc, 60));
        options.first_tick = first * 1001;
        options.first_segment = first / 120;
        let chunk = video(ntsc, "320x180", first, frames, 60);
        let (init, segments) = split(options, &chunk, &[10_000]).unwrap();
        assert_eq!(init.as_ref(), whole_init.as_ref());
        all.extend(segments);
    }
    let numbers: Vec<_> = all.iter().map(|segment| segment.number).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    let init = whole_init.unwrap();
    let (one, two) = (dir.path().join("one.mp4"), dir.path().join("two.mp4"));
    std::fs::write(&one, joined(&init, &whole_segments)).unwrap();
    std::fs::write(&two, joined(&init, &all)).unwrap();
    // Sizes may differ by what rate control does; times and keyframes may not.
    let times = |file| -> Vec<_> {
        let lines = packets(file, "v:0", &[]);
        let fields = lines.iter().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        let mut times: Vec<_> =
            fields.map(|it| (it[0].clone(), it[2].clone(), it[4].contains('K'))).collect();
        times.sort_by(|a, b| a.0.parse::<f64>().unwrap().total_cmp(&b.0.parse().unwrap()));
        times
    };
    assert_eq!(times(&two), times(&one));
    assert_eq!(times(&two).len(), 400);
    assert_eq!(support::decoded(&two, "v:0", &[]), 400);
}

#[test]
fn sound_is_cut_at_the_first_frame_at_or_after_each_multiple() {
    let dir = tempfile::tempdir().unwrap();
    let stream = audio("9.3", 2);
    let (init, segments) = split(options(Cut::Audio { segment_ms: 4000 }), &stream, &[1000, 1]).unwrap();
    let init = init.unwrap();
    assert_eq!(init.format.codecs, "mp4a.40.2");
    assert_eq!(init.format.media, Media::Audio { sample_rate: 48_000, channels: 2 });
    let starts: Vec<_> = segments.iter().map(|segment| segment.entry.start_ticks).collect();
    // Times are the listener's: a frame of 1024 samples is hidden by the edit list.
    assert_eq!(starts, [0, 188 * 1024, 375 * 1024]);
    let end = segments.last().map(|last| last.entry.start_ticks + last.entry.duration_ticks).unwrap();
    assert!((9.3 * 48_000.0 - end as f64).abs() <= 1024.0, "{end}");
    let (whole, cut) = (dir.path().join("whole.mp4"), dir.path().join("cut.mp4"));
    std::fs::write(&whole, &stream).unwrap();
    std::fs::write(&cut, joined(&init, &segments)).unwrap();
    assert_eq!(packets(&cut, "a:0", &[]), packets(&whole, "a:0", &[]));
    let pcm = |file: &std::path::Path| {
        support::run("ffmpeg", &["-v", "error", "-i", file.to_str().unwrap(), "-f", "s16le", "-"])
    };
    assert!(pcm(&cut) == pcm(&whole), "the same sound, priming hidden alike");
}

#[test]
fn what_is_hardly_heard_at_the_end_is_no_segment_of_its_own() {
    for (seconds, expected) in [("4", 1), ("8", 2), ("8.01", 2), ("8.05", 2), ("8.3", 3)] {
        let stream = audio(seconds, 2);
        let (init, segments) = split(options(Cut::Audio { segment_ms: 4000 }), &stream, &[1000, 1]).unwrap();
        assert_eq!(segments.len(), expected, "{seconds} s");
        let shortest = segments.iter().map(|segment| segment.entry.duration_ticks).min().unwrap();
        assert!(shortest >= 4800, "{seconds} s: {shortest} ticks");
        let dir = tempfile::tempdir().unwrap();
        let (whole, cut) = (dir.path().join("whole.mp4"), dir.path().join("cut.mp4"));
        std::fs::write(&whole, &stream).unwrap();
        std::fs::write(&cut, joined(&init.unwrap(), &segments)).unwrap();
        assert_eq!(packets(&cut, "a:0", &[]), packets(&whole, "a:0", &[]), "{seconds} s: nothing is lost");
    }
}

#[test]
fn mono_is_said_to_be_mono() {
    let (init, segments) = split(options(Cut::Audio { segment_ms: 4000 }), &audio("1", 1), &[999]).unwrap();
    assert_eq!(init.unwrap().format.media, Media::Audio { sample_rate: 48_000, channels: 1 });
    assert_eq!(segments.len(), 1);
}

#[test]
fn nothing_of_the_sources_metadata_is_left() {
    for (stream, cut) in [
        (video(rate(30, 1), "160x90", 0, 60, 60), cut_video(rate(30, 1), 60)),
        (audio("1", 2), Cut::Audio { segment_ms: 4000 }),
    ] {
        assert!(stream.windows(6).any(|window| window == b"secret"));
        let (init, segments) = split(options(cut), &stream, &[999]).unwrap();
        let bytes = joined(&init.unwrap(), &segments);
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
        assert!(!bytes.windows(4).any(|window| window == b"udta" || window == b"mfra"));
    }
}

#[test]
fn an_edit_list_of_pictures_goes_into_their_offsets() {
    let dir = tempfile::tempdir().unwrap();
    let flags = "+frag_keyframe+empty_moov+default_base_moof+delay_moov";
    let with_edit = video_with(rate(30, 1), "160x90", 0, 120, 60, flags);
    assert!(with_edit.windows(4).any(|window| window == b"elst"));
    let (init, segments) = split(options(cut_video(rate(30, 1), 60)), &with_edit, &[999]).unwrap();
    let init = init.unwrap();
    assert!(!init.bytes.windows(4).any(|window| window == b"elst"));
    let file = dir.path().join("cut.mp4");
    std::fs::write(&file, joined(&init, &segments)).unwrap();
    let plain = video(rate(30, 1), "160x90", 0, 120, 60);
    let whole = dir.path().join("whole.mp4");
    std::fs::write(&whole, &plain).unwrap();
    assert_eq!(packets(&file, "v:0", &[]), packets(&whole, "v:0", &[]));
}

#[test]
fn a_stream_off_the_grid_is_refused() {
    let stream = video(rate(30, 1), "160x90", 0, 150, 60);
    let refused = |cut| split(options(cut), &stream, &[999]).unwrap_err();
    assert_eq!(refused(cut_video(rate(30, 1), 50)), Error::GroupLength { expected: 50, found: 60 });
    assert_eq!(refused(cut_video(rate(30, 1), 90)), Error::GroupLength { expected: 90, found: 60 });
    assert_eq!(refused(cut_video(rate(25, 1), 60)), Error::FrameDuration { found: 1, timescale: 30 });
    assert!(
        matches!(refused(Cut::Audio { segment_ms: 4000 }), Error::WrongMedia(kind) if &kind.0 == b"vide")
    );
}

#[test]
fn a_stream_without_frames_is_no_error_and_half_a_stream_is() {
    let nothing = split(options(cut_video(rate(30, 1), 60)), &Bytes::new(), &[1]).unwrap();
    assert_eq!(nothing, (None, Vec::new()));
    let stream = video(rate(30, 1), "160x90", 0, 60, 60);
    let half = stream.slice(..stream.len() / 2);
    assert!(matches!(split(options(cut_video(rate(30, 1), 60)), &half, &[999]), Err(Error::Truncated(_))));
}

#[test]
fn one_frame_is_a_segment() {
    let stream = video(rate(30, 1), "160x90", 0, 1, 60);
    let (_, segments) = split(options(cut_video(rate(30, 1), 60)), &stream, &[999]).unwrap();
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0].entry.duration_ticks, 1);
    assert_eq!(segments[0].entry.sync.len(), 1);
}
