//! From an object to a response.

pub(crate) mod body;
pub(crate) mod cors;
pub(crate) mod multipart;
pub(crate) mod passing;
pub(crate) mod stream;

use std::collections::VecDeque;
use std::sync::Arc;

use http::header::{
    AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, EXPIRES, HeaderMap,
    LAST_MODIFIED, VARY,
};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use tidegate_wire::{ByteRange, Code, slice};

pub(crate) use self::body::EdgeBody;
use self::stream::{Piece, SliceStream};
use crate::cache::object::Object;
use crate::limits;
use crate::node::Node;
use crate::outcome::{CACHE_STATUS, Outcome};
use crate::refusal::Refusal;
use crate::upstream::{Ask, Failure};
use tidegate_serve::select::{self, Selection, Validators};

/// Fields a 304 carries (RFC 9110 section 15.4.5).
const NOT_MODIFIED_FIELDS: [HeaderName; 7] =
    [CACHE_CONTROL, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY, CACHE_STATUS];

/// What to do about a request for an object.
pub(crate) enum Rendered {
    /// Send this. The outcome is what the lookup said, corrected by what is cached.
    Response(Response<EdgeBody>, Outcome),
    /// Nothing has been sent, and what is known of the object is void: look it up again.
    StartOver(Failure),
}

/// A request for an object that was found.
pub(crate) struct Rendering<'a> {
    pub(crate) node: &'a Arc<Node>,
    pub(crate) object: Arc<Object>,
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) outcome: Outcome,
    pub(crate) now_s: u64,
}

impl Rendering<'_> {
    /// Renders it; `ask` is called only where something may have to be fetched.
    ///
    /// # Errors
    /// Refused conditions and ranges; bytes that cannot be had.
    pub(crate) async fn render(self, ask: impl FnOnce() -> Arc<Ask>) -> Result<Rendered, Refusal> {
        let object = self.object.clone();
        let size = object.generation.size;
        let validators =
            Validators { etag: object.etag.as_ref(), last_modified: object.last_modified.as_ref() };
        let selection = if object.is_representation() {
            select::select(self.method, self.headers, validators, size)
        } else {
            Selection::All
        };
        match selection {
            Selection::NotModified => Ok(self.done(self.not_modified())),
            Selection::PreconditionFailed => Err(Code::PreconditionFailed.into()),
            Selection::Unsatisfiable(code) => Err(Refusal::range(code, size)),
            _ if *self.method == Method::HEAD => {
                let mut response = self.response(object.status, EdgeBody::head());
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
                Ok(self.done(response))
            }
            Selection::All => self.range(object.status, ByteRange::new(0, size), ask).await,
            Selection::Part(range) => self.range(StatusCode::PARTIAL_CONTENT, range, ask).await,
            Selection::Parts(ranges) => self.parts(&ranges, ask()).await,
        }
    }

    /// One range, or all of it: at once if it lies in a few cached slices.
    async fn range(
        self,
        status: StatusCode,
        range: ByteRange,
        ask: impl FnOnce() -> Arc<Ask>,
    ) -> Result<Rendered, Refusal> {
        let content_range = (status == StatusCode::PARTIAL_CONTENT)
            .then(|| HeaderValue::from_maybe_shared(range.content_range(self.object.generation.size)).ok())
            .flatten();
        let fill_in = |mut response: Response<EdgeBody>| {
            if let Some(value) = content_range {
                response.headers_mut().insert(CONTENT_RANGE, value);
            }
            response
        };
        if let Some(parts) = self.ready(range) {
            let response = fill_in(self.response(status, EdgeBody::few(parts)));
            return Ok(self.done(response));
        }
        let outcome = self.outcome_of(&[range]);
        let pieces = VecDeque::from([Piece::Range(range)]);
        let mut stream = SliceStream::new(self.node, self.object.clone(), ask(), pieces);
        match stream.start().await {
            Ok(()) => {
                let response = fill_in(self.response(status, EdgeBody::slices(stream)));
                Ok(Rendered::Response(response, outcome))
            }
            Err(failure) => start_over(failure),
        }
    }

    /// Several ranges, as `multipart/byteranges` (RFC 9110 section 14.6).
    async fn parts(self, ranges: &[ByteRange], ask: Arc<Ask>) -> Result<Rendered, Refusal> {
        let boundary = multipart::boundary(self.node.entropy.bytes());
        let size = self.object.generation.size;
        let pieces = multipart::pieces(ranges, size, self.object.content_type.as_ref(), &boundary);
        let outcome = self.outcome_of(ranges);
        let mut stream = SliceStream::new(self.node, self.object.clone(), ask, pieces);
        if let Err(failure) = stream.start().await {
            return start_over(failure);
        }
        let mut response = self.response(StatusCode::PARTIAL_CONTENT, EdgeBody::slices(stream));
        let content_type =
            HeaderValue::from_maybe_shared(format!("multipart/byteranges; boundary={boundary}"));
        response.headers_mut().insert(CONTENT_TYPE, content_type.map_err(|_| Code::Internal)?);
        Ok(Rendered::Response(response, outcome))
    }

    /// The bytes of `range` if they lie in a few slices that are all cached.
    fn ready(&self, range: ByteRange) -> Option<VecDeque<bytes::Bytes>> {
        let generation = &self.object.generation;
        let parts = slice::parts(range, generation.slice_bytes);
        if range.len() > limits::READY_SLICES * generation.slice_bytes {
            return None;
        }
        let mut ready = VecDeque::new();
        for part in parts {
            ready.push_back(self.node.cache.slice(generation, part.index)?.part(part.offset, part.len));
        }
        Some(ready)
    }

    /// A hit is one whose every byte is cached.
    fn outcome_of(&self, ranges: &[ByteRange]) -> Outcome {
        let generation = &self.object.generation;
        let mut indexes = ranges.iter().flat_map(|range| slice::parts(*range, generation.slice_bytes));
        let scan = usize::try_from(limits::OUTCOME_SCAN_SLICES).unwrap_or(usize::MAX);
        match self.outcome {
            Outcome::Hit
                if indexes
                    .by_ref()
                    .take(scan)
                    .all(|part| self.node.cache.has_slice(generation, part.index)) =>
            {
                Outcome::Hit
            }
            Outcome::Hit => Outcome::Partial,
            other => other,
        }
    }

    fn response(&self, status: StatusCode, body: EdgeBody) -> Response<EdgeBody> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = self.object.fields.clone();
        self.age(response.headers_mut());
        response
    }

    fn not_modified(&self) -> Response<EdgeBody> {
        let mut response = Response::new(EdgeBody::none());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        for (name, value) in self.object.fields.iter().filter(|(name, _)| NOT_MODIFIED_FIELDS.contains(name))
        {
            response.headers_mut().append(name, value.clone());
        }
        self.age(response.headers_mut());
        response
    }

    fn age(&self, headers: &mut HeaderMap) {
        let age_s = self.object.freshness.age_s(self.now_s);
        if age_s > 0 {
            headers.insert(AGE, HeaderValue::from(age_s));
        } else if !headers.contains_key(AGE) {
            headers.insert(AGE, HeaderValue::from(0));
        }
    }

    fn done(&self, response: Response<EdgeBody>) -> Rendered {
        Rendered::Response(response, self.outcome)
    }
}

fn start_over(failure: Failure) -> Result<Rendered, Refusal> {
    if failure.ends_generation() { Ok(Rendered::StartOver(failure)) } else { Err(failure.into()) }
}
