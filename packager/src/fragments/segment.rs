//! A segment from the fragments that go into it.

use bytes::Bytes;
use tidegate_wire::track::{self, SyncSample};

use super::Segment;
use super::boxes::put_box;
use super::error::Error;
use super::moof::{self, Sample};

/// What becomes one `moof` and `mdat`.
pub(super) struct Chunk {
    /// On the track's decode timeline.
    pub(super) decode_time: u64,
    pub(super) samples: Vec<Sample>,
    pub(super) data: Vec<Bytes>,
}

impl Chunk {
    pub(super) fn duration(&self) -> u64 {
        self.samples.iter().map(|sample| u64::from(sample.duration)).sum()
    }
}

/// Which segment of its track this is, and how many fragments the usual one has.
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) fragments: u64,
    /// Ticks by which the presentation is before the decode timeline.
    pub(super) edit_start: u64,
}

/// Writes a segment.
pub(super) fn write(place: &Place, chunks: Vec<Chunk>, list_sync: bool) -> Result<Segment, Error> {
    let mut head = Vec::new();
    put_box(&mut head, b"styp", |out| out.extend_from_slice(b"msdh\0\0\0\0msdhcmfs"));
    let mut entry = track::Segment { start_ticks: 0, duration_ticks: 0, size_bytes: 0, sync: Vec::new() };
    let (mut bytes, mut size_bytes) = (Vec::new(), 0);
    let first = chunks.first().map_or(0, |chunk| chunk.decode_time);
    let mut end = first;
    for (chunk, index) in chunks.into_iter().zip(0..) {
        let sequence =
            place.number.checked_mul(place.fragments).and_then(|before| before.checked_add(index + 1));
        let sequence = sequence.and_then(|sequence| u32::try_from(sequence).ok());
        let sequence = sequence.ok_or(Error::Unsupported("a track of so many fragments"))?;
        let header = moof::write(sequence, chunk.decode_time, &chunk.samples);
        if list_sync {
            let first = chunk.samples.first().map_or(0, |sample| u64::from(sample.size));
            entry.sync.push(SyncSample {
                offset_bytes: size_bytes + head.len() as u64,
                size_bytes: header.len() as u64 + first,
                duration_ticks: chunk.duration(),
            });
        }
        end = chunk.decode_time + chunk.duration();
        head.extend_from_slice(&header);
        size_bytes += head.len() as u64 + chunk.data.iter().map(|piece| piece.len() as u64).sum::<u64>();
        bytes.push(std::mem::take(&mut head).into());
        bytes.extend(chunk.data);
    }
    entry.size_bytes = size_bytes;
    entry.start_ticks = first.saturating_sub(place.edit_start);
    entry.duration_ticks = end.saturating_sub(place.edit_start) - entry.start_ticks;
    Ok(Segment { number: place.number, bytes, entry })
}
