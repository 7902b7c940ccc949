//! Frames (PSP, Frame format): where one begins and ends in a stream of bytes, and how one is written.
//!
//! ```text
//!  default block    | preamble | L        | magic 3C | code | payload, L - 2 bytes | sum |
//!  extended block   | preamble | L L L L  | magic 3C | code | payload, L - 2 bytes | sum |
//! ```
//!
//! Nothing is escaped and nothing marks an end, so a damaged length misleads until the sum is checked or the line falls silent.

use bytes::{Buf, BufMut, BytesMut};

use super::checksum::checksum;
use super::error::ProtocolError;
use super::message;
use super::quirks::{Accepted, Quirks};
use super::{BlockFormat, Direction, Family};

/// The first byte of every frame that a host sends.
pub const HOST_PREAMBLE: u8 = 0xCC;

/// The first byte of every frame that an Apollo sends. What a P6X sends there is a matter of its configuration.
pub const TERMINAL_PREAMBLE: u8 = 0xAA;

/// The routing byte. A P6X may be configured to send another one.
pub const MAGIC: u8 = 0x3C;

/// The smallest L: magic and code.
pub(super) const LENGTH_MIN: u32 = 2;

/// The largest L that we send in a default block: PSP allows a command 257 bytes in all, which is L = 254.
const LENGTH_SENT_MAX: u32 = 254;

/// The largest L of an extended block that we take or send. PSP names no limit; this is the longest message there can be, a
/// Session Partially Approved whose data objects use up their two-byte length.
pub const LENGTH_EXTENDED_MAX: u32 = 2 + 4 + 4 + 2 + 0xFFFF;

impl BlockFormat {
    /// The format of a whole frame. A default block never has the length 0, and an extended one never 16 MiB or more, so the
    /// second byte tells them apart.
    pub fn of_frame(frame: &[u8]) -> Self {
        if frame.get(1) == Some(&0) { Self::Extended } else { Self::Default }
    }

    /// Where the payload of a frame begins.
    pub const fn payload_at(self) -> usize {
        1 + self.length_size() + LENGTH_MIN as usize
    }

    /// How many bytes the length field has.
    pub(super) const fn length_size(self) -> usize {
        match self {
            Self::Default => 1,
            Self::Extended => 4,
        }
    }

    /// The largest L that is taken.
    pub(super) const fn length_max(self) -> u32 {
        match self {
            Self::Default => 0xFF,
            Self::Extended => LENGTH_EXTENDED_MAX,
        }
    }

    /// The largest L that is sent.
    const fn length_sent_max(self) -> u32 {
        match self {
            Self::Default => LENGTH_SENT_MAX,
            Self::Extended => LENGTH_EXTENDED_MAX,
        }
    }
}

/// What surrounds the messages of one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The first byte.
    pub preamble: u8,
    /// The routing byte.
    pub magic: u8,
    /// The size of the length field.
    pub format: BlockFormat,
}

impl Envelope {
    /// What this side sends unless it is configured otherwise.
    pub const fn of(from: Direction, format: BlockFormat) -> Self {
        let preamble = match from {
            Direction::FromHost => HOST_PREAMBLE,
            Direction::FromTerminal => TERMINAL_PREAMBLE,
        };
        Self { preamble, magic: MAGIC, format }
    }
}

/// Appends a frame to `out`; `payload` appends its payload there. When either fails, `out` is as it was.
pub fn write_frame(
    out: &mut BytesMut,
    envelope: Envelope,
    code: u8,
    payload: impl FnOnce(&mut BytesMut) -> Result<(), ProtocolError>,
) -> Result<(), ProtocolError> {
    let start = out.len();
    let written = write_unchecked(out, start, envelope, code, payload);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn write_unchecked(
    out: &mut BytesMut,
    start: usize,
    envelope: Envelope,
    code: u8,
    payload: impl FnOnce(&mut BytesMut) -> Result<(), ProtocolError>,
) -> Result<(), ProtocolError> {
    let format = envelope.format;
    out.put_u8(envelope.preamble);
    let length_at = out.len();
    out.put_bytes(0, format.length_size());
    let body_at = out.len();
    out.put_u8(envelope.magic);
    out.put_u8(code);
    payload(out)?;

    let (least, most) = (LENGTH_MIN, format.length_sent_max());
    let length = u32::try_from(out.len() - body_at).unwrap_or(u32::MAX);
    if length > most {
        return Err(ProtocolError::Length { length, least, most });
    }
    let bytes = length.to_be_bytes();
    out[length_at..body_at].copy_from_slice(&bytes[bytes.len() - format.length_size()..]);
    let sum = checksum(&out[start..]);
    out.put_u8(sum);
    Ok(())
}

/// A sound frame, still in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What its sender put first.
    pub preamble: u8,
    /// What its sender put as the routing byte.
    pub magic: u8,
    /// The message code.
    pub code: u8,
    /// The payload.
    pub payload: &'a [u8],
}

