//! Errors as handlers return them: a problem for the client, a cause for the log.

use std::error::Error;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use tidegate_wire::grant::GrantError;
use tidegate_wire::problem::Severity;
use tidegate_wire::{Code, Problem};

use crate::accounts::password::PasswordError;
use crate::catalog::CatalogError;
use crate::coord::CoordError;
use crate::grants::KeysError;
use crate::limits;
use crate::rates::Standing;

/// What went wrong. The client sees the problem; the cause is logged once, where the answer is made.
#[derive(Debug)]
pub struct ApiError {
    problem: Problem,
    cause: Option<Box<dyn Error + Send + Sync>>,
    /// How the allowance stands that the request was counted in.
    standing: Option<Standing>,
}

impl ApiError {
    /// Something failed here that the client can do nothing about.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { problem: Code::Internal.into(), cause: Some(cause.into()), standing: None }
    }

    /// A part that is needed is away for the moment.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let problem = Problem::from(Code::Unavailable).retry_after(limits::UNAVAILABLE_RETRY_S);
        Self { problem, cause: Some(cause.into()), standing: None }
    }

    /// A field of the request that is not allowed, and why.
    pub fn field(detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Problem::from(Code::InvalidField).detail(detail).into()
    }

    /// Someone asked too often.
    pub fn too_often(code: Code, standing: Standing) -> Self {
        let problem = Problem::from(code).retry_after(standing.reset_s);
        Self { problem, cause: None, standing: Some(standing) }
    }

    /// Tells how the allowance stands, too.
    #[must_use]
    pub fn with_standing(self, standing: Option<Standing>) -> Self {
        Self { standing, ..self }
    }

    /// What the client will see.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self { problem, cause: None, standing: None }
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Problem::from(code).into()
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        if error.is_unavailable() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl From<CoordError> for ApiError {
    fn from(error: CoordError) -> Self {
        Self::unavailable(error)
    }
}

impl From<KeysError> for ApiError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Catalog(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

impl From<GrantError> for ApiError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Expired => Code::GrantExpired,
            GrantError::OutsidePrefix => Code::GrantMismatch,
            GrantError::Malformed | GrantError::UnknownKey | GrantError::BadSignature => Code::GrantInvalid,
        }
        .into()
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Overloaded => {
                Problem::from(Code::Overloaded).retry_after(limits::OVERLOADED_RETRY_S).into()
            }
            error => Self::internal(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = self.problem.code.as_str();
        match (self.problem.code.severity(), self.cause.as_deref()) {
            (Severity::Server, Some(cause)) => {
                tracing::error!(problem.code = code, error = cause as &dyn Error, "request.failed");
            }
            // Whoever asks too often is not to fill the log too.
            (Severity::Server, None) if self.problem.code == Code::UploadsRateLimited => {}
            (Severity::Server, None) => tracing::warn!(problem.code = code, "request.refused"),
            // The client's own doing: the response is enough.
            (Severity::Client, _) => {}
        }
        let mut response = tidegate_serve::problem::response(&self.problem).map(Body::new);
        if let Some(standing) = self.standing {
            standing.put(response.headers_mut());
        }
        response
    }
}
