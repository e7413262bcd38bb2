//! What people say of an asset, and what searches and filters see of it. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits;
use crate::protocol::Metadata;
use crate::protocol::metadata::clean_line;

/// Between two terms of the text that filters look at; nothing that is said of an asset has one in it.
const BOUND: char = '\u{1f}';
/// Between the key and the value of a term.
const IS: char = '\u{1e}';

/// Title, description, tags, and whatever else as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What it is shown as, if that is not its name.
    pub title: Option<String>,
    /// In as many lines as it takes; empty for none.
    pub description: String,
    /// One word or a few each; no two are the same but for their case.
    pub tags: Vec<String>,
    /// Members of the owner's own.
    pub metadata: Map<String, Value>,
}

impl About {
    /// What a client said of its upload, as far as it can be used; the rest is left out.
    pub fn of_upload(metadata: &Metadata) -> Self {
        let title = metadata.text("title").map(|text| clean_line(text, limits::ASSET_TITLE_CHARS));
        let description = metadata.text("description").unwrap_or_default();
        let description =
            description.chars().filter(|c| is_of_text(*c)).take(limits::ASSET_DESCRIPTION_CHARS);
        let mut tags: Vec<String> = Vec::new();
        for tag in metadata.text("tags").unwrap_or_default().split(',') {
            let tag = clean_line(tag, limits::ASSET_TAG_CHARS);
            if !tag.is_empty() && !has(&tags, &tag) && tags.len() < limits::ASSET_TAGS {
                tags.push(tag);
            }
        }
        Self {
            title: title.filter(|title| !title.is_empty()),
            description: description.collect::<String>().trim().to_owned(),
            tags,
            metadata: Map::new(),
        }
    }

    /// Whether all of it may be kept.
    ///
    /// # Errors
    /// What is allowed of the first member that is not.
    pub fn check(&self) -> Result<(), String> {
        let (title, description) = (limits::ASSET_TITLE_CHARS, limits::ASSET_DESCRIPTION_CHARS);
        if self.title.as_ref().is_some_and(|text| !is_line(text, title)) {
            return Err(format!(
                "title: 1 to {title} characters, not only spaces, no control characters; or null"
            ));
        }
        if self.description.chars().count() > description || !self.description.chars().all(is_of_text) {
            return Err(format!(
                "description: at most {description} characters, no control characters but tabs and line ends"
            ));
        }
        let (many, chars) = (limits::ASSET_TAGS, limits::ASSET_TAG_CHARS);
        let is_tag = |(n, tag): (usize, &String)| is_line(tag, chars) && !has(&self.tags[..n], tag);
        if self.tags.len() > many || !self.tags.iter().enumerate().all(is_tag) {
            return Err(format!(
                "tags: at most {many}, each other than the rest and of 1 to {chars} characters, no control characters"
            ));
        }
        self.check_metadata()
    }

    fn check_metadata(&self) -> Result<(), String> {
        let (many, bytes) = (limits::ASSET_METADATA_KEYS, limits::ASSET_METADATA_BYTES);
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let is_key = |key: &String| {
            (1..=limits::ASSET_METADATA_KEY_BYTES).contains(&key.len()) && key.bytes().all(plain)
        };
        let is_small = serde_json::to_string(&self.metadata).is_ok_and(|text| text.len() <= bytes);
        if self.metadata.len() > many || !self.metadata.keys().all(is_key) || !is_small {
            let key = limits::ASSET_METADATA_KEY_BYTES;
            return Err(format!(
                "metadata: an object of at most {many} members and {bytes} bytes; keys are 1 to {key} of a-z, A-Z, 0-9, \
                 `_`, `-` and `.`"
            ));
        }
        Ok(())
    }

    /// What a search for a piece of text looks at: name, title, tags and description, as far as an index takes them.
    pub fn search_text(&self, name: &str) -> String {
        let parts = [name, self.title.as_deref().unwrap_or_default()];
        let lines =
            parts.into_iter().chain(self.tags.iter().map(String::as_str)).chain([self.description.as_str()]);
        let lines: Vec<String> = lines.filter(|line| !line.is_empty()).map(fold).collect();
        lines.join("\n").chars().take(limits::SEARCHED_CHARS).collect()
    }

    /// What filters by tag and by metadata look at.
    pub fn terms(&self) -> String {
        let tags = self.tags.iter().map(|tag| tag_term(tag));
        let members = self.metadata.iter().filter_map(|(key, value)| member_term(key, &plain_value(value)?));
        let all: Vec<String> = tags.chain(members).collect();
        if all.is_empty() { String::new() } else { all.concat() }
    }

    /// What lists by title go by: the title or else the name, as far as an index takes it.
    pub fn title_key(&self, name: &str) -> String {
        fold(self.title.as_deref().unwrap_or(name)).chars().take(limits::SORT_KEY_CHARS).collect()
    }
}

/// How texts are compared: their case does not count.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The term of a tag.
pub fn tag_term(tag: &str) -> String {
    format!("{BOUND}#{}{BOUND}", fold(tag))
}

