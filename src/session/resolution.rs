//! How a session ended, as a person says: one is enough, or two must say the same (`api.resolve_requires_two`). A person may speak
//! when the program cannot find out, or has tried for so long that the session counts as overdue:
//!
//! ```text
//!   uncertain                       at once
//!   commit or void is decided       ten minutes after the decision, whether the terminal refuses, is silent or is gone
//!   in doubt                        ten minutes after Auth; a P6X that is there has told by then
//!   anything else                   never: what is held can be committed or voided, and what has ended stays as it is
//! ```
//!
//! While an attempt is under way nobody may: its answer goes before a person's word. So it does while a proposal waits, which
//! then is void. What a terminal still lists was not committed, whatever somebody says.

use crate::journal::Fact;
use crate::journal::record::{ConfirmedBy, Outcome};
use crate::time::Timestamp;

use super::disposal::CONFIRMATION_EXPECTED_WITHIN;
use super::machine::{Machine, Step};
use super::refusal::Refusal;
use super::state::{Illegal, Session, State};

/// What a person says of a session's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// How it ended.
    pub outcome: Outcome,
    /// Whose token it was.
    pub by: String,
    /// The person's words.
    pub note: String,
    /// When it was said.
    pub at: Timestamp,
    /// Who has said the same, if it needed two.
    pub confirmed: Option<Confirmation>,
}

/// A second person has said the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// Whose token it was.
    pub by: String,
    /// The person's words.
    pub note: String,
    /// When it was said.
    pub at: Timestamp,
}

impl Session {
    /// From when on a person may settle it; none when nobody may. What is uncertain may be settled at once, whatever the clock says.
    pub fn stuck_from(&self) -> Option<Timestamp> {
        let long_after = |at: Timestamp| at.after(CONFIRMATION_EXPECTED_WITHIN);
        match &self.state {
            State::Uncertain(_) => Some(Timestamp::from_unix_millis(0)),
            State::InDoubt(_) => self.asked_bank_at.map(long_after),
            State::Disposing => self.disposal.as_ref().map(|disposal| long_after(disposal.decided_at)),
            State::Opened
            | State::CardRead(_)
            | State::Authorising(_)
            | State::Held
            | State::Disposed(_)
            | State::Declined(_)
            | State::Cancelled(_)
            | State::Failed(_) => None,
        }
    }

    fn under_way(&self) -> bool {
        self.disposal.as_ref().is_some_and(|disposal| disposal.under_way)
    }

    /// Takes in what a person has said.
    pub(super) fn resolve(&mut self, fact: &Fact, at: Timestamp) -> Result<(), Illegal> {
        let kind = fact.kind();
        if self.stuck_from().is_none_or(|from| at < from) {
            return Err(Illegal::Order { fact: kind, state: self.state_name() });
        }
        match fact {
            Fact::ResolutionProposed { outcome, note, by } => {
                self.within_hold(kind, *outcome)?;
                if self.resolution.as_ref().is_some_and(|proposed| proposed.by != *by) {
                    return Err(Illegal::Disagrees { fact: kind, why: "another person has proposed something" });
                }
                let (by, note) = (by.clone(), note.clone());
                self.resolution = Some(Resolution { outcome: *outcome, by, note, at, confirmed: None });
            }
            Fact::ResolutionWithdrawn { .. } => {
                if self.resolution.take().is_none() {
                    return Err(Illegal::Disagrees { fact: kind, why: "nothing was proposed" });
                }
            }
            Fact::Resolved { outcome, note, by, proposed_by } => {
                self.within_hold(kind, *outcome)?;
                // There are journals in which an uncertain one was settled beside an attempt, and they are sound.
                if self.under_way() && !matches!(self.state, State::Uncertain(_)) {
                    return Err(Illegal::Disagrees { fact: kind, why: "the terminal is just being asked" });
                }
                self.resolution = Some(self.settled(*outcome, note, by, proposed_by.as_deref(), at)?);
                if let Some(disposal) = &mut self.disposal {
                    disposal.under_way = false;
                    disposal.confirmed_by = Some(ConfirmedBy::Person);
                }
                self.state = State::Disposed(*outcome);
            }
            _ => return Err(Illegal::Disagrees { fact: kind, why: "it is nothing that a person says" }),
        }
        Ok(())
    }

