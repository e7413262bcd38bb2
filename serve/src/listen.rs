//! Listening sockets.

use std::io;
use std::net::SocketAddr;

use clap::Args;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::limits;

/// How the public port listens.
#[derive(Debug, Clone, Args)]
pub struct ListenOptions {
    /// TCP congestion control of accepted connections, as the kernel names it (cubic, bbr, reno). The system's
    /// default when not given.
    #[arg(long, env = "TIDEGATE_CONGESTION", value_name = "NAME")]
    pub congestion: Option<String>,
    /// Connections the kernel queues before they are accepted.
    #[arg(long, env = "TIDEGATE_BACKLOG", default_value_t = limits::BACKLOG, value_name = "CONNECTIONS")]
    pub backlog: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { congestion: None, backlog: limits::BACKLOG }
    }
}

/// Binds `addr` and listens.
///
/// # Errors
/// What the system says: the port is taken, the address is not ours, no such congestion control.
pub fn bind(addr: SocketAddr, options: &ListenOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if let Some(name) = &options.congestion {
        socket.set_tcp_congestion(name.as_bytes())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}
