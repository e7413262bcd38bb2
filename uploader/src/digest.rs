//! The BLAKE3 digest of a file that is read in several places at once and never twice.
//!
//! BLAKE3 is a tree over the file. Its subtrees of a power-of-two length, aligned, can be hashed in any order and
//! joined afterwards; each such leaf leaves 32 bytes. Parts begin on leaves, so a resumed or parallel upload needs
//! no second pass.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use blake3::Hasher;
use blake3::hazmat::{self, HasherExt, Mode};
use tidegate_wire::Digest;

use crate::{limits, plan};

/// Collects the leaves of one file.
#[derive(Debug)]
pub(crate) struct Digester {
    size: u64,
    leaf: u64,
    leaves: Mutex<Vec<Option<[u8; 32]>>>,
}

impl Digester {
    /// For a file of `size` bytes.
    pub(crate) fn new(size: u64) -> Arc<Self> {
        let leaf = plan::leaf_len(size);
        let count = usize::try_from(size.div_ceil(leaf).max(1)).unwrap_or(usize::MAX);
        Arc::new(Self { size, leaf, leaves: Mutex::new(vec![None; count]) })
    }

    /// The first leaf boundary at or after `offset`, or the end of the file.
    pub(crate) fn boundary(&self, offset: u64) -> u64 {
        offset.checked_next_multiple_of(self.leaf).unwrap_or(self.size).min(self.size)
    }

    /// The digest, once every byte was fed to some lane.
    pub(crate) fn finish(&self) -> Option<Digest> {
        if self.size == 0 {
            return Some(Digest::from_bytes(*blake3::hash(b"").as_bytes()));
        }
        let leaves: Option<Vec<[u8; 32]>> =
            self.leaves.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let leaves = leaves?;
        if let [only] = leaves[..] {
            return Some(Digest::from_bytes(only));
        }
        let (left, right) = leaves.split_at(left_leaves(leaves.len()));
        let root = hazmat::merge_subtrees_root(&join(left), &join(right), Mode::Hash);
        Some(Digest::from_bytes(*root.as_bytes()))
    }

    fn put(&self, begins: u64, hasher: &Hasher) {
        // The root of a tree is finished otherwise than its branches; a file of one leaf is its own root.
        let value =
            if self.size <= self.leaf { *hasher.finalize().as_bytes() } else { hasher.finalize_non_root() };
        let index = usize::try_from(begins / self.leaf).unwrap_or(usize::MAX);
        if let Some(leaf) = self.leaves.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *leaf = Some(value);
        }
    }
}

/// The left subtree has the largest power of two of leaves that leaves something for the right one.
fn left_leaves(count: usize) -> usize {
    count.next_power_of_two() / 2
}

fn join(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => [0; 32],
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(left_leaves(leaves.len()));
            hazmat::merge_subtrees_non_root(&join(left), &join(right), Mode::Hash)
        }
    }
}

/// A new one for each leaf: `Hasher::reset` keeps the old offset (blake3 1.8).
fn hasher_at(offset: u64) -> Hasher {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(offset);
    hasher
}

/// Hashes one stretch of the file, front to back. What it has seen already it skips, so that bytes sent again are
/// not hashed again.
#[derive(Debug)]
pub(crate) struct Lane {
    digester: Arc<Digester>,
    position: u64,
    hasher: Hasher,
}

impl Lane {
    /// Begins at `start`, which is a leaf boundary or the end of the file.
    pub(crate) fn new(digester: Arc<Digester>, start: u64) -> Self {
        let hasher = hasher_at(start.min(digester.size) / digester.leaf * digester.leaf);
        Self { digester, position: start, hasher }
    }

