//! Bytes at the terminal's end of a wire. Payloads are those of [`crate::protocol`]; frames are found and written here, since a
//! terminal does what no host does: it answers a frame whose checksum is wrong (assumption 14) and can be told to send bad ones.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::card::SimCard;
use super::quirks::Quirks;
use crate::id::TerminalSessionId;
use crate::protocol::dol::{self, Tag};
use crate::protocol::response::{Context, Verdict};
use crate::protocol::{self, BlockFormat, Dol, Family, ProtocolError, Request, Response, checksum};

/// The first byte of every frame from a host (PSP, Frame format).
const HOST_PREAMBLE: u8 = 0xCC;

/// Conflict C1: some pages give Get Status Response the code of Result.
const RESULT: u8 = 0x00;

/// The longest extended block that a simulated terminal takes or sends; a longer one is noise. PSP names no limit.
const EXTENDED_LENGTH_MAX: usize = 65_535;

/// How frames look: what Protocol has negotiated (PSP, Protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Style {
    /// The extended block, option 0x04.
    pub extended: bool,
    /// Results with reasons, option 0x08.
    pub detailed: bool,
}

/// What a terminal makes of a frame from the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A request.
    Request(Request),
    /// A sound frame with a code that means nothing to it.
    Unknown(u8),
    /// A sound frame with a payload that is not what its code wants.
    Incorrect(u8),
    /// A frame with a wrong checksum.
    Damaged,
}

/// Takes the next frame out of the buffer, with its bytes. What cannot begin a frame is dropped.
pub(super) fn take_frame(buffer: &mut BytesMut, style: Style, codec: &protocol::Quirks) -> Option<(Heard, Bytes)> {
    let header = if style.extended { 5 } else { 2 };
    loop {
        let noise = buffer.iter().position(|byte| *byte == HOST_PREAMBLE).unwrap_or(buffer.len());
        buffer.advance(noise);
        let length = buffer.get(1..header)?.iter().fold(0, |length: usize, byte| length << 8 | usize::from(*byte));
        if !(2..=EXTENDED_LENGTH_MAX).contains(&length) {
            buffer.advance(1);
            continue;
        }
        let size = header + length + 1;
        if buffer.len() < size {
            return None;
        }
        let bytes = buffer.split_to(size).freeze();
        return Some((hear(&bytes, header, codec), bytes));
    }
}

fn hear(bytes: &[u8], header: usize, codec: &protocol::Quirks) -> Heard {
    let [body @ .., sum] = bytes else { return Heard::Damaged };
    if checksum(body) != *sum {
        return Heard::Damaged;
    }
    // The magic is not looked at (PSP, Frame format: a P6X ignores what it receives).
    let [_, code, payload @ ..] = &body[header.min(body.len())..] else { return Heard::Damaged };
    match Request::decode(*code, payload, codec) {
        Ok(request) => Heard::Request(request),
        Err(ProtocolError::UnknownMessage { .. }) => Heard::Unknown(*code),
        Err(_) => Heard::Incorrect(*code),
    }
}

/// Writes a response as this terminal does.
pub(super) fn write(response: &Response, style: Style, family: Family, quirks: &Quirks) -> Result<Bytes, ProtocolError> {
    let format = if style.extended { BlockFormat::Extended } else { BlockFormat::Default };
    let mut payload = BytesMut::new();
    match response {
        // Assumption 1: with reasons, an OK has two bytes as well.
        Response::Result(Verdict::Ok) if style.detailed => payload.put_slice(&[0x00, 0x00]),
        Response::Result(Verdict::NotOk(Some(reason))) if quirks.reason_first => payload.put_slice(&[reason.0, 0x01]),
        _ => response.encode(&mut payload, &Context { quirks: quirks.codec(family), ..Context::of(family, format) })?,
    }
    let code = match response {
        Response::Status(_) if quirks.status_as_result => RESULT,
        _ => response.code(),
    };
    Ok(frame(quirks, style.extended, code, &payload))
}

/// How many payload bytes fit into a frame.
pub(super) const fn payload_max(extended: bool) -> usize {
    (if extended { EXTENDED_LENGTH_MAX } else { u8::MAX as usize }) - 2
}

/// A frame with this code and payload. What does not fit its length field is cut off: a terminal sends no impossible frames.
pub(super) fn frame(quirks: &Quirks, extended: bool, code: u8, payload: &[u8]) -> Bytes {
    let payload = &payload[..payload.len().min(payload_max(extended))];
    let length = payload.len() + 2;
    let mut out = BytesMut::with_capacity(length + 6);
    out.put_u8(quirks.preamble);
    if extended {
        out.put_uint(length as u64, 4);
    } else {
        out.put_uint(length as u64, 1);
    }
    out.put_u8(quirks.magic);
    out.put_u8(code);
    out.put_slice(payload);
    let sum = checksum(&out);
    out.put_u8(sum);
    out.freeze()
}

/// The data objects of a card, as far as they are wanted and exist (PSP, DOL list: the published example holds these two).
pub(super) fn card_dol(card: &SimCard, wanted: &[Tag]) -> Dol {
    let wanted = if wanted.is_empty() { dol::DEFAULT.as_slice() } else { wanted };
    objects(wanted, |tag| match tag {
        Tag::CARD_HASH => Some(card.hash().reveal().into()),
        Tag::MASKED_PAN => card.masked_pan().map(|pan| pan.as_str().into()),
        _ => None,
    })
}

/// The same once the bank has approved: what exists only then is there when it was asked for by name (in the published example,
/// which asked for nothing in particular, it is not).
pub(super) fn authorisation_dol(card: &SimCard, wanted: &[Tag], session: TerminalSessionId) -> Dol {
    let card = card_dol(card, wanted);
    objects(wanted, |tag| match tag {
        Tag::HOST_RESPONSE => Some(b"00".to_vec()),
        Tag::HOST_REFERENCE => Some(session.0.to_be_bytes().to_vec()),
        Tag::BRAND_NAME => Some(b"SIMULATED".to_vec()),
        _ => None,
    })
    .iter()
    .fold(card, |dol, (tag, value)| dol.with(tag, value))
}

fn objects(wanted: &[Tag], value: impl Fn(Tag) -> Option<Vec<u8>>) -> Dol {
    let found = wanted.iter().filter_map(|tag| value(*tag).map(|value| (*tag, value)));
    found.fold(Dol::default(), |dol, (tag, value)| dol.with(tag, value))
}
