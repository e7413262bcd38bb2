//! Attribute lists (RFC 8216 section 4.2).

use std::fmt::{Display, Write};

use crate::limits;

/// A tag with attributes, as a line.
pub(super) struct Tag(String);

impl Tag {
    pub(super) fn new(name: &str) -> Self {
        Self(format!("#{name}:"))
    }

    /// A number, an enumerated string or a resolution.
    pub(super) fn plain(mut self, name: &str, value: impl Display) -> Self {
        self.separate();
        // Writing to a string does not fail.
        let _ = write!(self.0, "{name}={value}");
        self
    }

    /// A quoted string, which can hold neither quotes nor line ends.
    pub(super) fn quoted(mut self, name: &str, value: &str) -> Self {
        self.separate();
        let _ = write!(self.0, "{name}=\"{}\"", quotable(value));
        self
    }

    /// A quoted string, where there is one.
    pub(super) fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.quoted(name, value),
            None => self,
        }
    }

    fn separate(&mut self) {
        if !self.0.ends_with(':') {
            self.0.push(',');
        }
    }

    pub(super) fn end(self, out: &mut String) {
        out.push_str(&self.0);
        out.push('\n');
    }
}

/// The text as far as a quoted string can say it.
pub(super) fn quotable(text: &str) -> String {
    let safe = |letter: char| match letter {
        '"' => '\'',
        letter if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') => ' ',
        letter => letter,
    };
    text.chars().take(limits::MAX_LABEL_CHARS).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_string_cannot_be_left() {
        let mut out = String::new();
        let evil = "a\",URI=\"x\"\r\n#EXT-X-ENDLIST\n\u{2028}é";
        Tag::new("EXT-X-MEDIA").plain("TYPE", "AUDIO").quoted("NAME", evil).end(&mut out);
        assert_eq!(out, "#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a',URI='x'  #EXT-X-ENDLIST  é\"\n");
    }
}
