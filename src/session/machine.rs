//! What is to be done about a session. Pure: an [`Input`] and the time give a [`Step`], that is facts to append, and effects that
//! may be performed only when the facts are durable. If the append fails, the step has not happened.
//!
//! What the session *is* follows from its records ([`Session`]). What the machine knows besides ([`Errand`], `ready`) is about the
//! present run only and may be forgotten at any moment.

use std::time::Duration;

use crate::card::Card;
use crate::id::{SessionId, TerminalSessionId};
use crate::journal::Entry;
use crate::journal::record::{AtEnd, CancelledBy, Cause, ConfirmedBy, DecidedBy, Decision, Fact, Learned, Origin};
use crate::link;
use crate::money::Amount;
use crate::protocol::{Family, Request};
use crate::time::Timestamp;

use super::disposal::{self, Meaning};
use super::policy::Policy;
use super::refusal::Refusal;
use super::state::{Hold, Illegal, Session, State};
use super::verdict::Verdict;
use super::wish::Wish;

/// What happens to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// It was just opened.
    Begin,
    /// The program came up again and has read its records.
    Recover,
    /// Start Session has ended without a card.
    FlowEnded(link::Outcome),
    /// A card was read, and it is no card that is charging here.
    CardRead(Card),
    /// A card was presented that is none of a bank.
    OtherCard(Card),
    /// A card was read whose hold is charging here: the driver wants to stop (`policy.tap_to_stop`).
    TapToStop,
    /// The card of this session was read again for another session (`policy.duplicate_tap`).
    DuplicateTap,
    /// The card of this session was read again while it charges.
    StopTapped {
        /// The session that the tap had opened, if it had opened one.
        tapped_in: Option<SessionId>,
    },
    /// Auth has ended.
    Authorised(link::Outcome),
    /// The terminal is set up, and our holds have been compared with its own.
    Ready,
    /// The link is gone, or is about to be set up again.
    NotReady,
    /// The command lane is ours.
    Turn,
    /// An attempt to dispose has ended.
    Attempted(link::Outcome),
    /// Update Session has ended.
    Updated(link::Outcome),
    /// The terminal's list has been compared with our memory.
    Listed(Verdict),
    /// The terminal has given the number of our hold to another session, or may have.
    NumberReused {
        /// The other one.
        by: SessionId,
        /// The other one has found it in the terminal's list, and was not told of it.
        listed: bool,
    },
    /// While our Auth was under way, another session was being disposed of under the number that we were given.
    NumberShared {
        /// The other one.
        with: SessionId,
    },
    /// Somebody wants something.
    Wish(Wish),
    /// A card flow must end before a hold, and for this reason.
    StopFlow(CancelledBy),
    /// Time has passed; see [`Machine::next_tick`].
    Tick,
}

/// What follows from an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// To be made durable, all or none, before anything else.
    pub append: Vec<Fact>,
    /// To be done then, in this order.
    pub then: Vec<Effect>,
    /// What the machine will then be busy with; `None` for no change.
    pub(super) errand: Option<Errand>,
    /// Whether the terminal is ready; `None` for no change.
    pub(super) ready: Option<bool>,
    /// Whether the terminal lists our hold; `None` for no change.
    pub(super) listed: Option<bool>,
}

/// What a session wants of its terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start Session, when the card-flow lane is free.
    StartFlow,
    /// Auth, in the card flow that is ours.
    Authorise,
    /// End our card flow: nobody is interested in it any more.
    CancelFlow,
    /// The command lane, before status and new card flows.
    AskTurn,
    /// The command lane, after every disposal.
    AskUpdateTurn,
    /// Commit or Void, in the turn that is ours.
    Attempt(Request),
    /// Update Session, in the turn that is ours.
    Update {
        /// The terminal's number of the session.
        session: TerminalSessionId,
        /// The new total.
        amount: Amount,
    },
    /// The turn is not needed. (A turn that was used ends with its exchange.)
    ReleaseTurn,
    /// The terminal must be set up again before it will do this; says why.
    SetUpAgain(&'static str),
}

/// What the machine has asked its terminal for and not yet got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Nothing.
    Idle,
    /// A card, or the bank's answer.
    CardFlow,
    /// The command lane.
    Turn,
    /// The answer to Commit or Void.
    Attempt,
    /// The answer to Update Session.
    Update,
}

