//! The two ends of a wire as `tokio_util` codecs: [`HostCodec`] for us, [`TerminalCodec`] for simulated terminals.
//!
//! What they decode is a `Result`: `Ok` is a message. `Err` is bytes that were no frame, dropped while resynchronising, or a
//! sound frame that could not be understood; either way the stream goes on. In strict discipline the former ends it instead,
//! as a [`CodecError`].

use std::borrow::Borrow;
use std::io;

use bytes::BytesMut;
use tokio_util::codec::{Decoder as Decode, Encoder as Encode};

use super::error::ProtocolError;
use super::frame::{Decoder, Discipline, Envelope, Settings, write_frame};
use super::request::{Options, Protocol, Request};
use super::response::{Context, Response, Verdict};
use super::{BlockFormat, Direction, Family, NotSupported, Quirks};

/// Why a stream of frames has ended.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The wire failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are no frames; or, when sending, the message fits into none.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// Why a request was not put into bytes; nothing was.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The wire failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It fits into no frame.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The terminal's family does not know it.
    #[error(transparent)]
    NotSupported(#[from] NotSupported),
}

/// The host's end: encodes requests, decodes responses. What the terminal's family does not know is not encoded.
///
/// It follows the block format by itself (PSP, Protocol, option 0x04): the answer to Protocol is the last frame before the format
/// that it agrees on, the answer to Reset the last one before the default block (assumption 2).
#[derive(Clone, Debug)]
pub struct HostCodec {
    envelope: Envelope,
    decoder: Decoder,
    status_outstanding: bool,
    reset_outstanding: bool,
}

impl HostCodec {
    /// A codec for a new wire to a terminal of this family that does as the pages say.
    pub fn new(family: Family, discipline: Discipline) -> Self {
        Self::with_quirks(family, discipline, Quirks::of(family))
    }

    /// A codec for a new wire to a terminal of this family.
    pub fn with_quirks(family: Family, discipline: Discipline, quirks: Quirks) -> Self {
        let (from, format) = (Direction::FromTerminal, BlockFormat::Default);
        Self {
            envelope: Envelope { magic: quirks.magic_sent, ..Envelope::of(Direction::FromHost, format) },
            decoder: Decoder::new(Settings { from, family, format, discipline, quirks }),
            status_outstanding: false,
            reset_outstanding: false,
        }
    }

    /// Says whether a Get Status waits for its answer (conflict C1).
    pub fn set_status_outstanding(&mut self, outstanding: bool) {
        self.status_outstanding = outstanding;
    }

    /// From here on, both directions use this format.
    pub fn set_format(&mut self, format: BlockFormat) {
        self.envelope.format = format;
        self.decoder.set_format(format);
    }

    /// What finds the frames: for what a link may ask or tell it.
    pub fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Whether this request can be sent at all. Changes nothing.
    pub fn check(&self, request: &Request) -> Result<(), SendError> {
        self.write(request, &mut BytesMut::new())
    }

    fn write(&self, request: &Request, out: &mut BytesMut) -> Result<(), SendError> {
        let Settings { family, quirks, .. } = self.decoder.settings();
        request.supported_by(*family)?;
        Ok(write_frame(out, self.envelope, request.code(quirks), |out| request.encode(out, quirks))?)
    }

    fn follow(&mut self, response: &Response) {
        match response {
            Response::Protocol(accepted) => self.set_format(BlockFormat::agreed(*accepted)),
            Response::Result(Verdict::Ok) if self.reset_outstanding => {
                self.reset_outstanding = false;
                self.set_format(BlockFormat::Default);
            }
            _ => {}
        }
    }
}

impl BlockFormat {
    /// What an answer to Protocol agrees on.
    pub const fn agreed(accepted: Protocol) -> Self {
        if accepted.options.contains(Options::EXTENDED_BLOCK) { Self::Extended } else { Self::Default }
    }
}

