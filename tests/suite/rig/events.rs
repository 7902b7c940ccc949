//! A reader of `/v1/events`, as any program may write one: lines, blocks, the last id.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) data: Value,
}

/// What a stream brings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Came {
    /// A record.
    Event(Event),
    /// An id without data: where the stream begins.
    Begin(u64),
    /// A comment.
    Comment(String),
    /// The server has ended the stream in order.
    End,
    /// The connection was cut.
    Cut,
}

/// An open stream.
pub(crate) struct Stream {
    lines: BufReader<Box<dyn Read + Send>>,
}

impl Stream {
    pub(crate) fn of(body: impl Read + Send + 'static) -> Self {
        Self { lines: BufReader::new(Box::new(body)) }
    }

    /// The next block.
    pub(crate) fn next(&mut self) -> Came {
        let (mut id, mut data, mut comment) = (None, None, None);
        loop {
            let mut line = String::new();
            match self.lines.read_line(&mut line) {
                Ok(0) => return Came::End,
                Ok(_) if line.ends_with('\n') => {}
                Ok(_) | Err(_) => return Came::Cut,
            }
            let line = line.trim_end_matches('\n');
            if line.is_empty() {
                return match (id, data, comment) {
                    (Some(id), Some(data), None) => Came::Event(Event { id, data }),
                    (Some(id), None, None) => Came::Begin(id),
                    (None, None, Some(comment)) => Came::Comment(comment),
                    odd => panic!("a block of {odd:?}"),
                };
            }
            match line.split_once(':').unwrap() {
                ("", text) => comment = Some(text.trim().to_owned()),
                ("id", text) => id = Some(text.trim().parse().unwrap()),
                ("data", text) => data = Some(serde_json::from_str(text).unwrap()),
                ("retry", _) => {}
                odd => panic!("a line of {odd:?}"),
            }
        }
    }

    /// The next event, over comments; none at the end or when it is cut.
    pub(crate) fn event(&mut self) -> Option<Event> {
        loop {
            match self.next() {
                Came::Event(event) => return Some(event),
                Came::Begin(_) | Came::Comment(_) => {}
                Came::End | Came::Cut => return None,
            }
        }
    }
}
