//! What follows from the comparison of our undisposed sessions with the terminal's list (an approval that was
//! never heard, a disposal whose answer was lost, an orphan).
//!
//! ```text
//!   terminal has   ours               two lists say      verdict
//!   id             hold with that id  there              Present
//!   –              hold               missing in both    Absent
//!   id             nobody's           there in both      Adopt by a session in doubt, else an orphan
//!   –              in doubt           no unknown id      NoHold, once Auth's own time is over: the bank may be slow
//! ```
//!
//! A terminal that lacks a hold which nobody has ended has forgotten it, and may have forgotten others; and of a journal that is damaged what
//! has ended a session may be lost. What is missing then is Unproven. Where `quirks.keeps_sessions` says that a terminal forgets, a disposal
//! in doubt is Unproven, and an authorisation in doubt gets no verdict: it waits for the terminal's own timer.
//!
//! A list is no snapshot, so one list alone never changes anything. Whatever moved while the lists were read gets no verdict
//! this time; the next reconciliation sees it at rest.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::id::{SessionId, TerminalSessionId};
use crate::journal::record::{Discrepancy, DiscrepancyKind};
use crate::session::disposal::timer_may_be_past;
use crate::session::policy::OrphanPolicy;
use crate::session::state::{Disposal, Failure, Hold};
use crate::session::{Session, State, Verdict};
use crate::time::Timestamp;

/// What there is to compare.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The terminal's undisposed sessions, and those that ended since `began`: their numbers may still stand in the lists.
    pub sessions: &'a [Session],
    /// Whether the terminal's family can list at all.
    pub can_list: bool,
    /// What the terminal says; none before it was asked.
    pub lists: Option<Lists<'a>>,
    /// Whether the terminal is believed to know its open sessions for as long as nobody ends them.
    pub keeps_sessions: bool,
    /// What to do with a hold that nobody knows.
    pub orphan_policy: OrphanPolicy,
    /// A part of the journal is lost or cannot be believed: what nobody knows may have been known, and somebody may be charging on it.
    pub past_unsure: bool,
    /// How long Auth may take: a hold may appear for so long after it was sent.
    pub authorise_timeout: Duration,
    /// When the first page of the first list was asked for.
    pub began: Timestamp,
}

/// The terminal's lists, complete.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    /// The first one.
    pub first: &'a [TerminalSessionId],
    /// The second one, once it was asked for.
    pub second: Option<&'a [TerminalSessionId]>,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to tell which session.
    pub verdicts: Vec<(SessionId, Verdict)>,
    /// Holds to be voided, each with a session of its own.
    pub orphans: Vec<TerminalSessionId>,
    /// Every disagreement, with what is done and why.
    pub discrepancies: Vec<Discrepancy>,
    /// Something would be touched: list again, then plan again. Everything else is empty then.
    pub needs_second_list: bool,
}

impl Plan {
    /// Compares.
    pub fn of(question: &Question<'_>) -> Self {
        let Some(lists) = question.lists.filter(|_| question.can_list) else {
            return Self::default();
        };
        match lists.second {
            Some(second) => Self::of_two(question, lists.first, second),
            None => {
                // What the same list said twice would do is what a second list must confirm.
                let supposed = Self::of_two(question, lists.first, lists.first);
                if supposed.touches_something() { Self { needs_second_list: true, ..Self::default() } } else { supposed }
            }
        }
    }

    fn of_two(question: &Question<'_>, first: &[TerminalSessionId], second: &[TerminalSessionId]) -> Self {
        let mut plan = Self::default();
        let shown = Shown { first, second };
        let forgot_at = shown.forgot_at(question);
        for session in question.sessions {
            plan.compare_hold(question, session, &shown, forgot_at);
        }
        plan.place_unknown(question, &shown, forgot_at);
        plan
    }

