//! Whether people were treated justly, by the bank's books, whatever happened on the way.

use std::collections::BTreeMap;

use quittance::id::SessionId;
use quittance::journal::record::{ConfirmedBy, DecidedBy, Decision, Outcome};
use quittance::journal::{Fact, Record};
use quittance::money::Amount;
use quittance::protocol::Family;
use quittance::session::ledger::Ledger;
use quittance::session::{Session, State};
use quittance::sim::{By, Hold, HoldState};

use super::causes::Causes;
use super::play::UNDER_WAY;
use super::script::Script;
use super::world::{Person, World};

/// What was wrong in the end, if only this script excuses anything; nothing, if all is well.
pub(super) fn judge(world: &World, script: &Script) -> Vec<String> {
    let records = world.records();
    let mut wrong: Vec<String> = world.bank().violations().iter().map(|violation| format!("the bank: {violation:?}")).collect();
    let ledger = match Ledger::replay(&records) {
        Ok(ledger) => ledger,
        Err(unsound) => return vec![format!("the journal does not follow from itself: {unsound}")],
    };
    if ledger.totals().imbalance() != 0 {
        wrong.push(format!("the ledger is out of balance: {:?}", ledger.totals()));
    }
    let sessions = ledger.into_sessions().map(|session| (session.id, session)).collect();
    let court = Court { world, script, sessions, decisions: decisions(&records) };
    wrong.extend(court.sessions.values().filter_map(|session| court.end(session)));
    wrong.extend(world.bank().holds().iter().filter_map(|hold| court.hold(hold)));
    for (who, person) in world.people() {
        if let Some(session) = person.session.and_then(|id| court.sessions.get(&id)) {
            wrong.extend(court.promise(&who, &person, session));
            wrong.extend(court.decision(&who, &person, session));
            wrong.extend(court.last_word(&who, &person, session));
        }
    }
    wrong
}

/// What the journal has decided of each session, once, and who.
fn decisions(records: &[Record]) -> BTreeMap<SessionId, (Decision, DecidedBy)> {
    let decided = |record: &Record| match (&record.entry.fact, record.entry.session) {
        (Fact::DisposalDecided { decision, by }, Some(session)) => Some((session, (*decision, *by))),
        _ => None,
    };
    records.iter().filter_map(decided).collect()
}

/// What there is to judge by.
struct Court<'a> {
    world: &'a World,
    script: &'a Script,
    sessions: BTreeMap<SessionId, Session>,
    decisions: BTreeMap<SessionId, (Decision, DecidedBy)>,
}

