//! The newest records, rendered once for all who are waiting for them. What is older is read from the journal again.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::id::{SessionId, TerminalId};
use crate::journal::{Record, Selection, view};

/// How many records are kept at most: a few seconds of a large depot, and far more than are written while readers are woken.
const RECORDS: usize = 1024;

/// How many bytes are kept at most: a comparison of a terminal with hundreds of holds is a long record.
const BYTES: usize = 1024 * 1024;

/// So much is handed out at once, and whatever the last record of it is longer.
const CHUNK: usize = 16 * 1024;

/// A record as it goes out.
#[derive(Clone, Debug)]
pub(super) struct Event {
    seq: u64,
    terminal: Option<TerminalId>,
    session: Option<SessionId>,
    text: Bytes,
}

impl Event {
    pub(super) fn of(record: &Record) -> Self {
        // JSON has its line feeds escaped, so one line holds all of it.
        let text = format!("id: {}\ndata: {}\n\n", record.seq, view::public_json(record));
        Self { seq: record.seq, terminal: record.entry.terminal.clone(), session: record.entry.session, text: text.into() }
    }
}

/// What a reader is sent next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Whole events; may be empty.
    pub(super) bytes: Bytes,
    /// Where the reader is then: it has seen all that it wants up to this number.
    pub(super) up_to: u64,
}

impl Chunk {
    /// All of a page that was read for one reader.
    pub(super) fn of(records: &[Record], up_to: u64) -> Self {
        let mut bytes = BytesMut::new();
        records.iter().for_each(|record| bytes.extend_from_slice(&Event::of(record).text));
        Self { bytes: bytes.freeze(), up_to }
    }
}

/// The newest records.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Event>,
    bytes: usize,
    /// All records above this number and up to `end` are here.
    begin: u64,
    end: u64,
}

impl Ring {
    /// Nothing yet; goes on behind this record.
    pub(super) const fn behind(end: u64) -> Self {
        Self { events: VecDeque::new(), bytes: 0, begin: end, end }
    }

    /// The last record that it has heard of.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Adds what follows: all records up to `until`.
    pub(super) fn push(&mut self, events: Vec<Event>, until: u64) {
        for event in events {
            self.bytes += event.text.len();
            self.events.push_back(event);
        }
        self.end = until;
        while self.events.len() > RECORDS || self.bytes > BYTES {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.text.len();
            self.begin = oldest.seq;
        }
    }

    /// What follows on the record `after`; none when that is not here any more.
    pub(super) fn after(&self, after: u64, of: &Selection) -> Option<Chunk> {
        if after < self.begin {
            return None;
        }
        let next = self.events.partition_point(|event| event.seq <= after);
        let mut wanted = self.events.range(next..).filter(|event| of.takes(event.terminal.as_ref(), event.session));
        let Some(first) = wanted.next() else { return Some(Chunk { bytes: Bytes::new(), up_to: self.end.max(after) }) };
        let (mut bytes, mut up_to) = (first.text.clone(), first.seq);
        let mut more = wanted.peekable();
        if more.peek().is_some() && bytes.len() < CHUNK {
            let mut together = BytesMut::from(bytes);
            while let Some(event) = more.next_if(|_| together.len() < CHUNK) {
                together.extend_from_slice(&event.text);
                up_to = event.seq;
            }
            bytes = together.freeze();
        }
        Some(Chunk { bytes, up_to })
    }
}
