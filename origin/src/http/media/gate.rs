//! Who may read, and what copies they may keep.

use http::request::Parts;
use tidegate_wire::Code;

use crate::access::{Operation, Verdict};
use crate::app::App;
use crate::catalog::{Asset, Visibility};
use crate::http::auth::{identify, is_fleet};
use crate::http::error::ApiError;
use crate::limits;

/// Whatever the bytes are, as a document they may run and load nothing (Content-Security-Policy).
pub(super) const AS_A_DOCUMENT: &str =
    "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

/// On what ground the bytes are read; it decides who may keep a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// An edge, which asks its viewers for grants itself.
    Fleet,
    /// Anyone.
    Everyone,
    /// The owner, or the holder of a grant.
    Permitted,
}

impl Reader {
    /// `Cache-Control` of bytes that never change: whoever may keep them may do so for ever; a purge ends it where
    /// that reaches.
    pub(super) const fn keeps_for_ever(self) -> &'static str {
        match self {
            Self::Fleet => "public, max-age=31536000, immutable",
            // A copy in a browser or in someone's proxy is out of a purge's reach: it is to be asked about soon.
            Self::Everyone => "public, max-age=60",
            Self::Permitted => "private, no-cache",
        }
    }

    /// `Cache-Control` of what grows: players ask for it every few seconds, and one segment late is not late.
    pub(super) fn keeps_a_moment(self) -> String {
        match self {
            Self::Fleet | Self::Everyone => {
                format!("public, max-age=1, stale-while-revalidate={}", limits::GROWING_STALE_S)
            }
            Self::Permitted => "private, no-cache".to_owned(),
        }
    }
}

/// On what ground `path`, which is the asset's, may be read.
///
/// # Errors
/// `grant_required`, or what is wrong with the grant.
pub(super) async fn authorise(
    app: &App,
    parts: &Parts,
    asset: &Asset,
    path: &str,
    grant: Option<&str>,
) -> Result<Reader, ApiError> {
    if is_fleet(app, &parts.headers) {
        return Ok(Reader::Fleet);
    }
    if let Some(grant) = grant {
        app.grants.verify(grant, path).await?;
        return Ok(Reader::Permitted);
    }
    if asset.visibility != Visibility::Private {
        return Ok(Reader::Everyone);
    }
    if is_owner(app, parts, asset).await? { Ok(Reader::Permitted) } else { Err(Code::GrantRequired.into()) }
}

/// Whether the request comes with the owner's token or session.
pub(super) async fn is_owner(app: &App, parts: &Parts, asset: &Asset) -> Result<bool, ApiError> {
    let caller = identify(app, parts).await?;
    let verdict = caller.map(|caller| caller.verdict(Operation::ReadPrivateBytes, asset.owner.as_ref()));
    Ok(verdict == Some(Verdict::Allowed))
}
