//! The poster, and the storyboard: one sprite of small pictures and where in it each stretch of time is.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use tidegate_wire::job::{PosterWork, VideoStream};

use crate::attempt::Attempt;
use crate::encode::command;
use crate::encode::filter::{self, ToneMapping};
use crate::failure::Fault;
use crate::ffmpeg::{self, Run};
use crate::limits;
use crate::progress::Total;
use crate::small;

/// Makes `poster.jpg`, `storyboard.jpg` and `storyboard.vtt`; the names. What the file has no picture for is left out.
pub(crate) async fn make(attempt: &Attempt, work: &PosterWork, source: &Path) -> Result<Vec<String>, Fault> {
    let can = ToneMapping(attempt.worker.tools.tone_mapping);
    let mut names = Vec::new();
    let mut poster =
        picture_of(attempt, source, "poster", self::poster(source, work, work.at_ms, can)).await?;
    if poster.is_none() {
        // The file is shorter than it says.
        poster = picture_of(attempt, source, "poster", self::poster(source, work, 0, can)).await?;
    }
    if let Some(poster) = poster {
        attempt.store("poster.jpg", poster).await?;
        names.push("poster.jpg".to_owned());
    }
    attempt.pulse.done(0.3);
    let tiles = Tiles::of(work);
    let sprite = picture_of(attempt, source, "storyboard", storyboard(source, work, &tiles, can)).await?;
    if let Some(sprite) = sprite {
        attempt.store("storyboard.jpg", sprite).await?;
        attempt.store("storyboard.vtt", tiles.cues(work).into()).await?;
        names.extend(["storyboard.jpg", "storyboard.vtt"].map(str::to_owned));
    }
    Ok(names)
}

