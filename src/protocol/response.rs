//! Responses: terminal → host (PSP, All commands).

use crate::id::TerminalSessionId;
use crate::money::Amount;

use super::dol::Dol;
use super::request::Protocol;

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
