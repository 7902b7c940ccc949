//! What a person should know of an open session: whether somebody must act, and why it is where it is, in a sentence. Pure.

use crate::journal::record::{AtEnd, DeadManAction, Decision, Outcome};
use crate::session::state::Disposal;
use crate::session::words::last_error;
use crate::session::{Session, State};
use crate::terminal::View;
use crate::terminal::view::LinkState;
use crate::time::Timestamp;

use super::super::view::decided_by;

/// Who has to do something; the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Nothing moves until a person does something.
    Person,
    /// The program is at it, but it takes longer than it should.
    Waiting,
    /// Nobody.
    None,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Concern {
    pub(super) urgency: Urgency,
    pub(super) sentence: String,
}

/// What is to be said of a session; `terminal` is none when it is not configured any more.
pub(super) fn of(session: &Session, terminal: Option<&View>, deadline: Option<Timestamp>, now: Timestamp) -> Concern {
    let concern = without_proposal(session, terminal, deadline, now);
    let Some(proposed) = &session.resolution else { return concern };
    let outcome = match proposed.outcome {
        Outcome::Committed(amount) => {
            format!("{} {} committed", session.currency.major(amount.minor().into()), session.currency)
        }
        Outcome::Voided => "voided".to_owned(),
        Outcome::Expired => "expired".to_owned(),
    };
    let sentence = format!("{} {} proposes: {outcome}; another admin has to say the same.", concern.sentence, proposed.by);
    Concern { urgency: Urgency::Person, sentence: sentence.trim_start().to_owned() }
}

fn without_proposal(session: &Session, terminal: Option<&View>, deadline: Option<Timestamp>, now: Timestamp) -> Concern {
    let overdue = deadline.is_some_and(|at| at < now);
    let link = Link::of(terminal);
    match &session.state {
        State::Uncertain(why) => Concern {
            urgency: Urgency::Person,
            sentence: format!("{why}; find out what became of it, then resolve the session."),
        },
        _ if link == Link::NotConfigured => Concern {
            urgency: Urgency::Person,
            sentence: "its terminal is not in the configuration, so nobody can end this hold.".to_owned(),
        },
        State::InDoubt(dead_man) => Concern {
            urgency: Urgency::Waiting,
            sentence: format!(
                "the bank's answer was lost, so there may be a hold; {}{}.",
                match dead_man.action {
                    DeadManAction::Void => "the terminal's own timer gives it back in any case",
                    DeadManAction::Commit => "the terminal's own timer would take all of it",
                },
                link.suffix()
            ),
        },
        State::Disposing => disposing(session, &link, overdue),
        State::Held if overdue => held_too_long(session, &link),
        _ => Concern { urgency: Urgency::None, sentence: String::new() },
    }
}

fn disposing(session: &Session, link: &Link<'_>, overdue: bool) -> Concern {
    let Some(disposal) = &session.disposal else {
        return Concern { urgency: Urgency::None, sentence: String::new() };
    };
    // The first attempt is business as usual while the link is up.
    let at_ease = !overdue && disposal.refusals == 0 && !disposal.doubtful && *link == Link::Up;
    let urgency = match (at_ease, link) {
        (true, _) => Urgency::None,
        (false, Link::Quarantined(_)) => Urgency::Person,
        (false, _) => Urgency::Waiting,
    };
    Concern { urgency, sentence: format!("{}{}.", decision(session, disposal), link.suffix()) }
}

/// `committing 31.40 EUR was decided (api) and tried twice; last: refused: not ready (0x11)`.
fn decision(session: &Session, disposal: &Disposal) -> String {
    let what = match disposal.decision {
        Decision::Commit(amount) => format!("taking {} {}", session.currency.major(amount.minor().into()), session.currency),
        Decision::Void => "giving it back".to_owned(),
    };
    let tried = match disposal.attempts {
        0 => "not tried yet".to_owned(),
        1 => "tried once".to_owned(),
        2 => "tried twice".to_owned(),
        more => format!("tried {more} times"),
    };
    let last = disposal.last_failure.map(|failure| format!("; last: {}", last_error(failure))).unwrap_or_default();
    format!("{what} is decided ({}) and {tried}{last}", decided_by(disposal.by).replace('_', " "))
}

fn held_too_long(session: &Session, link: &Link<'_>) -> Concern {
    let at_end = session.hold.as_ref().map(|hold| hold.at_end);
    if session.charging() && at_end == Some(AtEnd::Alert) {
        let sentence = "nobody has ended it in time, and by the configuration a person decides: commit or void it.".to_owned();
        return Concern { urgency: Urgency::Person, sentence };
    }
    Concern { urgency: Urgency::Waiting, sentence: format!("nobody has ended it in time{}.", link.suffix()) }
}

/// The terminal's link, as far as it explains a delay.
#[derive(Debug, PartialEq, Eq)]
enum Link<'a> {
    Up,
    Down(Option<&'a str>),
    Quarantined(Option<&'a str>),
    NotConfigured,
}

impl<'a> Link<'a> {
    fn of(terminal: Option<&'a View>) -> Self {
        let Some(view) = terminal else { return Self::NotConfigured };
        match view.link {
            LinkState::Up => Self::Up,
            LinkState::Down => Self::Down(view.last_error.as_deref()),
            LinkState::Quarantined => Self::Quarantined(view.last_error.as_deref()),
        }
    }

    fn suffix(&self) -> String {
        let told = |error: &Option<&str>| error.map(|error| format!(" ({error})")).unwrap_or_default();
        match self {
            Self::Up | Self::NotConfigured => String::new(),
            Self::Down(error) => format!("; its terminal cannot be reached{}", told(error)),
            Self::Quarantined(error) => format!("; its terminal fails again and again{}: look at it", told(error)),
        }
    }
}
