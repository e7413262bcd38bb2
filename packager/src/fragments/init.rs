//! The initialisation segment: `ftyp` and `moov`.

use std::num::NonZeroU32;

use tidegate_wire::track::{Format, Media, Ratio};

use super::boxes::{Reader, put_box, put_full, put_u16, put_u32, put_u64, put_words};
use super::codecs::{Described, Shape, describe};
use super::error::Error;
use crate::limits;

/// What a `moov` says.
pub(super) struct Movie {
    pub(super) track_id: u32,
    pub(super) timescale: NonZeroU32,
    /// Where the edit list starts the presentation on the decode timeline.
    pub(super) edit_start: u64,
    pub(super) defaults: Defaults,
    handler: [u8; 4],
    language: u16,
    described: Described,
}

/// What samples are like where their fragment does not say (`trex`).
#[derive(Clone, Copy, Default)]
pub(super) struct Defaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

impl Movie {
    /// Reads the body of a `moov` of one track without samples.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Error> {
        let moov = Reader::new(b"moov", body);
        let trak = moov.only(b"trak", "it has no track")?;
        let mdia = trak.only(b"mdia", "the track has no mdia")?;
        let (timescale, language) = mdhd(mdia.only(b"mdhd", "the track has no mdhd")?)?;
        let mut hdlr = mdia.only(b"hdlr", "the track has no hdlr")?;
        hdlr.take(8)?;
        let handler = hdlr.array()?;
        let stbl = mdia.only(b"minf", "the track has no minf")?.only(b"stbl", "the track has no stbl")?;
        let mut tkhd = trak.only(b"tkhd", "the track has no tkhd")?;
        let (version, _) = tkhd.full()?;
        tkhd.take(if version == 1 { 16 } else { 8 })?;
        let track_id = tkhd.u32()?;
        let mut trex = moov.only(b"mvex", "it is not fragmented")?.only(b"trex", "the track has no trex")?;
        trex.take(12)?;
        Ok(Self {
            track_id,
            timescale,
            edit_start: edit_start(trak)?,
            defaults: Defaults { duration: trex.u32()?, size: trex.u32()?, flags: trex.u32()? },
            handler,
            language,
            described: describe(stbl.only(b"stsd", "the track has no stsd")?)?,
        })
    }

    /// What the segments are; `frame_rate` for pictures.
    pub(super) fn format(&self, frame_rate: Option<Ratio>) -> Result<Format, Error> {
        let wrong = || Error::WrongMedia(super::BoxKind(self.handler));
        let media = match (&self.described.shape, &self.handler, frame_rate) {
            (Shape::Picture { width, height }, b"vide", Some(frame_rate)) => {
                Media::Video { width: u32::from(*width), height: u32::from(*height), frame_rate }
            }
            (Shape::Sound { sample_rate, channels }, b"soun", None) => {
                Media::Audio { sample_rate: *sample_rate, channels: *channels }
            }
            _ => return Err(wrong()),
        };
        let codecs = self.described.codecs.clone();
        Ok(Format { codecs, timescale: self.timescale, language: None, label: None, media })
    }

    /// The segment, written anew: nothing of the source's metadata, names, dates or durations is in it.
    pub(super) fn to_init(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        put_box(&mut out, b"ftyp", |out| {
            out.extend_from_slice(b"iso6\0\0\0\0iso6cmfcmp41");
        });
        put_box(&mut out, b"moov", |out| {
            put_full(out, b"mvhd", 0, 0, |out| {
                // Created, modified, ticks a second, duration: unknown, the fragments say.
                put_words(out, &[0, 0, 1000, 0]);
                put_u32(out, 0x0001_0000);
                put_u16(out, 0x0100);
                out.extend_from_slice(&[0; 10]);
                put_matrix(out);
                out.extend_from_slice(&[0; 24]);
                put_u32(out, 2);
            });
            put_box(out, b"trak", |out| self.put_track(out));
            put_box(out, b"mvex", |out| {
                put_full(out, b"trex", 0, 0, |out| {
                    put_words(out, &[1, 1, 0, 0, 0]);
                });
            });
        });
        out
    }

    fn put_track(&self, out: &mut Vec<u8>) {
        let (width, height, volume) = match self.described.shape {
            Shape::Picture { width, height } => (width, height, 0),
            Shape::Sound { .. } => (0, 0, 0x0100),
        };
        // Enabled, in the movie.
        put_full(out, b"tkhd", 0, 3, |out| {
            put_words(out, &[0, 0, 1, 0, 0, 0, 0]);
            [0, 0, volume, 0].into_iter().for_each(|word| put_u16(out, word));
            put_matrix(out);
            put_u32(out, u32::from(width) << 16);
            put_u32(out, u32::from(height) << 16);
        });
        if self.keeps_edit() {
            put_box(out, b"edts", |out| {
                put_full(out, b"elst", 1, 0, |out| {
                    put_u32(out, 1);
                    put_u64(out, 0);
                    put_u64(out, self.edit_start);
                    put_u32(out, 0x0001_0000);
                });
            });
        }
        put_box(out, b"mdia", |out| {
            put_full(out, b"mdhd", 0, 0, |out| {
                put_words(out, &[0, 0, self.timescale.get(), 0]);
                put_u16(out, self.language);
                put_u16(out, 0);
            });
            put_full(out, b"hdlr", 0, 0, |out| {
                put_u32(out, 0);
                out.extend_from_slice(&self.handler);
                out.extend_from_slice(&[0; 13]);
            });
            put_box(out, b"minf", |out| self.put_minf(out));
        });
    }

    fn put_minf(&self, out: &mut Vec<u8>) {
        match self.described.shape {
            Shape::Picture { .. } => put_full(out, b"vmhd", 0, 1, |out| put_u64(out, 0)),
            Shape::Sound { .. } => put_full(out, b"smhd", 0, 0, |out| put_u32(out, 0)),
        }
        put_box(out, b"dinf", |out| {
            put_full(out, b"dref", 0, 0, |out| {
                put_u32(out, 1);
                put_full(out, b"url ", 0, 1, |_| {});
            });
        });
        put_box(out, b"stbl", |out| {
            put_full(out, b"stsd", 0, 0, |out| {
                put_u32(out, 1);
                out.extend_from_slice(&self.described.entry);
            });
            put_full(out, b"stts", 0, 0, |out| put_u32(out, 0));
            put_full(out, b"stsc", 0, 0, |out| put_u32(out, 0));
            put_full(out, b"stsz", 0, 0, |out| put_u64(out, 0));
            put_full(out, b"stco", 0, 0, |out| put_u32(out, 0));
        });
    }

    /// Sound keeps its edit list, which hides the encoder's priming; that of pictures goes into their composition
    /// offsets.
    pub(super) fn keeps_edit(&self) -> bool {
        self.edit_start > 0 && matches!(self.described.shape, Shape::Sound { .. })
    }
}

