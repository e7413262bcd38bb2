//! A response over slices, some of which may still have to be fetched. The slices right behind the reader's place are
//! fetched ahead, within what the reader asked for.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tidegate_wire::ByteRange;

use super::body::Came;
use crate::cache::fill::{Source, source};
use crate::cache::flight::FlightReader;
use crate::cache::object::Object;
use crate::limits;
use crate::node::Node;
use crate::upstream::{Ask, Failure};

/// A part of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Framing between ranges.
    Text(Bytes),
    /// Bytes of the object.
    Range(ByteRange),
}

/// The response, from its next byte on.
pub(crate) struct SliceStream {
    node: Arc<Node>,
    object: Arc<Object>,
    ask: Arc<Ask>,
    pieces: VecDeque<Piece>,
    /// What is left of the range being sent.
    range: ByteRange,
    /// The slice the range began in.
    first_index: u64,
    /// The fill the next byte comes from, when it is not cached.
    flying: Option<FlightReader>,
    /// Fills ahead of the reader; holding them keeps them going.
    ahead: VecDeque<FlightReader>,
    /// Slices below this have been looked after by the read-ahead.
    ahead_until: u64,
}

impl SliceStream {
    /// A response of `pieces`.
    pub(crate) fn new(node: &Arc<Node>, object: Arc<Object>, ask: Arc<Ask>, pieces: VecDeque<Piece>) -> Self {
        let mut stream = Self {
            node: node.clone(),
            object,
            ask,
            pieces,
            range: ByteRange::new(0, 0),
            first_index: 0,
            flying: None,
            ahead: VecDeque::new(),
            ahead_until: 0,
        };
        // Nothing is waited for before a range; the text in front of one stays where it is.
        if let Some(Piece::Range(range)) = stream.pieces.front().cloned() {
            stream.pieces.pop_front();
            stream.begin(range);
        }
        stream
    }

    /// Bytes it will send.
    pub(crate) fn len(&self) -> u64 {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.len() as u64,
            Piece::Range(range) => range.len(),
        };
        self.range.len() + self.pieces.iter().map(piece).sum::<u64>()
    }

    /// Waits until the first byte of the object is there or on its way: until then the head can still say that it is
    /// not to be had.
    ///
    /// # Errors
    /// Why it is not to be had.
    pub(crate) async fn start(&mut self) -> Result<(), Failure> {
        let first = match self.pieces.iter().find_map(|piece| match piece {
            Piece::Range(range) => Some(range.start),
            Piece::Text(_) => None,
        }) {
            _ if !self.range.is_empty() => self.range.start,
            Some(start) => start,
            None => return Ok(()),
        };
        let index = first / self.object.generation.slice_bytes;
        loop {
            match source(&self.node, &self.object, &self.ask, index, false) {
                Source::Cached(_) => return Ok(()),
                Source::Flying(mut reader) => match poll_fn(|cx| reader.poll_started(cx)).await {
                    Ok(()) => {
                        self.flying = Some(reader);
                        return Ok(());
                    }
                    Err(Failure::Skipped) => {}
                    Err(failure) => return Err(failure),
                },
            }
        }
    }

    /// The next bytes and where they came from; `None` at the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(Bytes, Came), Failure>>> {
        loop {
            if self.range.is_empty() {
                match self.pieces.pop_front() {
                    None => return Poll::Ready(None),
                    Some(Piece::Text(text)) => return Poll::Ready(Some(Ok((text, Came::FromCache)))),
                    Some(Piece::Range(range)) => self.begin(range),
                }
                continue;
            }
            let (index, offset, end) = self.place();
            match self.flying.take().filter(|reader| reader.index() == index) {
                None => match self.find(index) {
                    Source::Cached(slice) => {
                        let bytes = slice.part(offset, end - offset);
                        return Poll::Ready(Some(self.advance(bytes, Came::FromCache)));
                    }
                    Source::Flying(reader) => self.flying = Some(reader),
                },
                Some(mut reader) => {
                    let read = reader.poll_read(offset, end, cx);
                    if read.is_pending() {
                        self.flying = Some(reader);
                        return Poll::Pending;
                    }
                    match ready!(read) {
                        Ok(bytes) => {
                            self.flying = Some(reader);
                            return Poll::Ready(Some(self.advance(bytes, Came::FromOrigin)));
                        }
                        // Fetched ahead, and there was no room; now it is needed.
                        Err(Failure::Skipped) => {}
                        Err(failure) => return Poll::Ready(Some(Err(failure))),
                    }
                }
            }
        }
    }

    fn begin(&mut self, range: ByteRange) {
        self.range = range;
        self.first_index = range.start / self.object.generation.slice_bytes;
        self.ahead_until = self.first_index + 1;
        self.ahead.clear();
    }

    /// The slice the next byte lies in, and from where to where the range goes in it.
    fn place(&self) -> (u64, u64, u64) {
        let size = self.object.generation.slice_bytes;
        let index = self.range.start / size;
        let offset = self.range.start % size;
        (index, offset, size.min(offset + self.range.len()))
    }

    /// Slice `index`, from the fills ahead if it is among them.
    fn find(&mut self, index: u64) -> Source {
        while let Some(reader) = self.ahead.pop_front() {
            if reader.index() == index {
                return Source::Flying(reader);
            }
        }
        source(&self.node, &self.object, &self.ask, index, false)
    }

    fn advance(&mut self, bytes: Bytes, came: Came) -> Result<(Bytes, Came), Failure> {
        if bytes.is_empty() {
            // A slice shorter than its generation says: never send less than was promised.
            return Err(Failure::Invalid("a slice is too short"));
        }
        self.range.start += bytes.len() as u64;
        self.read_ahead();
        Ok((bytes, came))
    }

    /// Begins the fills of the next slices once the reader has shown that it goes on: past the middle of the first
    /// slice, or in a later one. A viewer that asks for everything and leaves costs one slice.
    fn read_ahead(&mut self) {
        let size = self.object.generation.slice_bytes;
        let index = self.range.start / size;
        if self.range.is_empty() || (index == self.first_index && self.range.start % size < size / 2) {
            return;
        }
        let last = (self.range.end - 1) / size;
        let until = (index + limits::READ_AHEAD_SLICES).min(last);
        for next in self.ahead_until.max(index)..=until {
            self.ahead_until = next + 1;
            if self.node.cache.has_slice(&self.object.generation, next) {
                continue;
            }
            if let Source::Flying(reader) = source(&self.node, &self.object, &self.ask, next, true) {
                self.ahead.push_back(reader);
            }
        }
    }
}
