//! The card flow of a session, from Start Session to the bank's answer: what is asked for, and what each end makes of it.

use crate::card::Card;
use crate::id::TerminalSessionId;
use crate::journal::record::{CancelledBy, Cause, DeadMan, Fact, Learned, Origin};
use crate::link;
use crate::money::Amount;
use crate::protocol::response::{Reason, Response, Verdict as Answer};
use crate::time::Timestamp;

use super::machine::{Effect, Errand, Machine, Step};
use super::policy::Authorise;
use super::state::State;

impl Machine {
    /// An orphan has its hold already: no card flow is its own.
    pub(super) fn waits_for_card(&self) -> bool {
        self.session.state == State::Opened && self.session.origin != Origin::Orphan
    }

    pub(super) fn begin(&self) -> Step {
        // One that begins with a card has its flow already.
        if self.waits_for_card() && self.session.origin == Origin::Api {
            Step::none().then(Effect::StartFlow).busy_with(Errand::CardFlow)
        } else {
            Step::none()
        }
    }

    pub(super) fn flow_ended(&self, outcome: link::Outcome) -> Step {
        let failed = |why: String| Fact::Failed { why };
        if let State::CardRead(_) = self.session.state {
            let fact = match outcome {
                link::Outcome::Unsent | link::Outcome::Unanswered(_) => {
                    failed("the link was lost before anybody said to authorise the card".to_owned())
                }
                link::Outcome::Answered(_) | link::Outcome::FlowEnded => Fact::Cancelled { by: CancelledBy::Terminal },
            };
            return Step::append([fact]).busy_with(Errand::Idle);
        }
        if !self.waits_for_card() {
            return Step::none();
        }
        let fact = match outcome {
            link::Outcome::Answered(Response::Cancelled) | link::Outcome::FlowEnded => {
                Fact::Cancelled { by: CancelledBy::Terminal }
            }
            link::Outcome::Answered(Response::Result(Answer::NotOk(Some(Reason::CANCELLED)))) => {
                Fact::Cancelled { by: CancelledBy::Terminal }
            }
            link::Outcome::Answered(Response::Declined { reason, .. }) => Fact::Declined { reason },
            link::Outcome::Answered(Response::Result(Answer::NotOk(reason))) => {
                failed(format!("the terminal refused to start: {}", explain(reason.map(|reason| reason.0))))
            }
            link::Outcome::Answered(other) => failed(format!("the terminal answered Start Session with {}", other.name())),
            link::Outcome::Unsent => failed("the link was gone before Start Session could be sent".to_owned()),
            link::Outcome::Unanswered(_) => failed("the link was lost before a card was read".to_owned()),
        };
        Step::append([fact]).busy_with(Errand::Idle)
    }

    pub(super) fn card_read(&self, card: Card, now: Timestamp) -> Step {
        if !self.waits_for_card() {
            // It ended while the card was on its way.
            return Step::none().then(Effect::CancelFlow);
        }
        match self.rules.policy.authorise {
            Authorise::Auto => self.authorise(Some(card), now),
            Authorise::Ask => {
                let authorise_by = now.after(self.rules.policy.authorise_within);
                Step::append([Fact::CardRead { card, authorise_by }]).busy_with(Errand::CardFlow)
            }
        }
    }

    pub(super) fn authorise(&self, card: Option<Card>, now: Timestamp) -> Step {
        let starts_at_the_latest = now.after(self.rules.authorise_timeout);
        let dead_man = self.dead_man(starts_at_the_latest);
        let intended = Fact::AuthoriseIntended { card, dead_man };
        Step::append([intended]).then(Effect::Authorise).busy_with(Errand::CardFlow)
    }

    pub(super) fn cancel(&self, by: CancelledBy) -> Step {
        if !self.session.before_hold() {
            return Step::none();
        }
        Step::append([Fact::Cancelled { by }]).then(Effect::CancelFlow).busy_with(Errand::Idle)
    }

    pub(super) fn authorised(&self, outcome: link::Outcome, now: Timestamp) -> Step {
        let State::Authorising(_) = self.session.state else {
            return Step::none();
        };
        let fact = match outcome {
            link::Outcome::Answered(Response::Approved { session, .. }) => {
                self.hold_placed(session, self.session.amount_requested, Learned::Approved, now)
            }
            link::Outcome::Answered(Response::PartiallyApproved { session, amount, .. }) => {
                // Whatever a terminal says, no more may be taken than was asked for (G4).
                let amount = self.session.amount_requested.map_or(amount, |asked| asked.min(amount));
                self.hold_placed(session, Some(amount), Learned::PartiallyApproved, now)
            }
            link::Outcome::Answered(Response::Declined { reason, .. }) => Fact::Declined { reason },
            link::Outcome::Answered(Response::Cancelled) => Fact::Cancelled { by: CancelledBy::Terminal },
            link::Outcome::Answered(Response::Result(Answer::NotOk(reason))) => {
                Fact::Failed { why: format!("the terminal refused to authorise: {}", explain(reason.map(|reason| reason.0))) }
            }
            link::Outcome::Unsent => Fact::Failed { why: "the link or the card was gone before Auth could be sent".to_owned() },
            link::Outcome::Answered(_) | link::Outcome::FlowEnded => Fact::AuthoriseUnanswered { cause: Cause::Resynchronised },
            link::Outcome::Unanswered(cause) => Fact::AuthoriseUnanswered { cause },
        };
        Step::append([fact]).busy_with(Errand::Idle)
    }

    pub(super) fn dead_man(&self, from: Timestamp) -> DeadMan {
        let policy = &self.rules.policy;
        DeadMan { at: Some(from.after(policy.terminal_timeout)), action: policy.terminal_timeout_action }
    }

    pub(super) fn hold_placed(&self, id: TerminalSessionId, amount: Option<Amount>, learned: Learned, now: Timestamp) -> Fact {
        let policy = &self.rules.policy;
        // The journal may have been unwritable since the terminal approved, and its timer has run all the while.
        let placed_at = match (&self.session.state, self.session.asked_bank_at) {
            (State::Authorising(_), Some(asked)) => now.min(asked.after(self.rules.authorise_timeout)),
            _ => now,
        };
        let dead_man = match self.session.state {
            // It has been held for long.
            State::InDoubt(dead_man) => dead_man,
            _ => self.dead_man(placed_at),
        };
        Fact::HoldPlaced {
            terminal_session_id: id,
            amount,
            learned,
            plug_in_by: placed_at.after(policy.plug_in_timeout),
            end_by: placed_at.after(policy.max_session),
            at_end: policy.on_max_session,
            dead_man,
        }
    }
}

/// A reason in words; families that give none leave us without.
fn explain(reason: Option<u8>) -> String {
    reason.map_or_else(|| "without a reason".to_owned(), |reason| format!("reason 0x{reason:02X}"))
}
