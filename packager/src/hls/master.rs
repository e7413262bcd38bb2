//! The multivariant playlist.

use std::collections::BTreeSet;

use tidegate_wire::track::{Format, Media};

use super::attributes::{Tag, quotable};
use crate::check::Track;
use crate::language;
use crate::presentation::Presentation;
use crate::rates::{Rates, bits_per_second};

const AUDIO: &str = "audio";
const TEXT: &str = "text";

/// Writes it.
pub(crate) fn master(of: &Presentation<'_>) -> String {
    let mut out = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
    let sound = Sound::of(&of.audio);
    // A single track that is all there is needs no group.
    let groups_audio = !of.audio.is_empty() && (!of.video.is_empty() || of.audio.len() > 1);
    if groups_audio {
        audio_group(&of.audio, &mut out);
    }
    text_group(of, &mut out);
    for track in &of.video {
        let rates = Rates::of(track);
        let codecs = std::iter::once(track.format().codecs.as_str()).chain(sound.codecs.iter().copied());
        let tag = Tag::new("EXT-X-STREAM-INF")
            .plain("BANDWIDTH", rates.peak + sound.peak)
            .plain("AVERAGE-BANDWIDTH", rates.average + sound.average)
            .quoted("CODECS", &codecs.collect::<Vec<_>>().join(","));
        stream(picture(tag, track.format()), of, groups_audio, track.name, &mut out);
    }
    if let (true, Some(first)) = (of.video.is_empty(), of.audio.first()) {
        let tag = Tag::new("EXT-X-STREAM-INF")
            .plain("BANDWIDTH", sound.peak)
            .plain("AVERAGE-BANDWIDTH", sound.average)
            .quoted("CODECS", &sound.codecs.into_iter().collect::<Vec<_>>().join(","));
        stream(tag, of, groups_audio, first.name, &mut out);
    }
    for track in of.iframes() {
        let tag = Tag::new("EXT-X-I-FRAME-STREAM-INF")
            .plain("BANDWIDTH", iframe_peak(track))
            .quoted("CODECS", &track.format().codecs);
        let tag = match track.picture() {
            Some((height, width)) => tag.plain("RESOLUTION", format_args!("{width}x{height}")),
            None => tag,
        };
        tag.quoted("URI", &format!("{}-iframes.m3u8", track.name)).end(&mut out);
    }
    out
}

fn stream(tag: Tag, of: &Presentation<'_>, groups_audio: bool, name: &str, out: &mut String) {
    let tag = tag.maybe("AUDIO", groups_audio.then_some(AUDIO));
    let tag = tag.maybe("SUBTITLES", (!of.texts.is_empty()).then_some(TEXT));
    tag.plain("CLOSED-CAPTIONS", "NONE").end(out);
    out.push_str(&format!("{name}.m3u8\n"));
}

fn picture(tag: Tag, format: &Format) -> Tag {
    let Media::Video { width, height, frame_rate } = &format.media else { return tag };
    let (num, den) = (u64::from(frame_rate.num.get()), u64::from(frame_rate.den.get()));
    let thousandths = (num * 1000 + den / 2) / den;
    tag.plain("RESOLUTION", format_args!("{width}x{height}"))
        .plain("FRAME-RATE", format_args!("{}.{:03}", thousandths / 1000, thousandths % 1000))
}

/// What the worst audio track adds to any rung, and all codecs that may have to be there.
struct Sound<'a> {
    peak: u64,
    average: u64,
    codecs: BTreeSet<&'a str>,
}

impl<'a> Sound<'a> {
    fn of(tracks: &[Track<'a>]) -> Self {
        let rates: Vec<_> = tracks.iter().map(Rates::of).collect();
        Self {
            peak: rates.iter().map(|rates| rates.peak).max().unwrap_or(0),
            average: rates.iter().map(|rates| rates.average).max().unwrap_or(0),
            codecs: tracks.iter().map(|track| track.format().codecs.as_str()).collect(),
        }
    }
}

fn audio_group(tracks: &[Track<'_>], out: &mut String) {
    let mut group = Group::default();
    for (track, number) in tracks.iter().zip(1..) {
        let format = track.format();
        let language = format.language.as_deref().and_then(language::known);
        let fallback = || language.map_or_else(|| format!("Audio {number}"), str::to_owned);
        let label = format.label.clone().filter(|label| !label.trim().is_empty());
        let name = group.name(&label.unwrap_or_else(fallback));
        let tag = Tag::new("EXT-X-MEDIA")
            .plain("TYPE", "AUDIO")
            .quoted("GROUP-ID", AUDIO)
            .quoted("NAME", &name)
            .maybe("LANGUAGE", language)
            .plain("DEFAULT", if number == 1 { "YES" } else { "NO" })
            .plain("AUTOSELECT", if group.is_new(language) { "YES" } else { "NO" });
        let tag = match format.media {
            Media::Audio { channels, .. } => tag.quoted("CHANNELS", &channels.to_string()),
            Media::Video { .. } => tag,
        };
        tag.quoted("URI", &format!("{}.m3u8", track.name)).end(out);
    }
}

fn text_group(of: &Presentation<'_>, out: &mut String) {
    let mut group = Group::default();
    for (text, number) in of.texts.iter().zip(1..) {
        let language = language::known(&text.language);
        let fallback = || language.map_or_else(|| format!("Subtitles {number}"), str::to_owned);
        let name = if text.label.trim().is_empty() { fallback() } else { text.label.clone() };
        Tag::new("EXT-X-MEDIA")
            .plain("TYPE", "SUBTITLES")
            .quoted("GROUP-ID", TEXT)
            .quoted("NAME", &group.name(&name))
            .maybe("LANGUAGE", language)
            .plain("DEFAULT", "NO")
            .plain("AUTOSELECT", if group.is_new(language) { "YES" } else { "NO" })
            .plain("FORCED", "NO")
            .quoted("URI", &format!("{}.m3u8", text.track))
            .end(out);
    }
}

/// What has to differ between the renditions of a group (RFC 8216 section 4.3.4.1.1).
#[derive(Default)]
struct Group {
    names: BTreeSet<String>,
    languages: BTreeSet<Option<String>>,
}

impl Group {
    fn name(&mut self, wanted: &str) -> String {
        let wanted = quotable(wanted);
        let mut name = wanted.clone();
        let mut number = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{wanted} {number}");
            number += 1;
        }
        name
    }

    /// Whether no rendition a player may choose by itself has this language.
    fn is_new(&mut self, language: Option<&str>) -> bool {
        self.languages.insert(language.map(str::to_ascii_lowercase))
    }
}

fn iframe_peak(track: &Track<'_>) -> u64 {
    let scale = track.format().timescale;
    let rates = track.segments().flat_map(|(_, segment)| &segment.sync);
    rates.map(|sync| bits_per_second(sync.size_bytes, sync.duration_ticks, scale)).max().unwrap_or(0)
}
