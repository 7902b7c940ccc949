//! Opens connections of TCP. The terminal is the server (PSP, Transports).

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// How long a name may take to be looked up, and each of its addresses to answer. A terminal stands in the same building.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to `host:port`: to the first of its addresses that answers.
pub(super) async fn connect(address: &str) -> io::Result<TcpStream> {
    let say = |what: &str, error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"));
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", PATIENCE.as_secs()));

    let found = timeout(PATIENCE, lookup_host(address)).await.unwrap_or_else(|_| Err(late()));
    let found = found.map_err(|error| say(&format!("cannot look up {address}"), error))?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{address} has no network address"));
    for socket in found {
        match timeout(PATIENCE, TcpStream::connect(socket)).await.unwrap_or_else(|_| Err(late())) {
            Ok(stream) => {
                // Requests are small and waited for: each must leave at once.
                stream.set_nodelay(true).map_err(|error| say("cannot switch TCP_NODELAY on", error))?;
                return Ok(stream);
            }
            Err(error) => last = say(&format!("cannot connect to {socket}"), error),
        }
    }
    Err(last)
}
