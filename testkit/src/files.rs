//! Files with known bytes.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use crate::random::Random;

/// `size` bytes of this seed's sequence.
pub fn random_bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    Random::seeded(seed).fill(&mut bytes);
    bytes
}

/// Writes `size` bytes of this seed's sequence to `path` and returns their [`digest_of`].
///
/// # Panics
/// When the file cannot be written.
pub fn random_file(path: &Path, seed: u64, size: u64) -> String {
    const BLOCK: usize = 1 << 20;
    let mut file = BufWriter::with_capacity(BLOCK, File::create(path).expect("a file to write"));
    let (mut random, mut hasher, mut block) = (Random::seeded(seed), blake3::Hasher::new(), vec![0; BLOCK]);
    let mut left = size;
    while left > 0 {
        let now = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
        random.fill(&mut block[..now]);
        hasher.update(&block[..now]);
        file.write_all(&block[..now]).expect("writing the file");
        left -= now as u64;
    }
    file.flush().expect("writing the file");
    format!("blake3:{}", hasher.finalize().to_hex())
}

/// The digest of bytes in the form our API shows: `blake3:HEX`.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(bytes).to_hex())
}

/// The digest of a file.
///
/// # Panics
/// When it cannot be read.
pub fn digest_of_file(path: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path).expect("a file to read")).expect("reading the file");
    format!("blake3:{}", hasher.finalize().to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_bytes_have_one_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let size = (2 << 20) + 13;
        let digest = random_file(&path, 5, size as u64);
        assert_eq!(digest, digest_of_file(&path));
        assert_eq!(std::fs::read(&path).unwrap().len(), size);
        // Blocks are a multiple of the generator's word, so the file is the sequence without a seam.
        assert_eq!(digest, digest_of(&random_bytes(5, size)));
    }
}
