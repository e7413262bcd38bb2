//! What the edge holds: objects (what is known of them), their slices, and the fetches under way.

pub(crate) mod fill;
pub(crate) mod flight;
pub(crate) mod freshness;
pub(crate) mod groups;
pub(crate) mod key;
pub(crate) mod learn;
pub(crate) mod lookup;
pub(crate) mod memory;
pub(crate) mod next;
pub(crate) mod object;
pub(crate) mod opening;
pub(crate) mod region;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::HeaderName;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use prometheus::IntCounter;
use tidegate_wire::purge::PurgeTargets;

use self::flight::{Flight, Flights, Joined, SliceKey};
pub use self::freshness::NoStoreReason;
use self::groups::Groups;
use self::key::Key;
use self::memory::Budget;
use self::object::{Generation, Object, Validator};
use self::opening::Openings;
use crate::limits;
use crate::locked;

/// The bytes of one slice. A clone shares them; the memory is given back when the last clone goes.
#[derive(Clone)]
pub(crate) struct Slice(Bytes);

impl Slice {
    /// `len` bytes from `offset`, shared.
    pub(crate) fn part(&self, offset: u64, len: u64) -> Bytes {
        let size = self.0.len();
        let start = usize::try_from(offset).unwrap_or(size).min(size);
        let end = usize::try_from(offset + len).unwrap_or(size).min(size);
        self.0.slice(start..end)
    }
}

/// Where the cache keeps a slice. Emptied when it is evicted, so that the memory goes at once and not when the cache's
/// own bookkeeping lets go of the entry.
struct Slot {
    slice: Mutex<Option<Slice>>,
    weight: u32,
}

/// What is known under a key.
#[derive(Clone)]
pub(crate) enum Entry {
    /// An object.
    Object(Arc<Object>),
    /// The answer varies by these fields; look under the variant's key.
    Varies(Arc<[HeaderName]>),
    /// Not storable when last asked; pass requests on until then (milliseconds since 1970).
    Pass {
        /// When to try again.
        until_ms: u64,
    },
}

/// The cache of one edge.
pub(crate) struct Cache {
    objects: moka::sync::Cache<Key, Entry>,
    slices: moka::sync::Cache<SliceKey, Arc<Slot>>,
    pub(crate) flights: Flights,
    pub(crate) openings: Openings,
    pub(crate) budget: Budget,
    pub(crate) slice_bytes: u64,
    next_generation: AtomicU64,
}

