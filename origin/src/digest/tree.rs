//! BLAKE3 as a tree that can be made in any number of pieces (BLAKE3 paper, section 2.1).
//!
//! A file is cut into groups of [`GROUP_BYTES`]. What a hasher keeps of the bytes it has seen are [`Node`]s: the
//! chaining values of complete, aligned, power-of-two subtrees, merged as far as they go, so a handful for any
//! length. A checkpoint is that handful; resuming means re-reading at most the last, incomplete group. Parts that
//! arrived in parallel are just more nodes, and the root is folded from all of them: only groups that straddle two
//! parts, or parts whose place was not known while they arrived, are read again.

use blake3::Hasher;
use blake3::hazmat::{HasherExt as _, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};
use tidegate_wire::{ByteRange, Digest};

/// Bytes of a group: what a resume re-reads at most, and the smallest subtree that is kept.
pub const GROUP_BYTES: u64 = 64 * 1024;

/// The chaining value of one subtree: of a power of two groups aligned to its own length, or of the last group of
/// the file when that is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Where the subtree begins in the whole file.
    pub start: u64,
    /// Bytes below it.
    pub len: u64,
    /// Its chaining value, not finalised as a root.
    pub value: [u8; 32],
}

impl Node {
    const fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// Hashes a run of bytes that begins anywhere in the file.
#[derive(Debug, Clone)]
pub struct TreeHasher {
    /// Where the next byte goes.
    position: u64,
    nodes: Vec<Node>,
    /// The group being filled. The bytes before the first group boundary of a run that begins inside a group have
    /// none: that group is completed by someone else's bytes.
    open: Option<Box<Hasher>>,
}

impl TreeHasher {
    /// A hasher for bytes that begin at `start` in the whole file.
    pub fn new(start: u64) -> Self {
        Self::resume(start, Vec::new())
    }

    /// A hasher that goes on at `position` with the nodes of what came before.
    pub fn resume(position: u64, nodes: Vec<Node>) -> Self {
        let open = position.is_multiple_of(GROUP_BYTES).then(|| group_hasher(position));
        Self { position, nodes, open }
    }

    /// Where the next byte goes.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.position.is_multiple_of(GROUP_BYTES) {
                self.close_group();
                self.open = Some(group_hasher(self.position));
            }
            let room = GROUP_BYTES - self.position % GROUP_BYTES;
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(take);
            if let Some(hasher) = &mut self.open {
                hasher.update(now);
            }
            self.position += now.len() as u64;
            bytes = later;
        }
        // A full group is closed at once, so that a checkpoint on a boundary has nothing to re-read. Only the first
        // waits for another byte: it could be the whole file, and then it is a root.
        if self.position.is_multiple_of(GROUP_BYTES) && self.position > GROUP_BYTES {
            self.close_group();
        }
    }

    /// Where a resumed hasher would go on, and with what: bytes from there to [`position`](Self::position) have to
    /// be given to it again.
    pub fn checkpoint(&self) -> (u64, &[Node]) {
        let resume_at = match &self.open {
            Some(hasher) => self.position - hasher.count(),
            None => self.position,
        };
        (resume_at, &self.nodes)
    }

    /// The digest, if this hasher has seen a whole file of at most one group; larger ones are folded by [`root`].
    pub fn small_digest(&self) -> Option<Digest> {
        let hasher = self.open.as_ref()?;
        (self.nodes.is_empty() && hasher.count() == self.position)
            .then(|| Digest::from_bytes(*hasher.finalize().as_bytes()))
    }

    /// All nodes, the last group's included, which is of use if the file ends there.
    pub fn into_nodes(mut self) -> Vec<Node> {
        self.close_group();
        self.nodes
    }

    fn close_group(&mut self) {
        let Some(hasher) = self.open.take() else { return };
        let len = hasher.count();
        if len == 0 {
            return;
        }
        push(&mut self.nodes, Node { start: self.position - len, len, value: hasher.finalize_non_root() });
    }
}

/// Boxed: a hasher is 2 KB, and futures carry it about.
fn group_hasher(start: u64) -> Box<Hasher> {
    let mut hasher = Box::new(Hasher::new());
    hasher.set_input_offset(start);
    hasher
}

