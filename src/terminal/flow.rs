//! The card flow of a terminal: what Start Session asks for, what a tapped card means, and the end of it.

use crate::id::SessionId;
use crate::link::Outcome;
use crate::protocol::request::StartSession;
use crate::protocol::response::{Response, TerminalState};
use crate::protocol::{Family, Request};
use crate::session::policy::DuplicateTap;
use crate::session::{Input, State};

use super::actor::TerminalActor;
use super::children::Child;
use super::turn::Flow;

impl TerminalActor {
    pub(super) fn start_request(&self, session: SessionId) -> Option<Request> {
        let session = &self.children.get(&session)?.session;
        let (State::Opened, Some(amount), Some(reference)) = (&session.state, session.amount_requested, session.reference)
        else {
            return None;
        };
        let reference_text = session.caller_reference.clone().filter(|_| self.settings.family == Family::Apollo);
        Some(Request::StartSession(StartSession { amount, reference, dol: Vec::new(), reference_text }))
    }

    pub(super) fn flow_over(&mut self) {
        self.turns.flow = Flow::None;
        self.turns.cancel = false;
        if self.machine.is_up() {
            // PSP, States: ENABLED is entered automatically at the end of a card flow.
            self.machine.moved(TerminalState::Enabled);
        }
    }

    /// A terminal drops a card that nobody decides about without a word (PSP, Timeouts); its status tells.
    pub(super) fn look_after_card(&mut self, outcome: &Outcome) {
        let Outcome::Answered(Response::Status(status)) = outcome else { return };
        if let (Flow::CardRead(session), TerminalState::Enabled) = (self.turns.flow, status.state) {
            self.flow_over();
            self.deliver(session, Input::FlowEnded(Outcome::FlowEnded));
        }
    }

    pub(super) fn start_ended(&mut self, session: SessionId, outcome: &Outcome) {
        let Outcome::Answered(Response::CardRead(dol)) = outcome else {
            self.flow_over();
            return self.deliver(session, Input::FlowEnded(outcome.clone()));
        };
        self.turns.flow = Flow::CardRead(session);
        self.machine.moved(TerminalState::WaitAuth);
        let alive = self.children.get(&session).is_some_and(|child| child.session.state == State::Opened);
        if !alive || self.turns.cancel {
            self.turns.cancel = true;
            return;
        }
        let card = dol.card();
        let same_card = |child: &&Child| {
            let known = child.session.card.as_ref().and_then(|card| card.hash.as_ref());
            child.session.state == State::Held && known.is_some() && known == card.hash.as_ref()
        };
        let earlier: Vec<(SessionId, bool)> =
            self.children.values().filter(same_card).map(|child| (child.session.id, child.session.charging())).collect();
        let charging = earlier.iter().find(|(_, charging)| *charging).map(|(id, _)| *id);
        match charging {
            Some(charging) if self.settings.policy.tap_to_stop => {
                self.deliver(charging, Input::StopTapped { tapped_in: session });
                self.deliver(session, Input::TapToStop);
            }
            Some(_) | None => {
                if self.settings.policy.duplicate_tap == DuplicateTap::VoidEarlier {
                    for (earlier, _) in earlier.iter().filter(|(_, charging)| !charging) {
                        self.deliver(*earlier, Input::DuplicateTap);
                    }
                }
                self.deliver(session, Input::CardRead(card));
            }
        }
    }
}
