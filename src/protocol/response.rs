//! Responses: terminal → host (PSP, All commands).

mod ids;
mod objects;
mod small;
mod verdict;

pub use ids::Ids;
pub use objects::AfterDecline;
pub use small::{SessionList, TransactionEvent, UpdateOutcome, UpdateResult};
pub use verdict::{Reason, Status, TerminalState, Verdict};

use bytes::{BufMut, BytesMut};

use crate::id::TerminalSessionId;
use crate::money::Amount;

use super::dol::Dol;
use super::error::{PayloadFault, ProtocolError};
use super::fields::Fields;
use super::message::ResponseKind;
use super::quirks::LengthSize;
use super::raw::RawPayload;
use super::request::Protocol;
use super::{BlockFormat, Direction, Family, Quirks};

use objects::{decode_decline, decode_dol, encode_decline, encode_dol};

/// A response, or something that the terminal says unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// 0x00, the generic answer.
    Result(Verdict),
    /// 0x24, the echo of Synchronize.
    Synchronize,
    /// 0x13, what was accepted of Protocol.
    Protocol(Protocol),
    /// 0x26 (conflict C1: two pages say 0x00; see [`Quirks::status_as_result`]).
    Status(Status),
    /// 0x27.
    Ids(Ids),
    /// 0x30, P6X only.
    SessionList(SessionList),
    /// 0x34, a card was read.
    CardRead(Dol),
    /// 0x40, Apollo only: a card that is no EMV card was read.
    ProprietaryCardRead(Dol),
    /// 0x31, a hold was placed.
    Approved {
        /// The terminal's number of it.
        session: TerminalSessionId,
        /// Data objects.
        dol: Dol,
    },
    /// 0x35, Apollo only: a hold smaller than asked was placed.
    PartiallyApproved {
        /// The terminal's number of it.
        session: TerminalSessionId,
        /// How much is held.
        amount: Amount,
        /// Data objects.
        dol: Dol,
    },
    /// 0x32. The reason comes with option 0x08 only, more with option 0x10 only.
    Declined {
        /// PSP, Session Declined.
        reason: Option<u8>,
        /// What follows the reason.
        rest: AfterDecline,
    },
    /// 0x33, the card flow has ended without a hold.
    Cancelled,
    /// 0x43, Apollo only: what became of Update Session.
    UpdateResult(UpdateResult),
    /// 0x38, unasked, with option 0x01 only.
    TransactionEvent(TransactionEvent),
    /// 0x29, Apollo only, unasked: a button of a UI Request was pressed.
    UiEvent {
        /// The button's name.
        button: String,
    },
    /// 0x42, Apollo only: the R-APDU of a Proprietary Card Exchange.
    ProprietaryResponse(RawPayload),
    /// 0x39, P6X only. Its layout is unknown.
    File(RawPayload),
    /// 0x44, Apollo only. Its layout is unknown.
    ConnectionInfo(RawPayload),
    /// 0x45, Apollo only. Its layout is unknown.
    Receipt(RawPayload),
    /// 0x46, Apollo only. Its layout is unknown.
    TransactionRecord(RawPayload),
}

/// What decides how a response is written and read, besides its own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The terminal's family: the layout of Request Ids Response.
    pub family: Family,
    /// The format of the block: how long the length of data objects is.
    pub format: BlockFormat,
    /// When reading, whether a Get Status waits for its answer: only then may a Result of two bytes be one (conflict C1).
    pub status_outstanding: bool,
    /// What is believed of the terminal.
    pub quirks: Quirks,
}

impl Context {
    /// The context of a terminal that does as the pages say, with no Get Status waiting.
    pub const fn of(family: Family, format: BlockFormat) -> Self {
        Self { family, format, status_outstanding: false, quirks: Quirks::of(family) }
    }

    /// The size of the length before the data objects of a message.
    fn objects_length(&self, kind: ResponseKind) -> LengthSize {
        match (self.format, kind) {
            (BlockFormat::Extended, ResponseKind::CardRead) => self.quirks.card_read_length,
            (format, _) => format.objects_length(),
        }
    }
}

impl Response {
    /// A decline with nothing behind its reason.
    pub fn declined(reason: Option<u8>) -> Self {
        Self::Declined { reason, rest: AfterDecline::Nothing }
    }

    /// What kind of response it is.
    pub const fn kind(&self) -> ResponseKind {
        match self {
            Self::Result(_) => ResponseKind::Result,
            Self::Synchronize => ResponseKind::Synchronize,
            Self::Protocol(_) => ResponseKind::Protocol,
            Self::Status(_) => ResponseKind::Status,
            Self::Ids(_) => ResponseKind::Ids,
            Self::SessionList(_) => ResponseKind::SessionList,
            Self::CardRead(_) => ResponseKind::CardRead,
            Self::ProprietaryCardRead(_) => ResponseKind::ProprietaryCardRead,
            Self::Approved { .. } => ResponseKind::Approved,
            Self::PartiallyApproved { .. } => ResponseKind::PartiallyApproved,
            Self::Declined { .. } => ResponseKind::Declined,
            Self::Cancelled => ResponseKind::Cancelled,
            Self::UpdateResult(_) => ResponseKind::UpdateResult,
            Self::TransactionEvent(_) => ResponseKind::TransactionEvent,
            Self::UiEvent { .. } => ResponseKind::UiEvent,
            Self::ProprietaryResponse(_) => ResponseKind::ProprietaryResponse,
            Self::File(_) => ResponseKind::File,
            Self::ConnectionInfo(_) => ResponseKind::ConnectionInfo,
            Self::Receipt(_) => ResponseKind::Receipt,
            Self::TransactionRecord(_) => ResponseKind::TransactionRecord,
        }
    }

