//! Every queue, body, timeout, retry and buffer has a named limit in `limits.rs` (invariant 11): waits and capacities
//! written as numbers anywhere else are found in the sources.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};

/// Calls that take a wait or a capacity; a digit right behind them is a limit without a name.
const TAKES_A_LIMIT: [&str; 9] = [
    "Duration::from_secs(",
    "Duration::from_millis(",
    "Duration::from_secs_f64(",
    "mpsc::channel(",
    "broadcast::channel(",
    "Semaphore::new(",
    "max_capacity(",
    ".max_buf_size(",
    "DefaultBodyLimit::max(",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("limits.rs")
        {
            found.push(path);
        }
    }
}

#[test]
fn invariant_11_no_wait_and_no_capacity_is_written_as_a_number_outside_limits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let parts = [
        "src",
        "wire/src",
        "serve/src",
        "origin/src",
        "edge/src",
        "uploader/src",
        "packager/src",
        "transcoder/src",
    ];
    for part in parts {
        sources(&root.join(part), &mut files);
    }
    assert!(files.len() > 100, "the sources are where they are looked for");
    let mut unnamed = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let has_number = TAKES_A_LIMIT.iter().any(|call| {
                line.split(call).skip(1).any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
            });
            if has_number && !line.trim_start().starts_with("//") {
                unnamed.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(unnamed.is_empty(), "limits without a name:\n{}", unnamed.join("\n"));
}
