//! The bank behind the simulated terminals: what is really reserved and really taken. It is the truth that tests compare
//! with, so it forgets nothing and believes nobody: a terminal may lose its sessions, the bank keeps the holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::card::SimCard;
use super::ledger::{Ledger, Sum, Updated};
use super::policy::{BankVerdict, Policy};
use super::violation::{Violation, ViolationKind};
use crate::card::CardHash;
use crate::id::{SessionReference, TerminalId, TerminalSessionId};
use crate::money::Amount;
use crate::time::Timestamp;

/// PSP, Session Declined.
const INSUFFICIENT_FUNDS: u8 = 0x09;

/// The bank. Copies are the same bank.
#[derive(Clone, Debug, Default)]
pub struct Bank(Arc<Mutex<Books>>);

/// A hold, from its approval on for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Where the card was presented.
    pub terminal: TerminalId,
    /// The terminal's number of the session.
    pub session: TerminalSessionId,
    /// The number that came with Start Session.
    pub reference: SessionReference,
    /// The first characters of the card's hash.
    pub card: String,
    /// How much is held, or was when it ended; an Update may have changed it.
    pub amount: Amount,
    /// When it was approved.
    pub approved_at: Timestamp,
    /// What has become of it.
    pub state: HoldState,
}

/// What has become of a hold.
///
/// ```text
///   Held ──capture──► Captured
///     └────release──► Released          both are ends: nothing leaves them
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// Money is reserved.
    Held,
    /// Money was taken.
    Captured {
        /// How much.
        amount: Amount,
        /// On whose behalf.
        by: By,
        /// When.
        at: Timestamp,
    },
    /// The hold was given back.
    Released {
        /// On whose behalf.
        by: By,
        /// When.
        at: Timestamp,
    },
}

/// Who ended a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The host, by Commit or Void.
    Host,
    /// The terminal's own timer (PSP, Setup).
    TerminalTimer,
}

/// What a host asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// Commit of an amount.
    Commit(Amount),
    /// Void.
    Void,
    /// Update to a new total.
    Update(Amount),
}

/// A terminal's question to the bank.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Where the card is.
    pub terminal: &'a TerminalId,
    /// The number that the session will have if there is a hold.
    pub session: TerminalSessionId,
    /// The host's number.
    pub reference: SessionReference,
    /// The card.
    pub card: &'a SimCard,
    /// How much is to be held.
    pub amount: Amount,
    /// Whether the terminal can take less than it asks for (PSP, Session Partially Approved: Apollo only).
    pub partial: bool,
}

/// The bank's answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This much is held now; may be less than asked.
    Held(Amount),
    /// Nothing is held, for this reason.
    Declined(u8),
}

/// What the bank made of an Update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// How much was held before.
    pub before: Amount,
    /// How much is held now, or why that is as much as before.
    pub decision: Decision,
}

/// Why the bank did not do what a terminal asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It never made such a hold.
    #[error("no hold of this terminal has this number")]
    Unknown,
    /// It has ended already.
    #[error("the hold has ended already")]
    Ended,
    /// Above the hold, or nothing at all.
    #[error("the amount is zero or above the hold")]
    Amount,
}

#[derive(Debug)]
struct Books {
    holds: Vec<Hold>,
    /// The card of each hold, in the same order.
    cards: Vec<CardHash>,
    /// The newest hold of each number: a terminal may give a number twice (assumption 10).
    newest: HashMap<(TerminalId, TerminalSessionId), usize>,
    policies: HashMap<CardHash, Policy>,
    default_policy: Policy,
    approved: Sum,
    updated: Updated,
    declined: u64,
    repeats: u64,
    violations: Vec<Violation>,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            holds: Vec::new(),
            cards: Vec::new(),
            newest: HashMap::new(),
            policies: HashMap::new(),
            default_policy: Policy::APPROVE,
            approved: Sum::default(),
            updated: Updated::default(),
            declined: 0,
            repeats: 0,
            violations: Vec::new(),
        }
    }
}

impl Bank {
    /// A bank that approves every card and has no history.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on treats this card so.
    pub fn set_policy(&self, card: &SimCard, policy: Policy) {
        self.books().policies.insert(card.hash().clone(), policy);
    }

