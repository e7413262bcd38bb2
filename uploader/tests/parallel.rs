//! A file in several parts at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::{Desk, Fault, Log, Server};
use tidegate_uploader::{ExitCode, UploadError, Uploader};

const MIB: usize = 1 << 20;

async fn upload(desk: &Desk, server: &Server) -> (Result<tidegate_uploader::Finished, UploadError>, Log) {
    let mut options = desk.options(&server.url);
    options.parallel = 4;
    let mut log = Log::default();
    let result = Uploader::new(options).unwrap().upload(&desk.file, &mut log).await;
    (result, log)
}

fn finals(server: &Server) -> usize {
    let is_final =
        |concat: &Option<String>| concat.as_deref().is_some_and(|concat| concat.starts_with("final;"));
    server.state(|state| state.uploads.values().filter(|upload| is_final(&upload.concat)).count())
}

#[tokio::test]
async fn the_parts_are_joined_in_order_and_say_where_they_begin() {
    let desk = Desk::with(9 * MIB + 77);
    let server = Server::with(&[]).await;
    let (finished, _) = upload(&desk, &server).await;
    let finished = finished.unwrap();
    assert!(finished.verified && server.asset() == desk.content);
    let mut parts: Vec<(usize, usize)> = server.state(|state| {
        let uploads = state.uploads.values();
        uploads.filter_map(|upload| Some((upload.part_offset?, upload.length))).collect()
    });
    parts.sort_unstable();
    assert_eq!(parts, [(0, 3 * MIB), (3 * MIB, 3 * MIB), (6 * MIB, 2 * MIB), (8 * MIB, MIB + 77)]);
    let metadata = server.state(|state| state.uploads[&finished.id].metadata.clone());
    assert!(metadata.unwrap().starts_with("filename "));
    assert!(desk.journal_files().is_empty());
}

#[tokio::test]
async fn each_part_heals_for_itself() {
    let desk = Desk::with(8 * MIB);
    let faults: Vec<_> = (1..=6).map(|n| ("PATCH", Fault::CutAfter(n * 200_000))).collect();
    let server = Server::with(&[&faults[..], &[("HEAD", Fault::Forget)]].concat()).await;
    let (finished, log) = upload(&desk, &server).await;
    assert!(finished.unwrap().verified && server.asset() == desk.content);
    assert_eq!(log.warnings(), ["upload_lost"]);
}

#[tokio::test]
async fn a_lost_answer_to_the_joining_still_ends_in_an_asset() {
    let desk = Desk::with(4 * MIB);
    // Four creations pass; the answer to the fifth request, the joining, is lost.
    let mut faults = vec![("POST", Fault::Pass); 4];
    faults.push(("POST", Fault::LoseAnswer));
    let server = Server::with(&faults).await;
    let (finished, log) = upload(&desk, &server).await;
    assert!(finished.unwrap().verified);
    assert_eq!((log.retries().len(), finals(&server)), (1, 2));
    let whole = server.state(|state| {
        let finals = state.uploads.values().filter(|upload| upload.part_offset.is_none());
        finals.cloned().collect::<Vec<_>>()
    });
    assert!(whole.iter().all(|upload| upload.bytes == desk.content), "a second asset is a whole one");
}

#[tokio::test]
async fn parts_that_are_gone_when_they_shall_be_joined_are_sent_again() {
    let desk = Desk::with(4 * MIB);
    let mut faults = vec![("POST", Fault::Pass); 4];
    faults.push(("POST", Fault::Answer(404, &[])));
    faults.push(("HEAD", Fault::Forget));
    let server = Server::with(&faults).await;
    let (finished, log) = upload(&desk, &server).await;
    assert!(finished.unwrap().verified && server.asset() == desk.content);
    assert_eq!(log.warnings(), ["parts_lost", "upload_lost"]);
}

#[tokio::test]
async fn a_server_that_cannot_join_gets_the_file_in_one() {
    let desk = Desk::with(4 * MIB);
    let server = Server::with(&[]).await;
    server.state(|state| state.cannot_concatenate = true);
    let (finished, log) = upload(&desk, &server).await;
    assert!(finished.unwrap().verified && server.asset() == desk.content);
    assert_eq!(log.warnings(), ["no_concatenation"]);
    assert_eq!(server.count("POST"), 1);
}

#[tokio::test]
async fn a_file_too_large_for_the_server_is_known_before_its_parts_are_sent() {
    let desk = Desk::with(4 * MIB);
    let server = Server::with(&[]).await;
    server.state(|state| state.max_size = Some(3 << 20));
    let (result, _) = upload(&desk, &server).await;
    assert_eq!(result.unwrap_err().exit_code(), ExitCode::Refused);
    assert_eq!(server.count("POST"), 0);
}

#[tokio::test]
async fn one_part_that_is_refused_ends_the_others() {
    let desk = Desk::with(8 * MIB);
    let server = Server::with(&[("PATCH", Fault::Answer(413, &[]))]).await;
    let (result, _) = upload(&desk, &server).await;
    assert_eq!(result.unwrap_err().exit_code(), ExitCode::Refused);
    assert_eq!(finals(&server), 0);
}
