//! Everything that a terminal's actor must know about its device before it speaks to it.

use std::time::Duration;

use crate::id::TerminalId;
use crate::link;
use crate::money::Amount;
use crate::protocol::Family;
use crate::protocol::request::Options;
use crate::recorder;
use crate::session::machine::Rules;
use crate::session::policy::Policy;

use super::screen::Templates;

/// The Protocol options by their keys in the configuration and the API, and whether each is asked for by default where the family has
/// it.
pub const OPTIONS: [(Options, &str, bool); 5] = [
    (Options::EVENTS, "events", true),
    (Options::AUTHORIZATION_DOL, "authorization_dol", true),
    (Options::EXTENDED_BLOCK, "extended_block", false),
    (Options::DETAILED_CODES, "detailed_codes", true),
    (Options::DECLINED_DOL, "declined_dol", false),
];

/// What a terminal shows while no card flow has its display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screens {
    /// The depot's name, for its texts.
    pub site: String,
    /// A screen for each moment that has one.
    pub templates: Templates,
}

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
    /// What Request Ids must answer, when it is to be checked.
    pub serial_number: Option<String>,
    /// How much to hold for whoever comes to a terminal that scans all the time; none when a card is read only if it is asked for.
    pub preauth: Option<Amount>,
    /// Which Protocol options are asked for.
    pub options: Options,
    /// What it shows; Apollo only.
    pub screens: Screens,
    /// The rules for its sessions.
    pub policy: Policy,
    /// Whether and how its frames are recorded.
    pub record: Option<recorder::Settings>,
}

impl TerminalSettings {
    /// What decides about its sessions besides themselves.
    pub fn rules(&self) -> Rules {
        Rules {
            policy: self.policy.clone(),
            family: self.family,
            keeps_sessions: self.link.quirks.keeps_sessions,
            authorise_timeout: self.link.timeouts.authorise,
        }
    }
}
