//! Movie fragments: read to a list of samples, and written from one.

use super::boxes::{Reader, put_box, put_full, put_u32, put_u64, put_words};
use super::error::{BoxKind, Error};
use super::init::{Defaults, Movie};
use crate::limits;

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
    /// From its decode to its presentation.
    pub(super) shift: i32,
}

impl Sample {
    pub(super) fn is_sync(&self) -> bool {
        self.flags & 0x0001_0000 == 0
    }
}

/// What a `moof` says.
pub(super) struct Fragment {
    pub(super) decode_time: u64,
    pub(super) samples: Vec<Sample>,
    /// From the first byte of the `moof` to the first of the samples.
    data_offset: Option<u64>,
    pub(super) data_size: u64,
}

impl Fragment {
    /// Reads the body of a `moof`.
    pub(super) fn parse(body: &[u8], movie: &Movie) -> Result<Self, Error> {
        let traf = Reader::new(b"moof", body).only(b"traf", "it has no traf")?;
        let defaults = tfhd(traf.only(b"tfhd", "it has no tfhd")?, movie)?;
        let mut tfdt = traf.only(b"tfdt", "it has no tfdt")?;
        let (version, _) = tfdt.full()?;
        let decode_time = if version == 1 { tfdt.u64()? } else { u64::from(tfdt.u32()?) };
        if decode_time >= limits::MAX_TICKS {
            return Err(tfdt.malformed("its time is beyond all sense"));
        }
        let mut fragment = Self { decode_time, samples: Vec::new(), data_offset: None, data_size: 0 };
        let mut boxes = traf;
        while let Some(child) = boxes.child()? {
            if child.kind().0 == *b"trun" {
                fragment.add_run(child, defaults)?;
            }
        }
        if fragment.samples.is_empty() {
            return Err(traf.malformed("it has no samples"));
        }
        Ok(fragment)
    }

    /// Whether the samples are all of an `mdat` that lies straight behind a `moof` of `moof_size`.
    pub(super) fn fits(&self, moof_size: u64, mdat_header: u64, mdat_body: u64) -> Result<(), Error> {
        let misplaced = |why| Err(Error::Misplaced { kind: BoxKind(*b"mdat"), why });
        if self.data_offset.is_some_and(|offset| offset != moof_size + mdat_header) {
            return misplaced("its samples are not at its start");
        }
        if self.data_size != mdat_body {
            return misplaced("its samples are not all of it");
        }
        Ok(())
    }

    fn add_run(&mut self, mut trun: Reader<'_>, defaults: Defaults) -> Result<(), Error> {
        let (version, flags) = trun.full()?;
        let count = trun.u32()?;
        let many = self.samples.len() as u64 + u64::from(count);
        if many > limits::MAX_FRAGMENT_SAMPLES as u64 {
            let limit = limits::MAX_FRAGMENT_SAMPLES as u64;
            return Err(Error::TooLarge { what: "a fragment's count of samples", size: many, limit });
        }
        if flags & 0x1 != 0 {
            let offset = u64::from(trun.u32()?);
            match self.data_offset {
                None if self.data_size == 0 => self.data_offset = Some(offset),
                Some(first) if first + self.data_size == offset => {}
                _ => return Err(trun.malformed("its samples do not follow those before")),
            }
        }
        let first_flags = if flags & 0x4 != 0 { Some(trun.u32()?) } else { None };
        for index in 0..count {
            let mut field = |bit: u32, default| if flags & bit != 0 { trun.u32() } else { Ok(default) };
            let duration = field(0x100, defaults.duration)?;
            let size = field(0x200, defaults.size)?;
            let default_flags = first_flags.filter(|_| index == 0).unwrap_or(defaults.flags);
            let flags = field(0x400, default_flags)?;
            let shift = field(0x800, 0)?;
            if version == 0 && shift > i32::MAX.unsigned_abs() || duration > i32::MAX.unsigned_abs() {
                return Err(trun.malformed("a time in it is beyond all sense"));
            }
            self.samples.push(Sample { duration, size, flags, shift: shift.cast_signed() });
            self.data_size += u64::from(size);
        }
        Ok(())
    }
}

