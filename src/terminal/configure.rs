//! What a new configuration means for a terminal that runs: other settings, or that it is to leave when nothing of it is open.

use actix::prelude::*;
use tracing::{info, warn};

use crate::journal::record::CancelledBy;
use crate::session::actor::NewRules;
use crate::session::machine::Input;

use super::actor::{TerminalActor, display, machine};
use super::change::Change;
use super::settings::TerminalSettings;
use super::trouble::Trouble;
use super::turn::Flow;
use super::world::FromTerminal;

/// These settings from now on; also for a terminal that was about to leave. What needs another link comes with the next one, which is
/// opened as soon as no card is being authorised and no disposal is under way.
#[derive(Message, Clone, Debug)]
#[rtype(result = "()")]
pub struct Configure(pub Box<TerminalSettings>);

/// The terminal is configured no more: no new card flows, and the actor ends when nothing is open on it. Answered with how many sessions
/// are.
#[derive(Message, Clone, Debug)]
#[rtype(result = "usize")]
pub struct Leave {
    /// For whoever asks why it takes no cards.
    pub why: String,
}

impl TerminalActor {
    /// An actor for a terminal that is configured no more, but has something open.
    #[must_use]
    pub fn leaving(mut self, why: Option<String>) -> Self {
        self.leaving = why;
        self
    }

    /// The link is gone: settings that have waited for that hold from now on.
    pub(super) fn configure_before_next_link(&mut self) {
        if let Some(settings) = self.next_settings.take() {
            self.configure(*settings);
        }
    }

    fn configure(&mut self, settings: TerminalSettings) {
        let change = Change::between(&self.settings, &settings);
        info!(terminal = %self.id(), keys = ?change.keys, "configured anew");
        if change.keys.contains(&"ui") {
            self.display = display(&settings, self.around.currency);
        }
        if change.reopens {
            self.machine = machine(&settings, self.around.clock.now());
        }
        self.settings = settings;
        let rules = self.settings.rules();
        for (session, child) in &self.children {
            if child.actor.try_send(NewRules(rules.clone())).is_err() {
                warn!(terminal = %self.id(), %session, "the session's actor does not listen; it keeps its rules until it is rebuilt");
            }
        }
    }

    /// Ends every card flow that has come to no hold yet.
    pub(super) fn stop_flows(&self) {
        for child in self.children.values().filter(|child| child.session.before_hold()) {
            self.deliver(child.session.id, Input::StopFlow(CancelledBy::Shutdown));
        }
    }

    /// Whether the terminal is to leave, and nothing keeps it.
    pub(super) fn may_leave(&self) -> bool {
        self.leaving.is_some()
            && self.children.is_empty()
            && (self.opening, self.orphans_opening) == (0, 0)
            && self.turns.flow == Flow::None
    }
}

impl Handler<Configure> for TerminalActor {
    type Result = ();

    fn handle(&mut self, Configure(settings): Configure, ctx: &mut Self::Context) {
        self.leaving = None;
        self.next_settings = None;
        let reopens = Change::between(&self.settings, &settings).reopens;
        if reopens && !self.link.is_gone() {
            self.next_settings = Some(settings);
            if self.link.is_open() {
                self.give_up_later = Some((Trouble::Asked, "its configuration has changed"));
            } else {
                self.link.wanted_again();
            }
        } else {
            self.configure(*settings);
            if reopens {
                let wanted = FromTerminal::LinkWanted(self.id().clone());
                self.tell_fleet(ctx, wanted);
            }
        }
        self.go_on(ctx);
    }
}

impl Handler<Leave> for TerminalActor {
    type Result = usize;

    fn handle(&mut self, leave: Leave, ctx: &mut Self::Context) -> usize {
        self.leaving = Some(leave.why);
        self.turns.cancel_reader();
        self.stop_flows();
        let open = self.children.len().saturating_add(self.opening);
        self.go_on(ctx);
        open
    }
}
