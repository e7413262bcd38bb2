//! From what a probe has found to the jobs that make it playable. Pure: the same source and the same ladder always
//! give the same plan.

pub mod chunks;
pub mod ladder;

use serde::{Deserialize, Serialize};
use tidegate_wire::job::{
    AudioStream, AudioWork, CaptionsWork, PackageWork, PosterWork, RenditionWork, Rung, SourceInfo,
    SubtitleStream, VideoStream, Work,
};

use self::chunks::{Chunk, Grid, SEGMENT_GOPS};
pub use self::ladder::Ladder;
use crate::limits;

/// What goes first within an account. The order of the variants is that of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// What everything else waits for.
    Probe,
    /// What makes a video playable: the lowest rung, and sound.
    First,
    /// Poster, storyboard, captions.
    Beside,
    /// The other rungs.
    Rest,
    /// The end.
    Package,
}

impl Class {
    /// As the catalogue orders by it. The end takes next to no work and is what someone waits for: where all the rest
    /// of a video is done it goes before whatever else there is.
    pub const fn number(self) -> u32 {
        match self {
            Self::Package => 0,
            Self::Probe => 1,
            Self::First => 2,
            Self::Beside => 3,
            Self::Rest => 4,
        }
    }
}

/// A job of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// What is to be done.
    pub work: Work,
    /// When.
    pub class: Class,
    /// Estimated work, in milliseconds.
    pub cost_ms: u64,
    /// Room a worker needs.
    pub needs_bytes: u64,
}

/// A text track to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextOutline {
    /// Its name: `t0`.
    pub track: String,
    /// BCP 47, `und` where nobody said.
    pub language: String,
    /// What a menu shows.
    pub label: String,
}

/// What of a plan is kept with the revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// The lowest first; none for sound alone.
    pub rungs: Vec<Rung>,
    /// Names of the audio tracks.
    pub audio: Vec<String>,
    /// Text tracks that are taken out of the source.
    pub texts: Vec<TextOutline>,
    /// Chunks of a video track.
    pub chunks: u32,
}

/// Everything that is to be done for a revision. The jobs come in the order of their numbers; the last is the
/// package, which waits for all others.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What is kept with the revision.
    pub outline: Outline,
    /// The jobs.
    pub jobs: Vec<Planned>,
}

/// Plans a source of `size_bytes`; `None` if it has nothing that plays.
pub fn plan(info: &SourceInfo, size_bytes: u64, ladder: &Ladder, preset: Option<&str>) -> Option<Plan> {
    // A header may claim anything.
    let duration_ms = info.duration_ms.min(limits::LONGEST_SOURCE_MS);
    let mut maker = Maker { info, duration_ms, size_bytes, outline: Outline::default(), jobs: Vec::new() };
    let segment_ms = match &info.video {
        Some(video) => maker.video(video, ladder, preset),
        None => limits::AUDIO_SEGMENT_MS,
    };
    for (n, audio) in info.audio.iter().take(limits::AUDIO_TRACKS).enumerate() {
        maker.audio(n, audio, segment_ms);
    }
    if maker.jobs.is_empty() {
        return None;
    }
    maker.captions();
    let chunks = maker.outline.chunks;
    let work = PackageWork { parts: Vec::new(), texts: Vec::new(), chunks, encrypted: false };
    let needs_bytes = limits::JOB_ROOM_BYTES;
    maker.jobs.push(Planned {
        work: Work::Package(work),
        class: Class::Package,
        cost_ms: limits::SMALL_JOB_MS,
        needs_bytes,
    });
    // Playable first, also in the order of the numbers: the beginning and the sound before what comes later.
    maker.jobs.sort_by_key(|job| (job.class, is_later(&job.work)));
    Some(Plan { outline: maker.outline, jobs: maker.jobs })
}

fn is_later(work: &Work) -> bool {
    matches!(work, Work::Rendition(work) if work.chunk > 0)
}

/// What a probe costs and needs.
pub fn probe(size_bytes: u64) -> Planned {
    let needs_bytes = size_bytes.saturating_add(limits::JOB_ROOM_BYTES);
    Planned { work: Work::Probe, class: Class::Probe, cost_ms: limits::SMALL_JOB_MS, needs_bytes }
}

struct Maker<'a> {
    info: &'a SourceInfo,
    duration_ms: u64,
    size_bytes: u64,
    outline: Outline,
    jobs: Vec<Planned>,
}

