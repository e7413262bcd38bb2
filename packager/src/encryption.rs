//! HLS AES-128 (RFC 8216 section 4.3.2.4): a media segment encrypted as a whole.
//!
//! CBC with PKCS7 padding, the segment's number in its track as the initialisation vector, which is what a playlist
//! without an `IV` attribute means where its first segment has number 0. Initialisation segments stay in the clear.
//! Encryption of single samples (CENC, `cbcs`) would work on the sample list of `fragments` before it is written.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use bytes::Bytes;
use tidegate_wire::digest::from_hex;
use tidegate_wire::job::Encryption;

use crate::fragments::Segment;

const BLOCK: usize = 16;

/// An asset's key.
#[derive(Clone)]
pub struct Key([u8; BLOCK]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A key that is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is 16 bytes in lower-case hexadecimal digits")]
pub struct InvalidKey;

impl TryFrom<&Encryption> for Key {
    type Error = InvalidKey;

    fn try_from(work: &Encryption) -> Result<Self, InvalidKey> {
        from_hex(&work.key).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(InvalidKey)
    }
}

impl Key {
    /// From the 16 bytes.
    pub fn new(bytes: [u8; BLOCK]) -> Self {
        Self(bytes)
    }

    /// The segment as it is stored and served. Its entry says the new size, and no longer where pictures are: no byte
    /// range of it can be read alone.
    pub fn encrypt(&self, segment: &Segment) -> Segment {
        let clear: usize = segment.bytes.iter().map(Bytes::len).sum();
        let mut bytes = Vec::with_capacity(clear + BLOCK);
        segment.bytes.iter().for_each(|piece| bytes.extend_from_slice(piece));
        // Padding always adds something, 1 to 16 bytes.
        bytes.resize(clear + BLOCK - clear % BLOCK, 0);
        let iv = u128::from(segment.number).to_be_bytes();
        let cipher = cbc::Encryptor::<Aes128>::new(&self.0.into(), &iv.into());
        let padded = cipher.encrypt_padded::<Pkcs7>(&mut bytes, clear);
        debug_assert!(padded.is_ok_and(|padded| padded.len() == clear + BLOCK - clear % BLOCK));
        let mut entry = segment.entry.clone();
        entry.size_bytes = bytes.len() as u64;
        entry.sync.clear();
        Segment { number: segment.number, bytes: vec![bytes.into()], entry }
    }
}
