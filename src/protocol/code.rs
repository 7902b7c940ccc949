//! Message codes (PSP, Message codes). A code means one thing from the host and another from the terminal. Codes that we never
//! use are listed too, so that a trace can name them and resynchronisation can tell a likely frame from noise.

use super::Direction;

/// Codes of requests, host → terminal.
pub(super) mod host {
    pub(in crate::protocol) const DISABLE: u8 = 0x11;
    pub(in crate::protocol) const ENABLE: u8 = 0x12;
    pub(in crate::protocol) const PROTOCOL: u8 = 0x13;
    pub(in crate::protocol) const SETUP: u8 = 0x23;
    pub(in crate::protocol) const SYNCHRONIZE: u8 = 0x24;
    pub(in crate::protocol) const GET_STATUS: u8 = 0x26;
    pub(in crate::protocol) const REQUEST_IDS: u8 = 0x27;
    pub(in crate::protocol) const LIST_SESSIONS: u8 = 0x30;
    pub(in crate::protocol) const VOID_SESSION: u8 = 0x33;
    pub(in crate::protocol) const START_SESSION: u8 = 0x34;
    pub(in crate::protocol) const COMMIT_SESSION: u8 = 0x35;
    pub(in crate::protocol) const AUTH_SESSION: u8 = 0x36;
    pub(in crate::protocol) const CANCEL_SESSION: u8 = 0x37;
    pub(in crate::protocol) const RESET: u8 = 0x55;
}

/// Codes of responses, terminal → host.
pub(super) mod terminal {
    pub(in crate::protocol) const RESULT: u8 = 0x00;
    pub(in crate::protocol) const PROTOCOL: u8 = 0x13;
    pub(in crate::protocol) const SYNCHRONIZE: u8 = 0x24;
    pub(in crate::protocol) const STATUS: u8 = 0x26;
    pub(in crate::protocol) const IDS: u8 = 0x27;
    pub(in crate::protocol) const SESSION_LIST: u8 = 0x30;
    pub(in crate::protocol) const APPROVED: u8 = 0x31;
    pub(in crate::protocol) const DECLINED: u8 = 0x32;
    pub(in crate::protocol) const CANCELLED: u8 = 0x33;
    pub(in crate::protocol) const CARD_READ: u8 = 0x34;
    pub(in crate::protocol) const PARTIALLY_APPROVED: u8 = 0x35;
    pub(in crate::protocol) const TRANSACTION_EVENT: u8 = 0x38;
}

/// What a code is called in Payter's pages, if it is one of theirs.
pub(super) fn title(from: Direction, code: u8) -> Option<&'static str> {
    Some(match (from, code) {
        (Direction::FromHost, 0x11) => "Disable",
        (Direction::FromHost, 0x12) => "Enable",
        (Direction::FromHost, 0x13) => "Protocol",
        (Direction::FromHost, 0x23) => "Setup",
        (Direction::FromHost, 0x24) => "Synchronize",
        (Direction::FromHost, 0x26) => "Get Status",
        (Direction::FromHost, 0x27) => "Request Ids",
        (Direction::FromHost, 0x28) => "UI Request",
        (Direction::FromHost, 0x30) => "List Sessions",
        (Direction::FromHost, 0x33) => "Void Session",
        (Direction::FromHost, 0x34) => "Start Session",
        (Direction::FromHost, 0x35) => "Commit Session",
        (Direction::FromHost, 0x36) => "Auth Session",
        (Direction::FromHost, 0x37) => "Cancel Session",
        (Direction::FromHost, 0x38) => "Proprietary Card Exchange",
        (Direction::FromHost, 0x39) => "Read File",
        // PSP conflict C2: the pages disagree which of the two is which.
        (Direction::FromHost, 0x40 | 0x41) => "Read Card or Select Language",
        (Direction::FromHost, 0x42) => "Update Session",
        (Direction::FromHost, 0x43) => "MiFare",
        (Direction::FromHost, 0x44) => "Get Connection Info",
        (Direction::FromHost, 0x45) => "Get Receipt",
        (Direction::FromHost, 0x46) => "Get Transaction Record",
        (Direction::FromHost, 0x48) => "Control",
        (Direction::FromHost, 0x55) => "Reset",
        (Direction::FromHost, 0x56) => "Remove Sessions",
        (Direction::FromTerminal, 0x00) => "Result",
        (Direction::FromTerminal, 0x13) => "Protocol Response",
        (Direction::FromTerminal, 0x24) => "Synchronize Response",
        (Direction::FromTerminal, 0x26) => "Get Status Response",
        (Direction::FromTerminal, 0x27) => "Request Ids Response",
        (Direction::FromTerminal, 0x29) => "UI Event",
        (Direction::FromTerminal, 0x30) => "List Sessions Response",
        (Direction::FromTerminal, 0x31) => "Session Approved",
        (Direction::FromTerminal, 0x32) => "Session Declined",
        (Direction::FromTerminal, 0x33) => "Session Cancelled",
        (Direction::FromTerminal, 0x34) => "Card Read",
        (Direction::FromTerminal, 0x35) => "Session Partially Approved",
        (Direction::FromTerminal, 0x38) => "Transaction Event",
        (Direction::FromTerminal, 0x39) => "Read File Response",
        (Direction::FromTerminal, 0x40) => "Proprietary Card Read",
        (Direction::FromTerminal, 0x42) => "Proprietary Card Response",
        (Direction::FromTerminal, 0x43) => "Update Session Result",
        (Direction::FromTerminal, 0x44) => "Connection Info Response",
        (Direction::FromTerminal, 0x45) => "Receipt",
        (Direction::FromTerminal, 0x46) => "Transaction Record",
        _ => return None,
    })
}

/// Whether a frame with this code and so many payload bytes can exist. Asked only while the stream is out of step: in step, an
/// odd frame is taken and complained about instead.
pub(super) fn plausible(from: Direction, code: u8, payload: usize) -> bool {
    match (from, code) {
        (Direction::FromHost, 0x11 | 0x12 | 0x24 | 0x26 | 0x27 | 0x36 | 0x37 | 0x55) => payload == 0,
        (Direction::FromHost, 0x30 | 0x48) => payload == 1,
        (Direction::FromHost, 0x33) => payload == 4,
        (Direction::FromHost, 0x13 | 0x23) => payload == 5,
        (Direction::FromHost, 0x35 | 0x42) => payload == 8,
        (Direction::FromHost, 0x34) => payload >= 8,
        (Direction::FromTerminal, 0x24 | 0x33) => payload == 0,
        (Direction::FromTerminal, 0x38) => payload == 1,
        (Direction::FromTerminal, 0x00) => payload == 1 || payload == 2,
        (Direction::FromTerminal, 0x26) => payload == 2,
        (Direction::FromTerminal, 0x13) => payload == 5,
        (Direction::FromTerminal, 0x43) => payload == 14,
        (Direction::FromTerminal, 0x27 | 0x29) => payload >= 1,
        (Direction::FromTerminal, 0x30) => payload % 4 == 1,
        (Direction::FromTerminal, 0x31) => payload >= 4,
        (Direction::FromTerminal, 0x35) => payload >= 8,
        _ => title(from, code).is_some(),
    }
}