/// The term of a member whose value is this text, whatever the case; `None` for what no filter finds.
pub fn member_term(key: &str, value: &str) -> Option<String> {
    let fits =
        value.chars().count() <= limits::ASSET_METADATA_TERM_CHARS && !value.chars().any(char::is_control);
    fits.then(|| fold(&format!("{BOUND}={key}{IS}{value}{BOUND}")))
}

/// A value that has a plain text: of a text itself, of a number or a truth value its JSON.
fn plain_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn has(tags: &[String], tag: &str) -> bool {
    tags.iter().any(|known| fold(known) == fold(tag))
}

fn is_line(text: &str, most_chars: usize) -> bool {
    (1..=most_chars).contains(&text.chars().count())
        && !text.trim().is_empty()
        && !text.chars().any(char::is_control)
}

fn is_of_text(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\r' | '\t')
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn about(title: Option<&str>, description: &str, tags: &[&str], metadata: &Value) -> About {
        About {
            title: title.map(str::to_owned),
            description: description.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            metadata: metadata.as_object().unwrap().clone(),
        }
    }

    #[test]
    fn what_is_said_of_an_asset_has_limits() {
        let ok = |title: Option<&str>, description: &str, tags: &[&str], metadata: &Value| {
            about(title, description, tags, metadata).check().is_ok()
        };
        let none = json!({});
        assert!(ok(None, "", &[], &none));
        assert!(ok(
            Some("Fête à la mer \u{200f}שלום"),
            "one\n\ttwo",
            &["sea", "Été"],
            &json!({ "a.b-c_1": [1, { "x": null }] })
        ));
        assert!(ok(Some(&"ü".repeat(200)), &"ü".repeat(5000), &["x"; 1], &none));
        for title in ["", "  ", "a\nb", "a\0", &"x".repeat(201)] {
            assert!(!ok(Some(title), "", &[], &none), "{title:?}");
        }
        for description in ["a\0b", "\u{1f}", &"x".repeat(5001)] {
            assert!(!ok(None, description, &[], &none), "{description:?}");
        }
        let many: Vec<String> = (0..31).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(ok(None, "", &many[..30], &none) && !ok(None, "", &many, &none));
        for tags in [&["a", "A"][..], &[""], &["a\u{1f}#b"], &[&"x".repeat(51)]] {
            assert!(!ok(None, "", tags, &none), "{tags:?}");
        }
        for metadata in [
            json!({ "": 1 }),
            json!({ "a b": 1 }),
            json!({ "ä": 1 }),
            json!({ "x".repeat(65): 1 }),
            json!({ "x": "y".repeat(8192) }),
            (0..51).map(|n| (format!("k{n}"), json!(n))).collect(),
        ] {
            assert!(!ok(None, "", &[], &metadata), "{metadata}");
        }
    }

    #[test]
    fn an_upload_may_say_anything_and_what_can_be_used_is() {
        let field = |pairs: &[(&str, &str)]| {
            let pairs: Vec<String> =
                pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
            About::of_upload(&Metadata::parse(&pairs.join(",")).unwrap())
        };
        let said = field(&[
            ("title", " My\u{202e} day\r\n\0 "),
            ("description", "one\u{7}\ntwo\0 "),
            ("tags", "sea, Sea ,, été,a\u{1f}b"),
        ]);
        assert_eq!(said, about(Some("My day"), "one\ntwo", &["sea", "été", "ab"], &json!({})));
        let tags: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
        let much = field(&[("title", &"x".repeat(400)), ("tags", &tags.join(","))]);
        assert!(much.check().is_ok() && much.tags.len() == 30);
        assert_eq!(field(&[("title", "\u{1}"), ("filename", "a.mp4")]), About::default());
    }

    #[test]
    fn terms_are_whole_and_nothing_else_looks_like_one() {
        let about = about(
            None,
            "",
            &["Sea", "two words"],
            &json!({ "client": "ACME", "n": 3, "ok": true, "deep": {} }),
        );
        let terms = about.terms();
        for term in [tag_term("sea"), tag_term("Two Words"), member_term("client", "ACME").unwrap()] {
            assert!(terms.contains(&term), "{term:?}");
        }
        assert!(
            terms.contains(&member_term("n", "3").unwrap())
                && terms.contains(&member_term("ok", "true").unwrap())
        );
        for term in
            [tag_term("se"), tag_term("words"), member_term("client", "ACM").unwrap(), tag_term("=n\u{1e}3")]
        {
            assert!(!terms.contains(&term), "{term:?}");
        }
        assert!(terms.contains(&member_term("Client", "acme").unwrap()));
        assert_eq!(member_term("a", "x\u{1f}#sea"), None);
    }

    proptest! {
        #[test]
        fn whatever_an_upload_says_may_be_kept(title in ".{0,300}", tags in ".{0,300}", description in ".{0,300}") {
            let field = format!(
                "title {},tags {},description {}",
                STANDARD.encode(&title), STANDARD.encode(&tags), STANDARD.encode(&description),
            );
            let said = About::of_upload(&Metadata::parse(&field).unwrap());
            prop_assert_eq!(said.check(), Ok(()));
        }
    }
}
