//! The one thread that writes recordings. A disk that is slow or stuck holds up this thread and nothing else.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tracing::{info, warn};

use crate::id::TerminalId;

use super::line::{Event, Header, Line, Moment};
use super::mask::{Masking, head, mask};
use super::ring::Ring;
use super::{Cards, Entry, Recording, What};

/// After a failure the disk is left alone for so many microseconds.
const AGAIN_AFTER: i64 = 10_000_000;

/// Writes until nobody can record any more.
pub(super) fn run(entries: &Receiver<Entry>) {
    let mut writers: HashMap<TerminalId, Writer> = HashMap::new();
    while let Ok(entry) = entries.recv() {
        let terminal = &entry.recording.terminal;
        // A terminal that is configured anew has another recording.
        if writers.get(terminal).is_some_and(|writer| !Arc::ptr_eq(&writer.recording, &entry.recording)) {
            writers.remove(terminal);
        }
        let writer = writers.entry(terminal.clone()).or_insert_with(|| Writer::new(Arc::clone(&entry.recording)));
        writer.take(entry);
    }
    for writer in writers.into_values() {
        writer.end();
    }
}

/// What stands between a terminal's entries and its files.
pub(super) struct Writer {
    recording: Arc<Recording>,
    ring: Option<Ring>,
    trouble: Option<Trouble>,
    last: (Moment, u64),
}

/// The disk does not take what we have.
struct Trouble {
    why: String,
    /// When to try again.
    again: Moment,
    /// So many lines are lost to it.
    lines: u64,
}

impl Writer {
    pub(super) fn new(recording: Arc<Recording>) -> Self {
        Self { recording, ring: None, trouble: None, last: (Moment(0), 0) }
    }

    pub(super) fn take(&mut self, entry: Entry) {
        let size = entry.what.size();
        let (at, link) = (entry.at, entry.link);
        self.last = (at, link);
        let event = keep(&self.recording, entry.what);
        let line = format!("{}\n", Line { at, link, event });
        self.write(&line, 1, entry.missed);
        self.recording.written(size);
    }

    /// Says what is missing at the end.
    pub(super) fn end(mut self) {
        let missed = self.recording.take_missed();
        if missed > 0 || self.trouble.is_some() {
            self.write("", 0, missed);
        }
    }

    /// Writes so many lines, before which others were missed.
    fn write(&mut self, text: &str, lines: u64, missed: u64) {
        let (at, _) = self.last;
        if let Some(trouble) = &mut self.trouble
            && at < trouble.again
        {
            trouble.lines = trouble.lines.saturating_add(lines).saturating_add(missed);
            return self.recording.drop_lines(lines);
        }
        let mut all = String::new();
        let lost = self.trouble.as_ref().map_or(0, |trouble| trouble.lines);
        if let Some(trouble) = &self.trouble {
            gap(&mut all, self.last, lost, &trouble.why);
        }
        if missed > 0 {
            gap(&mut all, self.last, missed, "the disk was not fast enough");
        }
        all.push_str(text);
        let appended = self.append(&all);
        let terminal = &self.recording.terminal;
        match appended {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    info!(%terminal, lost, "frames are recorded again");
                }
            }
            Err(error) => {
                let (path, why) = (self.recording.settings.path.display(), error.to_string());
                if self.trouble.is_none() {
                    warn!(%terminal, %path, error = why, "frames cannot be recorded; nothing else depends on it, and it is tried again");
                }
                self.recording.drop_lines(lines);
                self.ring = None;
                let again = Moment(at.0.saturating_add(AGAIN_AFTER));
                let lines = lost.saturating_add(missed).saturating_add(lines);
                self.trouble = Some(Trouble { why, again, lines });
            }
        }
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        if let Some(ring) = &mut self.ring {
            return ring.append(text);
        }
        let Recording { terminal, family, settings, .. } = &*self.recording;
        let header = Header { terminal: terminal.clone(), family: *family, cards: settings.cards, begun: true };
        let ring = self.ring.insert(Ring::open(&settings.path, settings.size, header)?);
        ring.append(text)
    }
}

fn gap(text: &mut String, (at, link): (Moment, u64), lines: u64, why: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", Line { at, link, event: Event::Gap { lines, why: why.to_owned() } });
}

/// What may be kept of what happened.
fn keep(recording: &Recording, what: What) -> Event {
    let masked = recording.settings.cards == Cards::Masked;
    match what {
        What::Opened(place) => Event::Opened(place),
        What::Lost(why) => Event::Lost(why),
        What::Cut { left, size } => Event::Cut { left, size },
        What::Frame { from, bytes } if !masked => Event::Frame { from, masked: false, bytes },
        What::Frame { from, mut bytes } => match mask(from, recording.family, &recording.quirks, &mut bytes) {
            Masking::Clean => Event::Frame { from, masked: false, bytes },
            Masking::Masked => Event::Frame { from, masked: true, bytes },
            Masking::Unread => Event::Unread { from, size: bytes.len(), head: head(&bytes).to_vec() },
        },
        What::Noise { why, mut bytes } => {
            let size = bytes.len();
            if masked {
                bytes.truncate(likely_head(&bytes));
            }
            Event::Noise { size, why: why.to_owned(), bytes }
        }
    }
}

/// How many bytes at the front look like the head of a frame from the terminal. Noise may be card data, a head is not.
fn likely_head(bytes: &[u8]) -> usize {
    use crate::protocol::frame::{MAGIC, TERMINAL_PREAMBLE};
    let head = head(bytes);
    let magic = head.len().checked_sub(2).map(|at| head[at]);
    if head.first() == Some(&TERMINAL_PREAMBLE) && magic == Some(MAGIC) { head.len() } else { 0 }
}

impl What {
    /// About how much memory it takes.
    pub(super) fn size(&self) -> usize {
        64 + match self {
            Self::Frame { bytes, .. } | Self::Noise { bytes, .. } => bytes.len(),
            Self::Opened(text) | Self::Lost(text) => text.len(),
            Self::Cut { .. } => 0,
        }
    }
}
