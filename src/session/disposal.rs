//! The rules of commit and void: when to try again, and when doubt becomes uncertainty.
//!
//! | an attempt | what follows |
//! |---|---|
//! | OK | over: committed or voided |
//! | no answer | doubt: set up again, then the same again; a P6X's list is read before |
//! | "not found" (0x0C) after doubt, or missing in two lists | it was carried out, unless the terminal's own timer may have come first |
//! | the same, of a terminal that forgets sessions | uncertain: it may have forgotten this one |
//! | "not found" to a first attempt | expired if the terminal's timer is past and voids, else uncertain |
//! | wrong state, invalid, not ready (0x05, 0x0E, 0x11), or no reason from a P6X | set up again, then the next step of the ladder |
//! | damaged on the way (0x04) | the same again at once, a few times |
//! | anything else | the next step of the ladder |
//! | the fifth refusal by an Apollo | uncertain, and asked on, slowly; a P6X's list tells what there is to know |

use std::time::Duration;

use crate::journal::record::{ConfirmedBy, DeadMan, DeadManAction, Decision, Outcome};
use crate::protocol::response::Reason;
use crate::time::Timestamp;

use super::machine::Rules;
use super::state::{Disposal, Hold, Session, State};

/// After so many refused attempts a person should know; asking goes on at the ladder's last step.
pub const REFUSALS_UNTIL_UNCERTAIN: u32 = 5;

/// So often a request whose bytes were damaged on the way (0x04) is repeated at once; then the ladder is used.
pub(super) const REPEATS_AT_ONCE: u32 = 3;

/// The terminal's timer and ours do not start in the same instant, and its clock may be slow: only this long after its
/// time we believe that it has acted. A hundredth of the default timer of 24 h, rounded up.
pub const DEAD_MAN_MARGIN: Duration = Duration::from_secs(15 * 60);

/// The terminal's timer began when it approved, and ours when we heard so: this much later at most (PSP, Timeouts).
const APPROVAL_ON_ITS_WAY: Duration = Duration::from_secs(2 * 60);

/// So long after a decision its confirmation is overdue. Covers the ladder's first five steps and the terminal's 60 s for
/// each (PSP, Timeouts).
pub const CONFIRMATION_EXPECTED_WITHIN: Duration = Duration::from_secs(10 * 60);

/// What a refused attempt means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It was done by an earlier attempt, or by the terminal's timer.
    Over(Outcome, ConfirmedBy),
    /// Nobody here can find out; do not ask again.
    Unknowable(&'static str),
    /// Set the terminal up again, then try again.
    SetUpAgain,
    /// Try again, after as long as the ladder says.
    Again,
    /// The same, at once.
    AtOnce,
}

/// What a decision ends in when the terminal carries it out.
pub fn outcome_of(decision: Decision) -> Outcome {
    match decision {
        Decision::Commit(amount) => Outcome::Committed(amount),
        Decision::Void => Outcome::Voided,
    }
}

/// Whether the terminal's own timer must have acted by now.
pub fn timer_is_past(dead_man: DeadMan, now: Timestamp) -> bool {
    dead_man.at.is_some_and(|at| now >= at.after(DEAD_MAN_MARGIN))
}

/// Whether the terminal's own timer may have acted by now.
pub fn timer_may_be_past(dead_man: DeadMan, now: Timestamp) -> bool {
    dead_man.at.is_some_and(|at| now.after(APPROVAL_ON_ITS_WAY) >= at)
}

/// A session that the terminal does not know any more, although nobody here has ended it (or all attempts were refused).
pub fn vanished(dead_man: DeadMan, now: Timestamp) -> Meaning {
    match dead_man.action {
        DeadManAction::Void if timer_is_past(dead_man, now) => Meaning::Over(Outcome::Expired, ConfirmedBy::Timer),
        DeadManAction::Commit if timer_is_past(dead_man, now) => {
            Meaning::Unknowable("the terminal's own timer is past, and its action is to commit the whole hold")
        }
        DeadManAction::Void | DeadManAction::Commit => {
            Meaning::Unknowable("the terminal does not know the session any more, and nobody has ended it")
        }
    }
}

