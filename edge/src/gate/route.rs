//! What a request is for, from its method and target alone.

use http::{Method, Uri};
use tidegate_wire::{Code, grant};

use crate::config::Forward;
use crate::limits;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `/healthz`.
    Health,
    /// A browser asking whether a page of another site may read media.
    Preflight,
    /// An object that may be cached: its path with query, and the grant that stood in front of it.
    Object {
        /// Path and query, without the grant.
        target: &'a str,
        /// The grant's text.
        grant: Option<&'a str>,
    },
    /// To be passed on as it is.
    Pass,
}

/// Decides what `method` on `uri` is for.
///
/// # Errors
/// The code it is refused with.
pub(crate) fn route<'a>(method: &Method, uri: &'a Uri, forward: Forward) -> Result<Route<'a>, Code> {
    let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if target.len() > limits::MAX_TARGET_BYTES {
        return Err(Code::UriTooLong);
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if target == "/healthz" && reads {
        return Ok(Route::Health);
    }
    match forward {
        Forward::All if *method == Method::CONNECT || !target.starts_with('/') => Err(Code::BadRequest),
        Forward::All if reads => Ok(Route::Object { target, grant: None }),
        Forward::All => Ok(Route::Pass),
        Forward::ReadOnly => media(method, target, reads),
    }
}

fn media<'a>(method: &Method, target: &'a str, reads: bool) -> Result<Route<'a>, Code> {
    let (grant, target) = match grant::split_path(target) {
        Some((grant, rest)) => (Some(grant), rest),
        None => (None, target),
    };
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if !path.starts_with("/media/") || !is_plain(path) {
        return Err(Code::NotFound);
    }
    if reads {
        Ok(Route::Object { target, grant })
    } else if *method == Method::OPTIONS {
        Ok(Route::Preflight)
    } else {
        Err(Code::MethodNotAllowed)
    }
}

/// Whether a path means the same to everyone who normalises or decodes it: no dot segments, no empty ones, no encoded
/// separators. A grant for one asset must not open another behind `..`.
fn is_plain(path: &str) -> bool {
    let segments_plain = path.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."));
    let hides = |encoded: &str| {
        path.as_bytes().windows(3).any(|three| three.eq_ignore_ascii_case(encoded.as_bytes()))
    };
    let hidden = || ["%2e", "%2f", "%5c", "%00"].iter().any(|code| hides(code));
    segments_plain && !path.contains('\\') && !(path.contains('%') && hidden())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(method: &Method, uri: &str) -> Result<String, Code> {
        let uri: Uri = uri.parse().unwrap();
        route(method, &uri, Forward::ReadOnly).map(|route| match route {
            Route::Object { target, grant } => format!("{target} by {}", grant.unwrap_or("none")),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn the_fleet_serves_media_and_nothing_else() {
        assert_eq!(fleet(&Method::GET, "/media/a/source"), Ok("/media/a/source by none".into()));
        assert_eq!(
            fleet(&Method::HEAD, "/g/GRANT/media/a/source?x=1"),
            Ok("/media/a/source?x=1 by GRANT".into())
        );
        assert_eq!(fleet(&Method::OPTIONS, "/g/GRANT/media/a/source"), Ok("Preflight".into()));
        assert_eq!(fleet(&Method::GET, "/healthz"), Ok("Health".into()));
        assert_eq!(
            fleet(&Method::GET, "http://elsewhere/media/a/source"),
            Ok("/media/a/source by none".into())
        );
        assert_eq!(fleet(&Method::POST, "/media/a/source"), Err(Code::MethodNotAllowed));
        for target in [
            "/",
            "/internal/keys",
            "/files",
            "/media",
            "/mediax/a",
            "/g/x",
            "/g/x/internal/keys",
            "/g/x/g/y/media/a",
        ] {
            assert_eq!(fleet(&Method::GET, target), Err(Code::NotFound), "{target}");
        }
        assert_eq!(fleet(&Method::GET, &format!("/media/{}", "a".repeat(5000))), Err(Code::UriTooLong));
    }

    #[test]
    fn paths_that_mean_two_things_are_not_found() {
        for target in [
            "/media/a/../b/source",
            "/media/./a",
            "/media//a",
            "/media/a/%2e%2e/b",
            "/media/a%2Fb",
            "/media/a%5cb",
            "/media/a\\b",
            "/media/a/..",
            "/media/../internal/keys",
            "/g/x/media/../internal/keys",
            "/media/a%00",
        ] {
            let Ok(uri) = target.parse::<Uri>() else { continue };
            assert_eq!(route(&Method::GET, &uri, Forward::ReadOnly), Err(Code::NotFound), "{target}");
        }
        assert!(fleet(&Method::GET, "/media/a/film%20one").is_ok());
    }

    #[test]
    fn a_general_proxy_passes_every_method() {
        let all = |method: &Method, uri: &str| {
            route(method, &uri.parse().unwrap(), Forward::All).map(|r| format!("{r:?}"))
        };
        assert_eq!(
            all(&Method::GET, "/g/x/media/a"),
            Ok("Object { target: \"/g/x/media/a\", grant: None }".into())
        );
        for method in [
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::from_bytes(b"PURGE").unwrap(),
        ] {
            assert_eq!(all(&method, "/x"), Ok("Pass".into()));
        }
        assert_eq!(all(&Method::OPTIONS, "*"), Err(Code::BadRequest));
        assert_eq!(all(&Method::CONNECT, "host:80"), Err(Code::BadRequest));
    }
}
