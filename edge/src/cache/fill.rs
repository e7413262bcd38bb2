//! Filling slices: the request for one, the check that its answer is of the same generation (invariant 5), and the
//! copy into its region while viewers read.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, HeaderMap, IF_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderValue, Method, Request, StatusCode};
use tidegate_wire::ByteRange;
use tidegate_wire::range::ContentRange;
use tidegate_wire::slice::slice_range;

use super::Slice;
use super::flight::{Flight, FlightReader, Joined};
use super::memory::Lease;
use super::object::{Generation, Object, Validator};
use super::region::{Region, RegionWriter};
use crate::limits;
use crate::node::Node;
use crate::upstream::body::UpstreamBody;
use crate::upstream::{Ask, Exchange, Failure};

/// Where the bytes of a slice are to be had.
pub(crate) enum Source {
    /// In the cache.
    Cached(Slice),
    /// Arriving.
    Flying(FlightReader),
}

/// Finds slice `index` of `object`, or begins to fetch it. `ahead` marks a fetch nobody needs yet: it takes memory
/// only where there is some, and fails with [`Failure::Skipped`] otherwise.
pub(crate) fn source(
    node: &Arc<Node>,
    object: &Arc<Object>,
    ask: &Arc<Ask>,
    index: u64,
    ahead: bool,
) -> Source {
    let (cache, generation) = (&node.cache, &object.generation);
    if let Some(slice) = cache.slice(generation, index) {
        return Source::Cached(slice);
    }
    match cache.join(generation, index) {
        Joined::There(slice) => Source::Cached(slice),
        Joined::Flying(reader) => Source::Flying(reader),
        Joined::New(reader, flight) => {
            let fill = Fill {
                node: node.clone(),
                object: object.clone(),
                ask: ask.clone(),
                flight,
                begun: None,
                following: Vec::new(),
                ahead,
            };
            node.tasks.spawn(fill.run());
            Source::Flying(reader)
        }
    }
}

/// One fill, to be run.
pub(crate) struct Fill {
    pub(crate) node: Arc<Node>,
    pub(crate) object: Arc<Object>,
    pub(crate) ask: Arc<Ask>,
    pub(crate) flight: Arc<Flight>,
    /// An answer that is there already, and where it goes.
    pub(crate) begun: Option<(RegionWriter, Exchange)>,
    /// The fills of the slices behind it that the same answer brings: all of an object that comes only whole.
    pub(crate) following: Vec<Arc<Flight>>,
    pub(crate) ahead: bool,
}

impl Fill {
    /// Runs it to its end: landed, failed, or dropped because nobody reads it any more. An object that comes whole is
    /// at most [`limits::WHOLE_OBJECT_BYTES`] and always taken to its end: it could not be had in parts later.
    pub(crate) async fn run(mut self) {
        let begun = self.begun.take();
        let keeps_on = !self.following.is_empty();
        let ended = tokio::select! {
            ended = self.work(begun) => ended,
            () = self.node.cache.flights.abandoned(&self.flight), if !keeps_on => {
                self.node.metrics.fills_abandoned.inc();
                return;
            }
            () = self.node.stopping.cancelled() => Err(Failure::Stopping),
        };
        match ended {
            Ok(()) => self.node.metrics.fills.inc(),
            Err(failure) => self.fail(failure),
        }
    }

    fn fail(&self, failure: Failure) {
        if failure != Failure::Skipped {
            self.node.metrics.upstream_error(failure);
        }
        if failure == Failure::Changed {
            tracing::info!(object.path = %self.ask.target, slice.index = self.flight.key.index, "object.changed");
        }
        let flights = &self.node.cache.flights;
        if failure.ends_generation() || !self.following.is_empty() {
            self.node.cache.forget(&self.object);
        }
        for flight in std::iter::once(&self.flight).chain(&self.following) {
            flights.fail(flight, failure);
        }
    }

