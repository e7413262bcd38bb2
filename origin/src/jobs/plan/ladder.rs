//! The ladder: which rungs a video gets, how large, at what rate.
//!
//! A rung's number is its lines. It stands for a box of 16 to 9, upright for upright video, that the picture must fit
//! into: 1080 lines hold 1920×1080, 1080×1920, 1080×1080 and 1920×804. Nothing is scaled up.

use std::fmt;
use std::str::FromStr;

use tidegate_wire::job::Rung;

use crate::limits;

/// A rung as it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Lines of the box it fits.
    pub lines: u32,
    /// Bits a second when the box is full, at up to 30 frames a second.
    pub bitrate_bps: u32,
}

/// Rungs from the lowest to the highest; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder(Vec<Step>);

/// A text that is no ladder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a ladder is LINES:RATE,… with rising even lines from 64 to 4320 and rates in bits a second (800k, 2.4M): {0}"
)]
pub struct InvalidLadder(String);

impl Ladder {
    /// What is used unless configured otherwise.
    pub const DEFAULT: &'static str = "360:800k,480:1200k,720:2400k,1080:4800k";

    /// From the lowest to the highest.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The rungs of a picture of this size, the lowest first; a picture below the lowest gets one of its own size.
    /// `preset` is for all of them; without one the higher rungs are done faster.
    pub fn rungs(&self, width: u32, height: u32, frames_per_second: f64, preset: Option<&str>) -> Vec<Rung> {
        let rate = rate_factor(frames_per_second);
        let mut rungs: Vec<Rung> = Vec::new();
        for step in &self.0 {
            if let Some((width, height)) = fitted(width, height, step.lines) {
                rungs.push(rung(format!("v{}", step.lines), (width, height), *step, rate, preset));
            }
        }
        if rungs.is_empty()
            && let Some(lowest) = self.0.first()
        {
            let own = own_size(width, height);
            rungs.push(rung(format!("v{}", own.0.min(own.1)), own, *lowest, rate, preset));
        }
        rungs
    }
}

impl Default for Ladder {
    fn default() -> Self {
        let step = |lines, bitrate_bps| Step { lines, bitrate_bps };
        Self(vec![step(360, 800_000), step(480, 1_200_000), step(720, 2_400_000), step(1080, 4_800_000)])
    }
}

impl FromStr for Ladder {
    type Err = InvalidLadder;

    fn from_str(text: &str) -> Result<Self, InvalidLadder> {
        let invalid = || InvalidLadder(text.to_owned());
        let steps: Option<Vec<Step>> = text.split(',').map(read_step).collect();
        let steps = steps.ok_or_else(invalid)?;
        let rises = steps
            .windows(2)
            .all(|two| two[0].lines < two[1].lines && two[0].bitrate_bps < two[1].bitrate_bps);
        if rises && steps.len() <= limits::LADDER_RUNGS { Ok(Self(steps)) } else { Err(invalid()) }
    }
}

fn read_step(text: &str) -> Option<Step> {
    let (lines, rate) = text.trim().split_once(':')?;
    let lines: u32 = lines.parse().ok()?;
    let (number, unit) = match rate.as_bytes().last()? {
        b'k' => (&rate[..rate.len() - 1], 1000.0),
        b'M' => (&rate[..rate.len() - 1], 1_000_000.0),
        _ => (rate, 1.0),
    };
    let number: f64 = number.parse().ok()?;
    let bitrate_bps = to_u32(number * unit);
    let sensible = (64..=4320).contains(&lines)
        && lines.is_multiple_of(2)
        && (10_000..1_000_000_000).contains(&bitrate_bps);
    sensible.then_some(Step { lines, bitrate_bps })
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            match step.bitrate_bps.is_multiple_of(1000) {
                true => write!(f, "{comma}{}:{}k", step.lines, step.bitrate_bps / 1000)?,
                false => write!(f, "{comma}{}:{}", step.lines, step.bitrate_bps)?,
            }
        }
        Ok(())
    }
}

/// The size of a picture in the box of `lines`; `None` where it would have to be scaled up to fill it.
fn fitted(width: u32, height: u32, lines: u32) -> Option<(u32, u32)> {
    let (width, height, lines) = (u64::from(width), u64::from(height), u64::from(lines));
    let (short, long) = (width.min(height).max(1), width.max(height).max(1));
    // Whichever side of the box is met first.
    let (num, den) = if 9 * long <= 16 * short { (lines, short) } else { (16 * lines, 9 * long) };
    (num <= den).then(|| (scaled(width, num, den), scaled(height, num, den)))
}

/// The largest size in the box of `lines` that is not larger than the picture itself.
pub(super) fn within(width: u32, height: u32, lines: u32) -> (u32, u32) {
    fitted(width, height, lines).unwrap_or_else(|| own_size(width, height))
}

/// Encoders of 4:2:0 take even sizes only.
fn own_size(width: u32, height: u32) -> (u32, u32) {
    ((width & !1).max(2), (height & !1).max(2))
}

/// The even number nearest to `side · num / den`, but none above the side itself.
fn scaled(side: u64, num: u64, den: u64) -> u32 {
    let nearest = 2 * ((side * num + den) / (2 * den));
    u32::try_from(nearest.min(side & !1).max(2)).unwrap_or(u32::MAX - 1)
}

