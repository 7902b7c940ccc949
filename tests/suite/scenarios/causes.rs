//! What may make a session end otherwise than was promised. Only what the script tells counts: nothing else excuses an end that leaves
//! the rest to people, and certainly not a restart.

use std::time::Duration;

use quittance::journal::record::DeadManAction;
use quittance::protocol::response::Reason;
use quittance::session::disposal::REFUSALS_UNTIL_UNCERTAIN;
use quittance::sim::{Command, Fault};

use super::play::ended;
use super::script::{Line, Says, Script, time};

/// The documented default of `policy.terminal_timeout`.
const TERMINAL_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// See the module.
pub(super) struct Causes {
    /// The terminal forgets its holds.
    pub(super) forgets: bool,
    /// The terminal says that it knows no such hold (0x0C).
    pub(super) denies: bool,
    /// It refuses so often that a person should know.
    refuses: bool,
    /// The terminal's own timer passes, and does this.
    timer: Option<DeadManAction>,
    /// Something happens to the link, the terminal or the orchestrator, so that an answer may be lost.
    pub(super) trouble: bool,
}

impl Causes {
    /// Of this person's session at this terminal, until the script expects that it has ended; of any session there, if nobody is named.
    pub(super) fn of(script: &Script, place: &str, who: Option<&str>) -> Self {
        let wants = |line: &Line| matches!(&line.says, Says::Wants { who: name, .. } if Some(name.as_str()) == who);
        let ends = |line: &Line| matches!(&line.says, Says::ExpectState { who: name, state } if Some(name.as_str()) == who && ended(state));
        let from = script.lines.iter().position(wants).unwrap_or(0);
        let until = script.lines.iter().position(ends).unwrap_or(script.lines.len());
        // A fault that was planned before waits for its command.
        let before = script.lines.get(..until).unwrap_or_default();
        let meanwhile = script.lines.get(from..until).unwrap_or_default();
        let here = |at: &str| at == place;
        let refusals = || {
            before.iter().filter_map(|line| match &line.says {
                Says::Meets { place, command: Command::Commit | Command::Void, fault: Fault::Refuse(reason) }
                    if here(place) =>
                {
                    Some(*reason)
                }
                _ => None,
            })
        };
        let passed: Duration =
            meanwhile.iter().map(|line| if let Says::Passes(long) = line.says { long } else { Duration::ZERO }).sum();
        let timeout = script.setting("terminal_timeout").and_then(|value| time(value).ok()).unwrap_or(TERMINAL_TIMEOUT);
        let action = match script.setting("terminal_timeout_action") {
            Some("commit") => DeadManAction::Commit,
            _ => DeadManAction::Void,
        };
        Self {
            forgets: meanwhile.iter().any(|line| matches!(&line.says, Says::Power { place, forgets: true } if here(place))),
            denies: refusals().any(|reason| reason == Reason::SESSION_NOT_FOUND),
            refuses: refusals().count() >= usize::try_from(REFUSALS_UNTIL_UNCERTAIN).unwrap_or(usize::MAX),
            timer: (timeout < passed).then_some(action),
            trouble: before.iter().any(|line| match &line.says {
                Says::Meets { place, .. } | Says::Power { place, .. } | Says::Plugged { place, .. } => here(place),
                Says::Silent { place, .. } => here(place),
                Says::Killed | Says::ToldToEnd | Says::JournalLost => true,
                _ => false,
            }),
        }
    }

    /// Nobody but a person can find out how it ended. `doubtful`: an attempt went unanswered, and the timer may have come before it.
    pub(super) fn uncertain(&self, doubtful: bool) -> bool {
        let timer = match self.timer {
            Some(DeadManAction::Commit) => true,
            Some(DeadManAction::Void) => doubtful,
            None => false,
        };
        self.forgets || self.denies || self.refuses || timer
    }

    /// The terminal's own timer has given the hold back.
    pub(super) fn expired(&self) -> bool {
        self.timer == Some(DeadManAction::Void)
    }
}
