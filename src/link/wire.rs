//! The pipe that bytes go through.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_serial::SerialStream;

use super::tls::TlsWire;

/// The wire of a link. Dropping it closes it.
#[derive(Debug)]
pub enum Wire {
    /// TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsWire>),
    /// A serial device.
    Serial(SerialStream),
    /// Memory, for simulations.
    Pipe(DuplexStream),
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Serial(stream) => match Pin::new(stream).poll_read(context, buffer) {
                Poll::Ready(Err(error)) if is_unplugged(&error) => Poll::Ready(Ok(())),
                poll => poll,
            },
            Self::Pipe(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Serial(stream) => match Pin::new(stream).poll_write(context, bytes) {
                Poll::Ready(Err(error)) if is_unplugged(&error) => Poll::Ready(Ok(0)),
                poll => poll,
            },
            Self::Pipe(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            // Flushing a serial port is tcdrain(3): it blocks the thread, and with it every terminal of the arbiter.
            Self::Serial(_) => Poll::Ready(Ok(())),
            Self::Pipe(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Serial(_) => Poll::Ready(Ok(())),
            Self::Pipe(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// Whether the device is gone. An adapter that was pulled out reads as end of file, as EIO or as no device, depending on its
/// driver; a pseudo terminal whose other side was closed, as EIO.
fn is_unplugged(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::IO, Errno::NODEV, Errno::NXIO].into_iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
