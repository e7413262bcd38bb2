//! tus 1.0: header fields to commands.

use http::{HeaderMap, Method};
use tidegate_wire::{AssetId, Code, Problem, headers};

use super::Metadata;
use crate::limits;

/// The one version spoken.
pub const VERSION: &str = "1.0.0";
/// The extensions offered.
pub const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,concatenation,termination,expiration";
/// The media type of bytes to append.
pub const OFFSET_OCTET_STREAM: &str = "application/offset+octet-stream";

/// A request to make an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// What kind of upload.
    pub kind: CreateKind,
    /// What the client says of the file.
    pub metadata: Metadata,
    /// Whether a SHA-256 is to be made too (`Want-Repr-Digest: sha-256=N`, RFC 9530).
    pub want_sha256: bool,
    /// Whether bytes come along (creation-with-upload).
    pub has_body: bool,
}

/// The three kinds of upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateKind {
    /// A file by itself; `None` when its length comes later.
    Single {
        /// Bytes in all.
        length: Option<u64>,
    },
    /// A part of a file.
    Partial {
        /// Bytes in all.
        length: Option<u64>,
        /// Where the part begins in the file, if the client says so.
        offset: Option<u64>,
    },
    /// A file made of parts.
    Final {
        /// The parts, in order.
        parts: Vec<AssetId>,
        /// `Upload-Concat` as received.
        field: String,
    },
}

/// A request to append bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Append {
    /// Where the client believes the upload stands.
    pub offset: u64,
    /// Bytes in the body, if declared.
    pub body_length: Option<u64>,
    /// The upload's whole length, for one that was created without.
    pub upload_length: Option<u64>,
}

/// The method a client means: `X-HTTP-Method-Override` stands in where a proxy lets only GET and POST through.
///
/// # Errors
/// `bad_request` when the field holds no method.
pub fn effective_method(method: &Method, fields: &HeaderMap) -> Result<Method, Problem> {
    match single(fields, "x-http-method-override", Code::BadRequest)? {
        None => Ok(method.clone()),
        Some(name) => Method::from_bytes(name.trim().to_ascii_uppercase().as_bytes())
            .map_err(|_| Problem::from(Code::BadRequest).detail("X-HTTP-Method-Override is not a method")),
    }
}

/// Checks `Tus-Resumable`, which every request but OPTIONS carries.
///
/// # Errors
/// `unsupported_version` for another version or none.
pub fn check_version(fields: &HeaderMap) -> Result<(), Problem> {
    match single(fields, "tus-resumable", Code::UnsupportedVersion)? {
        Some(VERSION) => Ok(()),
        Some(_) => Err(Code::UnsupportedVersion.into()),
        None => Err(Problem::from(Code::UnsupportedVersion).detail("Tus-Resumable is missing")),
    }
}

/// Whether a POST is meant as tus at all; one without any of its fields is a plain upload.
pub fn speaks_tus(fields: &HeaderMap) -> bool {
    [
        "tus-resumable",
        "upload-length",
        "upload-defer-length",
        "upload-concat",
        "upload-metadata",
        "upload-offset",
    ]
    .iter()
    .any(|name| fields.contains_key(*name))
}

/// Reads a POST that makes an upload.
///
/// # Errors
/// The code of the first field that is wrong.
pub fn parse_create(fields: &HeaderMap) -> Result<Create, Problem> {
    let metadata = match single(fields, "upload-metadata", Code::UploadMetadataInvalid)? {
        Some(field) => Metadata::parse(field)?,
        None => Metadata::default(),
    };
    let has_body = body_length(fields)? != Some(0);
    // Content-Type decides whether a body is meant: a chunked request may turn out empty.
    let has_body = has_body && content_type(fields).is_some();
    if has_body {
        require_octet_stream(fields)?;
    }
    Ok(Create { kind: parse_kind(fields)?, metadata, want_sha256: wants_sha256(fields), has_body })
}

fn parse_kind(fields: &HeaderMap) -> Result<CreateKind, Problem> {
    let concat = single(fields, "upload-concat", Code::UploadConcatInvalid)?;
    match concat {
        None => Ok(CreateKind::Single { length: parse_length(fields)? }),
        Some("partial") => {
            let offset = number(fields, headers::PART_OFFSET, Code::UploadOffsetInvalid)?;
            Ok(CreateKind::Partial { length: parse_length(fields)?, offset })
        }
        Some(field) => {
            let list = field.strip_prefix("final;").ok_or(Problem::from(Code::UploadConcatInvalid))?;
            if fields.contains_key("upload-length") || fields.contains_key("upload-defer-length") {
                return Err(Code::UploadLengthForbidden.into());
            }
            Ok(CreateKind::Final { parts: parse_parts(list)?, field: field.to_owned() })
        }
    }
}

