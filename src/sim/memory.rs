//! The sessions that a terminal remembers, in memory that outlives its power (assumption 2), and the dead-man timer of each.

use std::time::Duration;

use super::bank::{Bank, By, Change, Decision, Demand, HoldState, Question, Refusal};
use super::quirks::Quirks;
use crate::id::{SessionReference, TerminalId, TerminalSessionId};
use crate::money::Amount;
use crate::protocol::request::{Setup, TimeoutAction};
use crate::time::Timestamp;

/// A session that nobody has ended.
#[derive(Clone, Debug)]
struct OpenSession {
    id: TerminalSessionId,
    reference: SessionReference,
    amount: Amount,
    /// When the terminal ends it by itself, and how (PSP, Setup).
    dead_man: Option<(Timestamp, TimeoutAction)>,
}

/// What a terminal remembers.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    terminal: TerminalId,
    bank: Bank,
    open: Vec<OpenSession>,
    next_id: u32,
}

impl Memory {
    pub(super) const fn new(terminal: TerminalId, bank: Bank, first_id: u32) -> Self {
        Self { terminal, bank, open: Vec::new(), next_id: first_id }
    }

    /// Oldest first.
    pub(super) fn ids(&self) -> impl Iterator<Item = TerminalSessionId> {
        self.open.iter().map(|session| session.id)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn has_reference(&self, reference: SessionReference) -> bool {
        self.open.iter().any(|session| session.reference == reference)
    }

    /// A number for a new session (assumption 10): not reused, unless the terminal is one that does.
    /// `promised` have been taken for questions that are still on their way to the bank.
    pub(super) fn number(&mut self, reference: SessionReference, quirks: &Quirks, promised: &[u32]) -> TerminalSessionId {
        if quirks.id_is_reference {
            return TerminalSessionId(reference.0);
        }
        if quirks.reuse_ids {
            let free = |id: &u32| self.open.iter().all(|session| session.id.0 != *id) && !promised.contains(id);
            return TerminalSessionId((quirks.first_session_id..=u32::MAX).find(free).unwrap_or(u32::MAX));
        }
        let id = self.next_id;
        // 0 is nobody's.
        self.next_id = id.checked_add(1).unwrap_or(1);
        TerminalSessionId(id)
    }

    /// When the next timer ends.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.open.iter().filter_map(|session| session.dead_man.map(|(at, _)| at)).min()
    }

    pub(super) fn forget(&mut self) {
        self.open.clear();
    }

    /// Asks the bank for a hold, and remembers it. A hold keeps the Setup that was in force when it was made (assumption 4).
    pub(super) fn hold(&mut self, question: &Question<'_>, setup: Setup, quirks: &Quirks, at: Timestamp) -> Decision {
        let decision = self.bank.authorise(question, at);
        if let Decision::Held(amount) = decision {
            let (id, reference) = (question.session, question.reference);
            self.open.push(OpenSession { id, reference, amount, dead_man: dead_man(setup, quirks, at) });
        }
        decision
    }

    /// A new Setup counts for open sessions, too; only for terminals that do so.
    pub(super) fn rearm(&mut self, setup: Setup, quirks: &Quirks, now: Timestamp) {
        self.open.iter_mut().for_each(|session| session.dead_man = dead_man(setup, quirks, now));
    }

    /// The host commits, voids or updates; what an Update has changed.
    pub(super) fn meet(
        &mut self,
        id: TerminalSessionId,
        demand: Demand,
        quirks: &Quirks,
        now: Timestamp,
    ) -> Result<Option<Change>, Refusal> {
        let Some(index) = self.open.iter().position(|session| session.id == id) else {
            self.bank.note_refused(&self.terminal, id, demand, now);
            let done = quirks.repeat_is_ok && self.is_done(id, demand);
            return if done { Ok(None) } else { Err(Refusal::Ended) };
        };
        match demand {
            Demand::Commit(amount) => self.bank.capture(&self.terminal, id, amount, By::Host, now)?,
            Demand::Void => self.bank.release(&self.terminal, id, By::Host, now)?,
            Demand::Update(total) => {
                let change = self.bank.update(&self.terminal, id, total, now)?;
                if let (Decision::Held(amount), Some(session)) = (change.decision, self.open.get_mut(index)) {
                    session.amount = amount;
                }
                return Ok(Some(change));
            }
        }
        self.open.remove(index);
        Ok(None)
    }

    /// Gives everything back; only for terminals that do so.
    pub(super) fn void_all(&mut self, now: Timestamp) {
        for session in std::mem::take(&mut self.open) {
            if let Err(refusal) = self.bank.release(&self.terminal, session.id, By::Host, now) {
                tracing::warn!(terminal = %self.terminal, session = %session.id, %refusal, "the bank refused a removal");
            }
        }
    }

    /// The dead-man timer: commits the whole hold or gives it back, and deletes the session (PSP, Setup).
    pub(super) fn end_old(&mut self, now: Timestamp) {
        for session in std::mem::take(&mut self.open) {
            let Some((at, action)) = session.dead_man.filter(|(at, _)| *at <= now) else {
                self.open.push(session);
                continue;
            };
            let ended = match action {
                TimeoutAction::Commit => self.bank.capture(&self.terminal, session.id, session.amount, By::TerminalTimer, at),
                TimeoutAction::Void => self.bank.release(&self.terminal, session.id, By::TerminalTimer, at),
            };
            if let Err(refusal) = ended {
                tracing::warn!(terminal = %self.terminal, session = %session.id, %refusal, "the bank refused the terminal's timer");
            }
        }
    }

    fn is_done(&self, id: TerminalSessionId, demand: Demand) -> bool {
        match (self.bank.hold(&self.terminal, id).map(|hold| hold.state), demand) {
            (Some(HoldState::Captured { amount, .. }), Demand::Commit(asked)) => amount == asked,
            (Some(HoldState::Released { .. }), Demand::Void) => true,
            _ => false,
        }
    }
}

/// Assumption 4: 0 and the largest number mean never.
fn dead_man(setup: Setup, quirks: &Quirks, from: Timestamp) -> Option<(Timestamp, TimeoutAction)> {
    let ends = match setup.timeout_seconds {
        0 => quirks.zero_is_at_once,
        seconds => seconds != u32::MAX,
    };
    ends.then(|| (from.after(Duration::from_secs(u64::from(setup.timeout_seconds))), setup.action))
}