    async fn work(&self, begun: Option<(RegionWriter, Exchange)>) -> Result<(), Failure> {
        let (mut writer, mut exchange, _buffer) = match begun {
            Some((writer, exchange)) => (writer, Some(exchange), None),
            None => {
                let (writer, buffer) = self.allocate().await?;
                (writer, None, buffer)
            }
        };
        let mut attempts = 1;
        loop {
            let copied = match exchange.take() {
                Some(exchange) => self.copy(exchange, &mut writer).await,
                None => self.ask_and_copy(&mut writer).await,
            };
            match copied {
                Err(failure)
                    if failure.is_transient()
                        && attempts < limits::FILL_ATTEMPTS
                        && self.can_be_had_in_parts() =>
                {
                    attempts += 1;
                    self.node.metrics.upstream_error(failure);
                    self.node.pause_before_retry().await;
                }
                other => return other,
            }
        }
    }

    fn can_be_had_in_parts(&self) -> bool {
        self.object.ranges && self.object.generation.validator != Validator::None
    }

    /// Memory for the slice, and for what the client reads ahead of it.
    async fn allocate(&self) -> Result<(RegionWriter, Option<Lease>), Failure> {
        let cache = &self.node.cache;
        let need = self.flight.len + limits::UPSTREAM_BUFFER_BYTES;
        let mut lease = if self.ahead {
            cache.budget.try_take(need).ok_or(Failure::Skipped)?
        } else {
            cache.budget.take(need, || cache.press()).await.map_err(|_| Failure::Overloaded)?
        };
        let buffer = lease.split(limits::UPSTREAM_BUFFER_BYTES);
        Ok((Region::allocate(usize::try_from(self.flight.len).unwrap_or(usize::MAX), lease), buffer))
    }

    /// Asks for what the region lacks and copies it in.
    async fn ask_and_copy(&self, writer: &mut RegionWriter) -> Result<(), Failure> {
        let generation = &self.object.generation;
        let have = writer.region().filled() as u64;
        let slice = slice_range(self.flight.key.index, generation.slice_bytes, generation.size);
        let wanted = ByteRange::new(slice.start + have, slice.end);
        if !self.can_be_had_in_parts() {
            return Err(Failure::OnlyWhole);
        }
        let exchange = self.node.upstream.send(self.request(wanted)?).await?;
        check_part(exchange.status, &exchange.headers, generation, wanted)?;
        self.flight.arriving(writer.region());
        self.copy(exchange, writer).await
    }

    fn request(&self, wanted: ByteRange) -> Result<Request<UpstreamBody>, Failure> {
        let mut headers = self.ask.headers.clone();
        let value = HeaderValue::from_maybe_shared(wanted.request_value());
        headers.insert(RANGE, value.map_err(|_| Failure::Invalid("not a range"))?);
        match &self.object.generation.validator {
            Validator::Tag(tag) => drop(headers.insert(IF_MATCH, tag.clone())),
            Validator::Modified(date) => drop(headers.insert(IF_UNMODIFIED_SINCE, date.clone())),
            Validator::None => {}
        }
        self.node.upstream.request(Method::GET, &self.ask.target, headers, UpstreamBody::Empty)
    }

    /// Copies the answer into the region and lands the slice; then the slices that follow, if it brings them.
    async fn copy(&self, mut exchange: Exchange, writer: &mut RegionWriter) -> Result<(), Failure> {
        let mut left = pour(&mut exchange, Bytes::new(), &self.flight, writer).await?;
        self.land(&self.flight, writer);
        let cache = &self.node.cache;
        for flight in &self.following {
            let lease =
                cache.budget.take(flight.len, || cache.press()).await.map_err(|_| Failure::Overloaded)?;
            let mut writer = Region::allocate(usize::try_from(flight.len).unwrap_or(usize::MAX), lease);
            flight.arriving(writer.region());
            left = pour(&mut exchange, left, flight, &mut writer).await?;
            self.land(flight, &writer);
        }
        if !left.is_empty() {
            // The slices are what was promised, byte for byte; only the origin's framing is odd.
            tracing::debug!(object.path = %self.ask.target, "upstream.sent_more_than_asked");
        }
        Ok(())
    }

