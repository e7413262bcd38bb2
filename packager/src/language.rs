//! Language tags (BCP 47).

/// The tag, if it is formed like one and says something.
pub(crate) fn known(tag: &str) -> Option<&str> {
    let subtag =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (tag.len() <= 35 && tag.split('-').all(subtag) && !tag.eq_ignore_ascii_case("und")).then_some(tag)
}
