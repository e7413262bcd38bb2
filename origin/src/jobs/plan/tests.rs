use std::num::NonZeroU32;

use proptest::prelude::*;
use tidegate_wire::track::Ratio;

use super::*;
use crate::catalog::jobs::kind_name;

fn rate(num: u32, den: u32) -> Ratio {
    Ratio { num: NonZeroU32::new(num).unwrap(), den: NonZeroU32::new(den).unwrap() }
}

fn video(width: u32, height: u32) -> VideoStream {
    VideoStream {
        index: 0,
        codec: "h264".to_owned(),
        width,
        height,
        rotation: 0,
        frame_rate: rate(30, 1),
        variable_rate: false,
        hdr: None,
        interlaced: false,
        start_us: 40_000,
    }
}

fn audio(channels: u32) -> AudioStream {
    let (index, codec, sample_rate) = (1, "aac".to_owned(), 48_000);
    AudioStream { index, codec, channels, sample_rate, language: None, title: None }
}

fn subtitle(is_text: bool, language: Option<&str>) -> SubtitleStream {
    let language = language.map(str::to_owned);
    SubtitleStream { index: 2, codec: "mov_text".to_owned(), is_text, language, title: None }
}

fn source(video: Option<VideoStream>, audio: Vec<AudioStream>, duration_ms: u64) -> SourceInfo {
    SourceInfo { container: "mov".to_owned(), duration_ms, video, audio, subtitles: Vec::new() }
}

fn presets(plan: &Plan) -> Vec<&str> {
    let renditions = plan.jobs.iter().filter_map(|job| match &job.work {
        Work::Rendition(work) => Some(work),
        _ => None,
    });
    renditions.flat_map(|work| &work.rungs).map(|rung| rung.preset.as_str()).collect()
}

#[test]
fn a_preset_that_is_configured_is_every_rung_s() {
    let info = source(Some(video(1920, 1080)), vec![audio(2)], 90_000);
    let plan = plan(&info, 1000, &Ladder::default(), Some("slow")).unwrap();
    let presets = presets(&plan);
    assert!(presets.len() > 4 && presets.iter().all(|preset| *preset == "slow"), "{presets:?}");
}

fn kinds(plan: &Plan) -> Vec<&'static str> {
    plan.jobs.iter().map(|job| kind_name(job.work.kind())).collect()
}

#[test]
fn a_short_clip_is_planned_whole_with_the_lowest_rung_apart() {
    let info = source(Some(video(1920, 1080)), vec![audio(2)], 10_000);
    let plan = plan(&info, 1000, &Ladder::default(), None).unwrap();
    assert_eq!(kinds(&plan), ["rendition", "audio", "poster", "rendition", "package"]);
    let Work::Rendition(lowest) = &plan.jobs[0].work else { panic!("{:?}", plan.jobs[0]) };
    assert_eq!((lowest.rungs.len(), lowest.rungs[0].track.as_str(), lowest.frames), (1, "v360", Some(300)));
    assert_eq!((lowest.gop_frames, lowest.segment_gops), (60, 2));
    let Work::Rendition(others) = &plan.jobs[3].work else { panic!("{:?}", plan.jobs[3]) };
    assert_eq!(others.rungs.iter().map(|r| r.track.as_str()).collect::<Vec<_>>(), ["v480", "v720", "v1080"]);
    assert_eq!(presets(&plan), ["veryfast", "veryfast", "superfast", "superfast"]);
    assert!(plan.jobs[3].cost_ms > 3 * plan.jobs[0].cost_ms);
    assert_eq!((plan.outline.chunks, plan.outline.audio.clone()), (1, vec!["a0".to_owned()]));
    let Work::Audio(sound) = &plan.jobs[1].work else { panic!() };
    assert_eq!((sound.start_us, sound.segment_ms, sound.bitrate_bps), (40_000, 4000, 128_000));
    let Work::Poster(poster) = &plan.jobs[2].work else { panic!() };
    assert_eq!((poster.size, poster.tile_size, poster.tile_every_ms), ((1280, 720), (160, 90), 1000));
}

#[test]
fn five_minutes_are_cut_and_each_chunk_has_two_jobs() {
    let info = source(Some(video(1280, 720)), vec![audio(1)], 300_000);
    let plan = plan(&info, 1000, &Ladder::default(), None).unwrap();
    assert_eq!(plan.outline.chunks, 13);
    let renditions = kinds(&plan).into_iter().filter(|kind| *kind == "rendition").count();
    assert_eq!(renditions, 26);
    assert_eq!(kinds(&plan)[..3], ["rendition", "audio", "rendition"], "sound does not wait for the end");
    let Work::Audio(sound) = &plan.jobs.iter().find(|job| matches!(job.work, Work::Audio(_))).unwrap().work
    else {
        panic!()
    };
    assert_eq!((sound.bitrate_bps, sound.channels), (64_000, 1));
}

