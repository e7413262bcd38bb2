//! Moving the bytes of one connection, with what the plan does to them.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::plan::Fault;
use super::{Direction, Mode, Shared};
use crate::limits;

/// How a connection through the proxy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Both sides were done, one broke, or a fault closed it.
    Closed,
    /// A fault resets it.
    Reset,
}

/// Chunks that a direction with this delay keeps between its ends.
pub(super) fn queue_of(delay: Duration) -> usize {
    if delay.is_zero() { 1 } else { limits::PROXY_DELAYED_CHUNKS }
}

/// Moves both directions until both are at their end, or one is broken or cut.
pub(super) async fn both(client: &TcpStream, server: &TcpStream, shared: &Shared) -> End {
    let place = shared.new_record();
    let note = |bytes: &[u8]| {
        if let Some(place) = place {
            shared.record(place, bytes);
        }
    };
    let up = one_way(client, server, &shared.to_server, shared.mode.subscribe(), note);
    let down = one_way(server, client, &shared.to_client, shared.mode.subscribe(), |_| {});
    let ends = tokio::try_join!(up, down);
    let Err(stop) = ends else { return End::Closed };
    match stop {
        Stop::Broken => End::Closed,
        Stop::Cut(end) => {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
            end
        }
    }
}

/// Why a direction stops before its end.
enum Stop {
    Broken,
    Cut(End),
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Stop::Broken
    }
}

async fn one_way(
    from: &TcpStream,
    to: &TcpStream,
    direction: &Direction,
    mode: watch::Receiver<Mode>,
    note: impl Fn(&[u8]),
) -> Result<(), Stop> {
    let (sender, receiver) = mpsc::channel(queue_of(direction.delay));
    tokio::try_join!(take(from, direction, sender, note), give(to, direction, receiver, mode))?;
    Ok(())
}

type Chunk = (Instant, Vec<u8>);

async fn take(
    from: &TcpStream,
    direction: &Direction,
    queue: mpsc::Sender<Chunk>,
    note: impl Fn(&[u8]),
) -> Result<(), Stop> {
    loop {
        from.readable().await?;
        let mut chunk = vec![0; limits::PROXY_CHUNK];
        match from.try_read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => chunk.truncate(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        }
        note(&chunk);
        if queue.send((Instant::now() + direction.delay, chunk)).await.is_err() {
            return Ok(());
        }
    }
}

async fn give(
    to: &TcpStream,
    direction: &Direction,
    mut queue: mpsc::Receiver<Chunk>,
    mut mode: watch::Receiver<Mode>,
) -> Result<(), Stop> {
    while let Some((due, chunk)) = queue.recv().await {
        tokio::time::sleep_until(due).await;
        if let Some(through) = direction.pace(chunk.len()) {
            tokio::time::sleep_until(through).await;
        }
        let _ = mode.wait_for(|mode| *mode != Mode::Freeze).await;
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let (pass, fault) = direction.burn(rest.len());
            write(to, direction, &rest[..pass]).await?;
            rest = &rest[pass..];
            match fault {
                Some(Fault::Close) => return Err(Stop::Cut(End::Closed)),
                Some(Fault::Reset) => return Err(Stop::Cut(End::Reset)),
                Some(Fault::Stall(pause)) => tokio::time::sleep(pause).await,
                None => {}
            }
        }
    }
    // The other direction may go on: half-closed connections are passed on as such.
    socket2::SockRef::from(to).shutdown(std::net::Shutdown::Write)?;
    Ok(())
}

async fn write(to: &TcpStream, direction: &Direction, mut bytes: &[u8]) -> Result<(), Stop> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => {
                direction.passed.fetch_add(written as u64, Ordering::SeqCst);
                bytes = &bytes[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
