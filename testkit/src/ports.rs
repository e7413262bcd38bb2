//! Ports for servers that must come back where they were.
//!
//! Port 0 is no use for a process that is killed and started again: another process may have got its port by then.
//! These ports lie below the range the system gives to outgoing connections, and a lock file per port keeps test
//! processes that run at the same time apart.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::random::Random;

/// Below Linux' default `ip_local_port_range`, above what services are usually found on.
const FIRST: u64 = 20_000;
const LAST: u64 = 31_999;

/// Locks are held until the test process ends, so that a port is never given twice in its life.
static HELD: Mutex<Vec<(u16, File)>> = Mutex::new(Vec::new());

/// A free port on loopback that nobody else of these tests will be given.
///
/// # Panics
/// When none of a thousand tries is free.
pub fn free_port() -> u16 {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let mut random = Random::seeded(u64::from(std::process::id()) << 20 | held.len() as u64);
    for _ in 0..1000 {
        let port = u16::try_from(random.within(&(FIRST..=LAST))).expect("the range is one of ports");
        if held.iter().any(|(taken, _)| *taken == port) {
            continue;
        }
        let Some(lock) = lock(port) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            held.push((port, lock));
            return port;
        }
    }
    panic!("no free port between {FIRST} and {LAST}");
}

/// [`free_port`] with the loopback address.
///
/// # Panics
/// As [`free_port`].
pub fn free_addr() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

/// `count` ports in a row, for a server that takes the ports after its first as well; the first of them.
///
/// # Panics
/// As [`free_port`].
pub fn free_ports_in_a_row(count: u16) -> u16 {
    'next: for _ in 0..1000 {
        let first = free_port();
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        for port in first + 1..first + count {
            let free = !held.iter().any(|(taken, _)| *taken == port)
                && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
            let Some(lock) = free.then(|| lock(port)).flatten() else {
                continue 'next;
            };
            held.push((port, lock));
        }
        return first;
    }
    panic!("no {count} free ports in a row");
}

fn lock(port: u16) -> Option<File> {
    let folder: PathBuf = std::env::temp_dir().join("tidegate-test-ports");
    std::fs::create_dir_all(&folder).expect("a folder for port locks");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(port.to_string()))
        .ok()?;
    file.try_lock().ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let mut ports: Vec<u16> = (0..20).map(|_| free_port()).collect();
        let first = free_ports_in_a_row(3);
        ports.extend(first..first + 3);
        let count = ports.len();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), count);
    }
}
