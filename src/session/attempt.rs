//! The way from a decision to the end of a hold: when the command lane is asked for, what is sent in the turn, and what each answer
//! makes of it.

use crate::id::SessionId;
use crate::journal::record::{Cause, ConfirmedBy, DecidedBy, Decision, Fact};
use crate::link;
use crate::protocol::Request;
use crate::protocol::response::{Reason, Response, Verdict as Answer};
use crate::time::Timestamp;

use super::disposal::{self, Meaning};
use super::machine::{Effect, Errand, Machine, Step};
use super::state::{Failure, State};

impl Machine {
    pub(super) fn decide(&self, decision: Decision, by: DecidedBy) -> Step {
        self.and_ask_turn(Step::append([Fact::DisposalDecided { decision, by }]), self.ready && !self.waits_for_list())
    }

    /// It was missing, and the terminal has not listed it again on this link.
    fn waits_for_list(&self) -> bool {
        let doubted = self.session.hold.as_ref().is_some_and(|hold| hold.doubted_since.is_some());
        doubted && self.rules.family.lists_sessions() && !self.listed
    }

    pub(super) fn and_ask_turn(&self, step: Step, ready: bool) -> Step {
        // An update that waits for its turn gives way.
        if ready && (self.errand == Errand::Idle || self.update_waits()) {
            step.then(Effect::AskTurn).busy_with(Errand::Turn)
        } else {
            step
        }
    }

    /// When the next attempt may be made; none when there is nothing to attempt, or no more.
    pub(super) fn attempt_due_at(&self) -> Option<Timestamp> {
        let disposal = self.session.disposal.as_ref().filter(|disposal| !disposal.under_way)?;
        // A number that means another session is never asked for.
        if self.session.number_reused() {
            return None;
        }
        match self.session.state {
            // One that was missing is asked for again only when the terminal lists it again.
            _ if self.waits_for_list() => return None,
            State::Disposing => {}
            // A number that the terminal has forgotten may come to mean another session: never ask for it again.
            State::Uncertain(_) if disposal.last_failure == Some(Failure::Refused(Some(Reason::SESSION_NOT_FOUND.0))) => {
                return None;
            }
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
    pub(super) fn no_longer(&self, errand: Errand) -> Step {
        Step { errand: (self.errand == errand).then_some(Errand::Idle), ..Step::none() }
    }

    pub(super) fn ask_turn_if_due(&self, now: Timestamp, ready: bool) -> Step {
        match self.attempt_due_at() {
            Some(due) if due <= now => self.and_ask_turn(Step::none(), ready),
            Some(_) | None => Step::none(),
        }
    }

    /// The turn that was asked for will not come, or is of no use any more.
    pub(super) fn turn_lost(&self) -> Step {
        let unsent: &[Fact] = if self.update_waits() { &[Fact::UpdateUnsent] } else { &[] };
        Step { append: unsent.to_vec(), ..self.no_longer(Errand::Turn) }
    }

    pub(super) fn turn(&self, now: Timestamp) -> Step {
        match self.attempt(now) {
            // The lane is ours already, until the update is answered.
            _ if self.errand == Errand::Update => Step::none(),
            Some(mut step) => {
                step.append.splice(0..0, self.turn_lost().append);
                step
            }
            None if self.ready && self.update_waits() && self.session.state == State::Held => self.send_update(),
            None => self.turn_lost().then(Effect::ReleaseTurn),
        }
    }

    /// Commit or Void, if it is due.
    pub(super) fn attempt(&self, now: Timestamp) -> Option<Step> {
        let (hold, disposal) = (self.session.hold.as_ref()?, self.session.disposal.as_ref()?);
        self.attempt_due_at().filter(|due| *due <= now && self.ready)?;
        let attempt = disposal.attempts.checked_add(1)?;
        let session = hold.terminal_session_id;
        let request = match disposal.decision {
            Decision::Commit(amount) => Request::CommitSession { session, amount },
            Decision::Void => Request::VoidSession { session },
        };
        let started = Fact::AttemptStarted { attempt };
        Some(Step::append([started]).then(Effect::Attempt(request)).busy_with(Errand::Attempt))
    }

    pub(super) fn attempted(&self, outcome: link::Outcome, now: Timestamp) -> Step {
        let Some(disposal) = self.session.disposal.as_ref().filter(|disposal| disposal.under_way) else {
            return self.no_longer(Errand::Attempt);
        };
        let attempt = disposal.attempts;
        let reused = self.session.number_reused();
        let step = match outcome {
            // Whose session it was that ended, or was refused to end, nobody knows.
            link::Outcome::Answered(_) if reused => {
                Step::append([Fact::AttemptUnanswered { attempt, cause: Cause::Resynchronised }])
            }
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

    pub(super) fn number_reused(&self, by: SessionId, listed: bool) -> Step {
        let held = matches!(self.session.state, State::Held | State::Disposing | State::Uncertain(_));
        if !held || self.session.hold.is_none() || self.session.number_reused() {
            return Step::none();
        }
        let mut step = self.turn_lost();
        step.append.push(Fact::NumberReused { by, listed });
        step
    }

    pub(super) fn number_shared(&self, with: SessionId) -> Step {
        match &self.session.hold {
            Some(hold) if self.session.state == State::Held && hold.shared_with.is_none() => {
                Step::append([Fact::NumberShared { with }])
            }
            Some(_) | None => Step::none(),
        }
    }

    pub(super) fn refused(&self, attempt: u32, reason: Option<Reason>, now: Timestamp) -> Step {
        let mut step = Step::append([Fact::AttemptRefused { attempt, reason: reason.map(|reason| reason.0) }]);
        let Some(disposal) = &self.session.disposal else { return step };
        match disposal::refused(&self.session, disposal, reason, &self.rules, now) {
            Meaning::Over(outcome, confirmed_by) => step.append.push(Fact::Disposed { outcome, confirmed_by }),
            Meaning::Unknowable(why) => self.push_uncertain(&mut step, why),
            Meaning::AtOnce => {}
            meaning @ (Meaning::SetUpAgain | Meaning::Again) => {
                let lists = self.rules.family.lists_sessions();
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

    pub(super) fn push_uncertain(&self, step: &mut Step, why: &str) {
        if !matches!(self.session.state, State::Uncertain(_)) {
            step.append.push(Fact::BecameUncertain { why: why.to_owned() });
        }
    }
}
