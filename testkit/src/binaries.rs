//! Where cargo put our binaries.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The path of one of the workspace's binaries, built with the same profile as the running test. `cargo test
/// --workspace` builds them all; a test of one package alone may find another's missing or old.
///
/// # Panics
/// When it was not built, or one of its sources is newer: a test must not pass on yesterday's program.
pub fn binary(name: &str) -> PathBuf {
    let path = profile_folder().join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    if let Some(newer) = newer_source(&path) {
        panic!("{name} is older than {}: run `cargo build --workspace --bins` first", newer.display());
    }
    path
}

/// Cargo's target folder.
///
/// # Panics
/// When the test was not built by cargo.
pub fn target_folder() -> PathBuf {
    profile_folder().parent().expect("a profile's folder is below the target folder").to_path_buf()
}

fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test");
    // Tests run from target/PROFILE/deps, binaries from the folder above it.
    let folder = test.ancestors().find(|folder| folder.join(".fingerprint").is_dir());
    folder.expect("cargo's target folder above the test").to_path_buf()
}

/// The first source that changed after the binary was built, by the list cargo keeps beside it.
fn newer_source(binary: &Path) -> Option<PathBuf> {
    let built = modified(binary)?;
    let list = std::fs::read_to_string(binary.with_extension("d")).ok()?;
    let sources = list.split_once(": ")?.1;
    // The list escapes a space in a path with a backslash.
    let sources = sources.trim_end().replace("\\ ", "\0");
    sources
        .split(' ')
        .map(|path| PathBuf::from(path.replace('\0', " ")))
        .find(|path| modified(path) > Some(built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}