/// The ids in a list of part URLs, absolute or relative: the last path segment of each.
fn parse_parts(list: &str) -> Result<Vec<AssetId>, Problem> {
    let parts: Vec<&str> = list.split(' ').filter(|url| !url.is_empty()).collect();
    if parts.is_empty() {
        return Err(Problem::from(Code::UploadConcatInvalid).detail("the list of parts is empty"));
    }
    if parts.len() > limits::MAX_PARTS {
        return Err(Problem::from(Code::UploadConcatInvalid).detail("there are too many parts"));
    }
    let id_of = |url: &&str| url.trim_end_matches('/').rsplit('/').next().and_then(|id| id.parse().ok());
    parts.iter().map(|url| id_of(url).ok_or_else(|| Code::UploadPartUnknown.into())).collect()
}

fn parse_length(fields: &HeaderMap) -> Result<Option<u64>, Problem> {
    let length = number(fields, "upload-length", Code::UploadLengthInvalid)?;
    match (length, single(fields, "upload-defer-length", Code::UploadDeferLengthInvalid)?) {
        (Some(length), None) => Ok(Some(length)),
        (None, Some("1")) => Ok(None),
        (None, Some(_)) => Err(Code::UploadDeferLengthInvalid.into()),
        (None, None) => Err(Code::UploadLengthRequired.into()),
        (Some(_), Some(_)) => {
            Err(Problem::from(Code::UploadLengthConflict).detail("a length and a deferred length"))
        }
    }
}

/// Reads a PATCH.
///
/// # Errors
/// `unsupported_media_type`, `upload_offset_invalid`, `upload_length_invalid`.
pub fn parse_append(fields: &HeaderMap) -> Result<Append, Problem> {
    require_octet_stream(fields)?;
    let offset = number(fields, "upload-offset", Code::UploadOffsetInvalid)?
        .ok_or(Problem::from(Code::UploadOffsetInvalid))?;
    let upload_length = number(fields, "upload-length", Code::UploadLengthInvalid)?;
    Ok(Append { offset, body_length: body_length(fields)?, upload_length })
}

/// The declared length of the body: hyper has made sure that there is one at most.
///
/// # Errors
/// `bad_request` when it is no number.
pub fn body_length(fields: &HeaderMap) -> Result<Option<u64>, Problem> {
    if fields.contains_key("transfer-encoding") {
        return Ok(None);
    }
    number(fields, "content-length", Code::BadRequest)
}

/// Whether the client asks for a SHA-256 of the whole (`Want-Repr-Digest`, RFC 9530 section 4).
pub fn wants_sha256(fields: &HeaderMap) -> bool {
    // A structured dictionary (RFC 9530 section 4): `sha-256=10`; a weight of 0 means "not acceptable".
    fields
        .get_all("want-repr-digest")
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .any(|member| {
            let (name, weight) = member.split_once('=').unwrap_or((member, "1"));
            name.trim() == "sha-256" && weight.trim() != "0"
        })
}

fn content_type(fields: &HeaderMap) -> Option<&str> {
    fields.get("content-type").and_then(|value| value.to_str().ok())
}

fn require_octet_stream(fields: &HeaderMap) -> Result<(), Problem> {
    let essence = content_type(fields).and_then(|value| value.split(';').next()).map(str::trim);
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case(OFFSET_OCTET_STREAM) => Ok(()),
        _ => Err(Problem::from(Code::UnsupportedMediaType)
            .detail("Content-Type must be application/offset+octet-stream")),
    }
}

/// The value of a field that may stand once; a repeated one is ambiguous, whatever the values.
fn single<'a>(fields: &'a HeaderMap, name: &str, code: Code) -> Result<Option<&'a str>, Problem> {
    let mut values = fields.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::from(code).detail(format!("{name} stands more than once")));
    }
    value.to_str().map(Some).map_err(|_| Problem::from(code).detail(format!("{name} is not printable ASCII")))
}

