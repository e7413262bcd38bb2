//! Secrets and signatures as the Standard Webhooks specification has them. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use tidegate_serve::Entropy;

/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// A new secret: 256 random bits.
pub fn new_secret(entropy: &Entropy) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(entropy.bytes::<32>()))
}

/// The value of `webhook-signature`. `None` when the secret is none.
pub fn sign(secret: &str, id: &str, timestamp_s: u64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{timestamp_s}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_libraries_is_signed_as_they_sign_it() {
        let signed = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn a_secret_is_long_and_another_each_time() {
        let entropy = Entropy::seeded(1);
        let (one, other) = (new_secret(&entropy), new_secret(&entropy));
        assert_ne!(one, other);
        let decoded = STANDARD.decode(one.strip_prefix("whsec_").unwrap()).unwrap();
        assert!((24..=64).contains(&decoded.len()));
        assert!(sign(&one, "a", 1, "{}").is_some());
        assert_eq!(sign("whsec_?", "a", 1, "{}"), None);
        assert_eq!(sign("secret", "a", 1, "{}"), None);
    }
}
