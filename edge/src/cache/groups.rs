//! Groups an object belongs to, as its origin says (RFC 9875): what a purge by tag names, and what an answer to a
//! request that changes something may ask to be forgotten.

use http::{HeaderMap, HeaderName};
use tidegate_wire::headers;

use crate::limits;

/// What an object belongs to: a list of strings (RFC 9875 section 2).
pub(crate) const CACHE_GROUPS: HeaderName = HeaderName::from_static(headers::CACHE_GROUPS);
/// What an unsafe request has changed (RFC 9875 section 3).
pub(crate) const CACHE_GROUP_INVALIDATION: HeaderName =
    HeaderName::from_static(headers::CACHE_GROUP_INVALIDATION);

/// Names of groups; compared as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Groups(Box<[Box<str>]>);

impl Groups {
    /// What the fields called `name` list; none where they are not a list of strings (RFC 9651 section 4.2: a field
    /// that cannot be read is ignored as a whole).
    pub(crate) fn of(headers: &HeaderMap, name: &HeaderName) -> Self {
        let mut fields = headers.get_all(name).iter().peekable();
        if fields.peek().is_none() {
            return Self::default();
        }
        let lists: Option<Vec<_>> = fields.map(|value| read(value.to_str().ok()?)).collect();
        let mut names: Vec<_> = lists.unwrap_or_default().into_iter().flatten().collect();
        names.truncate(limits::GROUPS);
        Self(names.into())
    }

    /// Whether one of them is among `wanted`.
    pub(crate) fn meet(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|name| wanted(name))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        self.0.iter().map(|name| name.len() + size_of::<Box<str>>()).sum()
    }
}

/// A list of strings (RFC 9651 section 3.1), parameters left out of account.
fn read(list: &str) -> Option<Vec<Box<str>>> {
    let mut names = Vec::new();
    let mut rest = list.trim_matches(' ');
    loop {
        let (name, after) = string(rest)?;
        names.push(name);
        // A parameter's value may be a string with a comma in it: those are read as strings too.
        let mut after = after.trim_start_matches([' ', '\t']);
        while let Some(parameter) = after.strip_prefix(';') {
            let end = parameter.find(['"', ',', ';']).unwrap_or(parameter.len());
            after = match parameter[end..].starts_with('"') {
                true => string(&parameter[end..])?.1,
                false => &parameter[end..],
            };
            after = after.trim_start_matches([' ', '\t']);
        }
        if after.is_empty() {
            return Some(names);
        }
        rest = after.strip_prefix(',')?.trim_start_matches([' ', '\t']);
    }
}

/// A string (RFC 9651 section 3.3.3) and what comes after it.
fn string(text: &str) -> Option<(Box<str>, &str)> {
    let text = text.strip_prefix('"')?;
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (name.len() <= limits::GROUP_BYTES).then(|| (name.into(), &text[at + 1..])),
            '\\' => name.push(characters.next().map(|(_, c)| c).filter(|c| matches!(c, '"' | '\\'))?),
            ' '..='~' => name.push(c),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn groups(lists: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(CACHE_GROUPS, HeaderValue::from_static(list));
        }
        Groups::of(&headers, &CACHE_GROUPS).0.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn lists_of_strings_are_read() {
        assert_eq!(groups(&["\"a\""]), ["a"]);
        assert_eq!(
            groups(&["\"a\" , \"b c\";x=1;y=\"d,\\\"e\", \"\\\\\"", "\"f\""]),
            ["a", "b c", "\\", "f"]
        );
        assert_eq!(groups(&[]), [""; 0]);
    }

    #[test]
    fn what_is_no_list_of_strings_is_ignored_as_a_whole() {
        for list in ["", "a", "\"a", "\"a\",", "\"a\" \"b\"", "\"a\", b", "\"\\x\"", "\"a\";\"b"] {
            assert_eq!(groups(&[list]), [""; 0], "{list}");
            assert_eq!(groups(&["\"good\"", list]), [""; 0], "{list}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(names in prop::collection::vec("[ -~]{0,40}", 1..20)) {
            let quoted = |name: &String| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
            let list = names.iter().map(quoted).collect::<Vec<_>>().join(", ");
            let read = read(&list).unwrap();
            prop_assert_eq!(read.iter().map(ToString::to_string).collect::<Vec<_>>(), names);
        }

        #[test]
        fn nothing_makes_it_fail(list in "[\"\\\\;, a=\u{e4}]{0,30}") {
            let _ = read(&list);
        }
    }
}
