//! All sessions together. Replaying a journal gives every session as it is, and the balance that must always hold:
//! approved = disposed + undisposed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::id::{SessionId, TerminalId};
use crate::journal::Record;
use crate::journal::record::{Fact, Origin, Outcome};
use crate::money::{Amount, Currency};
use crate::time::Timestamp;

use super::state::{Illegal, Session, State};

/// Every session of a journal, and what they add up to.
#[derive(Debug, Default)]
pub struct Ledger {
    sessions: BTreeMap<SessionId, Session>,
    draining: BTreeMap<TerminalId, bool>,
    configured: BTreeMap<TerminalId, Vec<(Timestamp, Value)>>,
    movements: BTreeMap<TerminalId, Movements>,
}

/// How many holds a terminal has ever had, or may have had, and how many of them are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Movements {
    /// Came to be.
    pub entered: u64,
    /// Are gone.
    pub left: u64,
}

impl Movements {
    /// One more record's worth.
    pub fn count(&mut self, movement: Movement) {
        match movement {
            Movement::Enters => self.entered = self.entered.saturating_add(1),
            Movement::Leaves => self.left = self.left.saturating_add(1),
            Movement::Stays => {}
        }
    }
}

/// A record that cannot follow from the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq}: {why}")]
pub struct Unsound {
    /// Which record.
    pub seq: u64,
    /// Why.
    pub why: Illegal,
}

/// What a journal's sessions add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Totals {
    /// Sessions in all.
    pub sessions: u64,
    /// Holds that exist or existed, or may.
    pub approved: u64,
    /// Holds that are gone.
    pub disposed: u64,
    /// Holds that are there, or may be.
    pub undisposed: u64,
    /// Minor units taken.
    pub committed_minor: u64,
}

impl Totals {
    /// approved − disposed − undisposed: always 0.
    pub fn imbalance(&self) -> i64 {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        signed(self.approved).saturating_sub(signed(self.disposed)).saturating_sub(signed(self.undisposed))
    }
}

/// What one record does to the balance: a hold comes to be (or may), a hold goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// A hold exists or may exist from now on.
    Enters,
    /// It does not any more.
    Leaves,
    /// Neither.
    Stays,
}

/// What a change of a session does to the balance; counted from its facts, so that it can be held against its states.
pub fn movement(before: Option<&Session>, fact: &Fact) -> Movement {
    let in_doubt_or_authorising =
        matches!(before.map(|session| &session.state), Some(State::InDoubt(_) | State::Authorising(_)));
    match fact {
        Fact::AuthoriseIntended { .. } | Fact::AuthoriseUnsure { .. } => Movement::Enters,
        Fact::HoldPlaced { .. } if !in_doubt_or_authorising => Movement::Enters,
        Fact::Disposed { .. } | Fact::Resolved { .. } => Movement::Leaves,
        Fact::Declined { .. } | Fact::Cancelled { .. } | Fact::Failed { .. } if in_doubt_or_authorising => Movement::Leaves,
        _ => Movement::Stays,
    }
}

impl Ledger {
    /// Takes in one more record; what is not about sessions passes.
    pub fn take(&mut self, record: &Record) -> Result<(), Unsound> {
        let entry = &record.entry;
        let unsound = |why| Unsound { seq: record.seq, why };
        match (&entry.fact, &entry.terminal) {
            (Fact::Drained { .. }, Some(terminal)) => drop(self.draining.insert(terminal.clone(), true)),
            (Fact::Resumed { .. }, Some(terminal)) => drop(self.draining.insert(terminal.clone(), false)),
            (Fact::Configured { settings }, Some(terminal)) => {
                self.configured.entry(terminal.clone()).or_default().push((entry.at, settings.clone()));
            }
            _ => {}
        }
        let Some(id) = entry.session else { return Ok(()) };
        if let Fact::NumberReused { by: other, .. } | Fact::NumberShared { with: other } = &entry.fact {
            self.may_have_number(id, *other, entry.fact.kind()).map_err(unsound)?;
        }
        let before = self.sessions.get(&id);
        let movement = movement(before, &entry.fact);
        let session = match before {
            None => Session::opened(entry),
            Some(session) => session.after(entry),
        }
        .map_err(unsound)?;
        self.sessions.insert(id, session);
        if let Some(terminal) = &entry.terminal {
            self.movements.entry(terminal.clone()).or_default().count(movement);
        }
        Ok(())
    }

