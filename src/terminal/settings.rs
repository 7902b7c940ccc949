//! Everything that a terminal's actor must know about its device before it speaks to it.

use std::time::Duration;

use crate::id::TerminalId;
use crate::link;
use crate::money::Amount;
use crate::protocol::Family;
use crate::protocol::request::Options;
use crate::session::policy::Policy;

/// One configured terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalSettings {
    /// Its name.
    pub id: TerminalId,
    /// Its family.
    pub family: Family,
    /// How to reach it.
    pub link: link::Settings,
    /// How many holds may be open on it at once; at least 1.
    pub connectors: u8,
    /// How often to ask for its status when nothing else is said; `None` on a serial link.
    pub keepalive: Option<Duration>,
    /// What it is asked to do beyond the simplest protocol (PSP, Protocol).
    pub options: Options,
    /// What Request Ids must answer, when it is to be checked.
    pub serial_number: Option<String>,
    /// How much to hold for whoever comes to a terminal that scans all the time; none when a card is read only if it is asked for.
    pub preauth: Option<Amount>,
    /// The rules for its sessions.
    pub policy: Policy,
}
