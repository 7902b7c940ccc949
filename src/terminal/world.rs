//! What a terminal's actor needs of the world, and what it says to it and hears from it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::id::TerminalId;
use crate::journal::Journal;
use crate::journal::record::Report;
use crate::link::{Outcome, Whose};
use crate::money::Currency;
use crate::protocol::Request;
use crate::random::Randomness;
use crate::recorder::Recorders;
use crate::session::Session;
use crate::session::actor::Observer as SessionObserver;
use crate::time::{Clock, Timestamp};

use super::trouble::Ending;
use super::view::View;

/// What a terminal needs of the world.
#[derive(Clone)]
pub struct Surroundings {
    /// Where facts go.
    pub journal: Arc<dyn Journal>,
    /// A part of the journal is lost or cannot be believed: no cards are taken, and nothing is done to holds that nobody knows.
    pub past_unsure: bool,
    /// What time it is.
    pub clock: Clock,
    /// Where names and jitter come from.
    pub random: Randomness,
    /// Who reads along.
    pub observer: Arc<dyn Observer>,
    /// The site's currency.
    pub currency: Currency,
    /// Who records frames.
    pub recorders: Arc<Recorders>,
    /// The fleet.
    pub fleet: Recipient<FromTerminal>,
}

/// Whoever wants to see what a terminal does: the board, the metrics.
pub trait Observer: SessionObserver {
    /// The terminal looks like this now.
    fn terminal_changed(&self, view: View);
    /// An exchange has ended.
    fn exchanged(&self, terminal: &TerminalId, request: &Request, outcome: &Outcome, took: Duration);
    /// Bytes came that are no frame, or frames that answer nothing.
    fn frame_error(&self, terminal: &TerminalId, kind: &'static str);
    /// A certificate was shown on a terminal's link.
    fn certificate(&self, terminal: &TerminalId, whose: Whose, expires: Timestamp);
    /// Our holds have been compared with the terminal's.
    fn reconciled(&self, terminal: &TerminalId, report: &Report, at: Timestamp);
    /// The sessions that have not ended, for gauges that depend on the time; `settle_within` is the policy's.
    fn holds(
        &self,
        terminal: &TerminalId,
        sessions: &mut dyn Iterator<Item = &Session>,
        settle_within: Option<Duration>,
        now: Timestamp,
    );
}

/// Speech to the fleet.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
#[rtype(result = "()")]
pub enum FromTerminal {
    /// The link is gone: when may it be opened again?
    LinkLost {
        /// Whose.
        terminal: TerminalId,
        /// Why.
        ending: Ending,
    },
    /// Somebody wants the link that is gone opened now.
    LinkWanted(TerminalId),
    /// The terminal is set up and reconciled.
    Settled(TerminalId),
    /// The actor is gone; without a reason it has crashed.
    Gone(TerminalId, Option<StopReason>),
}

/// Why a terminal's actor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The program is going down, and everything that could be done is done or has run out of time.
    Drained,
}

/// Open the link.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct OpenLink {
    /// It has failed too often and is tried slowly.
    pub quarantined: bool,
}

/// The link has failed too often and is tried slowly from now on.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Quarantined;
