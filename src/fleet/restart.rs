//! When to open a link again. Pure: time and randomness are arguments.
//!
//! ```text
//!                 failed: wait, longer each time
//!                 ┌────┐
//!                 ▼    │     `intensity` failures within `period`, or another device answers
//!  start ──► tried often ────────────────────────────────────────────────► quarantine: tried every `quarantine_retry`
//!                 ▲                                                                     │
//!                 └───────────────── the link has held for `period` ◄───────────────────┘
//! ```

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::fleet::supervision::Supervision;
use crate::link::Loss;
use crate::link::backoff;
use crate::time::Timestamp;

/// Why a link, or the actor that used it, has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The link was lost.
    Lost(Loss),
    /// The terminal's actor ended without saying why.
    Panic,
    /// The link was lost or given up for this reason, in the terminal's own word.
    Useless(&'static str),
    /// Another device answers than the one that is configured.
    Identity,
}

impl Reason {
    /// The `reason` label of `quittance_link_restarts_total`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Lost(loss) => loss.reason(),
            Self::Useless(reason) => reason,
            Self::Panic => "panic",
            Self::Identity => "identity",
        }
    }
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Open it again.
    Again {
        /// After this long.
        after: Duration,
    },
    /// It is in quarantine; open it again all the same.
    Quarantine {
        /// After this long.
        after: Duration,
    },
}

/// What has become of one terminal's links.
#[derive(Clone, Debug)]
pub struct History {
    settings: Supervision,
    /// When it failed last; at most `intensity` of them.
    failures: VecDeque<Timestamp>,
    in_a_row: u32,
    quarantined: bool,
    settled_at: Option<Timestamp>,
}

impl History {
    /// Nothing has happened yet.
    pub fn new(settings: Supervision) -> Self {
        Self { settings, failures: VecDeque::new(), in_a_row: 0, quarantined: false, settled_at: None }
    }

    /// The link is up and set up.
    pub fn settled(&mut self, now: Timestamp) {
        self.settled_at = Some(now);
    }

    /// The link has ended; `jitter` lies between 0 and 1.
    pub fn failed(&mut self, reason: &Reason, now: Timestamp, jitter: f64) -> Verdict {
        if self.held(now) {
            self.failures.clear();
            self.in_a_row = 0;
            self.quarantined = false;
        }
        self.settled_at = None;

        // Somebody wanted another link: no failure, and no reason to let a person wait.
        if *reason == Reason::Lost(Loss::Dropped) {
            let after = backoff::delay(1, self.settings.backoff_min, self.settings.backoff_max, jitter);
            return if self.quarantined { Verdict::Quarantine { after } } else { Verdict::Again { after } };
        }

        self.in_a_row = self.in_a_row.saturating_add(1);
        self.failures.push_back(now);
        let period = self.settings.period;
        self.failures.retain(|failure| now.since(*failure) < period);
        let intensity = usize::try_from(self.settings.intensity.max(1)).unwrap_or(usize::MAX);
        if *reason == Reason::Identity || self.failures.len() >= intensity {
            self.quarantined = true;
        }
        if self.quarantined {
            // Not even what is remembered may grow without end while a terminal stays away.
            self.failures.clear();
            return Verdict::Quarantine { after: self.settings.quarantine_retry };
        }
        let after = backoff::delay(self.in_a_row, self.settings.backoff_min, self.settings.backoff_max, jitter);
        Verdict::Again { after }
    }

    /// Whether it is in quarantine now.
    pub fn quarantined(&self, now: Timestamp) -> bool {
        self.quarantined && !self.held(now)
    }

    /// When it will leave quarantine if the link holds until then; none when it is not in quarantine or the link is down.
    pub fn leaves_quarantine_at(&self) -> Option<Timestamp> {
        self.settled_at.filter(|_| self.quarantined).map(|settled| settled.after(self.settings.period))
    }

    /// The link has held for so long that the past is forgiven.
    fn held(&self, now: Timestamp) -> bool {
        self.settled_at.is_some_and(|settled| now.since(settled) >= self.settings.period)
    }
}
