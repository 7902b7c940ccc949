//! Requests: host → terminal (PSP, All commands).

use bytes::{BufMut, BytesMut};

use crate::id::{SessionReference, TerminalSessionId};
use crate::money::Amount;

use super::Direction;
use super::code::host as code;
use super::dol::Tag;
use super::error::{PayloadFault, ProtocolError};
use super::fields::Fields;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// 0x55. Back to OFFLINE and to the default block. Answered by Result.
    Reset,
    /// 0x24. To ONLINE. Answered by Synchronize.
    Synchronize,
    /// 0x13, in ONLINE only. Answered by Protocol with what was accepted.
    Protocol(Protocol),
    /// 0x23, ONLINE → DISABLED. Answered by Result.
    Setup(Setup),
    /// 0x12. Answered by Result.
    Enable,
    /// 0x11. Answered by Result.
    Disable,
    /// 0x26, always allowed. Answered by Get Status Response.
    GetStatus,
    /// 0x27. Answered by Request Ids Response.
    RequestIds,
    /// 0x34, in ENABLED only. Answered when a card is read.
    StartSession(StartSession),
    /// 0x36, in WAIT_AUTH only. Places a hold.
    AuthSession,
    /// 0x37. Ends a card flow; does not release a hold. Answered by Session Cancelled or Result Not OK.
    CancelSession,
    /// 0x35. Takes an amount from a hold. Answered by Result.
    CommitSession {
        /// The terminal's number of the session.
        session: TerminalSessionId,
        /// The final amount.
        amount: Amount,
    },
    /// 0x33. Gives a hold back. Answered by Result.
    VoidSession {
        /// The terminal's number of the session.
        session: TerminalSessionId,
    },
    /// 0x30, P6X only. Answered by List Sessions Response.
    ListSessions {
        /// How many sessions to skip.
        offset: u8,
    },
}

