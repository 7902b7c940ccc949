//! Data objects within responses: with a length before them, whose size depends on the block format.

use bytes::{BufMut, BytesMut};

use crate::protocol::BlockFormat;
use crate::protocol::dol::Dol;
use crate::protocol::error::{PayloadFault, ProtocolError};
use crate::protocol::fields::Fields;
use crate::protocol::quirks::LengthSize;
use crate::protocol::raw::RawPayload;

impl BlockFormat {
    /// The size of the length before data objects (PSP, Frame format, Extended block).
    pub(super) const fn objects_length(self) -> LengthSize {
        match self {
            Self::Default => LengthSize::One,
            Self::Extended => LengthSize::Two,
        }
    }
}

/// What follows the reason of a decline.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum AfterDecline {
    /// Nothing.
    #[default]
    Nothing,
    /// Data objects with their length before them (option 0x10).
    Objects(Dol),
    /// Something else: where data objects stand in a decline is unknown.
    Raw(RawPayload),
}

pub(super) fn encode_dol(out: &mut BytesMut, message: &'static str, dol: &Dol, size: LengthSize) -> Result<(), ProtocolError> {
    let bytes = dol.encoded_len();
    let most = match size {
        LengthSize::One => usize::from(u8::MAX),
        LengthSize::Two => usize::from(u16::MAX),
    };
    if bytes > most {
        let fault = PayloadFault::TooLong { field: "data objects", bytes, most };
        return Err(ProtocolError::Payload { message, fault });
    }
    // It fits, so no bit is lost here.
    match size {
        LengthSize::One => out.put_u8(bytes as u8),
        LengthSize::Two => out.put_u16(bytes as u16),
    }
    dol.encode(out);
    Ok(())
}

/// Reads data objects with their length before them. Never fails: whatever is wrong with them must not lose the approval that
/// they came with, so it is only noted in [`Dol::damage`].
pub(super) fn decode_dol(fields: &mut Fields<'_>, size: LengthSize) -> Dol {
    let length = take_length(fields, size);
    // PSP, Session Approved: an absent length means no data objects. (Half a length is damage, and so is anything behind them.)
    let rest = fields.skip_rest();
    match length {
        None if rest.is_empty() => Dol::default(),
        None => Dol::parse_declared(0, rest),
        Some(length) => Dol::parse_declared(length, rest),
    }
}

pub(super) fn encode_decline(
    out: &mut BytesMut,
    reason: Option<u8>,
    rest: &AfterDecline,
    size: LengthSize,
) -> Result<(), ProtocolError> {
    reason.iter().for_each(|reason| out.put_u8(*reason));
    match rest {
        AfterDecline::Nothing => Ok(()),
        AfterDecline::Objects(dol) => encode_dol(out, "declined", dol, size),
        AfterDecline::Raw(raw) => {
            out.put_slice(raw.reveal());
            Ok(())
        }
    }
}

/// Reads a decline. With option 0x10 data objects are in it, but where is unknown: tried are behind the reason, and without
/// one. What is neither is kept as it is, so that a decline is a decline whatever comes with it.
pub(super) fn decode_decline(payload: &[u8], size: LengthSize) -> (Option<u8>, AfterDecline) {
    let Some((reason, rest)) = payload.split_first() else {
        return (None, AfterDecline::Nothing);
    };
    if rest.is_empty() {
        return (Some(*reason), AfterDecline::Nothing);
    }
    if let Some(dol) = whole_dol(rest, size) {
        return (Some(*reason), AfterDecline::Objects(dol));
    }
    match whole_dol(payload, size) {
        Some(dol) if dol.iter().next().is_some() => (None, AfterDecline::Objects(dol)),
        _ => (Some(*reason), AfterDecline::Raw(RawPayload::copy(rest))),
    }
}

/// Data objects with a length that is theirs, if that is what these bytes are.
fn whole_dol(bytes: &[u8], size: LengthSize) -> Option<Dol> {
    let mut fields = Fields::of("declined", bytes);
    let length = take_length(&mut fields, size)?;
    let rest = fields.skip_rest();
    if length != rest.len() {
        return None;
    }
    Some(Dol::parse(rest)).filter(|dol| dol.damage().is_none())
}

fn take_length(fields: &mut Fields<'_>, size: LengthSize) -> Option<usize> {
    match size {
        LengthSize::One => fields.u8_if_any().map(usize::from),
        LengthSize::Two => fields.u16_if_any().map(usize::from),
    }
}