    fn touches_something(&self) -> bool {
        let present = |(_, verdict): &(SessionId, Verdict)| *verdict == Verdict::Present;
        let orphan = |found: &Discrepancy| found.kind == DiscrepancyKind::OrphanOnTerminal;
        !self.verdicts.iter().all(present) || self.discrepancies.iter().any(orphan)
    }

    /// A session whose number we know: is it there?
    fn compare_hold(&mut self, question: &Question<'_>, session: &Session, shown: &Shown<'_>, forgot_at: Option<Timestamp>) {
        let (Some(hold), true) = (&session.hold, session.undisposed()) else { return };
        // A commit or void on its way makes both "there" and "missing" worthless, and its answer will tell more.
        if session.disposal.as_ref().is_some_and(|disposal| disposal.under_way) {
            return;
        }
        let id = hold.terminal_session_id;
        let there = shown.second.contains(&id);
        // A number that may mean another session says nothing by being there.
        if session.number_reused() || there && contested(question, session) {
            return;
        }
        if there {
            self.verdicts.push((session.id, Verdict::Present));
            if session.disposal.as_ref().is_some_and(last_attempt_unanswered) {
                self.found(DiscrepancyKind::DisposalOutstanding, Some(id), Some(session.id));
            }
        } else if shown.lack(question, hold) {
            let doubtful = session.disposal.as_ref().is_some_and(|disposal| disposal.doubtful);
            let forgotten = !question.keeps_sessions || forgot_at.is_some_and(|at| hold.since <= at);
            let proves_nothing = if doubtful { forgotten } else { question.past_unsure };
            self.verdicts.push((session.id, if proves_nothing { Verdict::Unproven } else { Verdict::Absent }));
            // One that waits for a person was found missing before; saying so every quarter of an hour would hide what is new.
            match (&session.state, proves_nothing, doubtful) {
                (State::Uncertain(_), ..) => {}
                (_, true, _) => self.found_unproven(Some(id), session.id),
                (_, false, true) => self.found(DiscrepancyKind::DisposalConfirmed, Some(id), Some(session.id)),
                (_, false, false) => self.found(DiscrepancyKind::MissingOnTerminal, Some(id), Some(session.id)),
            }
        }
    }

    /// Numbers that are nobody's, and sessions that may have placed a hold under a number that we never heard.
    fn place_unknown(&mut self, question: &Question<'_>, shown: &Shown<'_>, forgot_at: Option<Timestamp>) {
        let Shown { first, second } = shown;
        let owned = |session: &Session, id| owns(session, id, question.began) && !contested(question, session);
        let known = |id: &TerminalSessionId| question.sessions.iter().any(|session| owned(session, *id));
        let mut in_both: Vec<_> = second.iter().copied().filter(|id| first.contains(id) && !known(id)).collect();
        // A number that may be another session's is nobody's last choice, and never an orphan.
        let another = |id: TerminalSessionId| question.sessions.iter().any(|session| owns(session, id, question.began));
        in_both.sort_unstable_by_key(|id| (another(*id), *id));
        in_both.dedup();
        let in_one = first.iter().any(|id| !second.contains(id) && !known(id))
            || second.iter().any(|id| !first.contains(id) && !known(id));

        let authorising = question.sessions.iter().any(|session| matches!(session.state, State::Authorising(_)));
        if authorising && (in_one || !in_both.is_empty()) {
            // An unknown number may be the approval that is under way right now.
            return;
        }

        if question.past_unsure && !in_both.is_empty() {
            // Whether it is the hold of a session in doubt, or was told to somebody in a record that is lost, nobody can say.
            for id in in_both.into_iter().filter(|id| !another(*id)) {
                let (kind, why) = (DiscrepancyKind::OrphanOnTerminal, sentences(DiscrepancyKind::OrphanOnTerminal).1);
                self.push(
                    kind,
                    Some(id),
                    None,
                    "The hold is left as it is and only reported, since the journal is damaged.",
                    why,
                );
            }
            return;
        }

        // Which session adopts which hold does not matter for the money, since all of them are voided: oldest first. Of more
        // sessions than holds the younger ones have them: earlier lists have shown none for the others.
        let mut in_doubt: Vec<_> =
            question.sessions.iter().filter(|session| matches!(session.state, State::InDoubt(_))).collect();
        in_doubt.sort_unstable_by_key(|session| (session.created_at, session.id));
        let without = in_doubt.len().saturating_sub(in_both.len());
        let mut unknown = in_both.into_iter();
        for (place, session) in in_doubt.into_iter().enumerate() {
            let its_own = if place < without { None } else { unknown.next() };
            if let Some(id) = its_own {
                self.verdicts.push((session.id, Verdict::Adopt(id)));
                if another(id) {
                    self.found_contested(id, session.id);
                } else {
                    self.found(DiscrepancyKind::LostApproval, Some(id), Some(session.id));
                }
            } else if !in_one && session.changed_at < question.began && !bank_may_answer(question, session) {
                // Doubt that is younger than the lists is about a hold that they could not show yet.
                let forgotten = forgot_at.is_some_and(|at| session.asked_bank_at.is_some_and(|asked| asked <= at));
                if forgotten || question.past_unsure {
                    self.verdicts.push((session.id, Verdict::Unproven));
                    self.found_unproven(None, session.id);
                } else if question.keeps_sessions {
                    self.verdicts.push((session.id, Verdict::NoHold));
                    self.found(DiscrepancyKind::NoHold, None, Some(session.id));
                }
            }
        }
        for id in unknown.filter(|id| !another(*id)) {
            if question.orphan_policy == OrphanPolicy::Void {
                self.orphans.push(id);
            }
            self.found_orphan(id, question.orphan_policy);
        }
    }