impl Request {
    /// Its name, as the `command` label of metrics has it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Synchronize => "synchronize",
            Self::Protocol(_) => "protocol",
            Self::Setup(_) => "setup",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::GetStatus => "get_status",
            Self::RequestIds => "request_ids",
            Self::StartSession(_) => "start_session",
            Self::AuthSession => "auth_session",
            Self::CancelSession => "cancel_session",
            Self::CommitSession { .. } => "commit_session",
            Self::VoidSession { .. } => "void_session",
            Self::ListSessions { .. } => "list_sessions",
        }
    }

    /// Its message code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Reset => code::RESET,
            Self::Synchronize => code::SYNCHRONIZE,
            Self::Protocol(_) => code::PROTOCOL,
            Self::Setup(_) => code::SETUP,
            Self::Enable => code::ENABLE,
            Self::Disable => code::DISABLE,
            Self::GetStatus => code::GET_STATUS,
            Self::RequestIds => code::REQUEST_IDS,
            Self::StartSession(_) => code::START_SESSION,
            Self::AuthSession => code::AUTH_SESSION,
            Self::CancelSession => code::CANCEL_SESSION,
            Self::CommitSession { .. } => code::COMMIT_SESSION,
            Self::VoidSession { .. } => code::VOID_SESSION,
            Self::ListSessions { .. } => code::LIST_SESSIONS,
        }
    }

    /// Appends its payload to `out`.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), ProtocolError> {
        match self {
            Self::Reset
            | Self::Synchronize
            | Self::Enable
            | Self::Disable
            | Self::GetStatus
            | Self::RequestIds
            | Self::AuthSession
            | Self::CancelSession => {}
            Self::Protocol(protocol) => protocol.encode(out),
            Self::Setup(setup) => {
                out.put_u32(setup.timeout_seconds);
                out.put_u8(match setup.action {
                    TimeoutAction::Commit => 0x00,
                    TimeoutAction::Void => 0x01,
                });
            }
            Self::StartSession(start) => start.encode(out)?,
            Self::CommitSession { session, amount } => {
                // PSP, Commit Session: the session first, then the amount; the published example shows it.
                out.put_u32(session.0);
                out.put_u32(amount.minor());
            }
            Self::VoidSession { session } => out.put_u32(session.0),
            Self::ListSessions { offset } => out.put_u8(*offset),
        }
        Ok(())
    }

    /// Reads a request from its code and payload.
    pub fn decode(code: u8, payload: &[u8]) -> Result<Self, ProtocolError> {
        let (request, fields) = match code {
            code::RESET => (Self::Reset, Fields::of("reset", payload)),
            code::SYNCHRONIZE => (Self::Synchronize, Fields::of("synchronize", payload)),
            code::ENABLE => (Self::Enable, Fields::of("enable", payload)),
            code::DISABLE => (Self::Disable, Fields::of("disable", payload)),
            code::GET_STATUS => (Self::GetStatus, Fields::of("get_status", payload)),
            code::REQUEST_IDS => (Self::RequestIds, Fields::of("request_ids", payload)),
            code::AUTH_SESSION => (Self::AuthSession, Fields::of("auth_session", payload)),
            code::CANCEL_SESSION => (Self::CancelSession, Fields::of("cancel_session", payload)),
            code::PROTOCOL => {
                let mut fields = Fields::of("protocol", payload);
                (Self::Protocol(Protocol::decode(&mut fields)?), fields)
            }
            code::SETUP => {
                let mut fields = Fields::of("setup", payload);
                let timeout_seconds = fields.u32("timeout")?;
                let action = match fields.u8("timeout action")? {
                    0x00 => TimeoutAction::Commit,
                    0x01 => TimeoutAction::Void,
                    other => return Err(fields.cannot_be("timeout action", other)),
                };
                (Self::Setup(Setup { timeout_seconds, action }), fields)
            }
            code::START_SESSION => {
                let mut fields = Fields::of("start_session", payload);
                (Self::StartSession(StartSession::decode(&mut fields)?), fields)
            }
            code::COMMIT_SESSION => {
                let mut fields = Fields::of("commit_session", payload);
                let session = TerminalSessionId(fields.u32("session id")?);
                let amount = Amount::from_minor(fields.u32("amount")?);
                (Self::CommitSession { session, amount }, fields)
            }
            code::VOID_SESSION => {
                let mut fields = Fields::of("void_session", payload);
                (Self::VoidSession { session: TerminalSessionId(fields.u32("session id")?) }, fields)
            }
            code::LIST_SESSIONS => {
                let mut fields = Fields::of("list_sessions", payload);
                (Self::ListSessions { offset: fields.u8("offset")? }, fields)
            }
            code => return Err(ProtocolError::UnknownMessage { code, from: Direction::FromHost }),
        };
        fields.end()?;
        Ok(request)
    }
}

/// Payload of Protocol, and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// 1, 2 or 3; 3 is the default and recommended.
    pub version: u8,
    /// Which options are wanted, or were accepted.
    pub options: Options,
}

impl Protocol {
    /// Appends its payload, which is the same in both directions.
    pub(super) fn encode(self, out: &mut BytesMut) {
        out.put_u8(self.version);
        out.put_u32(self.options.0);
    }

    /// Reads its payload.
    pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Self, ProtocolError> {
        Ok(Self { version: fields.u8("version")?, options: Options(fields.u32("options")?) })
    }
}

/// Protocol options, a bit field (PSP, Protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options(pub u32);

impl Options {
    /// Send Transaction Event during the card flow.
    pub const EVENTS: Self = Self(0x01);
    /// Add authorization-stage data objects to the answer.
    pub const AUTHORIZATION_DOL: Self = Self(0x02);
    /// Extended block format, Apollo only.
    pub const EXTENDED_BLOCK: Self = Self(0x04);
    /// Detailed result and decline codes, Apollo only.
    pub const DETAILED_CODES: Self = Self(0x08);
    /// Data objects after a decline, Apollo only.
    pub const DECLINED_DOL: Self = Self(0x10);

