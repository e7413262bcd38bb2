//! What every blob store promises. Another implementation gets another line in `contract!`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use tidegate_origin::store::{
    self, BlobStore, DirectWrites, Durability, LocalStore, Segment, SegmentName, SegmentWriter, StoreError,
};
use tidegate_testkit::files::random_bytes;
use tidegate_wire::{AssetId, ByteRange};

/// A store under test, and what goes away with it.
struct Subject {
    store: Arc<dyn BlobStore>,
    _folder: TempDir,
}

fn local(durability: Durability, direct: DirectWrites) -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), durability).unwrap().direct_writes(direct);
    Subject { store: Arc::new(store), _folder: folder }
}

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        contract!(
            local_durable,
            super::local(super::Durability::Durable, super::DirectWrites::Auto),
            $($name),*
        );
        contract!(
            local_relaxed,
            super::local(super::Durability::Relaxed, super::DirectWrites::Auto),
            $($name),*
        );
        contract!(
            local_buffered,
            super::local(super::Durability::Durable, super::DirectWrites::Off),
            $($name),*
        );
    };
    ($kind:ident, $make:expr, $($name:ident),*) => {
        mod $kind {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let subject = $make;
                super::$name(subject.store.clone()).await;
            })*
        }
    };
}

contract!(
    what_is_appended_is_read_back_in_any_ranges,
    a_writer_goes_on_where_the_last_one_ended,
    a_seal_tells_the_length_and_nothing_below_it_changes_while_an_old_writer_goes_on,
    a_segment_that_was_never_made_has_no_length_and_cannot_be_read,
    a_read_past_the_end_is_an_error_and_never_shorter,
    a_linked_segment_lives_by_itself_and_linking_again_changes_nothing,
    a_segment_that_is_not_there_cannot_be_linked,
    removing_takes_all_numbers_up_to_the_last_and_only_of_that_upload,
    a_rewound_segment_ends_where_it_was_told_and_goes_on_from_there,
    many_segments_are_written_at_once_and_none_gets_bytes_of_another,
    an_append_works_before_its_future_is_looked_at,
    what_comes_fast_and_in_odd_pieces_is_all_there_after_a_sync,
    streams_that_come_fast_side_by_side_keep_to_themselves,
    what_came_fast_can_be_taken_back,
    a_reader_goes_over_several_segments_and_leaves_out_what_does_not_count,
);

type Store = Arc<dyn BlobStore>;

fn name(n: u8, number: u64) -> SegmentName {
    SegmentName { id: AssetId::generate(1_700_000_000_000, [n; 10]), number }
}

async fn append(writer: Box<dyn SegmentWriter>, bytes: &[u8]) -> Box<dyn SegmentWriter> {
    let (writer, outcome) = writer.append(vec![Bytes::copy_from_slice(bytes)]).await;
    outcome.unwrap();
    writer
}

async fn write(store: &Store, name: SegmentName, bytes: &[u8]) {
    let writer = append(store.open(name).await.unwrap(), bytes).await;
    writer.sync().await.1.unwrap();
}

async fn all(store: &Store, name: SegmentName, len: usize) -> Bytes {
    store.read(name, ByteRange::new(0, len as u64)).await.unwrap()
}

async fn what_is_appended_is_read_back_in_any_ranges(store: Store) {
    let (bytes, name) = (random_bytes(1, 300_000), name(1, 1));
    let mut writer = store.open(name).await.unwrap();
    assert!(writer.is_empty());
    // Batches of many small pieces, with empty ones among them: more than one system call takes.
    for batch in bytes.chunks(100_000) {
        let pieces =
            batch.chunks(37).flat_map(|piece| [Bytes::copy_from_slice(piece), Bytes::new()]).collect();
        let (back, outcome) = writer.append(pieces).await;
        outcome.unwrap();
        writer = back;
    }
    let (writer, outcome) = writer.append(Vec::new()).await;
    outcome.unwrap();
    let (writer, outcome) = writer.sync().await;
    outcome.unwrap();
    assert_eq!(writer.len(), 300_000);
    for (from, to) in
        [(0, 0), (0, 1), (0, 300_000), (299_999, 300_000), (123_456, 234_567), (300_000, 300_000)]
    {
        let read = store.read(name, ByteRange::new(from, to)).await.unwrap();
        assert_eq!(read, bytes[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()], "{from}..{to}");
    }
}

