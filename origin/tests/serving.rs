//! The server as it runs: real sockets, housekeeping, shutdown.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;

use support::api::FLEET_KEY;
use tidegate_origin::config::{OriginConfig, Secret};
use tidegate_origin::server::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

async fn exchange(address: std::net::SocketAddr, request: String) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTidegate-Fleet-Key: {FLEET_KEY}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_serves_both_ports_and_stops_when_asked_also_while_an_edge_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = OriginConfig::embedded(folder.path());
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    config.fleet_key = Some(Secret::new(FLEET_KEY));
    let shutdown = CancellationToken::new();
    let server = Server::start(config, shutdown.clone()).await.unwrap();
    let public = server.public_address().unwrap();
    let admin = server.admin_address().unwrap().unwrap();
    let running = tokio::spawn(server.run());

    assert!(exchange(public, get("/healthz")).await.starts_with("HTTP/1.1 200"));
    assert!(exchange(admin, get("/readyz")).await.starts_with("HTTP/1.1 200"));
    let metrics = exchange(admin, get("/metrics")).await;
    assert!(
        metrics.contains(
            "tidegate_origin_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1"
        )
    );
    assert!(exchange(public, get("/metrics")).await.starts_with("HTTP/1.1 404"));

    let mut waiting = TcpStream::connect(public).await.unwrap();
    waiting.write_all(get("/internal/purges?after=0&wait=30").as_bytes()).await.unwrap();
    // Connections are taken in their order: once this one is answered the first is being served.
    exchange(public, get("/internal/purges")).await;
    shutdown.cancel();
    timeout(Duration::from_secs(10), running).await.expect("it stops before the wait is over").unwrap();
    let mut answer = String::new();
    // Cut off before its request was read, it is as good as never sent.
    let _ = waiting.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 200"), "{answer}");
}
