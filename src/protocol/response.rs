//! Responses: terminal → host (PSP, All commands).

use bytes::{BufMut, BytesMut};

use crate::id::TerminalSessionId;
use crate::money::Amount;

use super::code::terminal as code;
use super::dol::Dol;
use super::error::{PayloadFault, ProtocolError};
use super::fields::Fields;
use super::request::Protocol;
use super::{BlockFormat, Direction, Family};

/// A response, or something that the terminal says unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// 0x00, the generic answer.
    Result(Verdict),
    /// 0x24, the echo of Synchronize.
    Synchronize,
    /// 0x13, what was accepted of Protocol.
    Protocol(Protocol),
    /// 0x26 (PSP conflict C1: two pages say 0x00; see [`super`]).
    Status(Status),
    /// 0x27.
    Ids(Ids),
    /// 0x30, P6X only.
    SessionList(SessionList),
    /// 0x34, a card was read.
    CardRead(Dol),
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
    /// 0x32. The reason comes with option 0x08 only; whatever follows it (option 0x10) is kept in `rest`.
    Declined {
        /// PSP, Session Declined.
        reason: Option<u8>,
        /// How many bytes followed the reason; their layout is unknown.
        rest: usize,
    },
    /// 0x33, the card flow has ended without a hold.
    Cancelled,
    /// 0x38, unasked, with option 0x01 only.
    TransactionEvent(TransactionEvent),
}

/// What decides how a response is written and read, besides its own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The terminal's family: the layout of Request Ids Response.
    pub family: Family,
    /// The format of the block: how long the length of data objects is.
    pub format: BlockFormat,
    /// When reading, whether a Get Status waits for its answer: only then may a Result of two bytes be one (PSP conflict C1).
    pub status_outstanding: bool,
}