    /// From now on treats every other card so.
    pub fn set_default_policy(&self, policy: Policy) {
        self.books().default_policy = policy;
    }

    /// How this card is treated.
    pub fn policy(&self, card: &SimCard) -> Policy {
        self.books().policy(card.hash())
    }

    /// How the card of this hold is treated.
    pub(super) fn policy_of(&self, terminal: &TerminalId, session: TerminalSessionId) -> Policy {
        let books = self.books();
        let card = books.find(terminal, session).and_then(|index| books.cards.get(index));
        card.map_or(books.default_policy, |card| books.policy(card))
    }

    /// Every hold that there ever was, in the order of their approvals.
    pub fn holds(&self) -> Vec<Hold> {
        self.books().holds.clone()
    }

    /// The newest hold of this number.
    pub fn hold(&self, terminal: &TerminalId, session: TerminalSessionId) -> Option<Hold> {
        let books = self.books();
        books.find(terminal, session).and_then(|index| books.holds.get(index).cloned())
    }

    /// The holds of a terminal that nobody has ended.
    pub fn open_holds(&self, terminal: &TerminalId) -> Vec<Hold> {
        let open = |hold: &&Hold| hold.terminal == *terminal && hold.state == HoldState::Held;
        self.books().holds.iter().filter(open).cloned().collect()
    }

    /// What must never have happened, but did.
    pub fn violations(&self) -> Vec<Violation> {
        self.books().violations.clone()
    }

    /// The sums.
    pub fn ledger(&self) -> Ledger {
        let books = self.books();
        let open = Ledger { approved: books.approved, updated: books.updated, ..Ledger::default() };
        Ledger { declined: books.declined, repeats: books.repeats, violations: books.violations.clone(), ..open }
            .with(&books.holds)
    }

    /// A terminal asks for a hold.
    pub fn authorise(&self, question: &Question<'_>, at: Timestamp) -> Decision {
        let mut books = self.books();
        let amount = match books.policy(question.card.hash()).verdict {
            BankVerdict::Approve => question.amount,
            BankVerdict::Partial(most) if question.partial || question.amount <= most => question.amount.min(most),
            BankVerdict::Partial(_) => return books.decline(INSUFFICIENT_FUNDS),
            BankVerdict::Decline(reason) => return books.decline(reason),
        };
        let index = books.holds.len();
        books.holds.push(Hold {
            terminal: question.terminal.clone(),
            session: question.session,
            reference: question.reference,
            card: question.card.hash().short().to_owned(),
            amount,
            approved_at: at,
            state: HoldState::Held,
        });
        books.cards.push(question.card.hash().clone());
        books.newest.insert((question.terminal.clone(), question.session), index);
        books.approved.add(amount);
        Decision::Held(amount)
    }

    /// A terminal takes an amount from a hold.
    pub fn capture(
        &self,
        terminal: &TerminalId,
        session: TerminalSessionId,
        amount: Amount,
        by: By,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let mut books = self.books();
        let index = books.find(terminal, session).ok_or(Refusal::Unknown)?;
        let hold = books.holds.get_mut(index).ok_or(Refusal::Unknown)?;
        let kind = match hold.state {
            HoldState::Held if amount.is_zero() || amount > hold.amount => {
                ViolationKind::AmountOutOfHold { held: hold.amount, asked: amount }
            }
            HoldState::Held => {
                hold.state = HoldState::Captured { amount, by, at };
                return Ok(());
            }
            HoldState::Captured { .. } => ViolationKind::DoubleCapture,
            HoldState::Released { .. } => ViolationKind::SecondDecision(Demand::Commit(amount)),
        };
        books.violations.push(Violation { terminal: terminal.clone(), session, at, kind });
        Err(if matches!(kind, ViolationKind::AmountOutOfHold { .. }) { Refusal::Amount } else { Refusal::Ended })
    }

