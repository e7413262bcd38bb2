//! Errors as a client sees them: RFC 9457 problem+json with a stable code, from one table.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How loudly a service logs a problem when it answers with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The client's doing: counted, logged at debug.
    Client,
    /// Ours, or a part of ours is away: logged as an error.
    Server,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// The stable codes. A code never changes its meaning; its status is part of it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* #[doc = $title] $variant,)* }

        impl Code {
            /// Every code, for tables and documents.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The text in the `code` member.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)* }
            }

            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)* }
            }

            /// A sentence that is the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }
        }
    };
}

codes! {
    // Requests in general
    BadRequest = "bad_request", 400, "The request cannot be understood.";
    InvalidJson = "invalid_json", 400, "The body is not the JSON this operation takes.";
    InvalidField = "invalid_field", 422, "A field of the request has a value that is not allowed.";
    AmbiguousLength = "ambiguous_length", 400, "The request has both Content-Length and Transfer-Encoding.";
    NotFound = "not_found", 404, "There is nothing at this address.";
    MethodNotAllowed = "method_not_allowed", 405, "This method is not allowed here.";
    RequestTimeout = "request_timeout", 408, "The request did not arrive in time.";
    BodyTooLarge = "body_too_large", 413, "The body is larger than this operation takes.";
    UriTooLong = "uri_too_long", 414, "The address is too long.";
    UnsupportedMediaType = "unsupported_media_type", 415, "The Content-Type is not one this operation takes.";
    Internal = "internal", 500, "Something failed here; the log has the cause.";
    Unavailable = "unavailable", 503, "A part this needs is not available just now; try again.";
    Overloaded = "overloaded", 503, "There is too much to do just now; try again.";
    ShuttingDown = "shutting_down", 503, "This server is stopping; try again.";
    StorageFull = "storage_full", 507, "There is no space left for uploads.";

    // Who is asking
    AuthenticationRequired = "authentication_required", 401, "Log in, or send a token.";
    InvalidToken = "invalid_token", 401, "The token is not valid.";
    InvalidCredentials = "invalid_credentials", 401, "The login and the password do not fit.";
    TooManyAttempts = "too_many_attempts", 429, "Too many attempts; wait before the next.";
    RateLimited = "rate_limited", 429, "Too many requests; wait before the next.";
    CrossSite = "cross_site", 403, "A page of another site may not do this with your session.";
    Forbidden = "forbidden", 403, "You may not do this.";
    FleetKeyRequired = "fleet_key_required", 403, "Only edges and workers of this fleet may call this.";
    UsernameTaken = "username_taken", 409, "This username is taken.";
    EmailTaken = "email_taken", 409, "This email address is taken.";

    // Accounts
    AccountDisabled = "account_disabled", 403, "This account is disabled; ask an administrator.";
    AccountNotFound = "account_not_found", 404, "There is no such account.";
    WrongPassword = "wrong_password", 403, "The current password is another.";
    ResetInvalid = "reset_invalid", 403, "This password reset is not genuine, was used, or has expired.";
    LastAdmin = "last_admin", 409, "The last administrator stays one.";
    QuotaExceeded = "quota_exceeded", 413, "The account's quota has no room for this upload.";
    UploadsRateLimited = "uploads_rate_limited", 503, "Too many uploads were begun; wait before the next.";

    // Uploads
    UnsupportedVersion = "unsupported_version", 412, "This version of the tus protocol is not supported.";
    UploadNotFound = "upload_not_found", 404, "There is no such upload.";
    UploadGone = "upload_gone", 410, "The upload was ended and its bytes are gone.";
    UploadLengthInvalid = "upload_length_invalid", 400, "Upload-Length is not a whole number of bytes.";
    UploadLengthRequired = "upload_length_required", 400, "Upload-Length or Upload-Defer-Length: 1 is needed.";
    UploadLengthConflict = "upload_length_conflict", 400, "The upload's length is set already and is another.";
    UploadLengthForbidden = "upload_length_forbidden", 400, "A final upload takes its length from its parts.";
    UploadDeferLengthInvalid = "upload_defer_length_invalid", 400, "Upload-Defer-Length can only be 1.";
    UploadOffsetInvalid = "upload_offset_invalid", 400, "Upload-Offset is missing or not a whole number of bytes.";
    UploadMetadataInvalid = "upload_metadata_invalid", 400, "Upload-Metadata is not a list of keys with base64 values.";
    UploadConcatInvalid = "upload_concat_invalid", 400, "Upload-Concat is neither partial nor final with a list of parts.";
    UploadPartUnfinished = "upload_part_unfinished", 400, "A part of the final upload is not finished.";
    UploadPartUnknown = "upload_part_unknown", 400, "A part of the final upload is not a partial upload of yours.";
    UploadTooLarge = "upload_too_large", 413, "The upload is larger than this server takes.";
    UploadBodyTooLong = "upload_body_too_long", 413, "The body goes past the upload's length.";
    UploadBodyEmpty = "upload_body_empty", 400, "There is no body to upload.";
    UploadOffsetMismatch = "upload_offset_mismatch", 409, "The offset is not where the upload stands.";
    UploadFinal = "upload_final", 403, "A final upload takes no bytes.";
    UploadTakenOver = "upload_taken_over", 423, "A newer request has taken this upload over.";
    UploadInterrupted = "upload_interrupted", 503, "The body stalled or ended before its time; what arrived is kept.";

    // Transcoding
    JobNotFound = "job_not_found", 404, "There is no such job.";
    JobTakenOver = "job_taken_over", 409, "This attempt is not the job's newest; it is to stop.";
    FileExists = "file_exists", 409, "A file of this name is stored already, with other bytes.";
    NotAVideo = "not_a_video", 409, "Nothing is made of this asset for playing: it is no video.";
    CaptionsInvalid = "captions_invalid", 422, "The body is not a WebVTT file.";
    TooManyCaptions = "too_many_captions", 409, "This video has as many captions as it may have.";
    JobEnded = "job_ended", 409, "The job has ended already.";
    JobNotFailed = "job_not_failed", 409, "Only a job that has failed for good can be tried again.";

    // The library
    PlayNotFound = "play_not_found", 404, "There is no such play, or it has ended long ago; begin another.";

    // What others are told
    WebhookNotFound = "webhook_not_found", 404, "There is no such webhook.";
    WebhookDisabled = "webhook_disabled", 409, "The webhook is not enabled.";
    DeliveryNotFound = "delivery_not_found", 404, "There is no such delivery.";
    TooManyStreams = "too_many_streams", 429, "There are as many event streams open as there may be; close one.";

    // Media
    AssetNotFound = "asset_not_found", 404, "There is no such asset.";
    GrantRequired = "grant_required", 403, "This asset is private: it takes its owner, or a grant.";
    GrantInvalid = "grant_invalid", 403, "The grant is not genuine.";
    GrantExpired = "grant_expired", 403, "The grant has expired.";
    GrantMismatch = "grant_mismatch", 403, "The grant does not cover this path.";
    RangeInvalid = "range_invalid", 416, "The Range field is not a valid list of byte ranges.";
    RangeExcessive = "range_excessive", 416, "The Range field asks for too many ranges.";
    RangeNotSatisfiable = "range_not_satisfiable", 416, "None of the ranges lies within the asset.";
    PreconditionFailed = "precondition_failed", 412, "The asset is not the one the condition names.";
    UpstreamUnreachable = "upstream_unreachable", 502, "The origin cannot be reached.";
    UpstreamInvalid = "upstream_invalid", 502, "The origin's answer makes no sense.";
    UpstreamTimeout = "upstream_timeout", 504, "The origin did not answer in time.";
}

