//! Reads along with every terminal and session, and keeps the board and the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::id::TerminalId;
use crate::journal::Record;
use crate::journal::record::{Cause, ConfirmedBy, Decision, Fact, Outcome as Ending, Report, ReportResult};
use crate::link::{Outcome, Whose};
use crate::metrics::{Attempt, Decided, Disposed, Metrics, Reconciled};
use crate::protocol::Request;
use crate::protocol::response::{Response, Verdict};
use crate::session::actor::Observer as SessionObserver;
use crate::session::ledger::{Ledger, Movements, movement};
use crate::session::{Session, State, disposal};
use crate::terminal::view::{LinkState, View};
use crate::terminal::world::Observer;
use crate::time::Timestamp;

use super::board::Board;
use super::settling::Settling;

/// See the module.
pub(super) struct Watch {
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    tallies: Mutex<BTreeMap<TerminalId, Tally>>,
}

/// What a terminal's sessions add up to. `movements` is counted from facts, the rest from states: that the two agree is what
/// `quittance_ledger_imbalance` says.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    movements: Movements,
    undisposed: i64,
    in_doubt: i64,
    uncertain: i64,
    held_minor: i64,
    in_doubt_minor: i64,
    pending: i64,
    past_fifth_attempt: i64,
}

/// A ladder's first five steps take minutes. Whoever is still on it then has a reason that does not go away by itself.
const MANY_ATTEMPTS: u32 = 5;

impl Tally {
    fn add(&mut self, session: &Session, sign: i64) {
        if !session.undisposed() {
            return;
        }
        // After an unanswered update it is the most that may be held: what a cardholder may miss is never shown too small.
        let held = session.held_at_most().or(session.hold.as_ref().and_then(|hold| hold.amount));
        let held = held.map_or(0, |amount| i64::from(amount.minor()));
        let add = |sum: &mut i64, number: i64| *sum = sum.saturating_add(sign.saturating_mul(number));
        add(&mut self.undisposed, 1);
        add(&mut self.held_minor, held);
        match (&session.state, &session.disposal) {
            (State::InDoubt(_), _) => {
                add(&mut self.in_doubt, 1);
                add(&mut self.in_doubt_minor, session.amount_requested.map_or(0, |amount| i64::from(amount.minor())));
            }
            (State::Uncertain(_), _) => add(&mut self.uncertain, 1),
            (State::Disposing, Some(disposal)) => {
                add(&mut self.pending, 1);
                add(&mut self.past_fifth_attempt, i64::from(disposal.attempts >= MANY_ATTEMPTS));
            }
            _ => {}
        }
    }

    fn imbalance(&self) -> i64 {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        signed(self.movements.entered).saturating_sub(signed(self.movements.left)).saturating_sub(self.undisposed)
    }
}

fn count(sessions: i64) -> usize {
    usize::try_from(sessions).unwrap_or(0)
}

/// Which version the session had before these records.
fn versions_before(session: &Session, records: &[Record]) -> u64 {
    session.version.saturating_sub(u64::try_from(records.len()).unwrap_or(u64::MAX))
}

impl Watch {
    /// A watch over terminals whose past is in the ledger.
    pub(super) fn new(board: Arc<Board>, metrics: Arc<Metrics>, terminals: &[TerminalId], ledger: &Ledger) -> Self {
        let mut tallies: BTreeMap<TerminalId, Tally> = BTreeMap::new();
        for session in ledger.sessions() {
            tallies.entry(session.terminal.clone()).or_default().add(session, 1);
        }
        for (terminal, tally) in &mut tallies {
            tally.movements = ledger.movements(terminal);
        }
        let watch = Self { board, metrics, tallies: Mutex::new(tallies) };
        terminals.iter().for_each(|terminal| watch.begin(terminal));
        watch.strand(terminals);
        watch
    }

    /// The series of this terminal say what is known of it, also from the time before it was last taken out of the configuration.
    pub(super) fn begin(&self, terminal: &TerminalId) {
        self.tally(terminal, |_| {});
    }