    fn settled(
        &self,
        outcome: Outcome,
        note: &str,
        by: &str,
        proposed_by: Option<&str>,
        at: Timestamp,
    ) -> Result<Resolution, Illegal> {
        let (by, note) = (by.to_owned(), note.to_owned());
        let Some(first) = proposed_by else { return Ok(Resolution { outcome, by, note, at, confirmed: None }) };
        let proposed = self.resolution.clone();
        match proposed.filter(|proposed| proposed.by == first && proposed.outcome == outcome && by != first) {
            Some(proposed) => Ok(Resolution { confirmed: Some(Confirmation { by, note, at }), ..proposed }),
            None => Err(Illegal::Disagrees { fact: "resolved", why: "no other person has proposed this" }),
        }
    }
}

impl Machine {
    /// A person says how it ended. With `needs_two` the first one proposes, and the second one settles it by saying the same.
    pub(super) fn resolve(
        &self,
        outcome: Outcome,
        note: String,
        by: String,
        needs_two: bool,
        now: Timestamp,
    ) -> Result<Step, Refusal> {
        let (session, proposed) = (&self.session, self.session.resolution.as_ref());
        if let State::Disposed(end) = session.state {
            // Said once more after it was settled so; an end of any other kind stands for itself.
            return if end == outcome && proposed.is_some() { Ok(Step::none()) } else { Err(self.no_hold_or_decided()) };
        }
        self.may_be_resolved(outcome, now)?;
        let settled = |proposed_by| Fact::Resolved { outcome, note: note.clone(), by: by.clone(), proposed_by };
        let proposal = Fact::ResolutionProposed { outcome, note: note.clone(), by: by.clone() };
        let fact = match proposed.filter(|_| needs_two) {
            None if needs_two => proposal,
            None => settled(None),
            Some(first) if first.by == by && first.outcome == outcome => {
                return Err(Refusal::NeedsAnotherPerson { session: session.id, proposed_by: by });
            }
            // Whoever has proposed something may change their mind; the second person then sees the new words.
            Some(first) if first.by == by => proposal,
            Some(first) if first.outcome == outcome => settled(Some(first.by.clone())),
            Some(first) => {
                let (proposed_by, proposed) = (first.by.clone(), in_words(first.outcome));
                return Err(Refusal::ResolutionConflict { session: session.id, proposed_by, proposed });
            }
        };
        if matches!(fact, Fact::Resolved { .. }) && session.under_way() {
            return Err(Refusal::AttemptUnderWay(session.id));
        }
        Ok(Step::append([fact]))
    }

    /// Nothing proposed, nothing to withdraw; that is no mistake.
    pub(super) fn withdraw_resolution(&self, by: String) -> Result<Step, Refusal> {
        match (&self.session.state, &self.session.resolution) {
            (State::Disposed(_), _) => Err(self.no_hold_or_decided()),
            (_, Some(_)) => Ok(Step::append([Fact::ResolutionWithdrawn { by }])),
            (_, None) => Ok(Step::none()),
        }
    }

    fn may_be_resolved(&self, outcome: Outcome, now: Timestamp) -> Result<(), Refusal> {
        let (session, state) = (self.session.id, self.session.state_name());
        match self.session.stuck_from() {
            Some(from) if now >= from => {}
            Some(from) => {
                let since = format!(", and counts as stuck from {from} on");
                return Err(Refusal::NotStuck { session, state, since });
            }
            None => return Err(Refusal::NotStuck { session, state, since: String::new() }),
        }
        let Outcome::Committed(asked) = outcome else { return Ok(()) };
        if self.listed && !self.session.number_reused() {
            let why = "the terminal lists the hold, so it was not committed; it is asked again, or say that it is voided";
            return Err(Refusal::NotSupported(why.to_owned()));
        }
        let held = self.session.hold.as_ref().and_then(|hold| hold.amount).or(self.session.amount_requested);
        match self.session.held_at_most().or(held) {
            Some(held) if asked > held => Err(Refusal::OverCommit { held, asked }),
            _ => Ok(()),
        }
    }
}

fn in_words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Committed(amount) => format!("committed with {amount} minor units"),
        Outcome::Voided => "voided".to_owned(),
        Outcome::Expired => "expired".to_owned(),
    }
}
