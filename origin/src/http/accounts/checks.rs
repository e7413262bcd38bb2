//! What may be a username, an email address, a password.

use crate::http::error::ApiError;
use crate::limits;

/// Letters and digits of ASCII and `_`, `-`, `.`: no two look alike, and none has the `@` of an email address.
pub(in crate::http) fn check_username(username: &str) -> Result<(), ApiError> {
    let (min, max) = (limits::USERNAME_CHARS.start(), limits::USERNAME_CHARS.end());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let fits = limits::USERNAME_CHARS.contains(&username.len())
        && username.chars().all(allowed)
        && username.starts_with(|c: char| c.is_ascii_alphanumeric());
    if fits {
        return Ok(());
    }
    Err(ApiError::field(format!(
        "username: {min} to {max} of a-z, A-Z, 0-9, `_`, `-` and `.`, beginning with a letter or a digit"
    )))
}

/// What could be an address at all; whether it is one only a message to it can tell.
pub(in crate::http) fn check_email(email: &str) -> Result<(), ApiError> {
    let fits = email.len() <= limits::EMAIL_BYTES
        && !email.chars().any(|c| c.is_control() || c.is_whitespace())
        && email
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if fits {
        return Ok(());
    }
    Err(ApiError::field(format!(
        "email: one `@` with something on both sides, no spaces, at most {} bytes",
        limits::EMAIL_BYTES
    )))
}

/// Long enough is all that is asked (NIST SP 800-63B section 3.1.1.2 advises against more).
pub(in crate::http) fn check_password(field: &str, password: &str) -> Result<(), ApiError> {
    if password.chars().count() >= limits::PASSWORD_MIN_CHARS && password.len() <= limits::PASSWORD_MAX_BYTES
    {
        return Ok(());
    }
    Err(ApiError::field(format!(
        "{field}: at least {} characters, at most {} bytes",
        limits::PASSWORD_MIN_CHARS,
        limits::PASSWORD_MAX_BYTES
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_and_addresses_are_checked() {
        for name in ["abc", "A.b-c_9", &"x".repeat(32)] {
            assert!(check_username(name).is_ok(), "{name}");
        }
        for name in ["", "ab", "-abc", "a b", "a@b", "ä23", "a\0b", &"x".repeat(33)] {
            assert!(check_username(name).is_err(), "{name}");
        }
        for email in ["a@b", "a.b+c@example.org", "ü@example.org"] {
            assert!(check_email(email).is_ok(), "{email}");
        }
        for email in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", &format!("{}@b", "x".repeat(254))] {
            assert!(check_email(email).is_err(), "{email}");
        }
        assert!(
            check_password("password", "12345678").is_ok()
                && check_password("password", "パスワード１２３").is_ok()
        );
        assert!(
            check_password("password", "1234567").is_err()
                && check_password("password", &"x".repeat(257)).is_err()
        );
    }
}
