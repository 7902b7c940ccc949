//! The bank's sums: approved + raised - lowered = committed + voided + expired + open, in holds and in money.

use std::fmt;

use serde::Serialize;

use super::bank::{By, Hold, HoldState};
use super::violation::Violation;
use crate::money::Amount;

/// How many, and how much: a sum over many holds does not fit an [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Sum {
    /// How many holds.
    pub count: u64,
    /// How much, minor units.
    pub amount: u64,
}

impl Sum {
    /// One more. Sixty-four bits hold four thousand million of the largest amounts.
    pub(super) fn add(&mut self, amount: Amount) {
        self.count += 1;
        self.amount += u64::from(amount.minor());
    }
}

/// What Updates did to the amounts of holds, minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Updated {
    /// By how much holds were raised, in all.
    pub raised: u64,
    /// By how much holds were lowered, in all.
    pub lowered: u64,
}

impl Updated {
    /// One more.
    pub(super) fn note(&mut self, before: Amount, after: Amount) {
        let (before, after) = (u64::from(before.minor()), u64::from(after.minor()));
        self.raised += after.saturating_sub(before);
        self.lowered += before.saturating_sub(after);
    }
}

/// What has become of all holds. The amounts are those of the holds, but for `captured`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Ledger {
    /// Holds that were placed; counted as they were, not summed up from the rest.
    pub approved: Sum,
    /// What Updates changed since; counted likewise.
    pub updated: Updated,
    /// Holds that the host committed.
    pub committed: Sum,
    /// Holds that the host voided.
    pub voided: Sum,
    /// Holds that the terminal's timer ended.
    pub expired: Sum,
    /// Holds that nobody has ended.
    pub open: Sum,
    /// Money that was taken, by the host or by a terminal's timer.
    pub captured: u64,
    /// Money that terminals' timers took.
    pub captured_by_timer: u64,
    /// Cards that were declined.
    pub declined: u64,
    /// Commits and Voids that only repeated what had been done.
    pub repeats: u64,
    /// What must never have happened, but did.
    pub violations: Vec<Violation>,
}

impl Ledger {
    /// The sums of these holds entered into it.
    pub(super) fn with(mut self, holds: &[Hold]) -> Self {
        let ledger = &mut self;
        for hold in holds {
            match hold.state {
                HoldState::Held => ledger.open.add(hold.amount),
                HoldState::Captured { amount, by, .. } => {
                    ledger.captured += u64::from(amount.minor());
                    if by == By::Host {
                        ledger.committed.add(hold.amount);
                    } else {
                        ledger.expired.add(hold.amount);
                        ledger.captured_by_timer += u64::from(amount.minor());
                    }
                }
                HoldState::Released { by: By::Host, .. } => ledger.voided.add(hold.amount),
                HoldState::Released { by: By::TerminalTimer, .. } => ledger.expired.add(hold.amount),
            }
        }
        self
    }

    /// Whether approved + raised - lowered = committed + voided + expired + open, in holds and in money.
    pub fn balances(&self) -> bool {
        let parts = [self.committed, self.voided, self.expired, self.open];
        self.approved.count == parts.iter().map(|sum| sum.count).sum::<u64>()
            && self.approved.amount + self.updated.raised
                == parts.iter().map(|sum| sum.amount).sum::<u64>() + self.updated.lowered
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("approved", self.approved),
            ("committed", self.committed),
            ("voided", self.voided),
            ("expired", self.expired),
            ("open", self.open),
        ];
        writeln!(f, "The bank's ledger      holds        held, minor units")?;
        for (name, sum) in rows {
            writeln!(f, "  {name:<15} {:>11} {:>24}", sum.count, sum.amount)?;
        }
        writeln!(f, "  captured {:>42}   of it by terminals' timers: {}", self.captured, self.captured_by_timer)?;
        if self.updated != Updated::default() {
            writeln!(f, "  updated: raised by {}, lowered by {}", self.updated.raised, self.updated.lowered)?;
        }
        writeln!(
            f,
            "  declined: {}, repeated demands: {}, violations: {}",
            self.declined,
            self.repeats,
            self.violations.len()
        )?;
        for violation in &self.violations {
            writeln!(
                f,
                "  VIOLATION {} session {} at {}: {:?}",
                violation.terminal, violation.session, violation.at, violation.kind
            )?;
        }
        let verdict = if self.balances() { "balances" } else { "DOES NOT BALANCE" };
        write!(f, "  approved + raised - lowered = committed + voided + expired + open: {verdict}")
    }
}
