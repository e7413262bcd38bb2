//! Reading and writing the boxes of ISO/IEC 14496-12.
//!
//! Own code, and not `mp4-atom`: what is needed is a dozen boxes. That crate decodes a `moof` into owned lists and
//! a `moov` into a tree that it writes back differently, skips what it does not know with a line in the log, and
//! brings the `num` family with it.

use super::error::{BoxKind, Error};

/// Takes fields off the front of a box's body.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    kind: BoxKind,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(kind: &[u8; 4], rest: &'a [u8]) -> Self {
        Self { kind: BoxKind(*kind), rest }
    }

    pub(super) fn kind(&self) -> BoxKind {
        self.kind
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn malformed(&self, why: &'static str) -> Error {
        Error::Malformed { kind: self.kind, why }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(self.malformed("it is too short"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(self.malformed("it is too short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// The version and flags of a full box.
    pub(super) fn full(&mut self) -> Result<(u8, u32), Error> {
        let word = self.u32()?;
        Ok((word.to_be_bytes()[0], word & 0x00ff_ffff))
    }

    /// The next child box; `None` at the end.
    pub(super) fn child(&mut self) -> Result<Option<Reader<'a>>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let size = self.u32()?;
        let kind = self.array::<4>()?;
        let (size, header) = match size {
            1 => (self.u64()?, 16),
            size => (u64::from(size), 8),
        };
        let body = size.checked_sub(header).and_then(|body| usize::try_from(body).ok());
        let body = body.ok_or(self.malformed("a box in it has an impossible size"))?;
        Ok(Some(Reader { kind: BoxKind(kind), rest: self.take(body)? }))
    }

    /// The only child of this kind; an error where there is none or more than one.
    pub(super) fn only(self, kind: &[u8; 4], none: &'static str) -> Result<Reader<'a>, Error> {
        self.find(kind)?.ok_or(self.malformed(none))
    }

    /// The child of this kind, of which there may be one.
    pub(super) fn find(self, kind: &[u8; 4]) -> Result<Option<Reader<'a>>, Error> {
        let (mut rest, mut found) = (self, None);
        while let Some(child) = rest.child()? {
            if child.kind.0 == *kind && found.replace(child).is_some() {
                return Err(child.malformed("there is more than one"));
            }
        }
        Ok(found)
    }
}

/// Appends a box whose body `fill` writes.
pub(super) fn put_box(out: &mut Vec<u8>, kind: &[u8; 4], fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(kind);
    fill(out);
    // What is written with this is bounded by the limits on what was read, far below 4 GiB.
    let size = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends a full box.
pub(super) fn put_full(
    out: &mut Vec<u8>,
    kind: &[u8; 4],
    version: u8,
    flags: u32,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    put_box(out, kind, |out| {
        put_u32(out, u32::from(version) << 24 | flags);
        fill(out);
    });
}

pub(super) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_words(out: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| put_u32(out, *word));
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}