    /// These terminals are there; what is open on others is nobody's.
    pub(super) fn strand(&self, terminals: &[TerminalId]) {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let strangers = tallies.iter().filter(|(terminal, _)| !terminals.contains(terminal));
        let (stranded, minor) = strangers.fold((0_i64, 0_i64), |(stranded, minor), (_, tally)| {
            (stranded.saturating_add(tally.undisposed), minor.saturating_add(tally.held_minor))
        });
        self.metrics.set_stranded(count(stranded), u64::try_from(minor).unwrap_or(0));
    }

    fn tally(&self, terminal: &TerminalId, change: impl FnOnce(&mut Tally)) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry(terminal.clone()).or_default();
        change(tally);
        if let Some(metrics) = self.metrics.terminal(terminal) {
            metrics.set_undisposed(count(tally.undisposed));
            metrics.set_in_doubt(count(tally.in_doubt));
            metrics.set_uncertain(count(tally.uncertain));
            metrics.set_held(u64::try_from(tally.held_minor).unwrap_or(0));
            metrics.set_in_doubt_amount(u64::try_from(tally.in_doubt_minor).unwrap_or(0));
            metrics.set_disposals(count(tally.pending), count(tally.past_fifth_attempt));
            metrics.set_ledger_imbalance(tally.imbalance());
        }
    }

    fn count(&self, session: &Session, record: &Record) {
        let Some(metrics) = self.metrics.terminal(&session.terminal) else { return };
        let decision = session.disposal.as_ref().map(|disposal| match disposal.decision {
            Decision::Commit(_) => Decided::Commit,
            Decision::Void => Decided::Void,
        });
        let attempt = |result| {
            if let Some(decision) = decision {
                metrics.attempt(decision, result);
            }
        };
        let disposed = |outcome: Disposed| {
            metrics.disposed(outcome);
            if let Some(disposal) = &session.disposal {
                metrics.disposal_duration(outcome, record.entry.at.since(disposal.decided_at));
            }
        };
        match &record.entry.fact {
            Fact::HoldPlaced { .. } => metrics.approved(),
            Fact::Declined { .. } => metrics.declined(),
            Fact::AttemptRefused { .. } => attempt(Attempt::Refused),
            Fact::AttemptUnsent { .. } => attempt(Attempt::LinkLost),
            Fact::AttemptUnanswered { cause: Cause::Timeout, .. } => attempt(Attempt::Timeout),
            Fact::AttemptUnanswered { .. } => attempt(Attempt::LinkLost),
            Fact::Disposed { outcome, confirmed_by } => {
                if *confirmed_by == ConfirmedBy::ResultOk {
                    attempt(Attempt::Ok);
                }
                match outcome {
                    Ending::Committed(amount) => {
                        disposed(Disposed::Committed);
                        metrics.committed(*amount);
                    }
                    Ending::Voided => disposed(Disposed::Voided),
                    Ending::Expired => disposed(Disposed::Expired),
                }
            }
            Fact::Resolved { outcome, .. } => {
                disposed(Disposed::Resolved);
                if let Ending::Committed(amount) = outcome {
                    metrics.committed(*amount);
                }
            }
            _ => {}
        }
    }
}

impl SessionObserver for Watch {
    fn session_changed(&self, before: Option<&Session>, session: &Session, records: &[Record]) {
        let mut news = records;
        self.tally(&session.terminal, |tally| {
            // Of what a crashed actor has appended last, both it and whoever builds it anew may tell: the board knows what was told.
            let shown = self.board.session(session.id);
            let already = shown.as_ref().map_or(0, |shown| shown.version.saturating_sub(versions_before(session, records)));
            news = records.get(usize::try_from(already).unwrap_or(usize::MAX)..).unwrap_or_default();
            if news.is_empty() {
                return;
            }
            let before = shown.as_ref().or(before);
            // Facts move the balance one by one, and each is judged by the state before it.
            let mut at = before.cloned();
            for record in news {
                tally.movements.count(movement(at.as_ref(), &record.entry.fact));
                at = match &at {
                    None => Session::opened(&record.entry).ok(),
                    Some(session) => session.after(&record.entry).ok(),
                };
            }
            if let Some(before) = before {
                tally.add(before, -1);
            }
            tally.add(session, 1);
            self.board.publish_session(session);
        });
        for record in news {
            self.count(session, record);
        }
    }
}

