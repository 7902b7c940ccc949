//! The frame recorder: what crosses the wire of a terminal, on disk, for whoever must find out why it does not do what it
//! should. Off unless a terminal is configured to be recorded.
//!
//! ```text
//!   link's task ──Tap──► bounded queue ──► one writer thread ──► ring of files, one for each terminal
//! ```
//!
//! Nothing depends on it. A link hands over copies and never waits; what does not fit is counted and leaves a mark in the
//! recording. Card data is overwritten before anything is written, unless `cards = "clear"` was configured.
//!
//! * [`mod@line`]: the file format.
//! * [`mask`](self): what is card data, message by message.
//! * [`replay`]: reads recordings.

pub mod line;
mod mask;
pub mod replay;
mod ring;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{error, warn};

use crate::id::TerminalId;
use crate::metrics::Metrics;
use crate::protocol::{Direction, Family, Quirks};
use crate::time::Clock;

use line::Moment;
pub use ring::{every_part, parts};

/// How large a recording may be. A part of the smallest one has room for the line of the longest frame.
pub const SIZES: RangeInclusive<u64> = 1024 * 1024..=64 * 1024 * 1024 * 1024;

/// So many entries of all terminals may wait for the writer.
const QUEUE: usize = 8192;

/// Entries of one terminal may take up so many bytes while they wait: twice the longest frame.
const QUEUED_BYTES: usize = 256 * 1024;

/// Noise is gathered up to so many bytes, so that a line of it is worth reading.
const NOISE: usize = 512;

/// At the end the writer may take so long for what is still in the queue.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What becomes of card data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cards {
    /// It is overwritten.
    Masked,
    /// It is kept.
    Clear,
}

impl Cards {
    /// The word in configuration and headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Clear => "clear",
        }
    }
}

/// How a terminal is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The part that is written; older ones lie beside it.
    pub path: PathBuf,
    /// All parts together are never larger.
    pub size: u64,
    /// What becomes of card data.
    pub cards: Cards,
}

/// All recordings of a fleet.
pub struct Recorders {
    clock: Clock,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    recordings: BTreeMap<TerminalId, Arc<Recording>>,
    queue: Option<SyncSender<Entry>>,
    ended: Option<Receiver<()>>,
}

impl Recorders {
    /// No recordings yet: a terminal's begins with its first [`tap`](Self::tap).
    pub fn new(clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self { clock, metrics, state: Mutex::default() }
    }

    /// Something to record a new link of this terminal with. None when no thread can be had for it, which is logged.
    pub fn tap(&self, terminal: &TerminalId, family: Family, quirks: Quirks, settings: &Settings) -> Option<Tap> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = match &state.queue {
            Some(queue) => queue.clone(),
            None => {
                let (queue, ended) = start().map_err(|error| error!(%error, "no thread for recording frames")).ok()?;
                state.ended = Some(ended);
                state.queue.insert(queue).clone()
            }
        };
        let same = |known: &&Arc<Recording>| (known.family, known.quirks) == (family, quirks) && known.settings == *settings;
        let known = state.recordings.get(terminal).filter(same);
        let recording = match known {
            Some(known) => Arc::clone(known),
            None => {
                if settings.cards == Cards::Clear {
                    let path = settings.path.display();
                    warn!(%terminal, %path, "frames are recorded WITH CARD DATA, as cards = \"clear\" says: keep the file as safe as card numbers");
                }
                let metrics = Arc::clone(&self.metrics);
                let recording = Arc::new(Recording::new(terminal.clone(), family, quirks, settings.clone(), metrics));
                state.recordings.insert(terminal.clone(), Arc::clone(&recording));
                recording
            }
        };
        let link = recording.links.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        Some(Tap { clock: self.clock, recording, queue, link, pending: Vec::new(), noise: None })
    }

    /// Lets the writer finish what is in the queue, for a moment. Links that still have their taps go on recording.
    pub fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.recordings.clear();
        state.queue = None;
        if let Some(ended) = state.ended.take()
            && ended.recv_timeout(LAST_WORDS) == Err(RecvTimeoutError::Timeout)
        {
            warn!("not everything that was recorded could be written in time");
        }
    }
}

/// Starts the writer. The receiver is closed when it has ended.
fn start() -> std::io::Result<(SyncSender<Entry>, Receiver<()>)> {
    let (queue, entries) = sync_channel(QUEUE);
    let (running, ended) = channel();
    let run = move || {
        writer::run(&entries);
        drop(running);
    };
    std::thread::Builder::new().name("recorder".to_owned()).spawn(run)?;
    Ok((queue, ended))
}

