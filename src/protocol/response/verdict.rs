//! Payloads of Result and Get Status Response.

use crate::protocol::error::ProtocolError;
use crate::protocol::fields::Fields;

use super::{Context, Response};

/// Reads a Result, or what conflict C1 says that a Result may be.
pub(super) fn decode_result(payload: &[u8], context: &Context) -> Result<Response, ProtocolError> {
    if let (true, &[state, running @ (0 | 1)]) = (context.status_outstanding && context.quirks.status_as_result, payload)
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
