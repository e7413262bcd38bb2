//! What cannot heal ends an upload at once, with the exit code of its cause.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::io::Write;
use std::time::Duration;

use support::{Desk, Fault, Log, Server};
use tidegate_uploader::{Event, Events, ExitCode, UploadError, Uploader};

const MIB: usize = 1 << 20;

async fn fails(desk: &Desk, server: &Server) -> (UploadError, Log) {
    let mut log = Log::default();
    let error =
        Uploader::new(desk.options(&server.url)).unwrap().upload(&desk.file, &mut log).await.unwrap_err();
    let Some(Event::Failed { code, exit_code, .. }) = log.0.last() else { panic!("{:?}", log.0.last()) };
    assert_eq!((*code, *exit_code), (error.code(), error.exit_code() as u8));
    (error, log)
}

#[tokio::test]
async fn refusals_are_not_argued_with() {
    for (status, exit) in [
        (400, ExitCode::Refused),
        (401, ExitCode::Permission),
        (403, ExitCode::Permission),
        (404, ExitCode::Refused),
        (412, ExitCode::Refused),
        (413, ExitCode::Refused),
        (415, ExitCode::Refused),
    ] {
        let desk = Desk::with(2 * MIB);
        let server = Server::with(&[("POST", Fault::Answer(status, &[]))]).await;
        let (error, log) = fails(&desk, &server).await;
        assert_eq!(error.exit_code(), exit, "{error}");
        assert_eq!((server.count("POST"), log.retries().len()), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn a_token_that_ends_in_mid_upload_stops_it_and_keeps_the_journal() {
    let desk = Desk::with(4 * MIB);
    let server = Server::with(&[("PATCH", Fault::CutAfter(MIB)), ("HEAD", Fault::Answer(401, &[]))]).await;
    let (error, _) = fails(&desk, &server).await;
    assert_eq!(error.exit_code(), ExitCode::Permission);
    assert_eq!(desk.journal_files().len(), 1, "with a new token it goes on");
    let mut log = Log::default();
    Uploader::new(desk.options(&server.url)).unwrap().upload(&desk.file, &mut log).await.unwrap();
    assert!(log.resumed() && server.asset() == desk.content);
    assert_eq!(server.count("POST"), 1);
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let desk = Desk::with(MIB);
    let server =
        Server::with(&[("POST", Fault::Answer(301, &[("location", "https://h.example/files")]))]).await;
    let (error, _) = fails(&desk, &server).await;
    assert!(error.to_string().contains("https://h.example/files"), "{error}");
}

#[tokio::test]
async fn something_that_is_no_tus_server_is_told() {
    let desk = Desk::with(MIB);
    let server = Server::with(&[("POST", Fault::Answer(200, &[]))]).await;
    assert_eq!(fails(&desk, &server).await.0.code(), "not_tus");
}

/// Writes to the file when the upload was created.
struct Meddler(std::path::PathBuf);

impl Events for Meddler {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Created { .. }) {
            std::fs::File::options().append(true).open(&self.0).unwrap().write_all(b"more").unwrap();
        }
    }
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_not_completed() {
    let desk = Desk::with(64 * MIB);
    let server = Server::with(&[]).await;
    let mut options = desk.options(&server.url);
    options.limit_rate = Some(64 * MIB as u64);
    let uploader = Uploader::new(options).unwrap();
    let error = uploader.upload(&desk.file, &mut Meddler(desk.file.clone())).await.unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("file_changed", ExitCode::File));
    assert!(server.state(|state| state.uploads.values().all(|upload| upload.bytes.len() < upload.length)));
    assert!(desk.journal_files().is_empty(), "it cannot be continued");
}

#[tokio::test]
async fn another_digest_on_the_server_is_an_error() {
    let desk = Desk::with(2 * MIB);
    let server = Server::with(&[]).await;
    server.state(|state| state.lies = true);
    let (error, _) = fails(&desk, &server).await;
    assert_eq!(error.exit_code(), ExitCode::Digest);
    assert!(desk.journal_files().is_empty());
}

#[tokio::test]
async fn a_server_without_digest_is_not_taken_for_verified() {
    let desk = Desk::with(2 * MIB);
    let server = Server::with(&[]).await;
    server.state(|state| state.tells_digest = false);
    let mut log = Log::default();
    let finished =
        Uploader::new(desk.options(&server.url)).unwrap().upload(&desk.file, &mut log).await.unwrap();
    assert!(!finished.verified);
    assert_eq!(log.warnings(), ["digest_unverified"]);
    assert_eq!(finished.url, format!("{}/files/{}", server.url, finished.id));
}

#[tokio::test]
async fn with_a_limit_it_gives_up_and_keeps_the_journal() {
    let desk = Desk::with(2 * MIB);
    let mut faults = vec![("PATCH", Fault::CutAfter(MIB))];
    faults.extend(std::iter::repeat_n(("HEAD", Fault::Answer(503, &[])), 1000));
    let server = Server::with(&faults).await;
    let mut options = desk.options(&server.url);
    options.give_up_after = Some(Duration::from_secs(1));
    let error = Uploader::new(options).unwrap().upload(&desk.file, &mut Log::default()).await.unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::GaveUp);
    assert!(error.to_string().contains("503"), "{error}");
    assert_eq!(desk.journal_files().len(), 1);
}

#[tokio::test]
async fn a_server_that_forgets_again_and_again_is_a_refusal() {
    let desk = Desk::with(2 * MIB);
    let server = Server::with(&vec![("PATCH", Fault::Forget); 100]).await;
    let (error, log) = fails(&desk, &server).await;
    assert_eq!(error.exit_code(), ExitCode::Refused);
    assert_eq!(log.warnings().len(), 5);
}

#[tokio::test]
async fn a_server_that_claims_more_than_there_is_is_not_believed() {
    let desk = Desk::with(MIB);
    let faults =
        [("PATCH", Fault::CutAfter(1000)), ("HEAD", Fault::Answer(200, &[("upload-offset", "99999999")]))];
    let server = Server::with(&faults).await;
    assert_eq!(fails(&desk, &server).await.0.code(), "not_tus");
}
