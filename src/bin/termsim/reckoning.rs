//! The end of the demo: what the journal says is held against what the bank knows, hold by hold and to the cent.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use quittance::id::{SessionReference, TerminalId, TerminalSessionId};
use quittance::journal::Record;
use quittance::journal::record::{Decision, Outcome};
use quittance::money::Amount;
use quittance::session::State;
use quittance::session::ledger::Ledger;
use quittance::session::state::Session;
use quittance::sim::{By, Hold, HoldState, Sum};
use quittance::time::Timestamp;

use super::diary::euros;

/// One side's sums: what was approved, and what has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Side {
    /// Holds that were placed, or may have been.
    pub(crate) approved: Sum,
    /// Holds that were committed.
    pub(crate) committed: Sum,
    /// Holds that were given back.
    pub(crate) voided: Sum,
    /// Holds that a terminal's own timer ended.
    pub(crate) expired: Sum,
    /// Holds that are still there.
    pub(crate) open: Sum,
    /// Holds about which the journal knows that it does not know.
    pub(crate) unknown: Sum,
    /// Money taken, minor units.
    pub(crate) captured: u64,
}

/// Both sides, and where they differ.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Reckoning {
    /// What the journal says.
    pub(crate) journal: Side,
    /// What the bank knows.
    pub(crate) bank: Side,
    /// Cards that the bank has declined.
    pub(crate) declined: u64,
    /// Disposals that are decided, but whose confirmation is still to come.
    pub(crate) outstanding: u64,
    /// What one says and the other denies.
    pub(crate) disagreements: Vec<String>,
}

impl Side {
    fn balances(&self) -> bool {
        let parts = [self.committed, self.voided, self.expired, self.open, self.unknown];
        self.approved.count == parts.iter().map(|sum| sum.count).sum::<u64>()
            && self.approved.amount == parts.iter().map(|sum| sum.amount).sum::<u64>()
    }
}

impl Reckoning {
    /// Compares the sessions that were opened since then with the bank's holds.
    pub(crate) fn of(ledger: &Ledger, since: Timestamp, holds: &[Hold], declined: u64) -> Self {
        let mut reckoning = Self { declined, ..Self::default() };
        let mut known: HashMap<(&TerminalId, TerminalSessionId), &Session> = HashMap::new();
        let mut maybe: HashMap<(&TerminalId, SessionReference), &Session> = HashMap::new();
        for session in ledger.sessions().filter(|session| session.created_at >= since) {
            reckoning.enter(session);
            match (&session.hold, session.reference) {
                (Some(hold), _) => drop(known.insert((&session.terminal, hold.terminal_session_id), session)),
                (None, Some(reference)) => drop(maybe.insert((&session.terminal, reference), session)),
                (None, None) => {}
            }
        }
        for hold in holds {
            reckoning.count(hold);
            let session = known.remove(&(&hold.terminal, hold.session));
            match session.or_else(|| maybe.remove(&(&hold.terminal, hold.reference))) {
                Some(session) => reckoning.compare(session, hold),
                None => reckoning.differ(hold, "the journal knows nothing of it"),
            }
        }
        for session in known.into_values() {
            let (terminal, id) = (&session.terminal, session.id);
            reckoning.disagreements.push(format!("{terminal}: the journal has a hold of session {id}, the bank has none"));
        }
        reckoning
    }

    /// Whether both balance and agree.
    pub(crate) fn agrees(&self) -> bool {
        self.disagreements.is_empty() && self.journal.balances() && self.bank.balances()
    }

    fn enter(&mut self, session: &Session) {
        let amount = session.hold.as_ref().and_then(|hold| hold.amount).or(session.amount_requested);
        let side = &mut self.journal;
        let part = match &session.state {
            State::Disposed(Outcome::Committed(amount)) => {
                side.captured += u64::from(amount.minor());
                &mut side.committed
            }
            State::Disposed(Outcome::Voided) => &mut side.voided,
            State::Disposed(Outcome::Expired) => &mut side.expired,
            State::Held | State::Disposing => &mut side.open,
            State::Authorising(_) | State::InDoubt(_) | State::Uncertain(_) => &mut side.unknown,
            State::Opened | State::CardRead(_) | State::Declined(_) | State::Cancelled(_) | State::Failed(_) => return,
        };
        add(part, amount);
        add(&mut side.approved, amount);
    }

    fn count(&mut self, hold: &Hold) {
        let side = &mut self.bank;
        let part = match hold.state {
            HoldState::Held => &mut side.open,
            HoldState::Captured { amount, by, .. } => {
                side.captured += u64::from(amount.minor());
                if by == By::Host { &mut side.committed } else { &mut side.expired }
            }
            HoldState::Released { by: By::Host, .. } => &mut side.voided,
            HoldState::Released { by: By::TerminalTimer, .. } => &mut side.expired,
        };
        add(part, Some(hold.amount));
        add(&mut side.approved, Some(hold.amount));
    }

