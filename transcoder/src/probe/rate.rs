//! The constant rate a source's frames are brought to. Pure.

use std::num::NonZeroU32;

use tidegate_wire::track::Ratio;

use crate::limits;

const fn ratio(num: u32, den: u32) -> Ratio {
    match (NonZeroU32::new(num), NonZeroU32::new(den)) {
        (Some(num), Some(den)) => Ratio { num, den },
        _ => Ratio { num: NonZeroU32::MIN, den: NonZeroU32::MIN },
    }
}

/// The usual rates.
const USUAL: [Ratio; 9] = [
    ratio(24_000, 1001),
    ratio(24, 1),
    ratio(25, 1),
    ratio(30_000, 1001),
    ratio(30, 1),
    ratio(48, 1),
    ratio(50, 1),
    ratio(60_000, 1001),
    ratio(60, 1),
];

/// What a rate of nothing is taken for: a single picture, a file that does not say.
const DEFAULT: Ratio = USUAL[4];

/// How far a rate may lie from a usual one and still be it: less than 24 from 23.976.
const SAME: f64 = 0.0005;
/// How far the average of a constant rate may lie from it: containers round, and files end between frames.
const CONSTANT: f64 = 0.005;

/// `30000/1001` as a number; `None` for what is not a rate.
pub(super) fn fraction(text: &str) -> Option<f64> {
    let (num, den) = text.split_once('/')?;
    let value = num.parse::<f64>().ok()? / den.parse::<f64>().ok()?;
    (value.is_finite() && value > 0.0).then_some(value)
}

/// The output's rate, and whether the source's varies. `real` is the rate all timestamps fit on, `average` frames
/// over time.
pub(super) fn choose(real: Option<f64>, average: Option<f64>) -> (Ratio, bool) {
    let variable = match (real, average) {
        (Some(real), Some(average)) => (real - average).abs() > average * CONSTANT,
        _ => false,
    };
    let Some(average) = average.or(real) else { return (DEFAULT, false) };
    // Where frames were left out of a usual rate, that rate is the source's; twice too high is a field rate or chance.
    let nominal = real.filter(|real| is_usual(*real) && (average * 0.98..average * 1.95).contains(real));
    let mut rate = nominal.unwrap_or(average);
    while rate > limits::RATE_MAX {
        rate /= 2.0;
    }
    if let Some(near) = USUAL.into_iter().find(|usual| distance(*usual, rate) < SAME) {
        return (near, variable);
    }
    if variable && nominal.is_none() {
        // Frames come when they like: the first usual rate that has room for them.
        let roomy = USUAL.into_iter().find(|usual| usual.as_f64() >= rate * 0.98);
        return (roomy.filter(|_| rate > 20.0).unwrap_or_else(|| multiple(rate)), variable);
    }
    (if rate < 20.0 { multiple(rate) } else { nearest(rate) }, variable)
}

fn is_usual(rate: f64) -> bool {
    USUAL.into_iter().any(|usual| distance(usual, rate) < SAME)
}

fn distance(usual: Ratio, rate: f64) -> f64 {
    (usual.as_f64() - rate).abs() / usual.as_f64()
}

fn nearest(rate: f64) -> Ratio {
    let mut best = DEFAULT;
    for usual in USUAL {
        if distance(usual, rate) < distance(best, rate) {
            best = usual;
        }
    }
    best
}

/// For a slow source: the lowest usual rate that shows each of its frames equally long, or 30.
fn multiple(rate: f64) -> Ratio {
    let even = |usual: &Ratio| {
        let times = usual.as_f64() / rate;
        (times - times.round()).abs() < SAME * times && usual.as_f64() < 30.5
    };
    USUAL.into_iter().find(even).unwrap_or(DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_become_the_usual_ones() {
        for (real, average, expected, variable) in [
            ("30/1", "30/1", "30/1", false),
            ("30000/1001", "30000/1001", "30000/1001", false),
            ("24000/1001", "24000/1001", "24000/1001", false),
            ("24/1", "24/1", "24/1", false),
            ("25/1", "25/1", "25/1", false),
            ("60000/1001", "60000/1001", "60000/1001", false),
            // What a millisecond grid makes of 23.976 and 29.97.
            ("2997/100", "2997/100", "30000/1001", false),
            ("23976/1000", "23976/1000", "24000/1001", false),
            // A phone that drops frames in the dark, and one whose timestamps are its own.
            ("30/1", "2901/100", "30/1", true),
            ("90000/1", "2993/100", "30000/1001", true),
            ("60000/1001", "45/1", "60000/1001", true),
            ("120/1", "29/1", "30000/1001", true),
            // Slow motion.
            ("120/1", "120/1", "60/1", false),
            ("240/1", "240/1", "60/1", false),
            ("120000/1001", "120000/1001", "60000/1001", false),
            ("90/1", "90/1", "48/1", false),
            // Screens and old cameras.
            ("15/1", "15/1", "30/1", false),
            ("25/2", "25/2", "25/1", false),
            ("10/1", "10/1", "30/1", false),
            ("1/1", "1/1", "24/1", false),
            ("1000/1", "7/1", "30/1", true),
            // A still, and nothing at all.
            ("0/0", "0/0", "30/1", false),
            ("90000/1", "0/0", "48/1", false),
        ] {
            let (rate, varies) = choose(fraction(real), fraction(average));
            let text = format!("{}/{}", rate.num, rate.den);
            assert_eq!((text.as_str(), varies), (expected, variable), "{real} {average}");
        }
    }

    #[test]
    fn what_is_no_rate_is_none() {
        for text in ["", "30", "0/0", "1/0", "-1/1", "a/b", "0/1"] {
            assert_eq!(fraction(text), None, "{text}");
        }
    }
}
