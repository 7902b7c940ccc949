//! One terminal's series.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram};

use crate::id::TerminalId;
use crate::money::{Amount, Currency};
use crate::protocol::Family;
use crate::time::Timestamp;

use super::names;
use super::part::{Labels, Part, Sections};

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposed {
    /// Money was taken.
    Committed,
    /// All of it was given back.
    Voided,
    /// The terminal's own timer ended it.
    Expired,
    /// A person settled it.
    Resolved,
}

/// What was decided of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Take some of it.
    Commit,
    /// Give it back.
    Void,
}

/// What came of an attempt at a disposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The terminal said OK.
    Ok,
    /// The terminal said Not OK.
    Refused,
    /// No answer came in time.
    Timeout,
    /// The link was lost before the answer.
    LinkLost,
}

/// How a reconciliation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// Both sides agree.
    Clean,
    /// Something differed and was acted upon.
    Repaired,
    /// It could not be completed.
    Failed,
}

const OUTCOMES: [&str; 4] = ["committed", "voided", "expired", "resolved"];
const RESULTS: [&str; 3] = ["clean", "repaired", "failed"];
const COMMIT_AND_VOID: [&str; 2] = ["commit", "void"];
const ATTEMPTS: [&str; 4] = ["ok", "refused", "timeout", "link_lost"];

