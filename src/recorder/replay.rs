//! Reads recordings, and plays what they hold to the decoders that were at the two ends of the wire.

use std::io::{self, BufRead};

use bytes::BytesMut;

use crate::protocol::{
    BlockFormat, CodecError, Direction, Discipline, Family, HostCodec, ProtocolError, Request, Response, TerminalCodec,
};

use super::line::{Event, LineError, Text};

/// The lines of a recording, numbered from 1. A line that is damaged does not end it.
pub fn lines(source: impl BufRead) -> impl Iterator<Item = (u64, io::Result<Result<Text, LineError>>)> {
    // Bytes that are no text are damage like any other.
    let read = |line: Vec<u8>| String::from_utf8_lossy(&line).parse();
    (1..).zip(source.split(b'\n').map(move |line| line.map(read)))
}

/// A message that the decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// From the host.
    Request(Request),
    /// From the terminal.
    Response(Response),
}

/// The decoders of both ends.
pub struct Replay {
    family: Family,
    host: End<HostCodec>,
    terminal: End<TerminalCodec>,
}

struct End<C> {
    codec: C,
    input: BytesMut,
}

impl Replay {
    /// For the recording of a terminal of this family.
    pub fn new(family: Family) -> Self {
        let input = BytesMut::new;
        // A recording may begin in the middle, so what does not fit must not be the end.
        let host = HostCodec::new(family, Discipline::Resynchronise);
        let terminal = TerminalCodec::new(family, Discipline::Resynchronise);
        Self { family, host: End { codec: host, input: input() }, terminal: End { codec: terminal, input: input() } }
    }

    /// What the decoders make of an event whose bytes come in pieces; `piece` says how large the next one is.
    pub fn play(&mut self, event: &Event, mut piece: impl FnMut() -> usize) -> Vec<Result<Message, ProtocolError>> {
        let (from, bytes, silence) = match event {
            Event::Opened(_) => {
                *self = Self::new(self.family);
                return Vec::new();
            }
            Event::Frame { from, bytes, .. } => (*from, bytes, false),
            // What came of these bytes depends on the silence after them.
            Event::Noise { size, bytes, .. } if *size == bytes.len() => (Direction::FromTerminal, bytes, true),
            _ => return Vec::new(),
        };
        let mut found = Vec::new();
        let mut left = bytes.as_slice();
        if !silence {
            self.set_format(BlockFormat::of_frame(bytes));
        }
        while !left.is_empty() {
            let (now, later) = left.split_at(piece().clamp(1, left.len()));
            match from {
                Direction::FromHost => {
                    self.terminal.input.extend_from_slice(now);
                    self.terminal.take(&mut found, Message::Request);
                }
                Direction::FromTerminal => {
                    self.host.input.extend_from_slice(now);
                    self.host.take(&mut found, Message::Response);
                }
            }
            left = later;
        }
        if silence {
            let input = &self.host.input;
            self.host.codec.decoder().line_fell_silent(input);
            self.host.take(&mut found, Message::Response);
        }
        for message in found.iter().flatten() {
            // Conflict C1, as the link knows it.
            match message {
                Message::Request(Request::GetStatus) => self.host.codec.set_status_outstanding(true),
                Message::Response(Response::Status(_)) => self.host.codec.set_status_outstanding(false),
                _ => {}
            }
        }
        found
    }

    fn set_format(&mut self, format: BlockFormat) {
        self.host.codec.set_format(format);
        self.terminal.codec.set_format(format);
    }
}

/// A codec of either end.
trait Codec: tokio_util::codec::Decoder<Item = Result<Self::Message, ProtocolError>, Error = CodecError> {
    type Message;
}

impl Codec for HostCodec {
    type Message = Response;
}

impl Codec for TerminalCodec {
    type Message = Request;
}

impl<C: Codec> End<C> {
    fn take(&mut self, found: &mut Vec<Result<Message, ProtocolError>>, message: impl Fn(C::Message) -> Message) {
        while let Ok(Some(decoded)) = self.codec.decode(&mut self.input) {
            found.push(decoded.map(&message));
        }
    }
}
