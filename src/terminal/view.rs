//! What a reader sees of a terminal.

use crate::id::TerminalId;
use crate::journal::record::Report;
use crate::protocol::Family;
use crate::time::Timestamp;

/// A terminal as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub id: TerminalId,
    /// Its family.
    pub family: Family,
    /// `unreachable`, `offline`, `online`, `disabled`, `enabled`, `wait_card` or `wait_auth`.
    pub state: &'static str,
    /// Its link.
    pub link: LinkState,
    /// It takes no new card flows, by somebody's wish.
    pub draining: bool,
    /// How many holds may be open on it at once.
    pub connectors: u8,
    /// How many of its sessions are undisposed.
    pub undisposed: usize,
    /// Who it says it is.
    pub identity: Option<Identity>,
    /// When our holds were last compared with its own, and how that went.
    pub last_reconciliation: Option<(Timestamp, Report)>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// It was reset, and has refused or not yet confirmed the timer with which it ends holds by itself.
    pub timer_in_question: bool,
    /// Since the link came up, our holds have been compared with its own.
    pub reconciled: bool,
}

/// Every value of [`View::state`].
pub const STATES: [&str; 7] = ["unreachable", "offline", "online", "disabled", "enabled", "wait_card", "wait_auth"];

/// A terminal's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Open and set up.
    Up,
    /// Gone; it is being opened again.
    Down,
    /// It failed too often and is tried slowly.
    Quarantined,
}

impl LinkState {
    /// `up`, `down` or `quarantined`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Who a terminal says it is (PSP, Request Ids).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its serial number.
    pub serial_number: String,
    /// Its model; P6X does not tell.
    pub model: Option<String>,
    /// Names and versions of its software.
    pub software: Vec<String>,
}
