//! Sample descriptions: the `codecs` parameter of RFC 6381, sizes, and the entry cleaned for the initialisation
//! segment.

use super::boxes::{Reader, put_box};
use super::error::Error;

/// What a sample description says.
pub(super) struct Described {
    pub(super) codecs: String,
    pub(super) shape: Shape,
    /// The entry as it is written again.
    pub(super) entry: Vec<u8>,
}

/// The part of a description that depends on the kind of media.
pub(super) enum Shape {
    Picture { width: u16, height: u16 },
    Sound { sample_rate: u32, channels: u32 },
}

/// Reads the single entry of an `stsd`.
pub(super) fn describe(mut stsd: Reader<'_>) -> Result<Described, Error> {
    stsd.full()?;
    if stsd.u32()? != 1 {
        return Err(Error::Unsupported("a track with more than one sample description"));
    }
    let entry = stsd.child()?.ok_or(stsd.malformed("it has no entry"))?;
    match &entry.kind().0 {
        b"avc1" | b"avc3" | b"hvc1" | b"hev1" => picture(entry),
        b"mp4a" | b"Opus" => sound(entry),
        _ => Err(Error::UnknownCodec(entry.kind())),
    }
}

/// Bytes of a VisualSampleEntry before its boxes.
const VISUAL_FIELDS: usize = 78;
/// Bytes of an AudioSampleEntry before its boxes.
const AUDIO_FIELDS: usize = 28;

fn picture(entry: Reader<'_>) -> Result<Described, Error> {
    let mut boxes = entry;
    let mut fields =
        *boxes.take(VISUAL_FIELDS)?.first_chunk::<VISUAL_FIELDS>().ok_or(entry.malformed("short"))?;
    let width = u16::from_be_bytes([fields[24], fields[25]]);
    let height = u16::from_be_bytes([fields[26], fields[27]]);
    if width == 0 || height == 0 {
        return Err(entry.malformed("its pictures have no size"));
    }
    if let Some(mut pasp) = boxes.find(b"pasp")?
        && pasp.u32()? != pasp.u32()?
    {
        return Err(Error::Unsupported("samples that are not square"));
    }
    // The name of the encoder.
    fields[42..74].fill(0);
    let name = entry.kind();
    let codecs = match &name.0 {
        b"avc1" | b"avc3" => {
            let mut avcc = boxes.only(b"avcC", "it has no avcC")?;
            avcc.u8()?;
            let [profile, constraints, level] = avcc.array::<3>()?;
            format!("{name}.{profile:02x}{constraints:02x}{level:02x}")
        }
        _ => hevc(&name.to_string(), boxes.only(b"hvcC", "it has no hvcC")?)?,
    };
    let entry = rewrite(entry, &fields, boxes, &[b"avcC", b"hvcC", b"colr", b"pasp", b"clli", b"mdcv"])?;
    Ok(Described { codecs, shape: Shape::Picture { width, height }, entry })
}

/// ISO/IEC 14496-15 annex E.3.
fn hevc(name: &str, mut hvcc: Reader<'_>) -> Result<String, Error> {
    hvcc.u8()?;
    let profile = hvcc.u8()?;
    let compatibility = hvcc.u32()?.reverse_bits();
    let constraints = hvcc.array::<6>()?;
    let level = hvcc.u8()?;
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let mut text = format!("{name}.{space}{}.{compatibility:X}.{tier}{level}", profile & 0x1f);
    let said = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..said] {
        text.push_str(&format!(".{byte:X}"));
    }
    Ok(text)
}

fn sound(entry: Reader<'_>) -> Result<Described, Error> {
    let mut boxes = entry;
    let mut fields =
        *boxes.take(AUDIO_FIELDS)?.first_chunk::<AUDIO_FIELDS>().ok_or(entry.malformed("short"))?;
    if fields[8..10] != [0, 0] {
        return Err(Error::Unsupported("a QuickTime description of sound"));
    }
    let (codecs, sample_rate, channels) = if entry.kind().0 == *b"mp4a" {
        let aac = aac(boxes.only(b"esds", "it has no esds")?)?;
        (format!("mp4a.40.{}", aac.object_type), aac.sample_rate, aac.channels)
    } else {
        let mut dops = boxes.only(b"dOps", "it has no dOps")?;
        dops.u8()?;
        ("opus".to_owned(), 48_000, u32::from(dops.u8()?))
    };
    if sample_rate == 0 || channels == 0 {
        return Err(entry.malformed("it has no channels or no sample rate"));
    }
    // ffmpeg writes 2 whatever there is.
    fields[16..18].copy_from_slice(&u16::try_from(channels).unwrap_or(2).to_be_bytes());
    let entry = rewrite(entry, &fields, boxes, &[b"esds", b"dOps"])?;
    Ok(Described { codecs, shape: Shape::Sound { sample_rate, channels }, entry })
}