    /// Its name in metrics and logs.
    pub const fn name(&self) -> &'static str {
        self.kind().row().name
    }

    /// Its message code.
    pub const fn code(&self) -> u8 {
        self.kind().code()
    }

    /// Appends its payload to `out`.
    pub fn encode(&self, out: &mut BytesMut, context: &Context) -> Result<(), ProtocolError> {
        let length = context.objects_length(self.kind());
        match self {
            Self::Synchronize | Self::Cancelled => {}
            Self::Result(Verdict::Ok) => out.put_u8(0x00),
            Self::Result(Verdict::NotOk(reason)) => {
                out.put_u8(0x01);
                reason.iter().for_each(|reason| out.put_u8(reason.0));
            }
            Self::Protocol(protocol) => protocol.encode(out),
            Self::Status(status) => {
                out.put_u8(status.state.to_byte());
                out.put_u8(u8::from(status.running));
            }
            Self::Ids(ids) => ids.encode(out, context.family)?,
            Self::SessionList(list) => {
                out.put_u8(list.total);
                list.sessions.iter().for_each(|session| out.put_u32(session.0));
            }
            Self::CardRead(dol) | Self::ProprietaryCardRead(dol) => encode_dol(out, self.name(), dol, length)?,
            Self::Approved { session, dol } => {
                out.put_u32(session.0);
                encode_dol(out, self.name(), dol, length)?;
            }
            Self::PartiallyApproved { session, amount, dol } => {
                out.put_u32(session.0);
                out.put_u32(amount.minor());
                encode_dol(out, self.name(), dol, length)?;
            }
            Self::Declined { reason, rest } => encode_decline(out, *reason, rest, length)?,
            Self::UpdateResult(result) => result.encode(out),
            Self::TransactionEvent(event) => out.put_u8(event.to_byte()),
            Self::UiEvent { button } => {
                if button.bytes().any(|byte| byte == 0x00) {
                    let fault = PayloadFault::Value { field: "button", value: 0 };
                    return Err(ProtocolError::Payload { message: self.name(), fault });
                }
                out.put_slice(button.as_bytes());
                out.put_u8(0x00);
            }
            Self::ProprietaryResponse(raw)
            | Self::File(raw)
            | Self::ConnectionInfo(raw)
            | Self::Receipt(raw)
            | Self::TransactionRecord(raw) => out.put_slice(raw.reveal()),
        }
        Ok(())
    }

    /// Reads a response from its code and payload.
    pub fn decode(code: u8, payload: &[u8], context: &Context) -> Result<Self, ProtocolError> {
        let Some(kind) = ResponseKind::of_code(code) else {
            return Err(ProtocolError::UnknownMessage { code, from: Direction::FromTerminal });
        };
        let mut fields = Fields::of(kind.row().name, payload);
        let length = context.objects_length(kind);
        let response = match kind {
            ResponseKind::Result => return verdict::decode_result(payload, context),
            ResponseKind::Synchronize => Self::Synchronize,
            ResponseKind::Cancelled => Self::Cancelled,
            ResponseKind::Protocol => Self::Protocol(Protocol::decode(&mut fields)?),
            ResponseKind::Status => {
                let state = fields.u8("state")?;
                let state = TerminalState::of_byte(state).ok_or_else(|| fields.cannot_be("state", state))?;
                Self::Status(Status { state, running: fields.u8("running")? != 0 })
            }
            ResponseKind::Ids => Self::Ids(Ids::decode(fields.skip_rest(), context.family)?),
            ResponseKind::SessionList => {
                let total = fields.u8("total")?;
                let mut sessions = Vec::with_capacity(payload.len() / 4);
                while !fields.is_empty() {
                    sessions.push(TerminalSessionId(fields.u32("session id")?));
                }
                Self::SessionList(SessionList { total, sessions })
            }
            ResponseKind::CardRead => Self::CardRead(decode_dol(&mut fields, length)),
            ResponseKind::ProprietaryCardRead => Self::ProprietaryCardRead(decode_dol(&mut fields, length)),
            ResponseKind::Approved => {
                let session = TerminalSessionId(fields.u32("session id")?);
                Self::Approved { session, dol: decode_dol(&mut fields, length) }
            }
            ResponseKind::PartiallyApproved => {
                let session = TerminalSessionId(fields.u32("session id")?);
                let amount = Amount::from_minor(fields.u32("amount")?);
                Self::PartiallyApproved { session, amount, dol: decode_dol(&mut fields, length) }
            }
            ResponseKind::Declined => {
                let (reason, rest) = decode_decline(fields.skip_rest(), length);
                Self::Declined { reason, rest }
            }
            ResponseKind::UpdateResult => Self::UpdateResult(UpdateResult::decode(&mut fields)?),
            ResponseKind::TransactionEvent => Self::TransactionEvent(TransactionEvent::of_byte(fields.u8("event")?)),
            ResponseKind::UiEvent => Self::UiEvent { button: fields.text() },
            ResponseKind::ProprietaryResponse => Self::ProprietaryResponse(fields.raw()),
            ResponseKind::File => Self::File(fields.raw()),
            ResponseKind::ConnectionInfo => Self::ConnectionInfo(fields.raw()),
            ResponseKind::Receipt => Self::Receipt(fields.raw()),
            ResponseKind::TransactionRecord => Self::TransactionRecord(fields.raw()),
        };
        fields.end()?;
        Ok(response)
    }
}
