//! An API token that cannot be printed by accident.

use std::fmt;
use std::io::Read;
use std::path::Path;

use reqwest::header::HeaderValue;

use crate::error::UploadError;
use crate::limits;

/// A bearer token. Neither `Debug` nor any error shows it.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Takes a token as the server issued it; white space around it is dropped.
    ///
    /// # Errors
    /// [`UploadError::Usage`] when it is empty or has characters no header field can carry.
    pub fn new(text: &str) -> Result<Self, UploadError> {
        let text = text.trim();
        let usage = |why: &str| UploadError::Usage(format!("the token {why}"));
        if text.is_empty() {
            return Err(usage("is empty"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(usage("has characters that no token has"));
        }
        let mut value =
            HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| usage("cannot be sent"))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// Reads it from a file. Blocks.
    ///
    /// # Errors
    /// [`UploadError::Usage`] when the file cannot be read or holds no token.
    pub fn read(path: &Path) -> Result<Self, UploadError> {
        let usage =
            |why: String| UploadError::Usage(format!("cannot read the token from {}: {why}", path.display()));
        let file = std::fs::File::open(path).map_err(|error| usage(error.to_string()))?;
        let mut text = String::new();
        file.take(limits::TOKEN_FILE_MAX)
            .read_to_string(&mut text)
            .map_err(|error| usage(error.to_string()))?;
        Self::new(&text).map_err(|error| usage(error.to_string()))
    }

    /// The value of `Authorization`, marked as sensitive.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new(" tg_secret\n").unwrap();
        assert_eq!(token.header(), "Bearer tg_secret");
        assert!(!format!("{token:?} {:?}", token.header()).contains("secret"));
        for text in ["", " ", "tg_secret\r\nx: y", "tg_secret\u{e9}", "tg secret"] {
            assert!(!Token::new(text).unwrap_err().to_string().contains("secret"), "{text}");
        }
    }
}
