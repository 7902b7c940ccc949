//! Sends the screens that are wanted: after everything else, and never at the cost of money.

use tracing::{error, warn};

use crate::journal::record::{Cause, Outcome as Ending};
use crate::link::Outcome;
use crate::protocol::Request;
use crate::protocol::response::{Response, Verdict};
use crate::session::{Session, State};

use super::actor::TerminalActor;
use super::link::Purpose;
use super::screen::{Moment, Values};
use super::turn::{Flow, Holder, Owner};

impl TerminalActor {
    /// Sends a screen, if another one is wanted than is shown and nobody else wants the lane.
    pub(super) fn show(&mut self) {
        if self.turns.holder != Holder::Nobody || !self.machine.is_up() || !self.link.is_open() {
            return;
        }
        let authorising = match self.turns.flow {
            Flow::CardRead(Owner::Session(session)) | Flow::Authorising(session) => {
                Some(self.children.get(&session).map(|child| values(&child.session, None)).unwrap_or_default())
            }
            _ => None,
        };
        let draining = self.closed();
        let Some(ui) = self.display.next(draining, authorising, self.now()) else { return };
        self.turns.holder = Holder::Screen;
        if self.ask(Purpose::Screen, Request::UiRequest(ui.clone())) {
            self.display.sent(ui);
        }
    }

    pub(super) fn screen_ended(&mut self, outcome: &Outcome) {
        self.release(Holder::Screen);
        match outcome {
            Outcome::Answered(Response::Result(verdict)) => {
                if let Verdict::NotOk(_) = verdict {
                    self.around.observer.frame_error(&self.settings.id, "refused_screen");
                }
                if self.display.answered(*verdict == Verdict::Ok) {
                    warn!(terminal = %self.id(), ?verdict, "the terminal refuses a configured screen; further refusals are only counted");
                }
            }
            Outcome::Unanswered(Cause::Timeout) => {
                error!(terminal = %self.id(), "the terminal does not answer screens, which costs its link: it gets no more of them");
                self.display.silence();
            }
            Outcome::Answered(_) | Outcome::Unanswered(_) | Outcome::Unsent | Outcome::FlowEnded => {}
        }
    }

    /// A session is about to change: its driver may want to see that.
    pub(super) fn session_news(&mut self, session: &Session) {
        let before = self.children.get(&session.id).map(|child| &child.session.state);
        if before.is_none_or(|before| *before == session.state) {
            return;
        }
        let held = session.hold.as_ref().and_then(|hold| hold.amount);
        let (moment, amount) = match &session.state {
            State::Held if matches!(before, Some(State::Authorising(_))) => (Moment::Approved, held),
            State::Declined(_) => (Moment::Declined, None),
            State::Disposed(Ending::Committed(amount)) => (Moment::ThankYou, Some(*amount)),
            _ => return,
        };
        self.display.happened(moment, values(session, amount), self.now());
    }
}

fn values(session: &Session, amount: Option<crate::money::Amount>) -> Values {
    Values { amount: amount.or(session.amount_requested), connector: session.connector }
}