/// One terminal's recording, as its taps and the writer share it.
struct Recording {
    terminal: TerminalId,
    family: Family,
    quirks: Quirks,
    settings: Settings,
    metrics: Arc<Metrics>,
    links: AtomicU64,
    queued_bytes: AtomicUsize,
    /// Entries that did not fit since the last one that did.
    missed: AtomicU64,
}

impl Recording {
    const fn new(terminal: TerminalId, family: Family, quirks: Quirks, settings: Settings, metrics: Arc<Metrics>) -> Self {
        let (links, queued_bytes, missed) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicU64::new(0));
        Self { terminal, family, quirks, settings, metrics, links, queued_bytes, missed }
    }

    fn drop_lines(&self, lines: u64) {
        if let Some(metrics) = self.metrics.terminal(&self.terminal) {
            metrics.recorder_dropped(lines);
        }
    }

    fn take_missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }

    /// The writer is done with so many bytes.
    fn written(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Something to be written.
struct Entry {
    recording: Arc<Recording>,
    at: Moment,
    link: u64,
    /// So many entries before this one did not fit.
    missed: u64,
    what: What,
}

/// What a tap sees, with nothing masked yet.
enum What {
    Opened(String),
    Frame { from: Direction, bytes: Vec<u8> },
    Noise { why: &'static str, bytes: Vec<u8> },
    Cut { left: usize, size: usize },
    Lost(String),
}

/// Records one link. Never waits.
pub struct Tap {
    clock: Clock,
    recording: Arc<Recording>,
    queue: SyncSender<Entry>,
    link: u64,
    /// What was read and has neither become a frame nor noise.
    pending: Vec<u8>,
    noise: Option<Noise>,
}

/// Bytes in a row that were no frame.
struct Noise {
    at: Moment,
    why: &'static str,
    bytes: Vec<u8>,
}

impl Tap {
    /// The wire is open.
    pub fn opened(&mut self, place: String) {
        self.note(What::Opened(place));
    }

    /// A frame of ours has left.
    pub fn sent(&mut self, frame: &[u8]) {
        self.flush_noise();
        self.note(What::Frame { from: Direction::FromHost, bytes: frame.to_vec() });
    }

    /// So many bytes of a frame of ours have left, and no more will.
    pub fn cut(&mut self, left: usize, size: usize) {
        self.note(What::Cut { left, size });
    }

    /// Bytes came.
    pub fn came(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// So many of them were taken, and their last `size` bytes were a frame.
    pub fn frame(&mut self, taken: usize, size: usize) {
        self.noise(taken.saturating_sub(size), "noise");
        self.flush_noise();
        let bytes = self.pending.drain(..size.min(self.pending.len())).collect();
        self.note(What::Frame { from: Direction::FromTerminal, bytes });
    }

    /// So many of them were taken, and were no frame.
    pub fn noise(&mut self, taken: usize, why: &'static str) {
        if taken == 0 {
            return;
        }
        let at = self.now();
        let bytes = self.pending.drain(..taken.min(self.pending.len()));
        self.noise.get_or_insert_with(|| Noise { at, why, bytes: Vec::new() }).bytes.extend(bytes);
        if self.noise.as_ref().is_some_and(|noise| noise.bytes.len() >= NOISE) {
            self.flush_noise();
        }
    }

    /// The link is gone, or could not be opened.
    pub fn lost(&mut self, why: String) {
        self.noise(self.pending.len(), "incomplete");
        self.flush_noise();
        self.note(What::Lost(why));
    }

    fn flush_noise(&mut self) {
        if let Some(Noise { at, why, bytes }) = self.noise.take() {
            self.note_at(at, What::Noise { why, bytes });
        }
    }

    fn now(&self) -> Moment {
        Moment(self.clock.unix_micros())
    }

    fn note(&self, what: What) {
        self.note_at(self.now(), what);
    }

    fn note_at(&self, at: Moment, what: What) {
        let size = what.size();
        let recording = Arc::clone(&self.recording);
        let missed = recording.take_missed();
        let fits = recording.queued_bytes.fetch_add(size, Ordering::Relaxed).saturating_add(size) <= QUEUED_BYTES;
        let entry = Entry { recording, at, link: self.link, missed, what };
        if !(fits && self.queue.try_send(entry).is_ok()) {
            self.recording.written(size);
            self.recording.missed.fetch_add(missed.saturating_add(1), Ordering::Relaxed);
            self.recording.drop_lines(1);
        }
    }
}
