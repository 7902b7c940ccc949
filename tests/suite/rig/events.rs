//! A reader of `/v1/events`, as any program may write one: lines, blocks, the last id.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

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

    /// The events behind the number `after`, without a client for HTTP; an error when the server is not there or does not send them.
    pub(crate) fn connect(address: &str, after: u64) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        ask(&mut socket, after)?;
        Self::answered(socket)
    }

    /// What comes on a socket on which they were asked for.
    pub(crate) fn answered(socket: TcpStream) -> io::Result<Self> {
        let mut reader = BufReader::new(socket);
        let status = line(&mut reader)?;
        if !status.starts_with("HTTP/1.1 200 ") {
            return Err(io::Error::other(status));
        }
        while line(&mut reader)? != "\r\n" {}
        Ok(Self::of(Chunks { reader, left: 0 }))
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

/// Asks for the events behind a number.
pub(crate) fn ask(socket: &mut TcpStream, after: u64) -> io::Result<()> {
    write!(socket, "GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\nLast-Event-ID: {after}\r\n\r\n")
}

/// A line; the end of the connection is an error.
fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match reader.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

/// The body of an HTTP/1.1 answer whose length nobody knows.
struct Chunks<R> {
    reader: R,
    left: u64,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            match line(&mut self.reader)?.trim_end() {
                "" => {}
                "0" => return Ok(0),
                length => self.left = u64::from_str_radix(length, 16).map_err(io::Error::other)?,
            }
        }
        let read = self.reader.by_ref().take(self.left).read(buffer)?;
        self.left -= read as u64;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }
}
