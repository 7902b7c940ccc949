//! How many connections there may be at once, and who has to go when there are more: somebody who has not yet said anything that a token allows goes
//! first, then whoever has been quiet for longest. One that is being answered never goes; when all of them are, the newcomer does. So
//! ten thousand idle connections cost nobody a disposal, and the links to terminals never lack a file descriptor.

use std::collections::{BTreeMap, HashMap};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::warn;

/// What the journal, terminals, recorders and everything else may need; a connection of the API never gets these.
const RESERVED: u64 = 512;

/// So many descriptors a connection may cost while it is being accepted or closed: its own, the one that closes it, one that is on its way.
const EACH: u64 = 3;

/// Below this nothing works at all.
const FEWEST: usize = 16;

/// All connections that speak HTTP.
pub(super) struct Connections {
    most: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    all: HashMap<u64, Entry>,
    /// Those that are not being answered: strangers first, and of these who was quiet for longest.
    idle: BTreeMap<(bool, u64), u64>,
    /// Counts whatever happens; a clock that needs no time.
    count: u64,
    told: bool,
}

struct Entry {
    socket: TcpStream,
    /// It has said something that a token allows.
    known: bool,
    /// Since when it is quiet.
    since: u64,
    /// How many of its requests are being answered.
    busy: usize,
}

/// One connection, for as long as it lasts.
pub(super) struct Connection {
    all: Arc<Connections>,
    number: u64,
}

/// It is being answered.
pub(super) struct Busy {
    all: Arc<Connections>,
    number: u64,
}

/// So many connections can be had with this many file descriptors, if so many are wanted.
pub(super) fn affordable(wanted: usize, descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else { return wanted };
    let most = usize::try_from(descriptors.saturating_sub(RESERVED) / EACH).unwrap_or(usize::MAX);
    wanted.min(most.max(FEWEST))
}

impl Connections {
    /// At most so many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, table: Mutex::default() })
    }

    /// Takes one in, and sends another one away if there are too many. None if it is gone already.
    pub(super) fn open(self: &Arc<Self>, socket: impl AsFd) -> Option<Connection> {
        let socket = TcpStream::from(socket.as_fd().try_clone_to_owned().ok()?);
        let mut table = self.table();
        let number = table.next();
        table.all.insert(number, Entry { socket, known: false, since: number, busy: 0 });
        table.idle.insert((false, number), number);
        if table.all.len() > self.most {
            // What is closed here is taken out when its own side has noticed.
            table.close_one(number);
            if !std::mem::replace(&mut table.told, true) {
                warn!(
                    most = self.most,
                    "more connections to the API than there may be: idle ones are closed (api.max_connections)"
                );
            }
        } else if table.all.len() < self.most / 2 {
            table.told = false;
        }
        drop(table);
        Some(Connection { all: Arc::clone(self), number })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Closes whoever is missed least: if nobody else is idle, the newcomer.
    fn close_one(&mut self, newcomer: u64) {
        let others = self.idle.iter().find(|(_, number)| **number != newcomer).map(|(rank, _)| *rank);
        let rank = others.unwrap_or((false, newcomer));
        if let Some(entry) = self.idle.remove(&rank).and_then(|number| self.all.get(&number)) {
            // It may have been closed by the other side just now.
            let _ = entry.socket.shutdown(Shutdown::Both);
        }
    }

    /// Changes a connection, and where it stands.
    fn change(&mut self, number: u64, change: impl FnOnce(&mut Entry)) {
        let now = self.next();
        let Some(entry) = self.all.get_mut(&number) else { return };
        // Whoever is neither busy nor among the idle has been closed and stays so.
        let closed = self.idle.remove(&(entry.known, entry.since)).is_none() && entry.busy == 0;
        change(entry);
        entry.since = now;
        if !closed && entry.busy == 0 {
            self.idle.insert((entry.known, entry.since), number);
        }
    }
}

impl Connection {
    /// A request of it is being answered, as long as this is kept.
    pub(super) fn work(&self) -> Busy {
        self.all.table().change(self.number, |entry| entry.busy += 1);
        Busy { all: Arc::clone(&self.all), number: self.number }
    }

    /// It has said something that a token allows.
    pub(super) fn is_known(&self) {
        self.all.table().change(self.number, |entry| entry.known = true);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.all.table().change(self.number, |entry| entry.busy = entry.busy.saturating_sub(1));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut table = self.all.table();
        if let Some(entry) = table.all.remove(&self.number) {
            table.idle.remove(&(entry.known, entry.since));
        }
    }
}

#[cfg(test)]
mod tests;
