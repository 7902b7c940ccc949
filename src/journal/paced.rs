//! A journal whose pace is watched: when it is too slow for people who stand before a terminal, its health says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::pace::Pace;
use super::record::{Entry, Record};
use super::{Health, Journal, Pending, Selection};
use crate::id::{SessionId, TerminalId};
use crate::time::Clock;

/// See the module.
pub struct PacedJournal {
    journal: Arc<dyn Journal>,
    clock: Clock,
    pace: Arc<Mutex<Pace>>,
}

impl PacedJournal {
    /// This journal; an append that takes longer than `slow_after` is slow.
    pub fn new(journal: Arc<dyn Journal>, clock: Clock, slow_after: Duration) -> Self {
        Self { journal, clock, pace: Arc::new(Mutex::new(Pace::new(slow_after))) }
    }

    /// Another limit from now on.
    pub fn limit(&self, slow_after: Duration) {
        lock(&self.pace).limit(slow_after);
    }
}

fn lock(pace: &Mutex<Pace>) -> MutexGuard<'_, Pace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal for PacedJournal {
    fn append(&self, entries: Vec<Entry>) -> Pending<Vec<Record>> {
        let (pace, clock) = (Arc::clone(&self.pace), self.clock);
        let started = lock(&pace).began(clock.now());
        let appended = self.journal.append(entries);
        // Whoever does not wait for the answer has ended, too.
        let ended = Ended(Some(move || lock(&pace).ended(started, clock.now())));
        Box::pin(async move {
            let appended = appended.await;
            drop(ended);
            appended
        })
    }

    fn read(&self, after: u64, limit: usize) -> Pending<Vec<Record>> {
        self.journal.read(after, limit)
    }

    fn select(&self, of: Selection, after: u64, until: u64, limit: usize) -> Pending<Vec<Record>> {
        self.journal.select(of, after, until, limit)
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.journal.newest()
    }

    fn session(&self, session: SessionId) -> Pending<Vec<Record>> {
        self.journal.session(session)
    }

    fn sessions(&self, terminal: Option<TerminalId>, before: Option<SessionId>, limit: usize) -> Pending<Vec<SessionId>> {
        self.journal.sessions(terminal, before, limit)
    }

    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Pending<Vec<Record>> {
        self.journal.reconciliations(terminal, limit)
    }

    fn around(&self, terminal: TerminalId, from: u64, to: u64) -> Pending<Vec<Record>> {
        self.journal.around(terminal, from, to)
    }

    fn health(&self) -> Health {
        match self.journal.health() {
            Health::Writable => lock(&self.pace).slow(self.clock.now()).map_or(Health::Writable, Health::Slow),
            worse => worse,
        }
    }
}

/// Does something when it goes.
struct Ended<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Ended<F> {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}