/// A session that the terminal does not know any more after an unanswered attempt: most likely that attempt was carried
/// out, unless the terminal's timer came first.
pub fn vanished_after_doubt(disposal: &Disposal, dead_man: DeadMan, known_by: ConfirmedBy, now: Timestamp) -> Meaning {
    let by_timer = timer_may_be_past(dead_man, now);
    match (disposal.decision, dead_man.action) {
        (Decision::Void, DeadManAction::Void) => Meaning::Over(Outcome::Voided, known_by),
        (Decision::Commit(_), _) | (Decision::Void, DeadManAction::Commit) if by_timer => {
            Meaning::Unknowable("the answer was lost, and the terminal's own timer may have acted first")
        }
        (Decision::Commit(_), _) | (Decision::Void, DeadManAction::Commit) => {
            Meaning::Over(outcome_of(disposal.decision), known_by)
        }
    }
}

/// A hold that a terminal does not list, although nobody has ended it. One that was missing before its timer can have acted was
/// forgotten, and the timer with it.
pub fn missing(hold: &Hold, now: Timestamp) -> Meaning {
    if hold.doubted_since.is_some_and(|since| !timer_may_be_past(hold.dead_man, since)) {
        return Meaning::Unknowable("the terminal has forgotten it, and its own timer with it");
    }
    vanished(hold.dead_man, now)
}

/// What Not OK to an attempt means.
pub fn refused(session: &Session, disposal: &Disposal, reason: Option<Reason>, rules: &Rules, now: Timestamp) -> Meaning {
    let Some(hold) = &session.hold else {
        return Meaning::Unknowable("there is no hold to dispose of");
    };
    match reason {
        Some(Reason::SESSION_NOT_FOUND) if disposal.doubtful && !rules.keeps_sessions => Meaning::Unknowable(
            "the answer was lost, and the terminal, which forgets sessions, does not know this one any more",
        ),
        Some(Reason::SESSION_NOT_FOUND) if disposal.doubtful => {
            vanished_after_doubt(disposal, hold.dead_man, ConfirmedBy::Presumed, now)
        }
        Some(Reason::SESSION_NOT_FOUND) => vanished(hold.dead_man, now),
        Some(Reason::INCORRECT_CHECKSUM) if disposal.refusals < REPEATS_AT_ONCE => Meaning::AtOnce,
        Some(Reason::WRONG_STATE | Reason::INVALID_STATE | Reason::NOT_READY) => Meaning::SetUpAgain,
        // A terminal that gives no reasons may have been restarted, or not know the session. Setting it up again and
        // reading its list tells the two apart.
        None if rules.family.lists_sessions() => Meaning::SetUpAgain,
        Some(_) | None => Meaning::Again,
    }
}

/// When the attempt after `attempts` attempts may be made: the ladder's step for it, the last one repeating.
pub fn next_attempt_at(ladder: &[Duration], attempts: u32, ended_at: Timestamp) -> Timestamp {
    let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let wait = ladder.get(step).or(ladder.last()).copied().unwrap_or(Duration::from_secs(3600));
    ended_at.after(wait)
}

/// By when a session should be disposed of; past it, it is overdue. Before there is a hold, by when somebody must say to go on.
/// None while there is nothing to wait for, and for what waits for a person.
pub fn deadline(session: &Session) -> Option<Timestamp> {
    match (&session.state, &session.hold, &session.disposal) {
        (State::CardRead(authorise_by), _, _) => Some(*authorise_by),
        (State::InDoubt(dead_man), _, _) => dead_man.at.map(|at| at.after(DEAD_MAN_MARGIN)),
        (State::Held, Some(hold), _) => Some(deadline_of_hold(session, hold)),
        (State::Disposing, _, Some(disposal)) => Some(disposal.decided_at.after(CONFIRMATION_EXPECTED_WITHIN)),
        _ => None,
    }
}

/// By when somebody must have decided about a hold: until energy flows it is the time to plug in.
pub(super) fn deadline_of_hold(session: &Session, hold: &Hold) -> Timestamp {
    if session.charging() { hold.end_by } else { hold.plug_in_by }
}
