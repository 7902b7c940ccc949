//! What a reader sees of a terminal.

use crate::id::TerminalId;
use crate::journal::record::Report;
use crate::protocol::Family;
use crate::protocol::request::{Options, Protocol};
use crate::time::Timestamp;

use super::admission::Refusing;
use super::settings::OPTIONS;

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
    /// It is configured no more, and goes when nothing is open on it.
    pub leaving: bool,
    /// Why it takes no cards although it may be there.
    pub refuses_cards: Option<Refusing>,
    /// How many holds may be open on it at once.
    pub connectors: u8,
    /// How many of its sessions are undisposed.
    pub undisposed: usize,
    /// Who it says it is.
    pub identity: Option<Identity>,
    /// What it has accepted of Protocol; none when it knows no Protocol, or was not asked yet.
    pub protocol: Option<Accepted>,
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

/// What a terminal has accepted of Protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The version.
    pub version: u8,
    /// Options that are on, by their keys.
    pub options: Vec<&'static str>,
    /// Options that were asked for and are off.
    pub missing: Vec<&'static str>,
}

impl Accepted {
    /// What was asked for, against what was answered.
    pub fn of(asked: Options, accepted: Protocol) -> Self {
        let keys = |wanted: &dyn Fn(Options) -> bool| {
            OPTIONS.iter().filter(|(option, _, _)| wanted(*option)).map(|(_, key, _)| *key).collect()
        };
        Self {
            version: accepted.version,
            options: keys(&|option| accepted.options.contains(option)),
            missing: keys(&|option| asked.contains(option) && !accepted.options.contains(option)),
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