/// Adds a node behind the others and merges what has become complete. Subtrees that begin the file are merged one
/// step late, when the next node shows that the result is not the root.
fn push(nodes: &mut Vec<Node>, node: Node) {
    while let Some(merged) = mergeable(nodes, &node) {
        nodes.truncate(nodes.len() - 2);
        nodes.push(merged);
    }
    nodes.push(node);
    while nodes.len() >= 2 && nodes[nodes.len() - 2].start != 0 {
        let Some(merged) = siblings(&nodes[nodes.len() - 2], &nodes[nodes.len() - 1]) else { break };
        nodes.truncate(nodes.len() - 2);
        nodes.push(merged);
    }
}

/// The last two nodes as one, when `next` follows them and they are siblings at the head of the file.
fn mergeable(nodes: &[Node], next: &Node) -> Option<Node> {
    let [.., left, right] = nodes else { return None };
    (left.start == 0 && right.end() == next.start).then(|| siblings(left, right)).flatten()
}

/// The parent of two nodes, if they are the complete halves of one aligned subtree.
fn siblings(left: &Node, right: &Node) -> Option<Node> {
    let whole = left.len * 2;
    let complete = left.len == right.len && left.end() == right.start && left.len.is_multiple_of(GROUP_BYTES);
    (complete && left.start.is_multiple_of(whole)).then(|| Node {
        start: left.start,
        len: whole,
        value: merge_subtrees_non_root(&left.value, &right.value, Mode::Hash),
    })
}

/// The ranges of a file of `size` bytes that no node covers: they have to be read to make the root. Each begins on
/// a group boundary, so a [`TreeHasher`] over it yields what is missing.
pub fn missing(size: u64, nodes: &[Node]) -> Vec<ByteRange> {
    let mut out: Vec<ByteRange> = Vec::new();
    walk(0, size, nodes, &mut |gap| match out.last_mut() {
        Some(last) if last.end == gap.start => last.end = gap.end,
        _ => out.push(gap),
    });
    out
}

fn walk(start: u64, len: u64, nodes: &[Node], gap: &mut impl FnMut(ByteRange)) {
    if len == 0 || find(nodes, start, len).is_some() {
        return;
    }
    let range = ByteRange::new(start, start + len);
    let touched = nodes.iter().any(|node| node.start < range.end && range.start < node.end());
    if len <= GROUP_BYTES || !touched {
        gap(range);
        return;
    }
    let left = left_subtree_len(len);
    walk(start, left, nodes, gap);
    walk(start + left, len - left, nodes, gap);
}

/// The digest of a file of `size` bytes, more than one group, from nodes that cover it; `None` if they do not.
pub fn root(size: u64, nodes: &[Node]) -> Option<Digest> {
    if size <= GROUP_BYTES {
        return None;
    }
    let left = left_subtree_len(size);
    let (left, right) = (fold(0, left, nodes)?, fold(left, size - left, nodes)?);
    Some(Digest::from_bytes(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()))
}

fn fold(start: u64, len: u64, nodes: &[Node]) -> Option<[u8; 32]> {
    if let Some(node) = find(nodes, start, len) {
        return Some(node.value);
    }
    if len <= GROUP_BYTES {
        return None;
    }
    let left = left_subtree_len(len);
    let (left, right) = (fold(start, left, nodes)?, fold(start + left, len - left, nodes)?);
    Some(merge_subtrees_non_root(&left, &right, Mode::Hash))
}

