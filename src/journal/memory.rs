//! A journal for simulations. It keeps the promise of the real one (what was acknowledged survives a crash, what was refused
//! never appears) and has handles: refuse the next appends, hold answers back, damage, crash.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use super::record::{AROUND, Entry, Fact, Record};
use super::{Health, Journal, JournalError, Pending, Selection};
use crate::id::{SessionId, TerminalId};

/// Why it refuses.
const REFUSED: &str = "refused on purpose";

/// Why it cannot be read.
const DAMAGED: &str = "damaged on purpose";

/// A journal in memory. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// What was acknowledged.
    records: Vec<Record>,
    newest: watch::Sender<u64>,
    /// What waits for the gate to open.
    waiting: Vec<Waiting>,
    /// Answers are held back.
    gate_closed: bool,
    /// So many appends will be refused.
    refuse: usize,
    /// The last append was refused, and the next one will be.
    failing: bool,
    /// A page is damaged, and with it this session.
    damaged: Option<SessionId>,
    appends: usize,
    refused: usize,
}

#[derive(Debug)]
struct Waiting {
    entries: Vec<Entry>,
    answer: oneshot::Sender<Result<Vec<Record>, JournalError>>,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// A journal that remembers these records from an earlier life.
    pub fn with(records: Vec<Record>) -> Self {
        let journal = Self::new();
        let newest = records.last().map_or(0, |record| record.seq);
        journal.lock().records = records;
        journal.lock().newest.send_replace(newest);
        journal
    }

    /// Refuses the next `appends` appends. Health is failing from the first of them to the last: then there is space again.
    pub fn refuse_next(&self, appends: usize) {
        let mut shared = self.lock();
        shared.refuse = appends;
        shared.failing &= appends > 0;
    }

    /// Holds every append back, unanswered and forgotten in a crash, until [`release`](Self::release).
    pub fn hold(&self) {
        self.lock().gate_closed = true;
    }

    /// A page is damaged: from now on this session cannot be read, and the journal not as a whole.
    pub fn damage(&self, session: SessionId) {
        self.lock().damaged = Some(session);
    }

    /// Answers what is held back, in order, and holds nothing back any more.
    pub fn release(&self) {
        let mut shared = self.lock();
        shared.gate_closed = false;
        for waiting in std::mem::take(&mut shared.waiting) {
            shared.answer(waiting);
        }
    }

    /// Answers the oldest append that is held back, and only that. Says whether there was one.
    pub fn release_one(&self) -> bool {
        let mut shared = self.lock();
        if shared.waiting.is_empty() {
            return false;
        }
        let waiting = shared.waiting.remove(0);
        shared.answer(waiting);
        true
    }

    /// How many appends are held back.
    pub fn held(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The process ends here: what was not acknowledged is forgotten, and whoever waited hears `Closed`. The handles are as
    /// new; what was acknowledged is still there.
    pub fn crash(&self) {
        let mut shared = self.lock();
        let (records, newest) = (std::mem::take(&mut shared.records), std::mem::take(&mut shared.newest));
        *shared = Shared { records, newest, ..Shared::default() };
    }

    /// All that was acknowledged.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// What was acknowledged after the record of this number.
    pub fn since(&self, after: u64) -> Vec<Record> {
        let shared = self.lock();
        let from = shared.records.partition_point(|record| record.seq <= after);
        shared.records.get(from..).unwrap_or_default().to_vec()
    }

    /// How many appends were acknowledged since the last crash.
    pub fn appends(&self) -> usize {
        self.lock().appends
    }

    /// How many appends were refused since the last crash.
    pub fn refused(&self) -> usize {
        self.lock().refused
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing below leaves the records half changed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pick<T: Send + 'static>(&self, pick: impl FnOnce(&[Record]) -> Vec<T>) -> Pending<Vec<T>> {
        let picked = pick(&self.lock().records);
        Box::pin(async move { Ok(picked) })
    }

    fn pick_whole<T: Send + 'static>(&self, damaged: bool, pick: impl FnOnce(&[Record]) -> Vec<T>) -> Pending<Vec<T>> {
        if damaged { Box::pin(async { Err(JournalError::Unreadable(DAMAGED.to_owned())) }) } else { self.pick(pick) }
    }
}

