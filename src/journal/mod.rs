//! The durable memory. [`Journal::append`] answers only when the records are on stable storage; whoever wants to act on a fact
//! waits for that answer. The file format is SQLite so that an auditor can read it with common tools; each record carries a
//! hash of the one before, so that nobody can change the past unseen.
//!
//! What this is not: a cache, a queue, or a place to look things up quickly. The live view is the fleet's board.

pub mod memory;
pub mod pace;
mod paced;
pub mod record;
mod row;
pub mod sqlite;
#[cfg(test)]
mod tests;
pub mod verify;
pub mod view;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;

pub use memory::MemoryJournal;
pub use paced::PacedJournal;
pub use record::{Entry, Fact, Record};
pub use sqlite::{BrokenSync, Cut, Opened, Options, PageLimit, SqliteJournal, SyncFault};

use crate::id::{SessionId, TerminalId};

/// The answer to come of a journal.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send>>;

/// A place where facts are kept.
pub trait Journal: Send + Sync + 'static {
    /// Appends all entries or none, in order, and answers when they are durable, with the number of each. After an error
    /// none of them will ever be in the journal.
    fn append(&self, entries: Vec<Entry>) -> Pending<Vec<Record>>;

    /// Up to `limit` records with a number above `after`, oldest first.
    fn read(&self, after: u64, limit: usize) -> Pending<Vec<Record>>;

    /// Up to `limit` of these records with a number above `after` and at most `until`, oldest first.
    fn select(&self, of: Selection, after: u64, until: u64, limit: usize) -> Pending<Vec<Record>>;

    /// The number of the newest record that is durable. Whoever is told of a record finds its number here already. The writer's thread
    /// wakes everybody who waits for a change, so let few wait.
    fn newest(&self) -> watch::Receiver<u64>;

    /// All records of a session, oldest first; empty when there is no such session.
    fn session(&self, session: SessionId) -> Pending<Vec<Record>>;

    /// Names of sessions, newest first, older than `before` if given.
    fn sessions(&self, terminal: Option<TerminalId>, before: Option<SessionId>, limit: usize) -> Pending<Vec<SessionId>>;

    /// The newest reports of reconciliations, newest first.
    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Pending<Vec<Record>>;

    /// What happened to the program and to this terminal between two records, both included: starts, stops, rebuilds and
    /// reconciliations, oldest first.
    fn around(&self, terminal: TerminalId, from: u64, to: u64) -> Pending<Vec<Record>>;

    /// Whether the last append, or the last try since a failed one, went well.
    fn health(&self) -> Health;
}

/// Which records somebody wants; all of them when it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those of this terminal.
    pub terminal: Option<TerminalId>,
    /// Only those of this session.
    pub session: Option<SessionId>,
}

impl Selection {
    /// Whether a record of this terminal and session is wanted.
    pub fn takes(&self, terminal: Option<&TerminalId>, session: Option<SessionId>) -> bool {
        let of_terminal = self.terminal.is_none() || self.terminal.as_ref() == terminal;
        of_terminal && (self.session.is_none() || self.session == session)
    }
}

/// Hears what a journal does, so that it can be counted; this folder names no metric. Called on the writer's thread: be quick.
pub trait JournalObserver: Send + Sync + 'static {
    /// An append was answered as durable, this long after it was asked for.
    fn appended(&self, _took: Duration) {}

    /// One sync has made so many records durable.
    fn synced(&self, _records: usize) {}

    /// Records could not be made durable, or a try to write again failed.
    fn failed(&self) {}

    /// The health has changed.
    fn health(&self, _now: &Health) {}
}

/// Nobody listens.
impl JournalObserver for () {}

/// Can the journal remember?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Yes.
    Writable,
    /// No, and why.
    Failing(String),
    /// Yes, but it takes so long that no new cards are taken; disposals go on. Says how long.
    Slow(String),
    /// The past is damaged: disposals go on, new cards are not taken. Names the record.
    Damaged(String),
}

/// Why the journal did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The records could not be made durable; none of them is in the journal.
    #[error("the journal cannot be written: {}", OneLine(.0))]
    Unwritable(String),
    /// The journal could not be read.
    #[error("the journal cannot be read: {}", OneLine(.0))]
    Unreadable(String),
    /// Many are reading; later it can be read again.
    #[error("the journal cannot be read: too many are reading")]
    Busy,
    /// Another process holds the journal.
    #[error("{path} is in use by another orchestrator (process {holder})")]
    Locked {
        /// Which file.
        path: String,
        /// Who holds it.
        holder: String,
    },
    /// The file is not a journal, or one of a later version.
    #[error("{path} is not a journal of this version: {why}")]
    Foreign {
        /// Which file.
        path: String,
        /// What was found.
        why: String,
    },
    /// A record does not follow from the ones before it.
    #[error("record {seq} is damaged: {why}")]
    Damaged {
        /// Which record.
        seq: u64,
        /// What does not fit.
        why: String,
    },
    /// The writer is gone: the program is ending.
    #[error("the journal is closed")]
    Closed,
}

/// SQLite quotes what it does not understand, whatever a damaged file says there; an error is one line all the same.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character.is_control() {
            true => write!(f, "{}", character.escape_default()),
            false => write!(f, "{character}"),
        })
    }
}
