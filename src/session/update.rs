//! Raising or lowering a hold (PSP, Update Session; Apollo only). An answer may be lost, and the terminal cannot be asked how much it
//! holds; so from the intent on only what is held either way counts as held, until the terminal has said how much it is.
//!
//! ```text
//!   held ──Update asked for──► the least of old and new ──approved, partly──────────► what the terminal says
//!                                  │     ▲                 ──declined, refused, unsent──► as before
//!                                  │     └─asked again, by whoever wants it
//!                                  └──unanswered──► the least, and at most the greatest, of all that it may be
//! ```

use crate::id::TerminalSessionId;
use crate::journal::Fact;
use crate::journal::record::Cause;
use crate::link;
use crate::money::Amount;
use crate::protocol::message::RequestKind;
use crate::protocol::response::{Response, UpdateOutcome, UpdateResult, Verdict};

use super::machine::{Effect, Errand, Machine, Step};
use super::refusal::Refusal;
use super::state::{Illegal, Session, State};

/// The last wish to raise or lower the hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// The new total that was asked for.
    pub asked: Amount,
    /// What was surely held before.
    pub before: Amount,
    /// What was held at most before, if that was not sure.
    pub before_at_most: Option<Amount>,
    /// What is held at most now, if that is not sure.
    pub at_most: Option<Amount>,
    /// What came of it; none while it is under way.
    pub answer: Option<Answer>,
}

/// What came of a wish to raise or lower a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The hold is what was asked for.
    Approved,
    /// The hold was changed, but not by as much.
    Partly,
    /// The bank has said no, with its reason if there is one (PSP, Session Declined). The hold is as before.
    Declined(Option<u8>),
    /// The terminal has said Not OK, with its reason if it gives any. The hold is as before.
    Refused(Option<u8>),
    /// It never left. The hold is as before.
    Unsent,
    /// No answer came, so nobody knows how much is held.
    Unanswered(Cause),
}

impl Session {
    /// The hold is being raised or lowered.
    pub fn updating(&self) -> bool {
        self.update.is_some_and(|update| update.answer.is_none())
    }

    /// How much is held at most, if it is not known how much is held.
    pub fn held_at_most(&self) -> Option<Amount> {
        self.update.and_then(|update| update.at_most)
    }

    pub(super) fn begin_update(&mut self, asked: Amount) -> Result<(), Illegal> {
        const FACT: &str = "update_intended";
        if self.updating() {
            return Err(Illegal::Disagrees { fact: FACT, why: "another one is under way" });
        }
        if asked.is_zero() {
            return Err(Illegal::Disagrees { fact: FACT, why: "a hold of nothing is none" });
        }
        let before_at_most = self.held_at_most();
        let Some(held) = self.hold.as_mut().and_then(|hold| hold.amount.as_mut()) else {
            return Err(Illegal::Disagrees { fact: FACT, why: "nobody knows how much is held" });
        };
        let before = *held;
        *held = before.min(asked);
        let at_most = before_at_most.unwrap_or(before).max(asked);
        self.update = Some(Update { asked, before, before_at_most, at_most: Some(at_most), answer: None });
        Ok(())
    }

    pub(super) fn end_update(&mut self, fact: &Fact) -> Result<(), Illegal> {
        let kind = fact.kind();
        let (Some(held), Some(update)) = (
            self.hold.as_mut().and_then(|hold| hold.amount.as_mut()),
            self.update.as_mut().filter(|update| update.answer.is_none()),
        ) else {
            return Err(Illegal::Disagrees { fact: kind, why: "nothing was asked for" });
        };
        let answer = match fact {
            Fact::HoldUpdated { amount } => {
                if *amount < *held || update.at_most.is_some_and(|most| *amount > most) {
                    return Err(Illegal::Disagrees {
                        fact: kind,
                        why: "it is not between what was held and what was asked for",
                    });
                }
                *held = *amount;
                update.at_most = None;
                if *amount == update.asked { Answer::Approved } else { Answer::Partly }
            }
            Fact::UpdateUnanswered { cause } => Answer::Unanswered(*cause),
            Fact::UpdateRefused { declined: true, reason } => Answer::Declined(*reason),
            Fact::UpdateRefused { declined: false, reason } => Answer::Refused(*reason),
            Fact::UpdateUnsent => Answer::Unsent,
            _ => return Err(Illegal::Disagrees { fact: kind, why: "it is no answer to an update" }),
        };
        if matches!(answer, Answer::Declined(_) | Answer::Refused(_) | Answer::Unsent) {
            *held = update.before;
            update.at_most = update.before_at_most;
        }
        update.answer = Some(answer);
        Ok(())
    }
}