fn put_matrix(out: &mut Vec<u8>) {
    put_words(out, &[0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000]);
}

/// Ticks a second, and the language as the box has it.
fn mdhd(mut mdhd: Reader<'_>) -> Result<(NonZeroU32, u16), Error> {
    let (version, _) = mdhd.full()?;
    mdhd.take(if version == 1 { 16 } else { 8 })?;
    let timescale = NonZeroU32::new(mdhd.u32()?).ok_or(mdhd.malformed("no ticks a second"))?;
    mdhd.take(if version == 1 { 8 } else { 4 })?;
    Ok((timescale, mdhd.u16()?))
}

fn edit_start(trak: Reader<'_>) -> Result<u64, Error> {
    let Some(edts) = trak.find(b"edts")? else { return Ok(0) };
    let Some(mut elst) = edts.find(b"elst")? else { return Ok(0) };
    let (version, _) = elst.full()?;
    if elst.u32()? != 1 {
        return Err(Error::Unsupported("an edit list of more than one edit"));
    }
    let start = if version == 1 {
        elst.u64()?;
        elst.u64()?.cast_signed()
    } else {
        elst.u32()?;
        i64::from(elst.u32()?.cast_signed())
    };
    let start = u64::try_from(start).ok().filter(|start| *start < limits::MAX_TICKS);
    let start = start.ok_or(Error::Unsupported("an edit list that delays the track"))?;
    if elst.u32()? != 0x0001_0000 {
        return Err(Error::Unsupported("an edit list that changes the speed"));
    }
    Ok(start)
}