fn find(nodes: &[Node], start: u64, len: u64) -> Option<&Node> {
    nodes.iter().find(|node| node.start == start && node.len == len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(len: u64) -> Vec<u8> {
        (0..len).map(|i| u8::try_from((i * 31 + i / 251) % 256).unwrap()).collect()
    }

    fn at(data: &[u8], range: ByteRange) -> &[u8] {
        &data[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
    }

    /// Finishes as the origin does: reads what is missing, folds the rest.
    fn finish(data: &[u8], mut nodes: Vec<Node>) -> Digest {
        let size = data.len() as u64;
        if size <= GROUP_BYTES {
            return Digest::from_bytes(*blake3::hash(data).as_bytes());
        }
        for gap in missing(size, &nodes) {
            let mut hasher = TreeHasher::new(gap.start);
            hasher.update(at(data, gap));
            nodes.extend(hasher.into_nodes());
        }
        root(size, &nodes).unwrap()
    }

    fn expected(data: &[u8]) -> Digest {
        Digest::from_bytes(*blake3::hash(data).as_bytes())
    }

    #[test]
    fn every_length_near_a_boundary_hashes_as_blake3_does() {
        for groups in [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17] {
            for delta in [-1025i64, -1024, -1, 0, 1, 1023, 1024, 1025] {
                let Ok(len) = u64::try_from(i64::try_from(groups * GROUP_BYTES).unwrap() + delta) else {
                    continue;
                };
                let data = bytes(len);
                let mut hasher = TreeHasher::new(0);
                hasher.update(&data);
                let digest = hasher.small_digest().unwrap_or_else(|| {
                    let nodes = hasher.clone().into_nodes();
                    assert_eq!(missing(len, &nodes), vec![], "nothing is read again for {len} bytes");
                    root(len, &nodes).unwrap()
                });
                assert_eq!(digest, expected(&data), "{len} bytes");
            }
        }
    }

    #[test]
    fn a_checkpoint_is_a_handful_of_nodes() {
        let mut hasher = TreeHasher::new(0);
        let group = bytes(GROUP_BYTES);
        for _ in 0..1023 {
            hasher.update(&group);
        }
        assert!(hasher.checkpoint().1.len() <= 10);
    }

    #[test]
    fn a_part_that_begins_inside_a_group_leaves_only_that_group_to_read() {
        let data = bytes(GROUP_BYTES * 8 + 77);
        let cut = GROUP_BYTES * 3 + 1000;
        let (head, tail) = data.split_at(usize::try_from(cut).unwrap());
        let (mut first, mut second) = (TreeHasher::new(0), TreeHasher::new(cut));
        first.update(head);
        second.update(tail);
        let nodes: Vec<Node> = first.into_nodes().into_iter().chain(second.into_nodes()).collect();
        assert_eq!(
            missing(data.len() as u64, &nodes),
            vec![ByteRange::new(GROUP_BYTES * 3, GROUP_BYTES * 4)]
        );
        assert_eq!(finish(&data, nodes), expected(&data));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn resumes_at_any_points_give_the_same_digest(len in 0u64..700_000, cuts in prop::collection::vec(0u64..700_000, 0..6)) {
            let data = bytes(len);
            let mut cuts: Vec<u64> = cuts.into_iter().map(|c| c.min(len)).chain([len]).collect();
            cuts.sort_unstable();
            let mut hasher = TreeHasher::new(0);
            for cut in cuts {
                let (resume_at, nodes) = hasher.checkpoint();
                prop_assert!(hasher.position() - resume_at <= GROUP_BYTES);
                hasher = TreeHasher::resume(resume_at, nodes.to_vec());
                hasher.update(at(&data, ByteRange::new(resume_at, cut)));
            }
            let digest = hasher.small_digest().unwrap_or_else(|| root(len, &hasher.clone().into_nodes()).unwrap());
            prop_assert_eq!(digest, expected(&data));
        }

        #[test]
        fn parts_cut_anywhere_combine_and_little_is_read_again(len in 1u64..900_000, cuts in prop::collection::vec(0u64..900_000, 0..5)) {
            let data = bytes(len);
            let mut cuts: Vec<u64> = cuts.into_iter().map(|c| c % len).chain([0, len]).collect();
            cuts.sort_unstable();
            let mut nodes = Vec::new();
            for pair in cuts.windows(2) {
                let mut hasher = TreeHasher::new(pair[0]);
                hasher.update(at(&data, ByteRange::new(pair[0], pair[1])));
                nodes.extend(hasher.into_nodes());
            }
            if len > GROUP_BYTES {
                let again: u64 = missing(len, &nodes).iter().map(ByteRange::len).sum();
                prop_assert!(again <= GROUP_BYTES * (cuts.len() as u64 - 2), "{} bytes", again);
            }
            prop_assert_eq!(finish(&data, nodes), expected(&data));
        }

        #[test]
        fn without_any_nodes_all_is_read_and_right(len in 1u64..300_000) {
            let data = bytes(len);
            prop_assert_eq!(finish(&data, Vec::new()), expected(&data));
        }
    }
}
