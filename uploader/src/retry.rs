//! What to do after a failure, and how long to wait before it. Pure: randomness and time are arguments.

use std::time::Duration;

use crate::error::{Refusal, UploadError};
use crate::limits;

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// OPTIONS.
    Discover,
    /// POST, empty.
    Create,
    /// POST with the file in it.
    CreateWithBody,
    /// HEAD.
    Confirm,
    /// PATCH.
    Send,
    /// POST of the final upload.
    Concatenate,
}

/// How it failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No answer: connecting, name lookup, a connection that broke.
    Network(String),
    /// No byte taken and no answer for this long.
    Stalled(Duration),
    /// An answer that is not a success.
    Status {
        /// Its status and what it says.
        refusal: Refusal,
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// A success without what tus promises: a captive portal, a broken proxy, another kind of server.
    NotTus(String),
    /// The certificate is not trusted.
    Untrusted(String),
    /// Something on our side.
    Local(UploadError),
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It can heal: wait, ask where the upload stands, go on.
    Retry,
    /// The server does not take a body with the creation: create, then send.
    CreateEmpty,
    /// The server has lost the upload: begin anew.
    Anew,
    /// It will not heal.
    Stop,
}

/// Decides what to do after `operation` ended in `failure`.
///
/// Before anything was created, an answer that makes no sense means a wrong address, and stops. Afterwards the same
/// answer comes from something between us and the server (a captive portal, a proxy that restarts), and heals.
pub(crate) fn judge(operation: Operation, failure: &Failure) -> Verdict {
    use Operation::{Concatenate, Confirm, Create, CreateWithBody, Discover, Send};
    let first_contact = matches!(operation, Discover | Create | CreateWithBody);
    match failure {
        Failure::Network(_) | Failure::Stalled(_) => Verdict::Retry,
        Failure::Local(_) => Verdict::Stop,
        Failure::NotTus(_) | Failure::Untrusted(_) if first_contact => Verdict::Stop,
        Failure::NotTus(_) | Failure::Untrusted(_) => Verdict::Retry,
        Failure::Status { refusal, .. } => match (refusal.status, operation) {
            // An upload that is complete refuses bytes with 403; asking where it stands finds that out.
            (403, Send) if refusal.code.as_deref() == Some("upload_complete") => Verdict::Retry,
            (401 | 403 | 407, _) => Verdict::Stop,
            (404 | 410, Confirm | Send | Concatenate) => Verdict::Anew,
            (400 | 409, Concatenate) if concerns_a_part(refusal) => Verdict::Anew,
            (400 | 405 | 411 | 413 | 415 | 501, CreateWithBody) => Verdict::CreateEmpty,
            (408 | 409 | 423 | 425 | 429 | 460, _) => Verdict::Retry,
            (501 | 505, _) => Verdict::Stop,
            (500.., _) => Verdict::Retry,
            (300..400, _) if !first_contact => Verdict::Retry,
            _ => Verdict::Stop,
        },
    }
}

fn concerns_a_part(refusal: &Refusal) -> bool {
    matches!(refusal.code.as_deref(), Some("upload_part_unknown" | "upload_part_unfinished"))
}

impl Failure {
    /// In a sentence, for the retry event.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Network(what) | Self::NotTus(what) => what.clone(),
            Self::Stalled(time) => format!("nothing moved for {} s", time.as_secs_f64()),
            Self::Status { refusal, .. } => format!("the server answered {refusal}"),
            Self::Untrusted(what) => format!("the certificate is not trusted: {what}"),
            Self::Local(error) => error.to_string(),
        }
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The error when nothing more is tried.
    pub(crate) fn into_error(self) -> UploadError {
        match self {
            Self::Local(error) => error,
            Self::Untrusted(what) => UploadError::Untrusted(what),
            Self::Status { refusal, .. } if matches!(refusal.status, 401 | 403 | 407) => {
                UploadError::Unauthorized(refusal)
            }
            Self::Status { refusal, .. } => UploadError::Refused(refusal),
            Self::NotTus(what) => UploadError::Protocol(what),
            Self::Network(_) | Self::Stalled(_) => UploadError::Internal(self.reason()),
        }
    }
}

/// Exponential backoff with full jitter: a delay between zero and a bound that doubles with each failure without
/// progress, so that many clients of one server that comes back do not come at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Progress was made.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last progress.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The delay after one more failure. `random` is from 0 up to but not including 1. A `Retry-After` is waited
    /// out, up to its limit, and the jitter comes on top.
    pub(crate) fn delay(&mut self, random: f64, retry_after: Option<Duration>) -> Duration {
        let doubled = limits::BACKOFF_BASE.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let jitter = doubled.min(limits::BACKOFF_CAP).mul_f64(random.clamp(0.0, 1.0));
        retry_after.unwrap_or_default().min(limits::RETRY_AFTER_MAX) + jitter
    }
}