    /// Takes the file's bytes at `offset`. Bytes it has seen are skipped; a hole is not allowed and
    /// makes the digest unavailable (see [`Lane::catch_up`]).
    pub(crate) fn feed(&mut self, offset: u64, bytes: &[u8]) {
        let Some(seen) = self.position.checked_sub(offset) else { return };
        let seen = usize::try_from(seen).unwrap_or(usize::MAX).min(bytes.len());
        let mut fresh = &bytes[seen..];
        while !fresh.is_empty() {
            let leaf = self.digester.leaf;
            let begins = self.position / leaf * leaf;
            let ends = begins.saturating_add(leaf).min(self.digester.size);
            let room = usize::try_from(ends - self.position).unwrap_or(usize::MAX);
            let (now, later) = fresh.split_at(room.min(fresh.len()));
            if now.is_empty() {
                return;
            }
            self.hasher.update(now);
            self.position += now.len() as u64;
            if self.position == ends {
                self.digester.put(begins, &self.hasher);
                self.hasher = hasher_at(ends / leaf * leaf);
            }
            fresh = later;
        }
    }

    /// Reads and hashes the file up to `until`; `go_on` is asked before each piece.
    ///
    /// # Errors
    /// The file's; `UnexpectedEof` when it has become shorter.
    pub(crate) fn catch_up(
        &mut self,
        file: &File,
        until: u64,
        mut go_on: impl FnMut() -> bool,
    ) -> io::Result<()> {
        if self.position >= until {
            return Ok(());
        }
        let mut block = vec![0; limits::BLOCK_MAX];
        while self.position < until && go_on() {
            let want = usize::try_from(until - self.position).unwrap_or(usize::MAX).min(block.len());
            file.read_exact_at(&mut block[..want], self.position)?;
            self.feed(self.position, &block[..want]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from((i * 31 + i / 251) % 256).unwrap()).collect()
    }

    fn whole(data: &[u8]) -> Digest {
        Digest::from_bytes(*blake3::hash(data).as_bytes())
    }

    #[test]
    fn the_digest_of_any_length_is_the_plain_one() {
        const M: usize = 1 << 20;
        for len in [0, 1, 1024, M - 1, M, M + 1, 2 * M, 3 * M - 5, 3 * M, 5 * M + 1025, 8 * M, 9 * M + 1] {
            let data = bytes(len);
            let digester = Digester::new(len as u64);
            let mut lane = Lane::new(digester.clone(), 0);
            for (n, block) in data.chunks(100_000).enumerate() {
                lane.feed(n as u64 * 100_000, block);
            }
            assert_eq!(digester.finish(), Some(whole(&data)), "{len}");
        }
    }

    #[test]
    fn parts_in_any_order_make_the_same_digest() {
        let data = bytes((7 << 20) + 12_345);
        let digester = Digester::new(data.len() as u64);
        for part in plan::parts(data.len() as u64, 3).iter().rev() {
            let mut lane = Lane::new(digester.clone(), part.start);
            assert_eq!(digester.finish(), None);
            let range = [part.start, part.end()].map(|at| usize::try_from(at).unwrap());
            lane.feed(part.start, &data[range[0]..range[1]]);
        }
        assert_eq!(digester.finish(), Some(whole(&data)));
    }

    #[test]
    fn bytes_sent_again_are_not_hashed_again() {
        let data = bytes((2 << 20) + 99);
        let digester = Digester::new(data.len() as u64);
        let mut lane = Lane::new(digester.clone(), 0);
        lane.feed(0, &data[..1_500_000]);
        lane.feed(1_000_000, &data[1_000_000..1_200_000]);
        lane.feed(1_400_000, &data[1_400_000..]);
        assert_eq!(digester.finish(), Some(whole(&data)));
    }

    #[test]
    fn a_hole_leaves_the_digest_unknown() {
        let data = bytes(2 << 20);
        let digester = Digester::new(data.len() as u64);
        let mut lane = Lane::new(digester.clone(), 0);
        lane.feed(10, &data[10..]);
        assert_eq!(digester.finish(), None);
    }

    #[test]
    fn a_resumed_file_is_hashed_from_two_sides() {
        let data = bytes((3 << 20) + 7);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, &data).unwrap();
        let file = File::open(&path).unwrap();
        let digester = Digester::new(data.len() as u64);
        let resumed_at = (1 << 20) + 500;
        let boundary = digester.boundary(resumed_at);
        let mut tail = Lane::new(digester.clone(), boundary);
        tail.feed(resumed_at, &data[usize::try_from(resumed_at).unwrap()..]);
        Lane::new(digester.clone(), 0).catch_up(&file, boundary, || true).unwrap();
        assert_eq!(digester.finish(), Some(whole(&data)));
    }
}