impl Cache {
    /// A cache whose bytes, cached, in flight and held, stay within `bytes`, and whose objects weigh at most
    /// `object_bytes`. `evicted` counts slices that had to go for want of room.
    pub(crate) fn new(bytes: u64, object_bytes: u64, slice_bytes: u64, evicted: IntCounter) -> Self {
        let slices: moka::sync::Cache<SliceKey, Arc<Slot>> = moka::sync::Cache::builder()
            .max_capacity(bytes - bytes / limits::RESERVE_SHARE)
            // Not TinyLFU: it refuses newcomers while the cache is full, and a slice fetched ahead would be gone
            // before its reader comes.
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|_, slot: &Arc<Slot>| slot.weight)
            .eviction_listener(move |_, slot, cause| {
                locked(&slot.slice).take();
                if cause == RemovalCause::Size {
                    evicted.inc();
                }
            })
            .build();
        let orphans = slices.clone();
        let objects = moka::sync::Cache::builder()
            .max_capacity(object_bytes)
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|key: &Key, entry: &Entry| {
                let own = match entry {
                    Entry::Object(object) => object.weight(),
                    Entry::Varies(_) | Entry::Pass { .. } => 0,
                };
                u32::try_from(own + key.len() as u64 + limits::ENTRY_OVERHEAD).unwrap_or(u32::MAX)
            })
            .eviction_listener(move |_, entry, cause| {
                if let (Entry::Object(object), RemovalCause::Size) = (entry, cause) {
                    end_generation(&orphans, &object.generation);
                }
            })
            .build();
        Self {
            objects,
            slices,
            flights: Flights::default(),
            openings: Openings::default(),
            budget: Budget::new(bytes),
            slice_bytes,
            next_generation: AtomicU64::new(1),
        }
    }

    /// What is known under `key`.
    pub(crate) fn entry(&self, key: &str) -> Option<Entry> {
        self.objects.get(key)
    }

    /// A new generation of `size` bytes.
    pub(crate) fn generation(&self, size: u64, validator: Validator) -> Arc<Generation> {
        let id = self.next_generation.fetch_add(1, Ordering::Relaxed);
        Arc::new(Generation::new(id, size, self.slice_bytes, validator))
    }

    /// Keeps `entry` under `key`, ending the generation it replaces. Only [`learn`] calls it, under its lock, so
    /// that a purge cannot come between.
    fn keep(&self, key: Key, entry: Entry) {
        let replaced = match self.objects.get(&key) {
            Some(Entry::Object(old)) => Some(old),
            _ => None,
        };
        if let Some(old) = replaced {
            let same = matches!(&entry, Entry::Object(new) if new.generation.id == old.generation.id);
            if !same {
                end_generation(&self.slices, &old.generation);
            }
        }
        self.objects.insert(key, entry);
        self.objects.run_pending_tasks();
    }

    /// Forgets `object`, unless another has taken its place already.
    pub(crate) fn forget(&self, object: &Object) {
        if let Some(Entry::Object(now)) = self.objects.get(&object.key)
            && now.generation.id == object.generation.id
        {
            self.objects.invalidate(&object.key);
        }
        end_generation(&self.slices, &object.generation);
    }

    /// Forgets whatever is known under `path`, its variants included; what is being fetched is not stored.
    pub(crate) fn forget_path(&self, path: &str) {
        self.openings.void_where(|key| key::path(key) == path);
        match self.objects.get(path) {
            None => {}
            Some(Entry::Varies(_)) => self.forget_where(|known| known == path, |_| false),
            Some(entry) => {
                self.objects.invalidate(path);
                if let Entry::Object(object) = entry {
                    end_generation(&self.slices, &object.generation);
                }
            }
        }
    }

    /// Forgets what `targets` name; what is being fetched is not stored.
    pub(crate) fn purge(&self, targets: &[PurgeTargets]) {
        let tagged = |tag: &str| targets.iter().flat_map(|targets| &targets.tags).any(|name| name == tag);
        if targets.iter().any(|targets| !targets.tags.is_empty()) {
            // What is being fetched has not said yet to what it belongs.
            self.openings.void_where(|_| true);
        }
        self.forget_where(
            |path| targets.iter().any(|targets| targets.covers(path)),
            |object| object.groups.meet(tagged),
        );
    }

    /// Forgets what belongs to one of these groups.
    pub(crate) fn forget_groups(&self, groups: &Groups) {
        if !groups.is_empty() {
            self.openings.void_where(|_| true);
            self.forget_where(
                |_| false,
                |object| object.groups.meet(|name| groups.meet(|other| other == name)),
            );
        }
    }

    /// Forgets everything; what is being fetched is not stored.
    pub(crate) fn forget_all(&self) {
        self.forget_where(|_| true, |_| false);
    }

    fn forget_where(&self, is_meant: impl Fn(&str) -> bool, is_of_it: impl Fn(&Object) -> bool) {
        // First those under way: after this none of them can be kept, and what was kept before is found below.
        self.openings.void_where(|key| is_meant(key::path(key)));
        for (key, entry) in &self.objects {
            let is_of_it = matches!(&entry, Entry::Object(object) if is_of_it(object));
            if is_of_it || is_meant(key::path(&key)) {
                self.objects.invalidate(&*key);
                if let Entry::Object(object) = entry {
                    end_generation(&self.slices, &object.generation);
                }
            }
        }
        self.objects.run_pending_tasks();
        self.slices.run_pending_tasks();
    }

    /// Slice `index` of `generation`, if it is cached.
    pub(crate) fn slice(&self, generation: &Generation, index: u64) -> Option<Slice> {
        let slot = self.slices.get(&SliceKey { generation: generation.id, index })?;
        locked(&slot.slice).clone()
    }

    /// Whether slice `index` of `generation` is cached; does not count as use.
    pub(crate) fn has_slice(&self, generation: &Generation, index: u64) -> bool {
        self.slices.contains_key(&SliceKey { generation: generation.id, index })
    }

    /// The fill of slice `index`, or the slice.
    pub(crate) fn join(&self, generation: &Generation, index: u64) -> Joined<Slice> {
        let key = SliceKey { generation: generation.id, index };
        self.flights.join(key, generation.slice_len(index), || self.slice(generation, index))
    }

    /// Ends a fill that has all its bytes: they are cached unless the generation has ended meanwhile.
    pub(crate) fn land(&self, generation: &Generation, flight: &Flight, bytes: Bytes) {
        if !generation.has_ended() {
            let weight = u32::try_from(flight.len + limits::ENTRY_OVERHEAD).unwrap_or(u32::MAX);
            self.slices.insert(flight.key, Arc::new(Slot { slice: Mutex::new(Some(Slice(bytes))), weight }));
            if generation.has_ended() {
                self.slices.invalidate(&flight.key);
            }
            // Left to itself the cache tidies up now and then, and is many times over its weight in between.
            self.slices.run_pending_tasks();
        }
        self.flights.finish(flight);
    }

    /// Makes room for a fill that waits for memory: what the cache has given up already, and then a few slices more.
    pub(crate) fn press(&self) {
        let before = self.budget.used();
        self.slices.run_pending_tasks();
        if self.budget.used() < before {
            return;
        }
        let victims: Vec<_> = self.slices.iter().take(limits::PRESS_EVICTIONS).map(|(key, _)| key).collect();
        for key in victims {
            self.slices.invalidate(&*key);
        }
        self.slices.run_pending_tasks();
    }

    /// Bytes of cached slices, with their overhead.
    pub(crate) fn slice_weight(&self) -> u64 {
        self.slices.weighted_size()
    }

    /// Bytes of what is known of objects.
    pub(crate) fn object_weight(&self) -> u64 {
        self.objects.weighted_size()
    }
}

/// Ends a generation: its slices go, and none of it is stored any more.
fn end_generation(slices: &moka::sync::Cache<SliceKey, Arc<Slot>>, generation: &Generation) {
    generation.end();
    for index in 0..generation.slices() {
        slices.invalidate(&SliceKey { generation: generation.id, index });
    }
}