/// Reads `Retry-After` (RFC 9110 section 10.2.3): seconds or a date. `now_s` is in seconds since 1970.
pub(crate) fn retry_after(value: &str, now_s: u64) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(Duration::from_secs(now_s)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Operation::{Concatenate, Confirm, Create, CreateWithBody, Discover, Send};
    use super::*;

    const ALL: [Operation; 6] = [Discover, Create, CreateWithBody, Confirm, Send, Concatenate];

    fn status(status: u16, code: Option<&str>) -> Failure {
        Failure::Status {
            refusal: Refusal { status, code: code.map(str::to_owned), detail: None },
            retry_after: None,
        }
    }

    fn verdicts(code: u16) -> [Verdict; 6] {
        ALL.map(|operation| judge(operation, &status(code, None)))
    }

    #[test]
    fn what_can_heal_is_tried_again_whatever_was_tried() {
        for code in [408, 409, 423, 425, 429, 460, 500, 502, 503, 504, 507, 520, 599] {
            assert_eq!(verdicts(code), [Verdict::Retry; 6], "{code}");
        }
        for operation in ALL {
            assert_eq!(judge(operation, &Failure::Network("reset".into())), Verdict::Retry);
            assert_eq!(judge(operation, &Failure::Stalled(Duration::from_secs(1))), Verdict::Retry);
        }
    }

    #[test]
    fn what_cannot_heal_stops_at_once() {
        for code in [401, 403, 407, 402, 406, 412, 414, 416, 417, 422, 431, 451, 505] {
            assert_eq!(verdicts(code), [Verdict::Stop; 6], "{code}");
        }
        let changed = UploadError::Changed { path: "f".into(), what: "it was written to" };
        assert_eq!(judge(Send, &Failure::Local(changed)), Verdict::Stop);
    }

    #[test]
    fn a_body_the_creation_does_not_take_is_sent_afterwards() {
        for code in [400, 405, 411, 413, 415, 501] {
            let [discover, create, with_body, confirm, send, concat] = verdicts(code);
            assert_eq!(with_body, Verdict::CreateEmpty, "{code}");
            assert_eq!([discover, create, confirm, send, concat], [Verdict::Stop; 5], "{code}");
        }
    }

    #[test]
    fn a_lost_upload_begins_anew_but_a_missing_endpoint_stops() {
        for code in [404, 410] {
            let [discover, create, with_body, confirm, send, concat] = verdicts(code);
            assert_eq!([discover, create, with_body], [Verdict::Stop; 3], "{code}");
            assert_eq!([confirm, send, concat], [Verdict::Anew; 3], "{code}");
        }
        assert_eq!(judge(Concatenate, &status(400, Some("upload_part_unknown"))), Verdict::Anew);
    }

    #[test]
    fn a_captive_portal_stops_the_first_contact_and_heals_later() {
        for failure in
            [status(302, None), Failure::NotTus("html".into()), Failure::Untrusted("self-signed".into())]
        {
            let verdicts = ALL.map(|operation| judge(operation, &failure));
            assert_eq!(verdicts[..3], [Verdict::Stop; 3]);
            assert_eq!(verdicts[3..], [Verdict::Retry; 3]);
        }
    }

    #[test]
    fn bytes_for_a_complete_upload_are_a_reason_to_ask_where_it_stands() {
        assert_eq!(judge(Send, &status(403, Some("upload_complete"))), Verdict::Retry);
        assert_eq!(judge(Send, &status(403, Some("forbidden"))), Verdict::Stop);
    }

    #[test]
    fn errors_have_the_exit_code_of_their_cause() {
        use crate::ExitCode;
        let exit = |failure: Failure| failure.into_error().exit_code();
        assert_eq!(exit(status(401, None)), ExitCode::Permission);
        assert_eq!(exit(status(403, None)), ExitCode::Permission);
        assert_eq!(exit(status(413, None)), ExitCode::Refused);
        assert_eq!(exit(Failure::Untrusted(String::new())), ExitCode::Permission);
        assert_eq!(exit(Failure::NotTus(String::new())), ExitCode::Refused);
    }

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 7 ", 0), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_770), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_999), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999999999999", 0), Some(Duration::from_secs(u64::MAX)));
        for text in ["", "-1", "soon", "1.5"] {
            assert_eq!(retry_after(text, 0), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn delays_are_bounded_and_grow_until_progress(random in 0.0..1.0f64, failures in 0u32..200, asked in any::<u64>()) {
            let mut backoff = Backoff::default();
            let mut bound = limits::BACKOFF_BASE;
            for _ in 0..failures {
                prop_assert!(backoff.delay(random, None) <= bound);
                bound = (bound * 2).min(limits::BACKOFF_CAP);
            }
            let most = limits::RETRY_AFTER_MAX + limits::BACKOFF_CAP;
            let asked = Duration::from_secs(asked);
            let delay = backoff.delay(random, Some(asked));
            prop_assert!(delay >= asked.min(limits::RETRY_AFTER_MAX) && delay <= most);
            backoff.reset();
            prop_assert!(backoff.delay(random, None) <= limits::BACKOFF_BASE);
        }
    }
}