impl Shared {
    fn answer(&mut self, waiting: Waiting) {
        let result = self.append(waiting.entries);
        // Whoever asked may be gone; the records stay, as they would in a file.
        let _ = waiting.answer.send(result);
    }

    fn append(&mut self, entries: Vec<Entry>) -> Result<Vec<Record>, JournalError> {
        if self.refuse > 0 {
            self.refuse -= 1;
            self.refused += 1;
            self.failing = self.refuse > 0;
            return Err(JournalError::Unwritable(REFUSED.to_owned()));
        }
        let mut seq = self.records.last().map_or(0, |record| record.seq);
        let mut appended = Vec::with_capacity(entries.len());
        for entry in entries {
            seq = seq.checked_add(1).ok_or_else(|| JournalError::Unwritable("the numbers are used up".to_owned()))?;
            appended.push(Record { seq, entry });
        }
        self.records.extend(appended.iter().cloned());
        self.newest.send_replace(seq);
        self.appends += 1;
        Ok(appended)
    }
}

impl Journal for MemoryJournal {
    fn append(&self, entries: Vec<Entry>) -> Pending<Vec<Record>> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { entries, answer };
        let mut shared = self.lock();
        if shared.gate_closed {
            shared.waiting.push(waiting);
        } else {
            shared.answer(waiting);
        }
        Box::pin(async move { answered.await.unwrap_or(Err(JournalError::Closed)) })
    }

    fn read(&self, after: u64, limit: usize) -> Pending<Vec<Record>> {
        let damaged = self.lock().damaged.is_some();
        self.pick_whole(damaged, |records| records.iter().filter(|record| record.seq > after).take(limit).cloned().collect())
    }

    fn select(&self, of: Selection, after: u64, until: u64, limit: usize) -> Pending<Vec<Record>> {
        let wanted = |record: &&Record| {
            let Entry { terminal, session, .. } = &record.entry;
            record.seq > after && record.seq <= until && of.takes(terminal.as_ref(), *session)
        };
        let damaged = self.lock().damaged.is_some();
        self.pick_whole(damaged, |records| records.iter().filter(wanted).take(limit).cloned().collect())
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.lock().newest.subscribe()
    }

    fn session(&self, session: SessionId) -> Pending<Vec<Record>> {
        let damaged = self.lock().damaged == Some(session);
        let wanted = |record: &&Record| record.entry.session == Some(session);
        self.pick_whole(damaged, |records| records.iter().filter(wanted).cloned().collect())
    }

    fn sessions(&self, terminal: Option<TerminalId>, before: Option<SessionId>, limit: usize) -> Pending<Vec<SessionId>> {
        self.pick(|records| {
            let of_terminal = |entry: &&Entry| terminal.is_none() || entry.terminal == terminal;
            let mut sessions: Vec<_> = records
                .iter()
                .map(|record| &record.entry)
                .filter(of_terminal)
                .filter_map(|entry| entry.session)
                .filter(|session| before.is_none_or(|before| *session < before))
                .collect();
            sessions.sort_unstable_by(|a, b| b.cmp(a));
            sessions.dedup();
            sessions.truncate(limit);
            sessions
        })
    }

    fn reconciliations(&self, terminal: Option<TerminalId>, limit: usize) -> Pending<Vec<Record>> {
        self.pick(|records| {
            let wanted = |record: &&Record| {
                matches!(record.entry.fact, Fact::Reconciled { .. })
                    && (terminal.is_none() || record.entry.terminal == terminal)
            };
            records.iter().rev().filter(wanted).take(limit).cloned().collect()
        })
    }

    fn around(&self, terminal: TerminalId, from: u64, to: u64) -> Pending<Vec<Record>> {
        self.pick(|records| {
            let wanted = |record: &&Record| {
                let here = record.entry.terminal.as_ref().is_none_or(|there| *there == terminal);
                here && (from..=to).contains(&record.seq) && AROUND.contains(&record.entry.fact.kind())
            };
            records.iter().filter(wanted).cloned().collect()
        })
    }

    fn health(&self) -> Health {
        let shared = self.lock();
        match shared.damaged {
            _ if shared.failing => Health::Failing(REFUSED.to_owned()),
            Some(_) => Health::Damaged(DAMAGED.to_owned()),
            None => Health::Writable,
        }
    }
}