#[test]
fn pictures_and_sound_are_planned_to_one_end_on_the_grid_of_frames() {
    for (duration_ms, (num, den), frames, end_us) in [
        (24_009, (30, 1), 720, 24_000_000),
        (24_020, (30, 1), 721, 24_033_333),
        (32_000, (25, 1), 800, 32_000_000),
        (10_011, (30_000, 1001), 300, 10_010_000),
        (100_000, (30, 1), 3000, 100_000_000),
        (1, (30, 1), 1, 33_333),
    ] {
        let mut video = video(640, 360);
        video.frame_rate = rate(num, den);
        let plan =
            plan(&source(Some(video), vec![audio(2)], duration_ms), 1000, &Ladder::default(), None).unwrap();
        let ends = plan.jobs.iter().filter_map(|job| match &job.work {
            Work::Rendition(work) => Some(work.first_frame + work.frames.unwrap()),
            _ => None,
        });
        assert_eq!(ends.max(), Some(frames), "{duration_ms} ms");
        let sound = plan.jobs.iter().find_map(|job| match &job.work {
            Work::Audio(work) => work.end_us,
            _ => None,
        });
        assert_eq!(sound, Some(end_us), "{duration_ms} ms");
    }
    let sound = plan(&source(None, vec![audio(2)], 5000), 1, &Ladder::default(), None).unwrap();
    let Work::Audio(sound) = &sound.jobs[0].work else { panic!() };
    assert_eq!(sound.end_us, None, "sound alone ends where it ends");
    let unknown = plan(&source(Some(video(640, 360)), vec![], 0), 1, &Ladder::default(), None).unwrap();
    let Work::Rendition(unknown) = &unknown.jobs[0].work else { panic!() };
    assert_eq!(unknown.frames, None);
}

#[test]
fn what_is_missing_is_left_out_and_nothing_at_all_is_no_plan() {
    let ladder = Ladder::default();
    let silent = plan(&source(Some(video(320, 240)), vec![], 1000), 1, &ladder, None).unwrap();
    assert_eq!(kinds(&silent), ["rendition", "poster", "package"], "one rung: nothing else to encode");
    let sound = plan(&source(None, vec![audio(6), audio(2)], 60_001), 1, &ladder, None).unwrap();
    assert_eq!(kinds(&sound), ["audio", "audio", "package"]);
    let Work::Audio(first) = &sound.jobs[0].work else { panic!() };
    assert_eq!((first.channels, first.segment_ms, first.start_us), (2, limits::AUDIO_SEGMENT_MS, 0));
    assert_eq!(plan(&source(None, vec![], 5000), 1, &ladder, None), None);
}

#[test]
fn only_text_becomes_captions() {
    let mut info = source(Some(video(640, 360)), vec![], 1000);
    info.subtitles = vec![subtitle(false, None), subtitle(true, Some("de")), subtitle(true, None)];
    let plan = plan(&info, 1, &Ladder::default(), None).unwrap();
    assert_eq!(kinds(&plan), ["rendition", "poster", "captions", "package"]);
    let texts: Vec<_> = plan.outline.texts.iter().map(|t| (t.track.as_str(), t.language.as_str())).collect();
    assert_eq!(texts, [("t0", "de"), ("t1", "und")]);
}

#[test]
fn a_header_that_lies_makes_neither_a_flood_of_jobs_nor_one_that_nobody_can_pay() {
    let believed = |duration_ms| {
        let info = source(Some(video(1920, 1080)), vec![audio(2)], duration_ms);
        plan(&info, 1000, &Ladder::default(), None).unwrap()
    };
    let (longest, endless) = (believed(limits::LONGEST_SOURCE_MS), believed(u64::MAX));
    assert_eq!(endless, longest);
    assert!(endless.jobs.len() < 250, "{}", endless.jobs.len());
    for job in &endless.jobs {
        assert!(job.cost_ms <= limits::LARGEST_COST_MS, "{job:?}");
        // What is made is not kept by the worker.
        assert!(job.needs_bytes <= 1000 + limits::JOB_ROOM_BYTES, "{job:?}");
    }
    // However long it really is, all of it is made.
    let open_ended = endless.jobs.iter().filter(|job| match &job.work {
        Work::Rendition(work) => work.frames.is_none(),
        _ => false,
    });
    assert_eq!(open_ended.count(), 2);
}

proptest! {
    #[test]
    fn a_plan_ends_with_one_package_and_begins_with_what_plays_first(
        width in 1u32..5000, height in 1u32..5000, duration_ms in 0u64..20_000_000, tracks in 0usize..20,
        num in 1u32..121, size in 0u64..(1 << 40)
    ) {
        let mut video = video(width, height);
        video.frame_rate = rate(num, 1);
        let plan = plan(&source(Some(video), vec![audio(2); tracks], duration_ms), size, &Ladder::default(), None).unwrap();
        let packages = plan.jobs.iter().filter(|job| job.class == Class::Package).count();
        prop_assert_eq!((packages, plan.jobs.last().unwrap().class), (1, Class::Package));
        prop_assert_eq!(plan.jobs[0].class, Class::First);
        prop_assert!(plan.jobs.windows(2).all(|two| two[0].class <= two[1].class));
        prop_assert!(plan.jobs.iter().all(|job| job.cost_ms >= limits::SMALL_JOB_MS));
        prop_assert!(plan.outline.audio.len() <= limits::AUDIO_TRACKS);
        // Every rung has every chunk exactly once.
        for rung in &plan.outline.rungs {
            let mut chunks: Vec<u32> = plan.jobs.iter().filter_map(|job| match &job.work {
                Work::Rendition(work) if work.rungs.contains(rung) => Some(work.chunk),
                _ => None,
            }).collect();
            chunks.sort_unstable();
            prop_assert_eq!(chunks, (0..plan.outline.chunks).collect::<Vec<_>>());
        }
    }
}
