//! What a store of packaged files promises.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use tidegate_origin::store::{
    Durability, FileName, FileReader, FileStore, Kept, LocalFiles, Segment, StoreError, StoredFile, Tree,
};
use tidegate_serve::Entropy;
use tidegate_wire::{AssetId, ByteRange};

fn store(folder: &TempDir, durability: Durability) -> Arc<dyn FileStore> {
    Arc::new(LocalFiles::new(folder.path(), durability, Entropy::seeded(1)))
}

fn id(n: u8) -> AssetId {
    AssetId::generate(1_700_000_000_000, [n; 10])
}

fn name(n: u8, path: &str) -> FileName {
    FileName { asset: id(n), revision: 1, path: path.parse().unwrap() }
}

fn tree(n: u8, below: Option<&str>) -> Tree {
    Tree { asset: id(n), below: below.map(|path| (1, path.parse().unwrap())) }
}

async fn put(store: &Arc<dyn FileStore>, name: &FileName, pieces: &[&str]) -> Result<Kept, StoreError> {
    let mut writer = store.create(name.clone()).await?;
    for piece in pieces {
        writer.write(Bytes::copy_from_slice(piece.as_bytes())).await?;
    }
    writer.finish().await
}

async fn read(file: Arc<dyn StoredFile>, range: ByteRange) -> String {
    let mut reader = FileReader::new(file, range);
    let mut text = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_file_is_there_when_it_is_whole_and_never_changes() {
    for durability in [Durability::Durable, Durability::Relaxed] {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder, durability);
        let name = name(1, "12-1/v720/00000.m4s");
        assert!(matches!(store.open(name.clone()).await, Err(StoreError::Missing)));
        let mut writer = store.create(name.clone()).await.unwrap();
        writer.write(Bytes::from_static(b"hal")).await.unwrap();
        assert!(matches!(store.open(name.clone()).await, Err(StoreError::Missing)), "half of it");
        drop(writer);
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new(), "given up, it leaves nothing");

        assert_eq!(put(&store, &name, &["one ", "file"]).await.unwrap(), Kept::New);
        assert_eq!(put(&store, &name, &["one file"]).await.unwrap(), Kept::Same);
        assert_eq!(put(&store, &name, &["one fill"]).await.unwrap(), Kept::Different);
        assert_eq!(put(&store, &name, &["one"]).await.unwrap(), Kept::Different);
        assert_eq!(files(folder.path()).len(), 1);
        let file = store.open(name.clone()).await.unwrap();
        assert_eq!(file.size_bytes(), 8);
        assert_eq!(read(file.clone(), ByteRange::new(0, 8)).await, "one file");
        assert_eq!(read(file.clone(), ByteRange::new(4, 6)).await, "fi");
        let mut past = FileReader::new(file, ByteRange::new(4, 9));
        assert!(
            matches!(past.next().await, Err(StoreError::Missing)),
            "never a shorter one that looks whole"
        );
    }
}

#[tokio::test]
async fn of_many_that_bring_a_file_at_once_one_is_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, Durability::Durable);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16 {
        let store = store.clone();
        let text = format!("file {}", n % 2);
        tasks.spawn(async move { (n % 2, put(&store, &name(1, "1-1/x"), &[&text]).await.unwrap()) });
    }
    let kept = tasks.join_all().await;
    assert_eq!(kept.iter().filter(|(_, kept)| *kept == Kept::New).count(), 1);
    let first = kept.iter().find(|(_, kept)| *kept == Kept::New).unwrap().0;
    assert!(kept.iter().all(|(which, kept)| (*which == first) == (*kept != Kept::Different)), "{kept:?}");
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn a_tree_goes_with_what_is_being_written_into_it_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, Durability::Durable);
    for (n, path) in [(1, "1-1/a/x"), (1, "1-2/a/x"), (1, "2-1/x"), (2, "1-1/x")] {
        put(&store, &name(n, path), &["text"]).await.unwrap();
    }
    let opened = store.open(name(1, "1-1/a/x")).await.unwrap();
    let late = store.create(name(1, "1-1/a/y")).await.unwrap();
    store.remove_tree(tree(1, Some("1-1"))).await.unwrap();
    assert!(matches!(late.finish().await, Err(StoreError::Missing)), "its place is gone");
    assert_eq!(read(opened, ByteRange::new(0, 4)).await, "text", "what was opened can be read");
    assert_eq!(files(folder.path()).len(), 3);
    for _ in 0..2 {
        store.remove_tree(tree(1, None)).await.unwrap();
    }
    assert_eq!(files(folder.path()).len(), 1);
    store.open(name(2, "1-1/x")).await.unwrap();
    assert!(store.open(name(2, "1-1")).await.is_err(), "a folder is no file");
}

#[tokio::test]
async fn a_file_with_two_names_stays_when_one_of_them_goes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, Durability::Durable);
    for path in ["1-1/a/x", "1-2/a/x", "1-2/a/y"] {
        put(&store, &name(1, path), &[path]).await.unwrap();
    }
    let link = async |from, to| store.link(name(1, from), name(1, to)).await;
    assert_eq!(link("1-2/a/y", "1-1/a/y").await.unwrap(), Kept::New);
    assert_eq!(link("1-2/a/y", "1-1/a/y").await.unwrap(), Kept::Same);
    assert_eq!(link("1-2/a/x", "1-1/a/x").await.unwrap(), Kept::Different);
    assert!(matches!(link("1-2/a/z", "1-1/a/z").await, Err(StoreError::Missing)));
    store.remove_tree(tree(1, Some("1-2"))).await.unwrap();
    let file = store.open(name(1, "1-1/a/y")).await.unwrap();
    assert_eq!(read(file, ByteRange::new(0, 7)).await, "1-2/a/y");
    let file = store.open(name(1, "1-1/a/x")).await.unwrap();
    assert_eq!(read(file, ByteRange::new(0, 7)).await, "1-1/a/x");
}

#[tokio::test]
async fn segments_are_named_where_they_are_exactly_the_upload() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, Durability::Durable);
    let shard = id(1).to_string()[34..].to_owned();
    std::fs::create_dir(folder.path().join(&shard)).unwrap();
    for (number, text) in [(1, "four"), (2, "and more")] {
        std::fs::write(folder.path().join(&shard).join(format!("{}.{number}", id(1))), text).unwrap();
    }
    let segment = |number, size_bytes| Segment { number, size_bytes };
    let named = store.source_files(id(1), vec![segment(1, 4), segment(2, 8)]).await;
    assert_eq!(named, [format!("{shard}/{}.1", id(1)), format!("{shard}/{}.2", id(1))]);
    for segments in [vec![segment(1, 4), segment(2, 7)], vec![segment(3, 1)]] {
        assert!(store.source_files(id(1), segments).await.is_empty());
    }
}