async fn a_writer_goes_on_where_the_last_one_ended(store: Store) {
    let name = name(2, 7);
    write(&store, name, b"hello ").await;
    let writer = store.open(name).await.unwrap();
    assert_eq!(writer.len(), 6);
    append(writer, b"world").await.sync().await.1.unwrap();
    assert_eq!(store.seal(name).await.unwrap(), 11);
    assert_eq!(store.seal(name).await.unwrap(), 11, "a seal is no end");
    assert_eq!(all(&store, name, 11).await, "hello world");
}

/// Invariant 3 rests on this one.
async fn a_seal_tells_the_length_and_nothing_below_it_changes_while_an_old_writer_goes_on(store: Store) {
    let (bytes, name) = (random_bytes(3, 100_000), name(3, 1));
    let old = append(store.open(name).await.unwrap(), &bytes).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let going_on = tokio::spawn({
        let stop = stop.clone();
        async move {
            let mut old = old;
            while !stop.is_cancelled() {
                old = append(old, b"bytes of one who does not know").await;
            }
        }
    });
    let mut last = 0;
    for _ in 0..20 {
        let sealed = store.seal(name).await.unwrap();
        assert!(sealed >= 100_000 && sealed >= last, "{sealed} after {last}");
        last = sealed;
        assert_eq!(all(&store, name, 100_000).await, bytes);
    }
    let before = all(&store, name, usize::try_from(last).unwrap()).await;
    stop.cancel();
    going_on.await.unwrap();
    assert_eq!(all(&store, name, usize::try_from(last).unwrap()).await, before);
}

async fn a_segment_that_was_never_made_has_no_length_and_cannot_be_read(store: Store) {
    assert_eq!(store.seal(name(4, 1)).await.unwrap(), 0);
    let read = store.read(name(4, 1), ByteRange::new(0, 1)).await;
    assert!(matches!(read, Err(StoreError::Missing)), "{read:?}");
}

async fn a_read_past_the_end_is_an_error_and_never_shorter(store: Store) {
    write(&store, name(5, 1), b"hello").await;
    for (from, to) in [(0, 6), (4, 6), (5, 6), (100, 101)] {
        let read = store.read(name(5, 1), ByteRange::new(from, to)).await;
        assert!(matches!(read, Err(StoreError::Missing)), "{from}..{to} {read:?}");
    }
}

async fn a_linked_segment_lives_by_itself_and_linking_again_changes_nothing(store: Store) {
    let (from, to) = (name(6, 1), name(7, 3));
    write(&store, from, b"hello").await;
    store.link(from, to).await.unwrap();
    store.link(from, to).await.unwrap();
    assert_eq!(store.seal(to).await.unwrap(), 5);
    store.remove(from.id, 1).await.unwrap();
    assert_eq!(all(&store, to, 5).await, "hello");
    assert!(store.read(from, ByteRange::new(0, 5)).await.is_err());
    store.remove(to.id, 3).await.unwrap();
    assert!(store.read(to, ByteRange::new(0, 5)).await.is_err());
}

async fn a_segment_that_is_not_there_cannot_be_linked(store: Store) {
    let linked = store.link(name(8, 1), name(9, 1)).await;
    assert!(matches!(linked, Err(StoreError::Missing)), "{linked:?}");
    assert_eq!(store.seal(name(9, 1)).await.unwrap(), 0);
}

async fn removing_takes_all_numbers_up_to_the_last_and_only_of_that_upload(store: Store) {
    for number in [0, 1, 3, 4] {
        write(&store, name(10, number), b"hello").await;
    }
    write(&store, name(11, 1), b"other").await;
    store.remove(name(10, 0).id, 3).await.unwrap();
    for number in [0, 1, 2, 3] {
        assert_eq!(store.seal(name(10, number)).await.unwrap(), 0);
    }
    assert_eq!(store.seal(name(10, 4)).await.unwrap(), 5);
    assert_eq!(store.seal(name(11, 1)).await.unwrap(), 5);
    store.remove(name(10, 0).id, 3).await.unwrap();
    store.remove(name(12, 0).id, 3).await.unwrap();
}