/// What to do when bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// The stream is broken, and stays so: for TCP, which neither loses nor invents bytes.
    Strict,
    /// Drop a byte and look for the next frame: for serial lines, which do both.
    Resynchronise,
}

/// What a [`Decoder`] must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whose frames these are.
    pub from: Direction,
    /// The terminal's family.
    pub family: Family,
    /// The size of the length field.
    pub format: BlockFormat,
    /// What to do when bytes are no frame.
    pub discipline: Discipline,
    /// What is believed of the terminal: among it, which preamble and magic are insisted on.
    pub quirks: Quirks,
}

/// Whether the decoder knows where frames begin.
///
/// ```text
///   Start ──frame──► InStep ──error──► Hunting ──likely frame──► InStep
///    │ ▲                                │   ▲
///    │ └─────────────silence────────────┘   │
///    └────────────────error─────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Footing {
    /// Nothing has come yet, or nothing since a silence. The port may have been opened in the middle of a frame, so what is to
    /// be waited for must be likely.
    Start,
    /// The last frame was sound, so the next one begins here, whatever it is.
    InStep,
    /// Some bytes were no frame. Only likely frames are waited for and taken.
    Hunting,
}

/// Finds frames in a stream of bytes. Does no I/O and knows no clock: whoever reads the wire tells it when the line has
/// [fallen silent](Self::line_fell_silent).
#[derive(Clone, Debug)]
pub struct Decoder {
    settings: Settings,
    footing: Footing,
    /// In strict discipline, the error that broke the stream.
    broken: Option<ProtocolError>,
    /// The kinds of error reported since the stream was last in step.
    reported: Vec<&'static str>,
    resynchronised: bool,
    silent: bool,
    /// How many bytes the last frame had.
    last_size: usize,
    /// Preamble and magic of the last frame, and whether the one before it had the same.
    seen: Option<(u8, u8)>,
    settled: bool,
}