impl Machine {
    /// Somebody wants the hold to be raised or lowered to a new total.
    pub(super) fn ask_update(&self, amount: Amount) -> Result<Step, Refusal> {
        let session = &self.session;
        if !RequestKind::UpdateSession.known_to(self.rules().family) {
            let family = self.rules().family.as_str();
            return Err(Refusal::NotSupported(format!("a hold on a terminal of family {family} cannot be raised or lowered")));
        }
        let (State::Held, Some(held)) = (&session.state, session.hold.as_ref().and_then(|hold| hold.amount)) else {
            return Err(self.no_hold_or_decided());
        };
        self.legal_total(amount)?;
        if let Some(update) = session.update.filter(|_| session.updating()) {
            let (session, under_way) = (session.id, update.asked);
            return if under_way == amount { Ok(Step::none()) } else { Err(Refusal::UpdateUnderWay { session, under_way }) };
        }
        if held == amount && session.held_at_most().is_none() {
            return Ok(Step::none());
        }
        if !self.ready() || self.errand() != Errand::Idle {
            let why = "its link is not set up; a hold is raised or lowered at once or not at all".to_owned();
            return Err(Refusal::TerminalNotReady { terminal: session.terminal.clone(), why });
        }
        Ok(Step::append([Fact::UpdateIntended { amount }]).then(Effect::AskUpdateTurn).busy_with(Errand::Turn))
    }

    fn legal_total(&self, amount: Amount) -> Result<(), Refusal> {
        let max_hold = self.rules().policy.max_hold;
        if amount.is_zero() || amount > max_hold {
            let why = format!("a hold is between 1 and {max_hold} minor units here (policy.max_hold), but this is {amount}");
            return Err(Refusal::AmountInvalid(why));
        }
        // What has been delivered could not be taken any more.
        match self.session.energy {
            Some(energy) if amount < energy => Err(Refusal::AmountInvalid(format!(
                "energy for {energy} has been delivered, so the hold cannot be lowered to {amount}"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// The update waits for the command lane and has not left.
    pub(super) fn update_waits(&self) -> bool {
        // Idle when its turn was forgotten, since an append of another step failed.
        self.session.updating() && matches!(self.errand(), Errand::Turn | Errand::Idle)
    }

    /// The turn is the update's. Its intent is durable since it was asked for.
    pub(super) fn send_update(&self) -> Step {
        let (Some(hold), Some(update)) = (&self.session.hold, &self.session.update) else { return Step::none() };
        let (session, amount) = (hold.terminal_session_id, update.asked);
        Step::none().then(Effect::Update { session, amount }).busy_with(Errand::Update)
    }

    /// The exchange has ended.
    pub(super) fn updated(&self, outcome: link::Outcome) -> Step {
        // A person may have settled the session meanwhile.
        let open = self.session.updating() && !self.session.ended();
        let (Some(hold), true) = (&self.session.hold, open) else {
            return self.no_longer(Errand::Update);
        };
        let step = match outcome {
            // Whose hold it was, nobody knows.
            link::Outcome::Answered(_) if self.session.number_reused() => {
                Step::append([Fact::UpdateUnanswered { cause: Cause::Resynchronised }])
            }
            link::Outcome::Answered(Response::UpdateResult(result)) => match self.told(&result, hold.terminal_session_id) {
                Some(fact) => Step::append([fact]),
                None => nonsense(),
            },
            link::Outcome::Answered(Response::Result(Verdict::NotOk(reason))) => {
                Step::append([Fact::UpdateRefused { declined: false, reason: reason.map(|reason| reason.0) }])
            }
            link::Outcome::Unsent => Step::append([Fact::UpdateUnsent]),
            link::Outcome::Unanswered(cause) => Step::append([Fact::UpdateUnanswered { cause }]),
            link::Outcome::Answered(_) | link::Outcome::FlowEnded => nonsense(),
        };
        step.busy_with(Errand::Idle)
    }

    /// What the terminal says, if it says it of this session and of an amount that can be (G5, G4).
    fn told(&self, result: &UpdateResult, ours: TerminalSessionId) -> Option<Fact> {
        let update = self.session.update.filter(|_| result.session == ours)?;
        let least = update.before.min(update.asked);
        let fact = match result.outcome {
            UpdateOutcome::Approved => Fact::HoldUpdated { amount: result.amount.min(update.asked) },
            UpdateOutcome::Partly => Fact::HoldUpdated { amount: result.amount },
            UpdateOutcome::Declined => {
                return Some(Fact::UpdateRefused { declined: true, reason: Some(result.reason).filter(|reason| *reason != 0) });
            }
        };
        let can_be = least..=update.at_most.unwrap_or(least);
        match fact {
            Fact::HoldUpdated { amount } if can_be.contains(&amount) => Some(fact),
            _ => None,
        }
    }
}

/// An answer that is none of ours: how much is held is not known, and the terminal is set up again.
fn nonsense() -> Step {
    Step::append([Fact::UpdateUnanswered { cause: Cause::Resynchronised }])
        .then(Effect::SetUpAgain("the answer to an update was none"))
}
