//! What the operator wants to happen to holds: every deadline, limit and choice of a session, as one value.

use std::time::Duration;

use crate::journal::record::{AtEnd, DeadManAction};
use crate::money::Amount;

/// A terminal drops a card 30 s after it has said Card Read, unless Auth or Cancel comes (PSP, Timeouts). Between its clock and
/// ours lie Card Read on its way here and Auth on its way back, both perhaps through a serial adapter, the journal's append of
/// either, and a crystal that is a little fast. Three seconds are far more than all of it, and whoever decides loses little.
pub const AUTHORISE_WITHIN: Duration = Duration::from_secs(27);

/// The rules that a session lives by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The dead-man timer that Setup gives to the terminal (PSP, Setup); whole seconds.
    pub terminal_timeout: Duration,
    /// What the terminal does when that timer ends.
    pub terminal_timeout_action: DeadManAction,
    /// Void a hold by then unless energy was reported.
    pub plug_in_timeout: Duration,
    /// End a hold by then even if energy flows.
    pub max_session: Duration,
    /// How to end it then.
    pub on_max_session: AtEnd,
    /// What to do with a session that the terminal holds and we do not know.
    pub orphan_policy: OrphanPolicy,
    /// What to do when a card taps again while its earlier hold has no energy.
    pub duplicate_tap: DuplicateTap,
    /// Whether a card whose hold is charging ends the charging by tapping again.
    pub tap_to_stop: bool,
    /// When to go on after a card is read.
    pub authorise: Authorise,
    /// With [`Authorise::Ask`], how long somebody has to say so; at most [`AUTHORISE_WITHIN`].
    pub authorise_within: Duration,
    /// Refuse to ask for more.
    pub max_hold: Amount,
    /// How long to wait before each next attempt at a disposal. Never empty; the last step repeats.
    pub retry: Vec<Duration>,
    /// How often to compare the journal with the terminal.
    pub reconcile_every: Duration,
    /// With so many disposals that are decided and not delivered, take no new cards.
    pub max_undelivered: u32,
    /// By how long after its approval a hold should be disposed of; none when nobody has promised that.
    pub settle_within: Option<Duration>,
}

/// What to do with a session that the terminal holds and we do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphanPolicy {
    /// Void it.
    Void,
    /// Only report it.
    Report,
}

/// What to do when a card taps again while its earlier hold has no energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateTap {
    /// Void the earlier hold.
    VoidEarlier,
    /// Keep both.
    Allow,
}

/// When to go on to Auth after a card is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorise {
    /// At once.
    Auto,
    /// When somebody says so.
    Ask,
}