async fn a_rewound_segment_ends_where_it_was_told_and_goes_on_from_there(store: Store) {
    let name = name(13, 1);
    let writer = append(store.open(name).await.unwrap(), b"hello, you").await;
    let (writer, outcome) = writer.rewind(5).await;
    outcome.unwrap();
    assert_eq!(writer.len(), 5);
    assert_eq!(store.seal(name).await.unwrap(), 5);
    append(writer, b" world").await.sync().await.1.unwrap();
    assert_eq!(all(&store, name, 11).await, "hello world");
    assert_eq!(store.seal(name).await.unwrap(), 11);
}

async fn many_segments_are_written_at_once_and_none_gets_bytes_of_another(store: Store) {
    let tasks: Vec<_> = (20..52u8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut writer = store.open(name(n, u64::from(n))).await.unwrap();
                for piece in random_bytes(n.into(), 200_000).chunks(50_000) {
                    writer = append(writer, piece).await;
                }
                writer.sync().await.1.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for n in 20..52u8 {
        assert_eq!(all(&store, name(n, n.into()), 200_000).await, random_bytes(n.into(), 200_000));
    }
}

/// Who collects the next batch meanwhile counts on it.
async fn an_append_works_before_its_future_is_looked_at(store: Store) {
    let name = name(14, 1);
    let appending = store.open(name).await.unwrap().append(vec![Bytes::from_static(b"hello")]);
    while store.seal(name).await.unwrap() < 5 {
        tokio::task::yield_now().await;
    }
    let (writer, outcome) = appending.await;
    outcome.unwrap();
    assert_eq!(writer.len(), 5);
}

/// Appends `bytes` in pieces of these sizes, over and over, a few pieces at a time.
async fn append_in_pieces(
    mut writer: Box<dyn SegmentWriter>,
    bytes: &Bytes,
    sizes: &[usize],
) -> Box<dyn SegmentWriter> {
    let (mut rest, mut sizes) = (bytes.clone(), sizes.iter().copied().cycle());
    while !rest.is_empty() {
        let batch = (0..3).map(|_| rest.split_to(sizes.next().unwrap().min(rest.len()))).collect();
        let (back, outcome) = writer.append(batch).await;
        outcome.unwrap();
        writer = back;
    }
    writer
}

async fn what_comes_fast_and_in_odd_pieces_is_all_there_after_a_sync(store: Store) {
    let name = name(60, 1);
    let (mut model, mut n) = (Vec::new(), 60);
    // Each stretch begins where the last one left the file: at a block's end, in the middle, one byte off.
    for (size, sizes) in [
        (9 << 20, &[65_536, 131_072][..]),
        ((5 << 20) + 1, &[65_483, 1, 70_001]),
        ((3 << 20) - 1, &[4_095, 200_000]),
        (1, &[1]),
        (12_345_678, &[300_000, 0, 7, 131_071]),
    ] {
        let bytes = Bytes::from(random_bytes(n, size));
        n += 1;
        let writer = append_in_pieces(store.open(name).await.unwrap(), &bytes, sizes).await;
        let (writer, outcome) = writer.sync().await;
        outcome.unwrap();
        model.extend_from_slice(&bytes);
        assert_eq!(writer.len(), model.len() as u64);
        assert_eq!(store.seal(name).await.unwrap(), model.len() as u64);
    }
    assert!(all(&store, name, model.len()).await == model);
}

/// More of them than there are buffers.
async fn streams_that_come_fast_side_by_side_keep_to_themselves(store: Store) {
    let tasks: Vec<_> = (70..94u8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let bytes = Bytes::from(random_bytes(n.into(), (3 << 20) + usize::from(n)));
                let writer = store.open(name(n, 1)).await.unwrap();
                let writer = append_in_pieces(writer, &bytes, &[131_072, 65_535]).await;
                writer.sync().await.1.unwrap();
                assert!(all(&store, name(n, 1), bytes.len()).await == bytes, "{n}");
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn what_came_fast_can_be_taken_back(store: Store) {
    let (name, bytes) = (name(95, 1), Bytes::from(random_bytes(95, 6 << 20)));
    let writer = append_in_pieces(store.open(name).await.unwrap(), &bytes, &[131_072]).await;
    let (writer, outcome) = writer.rewind(1_000_001).await;
    outcome.unwrap();
    assert_eq!(writer.len(), 1_000_001);
    let writer = append_in_pieces(writer, &bytes, &[131_072]).await;
    writer.sync().await.1.unwrap();
    assert_eq!(store.seal(name).await.unwrap(), 1_000_001 + (6 << 20));
    let expected = [&bytes[..1_000_001], &bytes[..]].concat();
    assert!(all(&store, name, expected.len()).await == expected);
}

async fn a_reader_goes_over_several_segments_and_leaves_out_what_does_not_count(store: Store) {
    let bytes = random_bytes(15, 900_000);
    let id = name(15, 0).id;
    let (mut segments, mut at) = (Vec::new(), 0);
    for (number, size) in [(1, 1), (2, 300_000), (5, 262_144), (6, 337_855)] {
        // Behind its end a segment may have what one wrote who was pushed aside.
        let with_rest = [&bytes[at..at + size], b"rubbish"].concat();
        write(&store, SegmentName { id, number }, &with_rest).await;
        segments.push(Segment { number, size_bytes: size as u64 });
        at += size;
    }
    assert_eq!(store::total_bytes(&segments), 900_000);
    for (from, to) in [(0, 900_000), (0, 1), (1, 2), (300_000, 300_002), (899_999, 900_000), (5, 5)] {
        let mut reader = store::reader(store.clone(), id, segments.clone(), ByteRange::new(from, to));
        let mut read = Vec::new();
        while let Some(piece) = reader.next().await.unwrap() {
            assert!(!piece.is_empty());
            read.extend_from_slice(&piece);
        }
        assert!(read == bytes[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()], "{from}..{to}");
    }
    // Invariant 5: a promised byte that is not there is an error, not an end.
    let mut reader = store::reader(store.clone(), id, segments, ByteRange::new(899_999, 900_001));
    assert!(reader.next().await.is_ok());
    assert!(matches!(reader.next().await, Err(StoreError::Missing)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_appends_and_rewinds_leave_what_a_list_of_bytes_would(
        steps in prop::collection::vec((any::<bool>(), 0usize..5_000), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let subject = local(Durability::Relaxed, DirectWrites::Auto);
        let (store, name) = (&subject.store, name(16, 1));
        runtime.block_on(async {
            let mut model: Vec<u8> = Vec::new();
            let mut writer = store.open(name).await.unwrap();
            for (n, (rewinds, size)) in steps.iter().enumerate() {
                if *rewinds {
                    model.truncate(*size);
                    let (back, outcome) = writer.rewind(model.len() as u64).await;
                    outcome.unwrap();
                    writer = back;
                } else {
                    let bytes = random_bytes(n as u64, *size);
                    model.extend_from_slice(&bytes);
                    writer = append(writer, &bytes).await;
                }
                assert_eq!(writer.len(), model.len() as u64);
            }
            assert_eq!(store.seal(name).await.unwrap(), model.len() as u64);
            assert!(all(store, name, model.len()).await == model);
        });
    }
}

/// A file system of a few megabytes, which only root can make.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .output();
        mount.is_ok_and(|done| done.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_says_so_and_what_was_appended_before_stays() {
    let Some(disk) = SmallDisk::mount(4) else {
        eprintln!("NOT TESTED: a full disk. Mounting a small tmpfs takes root.");
        return;
    };
    let store: Store = Arc::new(LocalStore::open(disk.0.path(), Durability::Durable).unwrap());
    let (bytes, name) = (random_bytes(17, 1 << 20), name(17, 1));
    let mut writer = store.open(name).await.unwrap();
    let refused = loop {
        let (back, outcome) = writer.append(vec![Bytes::from(bytes.clone())]).await;
        writer = back;
        if let Err(error) = outcome {
            break error;
        }
    };
    assert!(matches!(refused, StoreError::Full), "{refused:?}");
    let len = writer.len();
    assert!((1 << 20..5 << 20).contains(&len), "{len}");
    let (writer, outcome) = writer.sync().await;
    outcome.unwrap();
    assert_eq!(store.seal(name).await.unwrap(), len, "the writer knows how much of it was written");
    let expected: Vec<u8> = bytes.iter().copied().cycle().take(usize::try_from(len).unwrap()).collect();
    assert!(all(&store, name, expected.len()).await == expected);

    // With room again it goes on.
    let (writer, outcome) = writer.rewind(1 << 20).await;
    outcome.unwrap();
    append(writer, b"more").await.sync().await.1.unwrap();
    assert_eq!(store.seal(name).await.unwrap(), (1 << 20) + 4);
}
