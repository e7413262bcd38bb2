//! The digests of one upload while its bytes arrive.

use sha2::Sha256;
use sha2::digest::Digest as _;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};

use super::checkpoint::{Checkpoint, InvalidCheckpoint};
use super::tree::{Node, TreeHasher};

/// BLAKE3 always, SHA-256 when it was asked for (four times the price).
#[derive(Clone)]
pub struct RunningDigest {
    tree: TreeHasher,
    sha256: Option<(u64, Sha256)>,
}

impl RunningDigest {
    /// Digests of bytes that begin at `start` in the whole file. SHA-256 has no tree: it is made only of a file
    /// that arrives from its beginning.
    pub fn new(start: u64, want_sha256: bool) -> Self {
        let sha256 = (want_sha256 && start == 0).then(|| (0, Sha256::new()));
        Self { tree: TreeHasher::new(start), sha256 }
    }

    /// Goes on from a checkpoint; the bytes from its `resume_at` come next.
    ///
    /// # Errors
    /// When the SHA-256 state is not one.
    pub fn resume(checkpoint: Checkpoint) -> Result<Self, InvalidCheckpoint> {
        let sha256 = match checkpoint.sha256 {
            None => None,
            Some((position, state)) => {
                let state =
                    SerializedState::<Sha256>::try_from(state.as_slice()).map_err(|_| InvalidCheckpoint)?;
                Some((position, Sha256::deserialize(&state).map_err(|_| InvalidCheckpoint)?))
            }
        };
        Ok(Self { tree: TreeHasher::resume(checkpoint.resume_at, checkpoint.nodes), sha256 })
    }

    /// Where the next byte goes, counted in the whole file.
    pub const fn position(&self) -> u64 {
        self.tree.position()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let before = self.tree.position();
        self.tree.update(bytes);
        if let Some((position, hasher)) = &mut self.sha256 {
            // After a resume the tree is fed some bytes again that SHA-256 has seen.
            let seen =
                usize::try_from(position.saturating_sub(before)).unwrap_or(usize::MAX).min(bytes.len());
            hasher.update(&bytes[seen..]);
            *position += (bytes.len() - seen) as u64;
        }
    }

    /// What to keep in the catalogue.
    pub fn checkpoint(&self) -> Checkpoint {
        let (resume_at, nodes) = self.tree.checkpoint();
        let sha256 = self.sha256.as_ref().map(|(position, hasher)| (*position, hasher.serialize().to_vec()));
        Checkpoint { resume_at, nodes: nodes.to_vec(), sha256 }
    }

    /// Ends hashing: the digest at once for a file of one group, the nodes to fold for a larger one, and SHA-256.
    pub fn finish(self) -> Finished {
        Finished {
            small: self.tree.small_digest(),
            nodes: self.tree.into_nodes(),
            sha256: self.sha256.map(|(_, hasher)| hasher.finalize().into()),
        }
    }
}

/// What is left when the last byte has been hashed.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The digest of a file of at most one group.
    pub small: Option<tidegate_wire::Digest>,
    /// The nodes of a larger one.
    pub nodes: Vec<Node>,
    /// SHA-256, if it was asked for.
    pub sha256: Option<[u8; 32]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_digests_survive_a_checkpoint_at_any_byte() {
        let data: Vec<u8> = (0..200_000u32).map(|i| u8::try_from(i % 241).unwrap()).collect();
        for cut in [0, 1, 63, 64, 65_535, 65_536, 65_537, 130_000, 200_000] {
            let mut first = RunningDigest::new(0, true);
            first.update(&data[..cut]);
            let checkpoint = Checkpoint::decode(&first.checkpoint().encode()).unwrap();
            let again = usize::try_from(checkpoint.resume_at).unwrap();
            let mut second = RunningDigest::resume(checkpoint).unwrap();
            second.update(&data[again..]);
            let finished = second.finish();
            assert_eq!(finished.sha256, Some(Sha256::digest(&data).into()), "cut at {cut}");
            let root = super::super::tree::root(data.len() as u64, &finished.nodes).unwrap();
            assert_eq!(root.as_bytes(), blake3::hash(&data).as_bytes(), "cut at {cut}");
        }
    }
}