    fn found(&mut self, kind: DiscrepancyKind, id: Option<TerminalSessionId>, session: Option<SessionId>) {
        let (action, why) = sentences(kind);
        self.push(kind, id, session, action, why);
    }

    fn found_contested(&mut self, id: TerminalSessionId, session: SessionId) {
        let action = "The session takes the hold as its own, and the hold is voided. The older session with this number stays uncertain, \
                      and nothing is sent about it any more.";
        let why = "The terminal had forgotten the number, and has listed it again twice in a row since the answer to this session's \
                   authorisation was lost: it may be either session's, and neither card may pay for the other.";
        self.push(DiscrepancyKind::LostApproval, Some(id), Some(session), action, why);
    }

    fn found_unproven(&mut self, id: Option<TerminalSessionId>, session: SessionId) {
        let action = "A person must find out what the bank holds: the session is not closed.";
        let why = "Two lists in a row show nothing of it, which proves nothing: the terminal lacks other holds, too, which nobody has ended, or is \
                   known to forget (quirks.keeps_sessions), or the journal is damaged.";
        self.push(DiscrepancyKind::MissingOnTerminal, id, Some(session), action, why);
    }

    fn found_orphan(&mut self, id: TerminalSessionId, policy: OrphanPolicy) {
        let kind = DiscrepancyKind::OrphanOnTerminal;
        let (voided, why) = sentences(kind);
        let action = match policy {
            OrphanPolicy::Void => voided,
            OrphanPolicy::Report => "The hold is left as it is and only reported, since policy.orphan_policy is \"report\".",
        };
        self.push(kind, Some(id), None, action, why);
    }

    fn push(
        &mut self,
        kind: DiscrepancyKind,
        terminal_session_id: Option<TerminalSessionId>,
        session: Option<SessionId>,
        action: &str,
        why: &str,
    ) {
        let (action, why) = (action.to_owned(), why.to_owned());
        self.discrepancies.push(Discrepancy { kind, terminal_session_id, session, action, why });
    }
}

/// Two complete lists.
struct Shown<'a> {
    first: &'a [TerminalSessionId],
    second: &'a [TerminalSessionId],
}