/// What decides about a session besides itself.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What the operator has chosen.
    pub policy: Policy,
    /// What the terminal can do.
    pub family: Family,
    /// Whether the terminal never forgets an open session (see [`Quirks`](crate::protocol::Quirks)).
    pub keeps_sessions: bool,
    /// How long the terminal may take for Auth (PSP, Timeouts).
    pub authorise_timeout: Duration,
}

/// A session and what is to be done about it.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) session: Session,
    pub(super) rules: Rules,
    pub(super) errand: Errand,
    pub(super) ready: bool,
    /// On this link the terminal has listed our hold.
    pub(super) listed: bool,
}

impl Rules {
    /// Whether two lists without a hold prove that there is none.
    fn lists_tell_all(&self) -> bool {
        self.family.lists_sessions() && self.keeps_sessions
    }
}

impl Step {
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn append(facts: impl Into<Vec<Fact>>) -> Self {
        Self { append: facts.into(), ..Self::default() }
    }

    pub(super) fn then(mut self, effect: Effect) -> Self {
        self.then.push(effect);
        self
    }

    pub(super) fn busy_with(mut self, errand: Errand) -> Self {
        self.errand = Some(errand);
        self
    }
}

impl Machine {
    /// A machine for a session that was just opened or read from the journal.
    pub fn new(session: Session, rules: Rules) -> Self {
        Self { session, rules, errand: Errand::Idle, ready: false, listed: false }
    }

    /// The step that was to be made will not be made: the lane that it was given for is free again.
    pub fn forget_turn(&mut self) {
        if self.errand == Errand::Turn {
            self.errand = Errand::Idle;
        }
    }

    /// The session as it is.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What decides about it.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Other rules decide from now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// What it is busy with.
    pub fn errand(&self) -> Errand {
        self.errand
    }

    pub(super) fn ready(&self) -> bool {
        self.ready
    }

    /// What follows from an input. Nothing has happened until [`Machine::done`].
    pub fn on(&self, input: Input, now: Timestamp) -> Result<Step, Refusal> {
        let step = match input {
            Input::Begin => self.begin(),
            Input::Recover => self.recover(now),
            Input::FlowEnded(outcome) => self.flow_ended(outcome),
            Input::CardRead(card) => self.card_read(card, now),
            Input::OtherCard(card) if self.waits_for_card() => {
                let mut step = self.cancel(CancelledBy::OtherCard);
                step.append.insert(0, Fact::OtherCardRead { card });
                step
            }
            Input::OtherCard(_) => Step::none().then(Effect::CancelFlow),
            Input::TapToStop => self.cancel(CancelledBy::TapToStop),
            Input::StopFlow(by) => self.cancel(by),
            Input::DuplicateTap if self.session.state == State::Held && !self.session.charging() => {
                self.decide(Decision::Void, DecidedBy::DuplicateTap)
            }
            Input::DuplicateTap => Step::none(),
            Input::StopTapped { tapped_in } if self.session.state == State::Held => {
                Step::append([Fact::StopTapped { tapped_in }])
            }
            Input::StopTapped { .. } => Step::none(),
            Input::Authorised(outcome) => self.authorised(outcome, now),
            Input::Ready => Step { ready: Some(true), ..self.ask_turn_if_due(now, true) },
            Input::NotReady => Step { ready: Some(false), listed: Some(false), ..self.turn_lost() },
            Input::Turn => self.turn(now),
            Input::Attempted(outcome) => self.attempted(outcome, now),
            Input::Updated(outcome) => self.updated(outcome),
            Input::Listed(verdict) => Step { listed: Some(verdict == Verdict::Present), ..self.listed(verdict, now) },
            Input::NumberReused { by, listed } => self.number_reused(by, listed),
            Input::NumberShared { with } => self.number_shared(with),
            Input::Wish(wish) => return self.wish(wish, now),
            Input::Tick => self.tick(now),
        };
        Ok(step)
    }

    /// What these entries would make of the session. A record that cannot follow must not reach the journal: replay would refuse
    /// the session, and with it its hold.
    pub fn session_after(&self, entries: &[Entry]) -> Result<Session, Illegal> {
        entries.iter().try_fold(self.session.clone(), |session, entry| session.after(entry))
    }

