//! A fixed piece of memory that one writer fills from the front while any number of readers use what is filled.
//!
//! This is the one file of the edge with `unsafe`: safe Rust has no buffer whose front is shared while its back is
//! written. The proof, in short: a [`Region`] is written only through its one [`RegionWriter`], only at or past
//! `filled`; it is read only below `filled`; `filled` grows after the bytes below it are written (release) and is
//! read before they are (acquire); a byte below `filled` is never written again. Writer and readers so never touch
//! the same byte at one time, and readers see only initialised memory. Only raw pointers are used while both exist,
//! so no reference to the whole block is ever made.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::memory::Lease;

/// Memory for the bytes of one slice, and the lease that counts it under the ceiling until the last reader lets go.
pub(crate) struct Region {
    start: NonNull<u8>,
    capacity: usize,
    filled: AtomicUsize,
    _lease: Lease,
}

// SAFETY: the block is owned by the region alone (allocated in `new`, freed in `drop`), and the protocol above makes
// access from several threads free of data races.
unsafe impl Send for Region {}
// SAFETY: as above; `&Region` gives read access below `filled` only.
unsafe impl Sync for Region {}

impl Region {
    /// A block of `capacity` bytes, paid for by `lease`, and the right to fill it.
    pub(crate) fn allocate(capacity: usize, lease: Lease) -> RegionWriter {
        let block = Box::into_raw(Box::<[u8]>::new_uninit_slice(capacity)).cast::<u8>();
        // A box is never null; a dangling pointer for no bytes is what both sides expect.
        let start = NonNull::new(block).unwrap_or(NonNull::dangling());
        RegionWriter(Arc::new(Self { start, capacity, filled: AtomicUsize::new(0), _lease: lease }))
    }

    /// Bytes that have arrived.
    pub(crate) fn filled(&self) -> usize {
        self.filled.load(Ordering::Acquire)
    }

    /// Bytes it has room for.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The bytes of `range`, as far as they have arrived. What is returned keeps the whole region alive.
    pub(crate) fn view(self: &Arc<Self>, range: Range<usize>) -> Bytes {
        let end = range.end.min(self.filled());
        if range.start >= end {
            return Bytes::new();
        }
        Bytes::from_owner(View { region: self.clone(), start: range.start, len: end - range.start })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let block =
            std::ptr::slice_from_raw_parts_mut(self.start.as_ptr().cast::<MaybeUninit<u8>>(), self.capacity);
        // SAFETY: `start` and `capacity` are those of the box taken apart in `allocate`; this is the last owner, so
        // neither writer nor view exists any more.
        drop(unsafe { Box::from_raw(block) });
    }
}

/// The one who may fill a region. Not `Clone`: there is one writer.
pub(crate) struct RegionWriter(Arc<Region>);

impl RegionWriter {
    /// Appends `data` and shows it to readers; returns how much of it fitted.
    pub(crate) fn write(&mut self, data: &[u8]) -> usize {
        let filled = self.0.filled.load(Ordering::Relaxed);
        let fits = data.len().min(self.0.capacity - filled);
        // SAFETY: `filled + fits <= capacity`, so the target lies in the block; `&mut self` makes this the only
        // write; no view reaches past `filled`, so nobody reads the target; `data` is a live reference, which cannot
        // overlap memory that no reference points to.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), self.0.start.as_ptr().add(filled), fits) };
        self.0.filled.store(filled + fits, Ordering::Release);
        fits
    }

    /// The region, for readers.
    pub(crate) fn region(&self) -> &Arc<Region> {
        &self.0
    }
}

struct View {
    region: Arc<Region>,
    start: usize,
    len: usize,
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `view` made sure that `start + len <= filled`, which never shrinks; bytes below it are initialised
        // and never written again, and the region lives as long as this view.
        unsafe { std::slice::from_raw_parts(self.region.start.as_ptr().add(self.start), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Budget;
    use super::*;

    #[test]
    fn readers_see_only_what_has_arrived() {
        let budget = Budget::new(1 << 20);
        let mut writer = Region::allocate(10, budget.try_take(10).unwrap());
        let region = writer.region().clone();
        assert!(region.view(0..10).is_empty());
        assert_eq!(writer.write(b"abc"), 3);
        let early = region.view(0..10);
        assert_eq!(writer.write(b"defghijKLM"), 7);
        assert_eq!((&early[..], &region.view(2..5)[..], region.filled()), (&b"abc"[..], &b"cde"[..], 10));
        assert!(region.view(10..12).is_empty() && region.view(4..4).is_empty());
    }

    #[test]
    fn the_memory_counts_until_the_last_reader_lets_go() {
        let budget = Budget::new(1 << 20);
        let mut writer = Region::allocate(4096, budget.try_take(4096).unwrap());
        writer.write(&[7; 4096]);
        let view = writer.region().view(0..1);
        drop(writer);
        assert_eq!(budget.used(), 4096);
        drop(view);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_reader_beside_the_writer_sees_the_right_bytes() {
        let budget = Budget::new(1 << 20);
        let mut writer = Region::allocate(1 << 16, budget.try_take(1 << 16).unwrap());
        let region = writer.region().clone();
        let reader = std::thread::spawn(move || {
            let mut seen = 0;
            while seen < 1 << 16 {
                let bytes = region.view(seen..1 << 16);
                for (at, byte) in bytes.iter().enumerate() {
                    assert_eq!(usize::from(*byte), (seen + at) % 251);
                }
                seen += bytes.len();
            }
        });
        let source: Vec<u8> = (0..1usize << 16).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for piece in source.chunks(97) {
            writer.write(piece);
        }
        reader.join().unwrap();
    }
}