    fn land(&self, flight: &Flight, writer: &RegionWriter) {
        let region = writer.region();
        self.node.cache.land(&self.object.generation, flight, region.view(0..region.capacity()));
    }
}

/// Copies from `leftover` and then the body until the region is full; returns what was too much.
async fn pour(
    exchange: &mut Exchange,
    mut leftover: Bytes,
    flight: &Flight,
    writer: &mut RegionWriter,
) -> Result<Bytes, Failure> {
    loop {
        let taken = writer.write(&leftover);
        if taken > 0 {
            flight.progress();
        }
        if writer.region().filled() == writer.region().capacity() {
            return Ok(leftover.slice(taken..));
        }
        leftover = exchange.next().await?.ok_or(Failure::Unreachable)?;
    }
}

/// Whether an answer is the part that was asked for, of the generation that was asked for. Origins without `If-Match`
/// are caught by their validator.
fn check_part(
    status: StatusCode,
    headers: &HeaderMap,
    generation: &Generation,
    wanted: ByteRange,
) -> Result<(), Failure> {
    match status {
        StatusCode::PARTIAL_CONTENT => {}
        StatusCode::PRECONDITION_FAILED
        | StatusCode::NOT_FOUND
        | StatusCode::GONE
        | StatusCode::RANGE_NOT_SATISFIABLE
        | StatusCode::OK => return Err(Failure::Changed),
        other => return Err(Failure::Status(other)),
    }
    if !generation.validator.matches(headers) {
        return Err(Failure::Changed);
    }
    let field = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    match field.and_then(ContentRange::parse) {
        Some(ContentRange { range: Some(range), size }) if range == wanted => match size {
            Some(size) if size != generation.size => Err(Failure::Changed),
            _ => Ok(()),
        },
        _ => Err(Failure::Invalid("another range than was asked for")),
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ETAG, HeaderName};

    use super::*;

    #[test]
    fn only_the_part_of_the_generation_asked_for_is_taken() {
        let generation = Generation::new(1, 100, 10, Validator::Tag(HeaderValue::from_static("\"a\"")));
        let check = |status: u16, etag: &'static str, range: &'static str| {
            let fields = [(ETAG, etag), (CONTENT_RANGE, range)];
            let headers = fields
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value): (HeaderName, _)| (name, HeaderValue::from_static(value)))
                .collect();
            check_part(StatusCode::from_u16(status).unwrap(), &headers, &generation, ByteRange::new(20, 30))
        };
        let odd = Failure::Invalid("another range than was asked for");
        for (status, etag, range, expected) in [
            (206, "\"a\"", "bytes 20-29/100", Ok(())),
            (206, "\"a\"", "bytes 20-29/*", Ok(())),
            (206, "\"b\"", "bytes 20-29/100", Err(Failure::Changed)),
            (206, "W/\"a\"", "bytes 20-29/100", Err(Failure::Changed)),
            (206, "", "bytes 20-29/100", Err(Failure::Changed)),
            (206, "\"a\"", "bytes 20-29/101", Err(Failure::Changed)),
            (206, "\"a\"", "bytes 20-28/100", Err(odd)),
            (206, "\"a\"", "bytes 10-19/100", Err(odd)),
            (206, "\"a\"", "", Err(odd)),
            (200, "\"a\"", "", Err(Failure::Changed)),
            (404, "", "", Err(Failure::Changed)),
            (410, "", "", Err(Failure::Changed)),
            (412, "", "", Err(Failure::Changed)),
            (416, "", "bytes */5", Err(Failure::Changed)),
            (503, "", "", Err(Failure::Status(StatusCode::SERVICE_UNAVAILABLE))),
            (403, "", "", Err(Failure::Status(StatusCode::FORBIDDEN))),
        ] {
            assert_eq!(check(status, etag, range), expected, "{status} {etag} {range}");
        }
    }
}
