//! The thread that follows the journal, and what all readers share.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::Settings;
use super::ring::{Chunk, Event, Ring};
use super::stream::Stream;
use crate::journal::{Journal, JournalError, Selection};

/// How many records are read at once.
const PAGE: usize = 64;

/// How many record numbers are looked through at once for those of one terminal, so that others who read need not wait.
const SPAN: u64 = 10_000;

/// How many readers may have the journal's reading thread look for their pages at once: whoever asks for a session comes third.
const PAGES_AT_ONCE: usize = 2;

/// Readers are woken in so many portions, and after each comes a pause of so long for each of its readers: many times as long as it
/// takes to write to one. So however many read, they take a small part of one core, and a request never stands behind more than a few
/// of them. What is new meanwhile goes out together: a thousand readers get what was written in the last fifth of a second.
const PORTIONS: usize = 64;
const PAUSE: Duration = Duration::from_micros(200);

/// A timer cannot do less.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// A journal that could not be read is tried again so much later.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Who reads is sent the last records when the program ends, if they can be read by then.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The events of a journal. Copies are the same events; they end with the last copy, or when they are [closed](Events::close).
#[derive(Clone)]
pub struct Events {
    feed: Arc<Feed>,
    _end: Arc<DropGuard>,
}

/// What the thread and all readers share.
pub(super) struct Feed {
    journal: Arc<dyn Journal>,
    pub(super) settings: Settings,
    newest: watch::Receiver<u64>,
    ring: RwLock<Ring>,
    /// Who reads waits for one of these, which says how far the ring goes.
    portions: [watch::Sender<u64>; PORTIONS],
    next_portion: AtomicUsize,
    /// How many read.
    open: watch::Sender<usize>,
    told: Box<dyn Fn(usize) + Send + Sync>,
    pages: Semaphore,
    /// The program ends.
    closing: CancellationToken,
    /// The last record is in the ring.
    pub(super) closed: CancellationToken,
}

impl Events {
    /// Follows the journal on a thread of its own; `told` hears how many read whenever that changes.
    pub fn start(
        journal: Arc<dyn Journal>,
        settings: Settings,
        told: impl Fn(usize) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let newest = journal.newest();
        let end = *newest.borrow();
        let closing = CancellationToken::new();
        let feed = Arc::new(Feed {
            journal,
            settings,
            newest,
            ring: RwLock::new(Ring::behind(end)),
            portions: std::array::from_fn(|_| watch::Sender::new(end)),
            next_portion: AtomicUsize::new(0),
            open: watch::Sender::new(0),
            told: Box::new(told),
            pages: Semaphore::new(PAGES_AT_ONCE),
            closing: closing.clone(),
            closed: CancellationToken::new(),
        });
        let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
        let following = Arc::clone(&feed);
        thread::Builder::new().name("events".to_owned()).spawn(move || runtime.block_on(following.follow()))?;
        Ok(Self { feed, _end: Arc::new(closing.drop_guard()) })
    }

    /// Sends every reader what there is, and ends its stream.
    pub fn close(&self) {
        self.feed.closing.cancel();
    }

    pub(super) fn journal(&self) -> &dyn Journal {
        self.feed.journal.as_ref()
    }

    /// The number of the newest durable record.
    pub(super) fn newest(&self) -> u64 {
        self.feed.newest()
    }

    pub(super) fn limit(&self) -> usize {
        self.feed.settings.streams
    }

    /// The records of this kind that follow on `after`; none when too many read already.
    pub(super) fn open(&self, of: Selection, after: u64) -> Option<Stream> {
        let feed = &self.feed;
        let mut count = 0;
        let room = feed.open.send_if_modified(|open| {
            let room = *open < feed.settings.streams;
            *open += usize::from(room);
            count = *open;
            room
        });
        if !room {
            return None;
        }
        (feed.told)(count);
        let place = Place(Arc::clone(feed));
        let portion = feed.next_portion.fetch_add(1, Ordering::Relaxed) % PORTIONS;
        let woken = feed.portions.get(portion).map(watch::Sender::subscribe)?;
        Some(Stream::new(place, of, after, woken))
    }
}