/// A terminal's metrics. Handles are shared: counting takes no lock.
pub struct TerminalMetrics {
    part: Part,
    labels: Labels,
    approved: Counter,
    declined: Counter,
    disposed: [Counter; 4],
    disposal_duration: [Histogram; 4],
    attempts: [[Counter; 4]; 2],
    undisposed: Gauge,
    overdue: Gauge,
    in_doubt: Gauge,
    uncertain: Gauge,
    oldest_undisposed: Gauge,
    held: Gauge,
    in_doubt_amount: Gauge,
    disposals_pending: Gauge,
    past_fifth_attempt: Gauge,
    dead_man_mismatch: Gauge,
    committed: Counter,
    ledger_imbalance: Gauge,
    link_up: Gauge,
    state: AtomicUsize,
    states: [Gauge; 7],
    restarts: Vec<(&'static str, Counter)>,
    quarantined: Gauge,
    exchanges: Vec<(&'static str, Histogram)>,
    timeouts: Vec<(&'static str, Counter)>,
    frame_errors: Vec<(&'static str, Counter)>,
    recorder_dropped: Counter,
    reconciliations: [Counter; 3],
    discrepancies: Vec<(&'static str, Counter)>,
    reconciled_at: Gauge,
    refuses_cards: [Gauge; 7],
    past_share: [Gauge; 3],
    settle_deadline: Gauge,
    link_certificate_expiry: Gauge,
    client_certificate_expiry: Gauge,
}

impl TerminalMetrics {
    pub(super) fn new(terminal: &TerminalId, family: Family, currency: Currency) -> Self {
        let part = Part::new();
        let labels = vec![("terminal", terminal.as_str().to_owned()), ("family", family.as_str().to_owned())];
        let with = |key: &'static str, value: &'static str| {
            let mut labels = labels.clone();
            labels.push((key, value.to_owned()));
            labels
        };
        let money = || {
            let mut labels = labels.clone();
            labels.push(("currency", currency.as_str().to_owned()));
            labels
        };
        let gauge = |name| part.gauge(name, labels.clone());
        let counter = |name| part.counter(name, labels.clone());
        let counters = |name: &names::Name, key: &'static str, values: &[&'static str]| -> Vec<(&'static str, Counter)> {
            values.iter().map(|value| (*value, part.counter(name, with(key, value)))).collect()
        };
        Self {
            approved: counter(&names::SESSIONS_APPROVED),
            declined: counter(&names::SESSIONS_DECLINED),
            disposed: OUTCOMES.map(|outcome| part.counter(&names::SESSIONS_DISPOSED, with("outcome", outcome))),
            disposal_duration: OUTCOMES.map(|outcome| part.histogram(&names::DISPOSAL_DURATION, with("outcome", outcome))),
            attempts: COMMIT_AND_VOID.map(|decision| {
                ATTEMPTS.map(|result| {
                    let mut labels = with("decision", decision);
                    labels.push(("result", result.to_owned()));
                    part.counter(&names::DISPOSAL_ATTEMPTS, labels)
                })
            }),
            undisposed: gauge(&names::SESSIONS_UNDISPOSED),
            overdue: gauge(&names::SESSIONS_OVERDUE),
            in_doubt: gauge(&names::SESSIONS_IN_DOUBT),
            uncertain: gauge(&names::SESSIONS_UNCERTAIN),
            oldest_undisposed: gauge(&names::OLDEST_UNDISPOSED),
            held: part.gauge(&names::HELD_AMOUNT, money()),
            in_doubt_amount: part.gauge(&names::IN_DOUBT_AMOUNT, money()),
            disposals_pending: gauge(&names::DISPOSALS_PENDING),
            past_fifth_attempt: gauge(&names::DISPOSALS_PAST_FIFTH_ATTEMPT),
            dead_man_mismatch: gauge(&names::DEAD_MAN_MISMATCH),
            committed: part.counter(&names::COMMITTED_AMOUNT, money()),
            ledger_imbalance: gauge(&names::LEDGER_IMBALANCE),
            link_up: gauge(&names::LINK_UP),
            state: AtomicUsize::new(0),
            states: names::STATES.map(|state| part.gauge(&names::TERMINAL_STATE, with("state", state))),
            restarts: counters(&names::LINK_RESTARTS, "reason", &names::RESTART_REASONS),
            quarantined: gauge(&names::TERMINAL_QUARANTINED),
            exchanges: names::COMMANDS
                .iter()
                .filter(|command| names::sent_unasked(command, family))
                .map(|command| (*command, part.histogram(&names::EXCHANGE_DURATION, with("command", command))))
                .collect(),
            timeouts: counters(&names::EXCHANGE_TIMEOUTS, "command", &names::COMMANDS),
            frame_errors: counters(&names::FRAME_ERRORS, "kind", &names::FRAME_ERROR_KINDS),
            recorder_dropped: counter(&names::RECORDER_DROPPED),
            reconciliations: RESULTS.map(|result| part.counter(&names::RECONCILIATIONS, with("result", result))),
            discrepancies: counters(&names::DISCREPANCIES, "kind", &names::DISCREPANCY_KINDS),
            reconciled_at: gauge(&names::RECONCILED_AT),
            refuses_cards: names::REFUSING_REASONS.map(|reason| part.gauge(&names::REFUSES_CARDS, with("reason", reason))),
            past_share: names::SHARES.map(|share| part.gauge(&names::PAST_SHARE, with("share", share))),
            settle_deadline: gauge(&names::SETTLE_DEADLINE),
            link_certificate_expiry: gauge(&names::LINK_CERTIFICATE_EXPIRY),
            client_certificate_expiry: gauge(&names::CLIENT_CERTIFICATE_EXPIRY),
            part,
            labels,
        }
    }

    /// A hold was placed.
    pub fn approved(&self) {
        self.approved.increment(1);
    }

    /// The bank refused.
    pub fn declined(&self) {
        self.declined.increment(1);
    }

    /// A hold is gone.
    pub fn disposed(&self, outcome: Disposed) {
        self.disposed[outcome as usize].increment(1);
    }

    /// From the decision of a disposal to its confirmation.
    pub fn disposal_duration(&self, outcome: Disposed, took: Duration) {
        self.disposal_duration[outcome as usize].record(took.as_secs_f64());
    }

    /// An attempt at a disposal has ended.
    pub fn attempt(&self, decision: Decided, result: Attempt) {
        self.attempts[decision as usize][result as usize].increment(1);
    }

    /// How many sessions are undisposed.
    pub fn set_undisposed(&self, sessions: usize) {
        self.undisposed.set(sessions as f64);
    }

    /// How many are past their deadline.
    pub fn set_overdue(&self, sessions: usize) {
        self.overdue.set(sessions as f64);
    }

    /// How many are in doubt.
    pub fn set_in_doubt(&self, sessions: usize) {
        self.in_doubt.set(sessions as f64);
    }

    /// How many are uncertain.
    pub fn set_uncertain(&self, sessions: usize) {
        self.uncertain.set(sessions as f64);
    }

    /// When the oldest undisposed session was approved.
    pub fn set_oldest_undisposed(&self, approved: Option<Timestamp>) {
        self.oldest_undisposed.set(approved.map_or(0.0, Timestamp::unix_seconds));
    }

    /// How much money is held, in minor units; exact up to 2^53.
    pub fn set_held(&self, minor: u64) {
        self.held.set(minor as f64);
    }

    /// What was asked for by sessions of which nobody knows whether there is a hold, in minor units.
    pub fn set_in_doubt_amount(&self, minor: u64) {
        self.in_doubt_amount.set(minor as f64);
    }

    /// How many disposals are decided and not confirmed, and how many of them have been tried five times or more.
    pub fn set_disposals(&self, pending: usize, past_fifth_attempt: usize) {
        self.disposals_pending.set(pending as f64);
        self.past_fifth_attempt.set(past_fifth_attempt as f64);
    }

    /// Whether there are holds while the terminal has not confirmed its own timer.
    pub fn set_dead_man_mismatch(&self, mismatch: bool) {
        self.dead_man_mismatch.set(f64::from(u8::from(mismatch)));
    }

    /// Money was taken.
    pub fn committed(&self, amount: Amount) {
        self.committed.increment(u64::from(amount.minor()));
    }

    /// Approved minus disposed minus undisposed.
    pub fn set_ledger_imbalance(&self, sessions: i64) {
        self.ledger_imbalance.set(sessions as f64);
    }

    /// Whether the link is open and set up.
    pub fn link_up(&self, up: bool) {
        self.link_up.set(f64::from(u8::from(up)));
    }

    /// The terminal's state; a name that is none of the seven counts as `unreachable`. Becomes visible with the next
    /// [`super::Metrics::render`], so that a reader always sees exactly one state.
    pub fn state(&self, state: &'static str) {
        let place = names::STATES.iter().position(|known| *known == state).unwrap_or(0);
        self.state.store(place, Ordering::Relaxed);
    }

    /// The link was lost.
    pub fn link_restart(&self, reason: &'static str) {
        self.count(&self.restarts, &names::LINK_RESTARTS, "reason", reason);
    }

    /// Whether the terminal is in quarantine.
    pub fn quarantined(&self, quarantined: bool) {
        self.quarantined.set(f64::from(u8::from(quarantined)));
    }

    /// An exchange has ended.
    pub fn exchange(&self, command: &'static str, took: Duration) {
        match self.exchanges.iter().find(|(known, _)| *known == command) {
            Some((_, histogram)) => histogram.record(took.as_secs_f64()),
            None => self.part.histogram(&names::EXCHANGE_DURATION, self.with("command", command)).record(took.as_secs_f64()),
        }
    }

    /// A request was not answered in time.
    pub fn exchange_timeout(&self, command: &'static str) {
        self.count(&self.timeouts, &names::EXCHANGE_TIMEOUTS, "command", command);
    }

    /// Bytes came that are no frame.
    pub fn frame_error(&self, kind: &'static str) {
        self.count(&self.frame_errors, &names::FRAME_ERRORS, "kind", kind);
    }

    /// The frame recorder could not keep so many entries.
    pub fn recorder_dropped(&self, entries: u64) {
        self.recorder_dropped.increment(entries);
    }

    /// A reconciliation has ended.
    pub fn reconciliation(&self, result: Reconciled) {
        self.reconciliations[result as usize].increment(1);
    }

    /// A reconciliation found a disagreement, by the name of its kind.
    pub fn discrepancy(&self, kind: &'static str) {
        self.count(&self.discrepancies, &names::DISCREPANCIES, "kind", kind);
    }

    /// When a reconciliation last succeeded.
    pub fn reconciled_at(&self, at: Timestamp) {
        self.reconciled_at.set(at.unix_seconds());
    }

    /// Why the terminal takes no cards, by its name; none when nothing stands against it.
    pub fn set_refuses_cards(&self, reason: Option<&str>) {
        for (known, gauge) in names::REFUSING_REASONS.iter().zip(&self.refuses_cards) {
            gauge.set(f64::from(u8::from(reason == Some(known))));
        }
    }

    /// Of how many undisposed sessions 50, 80 and 100 percent of the time to settle them are over, and when it is over for the first.
    pub fn set_settling(&self, past: [usize; 3], deadline: Option<Timestamp>) {
        for (sessions, gauge) in past.iter().zip(&self.past_share) {
            gauge.set(*sessions as f64);
        }
        self.settle_deadline.set(deadline.map_or(0.0, Timestamp::unix_seconds));
    }

    /// When the certificate that the terminal shows expires.
    pub fn set_link_certificate_expiry(&self, at: Timestamp) {
        self.link_certificate_expiry.set(at.unix_seconds());
    }

    /// When the certificate that we show to it expires.
    pub fn set_client_certificate_expiry(&self, at: Timestamp) {
        self.client_certificate_expiry.set(at.unix_seconds());
    }

    /// What these series say now.
    pub(super) fn text(&self) -> MutexGuard<'_, Sections> {
        self.part.text(|| self.write_state())
    }

    fn write_state(&self) {
        let current = self.state.load(Ordering::Relaxed);
        for (place, gauge) in self.states.iter().enumerate() {
            gauge.set(f64::from(u8::from(place == current)));
        }
    }

    /// A value that is not in the list is counted all the same; its series only begins late.
    fn count(&self, known: &[(&'static str, Counter)], name: &names::Name, key: &'static str, value: &'static str) {
        match known.iter().find(|(known, _)| *known == value) {
            Some((_, counter)) => counter.increment(1),
            None => self.part.counter(name, self.with(key, value)).increment(1),
        }
    }

    fn with(&self, key: &'static str, value: &'static str) -> Labels {
        let mut labels = self.labels.clone();
        labels.push((key, value.to_owned()));
        labels
    }
}