    /// Both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Payload of Setup: the terminal's own timer for sessions that nobody ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Seconds until it acts; 0 and 0xFFFF_FFFF mean never (assumed: PSP does not say).
    pub timeout_seconds: u32,
    /// What it does then.
    pub action: TimeoutAction,
}

/// What the terminal does when the Setup timer runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutAction {
    /// 0x00: takes the whole hold.
    Commit,
    /// 0x01: gives it back.
    Void,
}

/// Payload of Start Session, fields 1 to 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartSession {
    /// How much to hold.
    pub amount: Amount,
    /// Our number.
    pub reference: SessionReference,
    /// Data objects wanted; empty for the terminal's default list.
    pub dol: Vec<Tag>,
    /// Text shown instead of our number, at most [`REFERENCE_TEXT_MAX`] bytes without NUL. Apollo only (field 9; fields 5 to 8 then carry their defaults).
    pub reference_text: Option<String>,
}

/// The longest text that can be shown instead of our number (PSP, Start Session, field 9: 64 bytes with its NUL).
pub const REFERENCE_TEXT_MAX: usize = 63;

impl StartSession {
    fn encode(&self, out: &mut BytesMut) -> Result<(), ProtocolError> {
        let wrong = |fault| ProtocolError::Payload { message: "start_session", fault };
        out.put_u32(self.amount.minor());
        out.put_u32(self.reference.0);
        let bytes = self.dol.len() * 3;
        let most = usize::from(u8::MAX);
        let Ok(length) = u8::try_from(bytes) else {
            return Err(wrong(PayloadFault::TooLong { field: "data object list", bytes, most }));
        };
        // A field may be given only if all earlier ones are, and the published frame ends here.
        if length == 0 && self.reference_text.is_none() {
            return Ok(());
        }
        out.put_u8(length);
        self.dol.iter().for_each(|tag| out.put_slice(&tag.0));
        if let Some(text) = &self.reference_text {
            if text.len() > REFERENCE_TEXT_MAX {
                let (field, bytes, most) = ("reference text", text.len(), REFERENCE_TEXT_MAX);
                return Err(wrong(PayloadFault::TooLong { field, bytes, most }));
            }
            if text.bytes().any(|byte| byte == 0) {
                return Err(wrong(PayloadFault::Value { field: "reference text", value: 0 }));
            }
            out.put_u8(0x00); // field 5: all payment methods
            out.put_u8(0x00); // field 6: the default logo
            out.put_u8(0x00); // field 7: the amount is shown
            out.put_u8(0x00); // field 8: no QR code
            out.put_slice(text.as_bytes());
            out.put_u8(0x00);
        }
        Ok(())
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Self, ProtocolError> {
        let amount = Amount::from_minor(fields.u32("amount")?);
        let reference = SessionReference(fields.u32("session reference")?);
        let mut start = Self { amount, reference, dol: Vec::new(), reference_text: None };
        if fields.is_empty() {
            return Ok(start);
        }
        let length = fields.u8("data object list length")?;
        let (tags, rest) = fields.bytes("data object list", usize::from(length))?.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(fields.cannot_be("data object list length", length));
        }
        start.dol = tags.iter().map(|tag| Tag(*tag)).collect();

        // Fields 5 to 8 change only what the terminal shows and which cards it takes; fields after 9 are not all known.
        if !fields.is_empty() {
            fields.u8("payment methods")?;
        }
        if !fields.is_empty() {
            fields.text();
        }
        if !fields.is_empty() {
            fields.u8("hide amount")?;
        }
        if !fields.is_empty() {
            fields.text();
        }
        if !fields.is_empty() {
            start.reference_text = Some(fields.text()).filter(|text| !text.is_empty());
        }
        fields.skip_rest();
        Ok(start)
    }
}
