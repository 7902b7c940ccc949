//! The thread that writes. All appends that wait go into one transaction, so that they share one sync.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::row::{Columns, Head, Row};
use super::file::{File, head, limit_pages, to_sql};
use super::{BrokenSync, Health, JournalError, Options, Pending, Shared, SyncFault};
use super::{Entry, Record};

/// Every session and every terminal waits for its own append before the next, so more than this wait only when the disk
/// hangs: refuse them rather than remember without end.
const WAITING: usize = 4096;

/// So many appends share a sync at most; it keeps the first of them from waiting for the last of a flood.
const TOGETHER: usize = 512;

/// A failing journal counts as writable again when so many bytes fit.
const PROBE_BYTES: u32 = 64 * 1024;

/// Asks the thread that writes.
pub(super) struct Writer {
    queue: Option<SyncSender<Append>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Entries that shall become durable, and who wants to know.
struct Append {
    entries: Vec<(Entry, Columns)>,
    asked: Instant,
    answer: oneshot::Sender<Result<Vec<Record>, JournalError>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(file: File, head: Head, options: Options, shared: Arc<Shared>) -> Result<Self, JournalError> {
        let (queue, waiting) = sync_channel(WAITING);
        let sound = shared.health();
        let connection = file.connect(&options)?;
        let pen = Pen { connection: Some(connection), file, options, shared, sound, head };
        let thread = thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || pen.write_all(&waiting))
            .map_err(|error| JournalError::Unwritable(format!("no thread to write with: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Puts the entries in line; they keep their place even if nobody waits for the answer.
    #[expect(clippy::disallowed_methods, reason = "measures how long an append takes; decides nothing")]
    pub(super) fn append(&self, entries: Vec<Entry>) -> Pending<Vec<Record>> {
        let columns = entries.into_iter().map(|entry| Columns::of(&entry).map(|columns| (entry, columns)));
        let entries = match columns.collect::<Result<Vec<_>, _>>() {
            Ok(entries) => entries,
            Err(why) => return Box::pin(async move { Err(JournalError::Unwritable(why)) }),
        };
        if entries.is_empty() {
            return Box::pin(async { Ok(Vec::new()) });
        }
        let (answer, answered) = oneshot::channel();
        let append = Append { entries, asked: Instant::now(), answer };
        let refused = match self.queue.as_ref().map(|queue| queue.try_send(append)) {
            Some(Ok(())) => None,
            Some(Err(TrySendError::Full(_))) => {
                Some(JournalError::Unwritable(format!("{WAITING} appends are waiting already")))
            }
            Some(Err(TrySendError::Disconnected(_))) | None => Some(JournalError::Closed),
        };
        Box::pin(async move {
            match refused {
                Some(error) => Err(error),
                None => answered.await.unwrap_or(Err(JournalError::Closed)),
            }
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // It ends when the last append is answered; a panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

/// What the thread holds in its hand.
struct Pen {
    /// None while failing and the file cannot be opened. Closed before the file's lock is given up.
    connection: Option<Connection>,
    file: File,
    options: Options,
    shared: Arc<Shared>,
    /// The health when nothing fails.
    sound: Health,
    /// The last record that was acknowledged.
    head: Head,
}

impl Pen {
    fn write_all(mut self, waiting: &Receiver<Append>) {
        let mut probed = now();
        loop {
            let first = if matches!(self.shared.health(), Health::Failing(_)) {
                // Counted from the last probe: those who ask again and again must not put it off.
                let left = self.options.probe_every.saturating_sub(probed.elapsed());
                match waiting.recv_timeout(left) {
                    Ok(append) if !left.is_zero() => append,
                    Err(RecvTimeoutError::Disconnected) => return,
                    came => {
                        self.probe();
                        probed = now();
                        let Ok(append) = came else { continue };
                        append
                    }
                }
            } else {
                match waiting.recv() {
                    Ok(append) => append,
                    Err(_) => return,
                }
            };
            let mut together = vec![first];
            together.extend(waiting.try_iter().take(TOGETHER - 1));
            self.append(together);
        }
    }

    fn append(&mut self, together: Vec<Append>) {
        if let Health::Failing(why) = self.shared.health() {
            refuse(together, &why);
            return;
        }
        let mut rows = Vec::new();
        let mut last = self.head.clone();
        for (_, columns) in together.iter().flat_map(|append| &append.entries) {
            let Some(row) = last.follow(columns.clone()) else {
                refuse(together, "the numbers are used up");
                return;
            };
            last = row.head();
            rows.push(row);
        }
        match self.write(&rows) {
            Ok(()) => self.acknowledge(together, last),
            Err(error) => self.recover(together, last, &error),
        }
    }

    /// One transaction; durable when this returns well.
    fn write(&mut self, rows: &[Row]) -> rusqlite::Result<()> {
        let connection = self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)?;
        limit_pages(connection, &self.options)?;
        let transaction = connection.unchecked_transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO record (seq, at, terminal, session, kind, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for Row { seq, columns, hash } in rows {
                let Columns { at, terminal, session, kind, body } = columns;
                insert.execute((to_sql(*seq), at, terminal, session, kind, body, hash))?;
            }
        }
        match self.options.sync_fault.as_ref().and_then(SyncFault::meet) {
            None => transaction.commit(),
            Some(BrokenSync::Lost) => transaction.rollback().and(Err(broken_sync())),
            Some(BrokenSync::Kept) => transaction.commit().and(Err(broken_sync())),
        }
    }

    fn acknowledge(&mut self, together: Vec<Append>, last: Head) {
        let mut seq = self.head.seq;
        self.head = last;
        // Before anybody is told of a record, so that nobody knows a number that is beyond the newest.
        self.shared.newest.send_replace(self.head.seq);
        self.shared.observer.synced(together.iter().map(|append| append.entries.len()).sum());
        for append in together {
            let records = append.entries.into_iter().map(|(entry, _)| {
                seq += 1;
                Record { seq, entry }
            });
            let records = records.collect();
            self.shared.observer.appended(append.asked.elapsed());
            let _ = append.answer.send(Ok(records));
        }
    }

    /// After a failed write nobody knows what is in the file until it has been opened anew.
    fn recover(&mut self, together: Vec<Append>, last: Head, error: &rusqlite::Error) {
        let why = error.to_string();
        tracing::error!(journal = %self.shared.path.display(), why, "the journal could not append");
        self.shared.observer.failed();
        match self.reopen() {
            // The commit was told as failed and is there nevertheless. It counts once a later write is durable behind it.
            Ok(found) if found == last && self.prove_writable().is_ok() => {
                self.verify();
                self.shared.set_health(self.sound.clone());
                self.acknowledge(together, last);
            }
            _ => {
                self.shared.set_health(Health::Failing(why.clone()));
                self.probe_after_failure();
                refuse(together, &why);
            }
        }
    }

    /// Closes the file and opens it again. Says what its last record is.
    fn reopen(&mut self) -> Result<Head, String> {
        self.connection = None;
        let connection = self.file.connect(&self.options).map_err(|error| error.to_string())?;
        let found = head(&connection).map_err(|error| error.to_string())?;
        self.connection = Some(connection);
        Ok(found)
    }

    /// What the system said was written may be gone after a failed sync, and not only what was written last: all of it is read
    /// again before anything goes on. What is damaged is dealt with as at a start.
    fn verify(&mut self) {
        let damage = self.connection.as_ref().and_then(|connection| self.file.damage(connection));
        if let Some(why) = damage
            && self.sound == Health::Writable
        {
            tracing::error!(journal = %self.shared.path.display(), why, "the journal is damaged");
            self.sound = Health::Damaged(why);
        }
    }

    /// Takes off what was refused but got into the file, so that it never appears later.
    fn fence(&mut self) -> Result<(), String> {
        let found = self.reopen()?;
        let connection = self.connection.as_ref().ok_or("the file is closed")?;
        if found == self.head {
            return self.file.fence(connection);
        }
        connection.execute("DELETE FROM record WHERE seq > ?1", [to_sql(self.head.seq)]).map_err(|error| error.to_string())?;
        match head(connection) {
            Ok(found) if found == self.head => Ok(()),
            Ok(found) => Err(format!("record {} was the last one, and now record {} is", self.head.seq, found.seq)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes as much as a few appends would, durably, and takes it away again.
    fn prove_writable(&mut self) -> rusqlite::Result<()> {
        if self.options.sync_fault.as_ref().and_then(SyncFault::meet).is_some() {
            return Err(broken_sync());
        }
        let connection = self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)?;
        limit_pages(connection, &self.options)?;
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(?1))", [PROBE_BYTES])?;
        connection.execute("DELETE FROM meta WHERE name = 'probe'", []).map(|_| ())
    }

    /// Right after a failure: fences what was refused off, as far as that is possible now.
    fn probe_after_failure(&mut self) {
        if let Err(why) = self.fence() {
            self.connection = None;
            tracing::warn!(journal = %self.shared.path.display(), why, "the journal cannot be opened again");
        }
    }

    /// Is there space again?
    fn probe(&mut self) {
        let tried = self.fence().and_then(|()| self.prove_writable().map_err(|error| error.to_string()));
        match tried {
            Ok(()) => {
                self.verify();
                tracing::info!(journal = %self.shared.path.display(), "the journal can append again");
                self.shared.set_health(self.sound.clone());
            }
            Err(why) => {
                self.connection = None;
                self.shared.observer.failed();
                self.shared.set_health(Health::Failing(why));
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "measures how long a failure lasts; decides nothing that is recorded")]
fn now() -> Instant {
    Instant::now()
}

/// What SQLite says of a sync that fails.
fn broken_sync() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
    rusqlite::Error::SqliteFailure(code, Some("the disk did not sync".to_owned()))
}

fn refuse(together: Vec<Append>, why: &str) {
    for append in together {
        let _ = append.answer.send(Err(JournalError::Unwritable(why.to_owned())));
    }
}
