//! The texts of messages, each plain and as HTML. Pure.
//!
//! Names and reasons are other people's: in a subject they are one line without control characters, in HTML they are
//! escaped, and they are never longer than a line or two.

use std::time::Duration;

use crate::html::escape;
use crate::limits;

/// A message before it has a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is about, for logs and metrics.
    pub kind: &'static str,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub plain: String,
    /// The same in HTML.
    pub html: String,
    /// How long it makes sense to send it.
    pub useful_for: Option<Duration>,
}

/// One line: no control characters, nor those that turn the direction of what follows.
fn line(text: &str, chars: usize) -> String {
    let unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let seen: String = text.chars().map(|c| if unseen(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = seen.split_whitespace().collect();
    words.join(" ").chars().take(chars).collect()
}

/// Paragraphs and a link, in both forms.
fn letter(kind: &'static str, subject: String, paragraphs: &[&str], (label, link): (&str, &str)) -> Letter {
    let plain = format!("{}\n\n{label}:\n{link}\n", paragraphs.join("\n\n"));
    let html: String = paragraphs.iter().map(|paragraph| format!("<p>{}</p>\n", escape(paragraph))).collect();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"font-family:sans-serif;line-height:1.5\">\n{html}<p><a href=\"{}\">{}</a></p>\n</body></html>\n",
        escape(&subject),
        escape(link),
        escape(label)
    );
    Letter { kind, subject, plain, html, useful_for: None }
}

/// A video is ready.
pub fn ready(name: &str, link: &str) -> Letter {
    let name = line(name, limits::MAIL_NAME_CHARS);
    let text = format!("Your video \"{name}\" is ready to watch in every quality.");
    letter("ready", format!("{name} is ready"), &[&text], ("Watch it", link))
}

/// A video cannot be made.
pub fn failed(name: &str, why: &str, link: &str) -> Letter {
    let name = line(name, limits::MAIL_NAME_CHARS);
    let text =
        format!("Your video \"{name}\" could not be prepared for playing. The uploaded file is still there.");
    let why = format!("What went wrong: {}", line(why, limits::JOB_ERROR_CHARS));
    letter(
        "failed",
        format!("{name} could not be prepared"),
        &[&text, &why],
        ("Have a look, or try again", link),
    )
}

/// Someone has asked for a new password.
pub fn password_reset(username: &str, link: &str, for_s: u64) -> Letter {
    let minutes = for_s.div_ceil(60);
    let text = format!(
        "Someone, most likely you, has asked for a new password for the account {}.",
        line(username, limits::MAIL_NAME_CHARS)
    );
    let until = format!(
        "The link below works once, for {minutes} minutes. If it was not you, do nothing: your password stays as it is."
    );
    let letter = letter(
        "password_reset",
        "Choose a new password".to_owned(),
        &[&text, &until],
        ("Choose a new password", link),
    );
    Letter { useful_for: Some(Duration::from_secs(for_s)), ..letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_no_header_and_no_markup() {
        let name = "x\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>\u{202e}gpj.exe";
        for letter in [ready(name, "http://h/watch/1"), failed(name, name, "http://h/")] {
            assert!(!letter.subject.contains(['\r', '\n', '\u{202e}']), "{}", letter.subject);
            assert!(!letter.html.contains("<script"), "{}", letter.html);
            assert!(letter.html.contains("&lt;script&gt;"), "{}", letter.html);
            assert!(!letter.plain.contains("\nBcc:"), "{}", letter.plain);
        }
        let long = ready(&"x".repeat(5000), "http://h");
        assert!(long.subject.len() < 200);
    }

    #[test]
    fn both_forms_have_the_link() {
        let letter = password_reset("ada", "https://h/reset-password#token=a&b", 1800);
        assert!(letter.plain.contains("https://h/reset-password#token=a&b\n"), "{}", letter.plain);
        assert!(letter.html.contains("href=\"https://h/reset-password#token=a&amp;b\""), "{}", letter.html);
        assert!(letter.plain.contains("30 minutes"));
        assert_eq!(letter.useful_for, Some(Duration::from_secs(1800)));
    }
}
