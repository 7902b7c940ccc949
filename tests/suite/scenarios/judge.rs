//! Whether people were treated justly, by the bank's books, whatever happened on the way.

use std::collections::BTreeMap;

use quittance::id::SessionId;
use quittance::journal::record::{ConfirmedBy, DecidedBy, Decision};
use quittance::journal::{Fact, Record};
use quittance::protocol::response::Reason;
use quittance::session::Session;
use quittance::session::ledger::Ledger;
use quittance::sim::{By, Fault, Hold, HoldState};

use super::script::{Line, Says};
use super::world::World;

/// What was wrong in the end; nothing, if all is well.
pub(super) fn judge(world: &World) -> Vec<String> {
    let records = world.records();
    let mut wrong: Vec<String> = world.bank().violations().iter().map(|violation| format!("the bank: {violation:?}")).collect();
    let ledger = match Ledger::replay(&records) {
        Ok(ledger) => ledger,
        Err(unsound) => return vec![format!("the journal does not follow from itself: {unsound}")],
    };
    if ledger.totals().imbalance() != 0 {
        wrong.push(format!("the ledger is out of balance: {:?}", ledger.totals()));
    }
    let sessions: BTreeMap<SessionId, Session> = ledger.into_sessions().map(|session| (session.id, session)).collect();
    for session in sessions.values() {
        if ["waiting_card", "card_read", "authorising", "committing", "voiding"].contains(&session.state_name()) {
            wrong.push(format!("it never ends: {} is {}", session.id, session.state_name()));
        }
    }
    let holds = world.bank().holds();
    wrong.extend(holds.iter().filter_map(|hold| unjust(world, hold, &sessions, &decisions(&records))));
    for (who, person) in world.people() {
        let (Some(decided), Some(session)) = (person.decided, person.session.and_then(|id| sessions.get(&id))) else {
            continue;
        };
        let state = session.state_name();
        let as_decided = match (decided, world.holds(&who).as_slice()) {
            (Decision::Commit(wanted), [Hold { state: HoldState::Captured { amount, by: By::Host, .. }, .. }]) => {
                state == "committed" && *amount == wanted
            }
            (Decision::Void, [Hold { state: HoldState::Released { by: By::Host, .. }, .. }]) => state == "voided",
            _ => false,
        };
        // What nobody can find out is left to a person, and never called done.
        if !as_decided && !["uncertain", "expired"].contains(&state) && !presumed(world, session) {
            wrong.push(format!("{who} was promised {decided:?}, and is {state}: {:?}", world.holds(&who)));
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

fn unjust(
    world: &World,
    hold: &Hold,
    sessions: &BTreeMap<SessionId, Session>,
    decisions: &BTreeMap<SessionId, (Decision, DecidedBy)>,
) -> Option<String> {
    let numbered = |session: &&Session| {
        let number = session.hold.as_ref().map(|hold| hold.terminal_session_id);
        session.terminal == hold.terminal && number == Some(hold.session)
    };
    let session = sessions.values().find(numbered);
    let decided = session.and_then(|session| decisions.get(&session.id)).copied();
    let is = |states: &[&str]| session.is_some_and(|session| states.contains(&session.state_name()));
    let just = match hold.state {
        HoldState::Captured { amount, by: By::Host, .. } => {
            decided.is_some_and(|(decision, _)| decision == Decision::Commit(amount)) && amount <= hold.amount
        }
        HoldState::Released { by: By::Host, .. } => decided.is_some_and(|(decision, _)| decision == Decision::Void),
        HoldState::Captured { by: By::TerminalTimer, .. } | HoldState::Released { by: By::TerminalTimer, .. } => {
            session.is_none() || is(&["expired", "uncertain"])
        }
        HoldState::Held if session.is_some_and(|session| presumed(world, session)) => true,
        HoldState::Held => is(&["approved", "uncertain"]) || session.is_none() && in_sight(world, hold, sessions),
    };
    (!just).then(|| format!("{hold:?} of {:?}, decided {decided:?}", session.map(Session::state_name)))
}

/// A terminal that forgets a hold, or says that it does not know it, just when the answer to a Commit was lost looks like one that has
/// done it: that is presumed, and said so (README, How money is kept safe).
fn presumed(world: &World, session: &Session) -> bool {
    let denies = |line: &Line| match &line.says {
        Says::Power { place, forgets: true } => *place == session.terminal.as_str(),
        Says::Meets { place, fault: Fault::Refuse(Reason::SESSION_NOT_FOUND), .. } => *place == session.terminal.as_str(),
        _ => false,
    };
    let how = session.disposal.as_ref().and_then(|disposal| disposal.confirmed_by);
    world.script.lines.iter().any(denies) && matches!(how, Some(ConfirmedBy::ListAbsent | ConfirmedBy::Presumed))
}

/// A hold whose number nobody has heard: somebody must be in doubt about it, or the journal is lost and people are told.
fn in_sight(world: &World, hold: &Hold, sessions: &BTreeMap<SessionId, Session>) -> bool {
    let doubt = |session: &&Session| {
        session.terminal == hold.terminal && ["in_doubt", "expired", "uncertain"].contains(&session.state_name())
    };
    let told = world.records().into_iter().any(|record| match record.entry.fact {
        Fact::Reconciled { report } => report.discrepancies.iter().any(|found| found.terminal_session_id == Some(hold.session)),
        _ => false,
    });
    sessions.values().any(|session| doubt(&session)) || told || world.journal_lost()
}
