//! What a session is: the sum of its records. [`Session::after`] is the only way in which a session changes, used live and
//! at recovery alike, and it refuses what cannot follow. (What to make of records of which one before them is lost, is said in `gap`.)
//!
//! ```text
//!  Opened ─► CardRead ─► Authorising ─► Held ─► Disposing ─► Disposed
//!    │  no word needed   ▲      │        ▲ │      │     ▲        ▲
//!    └───────────────────┘      ▼        │ ▼      ▼     │        │ a late answer, a list, a person
//!                            InDoubt ────┘ Uncertain ───┴────────┘
//!                               └─────────────▲      decided late
//! ```
//!
//! Before a hold it ends as Declined, Cancelled or Failed: no hold was ever placed. From InDoubt it ends as Failed, too, when a list shows no
//! hold; from InDoubt, Held and Disposing as Disposed when the terminal's own timer has ended it. Where the journal has lost whether Auth was
//! sent, it goes from Opened or CardRead to InDoubt.

use crate::card::Card;
use crate::id::{Connector, SessionId, SessionReference, TerminalId, TerminalSessionId};
use crate::journal::record::{
    AtEnd, CancelledBy, Cause, ConfirmedBy, DeadMan, DecidedBy, Decision, Device, Entry, Fact, Idempotency, Learned, Origin,
    Outcome,
};
use crate::money::{Amount, Currency};
use crate::time::Timestamp;

use super::resolution::Resolution;
use super::update::Update;

/// A session, as its records tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Our name for it.
    pub id: SessionId,
    /// How many records it has: grows with every change.
    pub version: u64,
    /// Where it takes place.
    pub terminal: TerminalId,
    /// On which device; none when an earlier version has opened it.
    pub device: Option<Device>,
    /// For which plug; none for an orphan.
    pub connector: Option<Connector>,
    /// The number sent with Start Session; none for an orphan.
    pub reference: Option<SessionReference>,
    /// The caller's own text.
    pub caller_reference: Option<String>,
    /// Why it exists.
    pub origin: Origin,
    /// The request that opened it.
    pub idempotency: Option<Idempotency>,
    /// The site's currency.
    pub currency: Currency,
    /// What was asked for; none for an orphan.
    pub amount_requested: Option<Amount>,
    /// When Auth was about to be sent.
    pub asked_bank_at: Option<Timestamp>,
    /// The card, once it was read.
    pub card: Option<Card>,
    /// How far it has come.
    pub state: State,
    /// The hold, once it is known.
    pub hold: Option<Hold>,
    /// The last wish to raise or lower the hold.
    pub update: Option<Update>,
    /// The last running total of energy.
    pub energy: Option<Amount>,
    /// What was decided of the hold, and what came of it.
    pub disposal: Option<Disposal>,
    /// What a person says of its end: proposed while it is open, and settled when it has ended.
    pub resolution: Option<Resolution>,
    /// A record that is lost may have said that Auth was sent.
    pub past_unsure: bool,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When its last record was made.
    pub changed_at: Timestamp,
}

/// How far a session has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Waiting for a card.
    Opened,
    /// A card was read, and somebody must say by then whether to go on.
    CardRead(Timestamp),
    /// Auth is being sent: a hold may come to exist.
    Authorising(DeadMan),
    /// The answer to Auth is lost: a hold may exist.
    InDoubt(DeadMan),
    /// There is a hold, and nobody has decided yet.
    Held,
    /// Commit or void is decided and not yet confirmed.
    Disposing,
    /// A person must find out; says why.
    Uncertain(String),
    /// The hold is gone.
    Disposed(Outcome),
    /// The bank refused.
    Declined(Option<u8>),
    /// The card flow ended without a hold; says by whom.
    Cancelled(CancelledBy),
    /// No hold was ever placed; says why.
    Failed(String),
}

/// Money that the bank reserves for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The terminal's number for it.
    pub terminal_session_id: TerminalSessionId,
    /// How much, for certain (see [`Session::held_at_most`]); none when only a list told us of it.
    pub amount: Option<Amount>,
    /// How we know of it.
    pub learned: Learned,
    /// When we learned of it.
    pub since: Timestamp,
    /// Void by then unless there is energy.
    pub plug_in_by: Timestamp,
    /// End it by then.
    pub end_by: Timestamp,
    /// What to do then.
    pub at_end: AtEnd,
    /// The terminal's own timer.
    pub dead_man: DeadMan,
    /// The session to which the terminal has given the number since.
    pub reused_by: Option<SessionId>,
    /// The session that was being disposed of under this number while this one's Auth was under way.
    pub shared_with: Option<SessionId>,
    /// Since when it has not been certain that the terminal still has it. A terminal that lists its sessions must have listed it again
    /// before anything is sent about it, whatever has been decided since: its number may have come to mean another.
    pub doubted_since: Option<Timestamp>,
}

