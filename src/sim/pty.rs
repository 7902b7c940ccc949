//! Serves a simulated P6X over a pseudo terminal, which to a host is a serial device.
//!
//! A line has no connection: the terminal does not notice that the host has gone, and what it says while nobody has the device
//! open is lost (assumption 3). To the kernel, though, a pseudo terminal has: once its last opener closes it, reading the other
//! end fails, and what was written but not read waits for the next opener. So the simulator keeps the device open itself, and
//! learns by inotify when a host opens and closes it.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, inotify};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, QueueSelector, ioctl_tiocnxcl, tcflush, tcgetattr, tcsetattr};
use tokio::io::unix::AsyncFd;

use super::listener::{hear, until};
use super::stage::{Parcel, Stage};

/// How long to wait before trying again to make a device.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What may pile up unread by the host before it is lost, as on a line without flow control.
const UNREAD_MAX: usize = 1 << 16;

/// A pseudo terminal under a name that stays.
#[derive(Debug)]
pub(super) struct Device {
    link: PathBuf,
    master: AsyncFd<OwnedFd>,
    slave: OwnedFd,
    /// None where the system has none to give; a host is then taken to be there always.
    watch: Option<AsyncFd<OwnedFd>>,
    /// How many hosts have it open.
    openers: u32,
}

/// What happened on the line.
enum Event {
    Read,
    Wrote,
    /// Hosts have opened or closed the device; `left` when there was a moment without any.
    Openers {
        left: bool,
    },
    Woken,
    Failed,
}

impl Device {
    /// Makes a pseudo terminal and points the link to it, in one step.
    pub(super) fn create(link: &Path) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let name = ptsname(&master, Vec::new())?;
        let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        make_raw(&slave)?;
        let watch = watch(&name).inspect_err(|error| tracing::warn!(%error, "cannot see who opens a device")).ok();
        let openers = u32::from(watch.is_none());
        point(link, &name)?;
        Ok(Self { link: link.to_owned(), master: registered(master)?, slave, watch, openers })
    }

    /// The host has gone: nobody reads what is still in the line, and its claims on the device end.
    fn clean(&self) {
        // None of these can do harm when it fails: the next host finds stale bytes, as on a real line.
        let _ = tcflush(&self.slave, QueueSelector::IFlush);
        let _ = ioctl_tiocnxcl(&self.slave);
        let _ = make_raw(&self.slave);
    }

    async fn event(&mut self, heard: &mut BytesMut, unsent: &mut BytesMut) -> Event {
        tokio::select! {
            // Whoever opens the line is seen before what he writes, which would be lost otherwise.
            biased;
            openers = opened_or_closed(self.watch.as_ref(), self.openers) => {
                self.openers = openers.0;
                Event::Openers { left: openers.1 }
            }
            read = read(&self.master, heard) => match read {
                // Whoever has the line open was seen before, so this is what is left of somebody who has gone.
                Ok(()) if self.openers == 0 => {
                    heard.clear();
                    Event::Woken
                }
                Ok(()) => Event::Read,
                Err(_) => Event::Failed,
            },
            wrote = write(&self.master, unsent), if !unsent.is_empty() => match wrote {
                Ok(count) => {
                    unsent.advance(count);
                    Event::Wrote
                }
                Err(_) => Event::Failed,
            },
        }
    }

    /// What has been said on the line and was not read yet.
    fn rest(&self, heard: &mut BytesMut) {
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = rustix::io::read(&self.master, &mut bytes) {
            heard.extend_from_slice(&bytes[..count]);
        }
    }
}

