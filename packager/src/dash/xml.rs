//! As much XML as an MPD needs.

use std::fmt::Display;

/// An element under construction. Every value is escaped here, wherever it came from.
pub(super) struct Element {
    name: &'static str,
    head: String,
    body: String,
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, head: format!("<{name}"), body: String::new() }
    }

    pub(super) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.head.push_str(&format!(" {name}=\"{}\"", escape(&value.to_string())));
        self
    }

    pub(super) fn child(mut self, child: Element) -> Self {
        self.add(child);
        self
    }

    pub(super) fn add(&mut self, child: Element) {
        for line in child.finish().lines() {
            self.body.push_str("  ");
            self.body.push_str(line);
            self.body.push('\n');
        }
    }

    /// An element that holds text alone.
    pub(super) fn text(name: &'static str, text: &str) -> Self {
        Self { name, head: format!("<{name}>{}</{name}>", escape(text)), body: String::new() }
    }

    pub(super) fn finish(self) -> String {
        let Self { name, head, body } = self;
        match body.is_empty() {
            true if head.ends_with('>') => head + "\n",
            true => head + "/>\n",
            false => format!("{head}>\n{body}</{name}>\n"),
        }
    }
}

/// Text for attributes and content; what XML 1.0 has no way to say is left out, and line ends become spaces.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push(' '),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escape("a\"<b>&'\n\u{0}\u{1b}é"), "a&quot;&lt;b&gt;&amp;&#39; é");
        let element = Element::new("A").with("b", "\"/><x").child(Element::text("L", "</L>"));
        assert_eq!(element.finish(), "<A b=\"&quot;/&gt;&lt;x\">\n  <L>&lt;/L&gt;</L>\n</A>\n");
    }
}
