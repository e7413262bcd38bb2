//! Upload state and command to decision. Exhaustively tested: every rule of appending stands here.

use tidegate_wire::{Code, Problem};

use super::tus::Append;

/// What kind of upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadKind {
    /// A file by itself.
    Single,
    /// A part of a file.
    Partial,
    /// A file made of parts.
    Final,
}

/// What deciding needs to know of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadView {
    /// What kind.
    pub kind: UploadKind,
    /// Bytes kept so far.
    pub offset: u64,
    /// Bytes in all, if known.
    pub length: Option<u64>,
}

/// What to do with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendPlan {
    /// Bytes that may come at most.
    pub room: u64,
    /// The upload's length as known from now on.
    pub length: Option<u64>,
}

/// Whether `append` may go on at `upload`, and how far.
///
/// # Errors
/// `upload_final`, `upload_offset_mismatch`, `upload_length_conflict`, `upload_body_too_long`, `upload_too_large`.
pub fn decide_append(
    upload: &UploadView,
    append: &Append,
    max_upload_bytes: u64,
) -> Result<AppendPlan, Problem> {
    if upload.kind == UploadKind::Final {
        return Err(Code::UploadFinal.into());
    }
    let length = settle_length(upload, append.upload_length, max_upload_bytes)?;
    if append.offset != upload.offset {
        return Err(Problem::from(Code::UploadOffsetMismatch)
            .detail(format!("the upload stands at {}", upload.offset)));
    }
    let room = length.unwrap_or(max_upload_bytes).saturating_sub(upload.offset);
    match append.body_length {
        Some(body) if body > room && length.is_some() => Err(Code::UploadBodyTooLong.into()),
        Some(body) if body > room => Err(Code::UploadTooLarge.into()),
        _ => Ok(AppendPlan { room, length }),
    }
}

/// The length once this request has had its say: it may set one that is missing, never change one.
fn settle_length(
    upload: &UploadView,
    given: Option<u64>,
    max_upload_bytes: u64,
) -> Result<Option<u64>, Problem> {
    match (upload.length, given) {
        (Some(known), Some(given)) if known != given => Err(Code::UploadLengthConflict.into()),
        (None, Some(given)) if given < upload.offset => {
            Err(Problem::from(Code::UploadLengthConflict).detail("more bytes than that are here already"))
        }
        (None, Some(given)) if given > max_upload_bytes => Err(Code::UploadTooLarge.into()),
        (known, given) => Ok(known.or(given)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 1000;

    fn decide(
        upload: (UploadKind, u64, Option<u64>),
        append: (u64, Option<u64>, Option<u64>),
    ) -> Result<(u64, Option<u64>), Code> {
        let (kind, offset, length) = upload;
        let view = UploadView { kind, offset, length };
        let (offset, body_length, upload_length) = append;
        decide_append(&view, &Append { offset, body_length, upload_length }, MAX)
            .map(|plan| (plan.room, plan.length))
            .map_err(|problem| problem.code)
    }

    #[test]
    fn every_rule_of_appending() {
        use UploadKind::{Final, Partial, Single};
        let table = [
            // (kind, offset, length)      (offset, body, length)      decision
            ((Single, 0, Some(100)), (0, Some(100), None), Ok((100, Some(100)))),
            ((Partial, 0, Some(100)), (0, Some(100), None), Ok((100, Some(100)))),
            ((Single, 70, Some(100)), (70, Some(30), None), Ok((30, Some(100)))),
            ((Single, 70, Some(100)), (70, Some(10), None), Ok((30, Some(100)))),
            ((Single, 70, Some(100)), (70, None, None), Ok((30, Some(100)))),
            ((Single, 70, Some(100)), (70, Some(0), None), Ok((30, Some(100)))),
            ((Single, 100, Some(100)), (100, Some(0), None), Ok((0, Some(100)))),
            ((Single, 100, Some(100)), (100, None, None), Ok((0, Some(100)))),
            ((Single, 70, Some(100)), (70, Some(31), None), Err(Code::UploadBodyTooLong)),
            ((Single, 100, Some(100)), (100, Some(1), None), Err(Code::UploadBodyTooLong)),
            ((Single, 70, Some(100)), (69, Some(1), None), Err(Code::UploadOffsetMismatch)),
            ((Single, 70, Some(100)), (71, Some(1), None), Err(Code::UploadOffsetMismatch)),
            ((Single, 100, Some(100)), (0, Some(100), None), Err(Code::UploadOffsetMismatch)),
            ((Final, 100, Some(100)), (100, Some(1), None), Err(Code::UploadFinal)),
            ((Final, 100, Some(100)), (0, Some(0), None), Err(Code::UploadFinal)),
            // the length comes later
            ((Single, 0, None), (0, Some(10), None), Ok((MAX, None))),
            ((Single, 10, None), (10, Some(10), Some(20)), Ok((10, Some(20)))),
            ((Single, 10, None), (10, Some(0), Some(10)), Ok((0, Some(10)))),
            ((Single, 10, None), (10, Some(11), Some(20)), Err(Code::UploadBodyTooLong)),
            ((Single, 10, None), (10, Some(1), Some(9)), Err(Code::UploadLengthConflict)),
            ((Single, 10, None), (10, Some(1), Some(MAX + 1)), Err(Code::UploadTooLarge)),
            ((Single, 10, None), (10, Some(MAX), None), Err(Code::UploadTooLarge)),
            ((Single, 10, Some(20)), (10, Some(1), Some(20)), Ok((10, Some(20)))),
            ((Single, 10, Some(20)), (10, Some(1), Some(21)), Err(Code::UploadLengthConflict)),
        ];
        for (upload, append, expected) in table {
            assert_eq!(decide(upload, append), expected, "{upload:?} {append:?}");
        }
    }
}
