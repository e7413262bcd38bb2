//! Playback grants: a signed, expiring permission to read below a path prefix.
//!
//! A grant stands in the path, `/g/{grant}/media/…`, so that relative URLs inherit it. It is
//! `base64url(version 1 | key id 4 | expiry 4 | prefix | signature 64)`, with the numbers in bytes, the expiry in
//! seconds since 1970 (big-endian), and an Ed25519 signature (RFC 8032) over a domain-separated copy of what stands
//! before it. Whoever holds the public keys verifies it alone; only the origin can make one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::fleet::PublicKey;

const VERSION: u8 = 1;
const HEAD: usize = 1 + 4 + 4;
const SIGNATURE: usize = 64;
const DOMAIN: &[u8] = b"tidegate playback grant v1\0";
/// The longest grant text that is looked at; a longer one is malformed.
pub const MAX_GRANT_CHARS: usize = 512;

/// Four bytes that name a signing key: the head of the SHA-256 of its public half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// The id of a public key.
    pub fn of(public: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, public);
        Self(std::array::from_fn(|i| digest.as_ref()[i]))
    }
}

/// Why a grant does not open a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Not a grant of a known version.
    #[error("this is not a grant")]
    Malformed,
    /// Signed by a key that is not in the ring: foreign, or rotated away.
    #[error("the grant was signed by an unknown key")]
    UnknownKey,
    /// The signature does not fit: tampered with.
    #[error("the grant's signature is wrong")]
    BadSignature,
    /// Its time is over.
    #[error("the grant has expired")]
    Expired,
    /// Genuine, but for other paths.
    #[error("the grant does not cover this path")]
    OutsidePrefix,
}

/// What a genuine grant says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Paths below this are permitted; it begins and ends with `/`.
    pub prefix: String,
    /// Seconds since 1970 from which it is void.
    pub expires_at: u32,
}

/// The private half: makes grants.
pub struct GrantSigner {
    pair: Ed25519KeyPair,
    key_id: KeyId,
}

/// A key that could not be read or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key in PKCS #8")]
pub struct InvalidKey;

impl GrantSigner {
    /// A new key as PKCS #8, to be kept secret.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate_pkcs8(random: &dyn SecureRandom) -> Result<Vec<u8>, InvalidKey> {
        Ed25519KeyPair::generate_pkcs8(random)
            .map(|document| document.as_ref().to_vec())
            .map_err(|_| InvalidKey)
    }

    /// Reads a key made by [`GrantSigner::generate_pkcs8`].
    ///
    /// # Errors
    /// [`InvalidKey`] for anything else.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| InvalidKey)?;
        let key_id = KeyId::of(pair.public_key().as_ref());
        Ok(Self { pair, key_id })
    }

    /// The half that may be told to everyone.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::new(self.pair.public_key().as_ref())
    }

    /// A grant text for paths below `prefix` (which must begin and end with `/`) until `expires_at`.
    pub fn sign(&self, prefix: &str, expires_at: u32) -> String {
        debug_assert!(prefix.starts_with('/') && prefix.ends_with('/'), "a prefix is a folder");
        let mut payload = Vec::with_capacity(HEAD + prefix.len() + SIGNATURE);
        payload.push(VERSION);
        payload.extend_from_slice(&self.key_id.0);
        payload.extend_from_slice(&expires_at.to_be_bytes());
        payload.extend_from_slice(prefix.as_bytes());
        let signature = self.pair.sign(&signed_message(&payload));
        payload.extend_from_slice(signature.as_ref());
        URL_SAFE_NO_PAD.encode(payload)
    }
}

/// The public keys grants are checked with: the current one and those rotated out whose grants still run.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: Vec<(KeyId, Vec<u8>)>,
}

impl KeyRing {
    /// A ring of these keys; a text that is not a key is left out.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Self {
        let keys =
            keys.into_iter().filter_map(PublicKey::to_bytes).map(|key| (KeyId::of(&key), key)).collect();
        Self { keys }
    }

    /// Whether there is no key at all, so that no grant can pass.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks that `text` is genuine, in force at `now` (seconds since 1970) and covers `path`.
    ///
    /// The signature is checked before expiry and prefix, so that a forger learns nothing about either.
    ///
    /// # Errors
    /// The first reason that holds, in the order of [`GrantError`]'s variants.
    pub fn verify(&self, text: &str, path: &str, now: u64) -> Result<Grant, GrantError> {
        if text.len() > MAX_GRANT_CHARS {
            return Err(GrantError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| GrantError::Malformed)?;
        if bytes.len() < HEAD + SIGNATURE || bytes[0] != VERSION {
            return Err(GrantError::Malformed);
        }
        let (payload, signature) = bytes.split_at(bytes.len() - SIGNATURE);
        let key_id = KeyId([payload[1], payload[2], payload[3], payload[4]]);
        let (_, public) = self.keys.iter().find(|(id, _)| *id == key_id).ok_or(GrantError::UnknownKey)?;
        UnparsedPublicKey::new(&ED25519, public)
            .verify(&signed_message(payload), signature)
            .map_err(|_| GrantError::BadSignature)?;
        let expires_at = u32::from_be_bytes([payload[5], payload[6], payload[7], payload[8]]);
        let prefix = std::str::from_utf8(&payload[HEAD..]).map_err(|_| GrantError::Malformed)?;
        if now >= u64::from(expires_at) {
            return Err(GrantError::Expired);
        }
        if !prefix.ends_with('/') || !path.starts_with(prefix) || climbs(path) {
            return Err(GrantError::OutsidePrefix);
        }
        Ok(Grant { prefix: prefix.to_owned(), expires_at })
    }
}