/// The entry with only those boxes a decoder needs: `btrt` and others differ between encodes of one track.
fn rewrite(
    entry: Reader<'_>,
    fields: &[u8],
    mut boxes: Reader<'_>,
    keep: &[&[u8; 4]],
) -> Result<Vec<u8>, Error> {
    let mut kept = Vec::new();
    while let Some(child) = boxes.child()? {
        if keep.contains(&&child.kind().0) {
            put_box(&mut kept, &child.kind().0, |out| out.extend_from_slice(child.rest()));
        }
    }
    let mut out = Vec::new();
    put_box(&mut out, &entry.kind().0, |out| {
        out.extend_from_slice(fields);
        out.extend_from_slice(&kept);
    });
    Ok(out)
}

struct Aac {
    object_type: u32,
    sample_rate: u32,
    channels: u32,
}

/// The AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1) within the descriptors of ISO/IEC 14496-1 section 7.2.6.
fn aac(mut esds: Reader<'_>) -> Result<Aac, Error> {
    esds.full()?;
    let mut stream = descriptor(&mut esds, 3)?;
    stream.u16()?;
    let flags = stream.u8()?;
    if flags & 0xe0 != 0 {
        return Err(Error::Unsupported("an elementary stream that depends on another"));
    }
    let mut decoder = descriptor(&mut stream, 4)?;
    if decoder.u8()? != 0x40 {
        return Err(Error::Unsupported("sound in `mp4a` that is not AAC"));
    }
    decoder.take(12)?;
    let specific = descriptor(&mut decoder, 5)?;
    let mut bits = Bits { bytes: specific.rest(), at: 0 };
    let parsed = (|| {
        let object_type = match bits.take(5)? {
            31 => 32 + bits.take(6)?,
            short => short,
        };
        let sample_rate = match bits.take(4)? {
            15 => bits.take(24)?,
            index => *SAMPLE_RATES.get(usize::try_from(index).ok()?)?,
        };
        let channels = match bits.take(4)? {
            7 => 8,
            count @ 1..=6 => count,
            _ => return None,
        };
        Some(Aac { object_type, sample_rate, channels })
    })();
    parsed.ok_or(specific.malformed("its AudioSpecificConfig makes no sense"))
}

const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// The body of a descriptor that has to have this tag. Its length is said in up to four groups of seven bits.
fn descriptor<'a>(from: &mut Reader<'a>, tag: u8) -> Result<Reader<'a>, Error> {
    if from.u8()? != tag {
        return Err(from.malformed("an unexpected descriptor"));
    }
    let mut length = 0;
    for _ in 0..4 {
        let byte = from.u8()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(Reader::new(&from.kind().0, from.take(length)?));
        }
    }
    Err(from.malformed("a descriptor's length has no end"))
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_of_hevc_follow_annex_e() {
        let body = [1, 0x01, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93];
        assert_eq!(hevc("hvc1", Reader::new(b"hvcC", &body)).unwrap(), "hvc1.1.6.L93.90");
        let body = [1, 0x62, 0x20, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 153];
        assert_eq!(hevc("hev1", Reader::new(b"hvcC", &body)).unwrap(), "hev1.A2.4.H153.B0");
    }

    #[test]
    fn an_aac_description_says_its_type_rate_and_channels() {
        let esds = [
            0, 0, 0, 0, 3, 0x80, 0x80, 0x80, 0x1c, 0, 1, 0, 4, 0x80, 0x80, 0x80, 0x14, 0x40, 0x15, 0, 0, 0,
            0, 1, 0xf4, 0, 0, 1, 0xf4, 0, 5, 0x80, 0x80, 0x80, 2, 0x12, 0x08,
        ];
        let aac = aac(Reader::new(b"esds", &esds)).unwrap();
        assert_eq!((aac.object_type, aac.sample_rate, aac.channels), (2, 44_100, 1));
    }
}
