//! Invariant 5: a viewer never gets bytes of two generations in one response, and never a truncated response that
//! looks whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{
    Gate, Object, Origin, RUNTIME, SLICE, TestEdge, cache_status, open, random_bytes, read, read_rest,
};
use tidegate_testkit::http::Request;

const SIZE: usize = 40 * SLICE;

/// Replaces the object while a viewer is in the middle of it, and returns what the viewer got.
fn changed_in_the_middle(honours_conditions: bool) -> (Origin, TestEdge, Vec<u8>, Vec<u8>) {
    let origin = Origin::start();
    let gate = Gate::shut();
    let (old, new) = (random_bytes(1, SIZE), random_bytes(2, SIZE));
    let object = |bytes: &[u8], etag| {
        let object = Object::new(bytes.to_vec(), etag).behind(&gate);
        Object { conditions: honours_conditions, ..object }
    };
    origin.put("/film", object(&old, "old"));
    let edge = TestEdge::general(&origin);
    gate.let_through(2 * SLICE);
    let (mut connection, head) = open(edge.addr, &Request::get("/film"));
    assert_eq!(head.number("content-length"), Some(SIZE as u64));
    let mut got = read(&mut connection, SLICE / 2);
    origin.put("/film", object(&new, "new"));
    gate.open();
    got.extend(read_rest(&mut connection));
    assert!(got.len() < SIZE, "the response ended early, which the viewer sees by its length");
    assert!(got[..] == old[..got.len()], "and every byte is of the old generation");
    (origin, edge, old, new)
}

#[test]
fn invariant_5_a_change_in_the_middle_breaks_the_response_off() {
    let (_origin, edge, _, new) = changed_in_the_middle(true);
    let answer = edge.get("/film").expect(200);
    assert!(answer.whole && answer.body == new, "the next request gets the new generation");
    assert_eq!(answer.header("etag"), Some("\"new\""));
    assert!(edge.metric("tidegate_edge_broken_off_total", &[]) >= 1.0);
}

#[test]
fn invariant_5_holds_for_origins_that_know_no_conditions() {
    let (_origin, edge, _, new) = changed_in_the_middle(false);
    let answer = edge.get("/film").expect(200);
    assert!(answer.whole && answer.body == new);
}

#[test]
fn invariant_5_a_change_before_the_first_byte_starts_over_unseen() {
    let origin = Origin::start();
    let (old, new) = (random_bytes(1, SIZE), random_bytes(2, SIZE - 5));
    origin.put("/film", Object::new(old.clone(), "old"));
    let edge = TestEdge::general(&origin);
    assert!(edge.range("/film", "bytes=0-9").expect(206).body == old[..10]);
    origin.put("/film", Object::new(new.clone(), "new"));
    let far = format!("bytes={}-{}", 30 * SLICE, 30 * SLICE + 9);
    let answer = edge.range("/film", &far).expect(206);
    assert!(answer.body == new[30 * SLICE..30 * SLICE + 10]);
    assert_eq!(answer.header("etag"), Some("\"new\""));
    assert!(edge.range("/film", "bytes=0-9").expect(206).body == new[..10], "nothing of the old one is left");
}

#[test]
fn invariant_5_a_gone_object_breaks_the_response_off() {
    let origin = Origin::start();
    let gate = Gate::shut();
    origin.put("/film", Object::new(random_bytes(1, SIZE), "old").behind(&gate));
    let edge = TestEdge::general(&origin);
    gate.let_through(SLICE);
    let (mut connection, _) = open(edge.addr, &Request::get("/film"));
    let got = read(&mut connection, 100).len();
    origin.remove("/film");
    gate.open();
    assert!(got + read_rest(&mut connection).len() < SIZE);
    let answer = edge.get("/film").expect(404);
    assert!(cache_status(&answer).contains("fwd=uri-miss"), "{}", cache_status(&answer));
}

#[test]
fn invariant_5_over_http_2_the_stream_is_reset() {
    let origin = Origin::start();
    let gate = Gate::shut();
    let old = random_bytes(1, SIZE);
    origin.put("/film", Object::new(old.clone(), "old").behind(&gate));
    let edge = TestEdge::general(&origin);
    gate.let_through(SLICE);
    let (got, error) = RUNTIME.block_on(async {
        let stream = tokio::net::TcpStream::connect(edge.addr).await.unwrap();
        let handshake =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.unwrap();
        tokio::spawn(connection);
        let request =
            http::Request::get(format!("http://{}/film", edge.addr)).body(Empty::<Bytes>::new()).unwrap();
        let mut body = sender.send_request(request).await.unwrap().into_body();
        let mut got = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        origin.put("/film", Object::new(random_bytes(2, SIZE), "new"));
        gate.open();
        loop {
            match body.frame().await {
                Some(Ok(frame)) => got.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(error)) => break (got, Some(error)),
                None => break (got, None),
            }
        }
    });
    assert!(error.is_some(), "the stream was reset, not ended");
    assert!(got.len() < SIZE && got[..] == old[..got.len()]);
}

#[test]
fn an_upstream_that_breaks_off_is_asked_once_more_for_the_rest() {
    let origin = Origin::start();
    let bytes = random_bytes(3, 2 * SLICE);
    let cut = Object { cut_after: Some(SLICE / 2), ..Object::new(bytes.clone(), "one") };
    origin.put("/film", cut);
    let edge = TestEdge::general(&origin);
    let answer = edge.get("/film").expect(200);
    assert!(answer.whole && answer.body == bytes);
    let asked = origin.ranges_asked("/film");
    let rest = format!("bytes={}-{}", SLICE / 2, SLICE - 1);
    assert!(asked.contains(&rest), "only what was missing: {asked:?}");
}
