//! Serves a simulated terminal over TCP or TLS. The newest connection wins (assumption 3).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::stage::{Parcel, Stage};
use super::tls::TlsListen;

/// How long to wait before trying again to listen, or to accept when the system has refused to.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What may pile up unread by the host before a simulated terminal gives the connection up.
const UNREAD_MAX: usize = 1 << 20;

/// A host that does not get on with the handshake is let go after this.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// A connection that bytes go through, with TLS or without.
trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// A host on its way through the handshake.
type Arriving = Pin<Box<dyn Future<Output = io::Result<Box<dyn Line>>> + Send>>;

/// A host that is connected.
struct Guest {
    reader: ReadHalf<Box<dyn Line>>,
    writer: WriteHalf<Box<dyn Line>>,
    heard: BytesMut,
    unsent: BytesMut,
    /// Bytes were written that TLS may not have passed on yet.
    unflushed: bool,
    /// Closed once everything before the cut is written.
    ending: bool,
}

/// What happened.
enum Event {
    Knocked(io::Result<TcpStream>),
    Arrived(io::Result<Box<dyn Line>>),
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Woken,
}

/// Serves the terminal until the task is dropped.
pub(super) async fn serve(stage: Arc<Stage>, address: SocketAddr, listener: TcpListener, tls: Option<TlsListen>) {
    let mut listener = Some(listener);
    let mut arriving: Option<Arriving> = None;
    let mut guest: Option<Guest> = None;
    loop {
        stage.tick();
        let plugged = stage.plugged();
        if !plugged {
            listener = None;
            arriving = None;
            if guest.take().is_some() {
                stage.disconnected();
            }
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        pack(&stage, &mut guest);

        let next = stage.next_wake();
        let event = tokio::select! {
            knocked = accept(listener.as_ref(), plugged) => Event::Knocked(knocked),
            arrived = arrive(arriving.as_mut()) => Event::Arrived(arrived),
            event = converse(guest.as_mut()) => event,
            () = stage.woken() => Event::Woken,
            () = until(next) => Event::Woken,
        };
        match event {
            Event::Knocked(Ok(socket)) => {
                let _ = socket.set_nodelay(true);
                arriving = Some(greet(socket, tls.clone()));
            }
            Event::Knocked(Err(_)) => tokio::time::sleep(TRY_AGAIN_AFTER).await,
            Event::Arrived(Ok(line)) => {
                arriving = None;
                if guest.is_some() && stage.first_host_stays() {
                    continue;
                }
                if guest.take().is_some() {
                    stage.disconnected();
                }
                let (reader, writer) = tokio::io::split(line);
                let (heard, unsent) = (BytesMut::new(), BytesMut::new());
                guest = Some(Guest { reader, writer, heard, unsent, unflushed: false, ending: false });
                stage.connected();
            }
            // Whoever fails at the handshake has been told so by TLS, as far as it can be told.
            Event::Arrived(Err(_)) => arriving = None,
            Event::Read(Ok(1..)) => {
                if let Some(guest) = guest.as_mut() {
                    hear(&stage, &mut guest.heard);
                }
            }
            Event::Read(_) | Event::Wrote(Err(_)) => {
                guest = None;
                stage.disconnected();
            }
            Event::Wrote(Ok(_)) | Event::Woken => {}
        }
        if guest
            .as_ref()
            .is_some_and(|guest| guest.ending && guest.unsent.is_empty() && !guest.unflushed || guest.unsent.len() > UNREAD_MAX)
        {
            guest = None;
            stage.disconnected();
        }
    }
}

/// Gives all whole frames to the terminal. Each may change how the next one is to be read.
pub(super) fn hear(stage: &Stage, buffer: &mut BytesMut) {
    while let Some((heard, bytes)) = stage.take_frame(buffer) {
        stage.receive(heard, bytes);
    }
}

/// Takes what the terminal has to send.
fn pack(stage: &Stage, guest: &mut Option<Guest>) {
    loop {
        let Some(open) = guest.as_mut().filter(|guest| !guest.ending) else {
            // With nobody there, everything is lost; with somebody who is to be cut off, likewise.
            while stage.next_parcel(false).is_some() {}
            break;
        };
        match stage.next_parcel(true) {
            Some(Parcel::Bytes(bytes)) => open.unsent.extend_from_slice(&bytes),
            Some(Parcel::Cut) if open.unsent.is_empty() && !open.unflushed => {
                *guest = None;
                stage.disconnected();
            }
            Some(Parcel::Cut) => open.ending = true,
            None => break,
        }
    }
}

async fn accept(listener: Option<&TcpListener>, plugged: bool) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        // The address could not be bound again yet.
        None if plugged => {
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
            Err(io::ErrorKind::AddrInUse.into())
        }
        None => std::future::pending().await,
    }
}

fn greet(socket: TcpStream, tls: Option<TlsListen>) -> Arriving {
    Box::pin(async move {
        let Some(tls) = tls else { return Ok(Box::new(socket) as Box<dyn Line>) };
        let shaken = tokio::time::timeout(HANDSHAKE_LIMIT, tls.accept(socket)).await;
        Ok(Box::new(shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?) as Box<dyn Line>)
    })
}

async fn arrive(arriving: Option<&mut Arriving>) -> io::Result<Box<dyn Line>> {
    match arriving {
        Some(arriving) => arriving.await,
        None => std::future::pending().await,
    }
}

async fn converse(guest: Option<&mut Guest>) -> Event {
    let Some(Guest { reader, writer, heard, unsent, unflushed, .. }) = guest else {
        return std::future::pending().await;
    };
    tokio::select! {
        read = reader.read_buf(heard) => Event::Read(read),
        wrote = send(writer, unsent), if *unflushed || !unsent.is_empty() => {
            *unflushed = !unsent.is_empty();
            if let Ok(count) = wrote {
                unsent.advance(count);
            }
            Event::Wrote(wrote)
        }
    }
}

/// Writes what there is to be written, and then sees to it that it leaves: gives 0 when all of it has left.
async fn send(writer: &mut WriteHalf<Box<dyn Line>>, unsent: &BytesMut) -> io::Result<usize> {
    if unsent.is_empty() { writer.flush().await.map(|()| 0) } else { writer.write(unsent).await }
}

/// Sleeps until then; for ever when there is no such moment.
pub(super) async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
