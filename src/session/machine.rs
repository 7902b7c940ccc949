//! What is to be done about a session. Pure: an [`Input`] and the time give a [`Step`], that is facts to append, and effects that
//! may be performed only when the facts are durable. If the append fails, the step has not happened.
//!
//! What the session *is* follows from its records ([`Session`]). What the machine knows besides ([`Errand`], `ready`) is about the
//! present run only and may be forgotten at any moment.

use std::time::Duration;

use crate::card::Card;
use crate::id::{SessionId, TerminalSessionId};
use crate::journal::Entry;
use crate::journal::record::{AtEnd, CancelledBy, Cause, ConfirmedBy, DeadMan, DecidedBy, Decision, Fact, Learned, Origin};
use crate::link;
use crate::money::Amount;
use crate::protocol::response::{Reason, Response, Verdict as Answer};
use crate::protocol::{Family, Request};
use crate::time::Timestamp;

use super::disposal::{self, Meaning};
use super::policy::{Authorise, Policy};
use super::refusal::Refusal;
use super::state::{Failure, Illegal, Session, State};
use super::verdict::Verdict;
use super::wish::Command;

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
    /// The terminal's list has been compared with our memory.
    Listed(Verdict),
    /// Somebody wants something.
    Command(Command),
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
    errand: Option<Errand>,
    /// Whether the terminal is ready; `None` for no change.
    ready: Option<bool>,
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
    /// Commit or Void, in the turn that is ours.
    Attempt(Request),
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
}

/// What decides about a session besides itself.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What the operator has chosen.
    pub policy: Policy,
    /// What the terminal can do.
    pub family: Family,
    /// How long the terminal may take for Auth (PSP, Timeouts).
    pub authorise_timeout: Duration,
}

/// A session and what is to be done about it.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) session: Session,
    rules: Rules,
    errand: Errand,
    ready: bool,
}

impl Step {
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn append(facts: impl Into<Vec<Fact>>) -> Self {
        Self { append: facts.into(), ..Self::default() }
    }

    fn then(mut self, effect: Effect) -> Self {
        self.then.push(effect);
        self
    }

    fn busy_with(mut self, errand: Errand) -> Self {
        self.errand = Some(errand);
        self
    }
}

