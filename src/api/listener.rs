//! The socket that the API listens on. What is set on it holds for every connection that comes in, with TLS or without: the kernel
//! keeps little for somebody who does not read, and cuts off who does not read for long.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen as accept_from, socket_with, sockopt};

/// So much may be on its way to one client; the kernel doubles it for its own needs. A list of sessions is that long.
const SEND_BUFFER: usize = 64 * 1024;

/// As many may wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 1024;

/// Listens there. A connection whose other side does not take what it is sent for `write_timeout` is cut (tcp(7),
/// `TCP_USER_TIMEOUT`).
pub(super) fn listen(address: SocketAddr, write_timeout: Duration) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER)?;
    let millis = u32::try_from(write_timeout.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(&socket, millis)?;
    bind(&socket, &address)?;
    accept_from(&socket, BACKLOG)?;
    Ok(socket.into())
}
