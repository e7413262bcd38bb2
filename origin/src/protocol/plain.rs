//! A whole file as the body of one POST or PUT: what `curl -T` and scripts send. No resume.

use http::HeaderMap;
use tidegate_wire::{Code, Problem};

use super::Metadata;
use super::metadata::clean_name;
use crate::limits;

/// What the request says of the file: its name from the address or from `Content-Disposition`, its type from
/// `Content-Type` unless that says nothing.
pub fn metadata(fields: &HeaderMap, name_in_path: Option<&str>) -> Metadata {
    let name =
        name_in_path.map(str::to_owned).or_else(|| disposition_name(fields)).map(|name| clean_name(&name));
    let content_type = fields.get("content-type").and_then(|value| value.to_str().ok()).filter(|value| {
        // curl's default for --data-binary, and the type that means "no idea".
        value.len() <= limits::MAX_CONTENT_TYPE_BYTES
            && !value.starts_with("application/x-www-form-urlencoded")
            && !value.starts_with("application/octet-stream")
    });
    Metadata::of_file(name.as_deref(), content_type)
}

/// Refuses a form: its envelope is not the file.
///
/// # Errors
/// `unsupported_media_type` for any `multipart/…`.
pub fn check_type(fields: &HeaderMap) -> Result<(), Problem> {
    let given = fields.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given.trim_start().to_ascii_lowercase().starts_with("multipart/") {
        let detail = "send the file itself as the body (curl -T, --data-binary), not a form";
        return Err(Problem::from(Code::UnsupportedMediaType).detail(detail));
    }
    Ok(())
}

/// `filename` of `Content-Disposition` (RFC 6266); the `filename*` form first, where it is UTF-8 (RFC 8187).
fn disposition_name(fields: &HeaderMap) -> Option<String> {
    let field = fields.get("content-disposition")?.to_str().ok()?;
    let parameter = |wanted: &str| {
        field.split(';').skip(1).find_map(|piece| {
            let (name, value) = piece.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let extended = parameter("filename*").and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, encoded) = rest.split_once('\'')?;
        charset.eq_ignore_ascii_case("utf-8").then(|| percent_decode(encoded)).flatten()
    });
    extended.or_else(|| parameter("filename"))
}

/// Decodes `%XX`; `None` when the result is not UTF-8 or a `%` stands without two digits.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |b: u8| char::from(b).to_digit(16);
            let value = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
            out.push(u8::try_from(value).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(disposition: &str) -> String {
        let mut fields = HeaderMap::new();
        fields.insert("content-disposition", disposition.parse().unwrap());
        metadata(&fields, None).file_name()
    }

    #[test]
    fn names_come_from_the_path_or_the_disposition() {
        assert_eq!(metadata(&HeaderMap::new(), Some("film.mp4")).file_name(), "film.mp4");
        assert_eq!(named("attachment; filename=\"film.mp4\""), "film.mp4");
        assert_eq!(named("attachment; filename=x; filename*=UTF-8''f%C3%AFlm.mp4"), "fïlm.mp4");
        assert_eq!(named("attachment; filename=\"../../etc/passwd\""), "passwd");
        assert_eq!(named("attachment"), "untitled");
    }

    #[test]
    fn a_form_is_refused_and_not_kept_as_it_is() {
        let mut fields = HeaderMap::new();
        assert!(check_type(&fields).is_ok());
        fields.insert("content-type", "Multipart/Form-Data; boundary=x".parse().unwrap());
        assert_eq!(check_type(&fields).unwrap_err().code, Code::UnsupportedMediaType);
    }

    #[test]
    fn types_that_say_nothing_are_dropped() {
        for (value, kept) in [
            ("video/mp4", Some("video/mp4")),
            ("application/octet-stream", None),
            ("application/x-www-form-urlencoded", None),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert("content-type", value.parse().unwrap());
            assert_eq!(metadata(&fields, None).content_type(), kept);
        }
    }
}