/// Splits `/g/{grant}/rest` into the grant and `/rest`.
pub fn split_path(path: &str) -> Option<(&str, &str)> {
    let after = path.strip_prefix("/g/")?;
    let slash = after.find('/')?;
    Some((&after[..slash], &after[slash..]))
}

/// The path under which `path` is read with `grant`.
pub fn granted_path(grant: &str, path: &str) -> String {
    format!("/g/{grant}{path}")
}

/// Whether a path could leave its prefix once someone normalises or decodes it.
fn climbs(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    lower.contains("%2e")
        || lower.contains("%2f")
        || lower.contains("%5c")
        || lower.contains('\\')
        || path.split('/').any(|segment| segment == ".." || segment == ".")
}

fn signed_message(payload: &[u8]) -> Vec<u8> {
    [DOMAIN, payload].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::rand::SystemRandom;

    use super::*;

    fn signer() -> GrantSigner {
        GrantSigner::from_pkcs8(&GrantSigner::generate_pkcs8(&SystemRandom::new()).unwrap()).unwrap()
    }

    const PREFIX: &str = "/media/a/";

    #[test]
    fn a_grant_opens_its_prefix_until_it_expires() {
        let signer = signer();
        let ring = KeyRing::new([&signer.public_key()]);
        let grant = signer.sign(PREFIX, 1000);
        assert_eq!(
            ring.verify(&grant, "/media/a/source", 999),
            Ok(Grant { prefix: PREFIX.into(), expires_at: 1000 })
        );
        assert_eq!(ring.verify(&grant, "/media/a/source", 1000), Err(GrantError::Expired));
        for path in [
            "/media/b/source",
            "/media/ab/source",
            "/media/a",
            "/media/a/../b/source",
            "/media/a/%2e%2e/b",
            "/media/a/%2Fb",
            "/",
        ] {
            assert_eq!(ring.verify(&grant, path, 0), Err(GrantError::OutsidePrefix), "{path}");
        }
    }

    #[test]
    fn two_keys_overlap_while_one_is_rotated_out() {
        let (old, new) = (signer(), signer());
        let both = KeyRing::new([&old.public_key(), &new.public_key()]);
        let after = KeyRing::new([&new.public_key()]);
        let grant = old.sign(PREFIX, 1000);
        assert!(both.verify(&grant, "/media/a/x", 0).is_ok());
        assert!(both.verify(&new.sign(PREFIX, 1000), "/media/a/x", 0).is_ok());
        assert_eq!(after.verify(&grant, "/media/a/x", 0), Err(GrantError::UnknownKey));
    }

    #[test]
    fn a_path_splits_into_grant_and_rest() {
        assert_eq!(split_path("/g/abc/media/x/source"), Some(("abc", "/media/x/source")));
        assert_eq!(split_path(&granted_path("abc", "/media/x")), Some(("abc", "/media/x")));
        assert_eq!(split_path("/g/abc"), None);
        assert_eq!(split_path("/media/x"), None);
    }

    proptest! {
        #[test]
        fn a_changed_bit_voids_a_grant(byte in 0usize..80, bit in 0u8..8) {
            let signer = signer();
            let ring = KeyRing::new([&signer.public_key()]);
            let mut bytes = URL_SAFE_NO_PAD.decode(signer.sign(PREFIX, u32::MAX)).unwrap();
            let at = byte % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(ring.verify(&URL_SAFE_NO_PAD.encode(bytes), "/media/a/source", 0).is_err());
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,200}", raw in prop::collection::vec(any::<u8>(), 0..200)) {
            let signer = signer();
            let ring = KeyRing::new([&signer.public_key()]);
            prop_assert!(ring.verify(&text, "/media/a/source", 0).is_err());
            prop_assert!(ring.verify(&URL_SAFE_NO_PAD.encode(raw), "/media/a/source", 0).is_err());
        }
    }
}
