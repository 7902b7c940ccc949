//! Everything about holds: questions on their way to the bank, and what the host decides about sessions.

use std::time::Duration;

use super::flow::{Asked, Flow, FlowStep};
use super::{INCORRECT_MESSAGE, NOT_SUPPORTED, Output, SimTerminal};
use crate::id::{SessionReference, TerminalSessionId};
use crate::money::Amount;
use crate::protocol::request::{Options, Setup, StartSession};
use crate::protocol::response::{AfterDecline, Reason, SessionList, UpdateOutcome, UpdateResult};
use crate::protocol::{Dol, Family, Response};
use crate::sim::bank::{Decision, Demand, Question, Refusal};
use crate::sim::card::SimCard;
use crate::sim::command::Command;
use crate::sim::wire;
use crate::time::Timestamp;

/// A question on its way to the bank. It arrives even when the flow that asked it is gone (assumption 8).
#[derive(Clone, Debug)]
pub(super) struct Underway {
    arrives: Timestamp,
    answers_after: Duration,
    session: TerminalSessionId,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// Auth Session.
    Hold { start: Box<StartSession>, card: SimCard, setup: Setup },
    /// Update Session, to this total; only the dialogue in which it was asked hears the answer.
    Update { total: Amount, dialogue: u32 },
}

impl Underway {
    pub(super) fn is_for(&self, reference: SessionReference) -> bool {
        matches!(&self.what, What::Hold { start, .. } if start.reference == reference)
    }

    pub(super) const fn next_tick(&self) -> Timestamp {
        self.arrives
    }
}

/// Questions and their answers.
impl SimTerminal {
    pub(super) fn ask_for_hold(&mut self, start: StartSession, card: SimCard, setup: Setup, now: Timestamp) {
        let policy = self.bank.policy(&card);
        let promised: Vec<u32> = self.underway.iter().map(|question| question.session.0).collect();
        let session = self.memory.number(start.reference, &self.quirks, &promised);
        let (arrives, answers_after) = (now.after(policy.reaches_after), policy.answers_after);
        self.underway.push(Underway {
            arrives,
            answers_after,
            session,
            what: What::Hold { start: Box::new(start), card, setup },
        });
    }

    pub(super) fn ask_for_update(&mut self, session: TerminalSessionId, total: Amount, now: Timestamp, out: &mut Vec<Output>) {
        if !self.quirks.updates {
            return self.refuse(Command::Update, NOT_SUPPORTED, out);
        }
        let policy = self.bank.policy_of(&self.id, session);
        let (arrives, answers_after) = (now.after(policy.reaches_after), policy.answers_after);
        self.underway.push(Underway { arrives, answers_after, session, what: What::Update { total, dialogue: self.dialogue } });
    }