impl Response {
    /// Its name in metrics and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Result(_) => "result",
            Self::Synchronize => "synchronize",
            Self::Protocol(_) => "protocol",
            Self::Status(_) => "status",
            Self::Ids(_) => "ids",
            Self::SessionList(_) => "session_list",
            Self::CardRead(_) => "card_read",
            Self::Approved { .. } => "approved",
            Self::PartiallyApproved { .. } => "partially_approved",
            Self::Declined { .. } => "declined",
            Self::Cancelled => "cancelled",
            Self::TransactionEvent(_) => "transaction_event",
        }
    }

    /// Its message code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Result(_) => code::RESULT,
            Self::Synchronize => code::SYNCHRONIZE,
            Self::Protocol(_) => code::PROTOCOL,
            Self::Status(_) => code::STATUS,
            Self::Ids(_) => code::IDS,
            Self::SessionList(_) => code::SESSION_LIST,
            Self::CardRead(_) => code::CARD_READ,
            Self::Approved { .. } => code::APPROVED,
            Self::PartiallyApproved { .. } => code::PARTIALLY_APPROVED,
            Self::Declined { .. } => code::DECLINED,
            Self::Cancelled => code::CANCELLED,
            Self::TransactionEvent(_) => code::TRANSACTION_EVENT,
        }
    }

    /// Appends its payload to `out`.
    pub fn encode(&self, out: &mut BytesMut, context: &Context) -> Result<(), ProtocolError> {
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
            Self::CardRead(dol) => encode_dol(out, self.name(), dol, context.format)?,
            Self::Approved { session, dol } => {
                out.put_u32(session.0);
                encode_dol(out, self.name(), dol, context.format)?;
            }
            Self::PartiallyApproved { session, amount, dol } => {
                out.put_u32(session.0);
                out.put_u32(amount.minor());
                encode_dol(out, self.name(), dol, context.format)?;
            }
            Self::Declined { reason, rest } => {
                if let Some(reason) = reason {
                    out.put_u8(*reason);
                    out.put_bytes(0x00, *rest);
                }
            }
            Self::TransactionEvent(event) => out.put_u8(event.to_byte()),
        }
        Ok(())
    }

    /// Reads a response from its code and payload.
    pub fn decode(code: u8, payload: &[u8], context: &Context) -> Result<Self, ProtocolError> {
        let (response, fields) = match code {
            code::RESULT => return decode_result(payload, context),
            code::SYNCHRONIZE => (Self::Synchronize, Fields::of("synchronize", payload)),
            code::CANCELLED => (Self::Cancelled, Fields::of("cancelled", payload)),
            code::PROTOCOL => {
                let mut fields = Fields::of("protocol", payload);
                (Self::Protocol(Protocol::decode(&mut fields)?), fields)
            }
            code::STATUS => {
                let mut fields = Fields::of("status", payload);
                let state = fields.u8("state")?;
                let state = TerminalState::of_byte(state).ok_or_else(|| fields.cannot_be("state", state))?;
                (Self::Status(Status { state, running: fields.u8("running")? != 0 }), fields)
            }
            code::IDS => (Self::Ids(Ids::decode(payload, context.family)?), Fields::of("ids", &[])),
            code::SESSION_LIST => {
                let mut fields = Fields::of("session_list", payload);
                let total = fields.u8("total")?;
                let mut sessions = Vec::with_capacity(payload.len() / 4);
                while !fields.is_empty() {
                    sessions.push(TerminalSessionId(fields.u32("session id")?));
                }
                (Self::SessionList(SessionList { total, sessions }), fields)
            }
            code::CARD_READ => {
                let mut fields = Fields::of("card_read", payload);
                (Self::CardRead(decode_dol(&mut fields, context.format)), fields)
            }
            code::APPROVED => {
                let mut fields = Fields::of("approved", payload);
                let session = TerminalSessionId(fields.u32("session id")?);
                (Self::Approved { session, dol: decode_dol(&mut fields, context.format) }, fields)
            }
            code::PARTIALLY_APPROVED => {
                let mut fields = Fields::of("partially_approved", payload);
                let session = TerminalSessionId(fields.u32("session id")?);
                let amount = Amount::from_minor(fields.u32("amount")?);
                (Self::PartiallyApproved { session, amount, dol: decode_dol(&mut fields, context.format) }, fields)
            }
            code::DECLINED => {
                let (reason, rest) = payload.split_first().map_or((None, 0), |(reason, rest)| (Some(*reason), rest.len()));
                (Self::Declined { reason, rest }, Fields::of("declined", &[]))
            }
            code::TRANSACTION_EVENT => {
                let mut fields = Fields::of("transaction_event", payload);
                (Self::TransactionEvent(TransactionEvent::of_byte(fields.u8("event")?)), fields)
            }
            code => return Err(ProtocolError::UnknownMessage { code, from: Direction::FromTerminal }),
        };
        fields.end()?;
        Ok(response)
    }
}

/// Reads a Result, or what PSP conflict C1 says that a Result may be.
fn decode_result(payload: &[u8], context: &Context) -> Result<Response, ProtocolError> {
    if let (true, &[state, running @ (0 | 1)]) = (context.status_outstanding, payload)
        && let Some(state) = TerminalState::of_byte(state)
    {
        return Ok(Response::Status(Status { state, running: running == 1 }));
    }
    let mut fields = Fields::of("result", payload);
    let verdict = match fields.u8("verdict")? {
        0x00 => {
            // The layout of the two bytes is inferred. OK with a reason against it would refute that, so it is not taken for OK.
            if let Some(reason @ 1..) = fields.u8_if_any() {
                return Err(fields.cannot_be("reason of an OK", reason));
            }
            Verdict::Ok
        }
        0x01 => Verdict::NotOk(fields.u8_if_any().map(Reason)),
        other => return Err(fields.cannot_be("verdict", other)),
    };
    fields.end()?;
    Ok(Response::Result(verdict))
}

