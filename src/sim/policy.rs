//! How the bank treats cards: what it says, and how long it takes.

use std::time::Duration;

use crate::money::Amount;

/// How the bank treats a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it says to Auth.
    pub verdict: BankVerdict,
    /// What it says to Update of a hold.
    pub update: BankVerdict,
    /// How long a question takes to reach the bank; the hold exists only afterwards, even if nobody waits for it any more.
    pub reaches_after: Duration,
    /// How long the answer takes to come back.
    pub answers_after: Duration,
}

/// What the bank says to a card. For Update, the amount is the new total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BankVerdict {
    /// All of it.
    Approve,
    /// At most so much.
    Partial(Amount),
    /// Nothing, for this reason (PSP, Session Declined).
    Decline(u8),
}

impl Policy {
    /// Approves at once.
    pub const APPROVE: Self = Self::of(BankVerdict::Approve);

    /// Declines at once.
    pub const fn decline(reason: u8) -> Self {
        Self::of(BankVerdict::Decline(reason))
    }

    /// Approves at most so much, at once.
    pub const fn partial(amount: Amount) -> Self {
        Self::of(BankVerdict::Partial(amount))
    }

    /// Approves at once, and says so this much later.
    pub const fn slow(duration: Duration) -> Self {
        Self { answers_after: duration, ..Self::APPROVE }
    }

    /// Is asked, and approves, only this much later.
    pub const fn late(duration: Duration) -> Self {
        Self { reaches_after: duration, ..Self::APPROVE }
    }

    /// The same, but says this to Update.
    pub const fn updating(self, update: BankVerdict) -> Self {
        Self { update, ..self }
    }

    const fn of(verdict: BankVerdict) -> Self {
        Self { verdict, update: BankVerdict::Approve, reaches_after: Duration::ZERO, answers_after: Duration::ZERO }
    }
}
