//! The header fields of tus 1.0, written and read. Pure.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Url;
use reqwest::header::HeaderMap;
use tidegate_wire::Digest;
use tidegate_wire::headers::{ASSET, DIGEST};

use crate::target::Target;

/// The protocol version spoken.
pub(crate) const VERSION: &str = "1.0.0";
/// The media type of upload bodies.
pub(crate) const OFFSET_STREAM: &str = "application/offset+octet-stream";

/// The value of `Upload-Metadata` for a file's name and media type.
pub(crate) fn metadata(name: &str, media_type: &str, encrypt: bool) -> String {
    let (name, media_type) = (BASE64_STANDARD.encode(name), BASE64_STANDARD.encode(media_type));
    let encrypt =
        if encrypt { format!(",encrypt {}", BASE64_STANDARD.encode("aes-128")) } else { String::new() };
    format!("filename {name},filetype {media_type}{encrypt}")
}

/// The value of `Upload-Concat` that joins `parts` in order. Paths, as in the specification's example: a server
/// behind a proxy may not know its own host name.
pub(crate) fn concat_final(parts: &[Url]) -> String {
    let paths: Vec<&str> = parts.iter().map(Url::path).collect();
    format!("final;{}", paths.join(" "))
}

/// The header fields of an answer that matter to an upload. A field that cannot be read counts as missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// `Upload-Offset`.
    pub offset: Option<u64>,
    /// `Upload-Length`.
    pub length: Option<u64>,
    /// `Location`, absolute.
    pub location: Option<Url>,
    /// `Tus-Extension`.
    pub extensions: Vec<String>,
    /// `Tus-Max-Size`.
    pub max_size: Option<u64>,
    /// Tidegate's digest of the complete upload.
    pub digest: Option<Digest>,
    /// The asset's id on a Tidegate server.
    pub asset: Option<String>,
}

impl Fields {
    /// Reads them.
    pub(crate) fn read(headers: &HeaderMap, target: &Target) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let number = |name: &str| text(name).and_then(whole_number);
        Self {
            offset: number("upload-offset"),
            length: number("upload-length"),
            location: text("location").and_then(|location| target.locate(location)),
            extensions: text("tus-extension")
                .map(|list| list.split(',').map(|item| item.trim().to_ascii_lowercase()).collect())
                .unwrap_or_default(),
            max_size: number("tus-max-size"),
            digest: text(DIGEST).and_then(|digest| digest.parse().ok()),
            asset: text(ASSET).and_then(asset_id),
        }
    }
}

/// Digits only: `parse` alone would take a plus sign too.
fn whole_number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The id in `/media/{id}/source`.
fn asset_id(path: &str) -> Option<String> {
    let id = path.strip_prefix("/media/")?.strip_suffix("/source")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (!id.is_empty() && id.bytes().all(plain)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &str)]) -> Fields {
        let headers =
            pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        Fields::read(&headers, &Target::parse("http://h:1").unwrap())
    }

    #[test]
    fn metadata_is_base64_behind_each_key() {
        assert_eq!(
            metadata("vidéo, 1.mp4", "video/mp4", false),
            "filename dmlkw6lvLCAxLm1wNA==,filetype dmlkZW8vbXA0"
        );
        assert_eq!(
            metadata("", "text/plain", true),
            "filename ,filetype dGV4dC9wbGFpbg==,encrypt YWVzLTEyOA=="
        );
    }

    #[test]
    fn a_final_upload_names_its_parts_by_path() {
        let part = |text: &str| Url::parse(text).unwrap();
        assert_eq!(
            concat_final(&[part("http://h:1/files/a"), part("http://h:1/files/b%20c")]),
            "final;/files/a /files/b%20c"
        );
    }

    #[test]
    fn what_an_answer_says_is_read() {
        let digest = format!("blake3:{}", "ab".repeat(32));
        let answer = fields(&[
            ("upload-offset", "5"),
            ("upload-length", " 7 "),
            ("location", "/files/a"),
            ("tus-extension", "creation, Concatenation"),
            ("tus-max-size", "100"),
            (DIGEST, &digest),
            (ASSET, "/media/0190-a/source"),
        ]);
        assert_eq!((answer.offset, answer.length, answer.max_size), (Some(5), Some(7), Some(100)));
        assert_eq!(answer.location.unwrap().as_str(), "http://h:1/files/a");
        assert_eq!(answer.extensions, ["creation", "concatenation"]);
        assert_eq!(
            (answer.digest.unwrap().to_string(), answer.asset.unwrap()),
            (digest, "0190-a".to_owned())
        );
    }

    #[test]
    fn fields_that_make_no_sense_are_as_good_as_missing() {
        for offset in ["", "-1", "+5", "5x", "1e3", "99999999999999999999"] {
            assert_eq!(fields(&[("upload-offset", offset)]).offset, None, "{offset}");
        }
        assert_eq!(fields(&[(DIGEST, "blake3:00")]).digest, None);
        for asset in ["/media//source", "/media/a", "/media/../x/source", "/media/a%2e/source"] {
            assert_eq!(fields(&[(ASSET, asset)]).asset, None, "{asset}");
        }
    }
}