impl Decode for HostCodec {
    type Item = Result<Response, ProtocolError>;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Self::Item>, CodecError> {
        let Settings { family, format, quirks, .. } = *self.decoder.settings();
        let context = Context { family, format, status_outstanding: self.status_outstanding, quirks };
        let item = next(&mut self.decoder, buffer, |code, payload| Response::decode(code, payload, &context))?;
        if let Some(Ok(response)) = &item {
            self.follow(response);
        }
        Ok(item)
    }
}

impl<M: Borrow<Request>> Encode<M> for HostCodec {
    type Error = SendError;

    fn encode(&mut self, request: M, out: &mut BytesMut) -> Result<(), SendError> {
        let request = request.borrow();
        self.write(request, out)?;
        match request {
            Request::Reset => self.reset_outstanding = true,
            // These may be sent while another request waits for its Result, and Result OK answers none of them.
            Request::StartSession(_) | Request::ReadCard(_) | Request::AuthSession | Request::GetStatus => {}
            _ => self.reset_outstanding = false,
        }
        Ok(())
    }
}

/// The terminal's end: encodes responses, decodes requests. It follows the block format as [`HostCodec`] does.
#[derive(Clone, Debug)]
pub struct TerminalCodec {
    envelope: Envelope,
    decoder: Decoder,
    reset_outstanding: bool,
}

impl TerminalCodec {
    /// A codec for a new wire to a host that does as the pages say.
    pub fn new(family: Family, discipline: Discipline) -> Self {
        Self::with_quirks(family, discipline, Quirks::of(family))
    }

    /// A codec for a new wire to a host that believes this.
    pub fn with_quirks(family: Family, discipline: Discipline, quirks: Quirks) -> Self {
        let (from, format) = (Direction::FromHost, BlockFormat::Default);
        Self {
            envelope: Envelope::of(Direction::FromTerminal, format),
            decoder: Decoder::new(Settings { from, family, format, discipline, quirks }),
            reset_outstanding: false,
        }
    }

    /// From here on, both directions use this format.
    pub fn set_format(&mut self, format: BlockFormat) {
        self.envelope.format = format;
        self.decoder.set_format(format);
    }

    /// What finds the frames.
    pub fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// What responses are put into; for writing frames that are no response of ours.
    pub const fn envelope(&self) -> Envelope {
        self.envelope
    }
}

impl Decode for TerminalCodec {
    type Item = Result<Request, ProtocolError>;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Self::Item>, CodecError> {
        let quirks = self.decoder.settings().quirks;
        let item = next(&mut self.decoder, buffer, |code, payload| Request::decode(code, payload, &quirks))?;
        if let Some(Ok(request)) = &item {
            self.reset_outstanding = matches!(request, Request::Reset);
        }
        Ok(item)
    }
}

impl<M: Borrow<Response>> Encode<M> for TerminalCodec {
    type Error = CodecError;

    fn encode(&mut self, response: M, out: &mut BytesMut) -> Result<(), CodecError> {
        let response = response.borrow();
        let Settings { family, format, quirks, .. } = *self.decoder.settings();
        let context = Context { family, format, status_outstanding: false, quirks };
        write_frame(out, self.envelope, response.code(), |out| response.encode(out, &context))?;
        match response {
            Response::Protocol(accepted) => self.set_format(BlockFormat::agreed(*accepted)),
            Response::Result(Verdict::Ok) if self.reset_outstanding => {
                self.reset_outstanding = false;
                self.set_format(BlockFormat::Default);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The next message, or what came in place of one.
fn next<M>(
    decoder: &mut Decoder,
    buffer: &mut BytesMut,
    read: impl FnOnce(u8, &[u8]) -> Result<M, ProtocolError>,
) -> Result<Option<Result<M, ProtocolError>>, CodecError> {
    match decoder.decode(buffer, |frame| read(frame.code, frame.payload)) {
        Ok(message) => Ok(message),
        Err(error) => match decoder.settings().discipline {
            Discipline::Strict => Err(error.into()),
            Discipline::Resynchronise => Ok(Some(Err(error))),
        },
    }
}
