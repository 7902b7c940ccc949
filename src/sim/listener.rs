//! Serves a simulated terminal over TCP. The newest connection wins (PSP 18, point 3).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::stage::{Parcel, Stage};

/// How long to wait before trying again to listen, or to accept when the system has refused to.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What may pile up unread by the host before a simulated terminal gives the connection up.
const UNREAD_MAX: usize = 1 << 20;

/// A host that is connected.
struct Guest {
    stream: TcpStream,
    heard: BytesMut,
    unsent: BytesMut,
    /// Closed once everything before the cut is written.
    ending: bool,
}

/// What happened.
enum Event {
    Arrived(io::Result<TcpStream>),
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Woken,
}

/// Serves the terminal until the task is dropped.
pub(super) async fn serve(stage: Arc<Stage>, address: SocketAddr, listener: TcpListener) {
    let mut listener = Some(listener);
    let mut guest: Option<Guest> = None;
    loop {
        stage.tick();
        let plugged = stage.plugged();
        if !plugged {
            listener = None;
            if guest.take().is_some() {
                stage.disconnected();
            }
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        pack(&stage, &mut guest);

        let next = stage.next_wake();
        let event = tokio::select! {
            arrived = accept(listener.as_ref(), plugged) => Event::Arrived(arrived),
            event = converse(guest.as_mut()) => event,
            () = stage.woken() => Event::Woken,
            () = until(next) => Event::Woken,
        };
        match event {
            Event::Arrived(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                if guest.is_some() && stage.first_host_stays() {
                    continue;
                }
                if guest.take().is_some() {
                    stage.disconnected();
                }
                guest = Some(Guest { stream, heard: BytesMut::new(), unsent: BytesMut::new(), ending: false });
                stage.connected();
            }
            Event::Arrived(Err(_)) => tokio::time::sleep(TRY_AGAIN_AFTER).await,
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
        if guest.as_ref().is_some_and(|guest| guest.ending && guest.unsent.is_empty() || guest.unsent.len() > UNREAD_MAX) {
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
            Some(Parcel::Cut) if open.unsent.is_empty() => {
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

async fn converse(guest: Option<&mut Guest>) -> Event {
    let Some(Guest { stream, heard, unsent, .. }) = guest else {
        return std::future::pending().await;
    };
    let (mut reader, mut writer) = stream.split();
    tokio::select! {
        read = reader.read_buf(heard) => Event::Read(read),
        wrote = writer.write(unsent), if !unsent.is_empty() => {
            if let Ok(count) = wrote {
                unsent.advance(count);
            }
            Event::Wrote(wrote)
        }
    }
}

/// Sleeps until then; for ever when there is no such moment.
pub(super) async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