/// What a look at the front of the buffer shows.
enum Look {
    /// A sound frame of this many bytes.
    Frame(usize),
    /// Perhaps a frame, but it needs at least so many bytes.
    Partial(usize),
    /// No frame.
    Bad(ProtocolError),
    /// Perhaps a frame, but while hunting it is more likely to be noise.
    Unlikely,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            footing: Footing::Start,
            broken: None,
            reported: Vec::new(),
            resynchronised: false,
            silent: false,
            last_size: 0,
            seen: None,
            settled: false,
        }
    }

    /// Whose frames, and how they are framed.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// From the next frame on, frames have this format (PSP, Protocol, option 0x04).
    pub fn set_format(&mut self, format: BlockFormat) {
        self.settings.format = format;
    }

    /// Gives the next frame to `read` and takes it out of the buffer; `None` when more bytes are needed.
    ///
    /// In strict discipline an error is final. When resynchronising, an error is a report, made once for each kind until the
    /// next sound frame: call again. Such bytes are dropped and [`resynchronised`](Self::resynchronised) is set.
    pub fn decode<T>(&mut self, buffer: &mut BytesMut, read: impl FnOnce(Frame<'_>) -> T) -> Result<Option<T>, ProtocolError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        loop {
            let error = match self.look(buffer) {
                Look::Frame(size) => {
                    let body = 1 + self.settings.format.length_size();
                    let (preamble, magic) = (buffer[0], buffer[body]);
                    let frame = Frame { preamble, magic, code: buffer[body + 1], payload: &buffer[body + 2..size - 1] };
                    let value = read(frame);
                    buffer.advance(size);
                    self.last_size = size;
                    self.found(preamble, magic);
                    return Ok(Some(value));
                }
                Look::Partial(whole) => {
                    if !self.silent {
                        return Ok(None);
                    }
                    if buffer.is_empty() {
                        // What comes after a silence begins with the beginning of a frame.
                        self.silent = false;
                        self.footing = Footing::Start;
                        return Ok(None);
                    }
                    ProtocolError::Truncated { whole, came: buffer.len() }
                }
                Look::Bad(error) => error,
                Look::Unlikely => {
                    buffer.advance(1);
                    continue;
                }
            };
            match self.settings.discipline {
                Discipline::Strict => {
                    self.broken = Some(error);
                    return Err(error);
                }
                Discipline::Resynchronise => {
                    buffer.advance(1);
                    self.footing = Footing::Hunting;
                    self.resynchronised = true;
                    if !self.reported.contains(&error.kind()) {
                        self.reported.push(error.kind());
                        return Err(error);
                    }
                }
            }
        }
    }

    /// No byte has come for longer than a sender pauses within a frame: what is incomplete in the buffer stays incomplete.
    /// Call [`decode`](Self::decode) until it gives `None` before reading on: it gives the sound frames that were hidden
    /// behind the incomplete one, and leaves the buffer empty.
    ///
    /// Needed on serial lines, above all with a P6X: any byte may be its preamble, so one byte of noise can claim the next 257.
    pub fn line_fell_silent(&mut self, buffer: &[u8]) {
        self.silent = !buffer.is_empty();
    }

    /// How many bytes the last frame had. What else a [`decode`](Self::decode) took out of the buffer lay before it and was none.
    pub const fn last_size(&self) -> usize {
        self.last_size
    }

    /// Whether bytes have been dropped since this was last [forgotten](Self::forget_resynchronisation). The checksum misses
    /// one false frame in 256, so a Result that comes while this is set settles nothing.
    pub const fn resynchronised(&self) -> bool {
        self.resynchronised
    }

    /// The caller has made sure that both sides are in step again.
    pub fn forget_resynchronisation(&mut self) {
        self.resynchronised = false;
    }

    /// Begins anew, as for another stream. The format goes back to the default block.
    pub fn reset(&mut self) {
        *self = Self::new(Settings { format: BlockFormat::Default, ..self.settings });
    }

    fn found(&mut self, preamble: u8, magic: u8) {
        // Two frames in a row that agree, with nothing dropped in between, show what this sender puts there.
        let agrees = self.seen.replace((preamble, magic)) == Some((preamble, magic));
        self.settled |= agrees && self.footing == Footing::InStep;
        self.footing = Footing::InStep;
        self.reported.clear();
    }

    /// The preamble to insist on. PSP, Frame format: that of a P6X is configurable, so any is taken from it until it has shown
    /// which one it uses. (Should it be configured anew meanwhile, the next link learns that.)
    fn expected_preamble(&self) -> Option<u8> {
        match (self.settings.from, self.settings.quirks.preamble) {
            (Direction::FromHost, _) => Some(HOST_PREAMBLE),
            (Direction::FromTerminal, Accepted::Only(preamble)) => Some(preamble),
            (Direction::FromTerminal, Accepted::Any) => self.habit().map(|(preamble, _)| preamble),
        }
    }

    /// The magic to insist on. PSP, Frame format: a P6X ignores the one it receives and sends a configurable one.
    fn expected_magic(&self) -> Option<u8> {
        match (self.settings.from, self.settings.family) {
            (Direction::FromHost, Family::Apollo) => Some(self.settings.quirks.magic_sent),
            (Direction::FromHost, Family::P6x) => None,
            (Direction::FromTerminal, _) => match self.settings.quirks.magic {
                Accepted::Only(magic) => Some(magic),
                Accepted::Any => self.habit().map(|(_, magic)| magic),
            },
        }
    }

    fn habit(&self) -> Option<(u8, u8)> {
        self.seen.filter(|_| self.settled)
    }

    fn look(&self, buffer: &[u8]) -> Look {
        let format = self.settings.format;
        let body = 1 + format.length_size();
        let Some(&preamble) = buffer.first() else {
            return Look::Partial(body);
        };
        if let Some(expected) = self.expected_preamble()
            && preamble != expected
        {
            return Look::Bad(ProtocolError::Preamble { found: preamble, expected });
        }
        let Some(field) = buffer.get(1..body) else {
            return Look::Partial(body);
        };
        let length = field.iter().fold(0u32, |length, byte| length << 8 | u32::from(*byte));
        let (least, most) = (LENGTH_MIN, format.length_max());
        if !(least..=most).contains(&length) {
            return Look::Bad(ProtocolError::Length { length, least, most });
        }
        let whole = body + length as usize + 1;
        if let (Some(&found), Some(expected)) = (buffer.get(body), self.expected_magic())
            && found != expected
        {
            return Look::Bad(ProtocolError::Magic { found, expected });
        }
        let unlikely = buffer.get(body + 1).filter(|code| {
            !message::plausible(self.settings.from, **code, length as usize - LENGTH_MIN as usize, &self.settings.quirks)
        });
        if self.footing == Footing::Hunting && unlikely.is_some() {
            return Look::Unlikely;
        }
        let Some(frame) = buffer.get(..whole) else {
            return match (self.footing, unlikely) {
                // At the start an unlikely frame is taken when it is there, but not waited for.
                (Footing::Start, Some(_)) if self.settings.discipline == Discipline::Resynchronise => {
                    Look::Bad(ProtocolError::Truncated { whole, came: buffer.len() })
                }
                _ => Look::Partial(whole),
            };
        };
        let (found, expected) = (frame[whole - 1], checksum(&frame[..whole - 1]));
        if found == expected { Look::Frame(whole) } else { Look::Bad(ProtocolError::Checksum { found, expected }) }
    }
}