/// One picture; `None` where the file has none.
async fn picture_of(
    attempt: &Attempt,
    source: &Path,
    made: &str,
    arguments: Vec<OsString>,
) -> Result<Option<Bytes>, Fault> {
    let run = Run {
        arguments,
        outputs: vec!["picture".into()],
        source,
        total: Total::Time,
        made: made.into(),
        nice: limits::NICE_SOON,
    };
    match ffmpeg::run(attempt, run, |_, stream| small::read(stream, limits::PICTURE_BYTES)).await {
        Ok(pictures) => {
            Ok(pictures.outputs.into_iter().flatten().next().filter(|picture| !picture.is_empty()))
        }
        Err(fault) if fault.is_of_the_file() => {
            tracing::warn!(job = %attempt.claim.job, made, ?fault, "poster.left_out");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// Of some pictures from `at_ms` on the one that is most like the others: neither a flash nor a fade.
fn poster(source: &Path, work: &PosterWork, at_ms: u64, can: ToneMapping) -> Vec<OsString> {
    let offset = i64::try_from(at_ms).unwrap_or(i64::MAX).saturating_mul(1000);
    let seek = (at_ms > 0).then(|| work.video.start_us.saturating_add(offset));
    let filter = format!("{},thumbnail={}", picture(&work.video, work.size, can), limits::POSTER_FRAMES);
    jpeg(command::open(source, seek, &command::colours(&work.video)), &work.video, &filter, "3")
}

fn storyboard(source: &Path, work: &PosterWork, tiles: &Tiles, can: ToneMapping) -> Vec<OsString> {
    let mut detail = command::colours(&work.video).to_vec();
    // A tile is a few pixels: frames that others do not need may be missing, and edges of blocks may show.
    let skipped = if work.duration_ms > limits::STORYBOARD_ALL_FRAMES_MS { "nokey" } else { "noref" };
    detail.extend(["-skip_frame", skipped, "-skip_loop_filter", "all"]);
    let filter = format!(
        "settb=1/1000000,setpts=PTS-({}),tpad=stop_mode=clone:stop_duration={}ms,\
         fps=1000/{}:start_time=0:round=near,{},tile={}x{}",
        work.video.start_us,
        // The last picture fills its tile, also where it is the only one and shorter than half of that.
        tiles.every_ms,
        tiles.every_ms,
        picture(&work.video, work.tile_size, can),
        tiles.columns,
        tiles.rows
    );
    jpeg(command::open(source, None, &detail), &work.video, &filter, "5")
}

/// A picture at `size`, for a JPEG: full range, and the matrix JFIF has.
fn picture(video: &VideoStream, size: (u32, u32), can: ToneMapping) -> String {
    let tone = filter::tone(video, size, can);
    let comma = if tone.is_empty() { "" } else { "," };
    let (width, height) = size;
    format!(
        "{tone}{comma}scale={width}:{height}:flags=bicubic:out_color_matrix=bt601:out_range=pc,setsar=1,format=yuvj420p"
    )
}

fn jpeg(mut arguments: Vec<OsString>, video: &VideoStream, filter: &str, quality: &str) -> Vec<OsString> {
    let graph = format!("[0:{}]{filter}[picture]", video.index);
    let words =
        ["-filter_complex", &graph, "-map", "[picture]", "-fps_mode", "passthrough", "-frames:v", "1"];
    arguments.extend(words.iter().map(Into::into));
    let words = ["-c:v", "mjpeg", "-q:v", quality, "-map_metadata", "-1", "-f", "image2pipe", "unix:picture"];
    arguments.extend(words.iter().map(Into::into));
    arguments
}

/// How the tiles lie.
#[derive(Debug, PartialEq, Eq)]
struct Tiles {
    count: u64,
    every_ms: u64,
    columns: u64,
    rows: u64,
}

impl Tiles {
    fn of(work: &PosterWork) -> Self {
        let rows = (limits::SPRITE_EDGE / u64::from(work.tile_size.1.max(1))).max(1);
        let most = (u64::from(work.tile_columns.max(1)) * rows).min(limits::STORYBOARD_TILES);
        let least_ms = work.duration_ms.div_ceil(most);
        let every_ms = work.tile_every_ms.max(least_ms).max(1);
        let count = work.duration_ms.div_ceil(every_ms).max(1);
        let columns = u64::from(work.tile_columns.max(1)).min(count);
        Self { count, every_ms, columns, rows: count.div_ceil(columns) }
    }

    /// WebVTT whose cues name a rectangle of the sprite (Media Fragments URI 1.0).
    fn cues(&self, work: &PosterWork) -> String {
        let (width, height) = (u64::from(work.tile_size.0), u64::from(work.tile_size.1));
        let mut text = String::from("WEBVTT\n");
        for tile in 0..self.count {
            let begins = tile * self.every_ms;
            let ends = (begins + self.every_ms).min(work.duration_ms.max(begins + 1));
            let (x, y) = (tile % self.columns * width, tile / self.columns * height);
            let (begins, ends) = (clock(begins), clock(ends));
            let _ = write!(text, "\n{begins} --> {ends}\nstoryboard.jpg#xywh={x},{y},{width},{height}\n");
        }
        text
    }
}

/// `HH:MM:SS.mmm`.
fn clock(ms: u64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tidegate_wire::track::Ratio;

    use super::*;

    fn work(duration_ms: u64) -> PosterWork {
        let one = NonZeroU32::MIN;
        let video = VideoStream {
            index: 0,
            codec: "h264".into(),
            width: 1280,
            height: 720,
            rotation: 0,
            frame_rate: Ratio { num: one, den: one },
            variable_rate: false,
            hdr: None,
            interlaced: false,
            start_us: 0,
        };
        PosterWork {
            video,
            duration_ms,
            at_ms: 1000,
            size: (1280, 720),
            tile_every_ms: 2000,
            tile_size: (160, 90),
            tile_columns: 3,
        }
    }

    #[test]
    fn each_stretch_of_time_has_its_rectangle() {
        let work = work(9_500);
        let tiles = Tiles::of(&work);
        assert_eq!(tiles, Tiles { count: 5, every_ms: 2000, columns: 3, rows: 2 });
        let text = tiles.cues(&work);
        assert!(text.starts_with(
            "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nstoryboard.jpg#xywh=0,0,160,90\n\n00:00:02.000 -->"
        ));
        assert!(
            text.ends_with("\n00:00:08.000 --> 00:00:09.500\nstoryboard.jpg#xywh=160,90,160,90\n"),
            "{text}"
        );
    }

    #[test]
    fn a_day_of_video_has_a_limited_number_of_tiles() {
        let tiles = Tiles::of(&work(86_400_000));
        assert!(
            tiles.count <= limits::STORYBOARD_TILES && tiles.rows * 90 <= limits::SPRITE_EDGE,
            "{tiles:?}"
        );
        assert_eq!(Tiles::of(&work(0)), Tiles { count: 1, every_ms: 2000, columns: 1, rows: 1 });
    }
}