impl Maker<'_> {
    fn push(&mut self, work: Work, class: Class, cost_ms: u64) {
        let needs_bytes = self.size_bytes.saturating_add(limits::JOB_ROOM_BYTES);
        let cost_ms = cost_ms.clamp(limits::SMALL_JOB_MS, limits::LARGEST_COST_MS);
        self.jobs.push(Planned { work, class, cost_ms, needs_bytes });
    }

    /// Jobs for the pictures; returns how long a segment is.
    fn video(&mut self, video: &VideoStream, ladder: &Ladder, preset: Option<&str>) -> u64 {
        let grid = Grid::at(video.frame_rate);
        let rungs = ladder.rungs(video.width, video.height, video.frame_rate.as_f64(), preset);
        let chunks = grid.chunks(self.duration_ms);
        for (number, chunk) in chunks.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let (lowest, others) = rungs.split_at(1);
            self.rendition(video, &grid, (number, chunk), lowest, Class::First);
            if !others.is_empty() {
                self.rendition(video, &grid, (number, chunk), others, Class::Rest);
            }
        }
        self.outline.rungs = rungs;
        self.outline.chunks = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        let poster = poster(video, self.duration_ms);
        self.push(Work::Poster(poster), Class::Beside, self.duration_ms / 20);
        grid.segment_ms()
    }

    fn rendition(
        &mut self,
        video: &VideoStream,
        grid: &Grid,
        (number, chunk): (u32, &Chunk),
        rungs: &[Rung],
        class: Class,
    ) {
        let length_ms = match chunk.frames {
            Some(frames) => grid.ms(frames),
            None => self.duration_ms.saturating_sub(grid.ms(chunk.first_frame)),
        };
        let pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
        // Decoding costs about a tenth of encoding the same picture.
        let made: u64 = rungs.iter().map(|rung| pixels(rung.width, rung.height)).sum();
        let worked = made + pixels(video.width, video.height) / 10;
        let rate = u64::from(video.frame_rate.num.get() / video.frame_rate.den.get()).max(1);
        let cost = u128::from(length_ms) * u128::from(worked) * u128::from(rate) / (1920 * 1080 * 30);
        let work = RenditionWork {
            video: video.clone(),
            chunk: number,
            first_frame: chunk.first_frame,
            frames: chunk
                .frames
                .or_else(|| Some(self.end_frames()?.saturating_sub(chunk.first_frame).max(1))),
            first_segment: chunk.first_segment,
            gop_frames: grid.gop_frames,
            segment_gops: SEGMENT_GOPS,
            rungs: rungs.to_vec(),
            encryption: None,
        };
        self.push(Work::Rendition(work), class, u64::try_from(cost).unwrap_or(u64::MAX));
    }

    fn audio(&mut self, n: usize, audio: &AudioStream, segment_ms: u64) {
        let track = format!("a{n}");
        let channels = audio.channels.clamp(1, 2);
        let bitrate_bps = limits::AUDIO_BITRATE_BPS / if channels == 1 { 2 } else { 1 };
        self.outline.audio.push(track.clone());
        let work = AudioWork {
            audio: audio.clone(),
            track,
            start_us: self.start_us(),
            end_us: self.end_us(),
            segment_ms,
            bitrate_bps,
            channels,
            encryption: None,
        };
        self.push(Work::Audio(work), Class::First, self.duration_ms / 40);
    }

    fn captions(&mut self) {
        let streams: Vec<SubtitleStream> =
            self.info.subtitles.iter().filter(|stream| stream.is_text).cloned().collect();
        let streams: Vec<_> = streams.into_iter().take(limits::TEXT_TRACKS).collect();
        if streams.is_empty() {
            return;
        }
        let tracks: Vec<String> = (0..streams.len()).map(|n| format!("t{n}")).collect();
        for (track, stream) in tracks.iter().zip(&streams) {
            let language = stream.language.clone().unwrap_or_else(|| "und".to_owned());
            let label = stream.title.clone().unwrap_or_else(|| language.clone());
            self.outline.texts.push(TextOutline { track: track.clone(), language, label });
        }
        let work = CaptionsWork { streams, tracks, start_us: self.start_us() };
        self.push(Work::Captions(work), Class::Beside, limits::SMALL_JOB_MS);
    }

    /// Where everything ends, in frames: pictures and sound have one end, whichever of them the source has more of.
    /// `None` where it is not said, or cannot be believed: nobody wants a day of the last picture.
    fn end_frames(&self) -> Option<u64> {
        let rate = self.info.video.as_ref()?.frame_rate;
        let (num, den) = (u128::from(rate.num.get()), u128::from(rate.den.get()) * 1000);
        let frames = (u128::from(self.duration_ms) * num + den / 2) / den;
        let is_known = (1..limits::LONGEST_SOURCE_MS).contains(&self.duration_ms);
        is_known.then_some(u64::try_from(frames).unwrap_or(u64::MAX).max(1))
    }

    /// The same in microseconds.
    fn end_us(&self) -> Option<u64> {
        let rate = self.info.video.as_ref()?.frame_rate;
        let ticks = u128::from(self.end_frames()?) * u128::from(rate.den.get()) * 1_000_000;
        u64::try_from(ticks / u128::from(rate.num.get())).ok()
    }

    fn start_us(&self) -> i64 {
        self.info.video.as_ref().map_or(0, |video| video.start_us)
    }
}

/// A poster from near the beginning, past what may be a black screen; tiles as many as a seek bar can use.
fn poster(video: &VideoStream, duration_ms: u64) -> PosterWork {
    let every = duration_ms.div_ceil(limits::STORYBOARD_TILES).max(limits::TILE_LEAST_MS);
    PosterWork {
        video: video.clone(),
        duration_ms,
        at_ms: (duration_ms / 10).min(limits::POSTER_AT_MS),
        size: ladder::within(video.width, video.height, limits::POSTER_LINES),
        tile_every_ms: every.div_ceil(1000) * 1000,
        tile_size: ladder::within(video.width, video.height, limits::TILE_LINES),
        tile_columns: limits::STORYBOARD_COLUMNS,
    }
}

#[cfg(test)]
mod tests;