fn rung(track: String, (width, height): (u32, u32), step: Step, rate: f64, preset: Option<&str>) -> Rung {
    let full = f64::from(step.lines) * f64::from(step.lines) * 16.0 / 9.0;
    let fill = f64::from(width) * f64::from(height) / full;
    // A picture of half the pixels needs more than half the bits: detail does not shrink with the area.
    let bitrate = f64::from(step.bitrate_bps) * fill.min(1.0).powf(0.75) * rate;
    let bitrate_bps = to_u32(bitrate / 1000.0).saturating_mul(1000).max(limits::LOWEST_BITRATE_BPS);
    // Two thirds of the time goes into the largest pictures, and they lose the least by haste: there are bits enough.
    let own = if step.lines > limits::LINES_TO_HURRY { limits::PRESET_ABOVE } else { limits::PRESET };
    Rung { track, width, height, bitrate_bps, preset: preset.unwrap_or(own).to_owned() }
}

/// Half again as much for twice the frames: they differ less from each other. No more than twice.
fn rate_factor(frames_per_second: f64) -> f64 {
    if frames_per_second > 30.5 { (frames_per_second / 30.0).powf(0.585).min(2.0) } else { 1.0 }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such casts saturate")]
fn to_u32(value: f64) -> u32 {
    value.round() as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes(width: u32, height: u32) -> Vec<(String, u32, u32)> {
        let rungs = Ladder::default().rungs(width, height, 30.0, None);
        rungs.into_iter().map(|rung| (rung.track, rung.width, rung.height)).collect()
    }

    #[test]
    fn every_shape_gets_its_rungs() {
        for (width, height, expected) in [
            (1920, 1080, "v360 640x360, v480 854x480, v720 1280x720, v1080 1920x1080"),
            (1080, 1920, "v360 360x640, v480 480x854, v720 720x1280, v1080 1080x1920"),
            (1080, 1080, "v360 360x360, v480 480x480, v720 720x720, v1080 1080x1080"),
            (1920, 804, "v360 640x268, v480 854x358, v720 1280x536, v1080 1920x804"),
            (3840, 2160, "v360 640x360, v480 854x480, v720 1280x720, v1080 1920x1080"),
            (1440, 1080, "v360 480x360, v480 640x480, v720 960x720, v1080 1440x1080"),
            (1280, 800, "v360 576x360, v480 768x480, v720 1152x720"),
            (853, 481, "v360 638x360, v480 852x480"),
            (853, 480, "v360 640x360, v480 852x480"),
            (640, 360, "v360 640x360"),
            (641, 361, "v360 640x360"),
            (320, 240, "v240 320x240"),
            (351, 287, "v286 350x286"),
            (1, 1, "v2 2x2"),
            (4000, 10, "v360 640x2, v480 854x2, v720 1280x4, v1080 1920x4"),
        ] {
            let found: Vec<_> =
                sizes(width, height).into_iter().map(|(t, w, h)| format!("{t} {w}x{h}")).collect();
            assert_eq!(found.join(", "), expected, "{width}x{height}");
        }
    }

    #[test]
    fn rates_follow_the_picture_and_its_frame_rate() {
        let top = |width, height, rate| {
            Ladder::default().rungs(width, height, rate, None).pop().unwrap().bitrate_bps
        };
        assert_eq!(top(1920, 1080, 30.0), 4_800_000);
        assert_eq!(top(1080, 1920, 29.97), 4_800_000);
        assert_eq!(top(1920, 1080, 24.0), 4_800_000);
        assert_eq!(top(1920, 1080, 60.0), 7_200_000);
        assert_eq!(top(1920, 1080, 240.0), 9_600_000);
        assert_eq!(top(1080, 1080, 30.0), 3_118_000);
        assert_eq!(top(320, 180, 30.0), 283_000);
        assert_eq!(top(16, 16, 30.0), limits::LOWEST_BITRATE_BPS);
    }

    #[test]
    fn a_ladder_is_read_strictly() {
        assert_eq!(Ladder::DEFAULT.parse(), Ok(Ladder::default()));
        assert_eq!(Ladder::default().to_string(), Ladder::DEFAULT);
        let read: Ladder = "240:0.4M, 2160:20000000".parse().unwrap();
        assert_eq!(read.to_string(), "240:400k,2160:20000k");
        for text in [
            "",
            "360",
            "360:",
            ":1k",
            "361:1k",
            "0:100k",
            "5000:9M",
            "360:800k,360:900k",
            "480:1M,360:2M",
            "360:2M,480:1M",
            "360:-1k",
            "360:NaNk",
            "360:800K",
        ] {
            assert!(text.parse::<Ladder>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn sizes_are_even_and_never_above_the_source(width in 1u32..9000, height in 1u32..9000, rate in 1.0f64..120.0) {
            let rungs = Ladder::default().rungs(width, height, rate, None);
            prop_assert!(!rungs.is_empty());
            let mut tracks: Vec<_> = rungs.iter().map(|rung| rung.track.clone()).collect();
            tracks.dedup();
            prop_assert_eq!(tracks.len(), rungs.len());
            for rung in &rungs {
                prop_assert!(rung.width.is_multiple_of(2) && rung.height.is_multiple_of(2));
                prop_assert!(rung.width <= width.max(2) && rung.height <= height.max(2), "{:?}", rung);
                prop_assert!(rung.bitrate_bps >= limits::LOWEST_BITRATE_BPS);
                // The aspect is kept to within what rounding to even sizes costs.
                let off = f64::from(rung.width) * f64::from(height) - f64::from(rung.height) * f64::from(width);
                prop_assert!(off.abs() <= 2.0 * f64::from(width.max(height)) + 2.0 * f64::from(rung.width.max(rung.height)));
            }
            prop_assert!(rungs.windows(2).all(|two| two[0].width <= two[1].width));
        }
    }
}
