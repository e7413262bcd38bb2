//! The filters that bring a source's pictures onto the output's grid. Pure.
//!
//! A chunk made alone must hold exactly the frames of a whole encode. So what becomes of a picture depends on nothing
//! but its own timestamp: that is brought onto a scale on which the output's frames are whole numbers of ticks, the rate
//! is made constant on the grid of the whole track, and the chunk is cut out of that. A rounding that depended on where
//! the chunk or the reading begins would pick other frames now and then.

use std::fmt::Write as _;

use tidegate_wire::job::{RenditionWork, VideoStream};
use tidegate_wire::track::Ratio;

use super::command::SeekUs;

/// Ticks a second of the scale on which frames of `rate` are whole, finer than any source's.
fn scale(rate: Ratio) -> u64 {
    let num = u64::from(rate.num.get());
    num * if num >= 1000 { 1000 } else { 1_000_000 }
}

/// Ticks on that scale from the file's time zero to the first frame.
fn offset(video: &VideoStream) -> i128 {
    (i128::from(video.start_us) * i128::from(scale(video.frame_rate))).div_euclid(1_000_000)
}

/// Pictures at the output's constant rate from the chunk's first frame on, which gets timestamp zero.
///
/// Where the source begins without a picture, its first one is shown from the beginning; where a chunk of known length
/// goes on behind the last one, or lies behind it altogether, that one is held.
pub(crate) fn grid(work: &RenditionWork, seek: SeekUs) -> String {
    let (video, rate) = (&work.video, work.video.frame_rate);
    let deinterlace = if video.interlaced { "bwdif=mode=send_frame," } else { "" };
    let begins = if seek.is_none() { ":start_time=0" } else { "" };
    let holds = if work.frames.is_some() { ",tpad=stop=-1:stop_mode=clone" } else { "" };
    format!(
        "{deinterlace}settb=1/{},setpts=PTS-({}),fps={}/{}:round=near{begins}{holds},\
         trim=start_pts={first},setpts=PTS-{first}",
        scale(rate),
        offset(video),
        rate.num,
        rate.den,
        first = work.first_frame,
    )
}

/// Whether this ffmpeg can bring high dynamic range down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ToneMapping(pub(crate) bool);

/// Brings the picture to `size` and, where it has high dynamic range, to what every screen shows. Empty when the
/// former is left to whoever comes next.
pub(crate) fn tone(video: &VideoStream, size: (u32, u32), can: ToneMapping) -> String {
    let Some(transfer) = &video.hdr else { return String::new() };
    let (width, height) = size;
    if !can.0 {
        return String::new();
    }
    // At the largest size that is needed: this is arithmetic on floats, for each pixel.
    format!(
        "scale={width}:{height}:flags=bicubic,zscale=tin={transfer}:min=bt2020nc:pin=bt2020:rin=tv:t=linear:npl=100,\
         format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
    )
}

/// The picture at a rung's size, with square samples, in the one format every decoder knows.
pub(crate) fn fit(width: u32, height: u32) -> String {
    format!(
        "scale={width}:{height}:flags=bicubic:out_color_matrix=bt709:out_range=tv,setsar=1,format=yuv420p"
    )
}