fn tfhd(mut tfhd: Reader<'_>, movie: &Movie) -> Result<Defaults, Error> {
    let (_, flags) = tfhd.full()?;
    if tfhd.u32()? != movie.track_id {
        return Err(tfhd.malformed("it is of another track"));
    }
    if flags & 0x1 != 0 || flags & 0x02_0000 == 0 {
        return Err(Error::Unsupported("offsets that do not count from the fragment (default_base_moof)"));
    }
    if flags & 0x2 != 0 {
        tfhd.u32()?;
    }
    let mut field = |bit: u32, default| if flags & bit != 0 { tfhd.u32() } else { Ok(default) };
    Ok(Defaults {
        duration: field(0x8, movie.defaults.duration)?,
        size: field(0x10, movie.defaults.size)?,
        flags: field(0x20, movie.defaults.flags)?,
    })
}

/// A `moof` and the header of its `mdat`. Decode time is always 64 bits wide, so that the length does not depend on
/// where in a track a fragment lies.
pub(super) fn write(sequence: u32, decode_time: u64, samples: &[Sample]) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + samples.len() * 16);
    let mut offset_at = 0;
    put_box(&mut out, b"moof", |out| {
        put_full(out, b"mfhd", 0, 0, |out| put_u32(out, sequence));
        put_box(out, b"traf", |out| {
            let usual = usual(samples);
            put_full(out, b"tfhd", 0, 0x02_0038, |out| {
                put_words(out, &[1, usual.duration, usual.size, usual.flags]);
            });
            put_full(out, b"tfdt", 1, 0, |out| put_u64(out, decode_time));
            offset_at = put_run(out, samples, usual);
        });
    });
    let offset = u32::try_from(out.len() + 8).unwrap_or(u32::MAX);
    out[offset_at..offset_at + 4].copy_from_slice(&offset.to_be_bytes());
    let data: u64 = samples.iter().map(|sample| u64::from(sample.size)).sum();
    put_u32(&mut out, u32::try_from(data + 8).unwrap_or(u32::MAX));
    out.extend_from_slice(b"mdat");
    out
}

/// What most samples are like: the last one, as the first is the keyframe.
fn usual(samples: &[Sample]) -> Sample {
    samples.last().copied().unwrap_or(Sample { duration: 0, size: 0, flags: 0, shift: 0 })
}

/// Writes the `trun`; the place of its data offset.
fn put_run(out: &mut Vec<u8>, samples: &[Sample], usual: Sample) -> usize {
    let differs = |of: fn(&Sample) -> u32| samples.iter().any(|sample| of(sample) != of(&usual));
    let rest = samples.get(1..).unwrap_or_default();
    let first_only = rest.iter().all(|sample| sample.flags == usual.flags);
    let durations = differs(|sample| sample.duration);
    let sizes = differs(|sample| sample.size);
    let flags = differs(|sample| sample.flags);
    let shifts = samples.iter().any(|sample| sample.shift != 0);
    let bit = |set: bool, bit: u32| if set { bit } else { 0 };
    let said = 0x1
        | bit(flags && first_only, 0x4)
        | bit(durations, 0x100)
        | bit(sizes, 0x200)
        | bit(flags && !first_only, 0x400)
        | bit(shifts, 0x800);
    let mut offset_at = 0;
    put_full(out, b"trun", 1, said, |out| {
        put_u32(out, u32::try_from(samples.len()).unwrap_or(u32::MAX));
        offset_at = out.len();
        put_u32(out, 0);
        if let (true, true, Some(first)) = (flags, first_only, samples.first()) {
            put_u32(out, first.flags);
        }
        for sample in samples {
            let fields = [
                (0x100, sample.duration),
                (0x200, sample.size),
                (0x400, sample.flags),
                (0x800, sample.shift.cast_unsigned()),
            ];
            fields.into_iter().filter(|(bit, _)| said & bit != 0).for_each(|(_, word)| put_u32(out, word));
        }
    });
    offset_at
}
