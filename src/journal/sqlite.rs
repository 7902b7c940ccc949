//! The journal in a SQLite file: WAL, `synchronous=FULL`, one writer thread that makes all waiting appends durable with one
//! sync, and one reader thread with a connection of its own, so that reading never delays an append.
//!
//! ```text
//!  append ──► queue ──► writer ──► one transaction, one fsync ──► answers to all
//!                         │ failed
//!                         ▼
//!                  close, reopen, compare the head, read all of it ──► there after all: appended
//!                         │ not there
//!                         ▼
//!                  fence it off, refuse ──► Failing ──► try each second, read all of it ──► Writable, or Damaged
//! ```

pub(super) mod access;
mod file;
mod log;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use self::reader::Reader;
use self::writer::Writer;
use super::record::{Entry, Record};
use super::{Health, Journal, JournalError, JournalObserver, Pending, Selection};
use crate::id::{SessionId, TerminalId};

/// A journal in a SQLite file. Dropping it waits for what was asked for, then lets go of the file.
pub struct SqliteJournal {
    // Dropped first: the last connection to close tidies the file up, and that must be the one that can write.
    reader: Reader,
    writer: Writer,
    shared: Arc<Shared>,
    opened: Opened,
}

/// What the threads and the owner all know.
struct Shared {
    path: PathBuf,
    health: Mutex<Health>,
    newest: watch::Sender<u64>,
    observer: Arc<dyn JournalObserver>,
}

/// How a journal is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often a failing journal tries to write.
    pub probe_every: Duration,
    /// The file may not grow beyond this; for tests of a full disk.
    pub page_limit: Option<PageLimit>,
    /// Syncs fail; for tests of a broken disk.
    pub sync_fault: Option<SyncFault>,
}

impl Default for Options {
    fn default() -> Self {
        Self { probe_every: Duration::from_secs(1), page_limit: None, sync_fault: None }
    }
}

/// How many pages the file may have. Copies share the number, so that a test can make room again.
#[derive(Clone, Debug)]
pub struct PageLimit(Arc<AtomicU32>);

impl PageLimit {
    /// A limit of so many pages.
    pub fn new(pages: u32) -> Self {
        Self(Arc::new(AtomicU32::new(pages)))
    }

    /// Changes the limit, from the next write on.
    pub fn set(&self, pages: u32) {
        self.0.store(pages, Ordering::SeqCst);
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Makes syncs fail as a broken disk does. Copies share it, so that a test can mend the disk.
#[derive(Clone, Debug, Default)]
pub struct SyncFault(Arc<Mutex<Option<(BrokenSync, bool)>>>);

/// What a sync that fails leaves in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenSync {
    /// Nothing of what was written.
    Lost,
    /// All of it, although it was told as failed.
    Kept,
}

impl SyncFault {
    /// From the next write on; none: the disk is whole.
    pub fn set(&self, broken: Option<BrokenSync>) {
        self.put(broken.map(|broken| (broken, false)));
    }

    /// At the next write, and never again.
    pub fn set_once(&self, broken: BrokenSync) {
        self.put(Some((broken, true)));
    }

    fn put(&self, broken: Option<(BrokenSync, bool)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = broken;
    }

    /// A write is synced.
    fn meet(&self) -> Option<BrokenSync> {
        let mut broken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let met = broken.map(|(met, _)| met);
        *broken = broken.filter(|(_, once)| !once);
        met
    }
}

/// What was found when a journal was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// There was no journal, and now there is an empty one.
    pub created: bool,
    /// The number of the last record; 0 when there is none.
    pub last: u64,
    /// Records that were torn off at the end.
    pub cut: Vec<Cut>,
    /// What is damaged and could not be cut off; names the record, if it is one.
    pub damage: Option<String>,
    /// Records at the end were whole once, so that somebody was told of them, and are lost or were cut off.
    pub end_lost: bool,
}

/// Something at the end of a journal that was not whole and was taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which record; none when it never became one (the end of the write-ahead log).
    pub seq: Option<u64>,
    /// What was wrong with it.
    pub why: String,
}

impl SqliteJournal {
    /// Opens the journal, or makes an empty one where there is none. Reads all of it once, so it blocks for a while.
    pub fn open(path: &Path, observer: Arc<dyn JournalObserver>) -> Result<Self, JournalError> {
        Self::open_with(path, observer, Options::default())
    }

    /// Likewise, kept in another way.
    pub fn open_with(path: &Path, observer: Arc<dyn JournalObserver>, options: Options) -> Result<Self, JournalError> {
        let (file, found) = file::File::open(path, &options)?;
        for cut in &found.opened.cut {
            tracing::warn!(journal = %path.display(), record = ?cut.seq, why = cut.why, "the torn end of the journal was cut off");
        }
        let health = match &found.opened.damage {
            None => Health::Writable,
            Some(why) => Health::Damaged(why.clone()),
        };
        if let Health::Damaged(why) = &health {
            tracing::error!(journal = %path.display(), why, "the journal is damaged");
        }
        observer.health(&health);
        let newest = watch::Sender::new(found.head.seq);
        let shared = Arc::new(Shared { path: file.path().to_owned(), health: Mutex::new(health), newest, observer });
        let reader = Reader::start(file.path().to_owned(), found.damaged)?;
        let writer = Writer::start(file, found.head, options, Arc::clone(&shared))?;
        Ok(Self { reader, writer, shared, opened: found.opened })
    }

    /// What was found when it was opened.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }
}

/// All that opening found out.
struct Found {
    opened: Opened,
    head: super::row::Head,
    /// Records that are not to be believed.
    damaged: BTreeSet<u64>,
}

impl Shared {
    fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_health(&self, now: Health) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if *health != now {
            *health = now.clone();
            drop(health);
            self.observer.health(&now);
        }
    }
}

impl Journal for SqliteJournal {
    fn append(&self, entries: Vec<Entry>) -> Pending<Vec<Record>> {
        self.writer.append(entries)
    }

    fn read(&self, after: u64, limit: usize) -> Pending<Vec<Record>> {
        self.select(Selection::default(), after, u64::MAX, limit)
    }

    fn select(&self, of: Selection, after: u64, until: u64, limit: usize) -> Pending<Vec<Record>> {
        self.reader.ask(move |file| file.select(&of, after, until, limit))
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.shared.newest.subscribe()
    }

    fn session(&self, session: SessionId) -> Pending<Vec<Record>> {
        self.reader.ask(move |file| file.session(session))
    }

    fn sessions(&self, terminal: Option<TerminalId>, before: Option<SessionId>, limit: usize) -> Pending<Vec<SessionId>> {
        self.reader.ask(move |file| file.sessions(terminal.as_ref(), before, limit))
    }

    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Pending<Vec<Record>> {
        self.reader.ask(move |file| file.reconciliations(terminal.as_ref(), limit))
    }

    fn around(&self, terminal: TerminalId, from: u64, to: u64) -> Pending<Vec<Record>> {
        self.reader.ask(move |file| file.around(&terminal, from, to))
    }

    fn health(&self) -> Health {
        self.shared.health()
    }
}
