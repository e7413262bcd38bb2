//! What the catalogue keeps of an unfinished digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::tree::{GROUP_BYTES, Node};

/// Enough of a running digest to go on from `resume_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where hashing goes on, counted in the whole file.
    pub resume_at: u64,
    /// Complete subtrees of what came before.
    pub nodes: Vec<Node>,
    /// SHA-256 state and its own position, when the client asked for that digest.
    pub sha256: Option<(u64, Vec<u8>)>,
}

/// A text that is not a checkpoint of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a digest checkpoint")]
pub struct InvalidCheckpoint;

const VERSION: u8 = 1;
/// Size class of a node that is not a power of two groups: the file's last, short group.
const SHORT: u8 = 255;

impl Checkpoint {
    /// Nothing hashed yet of bytes that begin at `start`.
    pub const fn at(start: u64) -> Self {
        Self { resume_at: start, nodes: Vec::new(), sha256: None }
    }

    /// Version, position, then each node as size class, start and value, then the SHA-256 part; in base64.
    pub fn encode(&self) -> String {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.resume_at.to_be_bytes());
        out.push(u8::try_from(self.nodes.len()).unwrap_or(u8::MAX));
        for node in &self.nodes {
            let groups = node.len / GROUP_BYTES;
            let whole = node.len.is_multiple_of(GROUP_BYTES) && groups.is_power_of_two();
            out.push(if whole { u8::try_from(groups.trailing_zeros()).unwrap_or(SHORT) } else { SHORT });
            out.extend_from_slice(&node.start.to_be_bytes());
            if !whole {
                out.extend_from_slice(&u32::try_from(node.len).unwrap_or(u32::MAX).to_be_bytes());
            }
            out.extend_from_slice(&node.value);
        }
        if let Some((position, state)) = &self.sha256 {
            out.extend_from_slice(&position.to_be_bytes());
            out.extend_from_slice(state);
        }
        STANDARD_NO_PAD.encode(out)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`InvalidCheckpoint`]: the digest then has to be made from the bytes.
    pub fn decode(text: &str) -> Result<Self, InvalidCheckpoint> {
        let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| InvalidCheckpoint)?;
        let mut rest = bytes.as_slice();
        if take::<1>(&mut rest)? != [VERSION] {
            return Err(InvalidCheckpoint);
        }
        let resume_at = u64::from_be_bytes(take(&mut rest)?);
        let [count] = take::<1>(&mut rest)?;
        let mut nodes = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let [class] = take::<1>(&mut rest)?;
            let start = u64::from_be_bytes(take(&mut rest)?);
            let len = match class {
                SHORT => u64::from(u32::from_be_bytes(take(&mut rest)?)),
                class if class < 48 => GROUP_BYTES << class,
                _ => return Err(InvalidCheckpoint),
            };
            nodes.push(Node { start, len, value: take(&mut rest)? });
        }
        let sha256 = match rest.len() {
            0 => None,
            _ => Some((u64::from_be_bytes(take(&mut rest)?), rest.to_vec())),
        };
        Ok(Self { resume_at, nodes, sha256 })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], InvalidCheckpoint> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(InvalidCheckpoint)?;
    *rest = tail;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_checkpoint_reads_back(resume_at: u64, nodes in prop::collection::vec((0u64..1000, 0u32..20, 0u64..GROUP_BYTES, any::<[u8; 32]>()), 0..40), sha in prop::option::of((any::<u64>(), prop::collection::vec(any::<u8>(), 1..120)))) {
            let nodes = nodes.into_iter().map(|(start, class, short, value)| {
                let len = if short % 2 == 0 { GROUP_BYTES << class } else { short };
                Node { start: start * GROUP_BYTES, len, value }
            }).collect();
            let checkpoint = Checkpoint { resume_at, nodes, sha256: sha };
            prop_assert_eq!(Checkpoint::decode(&checkpoint.encode()), Ok(checkpoint));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}", raw in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Checkpoint::decode(&text);
            let _ = Checkpoint::decode(&STANDARD_NO_PAD.encode(raw));
        }
    }
}
