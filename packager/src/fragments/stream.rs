//! From pieces of bytes to whole top-level boxes.

use std::mem;

use bytes::{Buf, Bytes, BytesMut};

use super::error::{BoxKind, Error};
use crate::limits;

/// A top-level box that matters; everything else (`ftyp`, `styp`, `sidx`, `free`, `mfra`, …) is passed over.
pub(super) enum Piece {
    /// The body.
    Moov(Bytes),
    /// The body, and how long the box was with its header.
    Moof(Bytes, u64),
    /// The body in slices, and how long the header was.
    Mdat(Slices, u64),
}

/// Bytes in order, as few copies as is sensible.
#[derive(Default)]
pub(super) struct Slices {
    whole: Vec<Bytes>,
    tail: BytesMut,
}

impl Slices {
    /// Small pieces are copied together: a slice costs its bookkeeping, and keeps the buffer it was cut from.
    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.len() < limits::MIN_SLICE_BYTES {
            self.tail.extend_from_slice(&piece);
        } else {
            self.end_tail();
            self.whole.push(piece);
        }
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.whole.push(mem::take(&mut self.tail).freeze());
        }
    }

    pub(super) fn into_vec(mut self) -> Vec<Bytes> {
        self.end_tail();
        self.whole
    }
}

enum State {
    Header(Vec<u8>),
    Skip { left: u64 },
    Small { kind: [u8; 4], size: u64, left: u64, body: BytesMut },
    Data { header: u64, left: u64, body: Slices },
}

/// Finds the boxes in a stream.
pub(super) struct Boxes {
    state: State,
    touched: bool,
}

impl Boxes {
    pub(super) fn new() -> Self {
        Self { state: State::Header(Vec::new()), touched: false }
    }

    /// Takes what is needed for the next box off `input`; `None` once `input` is empty and no box is whole.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, Error> {
        loop {
            self.touched |= !input.is_empty();
            match &mut self.state {
                State::Header(header) => match read_header(header, input)? {
                    Some(next) => self.state = next,
                    None => return Ok(None),
                },
                State::Skip { left } => {
                    *left -= take(input, *left).len() as u64;
                    if *left > 0 {
                        return Ok(None);
                    }
                }
                State::Small { left, body, .. } => {
                    let piece = take(input, *left);
                    *left -= piece.len() as u64;
                    body.extend_from_slice(&piece);
                    if *left > 0 {
                        return Ok(None);
                    }
                }
                State::Data { left, body, .. } => {
                    let piece = take(input, *left);
                    *left -= piece.len() as u64;
                    body.push(piece);
                    if *left > 0 {
                        return Ok(None);
                    }
                }
            }
            // Whatever is whole now makes room for the next header.
            match mem::replace(&mut self.state, State::Header(Vec::new())) {
                State::Small { kind, size, left: 0, body } => {
                    let body = body.freeze();
                    return Ok(Some(if kind == *b"moov" {
                        Piece::Moov(body)
                    } else {
                        Piece::Moof(body, size)
                    }));
                }
                State::Data { header, left: 0, body } => return Ok(Some(Piece::Mdat(body, header))),
                State::Skip { left: 0 } => {}
                unfinished => self.state = unfinished,
            }
        }
    }

    /// Whether any byte came at all.
    pub(super) fn touched(&self) -> bool {
        self.touched
    }

    /// Says whether the stream may end here.
    pub(super) fn finish(&self) -> Result<(), Error> {
        match &self.state {
            State::Header(header) if header.is_empty() => Ok(()),
            State::Header(_) => Err(Error::Truncated("the header of a box")),
            State::Skip { .. } => Err(Error::Truncated("a box")),
            State::Small { .. } => Err(Error::Truncated("the description of samples")),
            State::Data { .. } => Err(Error::Truncated("the samples of a fragment")),
        }
    }
}

/// Up to `most` bytes from the front.
fn take(input: &mut Bytes, most: u64) -> Bytes {
    let count = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
    input.split_to(count)
}

/// Adds to a header what is there; the state for its body once it is whole.
fn read_header(header: &mut Vec<u8>, input: &mut Bytes) -> Result<Option<State>, Error> {
    let mut wanted = 8;
    loop {
        let count = (wanted - header.len().min(wanted)).min(input.len());
        header.extend_from_slice(&input[..count]);
        input.advance(count);
        if header.len() < wanted {
            return Ok(None);
        }
        if wanted == 8 && header[..4] == [0, 0, 0, 1] {
            wanted = 16;
        } else {
            break;
        }
    }
    let mut fields = header.as_slice();
    let (short, kind) = (fields.get_u32(), fields.get_u32().to_be_bytes());
    let (size, length) = if wanted == 16 { (fields.get_u64(), 16) } else { (u64::from(short), 8) };
    let kind_of_box = BoxKind(kind);
    let Some(left) = size.checked_sub(length) else {
        return Err(Error::Malformed { kind: kind_of_box, why: "it has no size of its own" });
    };
    let within =
        |what, limit| if left > limit { Err(Error::TooLarge { what, size: left, limit }) } else { Ok(()) };
    Ok(Some(match &kind {
        b"moov" | b"moof" => {
            match &kind {
                b"moov" => within("box `moov`", limits::MAX_MOOV_BYTES)?,
                _ => within("box `moof`", limits::MAX_MOOF_BYTES)?,
            }
            State::Small { kind, size, left, body: BytesMut::new() }
        }
        b"mdat" => {
            within("box `mdat`", limits::MAX_MDAT_BYTES)?;
            State::Data { header: length, left, body: Slices::default() }
        }
        _ => State::Skip { left },
    }))
}
