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
use crate::link::backoff;
use crate::terminal::trouble::{Ending, Trouble};
use crate::time::Timestamp;

/// Why a link, or the actor that used it, has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The link has ended.
    Link(Ending),
    /// The terminal's actor ended without saying why.
    Panic,
}

impl Reason {
    /// The `reason` label of `quittance_link_restarts_total`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Link(ending) => ending.label(),
            Self::Panic => "panic",
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

    /// Other limits from now on.
    pub fn supervise(&mut self, settings: Supervision) {
        self.settings = settings;
    }

    /// The link is up and set up.
    pub fn settled(&mut self, now: Timestamp) {
        self.settled_at = Some(now);
    }

    /// The link has ended; `jitter` lies between 0 and 1.
    pub fn failed(&mut self, reason: &Reason, now: Timestamp, jitter: f64) -> Verdict {
        if self.held(now) {
            self.forgive();
        }
        self.settled_at = None;

        // A person who asks for another link knows what was wrong, and does not want to wait.
        if *reason == Reason::Link(Ending::GivenUp(Trouble::Asked)) {
            self.forgive();
            return Verdict::Again { after: Duration::ZERO };
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.failures.push_back(now);
        let period = self.settings.period;
        self.failures.retain(|failure| now.since(*failure) < period);
        let intensity = usize::try_from(self.settings.intensity.max(1)).unwrap_or(usize::MAX);
        if *reason == Reason::Link(Ending::GivenUp(Trouble::Identity)) || self.failures.len() >= intensity {
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

    /// Whatever was is forgotten, also the quarantine.
    pub fn forgive(&mut self) {
        self.failures.clear();
        self.in_a_row = 0;
        self.quarantined = false;
    }

    /// The link has held for so long that the past is forgiven.
    fn held(&self, now: Timestamp) -> bool {
        self.settled_at.is_some_and(|settled| now.since(settled) >= self.settings.period)
    }
}