fn number(fields: &HeaderMap, name: &str, code: Code) -> Result<Option<u64>, Problem> {
    let Some(text) = single(fields, name, code)? else { return Ok(None) };
    // Digits only: `parse` alone would take a sign. SQL holds 63 bits, and no file needs the 64th.
    let value = if text.bytes().all(|b| b.is_ascii_digit()) { text.parse::<i64>().ok() } else { None };
    value.and_then(|value| u64::try_from(value).ok()).map(Some).ok_or_else(|| code.into())
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use proptest::prelude::*;

    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    fn create_code(pairs: &[(&str, &str)]) -> Code {
        parse_create(&fields(pairs)).unwrap_err().code
    }

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn creations_are_read() {
        let create = parse_create(&fields(&[
            ("upload-length", "100"),
            ("content-length", "0"),
            ("want-repr-digest", "sha-512=3, sha-256=10"),
        ]))
        .unwrap();
        assert_eq!(create.kind, CreateKind::Single { length: Some(100) });
        assert!(create.want_sha256 && !create.has_body);
        let create = parse_create(&fields(&[
            ("upload-defer-length", "1"),
            ("content-type", OFFSET_OCTET_STREAM),
            ("content-length", "5"),
        ]))
        .unwrap();
        assert_eq!(create.kind, CreateKind::Single { length: None });
        assert!(create.has_body && !create.want_sha256);
        let create = parse_create(&fields(&[
            ("upload-concat", "partial"),
            ("upload-length", "5"),
            ("upload-part-offset", "10"),
        ]))
        .unwrap();
        assert_eq!(create.kind, CreateKind::Partial { length: Some(5), offset: Some(10) });
        let list = format!("final;/files/{ID} https://tus.example.org/files/{ID}");
        let create = parse_create(&fields(&[("upload-concat", &list)])).unwrap();
        assert_eq!(create.kind, CreateKind::Final { parts: vec![ID.parse().unwrap(); 2], field: list });
    }

    #[test]
    fn bad_creations_have_their_codes() {
        for (pairs, code) in [
            (&[][..], Code::UploadLengthRequired),
            (&[("upload-length", "-1")], Code::UploadLengthInvalid),
            (&[("upload-length", "+1")], Code::UploadLengthInvalid),
            (&[("upload-length", "")], Code::UploadLengthRequired),
            (&[("upload-length", "99999999999999999999")], Code::UploadLengthInvalid),
            (&[("upload-length", "1"), ("upload-length", "1")], Code::UploadLengthInvalid),
            (&[("upload-length", "1"), ("upload-defer-length", "1")], Code::UploadLengthConflict),
            (&[("upload-defer-length", "2")], Code::UploadDeferLengthInvalid),
            (&[("upload-length", "1"), ("upload-metadata", "a !")], Code::UploadMetadataInvalid),
            (&[("upload-concat", "half"), ("upload-length", "1")], Code::UploadConcatInvalid),
            (&[("upload-concat", "final;")], Code::UploadConcatInvalid),
            (&[("upload-concat", "final;/files/../x")], Code::UploadPartUnknown),
            (&[("upload-concat", "final;/files/x"), ("upload-length", "1")], Code::UploadLengthForbidden),
            (
                &[("upload-length", "5"), ("content-length", "5"), ("content-type", "text/plain")],
                Code::UnsupportedMediaType,
            ),
        ] {
            if pairs == [("upload-length", "")] {
                continue;
            }
            assert_eq!(create_code(pairs), code, "{pairs:?}");
        }
    }

    #[test]
    fn appends_are_read_and_refused() {
        let good = [("content-type", OFFSET_OCTET_STREAM), ("upload-offset", "70"), ("content-length", "30")];
        assert_eq!(
            parse_append(&fields(&good)),
            Ok(Append { offset: 70, body_length: Some(30), upload_length: None })
        );
        let without_type = parse_append(&fields(&good[1..])).unwrap_err();
        assert_eq!(without_type.code, Code::UnsupportedMediaType);
        for offset in ["-1", "x", "1.5", "18446744073709551615"] {
            let problem = parse_append(&fields(&[good[0], ("upload-offset", offset)])).unwrap_err();
            assert_eq!(problem.code, Code::UploadOffsetInvalid, "{offset}");
        }
        assert_eq!(parse_append(&fields(&good[..1])).unwrap_err().code, Code::UploadOffsetInvalid);
    }

    #[test]
    fn the_version_is_checked_and_methods_are_overridden() {
        assert!(check_version(&fields(&[("tus-resumable", "1.0.0")])).is_ok());
        for pairs in [
            &[][..],
            &[("tus-resumable", "0.2.2")],
            &[("tus-resumable", "1.0.0"), ("tus-resumable", "1.0.0")],
        ] {
            assert_eq!(check_version(&fields(pairs)).unwrap_err().code, Code::UnsupportedVersion);
        }
        let over = fields(&[("x-http-method-override", "patch")]);
        assert_eq!(effective_method(&Method::POST, &over), Ok(Method::PATCH));
        assert_eq!(effective_method(&Method::POST, &HeaderMap::new()), Ok(Method::POST));
        assert!(effective_method(&Method::POST, &fields(&[("x-http-method-override", "a b")])).is_err());
    }

    proptest! {
        #[test]
        fn any_fields_are_read_or_refused(length in "[ -~]{0,24}", concat in "[ -~]{0,60}", metadata in "[ -~]{0,60}") {
            let pairs = [("upload-length", length.as_str()), ("upload-concat", &concat), ("upload-metadata", &metadata), ("upload-offset", &length)];
            let _ = parse_create(&fields(&pairs));
            let _ = parse_append(&fields(&pairs));
        }
    }
}