impl Code {
    /// Who has to act on it.
    pub const fn severity(self) -> Severity {
        if self.status() >= 500 { Severity::Server } else { Severity::Client }
    }
}

/// A problem to answer with. The cause stays in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub code: Code,
    /// What is particular to this occurrence and helps the client put it right.
    pub detail: Option<Cow<'static, str>>,
    /// Seconds after which trying again makes sense (`Retry-After`).
    pub retry_after_s: Option<u32>,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self { code, detail: None, retry_after_s: None }
    }
}

/// The JSON members of RFC 9457 section 3.1, and `code`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemBody {
    /// A reference that names the kind of problem.
    pub r#type: String,
    /// The same for every occurrence of the kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// What is particular to this occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Problem {
    /// The media type of the body.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// Adds what is particular to this occurrence. Never a cause chain, never a secret.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The body.
    pub fn body(&self) -> ProblemBody {
        ProblemBody {
            r#type: format!("urn:tidegate:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            code: self.code.as_str().to_owned(),
            detail: self.detail.as_deref().map(str::to_owned),
        }
    }

    /// The body as JSON text.
    pub fn to_json(&self) -> String {
        // A struct of strings and a number cannot fail to serialise.
        serde_json::to_string(&self.body()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_their_statuses_are_errors() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
        assert!(texts.iter().all(|text| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn a_problem_is_the_json_of_rfc_9457() {
        let problem = Problem::from(Code::UploadOffsetMismatch).detail("the upload stands at 5");
        assert_eq!(
            problem.to_json(),
            r#"{"type":"urn:tidegate:problem:upload_offset_mismatch","title":"The offset is not where the upload stands.","status":409,"code":"upload_offset_mismatch","detail":"the upload stands at 5"}"#
        );
    }
}