/// The way to the end of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposal {
    /// Commit of an amount, or void; never changed.
    pub decision: Decision,
    /// Who decided.
    pub by: DecidedBy,
    /// When.
    pub decided_at: Timestamp,
    /// How often it was sent, or about to be.
    pub attempts: u32,
    /// The last attempt is on its way.
    pub under_way: bool,
    /// An attempt went unanswered at some time: the terminal may have done it.
    pub doubtful: bool,
    /// How often the terminal refused.
    pub refusals: u32,
    /// When the last attempt ended.
    pub last_ended_at: Option<Timestamp>,
    /// How the last attempt failed.
    pub last_failure: Option<Failure>,
    /// How we know that it is done.
    pub confirmed_by: Option<ConfirmedBy>,
}

impl Disposal {
    /// No attempt was made since it became doubtful whether the terminal has the hold.
    pub(super) fn not_tried_since_missing(&self, hold: &Hold) -> bool {
        hold.doubted_since.is_some_and(|since| self.last_ended_at.is_none_or(|ended| ended <= since))
    }
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It never left.
    Unsent,
    /// No answer came.
    Unanswered(Cause),
    /// Not OK, with the terminal's reason if it gives any.
    Refused(Option<u8>),
}

/// A record that cannot follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The session is not in a state in which this can happen.
    #[error("{fact} cannot follow in state {state}")]
    Order {
        /// What the record says.
        fact: &'static str,
        /// What the session is.
        state: &'static str,
    },
    /// The record speaks of an amount or attempt that was not decided.
    #[error("{fact} disagrees with what was decided: {why}")]
    Disagrees {
        /// What the record says.
        fact: &'static str,
        /// What does not fit.
        why: &'static str,
    },
    /// A record that is no session's, or another's.
    #[error("{0} is not of this session")]
    NotOfSession(&'static str),
}

impl State {
    /// The name of the state in API, logs and metrics; `disposal` tells commit from void.
    fn name(&self, disposal: Option<&Disposal>) -> &'static str {
        match self {
            Self::Opened => "waiting_card",
            Self::CardRead(_) => "card_read",
            Self::Authorising(_) => "authorising",
            Self::InDoubt(_) => "in_doubt",
            Self::Held => "approved",
            Self::Disposing => match disposal.map(|disposal| disposal.decision) {
                Some(Decision::Void) => "voiding",
                Some(Decision::Commit(_)) | None => "committing",
            },
            Self::Uncertain(_) => "uncertain",
            Self::Disposed(Outcome::Committed(_)) => "committed",
            Self::Disposed(Outcome::Voided) => "voided",
            Self::Disposed(Outcome::Expired) => "expired",
            Self::Declined(_) => "declined",
            Self::Cancelled(_) => "cancelled",
            Self::Failed(_) => "failed",
        }
    }
}

