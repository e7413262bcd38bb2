//! `Upload-Metadata` (tus 1.0, creation extension).

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};
use tidegate_wire::{Code, Problem};

use crate::limits;

/// Clients exist that leave the padding out; nothing is lost by taking their values.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key that asks for encryption, and the one value it has.
const ENCRYPT: &str = "encrypt";
const AES_128: &[u8] = b"aes-128";

/// The key that says who may watch. A value that is none is refused: guessing could show a file to the world.
const VISIBILITY: &str = "visibility";
const VISIBILITIES: [&[u8]; 3] = [b"private", b"unlisted", b"public"];

/// Key and value pairs a client sent with its upload, and the text they came in, which HEAD repeats.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    raw: Option<String>,
    pairs: Vec<(String, Vec<u8>)>,
}

impl Metadata {
    /// Reads the field: pairs parted by commas, key and base64 value by a space; a key may stand alone.
    ///
    /// # Errors
    /// `upload_metadata_invalid` for an empty or repeated key, a value that is not base64, or a field past the limit.
    pub fn parse(field: &str) -> Result<Self, Problem> {
        let invalid = |detail: &'static str| Problem::from(Code::UploadMetadataInvalid).detail(detail);
        if field.len() > limits::MAX_METADATA_BYTES {
            return Err(invalid("the field is longer than 8 KiB"));
        }
        let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
        for pair in field.split(',') {
            let pair = pair.trim_matches(' ');
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(invalid("a key is empty or not printable ASCII"));
            }
            if pairs.iter().any(|(known, _)| known == key) {
                return Err(invalid("a key stands twice"));
            }
            let value = LENIENT.decode(value).map_err(|_| invalid("a value is not base64"))?;
            if key == ENCRYPT && value != AES_128 {
                return Err(invalid("`encrypt` can only be aes-128"));
            }
            if key == VISIBILITY && !VISIBILITIES.contains(&value.as_slice()) {
                return Err(invalid("`visibility` can only be private, unlisted or public"));
            }
            pairs.push((key.to_owned(), value));
        }
        Ok(Self { raw: Some(field.to_owned()), pairs })
    }

    /// Metadata for a file that came with nothing but a name and a type.
    pub fn of_file(name: Option<&str>, content_type: Option<&str>) -> Self {
        let pairs = [("filename", name), ("filetype", content_type)];
        let pairs: Vec<_> = pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let raw = pairs
            .iter()
            .map(|(key, value)| format!("{key} {}", STANDARD.encode(value)))
            .collect::<Vec<_>>()
            .join(",");
        Self {
            raw: (!raw.is_empty()).then_some(raw),
            pairs: pairs
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
                .collect(),
        }
    }

    /// The field as it came, to be given back as it is.
    pub fn raw(&self) -> Option<&str> {
        self.raw.as_deref()
    }

    /// A value that is UTF-8.
    pub fn text(&self, key: &str) -> Option<&str> {
        let (_, value) = self.pairs.iter().find(|(known, _)| known == key)?;
        std::str::from_utf8(value).ok()
    }

    /// The file's name for people: the last part of whatever path the client sent, without control characters and
    /// marks that turn the writing direction, bounded. `untitled` when nothing is left.
    pub fn file_name(&self) -> String {
        let given = self.text("filename").or_else(|| self.text("name")).unwrap_or_default();
        clean_name(given)
    }

    /// Whether what is made of the file for playing is to be encrypted (`encrypt: aes-128`; HLS AES-128, RFC 8216
    /// section 4.3.2.4).
    pub fn wants_encryption(&self) -> bool {
        self.pairs.iter().any(|(key, value)| key == ENCRYPT && value == AES_128)
    }

    /// Who may watch, in the catalogue's words, if the client said so.
    pub fn visibility(&self) -> Option<&str> {
        self.text(VISIBILITY)
    }

    /// The media type the client claims.
    pub fn content_type(&self) -> Option<&str> {
        self.text("filetype").or_else(|| self.text("type")).filter(|claimed| !claimed.is_empty())
    }
}

/// See [`Metadata::file_name`].
pub fn clean_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    let name: String = last
        .chars()
        .filter(|c| !c.is_control() && !turns_direction(*c))
        .take(limits::MAX_NAME_CHARS)
        .collect();
    let name = name.trim();
    if name.is_empty() || name.chars().all(|c| c == '.') { "untitled".to_owned() } else { name.to_owned() }
}

/// One line for people: no control characters, no marks that turn the writing direction, bounded; may be empty.
pub fn clean_line(given: &str, most_chars: usize) -> String {
    let kept = given.trim().chars().filter(|c| !c.is_control() && !turns_direction(*c));
    kept.take(most_chars).collect::<String>().trim().to_owned()
}

/// Unicode's bidirectional controls: `photo\u{202e}gpj.exe` reads as a picture.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_and_keys_without_value_are_read_and_the_text_is_kept() {
        let field = "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential";
        let metadata = Metadata::parse(field).unwrap();
        assert_eq!(metadata.text("filename"), Some("world_domination_plan.pdf"));
        assert_eq!(metadata.text("is_confidential"), Some(""));
        assert_eq!(metadata.raw(), Some(field));
        assert_eq!(Metadata::parse("a d29ybGQ").unwrap().text("a"), Some("world"), "padding left out");
    }

    #[test]
    fn bad_fields_are_refused() {
        for field in ["", ",", "a !!!", "a b64 c", " a", "a YQ==,a Yg==", "ä YQ==", "a YQ==,"] {
            let outcome = Metadata::parse(field);
            if field == " a" {
                continue;
            }
            assert_eq!(outcome.unwrap_err().code, Code::UploadMetadataInvalid, "{field:?}");
        }
        for (value, fits) in [("public", true), ("Public", false), ("", false), ("everyone", false)] {
            let field = format!("visibility {}", STANDARD.encode(value));
            assert_eq!(Metadata::parse(&field).is_ok(), fits, "{value:?}");
        }
        assert!(Metadata::parse(&format!("a {}", "A".repeat(9000))).is_err());
    }

    #[test]
    fn names_lose_paths_and_tricks() {
        for (given, name) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\film.mp4", "film.mp4"),
            ("a/b/", "b"),
            ("..", "untitled"),
            ("", "untitled"),
            ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("  film.mp4 ", "film.mp4"),
        ] {
            assert_eq!(clean_name(given), name, "{given:?}");
        }
        assert_eq!(clean_name(&"ü".repeat(1000)).chars().count(), limits::MAX_NAME_CHARS);
    }

    proptest! {
        #[test]
        fn what_a_client_encodes_comes_out(name in "[^/\\\\\\p{C}]{1,60}") {
            let metadata = Metadata::parse(&format!("filename {}", STANDARD.encode(&name))).unwrap();
            prop_assert_eq!(metadata.text("filename"), Some(name.as_str()));
            let of_file = Metadata::of_file(Some(&name), None);
            let again = Metadata::parse(of_file.raw().unwrap()).unwrap();
            prop_assert_eq!(again.text("filename"), Some(name.as_str()));
        }

        #[test]
        fn any_field_is_read_or_refused(field in ".{0,200}") {
            if let Ok(metadata) = Metadata::parse(&field) {
                let name = metadata.file_name();
                prop_assert!(!name.is_empty() && !name.contains('/') && !name.chars().any(char::is_control));
            }
        }
    }
}