    /// The step has happened: its facts are durable as these entries.
    pub fn done(&mut self, step: &Step, entries: &[Entry]) -> Result<(), Illegal> {
        self.session = self.session_after(entries)?;
        self.errand = step.errand.unwrap_or(self.errand);
        self.ready = step.ready.unwrap_or(self.ready);
        self.listed = step.listed.unwrap_or(self.listed);
        Ok(())
    }

    /// What is to happen instead of an input whose facts could not be appended: nothing may be lost, and nothing may wait for
    /// ever. `None`: the same input again, later.
    pub fn when_unwritable(&self, input: &Input) -> Option<(Vec<Effect>, Option<Input>)> {
        match input {
            // Without a durable intent there is no Auth, and the driver should not stand there until the terminal gives up.
            Input::CardRead(_) => Some((vec![Effect::CancelFlow], Some(Input::StopFlow(CancelledBy::Journal)))),
            Input::StopFlow(_) | Input::TapToStop | Input::OtherCard(_) => {
                Some((vec![Effect::CancelFlow], Some(input.clone())))
            }
            Input::Tick if matches!(self.session.state, State::CardRead(_)) => {
                Some((vec![Effect::CancelFlow], Some(Input::StopFlow(CancelledBy::NotAuthorised))))
            }
            // Others wait for the lane; the timer asks for it again.
            Input::Turn => Some((vec![Effect::ReleaseTurn], None)),
            Input::Tick | Input::Wish(_) => Some((Vec::new(), None)),
            _ => None,
        }
    }

    /// When [`Input::Tick`] is next worth while.
    pub fn next_tick(&self) -> Option<Timestamp> {
        // Alert means that nobody but a person ends it: nothing is to be done at that time.
        let alert = |hold: &Hold| self.session.charging() && hold.at_end == AtEnd::Alert;
        match (&self.session.state, &self.session.hold) {
            (State::CardRead(_), _) => disposal::deadline(&self.session),
            (State::Held, Some(hold)) => (!alert(hold)).then(|| disposal::deadline_of_hold(&self.session, hold)),
            (State::Uncertain(_), Some(hold)) if self.is_held_after_all() => {
                (!alert(hold)).then(|| disposal::deadline_of_hold(&self.session, hold))
            }
            (State::InDoubt(_), _) if !self.rules.lists_tell_all() => disposal::deadline(&self.session),
            (State::Disposing | State::Uncertain(_), _) if self.ready && self.errand == Errand::Idle => self.attempt_due_at(),
            _ => None,
        }
    }

    /// The run in which things were under way is over, so what it waited for will not be answered any more.
    fn recover(&self, now: Timestamp) -> Step {
        let mut step = self.recover_flow_or_attempt(now);
        if self.session.updating() {
            step.append.push(Fact::UpdateUnanswered { cause: Cause::Crash });
        }
        step
    }

    fn recover_flow_or_attempt(&self, now: Timestamp) -> Step {
        match (&self.session.state, &self.session.disposal) {
            // Nobody can say any more that no hold was placed.
            (State::Opened | State::CardRead(_), _) if self.session.past_unsure => {
                let dead_man = self.dead_man(now.after(self.rules.authorise_timeout));
                Step::append([Fact::AuthoriseUnsure { dead_man }])
            }
            (State::Opened, _) => {
                Step::append([Fact::Failed { why: "the orchestrator stopped before a card was read".to_owned() }])
            }
            (State::CardRead(_), _) => Step::append([Fact::Failed {
                why: "the orchestrator stopped before anybody said to authorise the card".to_owned(),
            }]),
            (State::Authorising(_), _) => Step::append([Fact::AuthoriseUnanswered { cause: Cause::Crash }]),
            (State::Disposing | State::Uncertain(_), Some(disposal)) if disposal.under_way => {
                Step::append([Fact::AttemptUnanswered { attempt: disposal.attempts, cause: Cause::Crash }])
            }
            _ => Step::none(),
        }
    }