fn encode_dol(out: &mut BytesMut, message: &'static str, dol: &Dol, format: BlockFormat) -> Result<(), ProtocolError> {
    let bytes = dol.encoded_len();
    let most = match format {
        BlockFormat::Default => usize::from(u8::MAX),
        BlockFormat::Extended => usize::from(u16::MAX),
    };
    if bytes > most {
        let fault = PayloadFault::TooLong { field: "data objects", bytes, most };
        return Err(ProtocolError::Payload { message, fault });
    }
    // It fits, so no bit is lost here.
    match format {
        BlockFormat::Default => out.put_u8(bytes as u8),
        BlockFormat::Extended => out.put_u16(bytes as u16),
    }
    dol.encode(out);
    Ok(())
}

/// Reads data objects with their length before them. Never fails: whatever is wrong with them must not lose the approval that
/// they came with, so it is only noted in [`Dol::damage`].
fn decode_dol(fields: &mut Fields<'_>, format: BlockFormat) -> Dol {
    let length = match format {
        BlockFormat::Default => fields.u8_if_any().map(usize::from),
        BlockFormat::Extended => fields.u16_if_any().map(usize::from),
    };
    // PSP, Session Approved: an absent length means no data objects. (Half a length is damage, and so is anything behind them.)
    let rest = fields.skip_rest();
    match length {
        None if rest.is_empty() => Dol::default(),
        None => Dol::parse_declared(0, rest),
        Some(length) => Dol::parse_declared(length, rest),
    }
}

/// Payload of Result: OK, or Not OK with a reason if option 0x08 is on (PSP, Errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 0x00.
    Ok,
    /// 0x01, and the reason if there was a second byte.
    NotOk(Option<Reason>),
}

/// Why a request was refused (PSP, Errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reason(pub u8);

impl Reason {
    /// 0x04: incorrect checksum.
    pub const INCORRECT_CHECKSUM: Self = Self(0x04);
    /// 0x05: wrong PSP state.
    pub const WRONG_STATE: Self = Self(0x05);
    /// 0x07: transaction cancelled.
    pub const CANCELLED: Self = Self(0x07);
    /// 0x0B: duplicate session id found.
    pub const DUPLICATE_SESSION: Self = Self(0x0B);
    /// 0x0C: session id not found.
    pub const SESSION_NOT_FOUND: Self = Self(0x0C);
    /// 0x0E: payment application in invalid state.
    pub const INVALID_STATE: Self = Self(0x0E);
    /// 0x11: not ready.
    pub const NOT_READY: Self = Self(0x11);
}

/// Payload of Get Status Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The terminal's state.
    pub state: TerminalState,
    /// Whether a transaction is running.
    pub running: bool,
}

/// The terminal's states (PSP, Setup flow). One bit each; exactly one is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TerminalState {
    /// 0x01: power on, Reset, idle close.
    Offline,
    /// 0x02: Synchronize.
    Online,
    /// 0x04: Setup, Disable.
    Disabled,
    /// 0x08: Enable, end of a card flow.
    Enabled,
    /// 0x10: Start Session.
    WaitCard,
    /// 0x20: a card has been read.
    WaitAuth,
}

impl TerminalState {
    /// Every state, in the order of its bit.
    pub const ALL: [Self; 6] = [Self::Offline, Self::Online, Self::Disabled, Self::Enabled, Self::WaitCard, Self::WaitAuth];

    /// Its byte in Get Status Response.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Offline => 0x01,
            Self::Online => 0x02,
            Self::Disabled => 0x04,
            Self::Enabled => 0x08,
            Self::WaitCard => 0x10,
            Self::WaitAuth => 0x20,
        }
    }

    /// The state of this byte.
    pub fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.to_byte() == byte)
    }

    /// Its name in metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Online => "online",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::WaitCard => "wait_card",
            Self::WaitAuth => "wait_auth",
        }
    }
}

/// Payload of Request Ids Response, what both families have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Serial number.
    pub serial_number: String,
    /// Apollo: model id. P6X: none.
    pub model: Option<String>,
    /// Apollo: platform id, version, release, then applications and their versions. P6X: the firmware's name.
    pub software: Vec<String>,
}