    fn compare(&mut self, session: &Session, hold: &Hold) {
        if let Some(amount) = session.hold.as_ref().and_then(|hold| hold.amount)
            && amount != hold.amount
        {
            self.differ(hold, &format!("the journal says that {} was held", euros(u64::from(amount.minor()))));
        }
        let by_host = |state: HoldState| match state {
            HoldState::Captured { amount, by: By::Host, .. } => Some(Decision::Commit(amount)),
            HoldState::Released { by: By::Host, .. } => Some(Decision::Void),
            HoldState::Held | HoldState::Captured { .. } | HoldState::Released { .. } => None,
        };
        let done = by_host(hold.state);
        let held = hold.state == HoldState::Held;
        let agreed = match &session.state {
            State::Disposed(Outcome::Committed(amount)) => done == Some(Decision::Commit(*amount)),
            State::Disposed(Outcome::Voided) => done == Some(Decision::Void),
            State::Disposed(Outcome::Expired) => !held && done.is_none(),
            State::Held => held,
            State::Disposing => {
                self.outstanding += 1;
                held || done.is_some() && done == session.disposal.as_ref().map(|disposal| disposal.decision)
            }
            // The journal knows that it does not know.
            State::Authorising(_) | State::InDoubt(_) | State::Uncertain(_) => true,
            State::Opened | State::CardRead(_) | State::Declined(_) | State::Cancelled(_) | State::Failed(_) => false,
        };
        if !agreed {
            self.differ(hold, &format!("the journal says {}", session.state_name()));
        }
    }

    fn differ(&mut self, hold: &Hold, what: &str) {
        let amount = euros(u64::from(hold.amount.minor()));
        let bank = match hold.state {
            HoldState::Held => "held".to_owned(),
            HoldState::Captured { amount, .. } => format!("captured {}", euros(u64::from(amount.minor()))),
            HoldState::Released { .. } => "released".to_owned(),
        };
        self.disagreements
            .push(format!("{} session {} of {amount}: the bank says {bank}, {what}", hold.terminal, hold.session));
    }
}

impl fmt::Display for Reckoning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The ledger                    journal                bank")?;
        writeln!(f, "                      holds         EUR   holds         EUR")?;
        let (journal, bank) = (&self.journal, &self.bank);
        let mut row = |name: &str, ours: Sum, theirs: Sum| {
            let (our_money, their_money) = (euros(ours.amount), euros(theirs.amount));
            writeln!(f, "{name:<20} {:>6} {our_money:>11}  {:>6} {their_money:>11}", ours.count, theirs.count)
        };
        row("approved", journal.approved, bank.approved)?;
        row("= committed", journal.committed, bank.committed)?;
        row("+ voided", journal.voided, bank.voided)?;
        row("+ expired", journal.expired, bank.expired)?;
        row("+ open", journal.open, bank.open)?;
        if journal.unknown.count > 0 {
            row("+ not known yet", journal.unknown, bank.unknown)?;
        }
        writeln!(f, "captured             {:>18}  {:>18}", euros(journal.captured), euros(bank.captured))?;
        writeln!(f)?;
        let cards = if self.declined == 1 { "card was" } else { "cards were" };
        writeln!(f, "{} {cards} declined.", self.declined)?;
        if self.outstanding > 0 {
            writeln!(
                f,
                "{} of the journal's open holds: decided, and the terminal has still to confirm it.",
                self.outstanding
            )?;
        }
        if journal.unknown.count > 0 {
            let count = journal.unknown.count;
            writeln!(f, "{count} may be held or not: the answer to Auth was lost, and the terminal could not say it since.")?;
            writeln!(f, "The bank counts as open what it holds of them; the terminal's timer or a person ends them.")?;
        }
        for disagreement in &self.disagreements {
            writeln!(f, "DISAGREEMENT: {disagreement}")?;
        }
        let (ours, theirs) = (verdict(journal.balances()), verdict(bank.balances()));
        writeln!(f, "approved = committed + voided + expired + open, to the cent: journal {ours}, bank {theirs}")?;
        write!(f, "the bank agrees with the journal, hold by hold: {}", verdict(self.disagreements.is_empty()))
    }
}

/// Everything that the records say, or the first record that cannot follow.
pub(crate) fn replay(records: &mut dyn Iterator<Item = Record>) -> Result<Ledger, (u64, String)> {
    let mut ledger = Ledger::default();
    for record in records {
        ledger.take(&record).map_err(|unsound| (unsound.seq, unsound.why.to_string()))?;
    }
    Ok(ledger)
}

fn add(sum: &mut Sum, amount: Option<Amount>) {
    sum.count += 1;
    sum.amount += amount.map_or(0, |amount| u64::from(amount.minor()));
}

const fn verdict(good: bool) -> &'static str {
    if good { "yes" } else { "NO" }
}
