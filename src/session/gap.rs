//! What a sound record says of a session of which a record before it is lost. A journal that is damaged inside is replayed by these
//! rules as well as by the strict ones, so that no hold that can be read is passed over, and none that may be there is ended. What
//! must have happened in the gap is supposed, and no more than that.
//!
//! ```text
//!  the record says              the session was             it is then
//!  the answer to Auth is lost   before its hold             in doubt; its terminal's timer is not known
//!  the bank has declined        card read                   declined
//!  a hold was placed            before its hold             held
//!  something about a hold       one without a known hold    uncertain: which hold it is, is lost
//!  the hold was changed         held                        held, as much as the record says
//!  a commit is decided          held, but not so much       the commit is decided
//!  a disposal is being sent     held, nothing decided       uncertain: what was decided is lost
//!  a disposal is being sent     decided, another attempt    as the record says
//!  something else               being raised or lowered     the answer to that is lost
//!  it is uncertain, or over     open                        as the record says
//!  anything of a hold           unknown                     one of which nothing else is known, and then as above
//! ```
//!
//! Everything else is left out. `journal verify` knows nothing of this: there a journal with a gap is not sound.

use crate::journal::Entry;
use crate::journal::record::{Cause, DeadMan, DeadManAction, Decision, Fact, Origin, Outcome};
use crate::money::Currency;

use super::resolution::Resolution;
use super::state::{Session, State};
use super::update::Answer;

/// Why a person must find out about a hold whose record is lost.
const HOLD_LOST: &str = "there is or was a hold, but the journal is damaged and has lost the record that says which";

/// Why a person must find out about a decision whose record is lost.
const DECISION_LOST: &str =
    "a commit or void was decided and may have been sent, but the journal is damaged and has lost the record that says which";

/// When the terminal's timer acts stood in the record that is lost. Whatever it would do, nobody may count on it.
const TIMER_UNKNOWN: DeadMan = DeadMan { at: None, action: DeadManAction::Commit };

impl Session {
    /// The session after a record that does not follow, as far as it can be believed all the same; none when it is left out.
    pub(super) fn across_gap(&self, entry: &Entry) -> Option<Self> {
        // What follows but for other sessions was refused on their account, and nothing is known of them for sure.
        if let Ok(session) = self.after(entry) {
            return Some(session);
        }
        if self.ended() || entry.session != Some(self.id) {
            return None;
        }
        let mut supposed = self.clone();
        if let Some(update) = supposed.update.as_mut().filter(|update| update.answer.is_none()) {
            // How it has ended is lost, and nothing else happens to a hold before that.
            update.answer = Some(Answer::Unanswered(Cause::Crash));
            if let Ok(session) = supposed.after(entry) {
                return Some(session);
            }
        }
        match (&self.state, &entry.fact) {
            (State::Opened | State::CardRead(_), Fact::AuthoriseUnanswered { .. }) => {
                supposed.asked_bank_at = Some(entry.at);
                supposed.state = State::Authorising(TIMER_UNKNOWN);
            }
            (State::Opened | State::CardRead(_), Fact::Declined { .. }) => supposed.state = State::Authorising(TIMER_UNKNOWN),
            (State::Opened | State::CardRead(_), Fact::HoldPlaced { dead_man, .. }) => {
                supposed.state = State::Authorising(*dead_man);
            }
            (State::Opened | State::CardRead(_) | State::Authorising(_) | State::InDoubt(_), fact) if is_about_hold(fact) => {
                return Some(self.uncertain(entry, HOLD_LOST));
            }
            (State::Held, Fact::HoldUpdated { amount }) => supposed.begin_update(*amount).ok()?,
            (State::Held | State::Uncertain(_), Fact::DisposalDecided { decision: Decision::Commit(amount), .. })
                if self.disposal.is_none() =>
            {
                supposed.hold.as_mut()?.amount = Some(*amount);
                if let Some(most) = supposed.update.as_mut().and_then(|update| update.at_most.as_mut()) {
                    *most = (*most).max(*amount);
                }
            }
            (State::Held, fact) if attempt(fact).is_some() => return Some(self.uncertain(entry, DECISION_LOST)),
            (State::Disposing | State::Uncertain(_), fact) => match (fact, attempt(fact), &mut supposed.disposal) {
                (Fact::AttemptStarted { .. }, Some(number), Some(disposal)) => {
                    (disposal.attempts, disposal.under_way) = (number.checked_sub(1)?, false);
                }
                (_, Some(number), Some(disposal)) => (disposal.attempts, disposal.under_way) = (number, true),
                _ => return self.ended_by(entry),
            },
            (_, Fact::BecameUncertain { why }) => return Some(self.uncertain(entry, why)),
            _ => return self.ended_by(entry),
        }
        supposed.after(entry).ok()
    }

