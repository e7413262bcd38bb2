//! What a request passes before the cache is asked: its route, its client's rate, its grant.

pub(crate) mod rate;
pub(crate) mod route;

use std::net::IpAddr;

use http::HeaderMap;
use tidegate_serve::client;
use tidegate_wire::grant::GrantError;
use tidegate_wire::{Code, Problem};

use crate::cache::object::Visibility;
use crate::fleet::Fleet;
use crate::node::Node;
use crate::outcome::Outcome;
use crate::refusal::Refusal;

/// Counts the request against its client's rate.
///
/// # Errors
/// 429 with `Retry-After` and the `RateLimit` fields.
pub(crate) fn admit(node: &Node, peer: IpAddr, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(rate) = &node.rate else { return Ok(()) };
    let client = client::address(peer, headers, &node.trusted_proxies);
    rate.check(client).map_err(|too_fast| {
        node.metrics.rate_limited.inc();
        let problem = Problem::from(Code::RateLimited).retry_after(too_fast.seconds());
        Refusal::new(problem, Outcome::Refused(Code::RateLimited)).with_fields(rate.fields(too_fast))
    })
}

/// A grant's standing: checked and right, or not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granted {
    Yes,
    No,
}

/// Checks the grant in front of `target`. A grant that is there must be right, also where none is needed. It is checked
/// when a request begins: one that expires later does not cut a response short.
///
/// # Errors
/// 403 with the code that says why.
pub(crate) async fn grant(
    fleet: &Fleet,
    grant: Option<&str>,
    target: &str,
    now_s: u64,
) -> Result<Granted, Refusal> {
    let Some(text) = grant else { return Ok(Granted::No) };
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    match fleet.keys.check(text, path, now_s).await {
        Ok(()) => Ok(Granted::Yes),
        Err(GrantError::Expired) => Err(Code::GrantExpired.into()),
        Err(GrantError::OutsidePrefix) => Err(Code::GrantMismatch.into()),
        Err(GrantError::Malformed | GrantError::UnknownKey | GrantError::BadSignature) => {
            Err(Code::GrantInvalid.into())
        }
    }
}

/// Lets a viewer see an object, or not (invariant 9).
///
/// # Errors
/// 403 when it is private and no grant was shown.
pub(crate) fn may_see(visibility: Visibility, granted: Granted) -> Result<(), Refusal> {
    match (visibility, granted) {
        (Visibility::Open, _) | (Visibility::Private, Granted::Yes) => Ok(()),
        (Visibility::Private, Granted::No) => Err(Code::GrantRequired.into()),
    }
}
