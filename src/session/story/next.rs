//! What a session is now, and what comes next.

use crate::id::{SessionId, TerminalId};
use crate::journal::record::{AtEnd, ConfirmedBy, DeadManAction, Decision, Outcome};
use crate::time::Timestamp;

use super::super::disposal::{DEAD_MAN_MARGIN, deadline};
use super::super::words::last_error;
use super::super::{Session, State};
use super::sentence::{clock, money};

/// `Session … on bay-01, connector 1: committed, 31.40 EUR of 50.00 EUR held`.
pub(super) fn head(session: Option<&Session>, id: SessionId, terminal: Option<&TerminalId>, sound: bool) -> String {
    let Some(session) = session else {
        let place = terminal.map(|terminal| format!(" on {terminal}")).unwrap_or_default();
        return format!("Session {id}{place}: what it is now is not known, since a record is damaged or missing");
    };
    let plug = session.connector.map(|connector| format!(", connector {connector}")).unwrap_or_default();
    let in_money = |amount| money(amount, Some(session.currency));
    let held = session.hold.as_ref().and_then(|hold| hold.amount).map(in_money);
    let about = match (&session.state, held, session.amount_requested.map(in_money)) {
        (State::Disposed(Outcome::Committed(amount)), Some(held), _) => format!(", {} of {held} held", in_money(*amount)),
        (State::Disposed(Outcome::Committed(amount)), None, _) => format!(", {}", in_money(*amount)),
        (State::Disposed(_), Some(held), _) => format!(", {held} were held"),
        (State::Disposed(_), None, Some(asked)) => format!(", {asked} were asked for"),
        (State::Declined(_) | State::Cancelled(_) | State::Failed(_), _, Some(asked)) => format!(", {asked} were asked for"),
        (_, Some(held), _) => format!(", {held} held"),
        (_, None, Some(asked)) => format!(", {asked} asked for"),
        (_, None, None) => String::new(),
    };
    let unsure = if sound { "" } else { ", as far as its journal can be read" };
    format!("Session {id} on {}{plug}: {}{about}{unsure}", session.terminal, session.state_name().replace('_', " "))
}

/// What comes next, or what a person should do.
pub(super) fn next(session: Option<&Session>, id: SessionId, sound: bool, now: Timestamp) -> Vec<String> {
    let mut told = match session {
        Some(session) => of_state(session, now),
        None => vec![format!(
            "Ask the running program (quittance explain {id}), or find out at the acquirer or in the settlement file what became of it."
        )],
    };
    if !sound {
        told.push(
            "The journal is damaged here, so something may have happened that is not told. `quittance journal verify` names the first \
             damaged record; keep a copy of the file."
                .to_owned(),
        );
    }
    told
}

fn of_state(session: &Session, now: Timestamp) -> Vec<String> {
    let late = deadline(session).filter(|at| *at < now);
    let overdue = late.map(|at| format!("It is overdue since {}.", clock(at, now)));
    let id = session.id;
    let mut told = match &session.state {
        State::Opened => vec!["A card is waited for; nothing is held yet.".to_owned()],
        State::CardRead(by) => {
            vec![format!("POST /v1/sessions/{id}/authorise goes on; without it the card is dropped at {}.", clock(*by, now))]
        }
        State::Authorising(_) => vec!["The bank is being asked; whether there is a hold is known with its answer.".to_owned()],
        State::InDoubt(dead_man) => {
            let ends = match (dead_man.at, dead_man.action) {
                (Some(at), DeadManAction::Void) => format!(
                    "until its own timer has given the hold back: it counts as expired from {} on",
                    clock(at.after(DEAD_MAN_MARGIN), now)
                ),
                (Some(at), DeadManAction::Commit) => format!(
                    "until its own timer has taken all of it: a person has to find out from {} on",
                    clock(at.after(DEAD_MAN_MARGIN), now)
                ),
                (None, _) => "and its own timer is off: a person has to find out".to_owned(),
            };
            vec![format!(
                "There may be a hold. A P6X tells as soon as it can be asked for its list; an Apollo cannot be asked, so nothing can be \
                 done {ends}."
            )]
        }
        State::Held => held(session, now),
        State::Disposing => disposing(session),
        State::Uncertain(_) => {
            let mut told = vec![format!(
                "A person has to find out at the acquirer or in the settlement file what became of it, and then to say so: quittance \
                     resolve {id} --outcome committed --amount … --note \"…\" (or --outcome voided)."
            )];
            if session.disposal.is_some() && !session.number_reused() {
                told.push("Meanwhile the terminal is asked on, seldom; an answer that settles it is taken.".to_owned());
            }
            told
        }
        State::Disposed(_) => ended(session),
        State::Declined(_) | State::Cancelled(_) | State::Failed(_) => vec!["Nothing is left to be done.".to_owned()],
    };
    told.extend(overdue);
    if let Some(proposed) = session.resolution.as_ref().filter(|_| session.undisposed()) {
        told.push(format!(
            "{} has proposed how it ended; another admin settles it by saying the same: quittance resolve {id} ….",
            proposed.by
        ));
    }
    told
}

fn held(session: &Session, now: Timestamp) -> Vec<String> {
    let Some(hold) = &session.hold else { return Vec::new() };
    if !session.charging() {
        return vec![format!(
            "It waits for energy; without any it is voided at {}. It can be committed or voided at any time.",
            clock(hold.plug_in_by, now)
        )];
    }
    let energy = session.energy.map(|energy| money(energy, Some(session.currency))).unwrap_or_default();
    let end = clock(hold.end_by, now);
    vec![match hold.at_end {
        AtEnd::CommitLastKnown => format!("It is charging and waits to be committed; if nobody does by {end}, {energy} are."),
        AtEnd::Void => format!("It is charging and waits to be committed; if nobody does by {end}, it is voided."),
        AtEnd::Alert => {
            format!("It is charging and waits to be committed; from {end} on it is overdue, and a person has to decide.")
        }
    }]
}

fn disposing(session: &Session) -> Vec<String> {
    let Some(disposal) = &session.disposal else { return Vec::new() };
    let what = match disposal.decision {
        Decision::Commit(amount) => format!("The commit of {}", money(amount, Some(session.currency))),
        Decision::Void => "The void".to_owned(),
    };
    let tried = match (disposal.attempts, disposal.under_way) {
        (0, _) => "is sent as soon as the terminal can be reached".to_owned(),
        (attempts, true) => format!("is on its way (attempt {attempts}); if its answer is lost, the same is sent again"),
        (attempts, false) => format!("was tried {} and is sent again until the terminal answers", times(attempts)),
    };
    let last = disposal.last_failure.map(|failure| format!("; the last attempt: {}", last_error(failure))).unwrap_or_default();
    vec![format!(
        "{what} is decided, {tried}{last}. Nobody has to do anything but bring the terminal back, if `quittance terminals` shows that it is gone."
    )]
}

fn ended(session: &Session) -> Vec<String> {
    let confirmed_by = session.disposal.as_ref().and_then(|disposal| disposal.confirmed_by);
    vec![match confirmed_by {
        Some(ConfirmedBy::Presumed) => {
            "Nothing is left to be done here. It is presumed and not said by the terminal: compare it with the settlement file."
                .to_owned()
        }
        Some(ConfirmedBy::ResultOk | ConfirmedBy::ListAbsent | ConfirmedBy::Timer | ConfirmedBy::Person) | None => {
            "Nothing is left to be done.".to_owned()
        }
    }]
}

fn times(attempts: u32) -> String {
    match attempts {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}