    /// Takes in a record that does not follow, as far as it can be believed all the same (`gap`); says whether it can. Facts
    /// are missing, so the balance follows the states.
    pub(super) fn take_across_gap(&mut self, record: &Record, site: Currency) -> bool {
        let entry = &record.entry;
        let (Some(id), Some(terminal)) = (entry.session, &entry.terminal) else { return false };
        let before = self.sessions.get(&id);
        let after = match before {
            None => Session::without_opening(entry, site),
            Some(session) => session.across_gap(entry),
        };
        let Some(session) = after else { return false };
        let (had, gone) = (before.is_some_and(Session::undisposed), matches!(session.state, State::Disposed(_)));
        let movements = self.movements.entry(terminal.clone()).or_default();
        if !had && (session.undisposed() || gone) {
            movements.count(Movement::Enters);
        }
        if gone || had && session.ended() {
            movements.count(Movement::Leaves);
        }
        self.sessions.insert(id, session);
        true
    }

    /// A record that is lost may have said that this session's Auth was sent.
    pub(super) fn doubt(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.past_unsure = true;
        }
    }

    /// One of the sessions.
    pub(super) fn session_of(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// A number can only have been given to a session of the same terminal that has asked the bank, or found it in the terminal's list.
    fn may_have_number(&self, id: SessionId, by: SessionId, fact: &'static str) -> Result<(), Illegal> {
        let terminal = self.sessions.get(&id).map(|session| &session.terminal);
        let other = self.sessions.get(&by).filter(|other| Some(&other.terminal) == terminal);
        match other.filter(|other| other.asked_bank_at.is_some() || other.origin == Origin::Orphan) {
            Some(_) => Ok(()),
            None => Err(Illegal::Disagrees { fact, why: "the other session has asked for no hold there" }),
        }
    }

    /// Replays records; stops at the first that cannot follow.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Self, Unsound> {
        let mut ledger = Self::default();
        for record in records {
            ledger.take(record)?;
        }
        Ok(ledger)
    }

    /// One session from its own records; none when there are none. What it has to do with others can only be seen in the whole journal, and
    /// was seen when that was replayed.
    pub fn session<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Option<Session>, Unsound> {
        records.into_iter().try_fold(None, |session: Option<Session>, record| {
            let next = match session {
                None => Session::opened(&record.entry),
                Some(session) => session.after(&record.entry),
            };
            next.map(Some).map_err(|why| Unsound { seq: record.seq, why })
        })
    }

    /// The sessions, oldest first.
    pub fn sessions(&self) -> impl DoubleEndedIterator<Item = &Session> {
        self.sessions.values()
    }

    /// Takes the sessions out, oldest first.
    pub fn into_sessions(self) -> impl Iterator<Item = Session> {
        self.sessions.into_values()
    }

    /// Terminals that somebody has told to take no new card flows.
    pub fn drained(&self) -> impl Iterator<Item = &TerminalId> {
        self.draining.iter().filter(|(_, draining)| **draining).map(|(terminal, _)| terminal)
    }

    /// How each terminal was configured, and since when; oldest first.
    pub fn configured(&self) -> &BTreeMap<TerminalId, Vec<(Timestamp, Value)>> {
        &self.configured
    }

    /// What has come and gone on one terminal.
    pub fn movements(&self, terminal: &TerminalId) -> Movements {
        self.movements.get(terminal).copied().unwrap_or_default()
    }

    /// What they add up to. `approved` and `disposed` are counted from facts, `undisposed` from states.
    pub fn totals(&self) -> Totals {
        let committed = |session: &Session| match session.state {
            State::Disposed(Outcome::Committed(amount)) => u64::from(Amount::minor(amount)),
            _ => 0,
        };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Totals {
            sessions: count(self.sessions.len()),
            approved: self.movements.values().map(|movements| movements.entered).fold(0, u64::saturating_add),
            disposed: self.movements.values().map(|movements| movements.left).fold(0, u64::saturating_add),
            undisposed: count(self.sessions.values().filter(|session| session.undisposed()).count()),
            committed_minor: self.sessions.values().map(committed).fold(0, u64::saturating_add),
        }
    }
}
