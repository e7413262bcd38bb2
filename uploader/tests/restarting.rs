//! A later process goes on where an earlier one ended, however it ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::process::Stdio;

use support::{Desk, Fault, Log, Server, command, json_lines};
use tidegate_uploader::{ExitCode, UploadError, Uploader};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

const MIB: usize = 1 << 20;

/// Starts the command slowly enough to be met in mid-upload, and waits until the server has some of the file.
async fn in_mid_upload(desk: &Desk, server: &Server, parallel: &str) -> Child {
    let mut command = command(&desk.journals(), &server.url);
    command.args(["--json", "--limit-rate", "8MiB/s", "--parallel", parallel]).arg(&desk.file);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains(r#""event":"progress""#) {
            break;
        }
    }
    // Nobody reads on, which the command has to live with.
    child
}

async fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    assert!(tokio::process::Command::new("kill").args([name, &id]).status().await.unwrap().success());
}

async fn goes_on(desk: &Desk, server: &Server, parallel: &str) {
    let before = server.count("POST");
    let stored: usize = server.state(|state| state.uploads.values().map(|upload| upload.bytes.len()).sum());
    assert!(stored > 0 && stored < desk.content.len(), "{stored} bytes are there");
    let mut command = command(&desk.journals(), &server.url);
    let out = command.args(["--json", "--parallel", parallel]).arg(&desk.file).output().await.unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let events = json_lines(&out.stdout);
    assert_eq!(events[0]["event"], "resumed");
    let finished = events.last().unwrap();
    assert_eq!(finished["digest"], format!("blake3:{}", blake3::hash(&desk.content)));
    assert!(server.asset() == desk.content);
    let joined = usize::from(parallel != "1");
    assert_eq!(server.count("POST"), before + joined, "nothing was created again");
    assert!(desk.journal_files().is_empty());
}

#[tokio::test]
async fn a_killed_command_goes_on() {
    let (desk, server) = (Desk::with(24 * MIB), Server::with(&[]).await);
    let mut child = in_mid_upload(&desk, &server, "1").await;
    child.kill().await.unwrap();
    goes_on(&desk, &server, "1").await;
}

#[tokio::test]
async fn a_killed_parallel_command_goes_on_in_every_part() {
    let (desk, server) = (Desk::with(24 * MIB + 5), Server::with(&[]).await);
    let mut child = in_mid_upload(&desk, &server, "3").await;
    child.kill().await.unwrap();
    goes_on(&desk, &server, "3").await;
}

#[tokio::test]
async fn an_interrupt_ends_with_130_and_can_go_on() {
    let (desk, server) = (Desk::with(24 * MIB), Server::with(&[]).await);
    let mut child = in_mid_upload(&desk, &server, "1").await;
    signal(&child, "-INT").await;
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    assert_eq!(desk.journal_files().len(), 1);
    goes_on(&desk, &server, "1").await;
}

#[tokio::test]
async fn a_second_command_for_the_same_file_says_so() {
    let (desk, server) = (Desk::with(24 * MIB), Server::with(&[]).await);
    let _first = in_mid_upload(&desk, &server, "1").await;
    let out = command(&desk.journals(), &server.url).arg("--json").arg(&desk.file).output().await.unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(json_lines(&out.stdout).last().unwrap()["code"], "already_uploading");
}

/// Uploads until the token is refused in mid-upload, which leaves a journal.
async fn interrupted(faults: &[(&'static str, Fault)]) -> (Desk, Server) {
    let desk = Desk::with(4 * MIB);
    let first = [("PATCH", Fault::CutAfter(MIB)), ("HEAD", Fault::Answer(401, &[]))];
    let server = Server::with(&[&first[..], faults].concat()).await;
    let uploader = Uploader::new(desk.options(&server.url)).unwrap();
    let error = uploader.upload(&desk.file, &mut Log::default()).await.unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Permission);
    assert_eq!(desk.journal_files().len(), 1);
    (desk, server)
}

async fn again(desk: &Desk, server: &Server) -> Log {
    let mut log = Log::default();
    Uploader::new(desk.options(&server.url)).unwrap().upload(&desk.file, &mut log).await.unwrap();
    log
}

#[tokio::test]
async fn an_upload_that_is_gone_on_the_server_begins_anew() {
    let (desk, server) = interrupted(&[("HEAD", Fault::Forget)]).await;
    let log = again(&desk, &server).await;
    assert_eq!(log.warnings(), ["upload_lost"]);
    assert!(server.asset() == desk.content);
}

#[tokio::test]
async fn a_corrupt_journal_is_ignored_with_a_warning() {
    let (desk, server) = interrupted(&[]).await;
    std::fs::write(&desk.journal_files()[0], b"{\"version\": 1, \"par").unwrap();
    let log = again(&desk, &server).await;
    assert_eq!(log.warnings(), ["journal_corrupt"]);
    assert!(server.asset() == desk.content);
}

#[tokio::test]
async fn a_file_that_was_replaced_since_is_not_mixed_with_the_old_one() {
    let (mut desk, server) = interrupted(&[]).await;
    desk.content.reverse();
    std::fs::write(&desk.file, &desk.content).unwrap();
    let log = again(&desk, &server).await;
    assert_eq!(log.warnings(), ["file_differs"]);
    assert!(server.asset() == desk.content);
}

#[tokio::test]
async fn an_upload_that_was_complete_all_along_is_only_confirmed() {
    let (desk, server) = interrupted(&[]).await;
    server.state(|state| {
        let upload = state.uploads.values_mut().next().unwrap();
        upload.bytes = desk.content.clone();
    });
    let patches = server.count("PATCH");
    again(&desk, &server).await;
    assert_eq!(server.count("PATCH"), patches);
}

#[tokio::test]
async fn without_a_place_for_journals_it_uploads_all_the_same() {
    let desk = Desk::with(MIB);
    let server = Server::with(&[]).await;
    let mut options = desk.options(&server.url);
    options.journal = Some(desk.file.join("below-a-file"));
    let mut log = Log::default();
    Uploader::new(options).unwrap().upload(&desk.file, &mut log).await.unwrap();
    assert_eq!(log.warnings(), ["journal_unavailable"]);
    assert!(server.asset() == desk.content);
}

#[tokio::test]
async fn a_dropped_call_leaves_the_journal_and_lets_go_of_it() {
    let desk = Desk::with(24 * MIB);
    let server = Server::with(&[]).await;
    let mut options = desk.options(&server.url);
    options.limit_rate = Some(8 << 20);
    let uploader = Uploader::new(options).unwrap();
    let mut log = Log::default();
    let stored = async {
        while server.state(|state| state.uploads.values().all(|upload| upload.bytes.is_empty())) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        result = uploader.upload(&desk.file, &mut log) => panic!("{result:?}"),
        () = stored => {}
    }
    // The tasks that were cut end on their own time; until then the lock may be held.
    let log = loop {
        let mut log = Log::default();
        match Uploader::new(desk.options(&server.url)).unwrap().upload(&desk.file, &mut log).await {
            Err(UploadError::Busy { .. }) => tokio::task::yield_now().await,
            result => break result.map(|_| log).unwrap(),
        }
    };
    assert!(log.resumed() && server.asset() == desk.content);
}
