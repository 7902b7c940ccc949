//! How much of `policy.settle_within` is over for whom. Pure: the time is an argument.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::session::Session;
use crate::time::Timestamp;

/// The shares, in percent, from which on a session is counted.
const SHARES: [u32; 3] = [50, 80, 100];

/// What a terminal's undisposed sessions add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settling {
    within: Option<Duration>,
    now: Timestamp,
    /// So many sessions are past 50, 80 and 100 percent.
    pub(super) past: [usize; 3],
    /// The first end of the time.
    pub(super) deadline: Option<Timestamp>,
}

impl Settling {
    pub(super) fn new(within: Option<Duration>, now: Timestamp) -> Self {
        Self { within, now, past: [0; 3], deadline: None }
    }

    /// One more undisposed session. The time of a hold runs from its approval; that of one that may exist, from when the bank was asked.
    pub(super) fn count(&mut self, session: &Session) {
        let Some(within) = self.within else { return };
        let began = session.hold.as_ref().map(|hold| hold.since).or(session.asked_bank_at);
        let Some(began) = began else { return };
        for (past, share) in self.past.iter_mut().zip(SHARES) {
            if self.now >= began.after(within.saturating_mul(share) / 100) {
                *past = past.saturating_add(1);
            }
        }
        let ends = began.after(within);
        self.deadline = Some(self.deadline.map_or(ends, |first| first.min(ends)));
    }
}
