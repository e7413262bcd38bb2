//! The proxy breaks connections as planned, and only then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tidegate_testkit::files::random_bytes;
use tidegate_testkit::proxy::{Fault, FaultProxy, Faults, Plan};

/// A server that tells what each connection sent and how it ended, and answers the end with the count.
fn listener() -> (SocketAddr, Receiver<(Vec<u8>, bool)>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, ends) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, sender) = (stream.unwrap(), sender.clone());
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let orderly = stream.read_to_end(&mut bytes).is_ok();
                let _ = stream.write_all(bytes.len().to_string().as_bytes());
                let _ = sender.send((bytes, orderly));
            });
        }
    });
    (addr, ends)
}

fn send(proxy: &FaultProxy, bytes: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(proxy.addr())?;
    stream.write_all(bytes)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn without_faults_everything_passes_both_ways_and_is_counted() {
    let (addr, ends) = listener();
    let proxy = FaultProxy::start(addr, Plan { record: true, ..Plan::default() });
    let bytes = random_bytes(1, 3 << 20);
    assert_eq!(send(&proxy, &bytes).unwrap(), bytes.len().to_string());
    assert!(proxy.recorded() == [&bytes[..]]);
    assert!(ends.recv().unwrap() == (bytes, true));
    let counts = proxy.counts();
    assert_eq!((counts.to_server, counts.to_client, counts.connections, counts.cuts), (3 << 20, 7, 1, 0));
}

#[test]
fn cuts_fall_at_the_drawn_bytes_and_nothing_before_them_is_lost() {
    let bytes = random_bytes(2, 1 << 20);
    let cuts = |seed| {
        let (addr, ends) = listener();
        let to_server = Faults::every(10_000..=200_000, Fault::Close);
        let proxy = FaultProxy::start(addr, Plan { seed, to_server, ..Plan::default() });
        let arrived: Vec<usize> = (0..5)
            .map(|_| {
                // The client may see its answer, an end or a reset, all by the kernel's timing.
                let _ = send(&proxy, &bytes);
                let (arrived, orderly) = ends.recv().unwrap();
                assert!(orderly && bytes.starts_with(&arrived));
                arrived.len()
            })
            .collect();
        assert_eq!(proxy.counts().cuts, 5);
        arrived
    };
    let arrived = cuts(9);
    assert!(arrived.iter().all(|bytes| (10_000..=200_000).contains(bytes)), "{arrived:?}");
    assert_eq!(arrived, cuts(9));
    assert_ne!(arrived, cuts(10));
}

#[test]
fn a_reset_loses_at_most_what_the_proxy_can_hold() {
    let (addr, ends) = listener();
    let to_server = Faults::every(500_000..=500_000, Fault::Reset);
    let proxy = FaultProxy::start(addr, Plan { to_server, socket_buffer: Some(65_536), ..Plan::default() });
    assert!(send(&proxy, &random_bytes(3, 1 << 20)).is_err());
    let (arrived, _) = ends.recv().unwrap();
    assert!(arrived.len() as u64 + proxy.most_held_to_server().unwrap() >= 500_000, "{}", arrived.len());
}

#[test]
fn frozen_traffic_goes_on_and_a_blackout_refuses() {
    let (addr, ends) = listener();
    let proxy = FaultProxy::start(addr, Plan::default());
    let mut stream = TcpStream::connect(proxy.addr()).unwrap();
    proxy.freeze();
    stream.write_all(b"held back").unwrap();
    assert!(ends.recv_timeout(Duration::from_millis(100)).is_err());
    assert_eq!(proxy.counts().to_server, 0);
    proxy.heal();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(ends.recv().unwrap() == (b"held back".to_vec(), true));
    proxy.blackout();
    assert!(send(&proxy, &[0; 4096]).is_err());
    proxy.heal();
    assert_eq!(send(&proxy, b"four").unwrap(), "4");
}

#[test]
fn a_throttle_and_a_delay_hold_bytes_back_but_lose_none() {
    let (addr, ends) = listener();
    let to_server = Faults { rate: Some(1 << 20), delay: Duration::from_millis(50), every: None };
    let stalls = Faults::every(2..=2, Fault::Stall(Duration::from_millis(20)));
    let proxy = FaultProxy::start(addr, Plan { to_server, to_client: stalls, ..Plan::default() });
    let bytes = random_bytes(4, 256 << 10);
    let begin = tokio::time::Instant::now();
    assert_eq!(send(&proxy, &bytes).unwrap(), bytes.len().to_string());
    // Only "not sooner": how much later is the machine's affair.
    assert!(begin.elapsed() >= Duration::from_millis(250 + 50 + 3 * 20), "{:?}", begin.elapsed());
    assert!(ends.recv().unwrap() == (bytes, true));
}