/// Sizes of the fields of a P6X's Request Ids Response (PSP, Request Ids): 147 bytes in all.
mod p6x_ids {
    pub(super) const SERIAL_NUMBER: usize = 15;
    /// Three SAMs of status and serial number, MAC address, SIM status and serial number: nothing that we use.
    pub(super) const MODULES: usize = 3 * (1 + 8) + 6 + 1 + 33;
    pub(super) const FIRMWARE: usize = 65;
}

impl Ids {
    /// How many payload bytes a P6X sends.
    pub(super) const P6X_SIZE: usize = p6x_ids::SERIAL_NUMBER + p6x_ids::MODULES + p6x_ids::FIRMWARE;

    fn encode(&self, out: &mut BytesMut, family: Family) -> Result<(), ProtocolError> {
        match family {
            Family::Apollo => {
                // An absent model in front of software is an empty text.
                let model = self.model.as_deref().or((!self.software.is_empty()).then_some(""));
                for text in
                    std::iter::once(self.serial_number.as_str()).chain(model).chain(self.software.iter().map(String::as_str))
                {
                    out.put_slice(text.as_bytes());
                    out.put_u8(0x00);
                }
                Ok(())
            }
            Family::P6x => {
                put_padded(out, "serial number", &self.serial_number, p6x_ids::SERIAL_NUMBER)?;
                out.put_bytes(0x00, p6x_ids::MODULES);
                let firmware = self.software.first().map_or("", String::as_str);
                put_padded(out, "firmware", firmware, p6x_ids::FIRMWARE)
            }
        }
    }

    fn decode(payload: &[u8], family: Family) -> Result<Self, ProtocolError> {
        let mut fields = Fields::of("ids", payload);
        match family {
            Family::Apollo => {
                if fields.is_empty() {
                    fields.u8("serial number")?;
                }
                let serial_number = fields.text();
                let model = Some(fields.text()).filter(|model| !model.is_empty());
                let mut software = Vec::new();
                while !fields.is_empty() {
                    software.push(fields.text());
                }
                Ok(Self { serial_number, model, software })
            }
            Family::P6x => {
                let serial_number = Fields::of("ids", fields.bytes("serial number", p6x_ids::SERIAL_NUMBER)?).text();
                fields.bytes("modules", p6x_ids::MODULES)?;
                // At most 65 bytes; some of them may be missing after its NUL.
                let firmware = fields.text();
                Ok(Self { serial_number, model: None, software: vec![firmware] })
            }
        }
    }
}

/// Appends a text with its NUL, filled up to a fixed size.
fn put_padded(out: &mut BytesMut, field: &'static str, text: &str, size: usize) -> Result<(), ProtocolError> {
    if text.len() >= size {
        let fault = PayloadFault::TooLong { field, bytes: text.len(), most: size - 1 };
        return Err(ProtocolError::Payload { message: "ids", fault });
    }
    out.put_slice(text.as_bytes());
    out.put_bytes(0x00, size - text.len());
    Ok(())
}

/// Payload of List Sessions Response: one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionList {
    /// How many sessions the terminal holds in all.
    pub total: u8,
    /// Those from the offset on, as many as fit.
    pub sessions: Vec<TerminalSessionId>,
}

/// Payload of Transaction Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEvent {
    /// 0.
    Started,
    /// 1.
    ReadingCard,
    /// 2.
    CardReadComplete,
    /// 3.
    TransactionComplete,
    /// 0xFF, and whatever else may come.
    Unknown(u8),
}

impl TransactionEvent {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Started => 0,
            Self::ReadingCard => 1,
            Self::CardReadComplete => 2,
            Self::TransactionComplete => 3,
            Self::Unknown(byte) => byte,
        }
    }

    const fn of_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Started,
            1 => Self::ReadingCard,
            2 => Self::CardReadComplete,
            3 => Self::TransactionComplete,
            byte => Self::Unknown(byte),
        }
    }
}
