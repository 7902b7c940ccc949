//! Requests: host → terminal (PSP, All commands).

use crate::id::{SessionReference, TerminalSessionId};
use crate::money::Amount;

use super::dol::Tag;

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

/// Payload of Protocol, and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// 1, 2 or 3; 3 is the default and recommended.
    pub version: u8,
    /// Which options are wanted, or were accepted.
    pub options: Options,
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
    /// Text shown instead of our number, at most 63 bytes. Apollo only (field 9; fields 5 to 8 then carry their defaults).
    pub reference_text: Option<String>,
}