/// One of the places for readers, until it is dropped.
pub(super) struct Place(pub(super) Arc<Feed>);

impl Drop for Place {
    fn drop(&mut self) {
        let mut count = 0;
        self.0.open.send_modify(|open| {
            *open = open.saturating_sub(1);
            count = *open;
        });
        (self.0.told)(count);
    }
}

/// For readers.
impl Feed {
    /// What follows on the record `after`; none when that is too long ago.
    pub(super) fn recent(&self, after: u64, of: &Selection) -> Option<Chunk> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).after(after, of)
    }

    /// Likewise, from the journal.
    pub(super) async fn page(&self, after: u64, of: &Selection) -> Result<Chunk, JournalError> {
        let Ok(_turn) = self.pages.acquire().await else { return Err(JournalError::Closed) };
        // What is behind the newest may be taken off again.
        let newest = self.newest();
        let until = if of.terminal.is_some() && of.session.is_none() { newest.min(after.saturating_add(SPAN)) } else { newest };
        let records = self.journal.select(of.clone(), after, until, PAGE).await?;
        let up_to = records.last().filter(|_| records.len() == PAGE).map_or(until, |last| last.seq);
        Ok(Chunk::of(&records, up_to))
    }

    fn newest(&self) -> u64 {
        *self.newest.borrow()
    }
}

/// The thread.
impl Feed {
    async fn follow(&self) {
        let mut open = self.open.subscribe();
        while self.closing.run_until_cancelled(until(&mut open, |open| open > 0)).await.is_some() {
            let mut newest = self.newest.clone();
            let end = *newest.borrow_and_update();
            // While nobody read, nothing was rendered.
            *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Ring::behind(end);
            self.wake(end).await;
            loop {
                tokio::select! {
                    changed = newest.changed() => if changed.is_err() { return self.closed.cancel() },
                    () = until(&mut open, |open| open == 0) => break,
                    () = self.closing.cancelled() => break,
                }
                while let Err(error) = self.catch_up().await {
                    warn!(%error, "events wait until the journal can be read");
                    if self.closing.run_until_cancelled(tokio::time::sleep(TRY_AGAIN)).await.is_none() {
                        break;
                    }
                }
                self.wake(self.end()).await;
            }
        }
        if let Ok(Err(error)) = tokio::time::timeout(LAST_WORDS, self.catch_up()).await {
            warn!(%error, "the last events could not be read");
        }
        self.closed.cancel();
    }

    /// Reads and renders what is new.
    async fn catch_up(&self) -> Result<(), JournalError> {
        loop {
            let (end, newest) = (self.end(), self.newest());
            if end >= newest {
                return Ok(());
            }
            let records = self.journal.select(Selection::default(), end, newest, PAGE).await?;
            let until = records.last().filter(|_| records.len() == PAGE).map_or(newest, |last| last.seq);
            let events = records.iter().map(Event::of).collect();
            self.ring.write().unwrap_or_else(PoisonError::into_inner).push(events, until);
        }
    }

    async fn wake(&self, end: u64) {
        let mut owed = Duration::ZERO;
        for portion in &self.portions {
            let readers = portion.receiver_count();
            if readers == 0 {
                continue;
            }
            portion.send_replace(end);
            owed += PAUSE.saturating_mul(u32::try_from(readers).unwrap_or(u32::MAX));
            if owed >= PAUSE_MIN {
                tokio::time::sleep(owed).await;
                owed = Duration::ZERO;
            }
        }
    }

    fn end(&self) -> u64 {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).end()
    }
}

/// Waits until so many read. (What the channel lends must not be kept: it would hold up whoever comes and goes.)
async fn until(open: &mut watch::Receiver<usize>, enough: impl Fn(usize) -> bool) {
    if open.wait_for(|open| enough(*open)).await.is_err() {
        std::future::pending::<()>().await;
    }
}