/// One decode for all rungs: the graph, with an output `[TRACK]` for each.
pub(crate) fn ladder(work: &RenditionWork, seek: SeekUs, can: ToneMapping) -> String {
    let (video, rungs) = (&work.video, &work.rungs);
    let mut graph = format!("[0:{}]{}", video.index, grid(work, seek));
    let largest = rungs.iter().max_by_key(|rung| u64::from(rung.width) * u64::from(rung.height));
    let tone = largest.map(|rung| tone(video, (rung.width, rung.height), can)).unwrap_or_default();
    if !tone.is_empty() {
        graph.push(',');
        graph.push_str(&tone);
    }
    if let [rung] = rungs.as_slice() {
        let _ = write!(graph, ",{}[{}]", fit(rung.width, rung.height), rung.track);
        return graph;
    }
    let _ = write!(graph, ",split={}", rungs.len());
    for n in 0..rungs.len() {
        let _ = write!(graph, "[s{n}]");
    }
    for (n, rung) in rungs.iter().enumerate() {
        let _ = write!(graph, ";[s{n}]{}[{}]", fit(rung.width, rung.height), rung.track);
    }
    graph
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tidegate_wire::job::Rung;

    use super::*;

    fn video(num: u32, den: u32, start_us: i64) -> VideoStream {
        let ratio = Ratio { num: NonZeroU32::new(num).unwrap(), den: NonZeroU32::new(den).unwrap() };
        VideoStream {
            index: 2,
            codec: "h264".into(),
            width: 1920,
            height: 1080,
            rotation: 0,
            frame_rate: ratio,
            variable_rate: false,
            hdr: None,
            interlaced: false,
            start_us,
        }
    }

    fn rung(track: &str, width: u32, height: u32) -> Rung {
        Rung { track: track.into(), width, height, bitrate_bps: 1_000_000, preset: "veryfast".into() }
    }

    fn work(video: VideoStream, first_frame: u64, rungs: Vec<Rung>) -> RenditionWork {
        RenditionWork {
            video,
            chunk: 0,
            first_frame,
            frames: Some(120),
            first_segment: 0,
            gop_frames: 60,
            segment_gops: 2,
            rungs,
            encryption: None,
        }
    }

    #[test]
    fn frames_are_whole_ticks_and_so_is_what_is_taken_off() {
        for (video, frame, seek, expected) in [
            (video(30, 1, 0), 0, None, "settb=1/30000000,setpts=PTS-(0),fps=30/1:round=near:start_time=0"),
            (video(30, 1, 0), 120, Some(2), "settb=1/30000000,setpts=PTS-(0),fps=30/1:round=near"),
            (
                video(30_000, 1001, 1_466_733),
                240,
                Some(1),
                "settb=1/30000000,setpts=PTS-(44001990),fps=30000/1001:round=near",
            ),
            (
                video(25, 1, -80_000),
                0,
                None,
                "settb=1/25000000,setpts=PTS-(-2000000),fps=25/1:round=near:start_time=0",
            ),
        ] {
            let cut = format!("trim=start_pts={frame},setpts=PTS-{frame}");
            let work = work(video, frame, Vec::new());
            assert_eq!(grid(&work, seek), format!("{expected},tpad=stop=-1:stop_mode=clone,{cut}"));
            let open_ended = RenditionWork { frames: None, ..work };
            assert_eq!(grid(&open_ended, seek), format!("{expected},{cut}"));
        }
        let fields = VideoStream { interlaced: true, ..video(25, 1, 0) };
        assert!(grid(&work(fields, 0, Vec::new()), None).starts_with("bwdif=mode=send_frame,settb="));
    }

    #[test]
    fn one_decode_feeds_all_rungs() {
        let rungs = [rung("v480", 854, 480), rung("v1080", 1920, 1080)];
        let graph =
            |rungs: &[Rung]| ladder(&work(video(30, 1, 0), 0, rungs.to_vec()), None, ToneMapping(true));
        let both = graph(&rungs);
        assert!(both.starts_with("[0:2]settb="), "{both}");
        assert!(both.contains(",split=2[s0][s1];[s0]scale=854:480:"), "{both}");
        assert!(both.ends_with("setsar=1,format=yuv420p[v1080]"), "{both}");
        let alone = graph(&rungs[..1]);
        assert!(!alone.contains("split") && alone.ends_with("format=yuv420p[v480]"), "{alone}");
    }

    #[test]
    fn high_dynamic_range_is_brought_down_once_at_the_largest_size() {
        let hdr = VideoStream { hdr: Some("smpte2084".into()), ..video(30, 1, 0) };
        let work = work(hdr, 0, vec![rung("v480", 854, 480), rung("v720", 1280, 720)]);
        let graph = ladder(&work, None, ToneMapping(true));
        assert_eq!(graph.matches("tonemap=tonemap=").count(), 1);
        assert!(graph.contains("scale=1280:720:flags=bicubic,zscale=tin=smpte2084"), "{graph}");
        assert!(!ladder(&work, None, ToneMapping(false)).contains("zscale"));
    }
}
