//! Random texts that stand for an account, and what is kept of them.
//!
//! Tokens and session ids have 256 random bits, so one round of SHA-256 is enough to keep them by: there is nothing
//! to guess. Who reads the catalogue cannot use what is there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tidegate_serve::Entropy;
use tidegate_wire::{AssetId, digest};

/// What an API token begins with, so that people and secret scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "tg_";

/// A new API token.
pub fn new_token(entropy: &Entropy) -> String {
    format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()))
}

/// A new secret that nobody types: a session, as it stands in the cookie; a password reset, as it is mailed.
pub fn new_session_id(entropy: &Entropy) -> String {
    URL_SAFE_NO_PAD.encode(entropy.bytes::<32>())
}

/// A new id of an account or a token: in order of time, and not secret.
pub fn new_id(now_ms: u64, entropy: &Entropy) -> String {
    AssetId::generate(now_ms, entropy.bytes()).to_string()
}

/// What is kept of a secret.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// What is kept of a secret, in hexadecimal digits.
pub fn hash_hex(secret: &str) -> String {
    digest::to_hex(&hash(secret))
}