    /// A session of which this is the first record that can be read; none when that is about no hold that is open or may come.
    pub(super) fn without_opening(entry: &Entry, site: Currency) -> Option<Self> {
        let may_have_hold = match &entry.fact {
            Fact::CardRead { .. }
            | Fact::AuthoriseIntended { .. }
            | Fact::AuthoriseUnanswered { .. }
            | Fact::AuthoriseUnsure { .. }
            | Fact::HoldPlaced { .. }
            | Fact::BecameUncertain { .. } => true,
            fact => is_about_hold(fact),
        };
        let opened = Fact::Opened {
            origin: Origin::Api,
            connector: None,
            reference: None,
            caller_reference: None,
            amount: None,
            currency: site,
            idempotency: None,
            device: None,
        };
        let bare = Self::opened(&Entry { fact: opened, ..entry.clone() }).ok().filter(|_| may_have_hold)?;
        // No record of it has been read so far.
        Self { version: 0, ..bare }.across_gap(entry)
    }

    fn uncertain(&self, entry: &Entry, why: &str) -> Self {
        let mut session = self.counting(entry);
        if let Some(hold) = &mut session.hold {
            hold.doubted_since = Some(entry.at);
        }
        session.state = State::Uncertain(why.to_owned());
        session
    }

    /// What has ended has ended, whatever led there.
    fn ended_by(&self, entry: &Entry) -> Option<Self> {
        let mut session = self.counting(entry);
        let (outcome, known_by, resolution): (Outcome, _, _) = match &entry.fact {
            Fact::Disposed { outcome, confirmed_by } => (*outcome, Some(*confirmed_by), None),
            Fact::Resolved { outcome, note, by, .. } => {
                let (by, note) = (by.clone(), note.clone());
                (*outcome, None, Some(Resolution { outcome: *outcome, by, note, at: entry.at, confirmed: None }))
            }
            _ => return None,
        };
        if let Some(disposal) = &mut session.disposal {
            (disposal.under_way, disposal.confirmed_by) = (false, known_by);
        }
        (session.resolution, session.state) = (resolution, State::Disposed(outcome));
        Some(session)
    }

    /// One record older.
    fn counting(&self, entry: &Entry) -> Self {
        Self { version: self.version.saturating_add(1), changed_at: entry.at, ..self.clone() }
    }
}

/// The number of the attempt that the fact is about.
fn attempt(fact: &Fact) -> Option<u32> {
    match fact {
        Fact::AttemptStarted { attempt }
        | Fact::AttemptUnsent { attempt }
        | Fact::AttemptUnanswered { attempt, .. }
        | Fact::AttemptRefused { attempt, .. } => Some(*attempt),
        _ => None,
    }
}

/// It says something of a hold that was known when it was said, and not that it is gone.
fn is_about_hold(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::EnergyReported { .. }
            | Fact::StopTapped { .. }
            | Fact::UpdateIntended { .. }
            | Fact::UpdateUnsent
            | Fact::HoldUpdated { .. }
            | Fact::UpdateRefused { .. }
            | Fact::UpdateUnanswered { .. }
            | Fact::DisposalDecided { .. }
            | Fact::AttemptStarted { .. }
            | Fact::AttemptUnsent { .. }
            | Fact::AttemptUnanswered { .. }
            | Fact::AttemptRefused { .. }
            | Fact::NumberReused { .. }
            | Fact::NumberShared { .. }
    )
}