    /// Whatever is due on the way to the bank and back.
    pub(super) fn reach_bank(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let underway = std::mem::take(&mut self.underway);
        let (arrived, underway): (Vec<_>, Vec<_>) = underway.into_iter().partition(|question| question.arrives <= now);
        self.underway = underway;
        for Underway { arrives, answers_after, session, what } in arrived {
            let answers_at = arrives.after(answers_after);
            match what {
                What::Hold { start, card, setup } => {
                    let response = self.hold(session, &start, &card, setup, arrives);
                    self.answer_auth(start.reference, session, answers_at, response);
                }
                What::Update { total, dialogue } => {
                    let response = self.update(session, total, arrives);
                    if dialogue == self.dialogue {
                        self.updated.push((answers_at, response));
                    }
                }
            }
        }
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.updated).into_iter().partition(|(at, _)| *at <= now);
        self.updated = later;
        due.into_iter().for_each(|(_, response)| self.say(response, Command::Update, out));
    }

    fn answer_auth(
        &mut self,
        reference: SessionReference,
        session: TerminalSessionId,
        answers_at: Timestamp,
        response: Response,
    ) {
        // The flow that asked may be gone, or be another one by now.
        if let Some(Flow { asked: Asked::Start(start), step: FlowStep::Asking { answer: answer @ None } }) = self.flow.as_mut()
            && start.reference == reference
        {
            *answer = Some((answers_at, response));
        } else {
            tracing::debug!(terminal = %self.id, %session, "the bank has answered, but nobody waits for it any more");
        }
    }

    fn hold(
        &mut self,
        session: TerminalSessionId,
        start: &StartSession,
        card: &SimCard,
        setup: Setup,
        at: Timestamp,
    ) -> Response {
        let asked = Question {
            terminal: &self.id,
            session,
            reference: start.reference,
            card,
            amount: start.amount,
            partial: self.family == Family::Apollo,
        };
        let held = match self.memory.hold(&asked, setup, &self.quirks, at) {
            Decision::Declined(reason) => return self.declined(reason, card, start),
            Decision::Held(held) => held,
        };
        let dol = if self.options.contains(Options::AUTHORIZATION_DOL) {
            wire::authorisation_dol(card, &start.dol, session)
        } else {
            Dol::default()
        };
        if held == start.amount {
            Response::Approved { session, dol }
        } else {
            Response::PartiallyApproved { session, amount: held, dol }
        }
    }

    /// PSP, Session Declined: a reason with option 0x08 only, data objects with option 0x10 only.
    fn declined(&self, reason: u8, card: &SimCard, start: &StartSession) -> Response {
        let rest = if self.options.contains(Options::DECLINED_DOL) {
            AfterDecline::Objects(wire::card_dol(card, &start.dol))
        } else {
            AfterDecline::Nothing
        };
        Response::Declined { reason: self.style.detailed.then_some(reason), rest }
    }

    fn update(&mut self, session: TerminalSessionId, total: Amount, at: Timestamp) -> Response {
        let change = match self.memory.meet(session, Demand::Update(total), &self.quirks, at) {
            Ok(Some(change)) => change,
            // PSP names no answer for these; a Result can be one to everything.
            Err(Refusal::Amount) => return self.not_ok(INCORRECT_MESSAGE),
            Ok(None) | Err(Refusal::Unknown | Refusal::Ended) => return self.not_ok(Reason::SESSION_NOT_FOUND),
        };
        let (outcome, amount, reason) = match change.decision {
            Decision::Held(amount) if amount == total => (UpdateOutcome::Approved, amount, 0x00),
            Decision::Held(amount) => (UpdateOutcome::Partly, amount, 0x00),
            Decision::Declined(reason) => (UpdateOutcome::Declined, change.before, reason),
        };
        let change = amount.minor().abs_diff(change.before.minor());
        Response::UpdateResult(UpdateResult { outcome, session, amount, change, reason })
    }
}

/// What the host decides.
impl SimTerminal {
    pub(super) fn dispose(&mut self, id: TerminalSessionId, demand: Demand, now: Timestamp, out: &mut Vec<Output>) {
        let command = if demand == Demand::Void { Command::Void } else { Command::Commit };
        match self.memory.meet(id, demand, &self.quirks, now) {
            Ok(_) => self.ok(command, out),
            Err(Refusal::Amount) => self.refuse(command, INCORRECT_MESSAGE, out),
            Err(Refusal::Unknown | Refusal::Ended) => self.refuse(command, Reason::SESSION_NOT_FOUND, out),
        }
    }

    pub(super) fn list_sessions(&self, offset: u8, out: &mut Vec<Output>) {
        let total = u8::try_from(self.memory.len()).unwrap_or(u8::MAX);
        let page = self.memory.ids().skip(usize::from(offset));
        let sessions = page.take(self.quirks.sessions_per_page).collect();
        self.say(Response::SessionList(SessionList { total, sessions }), Command::ListSessions, out);
    }

    /// Assumption 11: it only forgets; the bank keeps the holds.
    pub(super) fn remove_sessions(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        if self.quirks.remove_voids {
            self.memory.void_all(now);
        }
        self.memory.forget();
        self.ok(Command::RemoveSessions, out);
    }
}