impl Court<'_> {
    /// Its terminal's list ends every doubt.
    fn lists(&self, session: &Session) -> bool {
        self.world.terminal(session.terminal.as_str()).family() == Family::P6x && self.believed(session)
    }

    /// What its terminal does not know is thought to be over.
    fn believed(&self, session: &Session) -> bool {
        self.script.keeps_sessions(session.terminal.as_str())
    }

    fn causes(&self, session: &Session) -> Causes {
        let who = session.idempotency.as_ref().map(|request| request.key.as_str());
        Causes::of(self.script, session.terminal.as_str(), who)
    }

    /// A session that does not end, or that is left to people without a cause.
    fn end(&self, session: &Session) -> Option<String> {
        let (causes, state) = (self.causes(session), session.state_name());
        let doubtful = session.disposal.as_ref().is_some_and(|disposal| disposal.doubtful);
        let why = match &session.state {
            _ if UNDER_WAY.contains(&state) => "it never ends",
            State::InDoubt(_) if self.lists(session) => "it never ends",
            State::InDoubt(_) if self.world.died().is_empty() && !causes.trouble => "no answer was lost",
            State::Uncertain(_) if !causes.uncertain(doubtful) => "nothing has happened that nobody could find out about",
            State::Disposed(Outcome::Expired) if !causes.expired() => "the terminal's timer has not ended it",
            _ => return None,
        };
        Some(format!("{why}: {} is {:?}", session.id, session.state))
    }

    /// A hold that became what nobody had decided, or that nobody sees.
    fn hold(&self, hold: &Hold) -> Option<String> {
        let numbered = |session: &&Session| {
            let number = session.hold.as_ref().map(|hold| hold.terminal_session_id);
            session.terminal == hold.terminal && number == Some(hold.session)
        };
        let session = self.sessions.values().find(numbered);
        let decided = session.and_then(|session| self.decisions.get(&session.id)).copied();
        let decision = decided.map(|(decision, _)| decision);
        let is = |states: &[&str]| session.is_some_and(|session| states.contains(&session.state_name()));
        let unheard = session.is_none() && self.in_sight(hold);
        let settled = session.is_some_and(by_a_person);
        let just = match hold.state {
            HoldState::Captured { amount, by: By::Host, .. } => {
                decision == Some(Decision::Commit(amount)) && amount <= hold.amount
            }
            HoldState::Released { by: By::Host, .. } => decision == Some(Decision::Void),
            HoldState::Captured { by: By::TerminalTimer, .. } => unheard || settled || is(&["uncertain"]),
            HoldState::Released { by: By::TerminalTimer, .. } => {
                // After a Void without an answer it is the same who has given it back.
                unheard || settled || is(&["expired", "uncertain"]) || is(&["voided"]) && decision == Some(Decision::Void)
            }
            HoldState::Held => {
                unheard || settled || is(&["approved", "uncertain"]) || session.is_some_and(|session| self.presumed(session))
            }
        };
        (!just).then(|| format!("{hold:?} of {:?}, decided {decided:?}", session.map(Session::state_name)))
    }

    /// Whoever was promised a commit or a void has got exactly that.
    fn promise(&self, who: &str, person: &Person, session: &Session) -> Option<String> {
        let (decided, state) = (person.decided?, session.state_name());
        let as_decided = match (decided, self.world.holds(who).as_slice()) {
            (Decision::Commit(wanted), [Hold { state: HoldState::Captured { amount, by: By::Host, .. }, .. }]) => {
                state == "committed" && *amount == wanted
            }
            (Decision::Void, [Hold { state: HoldState::Released { .. }, .. }]) => state == "voided",
            _ => false,
        };
        // What nobody can find out is left to a person, and never called done; whether there was a cause for it is asked above.
        let left = ["uncertain", "expired"].contains(&state) || by_a_person(session) || self.presumed(session);
        let why = || format!("{who} was promised {decided:?}, and is {state}: {:?}", self.world.holds(who));
        (!as_decided && !left).then(why)
    }

    /// A decision that nobody had a right to: it is a request's, or a deadline's that knows all that was acknowledged.
    fn decision(&self, who: &str, person: &Person, session: &Session) -> Option<String> {
        let (decision, by) = *self.decisions.get(&session.id)?;
        let charged = person.charged.is_some_and(|charged| !charged.is_zero());
        let held = session.hold.as_ref().and_then(|hold| hold.amount);
        let totals = [person.charged, person.sent].into_iter().flatten();
        let mut worth = totals.map(|total| held.map_or(total, |held| total.min(held)));
        let just = match (by, decision) {
            (DecidedBy::Api, _) => person.asked.contains(&decision),
            (DecidedBy::PlugInTimeout | DecidedBy::DuplicateTap | DecidedBy::Orphan, Decision::Void) => !charged,
            (DecidedBy::MaxSession, Decision::Commit(amount)) => worth.any(|worth: Amount| worth == amount),
            (DecidedBy::MaxSession, Decision::Void) => self.script.setting("on_max_session") == Some("void"),
            (DecidedBy::PlugInTimeout | DecidedBy::DuplicateTap | DecidedBy::Orphan, Decision::Commit(_)) => false,
            (DecidedBy::Shutdown, _) => false,
        };
        let (total, sent) = (person.charged, person.sent);
        (!just).then(|| {
            format!("{decision:?} by {by:?}, but {who} has charged {total:?} (sent: {sent:?}) and asked {:?}", person.asked)
        })
    }

    /// What a person has settled stays so, and nobody else has said anything.
    fn last_word(&self, who: &str, person: &Person, session: &Session) -> Option<String> {
        let said = match session.state {
            State::Disposed(outcome) if by_a_person(session) => Some(outcome),
            _ => None,
        };
        let just = if person.settled { said == person.said } else { said.is_none() || said == person.said };
        (!just).then(|| format!("a person has said {:?} of {who}, which is {}", person.said, session.state_name()))
    }

    /// A terminal that forgets a hold, or says that it does not know it, just when the answer to a Commit was lost looks like one that has
    /// done it: that is presumed, and said so (README, How money is kept safe).
    fn presumed(&self, session: &Session) -> bool {
        let how = session.disposal.as_ref().and_then(|disposal| disposal.confirmed_by);
        let causes = self.causes(session);
        self.believed(session)
            && (causes.forgets || causes.denies)
            && matches!(how, Some(ConfirmedBy::ListAbsent | ConfirmedBy::Presumed))
    }

    /// A hold whose number nobody has heard: whoever asked for it must be in doubt, or the journal is lost and people are told; a terminal
    /// that cannot list is not heard of then.
    fn in_sight(&self, hold: &Hold) -> bool {
        let doubt = |session: &Session| {
            let asked = session.terminal == hold.terminal && session.reference == Some(hold.reference);
            // A terminal that has forgotten its holds before it could be asked lists none, as one that has never had any.
            let never_had = session.state_name() == "failed" && self.causes(session).forgets && self.believed(session);
            asked && (never_had || ["in_doubt", "expired", "uncertain"].contains(&session.state_name()))
        };
        let told = self.world.records().into_iter().any(|record| match record.entry.fact {
            Fact::Reconciled { report } => {
                report.discrepancies.iter().any(|found| found.terminal_session_id == Some(hold.session))
            }
            _ => false,
        });
        let unlisted = self.world.terminal(hold.terminal.as_str()).family() == Family::Apollo;
        self.sessions.values().any(doubt) || self.world.journal_lost() && (told || unlisted)
    }
}

/// A person has said how it ended.
fn by_a_person(session: &Session) -> bool {
    matches!(session.state, State::Disposed(_)) && session.resolution.is_some()
}