/// Serves the terminal until the task is dropped.
pub(super) async fn serve(stage: Arc<Stage>, device: Device) {
    let link = device.link.clone();
    let mut device = Some(device);
    let (mut heard, mut unsent) = (BytesMut::new(), BytesMut::new());
    loop {
        stage.tick();
        let plugged = stage.plugged();
        if !plugged && device.take().is_some() {
            let _ = std::fs::remove_file(&link);
            stage.disconnected();
        }
        while let Some(parcel) = stage.next_parcel(device.as_ref().is_some_and(|device| device.openers > 0)) {
            match (parcel, &device) {
                (Parcel::Bytes(bytes), Some(device)) if device.openers > 0 => unsent.extend_from_slice(&bytes),
                (Parcel::Bytes(_), _) => {}
                // A line that is cut is a device that goes and comes back.
                (Parcel::Cut, _) => {
                    device = None;
                    stage.disconnected();
                    break;
                }
            }
        }
        if unsent.len() > UNREAD_MAX {
            unsent.clear();
        }
        if plugged && device.is_none() {
            match Device::create(&link) {
                Ok(new) => {
                    (heard, unsent) = (BytesMut::new(), BytesMut::new());
                    device = Some(new);
                }
                Err(_) => tokio::time::sleep(TRY_AGAIN_AFTER).await,
            }
        }

        let next = stage.next_wake();
        let event = tokio::select! {
            event = line(device.as_mut(), &mut heard, &mut unsent) => event,
            () = stage.woken() => Event::Woken,
            () = until(next) => Event::Woken,
        };
        let Some(open) = device.as_mut() else { continue };
        match event {
            Event::Read => {
                if !stage.snapshot().connected {
                    stage.connected();
                }
                hear(&stage, &mut heard);
            }
            Event::Openers { left } => {
                if left {
                    if open.openers == 0 {
                        // A host that is killed has often said something before.
                        open.rest(&mut heard);
                        hear(&stage, &mut heard);
                    }
                    open.clean();
                    unsent.clear();
                    heard.clear();
                    stage.disconnected();
                }
                if open.openers > 0 {
                    stage.connected();
                }
            }
            Event::Failed => {
                device = None;
                stage.disconnected();
            }
            Event::Wrote | Event::Woken => {}
        }
    }
}

async fn line(device: Option<&mut Device>, heard: &mut BytesMut, unsent: &mut BytesMut) -> Event {
    match device {
        Some(device) => device.event(heard, unsent).await,
        None => std::future::pending().await,
    }
}

async fn read(master: &AsyncFd<OwnedFd>, heard: &mut BytesMut) -> io::Result<()> {
    loop {
        let mut ready = master.readable().await?;
        let mut bytes = [0; 1024];
        match ready.try_io(|master| Ok(rustix::io::read(master, &mut bytes)?)) {
            Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(count)) => {
                heard.extend_from_slice(&bytes[..count]);
                return Ok(());
            }
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
}

async fn write(master: &AsyncFd<OwnedFd>, unsent: &BytesMut) -> io::Result<usize> {
    loop {
        let mut ready = master.writable().await?;
        if let Ok(wrote) = ready.try_io(|master| Ok(rustix::io::write(master, unsent)?)) {
            return wrote;
        }
    }
}

/// Waits for the watch; returns how many hosts there are now, and whether there was a moment without any.
async fn opened_or_closed(watch: Option<&AsyncFd<OwnedFd>>, mut openers: u32) -> (u32, bool) {
    let Some(watch) = watch else { return std::future::pending().await };
    let mut left = false;
    loop {
        let Ok(mut ready) = watch.readable().await else { return std::future::pending().await };
        let mut seen = 0;
        let drained = ready.try_io(|watch| {
            let mut buffer = [MaybeUninit::uninit(); 1024];
            let mut events = inotify::Reader::new(watch, &mut buffer);
            loop {
                let kind = match events.next() {
                    Ok(event) => event.events(),
                    Err(error) => return Err::<(), io::Error>(error.into()),
                };
                seen += 1;
                if kind.contains(inotify::ReadFlags::OPEN) {
                    openers = openers.saturating_add(1);
                } else if kind.intersects(inotify::ReadFlags::CLOSE_WRITE | inotify::ReadFlags::CLOSE_NOWRITE) {
                    openers = openers.saturating_sub(1);
                    left |= openers == 0;
                }
            }
        });
        match drained {
            // Read to the end, as it must be: readiness is told once.
            Err(_would_block) if seen > 0 => return (openers, left),
            Err(_would_block) => {}
            Ok(_) => return std::future::pending().await,
        }
    }
}

fn watch(name: &CString) -> io::Result<AsyncFd<OwnedFd>> {
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, name, inotify::WatchFlags::OPEN | inotify::WatchFlags::CLOSE)?;
    registered(watch)
}

/// Tokio deprecates `AsyncFd::new` since not every file it takes is owned and valid; an [`OwnedFd`] is, and its replacement is unsafe
/// to call, which this package forbids.
#[expect(deprecated, reason = "sound for an OwnedFd; the replacement needs an unsafe block")]
fn registered(file: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(file)
}

fn make_raw(slave: &OwnedFd) -> io::Result<()> {
    let mut settings = tcgetattr(slave)?;
    settings.make_raw();
    Ok(tcsetattr(slave, OptionalActions::Now, &settings)?)
}

/// Points the link to the device, also when it points to another one now. What is not a link is not touched.
fn point(link: &Path, name: &CString) -> io::Result<()> {
    if std::fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something else under this name"));
    }
    let mut new = link.as_os_str().to_owned();
    new.push(".new");
    let _ = std::fs::remove_file(&new);
    let target = name.to_str().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    std::os::unix::fs::symlink(target, &new)?;
    std::fs::rename(&new, link)
}
