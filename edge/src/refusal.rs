//! A request that is answered with a problem.

use http::header::{ALLOW, CONTENT_RANGE};
use http::{HeaderName, HeaderValue, Response};
use tidegate_serve::problem;
use tidegate_wire::{Code, Problem};

use crate::outcome::Outcome;
use crate::response::EdgeBody;
use crate::upstream::Failure;

/// Why a request gets no bytes.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Problem,
    pub(crate) outcome: Outcome,
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal with `problem`.
    pub(crate) fn new(problem: Problem, outcome: Outcome) -> Self {
        Self { problem, outcome, fields: Vec::new() }
    }

    /// Adds header fields; one without a value is left out.
    pub(crate) fn with_fields<const N: usize>(
        mut self,
        fields: [(&'static str, Option<HeaderValue>); N],
    ) -> Self {
        let fields =
            fields.into_iter().filter_map(|(name, value)| Some((HeaderName::from_static(name), value?)));
        self.fields.extend(fields);
        self
    }

    /// A range that cannot be given of an object of `size` bytes.
    pub(crate) fn range(code: Code, size: u64) -> Self {
        let value =
            HeaderValue::from_maybe_shared(tidegate_wire::range::unsatisfied_content_range(size)).ok();
        let mut refusal = Self::from(code);
        refusal.fields.extend(value.map(|value| (CONTENT_RANGE, value)));
        refusal
    }

    /// The response.
    pub(crate) fn into_response(self) -> Response<EdgeBody> {
        let mut response = problem::response(&self.problem).map(EdgeBody::own);
        if self.problem.code == Code::MethodNotAllowed {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
        }
        response.headers_mut().extend(self.fields);
        response
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code.into(), Outcome::Refused(code))
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::new(failure.problem(), Outcome::Failed(failure.code()))
    }
}
