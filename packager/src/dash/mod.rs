//! DASH (ISO/IEC 23009-1): a static manifest over whole tracks.
//!
//! Written plainly and not with `dash-mpd`: also without its default features that crate is a downloader, which
//! brings `reqwest`, an XPath engine and an ffprobe wrapper. One kind of manifest is a page of code.
//!
//! A track whose segments lie in one directory is a `SegmentTemplate`; one of several parts, each in a directory of
//! its own, is a `SegmentList`. Both have their times in a `SegmentTimeline`, exact to the tick.

mod xml;

use tidegate_wire::job::TextTrack;
use tidegate_wire::track::{Media, Ratio, Segment};

use crate::check::Track;
use crate::presentation::Presentation;
use crate::rates::{Rates, micros, seconds};
use crate::{language, limits};
use xml::Element;

const ROLE: &str = "urn:mpeg:dash:role:2011";
const CHANNELS: &str = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";

/// Writes it; tracks that are not whole are left out.
pub(crate) fn manifest(of: &Presentation<'_>) -> String {
    let rungs: Vec<_> = of.video.iter().filter(|track| track.whole).collect();
    let tracks = || rungs.iter().copied().chain(&of.audio);
    let duration = duration(tracks().map(Track::end_us).max().unwrap_or(0));
    let longest = |track: &Track<'_>| {
        let segments = track.segments().map(|(_, it)| micros(it.duration_ticks, track.format().timescale));
        segments.max().unwrap_or(0)
    };
    let buffer = tracks().map(longest).max().unwrap_or(0);
    let mut period = Element::new("Period").with("id", 0).with("start", "PT0S").with("duration", &duration);
    if !rungs.is_empty() {
        period.add(video(&rungs));
    }
    for (index, track) in of.audio.iter().enumerate() {
        period.add(audio(track, index));
    }
    for text in of.texts {
        period.add(subtitles(text));
    }
    let mpd = Element::new("MPD")
        .with("xmlns", "urn:mpeg:dash:schema:mpd:2011")
        .with("profiles", "urn:mpeg:dash:profile:isoff-main:2011")
        .with("type", "static")
        .with("mediaPresentationDuration", &duration)
        .with("minBufferTime", self::duration(buffer))
        .child(period);
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", mpd.finish())
}

/// An `xs:duration`.
fn duration(micros: u64) -> String {
    format!("PT{}S", seconds(micros))
}

fn video(rungs: &[&Track<'_>]) -> Element {
    let largest = rungs.iter().filter_map(|track| track.picture()).max().unwrap_or((0, 0));
    let mut set = Element::new("AdaptationSet")
        .with("id", 0)
        .with("contentType", "video")
        .with("mimeType", "video/mp4")
        .with("segmentAlignment", true)
        .with("startWithSAP", 1)
        .with("maxWidth", largest.1)
        .with("maxHeight", largest.0)
        .child(role("main"));
    for track in rungs {
        let Media::Video { width, height, frame_rate } = &track.format().media else { continue };
        let representation = representation(track)
            .with("width", width)
            .with("height", height)
            .with("frameRate", rate(*frame_rate))
            .with("sar", "1:1");
        set.add(representation.child(segments(track)));
    }
    set
}

fn audio(track: &Track<'_>, index: usize) -> Element {
    let format = track.format();
    let mut set = Element::new("AdaptationSet")
        .with("id", index + 1)
        .with("contentType", "audio")
        .with("mimeType", "audio/mp4")
        .with("lang", format.language.as_deref().and_then(language::known).unwrap_or("und"))
        .with("segmentAlignment", true)
        .with("startWithSAP", 1);
    if let Some(label) = &format.label {
        set.add(self::label(label));
    }
    set.add(role(if index == 0 { "main" } else { "alternate" }));
    let representation = match format.media {
        Media::Audio { sample_rate, channels } => representation(track)
            .with("audioSamplingRate", sample_rate)
            .child(descriptor("AudioChannelConfiguration", CHANNELS, layout(channels))),
        Media::Video { .. } => representation(track),
    };
    set.child(representation.child(segments(track)))
}

/// The channel configuration of ISO/IEC 23003-3: eight channels are the seventh layout.
fn layout(channels: u32) -> u32 {
    if channels == 8 { 7 } else { channels }
}

fn subtitles(text: &TextTrack) -> Element {
    let mut set = Element::new("AdaptationSet")
        .with("contentType", "text")
        .with("mimeType", "text/vtt")
        .with("lang", language::known(&text.language).unwrap_or("und"));
    if !text.label.is_empty() {
        set.add(label(&text.label));
    }
    set.add(role("subtitle"));
    // The attribute has to be there; a file of text costs next to nothing.
    let representation = Element::new("Representation").with("id", &text.track).with("bandwidth", 256);
    set.child(representation.child(Element::text("BaseURL", &text.path)))
}

fn representation(track: &Track<'_>) -> Element {
    Element::new("Representation")
        .with("id", track.name)
        .with("bandwidth", Rates::of(track).peak)
        .with("codecs", &track.format().codecs)
}

fn segments(track: &Track<'_>) -> Element {
    let scale = track.format().timescale;
    let all = track.segments().map(|(_, segment)| segment);
    if let [part] = track.parts.as_slice() {
        return Element::new("SegmentTemplate")
            .with("timescale", scale)
            .with("startNumber", 0)
            .with("initialization", part.init_path())
            .with("media", format_args!("{}/$Number%05d$.m4s", part.dir))
            .child(timeline(all, true));
    }
    let init = Element::new("Initialization").with("sourceURL", track.parts[0].init_path());
    let mut list =
        Element::new("SegmentList").with("timescale", scale).child(init).child(timeline(all, false));
    for (path, _) in track.segments() {
        list.add(Element::new("SegmentURL").with("media", path));
    }
    list
}

/// The times of all segments; there are no gaps. Runs of equal durations are one element, but not in a list: dash.js
/// 5.2 takes the nth element's address for its segment, and with runs stops in the middle.
fn timeline<'a>(segments: impl Iterator<Item = &'a Segment>, joins: bool) -> Element {
    let mut runs: Vec<(u64, u64, u64)> = Vec::new();
    for segment in segments {
        match runs.last_mut() {
            Some((_, duration, more)) if joins && *duration == segment.duration_ticks => *more += 1,
            _ => runs.push((segment.start_ticks, segment.duration_ticks, 0)),
        }
    }
    let mut timeline = Element::new("SegmentTimeline");
    for (start, duration, more) in runs {
        let run = Element::new("S").with("t", start).with("d", duration);
        timeline.add(if more > 0 { run.with("r", more) } else { run });
    }
    timeline
}

fn rate(rate: Ratio) -> String {
    match (rate.num, rate.den.get()) {
        (num, 1) => num.to_string(),
        (num, den) => format!("{num}/{den}"),
    }
}

fn role(value: &str) -> Element {
    descriptor("Role", ROLE, value)
}

fn descriptor(name: &'static str, scheme: &str, value: impl std::fmt::Display) -> Element {
    Element::new(name).with("schemeIdUri", scheme).with("value", value)
}

fn label(text: &str) -> Element {
    Element::text("Label", &text.chars().take(limits::MAX_LABEL_CHARS).collect::<String>())
}