impl Observer for Watch {
    fn terminal_changed(&self, view: View) {
        if let Some(metrics) = self.metrics.terminal(&view.id) {
            metrics.link_up(view.link == LinkState::Up);
            metrics.quarantined(view.link == LinkState::Quarantined);
            metrics.state(view.state);
            metrics.set_refuses_cards(view.refuses_cards.as_ref().map(|refusing| refusing.reason.as_str()));
            metrics.set_dead_man_mismatch(view.timer_in_question && view.undisposed > 0);
        }
        self.board.publish_terminal(view);
    }

    fn exchanged(&self, terminal: &TerminalId, request: &Request, outcome: &Outcome, took: Duration) {
        let Some(metrics) = self.metrics.terminal(terminal) else { return };
        match outcome {
            Outcome::Answered(_) => metrics.exchange(request.name(), took),
            Outcome::Unanswered(Cause::Timeout) => metrics.exchange_timeout(request.name()),
            Outcome::Unanswered(_) | Outcome::Unsent | Outcome::FlowEnded => {}
        }
        if let (Request::RequestIds, Outcome::Answered(Response::Result(Verdict::NotOk(_)))) = (request, outcome) {
            tracing::warn!(%terminal, "the terminal does not tell who it is");
        }
    }

    fn frame_error(&self, terminal: &TerminalId, kind: &'static str) {
        if let Some(metrics) = self.metrics.terminal(terminal) {
            metrics.frame_error(kind);
        }
    }

    fn certificate(&self, terminal: &TerminalId, whose: Whose, expires: Timestamp) {
        let Some(metrics) = self.metrics.terminal(terminal) else { return };
        match whose {
            Whose::Terminals => metrics.set_link_certificate_expiry(expires),
            Whose::Ours => metrics.set_client_certificate_expiry(expires),
        }
    }

    fn reconciled(&self, terminal: &TerminalId, report: &Report, at: Timestamp) {
        let Some(metrics) = self.metrics.terminal(terminal) else { return };
        match report.result {
            ReportResult::Clean => metrics.reconciliation(Reconciled::Clean),
            ReportResult::Repaired => metrics.reconciliation(Reconciled::Repaired),
            ReportResult::Failed => metrics.reconciliation(Reconciled::Failed),
        }
        for discrepancy in &report.discrepancies {
            metrics.discrepancy(discrepancy.kind.as_str());
        }
        if report.result != ReportResult::Failed {
            metrics.reconciled_at(at);
        }
    }

    fn holds(
        &self,
        terminal: &TerminalId,
        sessions: &mut dyn Iterator<Item = &Session>,
        settle_within: Option<Duration>,
        now: Timestamp,
    ) {
        let Some(metrics) = self.metrics.terminal(terminal) else { return };
        let mut overdue = 0_usize;
        let mut oldest: Option<Timestamp> = None;
        let mut settling = Settling::new(settle_within, now);
        for session in sessions.filter(|session| session.undisposed()) {
            if disposal::deadline(session).is_some_and(|deadline| deadline < now) {
                overdue = overdue.saturating_add(1);
            }
            let since = session.hold.as_ref().map_or(session.changed_at, |hold| hold.since);
            oldest = Some(oldest.map_or(since, |oldest| oldest.min(since)));
            settling.count(session);
        }
        metrics.set_overdue(overdue);
        metrics.set_oldest_undisposed(oldest);
        metrics.set_settling(settling.past, settling.deadline);
    }
}
