//! What people want of a session, through the API: totals of energy, a decision, the end of a card flow, or the last word about
//! what is uncertain. A wish is taken or refused with a code, and a refusal has changed nothing.

use crate::journal::Fact;
use crate::journal::record::{CancelledBy, DecidedBy, Decision, Outcome};
use crate::money::Amount;
use crate::time::Timestamp;

use super::machine::{Machine, Step};
use super::policy::Authorise;
use super::refusal::Refusal;
use super::state::State;

/// What somebody wants of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Go on with the card that was read (`policy.authorise = "ask"`).
    Authorise,
    /// So much energy was delivered, as a running total.
    Energy(Amount),
    /// Take this much. Nothing is a void.
    Commit(Amount),
    /// Give the hold back.
    Void,
    /// Raise or lower the hold to this total.
    Update(Amount),
    /// End the card flow; there is no hold yet.
    Cancel,
    /// A person settles what is uncertain or stuck.
    Resolve {
        /// How it ended.
        outcome: Outcome,
        /// The person's words.
        note: String,
        /// The name of the person's token.
        by: String,
        /// Another person must say the same (`api.resolve_requires_two`).
        needs_two: bool,
    },
    /// A person takes back what was proposed.
    WithdrawResolution {
        /// The name of the person's token.
        by: String,
    },
}

impl Machine {
    pub(super) fn wish(&self, wish: Wish, now: Timestamp) -> Result<Step, Refusal> {
        match wish {
            Wish::Authorise => self.say_authorise(now),
            Wish::Energy(amount) => self.energy(amount),
            Wish::Commit(amount) if amount.is_zero() => self.ask_decision(Decision::Void),
            Wish::Commit(amount) => self.ask_decision(Decision::Commit(amount)),
            Wish::Void => self.ask_decision(Decision::Void),
            Wish::Update(amount) => self.ask_update(amount),
            Wish::Cancel => match self.session.state {
                State::Opened | State::CardRead(_) => Ok(self.cancel(CancelledBy::Api)),
                State::Cancelled(_) | State::Declined(_) | State::Failed(_) => Ok(Step::none()),
                State::Authorising(_)
                | State::InDoubt(_)
                | State::Held
                | State::Disposing
                | State::Uncertain(_)
                | State::Disposed(_) => Err(Refusal::HasHold { session: self.session.id, state: self.session.state_name() }),
            },
            Wish::Resolve { outcome, note, by, needs_two } => self.resolve(outcome, note, by, needs_two, now),
            Wish::WithdrawResolution { by } => self.withdraw_resolution(by),
        }
    }

    /// Said twice, or where nobody has to say it, it changes nothing.
    fn say_authorise(&self, now: Timestamp) -> Result<Step, Refusal> {
        let (session, state) = (self.session.id, self.session.state_name());
        match self.session.state {
            State::CardRead(authorise_by) if now < authorise_by => Ok(self.authorise(self.session.card.clone(), now)),
            State::Opened if self.rules().policy.authorise == Authorise::Auto => Ok(Step::none()),
            State::Opened | State::CardRead(_) | State::Cancelled(_) | State::Failed(_) => {
                Err(Refusal::NoCard { session, state })
            }
            State::Authorising(_)
            | State::InDoubt(_)
            | State::Held
            | State::Disposing
            | State::Uncertain(_)
            | State::Disposed(_)
            | State::Declined(_) => Ok(Step::none()),
        }
    }

    fn energy(&self, amount: Amount) -> Result<Step, Refusal> {
        if !self.session.awaits_decision() {
            return Err(self.no_hold_or_decided());
        }
        match self.session.energy {
            Some(energy) if amount < energy => Err(Refusal::AmountInvalid(format!(
                "the running total of energy never goes down: it is {energy}, and {amount} came"
            ))),
            Some(energy) if amount == energy => Ok(Step::none()),
            // Nothing delivered yet does not end the wait for the plug.
            None if amount.is_zero() => Ok(Step::none()),
            Some(_) | None => Ok(Step::append([Fact::EnergyReported { amount }])),
        }
    }

    fn ask_decision(&self, decision: Decision) -> Result<Step, Refusal> {
        if let Some(disposal) = &self.session.disposal {
            return if disposal.decision == decision { Ok(Step::none()) } else { Err(self.no_hold_or_decided()) };
        }
        let Some(hold) = self.session.hold.as_ref().filter(|_| self.session.awaits_decision()) else {
            return Err(self.no_hold_or_decided());
        };
        match decision {
            Decision::Commit(asked) if hold.amount.is_none_or(|held| asked > held) => {
                Err(Refusal::OverCommit { held: hold.amount.unwrap_or(Amount::ZERO), asked })
            }
            Decision::Commit(_) | Decision::Void => Ok(self.decide(decision, DecidedBy::Api)),
        }
    }

    /// Why nothing (else) can be decided about this session.
    pub(super) fn no_hold_or_decided(&self) -> Refusal {
        let session = self.session.id;
        let state = self.session.state_name();
        match (&self.session.disposal, &self.session.state) {
            (Some(disposal), _) => {
                let what = match disposal.decision {
                    Decision::Commit(amount) => format!("commit of {amount}"),
                    Decision::Void => "void".to_owned(),
                };
                Refusal::AlreadyDecided { session, decided: format!("{what} (it is {state})") }
            }
            (None, State::Disposed(_)) => Refusal::AlreadyDecided { session, decided: format!("it is {state}") },
            (None, _) => Refusal::NoHold { session, state },
        }
    }
}