    fn listed(&self, verdict: Verdict, now: Timestamp) -> Step {
        if self.errand == Errand::Attempt || self.session.number_reused() {
            // The list is older than the attempt that is under way, or speaks of another session.
            return Step::none();
        }
        match (verdict, &self.session.state, &self.session.hold) {
            (Verdict::Adopt(id), State::InDoubt(_), _) => {
                let amount = self.session.amount_requested;
                let placed = self.hold_placed(id, amount, Learned::Listed, now);
                let decided = Fact::DisposalDecided { decision: Decision::Void, by: DecidedBy::Orphan };
                self.and_ask_turn(Step::append([placed, decided]), self.ready)
            }
            (Verdict::Adopt(id), State::Opened, _) if self.session.origin == Origin::Orphan => {
                let placed = self.hold_placed(id, None, Learned::Listed, now);
                let decided = Fact::DisposalDecided { decision: Decision::Void, by: DecidedBy::Orphan };
                self.and_ask_turn(Step::append([placed, decided]), self.ready)
            }
            (Verdict::NoHold, State::InDoubt(dead_man), _) if disposal::timer_is_past(*dead_man, now) => {
                self.vanished(disposal::vanished(*dead_man, now))
            }
            (Verdict::NoHold, State::InDoubt(_), _) => Step::append([Fact::Failed {
                why: "the answer to Auth was lost, but the terminal holds nothing for it".to_owned(),
            }]),
            (Verdict::Unproven, State::InDoubt(_) | State::Held | State::Disposing | State::Uncertain(_), _) => {
                self.vanished(Meaning::Unknowable("the terminal lists nothing of it, which proves nothing here"))
            }
            (Verdict::Absent, State::Held, Some(hold)) => self.vanished(disposal::missing(hold, now)),
            (Verdict::Absent, State::Disposing | State::Uncertain(_), Some(hold)) => {
                self.vanished(match &self.session.disposal {
                    Some(disposal) if disposal.doubtful && disposal.not_tried_since_missing(hold) => {
                        Meaning::Unknowable("it was missing before, and nothing was tried since")
                    }
                    Some(disposal) if disposal.doubtful => {
                        disposal::vanished_after_doubt(disposal, hold.dead_man, ConfirmedBy::ListAbsent, now)
                    }
                    Some(_) | None => disposal::missing(hold, now),
                })
            }
            (Verdict::Present | Verdict::Absent | Verdict::Unproven | Verdict::NoHold | Verdict::Adopt(_), _, _) => {
                Step::none()
            }
        }
    }

    fn vanished(&self, meaning: Meaning) -> Step {
        let mut step = Step::none();
        match meaning {
            Meaning::Over(outcome, confirmed_by) => step.append.push(Fact::Disposed { outcome, confirmed_by }),
            Meaning::Unknowable(why) => self.push_uncertain(&mut step, why),
            Meaning::SetUpAgain | Meaning::Again | Meaning::AtOnce => {}
        }
        step
    }

    fn tick(&self, now: Timestamp) -> Step {
        match (&self.session.state, &self.session.hold) {
            (State::CardRead(authorise_by), _) if now >= *authorise_by => self.cancel(CancelledBy::NotAuthorised),
            (State::Held, Some(hold)) => self.deadline(hold, now),
            (State::Uncertain(_), Some(hold)) if self.is_held_after_all() => self.deadline(hold, now),
            (State::InDoubt(dead_man), _) if !self.rules.lists_tell_all() && disposal::timer_is_past(*dead_man, now) => {
                self.vanished(disposal::vanished(*dead_man, now))
            }
            (State::Disposing | State::Uncertain(_), _) => self.ask_turn_if_due(now, self.ready),
            _ => Step::none(),
        }
    }

    /// It was missing, and the terminal lists it again: its deadlines count as they did before.
    fn is_held_after_all(&self) -> bool {
        matches!(self.session.state, State::Uncertain(_)) && self.listed && self.session.awaits_decision()
    }

    /// What a deadline that has passed makes of a hold that nobody has decided about.
    fn deadline(&self, hold: &Hold, now: Timestamp) -> Step {
        match hold.at_end {
            _ if now < disposal::deadline_of_hold(&self.session, hold) => Step::none(),
            _ if !self.session.charging() => self.decide(Decision::Void, DecidedBy::PlugInTimeout),
            AtEnd::CommitLastKnown => self.decide(self.last_known(), DecidedBy::MaxSession),
            AtEnd::Void => self.decide(Decision::Void, DecidedBy::MaxSession),
            AtEnd::Alert => Step::none(),
        }
    }

    /// What the last running total is worth, and never more than the hold: what was delivered beyond it cannot be taken.
    fn last_known(&self) -> Decision {
        let held = self.session.hold.as_ref().and_then(|hold| hold.amount);
        match (self.session.energy, held) {
            (Some(energy), Some(held)) if !energy.is_zero() && !held.is_zero() => Decision::Commit(energy.min(held)),
            _ => Decision::Void,
        }
    }
}
