//! What can heal does not end an upload: it goes on where the server says it stands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use support::{Desk, Fault, Log, Server};
use tidegate_uploader::{Finished, Uploader};

const MIB: usize = 1 << 20;

/// Uploads through the faults; the bytes must arrive whole whatever they are.
async fn through(len: usize, faults: &[(&'static str, Fault)]) -> (Finished, Log, Server) {
    let desk = Desk::with(len);
    let server = Server::with(faults).await;
    let mut log = Log::default();
    let options = desk.options(&server.url);
    let finished = Uploader::new(options).unwrap().upload(&desk.file, &mut log).await.unwrap();
    assert!(server.asset() == desk.content);
    assert_eq!(finished.digest.to_string(), format!("blake3:{}", blake3::hash(&desk.content)));
    assert!(finished.verified);
    assert_eq!(server.state(|state| state.faults.clone()), [], "every fault was met");
    assert!(desk.journal_files().is_empty());
    (finished, log, server)
}

#[tokio::test]
async fn a_file_arrives_whole_with_its_name_and_type() {
    let (finished, log, server) = through(5 * MIB + 3, &[]).await;
    assert_eq!((finished.size_bytes, finished.resent_bytes), (5 * MIB as u64 + 3, 0));
    assert_eq!(finished.url, format!("{}/watch/{}", server.url, finished.id));
    assert_eq!((log.retries().len(), log.warnings().len()), (0, 0));
    let metadata = server.state(|state| state.uploads[&finished.id].metadata.clone());
    assert_eq!(metadata.unwrap(), "filename ZmlsbS5tcDQ=,filetype dmlkZW8vbXA0");
    assert_eq!((server.count("POST"), server.count("PATCH"), server.count("HEAD")), (1, 1, 0));
}

#[tokio::test]
async fn a_small_file_takes_one_request() {
    for len in [0, 1, 100_000] {
        let (_, _, server) = through(len, &[]).await;
        assert_eq!(server.state(|state| state.requests.len()), 1, "{len} bytes");
    }
}

#[tokio::test]
async fn a_cut_in_the_body_is_resumed_where_it_was() {
    let cuts: Vec<_> = (0..4).map(|n| ("PATCH", Fault::CutAfter(MIB + 1000 * n))).collect();
    let (finished, log, server) = through(8 * MIB, &cuts).await;
    assert_eq!(log.retries().len(), 4);
    assert_eq!((server.count("POST"), server.count("PATCH"), server.count("HEAD")), (1, 5, 4));
    println!("sent twice: {} bytes in 4 cuts", finished.resent_bytes);
    assert!(finished.resent_bytes <= 4 * 8 * MIB as u64);
}

#[tokio::test]
async fn a_creation_that_was_lost_is_made_again() {
    let desk = Desk::with(MIB);
    let server = Server::with(&[("POST", Fault::LoseAnswer), ("POST", Fault::CutAfter(0))]).await;
    let mut log = Log::default();
    Uploader::new(desk.options(&server.url)).unwrap().upload(&desk.file, &mut log).await.unwrap();
    assert_eq!(log.retries().len(), 2);
    let uploads: Vec<usize> =
        server.state(|state| state.uploads.values().map(|upload| upload.bytes.len()).collect());
    assert_eq!(uploads.iter().filter(|len| **len == MIB).count(), 1, "{uploads:?}");
    assert!(uploads.iter().all(|len| [0, MIB].contains(len)), "what is left behind is empty: {uploads:?}");
}

#[tokio::test]
async fn a_lost_final_answer_is_found_out() {
    let (finished, _, server) = through(2 * MIB, &[("PATCH", Fault::LoseAnswer)]).await;
    assert_eq!((server.count("PATCH"), server.count("HEAD")), (1, 1));
    assert_eq!(finished.resent_bytes, 0);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_to_create() {
    let faults = [("POST", Fault::Answer(503, &[("retry-after", "1")])), ("POST", Fault::Answer(500, &[]))];
    assert_eq!(through(MIB, &faults).await.1.retries().len(), 2);
}

#[tokio::test]
async fn an_upload_that_others_hold_is_waited_for() {
    let faults = [
        ("PATCH", Fault::Answer(423, &[])),
        ("HEAD", Fault::Answer(423, &[])),
        ("PATCH", Fault::Answer(409, &[])),
    ];
    assert_eq!(through(MIB, &faults).await.1.retries().len(), 3);
}

#[tokio::test]
async fn limits_and_broken_proxies_are_waited_out() {
    let faults = [
        ("PATCH", Fault::Answer(429, &[])),
        ("HEAD", Fault::Answer(502, &[])),
        ("PATCH", Fault::Answer(408, &[])),
    ];
    assert_eq!(through(MIB, &faults).await.1.retries().len(), 3);
}

#[tokio::test]
async fn a_retry_after_is_waited_out() {
    let began = tokio::time::Instant::now();
    through(MIB, &[("PATCH", Fault::Answer(503, &[("retry-after", "2")]))]).await;
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[tokio::test]
async fn a_captive_portal_in_mid_upload_heals() {
    let faults = [
        ("PATCH", Fault::CutAfter(500_000)),
        ("HEAD", Fault::Answer(302, &[("location", "http://portal.example/login")])),
        ("HEAD", Fault::Answer(200, &[("content-type", "text/html")])),
    ];
    through(2 * MIB, &faults).await;
}

#[tokio::test]
async fn a_stall_is_a_failure_in_the_body_in_the_answer_and_in_a_question() {
    let desk = Desk::with(4 * MIB);
    let faults = [
        ("PATCH", Fault::StallAfter(100_000)),
        ("HEAD", Fault::StallAfter(0)),
        ("PATCH", Fault::StallAfter(4 * MIB)),
    ];
    let server = Server::with(&faults).await;
    let mut options = desk.options(&server.url);
    options.stall = Duration::from_secs(1);
    let mut log = Log::default();
    Uploader::new(options).unwrap().upload(&desk.file, &mut log).await.unwrap();
    assert!(server.asset() == desk.content);
    assert_eq!(server.state(|state| state.faults.clone()), [], "every fault was met");
}

#[tokio::test]
async fn bytes_the_server_lost_are_sent_again_and_said() {
    let faults = [
        ("PATCH", Fault::TakeOnly(2 * MIB)),
        ("PATCH", Fault::CutAfter(0)),
        ("HEAD", Fault::LoseBytes(MIB + 17)),
    ];
    let (finished, log, _) = through(4 * MIB, &faults).await;
    assert_eq!(log.warnings(), ["server_lost_bytes"]);
    assert!(finished.resent_bytes >= MIB as u64 + 17);
}

#[tokio::test]
async fn an_upload_the_server_lost_begins_anew() {
    let faults = [("PATCH", Fault::CutAfter(MIB)), ("HEAD", Fault::Forget)];
    let (finished, log, server) = through(2 * MIB, &faults).await;
    assert_eq!(log.warnings(), ["upload_lost"]);
    assert_eq!(server.count("POST"), 2);
    assert!(finished.resent_bytes >= MIB as u64);
}

#[tokio::test]
async fn a_server_that_takes_less_than_was_sent_gets_the_rest() {
    let (_, log, server) = through(3 * MIB, &[("PATCH", Fault::TakeOnly(1_234_567))]).await;
    assert!(server.count("PATCH") >= 2, "{:?}", log.retries());
}

#[tokio::test]
async fn a_creation_without_body_follows_where_one_with_body_is_refused() {
    let (_, _, server) = through(1000, &[("POST", Fault::Answer(415, &[]))]).await;
    assert_eq!((server.count("POST"), server.count("PATCH")), (2, 1));
}

#[tokio::test]
async fn chunks_are_as_long_as_was_said() {
    let desk = Desk::with(10_000_000);
    let server = Server::with(&[]).await;
    let mut options = desk.options(&server.url);
    options.chunk = Some(3_000_000);
    Uploader::new(options).unwrap().upload(&desk.file, &mut Log::default()).await.unwrap();
    let lengths: Vec<_> = server.state(|state| {
        let patches = state.requests.iter().filter(|head| head.method == "PATCH");
        patches.map(|head| head.number("content-length").unwrap()).collect()
    });
    assert_eq!(lengths, [3_000_000, 3_000_000, 3_000_000, 1_000_000]);
    assert!(server.asset() == desk.content);
}