impl Machine {
    /// A machine for a session that was just opened or read from the journal.
    pub fn new(session: Session, rules: Rules) -> Self {
        Self { session, rules, errand: Errand::Idle, ready: false }
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

    /// What it is busy with.
    pub fn errand(&self) -> Errand {
        self.errand
    }

    /// What follows from an input. Nothing has happened until [`Machine::done`].
    pub fn on(&self, input: Input, now: Timestamp) -> Result<Step, Refusal> {
        let step = match input {
            Input::Begin => self.begin(),
            Input::Recover => self.recover(),
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
            Input::NotReady => Step { ready: Some(false), ..self.no_longer(Errand::Turn) },
            Input::Turn => self.turn(now),
            Input::Attempted(outcome) => self.attempted(outcome, now),
            Input::Listed(verdict) => self.listed(verdict, now),
            Input::Command(command) => return self.command(command, now),
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
            Input::Tick | Input::Command(_) => Some((Vec::new(), None)),
            _ => None,
        }
    }

    /// When [`Input::Tick`] is next worth while.
    pub fn next_tick(&self) -> Option<Timestamp> {
        match (&self.session.state, &self.session.hold) {
            // Alert means that nobody but a person ends it: nothing is to be done at that time.
            (State::Held, Some(hold)) if self.session.charging() && hold.at_end == AtEnd::Alert => None,
            (State::CardRead(_), _) | (State::Held, Some(_)) => disposal::deadline(&self.session),
            (State::InDoubt(_), _) if !self.rules.family.lists_sessions() => disposal::deadline(&self.session),
            (State::Disposing | State::Uncertain(_), _) if self.ready && self.errand == Errand::Idle => self.attempt_due_at(),
            _ => None,
        }
    }

    /// An orphan has its hold already: no card flow is its own.
    fn waits_for_card(&self) -> bool {
        self.session.state == State::Opened && self.session.origin != Origin::Orphan
    }

    fn begin(&self) -> Step {
        // One that begins with a card has its flow already.
        if self.waits_for_card() && self.session.origin == Origin::Api {
            Step::none().then(Effect::StartFlow).busy_with(Errand::CardFlow)
        } else {
            Step::none()
        }
    }

    /// The run in which things were under way is over, so what it waited for will not be answered any more.
    fn recover(&self) -> Step {
        match (&self.session.state, &self.session.disposal) {
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

    fn flow_ended(&self, outcome: link::Outcome) -> Step {
        let failed = |why: String| Fact::Failed { why };
        if let State::CardRead(_) = self.session.state {
            let fact = match outcome {
                link::Outcome::Unsent | link::Outcome::Unanswered(_) => {
                    failed("the link was lost before anybody said to authorise the card".to_owned())
                }
                link::Outcome::Answered(_) | link::Outcome::FlowEnded => Fact::Cancelled { by: CancelledBy::Terminal },
            };
            return Step::append([fact]).busy_with(Errand::Idle);
        }
        if !self.waits_for_card() {
            return Step::none();
        }
        let fact = match outcome {
            link::Outcome::Answered(Response::Cancelled) | link::Outcome::FlowEnded => {
                Fact::Cancelled { by: CancelledBy::Terminal }
            }
            link::Outcome::Answered(Response::Result(Answer::NotOk(Some(Reason::CANCELLED)))) => {
                Fact::Cancelled { by: CancelledBy::Terminal }
            }
            link::Outcome::Answered(Response::Declined { reason, .. }) => Fact::Declined { reason },
            link::Outcome::Answered(Response::Result(Answer::NotOk(reason))) => {
                failed(format!("the terminal refused to start: {}", explain(reason.map(|reason| reason.0))))
            }
            link::Outcome::Answered(other) => failed(format!("the terminal answered Start Session with {}", other.name())),
            link::Outcome::Unsent => failed("the link was gone before Start Session could be sent".to_owned()),
            link::Outcome::Unanswered(_) => failed("the link was lost before a card was read".to_owned()),
        };
        Step::append([fact]).busy_with(Errand::Idle)
    }

    fn card_read(&self, card: Card, now: Timestamp) -> Step {
        if !self.waits_for_card() {
            // It ended while the card was on its way.
            return Step::none().then(Effect::CancelFlow);
        }
        match self.rules.policy.authorise {
            Authorise::Auto => self.authorise(Some(card), now),
            Authorise::Ask => {
                let authorise_by = now.after(self.rules.policy.authorise_within);
                Step::append([Fact::CardRead { card, authorise_by }]).busy_with(Errand::CardFlow)
            }
        }
    }

    pub(super) fn authorise(&self, card: Option<Card>, now: Timestamp) -> Step {
        let starts_at_the_latest = now.after(self.rules.authorise_timeout);
        let dead_man = self.dead_man(starts_at_the_latest);
        let intended = Fact::AuthoriseIntended { card, dead_man };
        Step::append([intended]).then(Effect::Authorise).busy_with(Errand::CardFlow)
    }

    pub(super) fn cancel(&self, by: CancelledBy) -> Step {
        if !self.session.before_hold() {
            return Step::none();
        }
        Step::append([Fact::Cancelled { by }]).then(Effect::CancelFlow).busy_with(Errand::Idle)
    }

    fn authorised(&self, outcome: link::Outcome, now: Timestamp) -> Step {
        let State::Authorising(_) = self.session.state else {
            return Step::none();
        };
        let fact = match outcome {
            link::Outcome::Answered(Response::Approved { session, .. }) => {
                self.hold_placed(session, self.session.amount_requested, Learned::Approved, now)
            }
            link::Outcome::Answered(Response::PartiallyApproved { session, amount, .. }) => {
                self.hold_placed(session, Some(amount), Learned::PartiallyApproved, now)
            }
            link::Outcome::Answered(Response::Declined { reason, .. }) => Fact::Declined { reason },
            link::Outcome::Answered(Response::Cancelled) => Fact::Cancelled { by: CancelledBy::Terminal },
            link::Outcome::Answered(Response::Result(Answer::NotOk(reason))) => {
                Fact::Failed { why: format!("the terminal refused to authorise: {}", explain(reason.map(|reason| reason.0))) }
            }
            link::Outcome::Unsent => Fact::Failed { why: "the link or the card was gone before Auth could be sent".to_owned() },
            link::Outcome::Answered(_) | link::Outcome::FlowEnded => Fact::AuthoriseUnanswered { cause: Cause::Resynchronised },
            link::Outcome::Unanswered(cause) => Fact::AuthoriseUnanswered { cause },
        };
        Step::append([fact]).busy_with(Errand::Idle)
    }

    fn dead_man(&self, from: Timestamp) -> DeadMan {
        let policy = &self.rules.policy;
        DeadMan { at: Some(from.after(policy.terminal_timeout)), action: policy.terminal_timeout_action }
    }

    fn hold_placed(&self, id: TerminalSessionId, amount: Option<Amount>, learned: Learned, now: Timestamp) -> Fact {
        let policy = &self.rules.policy;
        Fact::HoldPlaced {
            terminal_session_id: id,
            amount,
            learned,
            plug_in_by: now.after(policy.plug_in_timeout),
            end_by: now.after(policy.max_session),
            at_end: policy.on_max_session,
            dead_man: self.dead_man(now),
        }
    }

    pub(super) fn decide(&self, decision: Decision, by: DecidedBy) -> Step {
        self.and_ask_turn(Step::append([Fact::DisposalDecided { decision, by }]), self.ready)
    }

    fn and_ask_turn(&self, step: Step, ready: bool) -> Step {
        if ready && self.errand == Errand::Idle { step.then(Effect::AskTurn).busy_with(Errand::Turn) } else { step }
    }

    /// When the next attempt may be made; none when there is nothing to attempt, or no more.
    fn attempt_due_at(&self) -> Option<Timestamp> {
        let disposal = self.session.disposal.as_ref().filter(|disposal| !disposal.under_way)?;
        match self.session.state {
            State::Disposing => {}
            // A number that the terminal has forgotten may come to mean another session: never ask for it again.
            State::Uncertain(_) if disposal.last_failure == Some(Failure::Refused(Some(Reason::SESSION_NOT_FOUND.0))) => {
                return None;
            }
            State::Uncertain(_) if self.rules.family.lists_sessions() => return None,
            State::Uncertain(_) => {}
            _ => return None,
        }
        let ended_at = disposal.last_ended_at.unwrap_or(disposal.decided_at);
        match disposal.last_failure {
            None | Some(Failure::Unsent) => Some(ended_at),
            // Damaged on the way (PSP, Errors, 0x04): the same bytes again, at once.
            Some(Failure::Refused(Some(reason)))
                if reason == Reason::INCORRECT_CHECKSUM.0 && disposal.refusals <= disposal::REPEATS_AT_ONCE =>
            {
                Some(ended_at)
            }
            Some(Failure::Unanswered(_) | Failure::Refused(_)) => {
                Some(disposal::next_attempt_at(&self.rules.policy.retry, disposal.attempts, ended_at))
            }
        }
    }

    /// This errand is over; one of another kind goes on.
    fn no_longer(&self, errand: Errand) -> Step {
        Step { errand: (self.errand == errand).then_some(Errand::Idle), ..Step::none() }
    }

    fn ask_turn_if_due(&self, now: Timestamp, ready: bool) -> Step {
        match self.attempt_due_at() {
            Some(due) if due <= now => self.and_ask_turn(Step::none(), ready),
            Some(_) | None => Step::none(),
        }
    }

    fn turn(&self, now: Timestamp) -> Step {
        let (Some(due), Some(hold), Some(disposal)) = (self.attempt_due_at(), &self.session.hold, &self.session.disposal)
        else {
            return self.no_longer(Errand::Turn).then(Effect::ReleaseTurn);
        };
        let (true, Some(attempt)) = (due <= now && self.ready, disposal.attempts.checked_add(1)) else {
            return self.no_longer(Errand::Turn).then(Effect::ReleaseTurn);
        };
        let session = hold.terminal_session_id;
        let request = match disposal.decision {
            Decision::Commit(amount) => Request::CommitSession { session, amount },
            Decision::Void => Request::VoidSession { session },
        };
        Step::append([Fact::AttemptStarted { attempt }]).then(Effect::Attempt(request)).busy_with(Errand::Attempt)
    }

    fn attempted(&self, outcome: link::Outcome, now: Timestamp) -> Step {
        let Some(disposal) = self.session.disposal.as_ref().filter(|disposal| disposal.under_way) else {
            return self.no_longer(Errand::Attempt);
        };
        let attempt = disposal.attempts;
        let step = match outcome {
            link::Outcome::Answered(Response::Result(Answer::Ok)) => Step::append([Fact::Disposed {
                outcome: disposal::outcome_of(disposal.decision),
                confirmed_by: ConfirmedBy::ResultOk,
            }]),
            link::Outcome::Answered(Response::Result(Answer::NotOk(reason))) => self.refused(attempt, reason, now),
            link::Outcome::Unsent => Step::append([Fact::AttemptUnsent { attempt }]),
            link::Outcome::Unanswered(cause) => Step::append([Fact::AttemptUnanswered { attempt, cause }]),
            link::Outcome::Answered(_) | link::Outcome::FlowEnded => {
                Step::append([Fact::AttemptUnanswered { attempt, cause: Cause::Resynchronised }])
                    .then(Effect::SetUpAgain("the answer to a disposal was none"))
            }
        };
        step.busy_with(Errand::Idle)
    }

    fn refused(&self, attempt: u32, reason: Option<Reason>, now: Timestamp) -> Step {
        let mut step = Step::append([Fact::AttemptRefused { attempt, reason: reason.map(|reason| reason.0) }]);
        let Some(disposal) = &self.session.disposal else { return step };
        let lists = self.rules.family.lists_sessions();
        match disposal::refused(&self.session, disposal, reason, lists, now) {
            Meaning::Over(outcome, confirmed_by) => step.append.push(Fact::Disposed { outcome, confirmed_by }),
            Meaning::Unknowable(why) => self.push_uncertain(&mut step, why),
            Meaning::AtOnce => {}
            meaning @ (Meaning::SetUpAgain | Meaning::Again) => {
                if disposal.refusals.saturating_add(1) >= disposal::REFUSALS_UNTIL_UNCERTAIN && !lists {
                    self.push_uncertain(&mut step, "the terminal has refused five times; it is asked again, slowly");
                }
                if meaning == Meaning::SetUpAgain {
                    step.then.push(Effect::SetUpAgain("the terminal refused a disposal for want of a proper state"));
                }
            }
        }
        step
    }

    fn push_uncertain(&self, step: &mut Step, why: &str) {
        if !matches!(self.session.state, State::Uncertain(_)) {
            step.append.push(Fact::BecameUncertain { why: why.to_owned() });
        }
    }

    fn listed(&self, verdict: Verdict, now: Timestamp) -> Step {
        if self.errand == Errand::Attempt {
            // The list is older than the attempt that is under way.
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
            (Verdict::Absent, State::Held, Some(hold)) => self.vanished(disposal::vanished(hold.dead_man, now)),
            (Verdict::Absent, State::Disposing | State::Uncertain(_), Some(hold)) => match &self.session.disposal {
                Some(disposal) if disposal.doubtful => {
                    self.vanished(disposal::vanished_after_doubt(disposal, hold.dead_man, ConfirmedBy::ListAbsent, now))
                }
                Some(_) | None => self.vanished(disposal::vanished(hold.dead_man, now)),
            },
            (Verdict::Present | Verdict::Absent | Verdict::NoHold | Verdict::Adopt(_), _, _) => Step::none(),
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
            (State::Held, Some(hold)) if self.session.charging() && now >= hold.end_by => match hold.at_end {
                AtEnd::CommitLastKnown => self.decide(self.last_known(), DecidedBy::MaxSession),
                AtEnd::Void => self.decide(Decision::Void, DecidedBy::MaxSession),
                AtEnd::Alert => Step::none(),
            },
            (State::Held, Some(hold)) if !self.session.charging() && now >= hold.plug_in_by => {
                self.decide(Decision::Void, DecidedBy::PlugInTimeout)
            }
            (State::InDoubt(dead_man), _) if !self.rules.family.lists_sessions() && disposal::timer_is_past(*dead_man, now) => {
                self.vanished(disposal::vanished(*dead_man, now))
            }
            (State::Disposing | State::Uncertain(_), _) => self.ask_turn_if_due(now, self.ready),
            _ => Step::none(),
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

/// A reason in words; families that give none leave us without.
fn explain(reason: Option<u8>) -> String {
    reason.map_or_else(|| "without a reason".to_owned(), |reason| format!("reason 0x{reason:02X}"))
}