impl Session {
    /// The name of its state in API, logs and metrics.
    pub fn state_name(&self) -> &'static str {
        self.state.name(self.disposal.as_ref())
    }

    /// A hold exists or may exist, and no end is reached.
    pub fn undisposed(&self) -> bool {
        match self.state {
            State::Authorising(_) | State::InDoubt(_) | State::Held | State::Disposing | State::Uncertain(_) => true,
            State::Opened
            | State::CardRead(_)
            | State::Disposed(_)
            | State::Declined(_)
            | State::Cancelled(_)
            | State::Failed(_) => false,
        }
    }

    /// It has a card flow, or is about to have one, and no hold can have come of it yet.
    pub fn before_hold(&self) -> bool {
        matches!(self.state, State::Opened | State::CardRead(_))
    }

    /// Nothing can happen to it any more.
    pub fn ended(&self) -> bool {
        !self.undisposed() && !self.before_hold()
    }

    /// Energy has been reported.
    pub fn charging(&self) -> bool {
        self.energy.is_some_and(|energy| !energy.is_zero())
    }

    /// There is a hold that somebody may decide about, though the terminal may not know it.
    pub(super) fn awaits_decision(&self) -> bool {
        let known = matches!(self.state, State::Held | State::Uncertain(_)) && self.hold.is_some();
        known && self.disposal.is_none() && !self.number_reused()
    }

    /// The terminal's number, when a hold is known and not yet gone.
    pub fn open_terminal_session(&self) -> Option<TerminalSessionId> {
        self.hold.as_ref().filter(|_| self.undisposed()).map(|hold| hold.terminal_session_id)
    }

    /// The terminal has given the hold's number to another session: it must not be asked for any more.
    pub fn number_reused(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.reused_by.is_some())
    }

    /// What the session's first record makes.
    pub fn opened(entry: &Entry) -> Result<Self, Illegal> {
        let kind = entry.fact.kind();
        let (Some(id), Some(terminal)) = (entry.session, entry.terminal.clone()) else {
            return Err(Illegal::NotOfSession(kind));
        };
        let Fact::Opened { origin, connector, reference, caller_reference, amount, currency, idempotency, device } =
            &entry.fact
        else {
            return Err(Illegal::Order { fact: kind, state: "none" });
        };
        Ok(Self {
            id,
            version: 1,
            terminal,
            device: device.clone(),
            connector: *connector,
            reference: *reference,
            caller_reference: caller_reference.clone(),
            origin: *origin,
            idempotency: idempotency.clone(),
            currency: *currency,
            amount_requested: *amount,
            asked_bank_at: None,
            card: None,
            state: State::Opened,
            hold: None,
            update: None,
            energy: None,
            disposal: None,
            resolution: None,
            past_unsure: false,
            created_at: entry.at,
            changed_at: entry.at,
        })
    }

    /// The session after one more record. The only transition function there is.
    pub fn after(&self, entry: &Entry) -> Result<Self, Illegal> {
        if entry.session != Some(self.id) {
            return Err(Illegal::NotOfSession(entry.fact.kind()));
        }
        let mut next = self.clone();
        next.apply(&entry.fact, entry.at)?;
        next.version = self.version.saturating_add(1);
        next.changed_at = entry.at;
        Ok(next)
    }

    fn apply(&mut self, fact: &Fact, at: Timestamp) -> Result<(), Illegal> {
        let kind = fact.kind();
        let illegal = Illegal::Order { fact: kind, state: self.state_name() };
        match (&self.state, fact) {
            (State::Opened, Fact::CardRead { card, authorise_by }) if self.origin != Origin::Orphan => {
                self.card = Some(card.clone());
                self.state = State::CardRead(*authorise_by);
            }
            (State::Opened | State::CardRead(_), Fact::AuthoriseIntended { card, dead_man })
                if self.origin != Origin::Orphan =>
            {
                self.card = card.clone();
                self.asked_bank_at = Some(at);
                self.state = State::Authorising(*dead_man);
            }
            (State::Authorising(dead_man), Fact::AuthoriseUnanswered { .. }) => self.state = State::InDoubt(*dead_man),
            (State::Opened | State::CardRead(_), Fact::AuthoriseUnsure { dead_man }) => {
                self.asked_bank_at = Some(at);
                self.past_unsure = false;
                self.state = State::InDoubt(*dead_man);
            }
            (State::Opened, Fact::HoldPlaced { learned: Learned::Listed, .. }) if self.origin == Origin::Orphan => {
                self.hold(fact, at)
            }
            (State::Authorising(_) | State::InDoubt(_), Fact::HoldPlaced { .. }) => self.hold(fact, at),
            (State::Opened | State::Authorising(_), Fact::Declined { reason }) if self.origin != Origin::Orphan => {
                self.state = State::Declined(*reason)
            }
            (State::Opened, Fact::OtherCardRead { card }) if self.origin == Origin::Api => self.card = Some(card.clone()),
            (State::Opened | State::CardRead(_) | State::Authorising(_), Fact::Cancelled { by }) => {
                self.state = State::Cancelled(*by)
            }
            (State::Opened | State::CardRead(_) | State::Authorising(_) | State::InDoubt(_), Fact::Failed { why }) => {
                self.resolution = None;
                self.state = State::Failed(why.clone())
            }
            (State::Held | State::Uncertain(_), Fact::EnergyReported { amount }) if self.awaits_decision() => {
                if self.energy.is_some_and(|energy| energy > *amount) {
                    return Err(Illegal::Disagrees { fact: kind, why: "a running total never goes down" });
                }
                self.energy = Some(*amount);
            }
            (State::Held, Fact::StopTapped { .. }) => {}
            (State::Held, Fact::UpdateIntended { amount }) => self.begin_update(*amount)?,
            (
                State::Held | State::Disposing | State::Uncertain(_),
                Fact::UpdateUnsent | Fact::HoldUpdated { .. } | Fact::UpdateRefused { .. } | Fact::UpdateUnanswered { .. },
            ) => self.end_update(fact)?,
            (State::Held | State::Uncertain(_), Fact::DisposalDecided { decision, by }) if self.awaits_decision() => {
                self.decide(*decision, *by, at)?;
            }
            (State::Held | State::Disposing | State::Uncertain(_), Fact::NumberReused { by, listed }) => {
                self.reuse(*by, *listed)?;
            }
            (State::Held, Fact::NumberShared { with }) => self.share(*with)?,
            (
                State::Disposing | State::Uncertain(_),
                Fact::AttemptStarted { .. }
                | Fact::AttemptUnsent { .. }
                | Fact::AttemptUnanswered { .. }
                | Fact::AttemptRefused { .. },
            ) => self.attempt(fact, at)?,
            (
                State::InDoubt(_) | State::Held | State::Disposing | State::Uncertain(_),
                Fact::Disposed { outcome, confirmed_by },
            ) => {
                self.dispose(*outcome, *confirmed_by)?;
            }
            (State::InDoubt(_) | State::Held | State::Disposing, Fact::BecameUncertain { why }) => {
                if let Some(hold) = &mut self.hold {
                    hold.doubted_since = Some(at);
                }
                self.state = State::Uncertain(why.clone());
            }
            (
                State::InDoubt(_) | State::Disposing | State::Uncertain(_),
                Fact::ResolutionProposed { .. } | Fact::ResolutionWithdrawn { .. } | Fact::Resolved { .. },
            ) => self.resolve(fact, at)?,
            (
                State::Opened
                | State::CardRead(_)
                | State::Authorising(_)
                | State::InDoubt(_)
                | State::Held
                | State::Disposing
                | State::Uncertain(_)
                | State::Disposed(_)
                | State::Declined(_)
                | State::Cancelled(_)
                | State::Failed(_),
                _,
            ) => return Err(illegal),
        }
        Ok(())
    }

    fn hold(&mut self, fact: &Fact, at: Timestamp) {
        if let Fact::HoldPlaced { terminal_session_id, amount, learned, plug_in_by, end_by, at_end, dead_man } = fact {
            self.hold = Some(Hold {
                terminal_session_id: *terminal_session_id,
                amount: *amount,
                learned: *learned,
                since: at,
                plug_in_by: *plug_in_by,
                end_by: *end_by,
                at_end: *at_end,
                dead_man: *dead_man,
                reused_by: None,
                shared_with: None,
                doubted_since: None,
            });
            // What was said of it was said of a hold that nobody knew.
            self.resolution = None;
            self.state = State::Held;
        }
    }

    fn reuse(&mut self, by: SessionId, listed: bool) -> Result<(), Illegal> {
        const FACT: &str = "number_reused";
        let Some(hold) = self.hold.as_mut().filter(|hold| hold.reused_by.is_none() && by != self.id) else {
            return Err(Illegal::Disagrees { fact: FACT, why: "there is no hold, or it is known already" });
        };
        hold.reused_by = Some(by);
        let number = hold.terminal_session_id;
        self.state = State::Uncertain(if listed {
            format!(
                "the terminal had forgotten its number {number} and lists it again, and it may be session {by}'s, whose \
                 authorisation was not answered: that one has taken it over and voids it, and whose hold it was nobody here knows"
            )
        } else {
            format!(
                "the terminal has given the number {number} to session {by} as well, so it has forgotten this one: a commit or \
                 void of the number would end the other"
            )
        });
        Ok(())
    }

    fn share(&mut self, with: SessionId) -> Result<(), Illegal> {
        const FACT: &str = "number_shared";
        let Some(hold) = self.hold.as_mut().filter(|hold| hold.shared_with.is_none() && with != self.id) else {
            return Err(Illegal::Disagrees { fact: FACT, why: "there is no hold, or it is known already" });
        };
        hold.shared_with = Some(with);
        Ok(())
    }

    fn decide(&mut self, decision: Decision, by: DecidedBy, at: Timestamp) -> Result<(), Illegal> {
        const FACT: &str = "disposal_decided";
        if let Decision::Commit(amount) = decision {
            let held = self.hold.as_ref().and_then(|hold| hold.amount);
            if held.is_none_or(|held| amount > held) {
                return Err(Illegal::Disagrees { fact: FACT, why: "more than the hold" });
            }
            if amount.is_zero() {
                return Err(Illegal::Disagrees { fact: FACT, why: "a commit of nothing is a void" });
            }
        }
        self.disposal = Some(Disposal {
            decision,
            by,
            decided_at: at,
            attempts: 0,
            under_way: false,
            doubtful: false,
            refusals: 0,
            last_ended_at: None,
            last_failure: None,
            confirmed_by: None,
        });
        // What was said of it was said before anybody had decided.
        self.resolution = None;
        self.state = State::Disposing;
        Ok(())
    }

    fn attempt(&mut self, fact: &Fact, at: Timestamp) -> Result<(), Illegal> {
        let kind = fact.kind();
        if self.updating() && matches!(fact, Fact::AttemptStarted { .. }) {
            return Err(Illegal::Disagrees { fact: kind, why: "an update is under way" });
        }
        if self.number_reused() && matches!(fact, Fact::AttemptStarted { .. }) {
            return Err(Illegal::Disagrees { fact: kind, why: "its number means another session" });
        }
        let Some(disposal) = &mut self.disposal else {
            return Err(Illegal::Disagrees { fact: kind, why: "nothing was decided" });
        };
        let wrong = Illegal::Disagrees { fact: kind, why: "it is another attempt's turn" };
        let (number, failure) = match fact {
            Fact::AttemptStarted { attempt } => {
                let next = disposal.attempts.checked_add(1);
                if disposal.under_way || Some(*attempt) != next {
                    return Err(wrong);
                }
                disposal.attempts = *attempt;
                disposal.under_way = true;
                return Ok(());
            }
            Fact::AttemptUnsent { attempt } => (*attempt, Failure::Unsent),
            Fact::AttemptUnanswered { attempt, cause } => (*attempt, Failure::Unanswered(*cause)),
            Fact::AttemptRefused { attempt, reason } => (*attempt, Failure::Refused(*reason)),
            _ => return Err(wrong),
        };
        if !disposal.under_way || number != disposal.attempts {
            return Err(wrong);
        }
        disposal.under_way = false;
        disposal.last_ended_at = Some(at);
        disposal.last_failure = Some(failure);
        match failure {
            Failure::Unsent => {}
            Failure::Unanswered(_) => disposal.doubtful = true,
            Failure::Refused(_) => disposal.refusals = disposal.refusals.saturating_add(1),
        }
        Ok(())
    }

    fn dispose(&mut self, outcome: Outcome, confirmed_by: ConfirmedBy) -> Result<(), Illegal> {
        const FACT: &str = "disposed";
        self.within_hold(FACT, outcome)?;
        if self.number_reused() {
            return Err(Illegal::Disagrees { fact: FACT, why: "its number means another session" });
        }
        let decided = self.disposal.as_ref().map(|disposal| disposal.decision);
        let fits = match outcome {
            Outcome::Committed(amount) => decided == Some(Decision::Commit(amount)),
            Outcome::Voided => decided == Some(Decision::Void),
            Outcome::Expired => true,
        };
        if !fits {
            return Err(Illegal::Disagrees { fact: FACT, why: "it ended in a way that was not decided" });
        }
        if let Some(disposal) = &mut self.disposal {
            disposal.under_way = false;
            disposal.confirmed_by = Some(confirmed_by);
        }
        // The terminal's word goes before what somebody has proposed.
        self.resolution = None;
        self.state = State::Disposed(outcome);
        Ok(())
    }

    pub(super) fn within_hold(&self, fact: &'static str, outcome: Outcome) -> Result<(), Illegal> {
        let held = self.held_at_most().or(self.hold.as_ref().and_then(|hold| hold.amount)).or(self.amount_requested);
        match (outcome, held) {
            (Outcome::Committed(amount), Some(held)) if amount > held => {
                Err(Illegal::Disagrees { fact, why: "more than the hold" })
            }
            (Outcome::Committed(_) | Outcome::Voided | Outcome::Expired, _) => Ok(()),
        }
    }
}