    /// A terminal gives a hold back.
    pub fn release(&self, terminal: &TerminalId, session: TerminalSessionId, by: By, at: Timestamp) -> Result<(), Refusal> {
        let mut books = self.books();
        let index = books.find(terminal, session).ok_or(Refusal::Unknown)?;
        let hold = books.holds.get_mut(index).ok_or(Refusal::Unknown)?;
        match hold.state {
            HoldState::Held => {
                hold.state = HoldState::Released { by, at };
                Ok(())
            }
            HoldState::Released { .. } => Err(Refusal::Ended),
            HoldState::Captured { .. } => {
                let kind = ViolationKind::SecondDecision(Demand::Void);
                books.violations.push(Violation { terminal: terminal.clone(), session, at, kind });
                Err(Refusal::Ended)
            }
        }
    }

    /// A terminal asks for another total of a hold.
    pub fn update(
        &self,
        terminal: &TerminalId,
        session: TerminalSessionId,
        total: Amount,
        at: Timestamp,
    ) -> Result<Change, Refusal> {
        let mut books = self.books();
        let index = books.find(terminal, session).ok_or(Refusal::Unknown)?;
        let card = books.cards.get(index).ok_or(Refusal::Unknown)?;
        let verdict = books.policy(card).update;
        let hold = books.holds.get_mut(index).ok_or(Refusal::Unknown)?;
        let before = hold.amount;
        let violation = |kind| Violation { terminal: terminal.clone(), session, at, kind };
        if hold.state != HoldState::Held {
            books.violations.push(violation(ViolationKind::SecondDecision(Demand::Update(total))));
            return Err(Refusal::Ended);
        }
        if total.is_zero() {
            books.violations.push(violation(ViolationKind::AmountOutOfHold { held: before, asked: total }));
            return Err(Refusal::Amount);
        }
        let after = match verdict {
            BankVerdict::Approve => total,
            // Whoever has too little for more may have less all the same.
            BankVerdict::Partial(most) if total <= most.max(before) => total,
            BankVerdict::Partial(most) if most > before => most,
            BankVerdict::Partial(_) => return Ok(Change { before, decision: Decision::Declined(INSUFFICIENT_FUNDS) }),
            BankVerdict::Decline(reason) => return Ok(Change { before, decision: Decision::Declined(reason) }),
        };
        hold.amount = after;
        books.updated.note(before, after);
        Ok(Change { before, decision: Decision::Held(after) })
    }

    /// A terminal has refused a demand since it has no such session. Nothing moves; but the bank notes whether the host only
    /// repeated itself or changed its mind.
    pub fn note_refused(&self, terminal: &TerminalId, session: TerminalSessionId, demand: Demand, at: Timestamp) {
        let mut books = self.books();
        let Some(state) = books.find(terminal, session).and_then(|index| books.holds.get(index)).map(|hold| hold.state) else {
            return;
        };
        let changed = match (state, demand) {
            // The terminal's timer was faster: the host could not know.
            (HoldState::Captured { by: By::TerminalTimer, .. } | HoldState::Released { by: By::TerminalTimer, .. }, _) => false,
            (HoldState::Captured { amount, by: By::Host, .. }, Demand::Commit(asked)) => amount != asked,
            (HoldState::Captured { by: By::Host, .. }, Demand::Void | Demand::Update(_)) => true,
            (HoldState::Released { by: By::Host, .. }, Demand::Commit(_) | Demand::Update(_)) => true,
            (HoldState::Released { by: By::Host, .. }, Demand::Void) => false,
            // The terminal has forgotten it; the bank has not.
            (HoldState::Held, _) => false,
        };
        if changed {
            let kind = ViolationKind::SecondDecision(demand);
            books.violations.push(Violation { terminal: terminal.clone(), session, at, kind });
        } else {
            books.repeats += 1;
        }
    }

    /// A poisoned lock means that a test has panicked while it held the books; they are whole at every moment all the same.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn policy(&self, card: &CardHash) -> Policy {
        self.policies.get(card).copied().unwrap_or(self.default_policy)
    }

    fn decline(&mut self, reason: u8) -> Decision {
        self.declined += 1;
        Decision::Declined(reason)
    }

    fn find(&self, terminal: &TerminalId, session: TerminalSessionId) -> Option<usize> {
        self.newest.get(&(terminal.clone(), session)).copied()
    }
}
