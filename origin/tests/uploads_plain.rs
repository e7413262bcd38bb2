//! A whole file as the body of one POST or PUT, over HTTP/1.1 and HTTP/2.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod site;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use site::{Origin, Site};
use tidegate_testkit::files::{digest_of, random_bytes};
use tidegate_testkit::http::{Connection, Request};
use tidegate_testkit::wait::eventually_true;

fn wait_nothing_left(site: &Site, origin: &Origin) {
    eventually_true("the bytes to be removed", Duration::from_secs(30), || site.stored().is_empty());
    let assets = origin.send(&Request::get("/api/v1/assets").bearer(&origin.token)).expect(200).json();
    assert_eq!(assets["assets"].as_array().unwrap().len(), 0);
    let uploads = &origin.app.metrics.uploads;
    eventually_true("the upload to be ended", Duration::from_secs(30), || {
        uploads.created.get() == uploads.terminated.get()
    });
}

fn one_request_makes_an_asset(site: &Site) {
    let (origin, bytes) = (site.start(), random_bytes(1, 1_000_000));
    let put = Request::new("PUT", "/files/my%20film.mp4").bearer(&origin.token).body(&*bytes);
    let answer = origin.send(&put).expect(201);
    let made = answer.json();
    assert_eq!(made["digest"], digest_of(&bytes));
    assert_eq!(made["size_bytes"], bytes.len());
    assert_eq!(made["url"], answer.header("location").unwrap());
    assert_eq!(answer.header("tidegate-digest"), Some(&*digest_of(&bytes)));
    let id = made["id"].as_str().unwrap();
    assert_eq!(origin.asset(id)["name"], "my film.mp4");
    origin.assert_is(id, &bytes);
}

fn a_chunked_body_of_unknown_length_makes_an_asset(site: &Site) {
    let (origin, bytes) = (site.start(), random_bytes(2, 500_000));
    let post = Request::new("POST", "/files")
        .bearer(&origin.token)
        .header("Transfer-Encoding", "chunked")
        .header("Content-Disposition", "attachment; filename=\"a.bin\"");
    let mut connection = Connection::open(origin.addr).unwrap();
    connection.send(&post.to_bytes()).unwrap();
    for piece in bytes.chunks(77_777) {
        connection.send(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).unwrap();
    }
    connection.send(b"0\r\n\r\n").unwrap();
    let made = connection.response("POST").unwrap().expect(201).json();
    origin.assert_is(made["id"].as_str().unwrap(), &bytes);
}

fn a_body_that_breaks_off_leaves_nothing(site: &Site) {
    let (origin, bytes) = (site.start(), random_bytes(3, 300_000));
    let head = |field: &str, value: &str| {
        Request::new("PUT", "/files/film.mp4").bearer(&origin.token).header(field, value).to_bytes()
    };
    let sized = head("Content-Length", "1000000");
    let chunked = [&*head("Transfer-Encoding", "chunked"), b"f4240\r\n"].concat();
    for (n, head) in [sized, chunked].iter().enumerate() {
        let mut connection = Connection::open(origin.addr).unwrap();
        connection.send(head).unwrap();
        connection.send(&bytes).unwrap();
        origin.wait_received(300_000 * (n as u64 + 1));
        drop(connection);
        wait_nothing_left(site, &origin);
    }
}

on_both_columns!(
    one_request_makes_an_asset,
    a_chunked_body_of_unknown_length_makes_an_asset,
    a_body_that_breaks_off_leaves_nothing
);

/// Sends a body over HTTP/2; the answer's status and body, if there is one.
fn over_http2<B>(origin: &Origin, body: B) -> Option<(u16, Bytes)>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(origin.addr).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::put(format!("http://{}/files/film.mp4", origin.addr))
            .header("authorization", format!("Bearer {}", origin.token))
            .body(body)
            .unwrap();
        let answer = sender.send_request(request).await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.into_body().collect().await.ok()?.to_bytes()))
    })
}

#[test]
fn a_body_over_http_2_makes_an_asset() {
    let site = Site::embedded();
    let (origin, bytes) = (site.start(), random_bytes(4, 3_000_000));
    let (status, body) = over_http2(&origin, Full::new(Bytes::from(bytes.clone()))).unwrap();
    assert_eq!(status, 201, "{body:?}");
    let made: serde_json::Value = serde_json::from_slice(&body).unwrap();
    origin.assert_is(made["id"].as_str().unwrap(), &bytes);
}

/// Some bytes; the sender gives up when it is told to.
struct BreaksOff(Option<Bytes>, tokio::sync::oneshot::Receiver<()>);

impl Body for BreaksOff {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.0.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        Pin::new(&mut self.1).poll(cx).map(|_| Some(Err(io::Error::other("the sender gives up"))))
    }
}

#[test]
fn a_stream_over_http_2_that_is_reset_leaves_nothing() {
    let site = Site::embedded();
    let origin = site.start();
    let (give_up, told) = tokio::sync::oneshot::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let answer = over_http2(&origin, BreaksOff(Some(random_bytes(5, 200_000).into()), told));
            assert!(answer.is_none_or(|(status, _)| status >= 400));
        });
        origin.wait_received(200_000);
        give_up.send(()).unwrap();
    });
    wait_nothing_left(&site, &origin);
}

#[test]
fn nothing_at_all_is_refused_but_a_named_empty_file_is_a_file() {
    let site = Site::embedded();
    let origin = site.start();
    let nothing = origin.send(&Request::new("POST", "/files").bearer(&origin.token)).expect(400);
    assert_eq!(nothing.problem(), "upload_body_empty");
    let put = Request::new("PUT", "/files/empty.txt").bearer(&origin.token);
    let made = origin.send(&put).expect(201).json();
    origin.assert_is(made["id"].as_str().unwrap(), b"");
    let _ = origin.send(&Request::new("PUT", "/files/a.txt").body("hello")).expect(401);
}

#[test]
fn a_sha_256_is_made_when_it_is_asked_for() {
    let site = Site::embedded();
    let origin = site.start();
    let put = Request::new("PUT", "/files/a.txt").bearer(&origin.token);
    let answer = origin.send(&put.header("Want-Repr-Digest", "sha-256=10").body("hello")).expect(201);
    let expected = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
    assert_eq!(answer.header("repr-digest"), Some(expected));
}

#[test]
fn a_body_larger_than_allowed_is_refused_and_leaves_nothing() {
    let site = Site::embedded();
    let origin = site.start_with(|config| config.max_upload.0 = 1000);
    let put = Request::new("PUT", "/files/a").bearer(&origin.token);
    assert_eq!(origin.send(&put.clone().body([7; 1001])).expect(413).problem(), "upload_too_large");
    let chunked = put.header("Transfer-Encoding", "chunked").to_bytes();
    let mut connection = Connection::open(origin.addr).unwrap();
    connection.send(&[&*chunked, b"3e9\r\n", &[7; 1001], b"\r\n0\r\n\r\n"].concat()).unwrap();
    assert_eq!(connection.response("PUT").unwrap().expect(413).problem(), "upload_too_large");
    wait_nothing_left(&site, &origin);
}

#[test]
fn a_type_no_file_has_is_no_reason_to_lose_the_file() {
    let site = Site::embedded();
    let origin = site.start();
    let long = format!("text/{}", "x".repeat(7_000));
    let put = Request::new("PUT", "/files/a").bearer(&origin.token).header("Content-Type", long);
    let made = origin.send(&put.body("hello")).expect(201).json();
    origin.assert_is(made["id"].as_str().unwrap(), b"hello");
}
