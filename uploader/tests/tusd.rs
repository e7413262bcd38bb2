//! Against tusd, the reference server, where it is installed (`tusd` in PATH, or its path in TUSD).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use std::process::Stdio;

use support::{Desk, Log};
use tidegate_uploader::Uploader;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A tusd and the directory it stores in; `None` where there is no tusd.
async fn tusd(dir: &std::path::Path) -> Option<(Child, String)> {
    let program = std::env::var("TUSD").unwrap_or_else(|_| "tusd".to_owned());
    let mut command = Command::new(&program);
    command.args(["-host", "127.0.0.1", "-port", "0", "-base-path", "/files/", "-upload-dir"]).arg(dir);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn();
    let Ok(mut child) = child else {
        println!("skipped: there is no {program}; install tusd or set TUSD to run this test");
        return None;
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut url = None;
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some((_, to)) = line.split_once("You can now upload files to: ") {
            url = Some(to.trim().to_owned());
            break;
        }
    }
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some((child, url.expect("tusd says its address")))
}

#[tokio::test]
async fn tusd_takes_files_of_all_sizes_whole_and_in_parts() {
    for (len, parallel, chunk) in [
        (0, 1, None),
        (1, 1, None),
        (300_000, 1, None),
        (9_000_000, 1, Some(2_500_000)),
        (9_000_000, 3, None),
    ] {
        let desk = Desk::with(len);
        let store = desk.dir.path().join("store");
        let Some((_tusd, url)) = tusd(&store).await else { return };
        let mut options = desk.options(&url);
        (options.parallel, options.chunk) = (parallel, chunk);
        let mut log = Log::default();
        let finished = Uploader::new(options).unwrap().upload(&desk.file, &mut log).await.unwrap();
        assert!(std::fs::read(store.join(&finished.id)).unwrap() == desk.content);
        assert!(!finished.verified);
        assert_eq!(log.warnings(), ["digest_unverified"], "{len} {parallel} {chunk:?}");
        let info = std::fs::read_to_string(store.join(format!("{}.info", finished.id))).unwrap();
        assert!(info.contains("film.mp4") && info.contains("video/mp4"), "{info}");
    }
}
