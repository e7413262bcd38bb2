//! What a good answer teaches: the object it is of, and where its body lies in it. The body becomes the first fill.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE};
use tidegate_wire::range::ContentRange;
use tidegate_wire::slice::slice_range;
use tokio::time::{Instant, timeout_at};

use super::{Job, Learned};
use crate::cache::NoStoreReason;
use crate::cache::fill::Fill;
use crate::cache::flight::Joined;
use crate::cache::freshness::{self, Freshness, Times};
use crate::cache::memory::Lease;
use crate::cache::object::{Object, Validator};
use crate::cache::opening::{First, Verdict};
use crate::cache::region::Region;
use crate::limits;
use crate::upstream::{Exchange, Failure};

impl Job {
    /// A HEAD says as much of an object as a GET, as long as slices of it can be asked for by a strong validator.
    pub(super) fn learn_from_head(
        &self,
        exchange: &Exchange,
        times: Times,
    ) -> Result<Learned, NoStoreReason> {
        let headers = &exchange.headers;
        let ranges =
            headers.get(ACCEPT_RANGES).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"bytes"));
        let validator = Validator::of(headers);
        let freshness = freshness::judge(exchange.status, headers, self.ask.is_authorized(), times)?;
        if exchange.status != StatusCode::OK {
            return Err(NoStoreReason::Status);
        }
        if !ranges || validator == Validator::None {
            return Err(NoStoreReason::NoValidator);
        }
        let size = exchange.content_length().ok_or(NoStoreReason::Length)?;
        let object = self.object(exchange, size, validator, freshness, true)?;
        self.keep(&object);
        Ok(Learned::object(object, self.fetched()))
    }

    pub(super) async fn learn_from_get(
        &self,
        mut exchange: Exchange,
        mut lease: Lease,
        times: Times,
        first: First,
    ) -> Learned {
        let judged = freshness::judge(exchange.status, &exchange.headers, self.ask.is_authorized(), times);
        let freshness = match judged {
            Ok(freshness) => freshness,
            Err(reason) => return self.pass(reason, Bytes::new(), exchange, first),
        };
        let validator = Validator::of(&exchange.headers);
        let slice_bytes = self.node.cache.slice_bytes;
        let placed = match (exchange.status, first) {
            (StatusCode::PARTIAL_CONTENT, First::Slice(index)) => place(&exchange, index, slice_bytes),
            (StatusCode::PARTIAL_CONTENT, _) => Err(NoStoreReason::Range),
            _ => Ok(Placed { index: 0, size: exchange.content_length(), ranges: false }),
        };
        let Placed { index, size, ranges } = match placed {
            Ok(placed) => placed,
            Err(reason) => return self.pass(reason, Bytes::new(), exchange, first),
        };
        let Some(size) = size else {
            return match self.read_unsized(&mut exchange, slice_bytes).await {
                Ok(Whole(bytes)) => self.learn_small(&exchange, &bytes, lease, validator, freshness),
                Err(prefix) => self.pass(NoStoreReason::Length, prefix, exchange, first),
            };
        };
        if let Err(reason) = self.can_be_kept_in_slices(size, ranges, &validator) {
            return self.pass(reason, Bytes::new(), exchange, first);
        }
        let object = match self.object(&exchange, size, validator, freshness, ranges) {
            Ok(object) => object,
            Err(reason) => return self.pass(reason, Bytes::new(), exchange, first),
        };
        lease.shrink_to(object.generation.slice_len(index));
        self.begin_fill(object, index, exchange, lease)
    }

    /// An object of several slices must be one whose slices can be told to belong together, or come whole and be small.
    fn can_be_kept_in_slices(
        &self,
        size: u64,
        ranges: bool,
        validator: &Validator,
    ) -> Result<(), NoStoreReason> {
        let whole = limits::WHOLE_OBJECT_BYTES.min(self.node.cache.budget.limit() / 4);
        if size <= self.node.cache.slice_bytes {
            Ok(())
        } else if ranges && *validator == Validator::None {
            Err(NoStoreReason::NoValidator)
        } else if !ranges && size > whole {
            Err(NoStoreReason::Length)
        } else {
            Ok(())
        }
    }

    /// Keeps the object and makes a fill of the answer's body.
    fn begin_fill(&self, object: Arc<Object>, index: u64, exchange: Exchange, lease: Lease) -> Learned {
        let len = object.generation.slice_len(index);
        if len == 0 {
            self.keep(&object);
            return Learned::object(object, self.fetched());
        }
        // The generation is new, so nobody can have begun this fill.
        let Joined::New(reader, flight) = self.node.cache.join(&object.generation, index) else {
            return Learned::only(Verdict::Failed(Failure::Invalid("a new generation that is not new")));
        };
        let writer = Region::allocate(usize::try_from(len).unwrap_or(usize::MAX), lease);
        flight.arriving(writer.region());
        let mut following = Vec::new();
        if !object.ranges {
            // The same answer brings them all, and no other can: whoever wants a later one waits for this.
            let rest =
                (1..object.generation.slices()).map(|index| self.node.cache.join(&object.generation, index));
            following.extend(rest.filter_map(|joined| match joined {
                Joined::New(_, flight) => Some(flight),
                Joined::There(_) | Joined::Flying(_) => None,
            }));
        }
        let fill = Fill {
            node: self.node.clone(),
            object: object.clone(),
            ask: self.ask.clone(),
            flight,
            begun: Some((writer, exchange)),
            following,
            ahead: false,
        };
        self.keep(&object);
        let verdict =
            Verdict::Object { object, outcome: self.fetched(), _first_fill: Some(Arc::new(reader)) };
        Learned { verdict, relay: None, fill: Some(fill) }
    }

    /// An answer without a length that turned out small.
    fn learn_small(
        &self,
        exchange: &Exchange,
        bytes: &Bytes,
        mut lease: Lease,
        validator: Validator,
        freshness: Freshness,
    ) -> Learned {
        let size = bytes.len() as u64;
        let Ok(object) = self.object(exchange, size, validator, freshness, false) else {
            return Learned::only(Verdict::Again);
        };
        if size > 0 {
            let Joined::New(_, flight) = self.node.cache.join(&object.generation, 0) else {
                return Learned::only(Verdict::Failed(Failure::Invalid("a new generation that is not new")));
            };
            lease.shrink_to(size);
            let mut writer = Region::allocate(bytes.len(), lease);
            writer.write(bytes);
            flight.arriving(writer.region());
            self.keep(&object);
            self.node.cache.land(&object.generation, &flight, writer.region().view(0..bytes.len()));
        } else {
            self.keep(&object);
        }
        Learned::object(object, self.fetched())
    }

    /// Reads a body whose length is not known, if it ends within a slice and soon; else returns what has come.
    async fn read_unsized(&self, exchange: &mut Exchange, cap: u64) -> Result<Whole, Bytes> {
        let deadline = Instant::now() + limits::UNSIZED_PATIENCE;
        let mut bytes = Vec::new();
        loop {
            match timeout_at(deadline, exchange.next()).await {
                Ok(Ok(Some(piece))) => bytes.extend_from_slice(&piece),
                Ok(Ok(None)) => return Ok(Whole(bytes.into())),
                // The viewer who gets the rest will see the failure where the stream breaks.
                Ok(Err(_)) | Err(_) => return Err(bytes.into()),
            }
            if bytes.len() as u64 > cap {
                return Err(bytes.into());
            }
        }
    }
}

/// A body that ended.
struct Whole(Bytes);

/// Where an answer's body lies in its object.
struct Placed {
    index: u64,
    size: Option<u64>,
    ranges: bool,
}

/// Checks that a 206 is the slice that was asked for.
fn place(exchange: &Exchange, index: u64, slice_bytes: u64) -> Result<Placed, NoStoreReason> {
    let field = exchange.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let ContentRange { range: Some(range), size: Some(size) } =
        field.and_then(ContentRange::parse).ok_or(NoStoreReason::Range)?
    else {
        return Err(NoStoreReason::Range);
    };
    if range != slice_range(index, slice_bytes, size) {
        return Err(NoStoreReason::Range);
    }
    Ok(Placed { index, size: Some(size), ranges: true })
}