impl Shown<'_> {
    /// Neither shows a hold that is older than they.
    fn lack(&self, question: &Question<'_>, hold: &Hold) -> bool {
        let id = hold.terminal_session_id;
        !self.first.contains(&id) && !self.second.contains(&id) && hold.since < question.began
    }

    /// When the terminal was found to have forgotten a hold that nobody has tried to end, and its timer cannot have ended.
    fn forgot_at(&self, question: &Question<'_>) -> Option<Timestamp> {
        let open = |session: &&Session| {
            let untried = |disposal: &Disposal| !disposal.doubtful && !disposal.under_way && disposal.refusals == 0;
            let untried = session.disposal.as_ref().is_none_or(untried);
            session.undisposed() && untried && !session.number_reused()
        };
        let holds = question.sessions.iter().filter(open).filter_map(|session| session.hold.as_ref());
        let found =
            holds.filter(|hold| self.lack(question, hold)).map(|hold| (hold, hold.doubted_since.unwrap_or(question.began)));
        found.filter(|(hold, at)| !timer_may_be_past(hold.dead_man, *at)).map(|(_, at)| at).max()
    }
}

/// The number is this session's, so it is not an unknown one. A session that ended before the lists were read owns nothing any
/// more: the terminal then lists a reused number, or a hold that it should have let go.
fn owns(session: &Session, id: TerminalSessionId, began: Timestamp) -> bool {
    let same = session.hold.as_ref().is_some_and(|hold| hold.terminal_session_id == id);
    same && !session.number_reused() && (session.undisposed() || session.changed_at >= began)
}

/// The bank may still be asked, and place the hold behind our lists.
fn bank_may_answer(question: &Question<'_>, session: &Session) -> bool {
    session.asked_bank_at.is_some_and(|at| question.began < at.after(question.authorise_timeout))
}

/// A session whose hold the terminal had forgotten, whatever was decided since, and a bank that may have answered after that to another
/// session, which does not know what it got: a terminal that begins its numbers anew may have given this one to the other.
fn contested(question: &Question<'_>, session: &Session) -> bool {
    let Some(lost) = session.hold.as_ref().and_then(|hold| hold.doubted_since) else { return false };
    let unknown = |other: &&Session| matches!(other.state, State::Authorising(_) | State::InDoubt(_));
    let since = |other: &Session| other.asked_bank_at.is_some_and(|at| at.after(question.authorise_timeout) >= lost);
    session.undisposed() && question.sessions.iter().filter(unknown).any(since)
}

fn last_attempt_unanswered(disposal: &Disposal) -> bool {
    matches!(disposal.last_failure, Some(Failure::Unanswered(_)))
}

/// What is done, and why.
const fn sentences(kind: DiscrepancyKind) -> (&'static str, &'static str) {
    match kind {
        DiscrepancyKind::OrphanOnTerminal => (
            "The hold is voided in a session of its own.",
            "The terminal listed it twice in a row, and no undisposed session here has its number.",
        ),
        DiscrepancyKind::LostApproval => (
            "The session takes the hold as its own, and the hold is voided.",
            "The answer to its authorisation was lost, the terminal listed an unknown hold twice in a row, and no energy was \
             ever allowed on it.",
        ),
        DiscrepancyKind::MissingOnTerminal => (
            "The session is told that its hold is gone, and is not closed silently: it expires when the terminal's own timer \
             is past, and otherwise a person must find out.",
            "The hold was missing in two lists in a row, and no commit or void of it was left unanswered.",
        ),
        DiscrepancyKind::DisposalConfirmed => (
            "The decided disposal counts as carried out.",
            "An attempt at it was left unanswered, and the hold was missing in two lists in a row.",
        ),
        DiscrepancyKind::DisposalOutstanding => {
            ("The same disposal is sent again.", "The last attempt was left unanswered, and the terminal still lists the hold.")
        }
        DiscrepancyKind::NoHold => (
            "The session ends as failed.",
            "The answer to its authorisation was lost, and two lists in a row show no hold that could be its own.",
        ),
    }
}
